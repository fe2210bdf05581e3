package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/buildregress/buildregress/internal/ci"
	"github.com/buildregress/buildregress/internal/console"
	"github.com/buildregress/buildregress/report"
)

// ReportOptions are what the report command is asked to do.
type ReportOptions struct {
	Result string    // path of a report as JSON, or "-"
	Stdin  io.Reader // what that is read from
	Output OutputOptions
	Post   PostOptions
}

// maxResult is the largest report that is read, in bytes: some hundred builds of a
// thousand steps.
const maxResult = 256 << 20

// Report gives a report again that was saved as JSON, and comments on it where that is asked
// for. It judges nothing.
func Report(ctx context.Context, env *Env, o *ReportOptions) error {
	in := o.Stdin
	if o.Result != "-" {
		f, err := os.Open(o.Result)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	limited := &io.LimitedReader{R: in, N: maxResult + 1}
	r, err := report.ReadJSON(limited)
	if limited.N <= 0 {
		err = fmt.Errorf("larger than %d MB", maxResult>>20)
	}
	if err != nil {
		return resultError{fmt.Errorf("%s: %w", console.Printable(cmp.Or(map[string]string{"-": "standard input"}[o.Result], o.Result)), err)}
	}
	said := ci.System(env.Variables)
	if o.Post.Comment != Never {
		said = newResolver(ctx, env, ci.Identity{}).CI // with the pull request
	}
	o.Output.Text.Code = codeOf(env.Variables, said)
	errs := []error{o.Output.write(env.Stdout, r)}
	if o.Post.Comment != Never {
		errs = append(errs, o.Post.comment(ctx, env, said, r))
	}
	return errors.Join(errs...)
}

// A resultError tells that there is no report to be read.
type resultError struct{ error }

func (e resultError) Unwrap() error { return e.error }

// Hint says what makes one.
func (e resultError) Hint() string {
	return "buildregress check --output json=FILE writes one; builds themselves are judged by buildregress check"
}
