package cli

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/buildregress/buildregress/detect/redact"
	"github.com/buildregress/buildregress/internal/console"
)

// A usageError is a mistake in the command line, the environment or the configuration.
// It exits 2.
type usageError struct {
	message string
	hint    string // what to do instead, may be ""
}

func (e usageError) Error() string { return e.message }
func (e usageError) Hint() string  { return e.hint }

// usagef is a usageError without a hint. What it quotes is masked, as others may see
// the message; the sentence around it is ours.
func usagef(format string, args ...any) error {
	return usageError{message: masked(format, args...)}
}

// masked is fmt.Sprintf, credentials in texts among the arguments masked.
func masked(format string, args ...any) string {
	for i, arg := range args {
		if text, ok := arg.(string); ok {
			args[i] = redact.Text(text)
		}
	}
	return fmt.Sprintf(format, args...)
}

// tell writes an error to the console: each of several that were joined, with what
// people can do about it.
func (p *Process) tell(err error) {
	var hints []string
	for _, e := range flatten(err) {
		p.console.Error(e)
		if hint := console.HintOf(e); hint != "" && !slices.Contains(hints, hint) {
			hints = append(hints, hint)
			p.console.Hint(hint)
		}
	}
}

// flatten are the errors that were joined to one. One that wraps several in a sentence
// of its own is one.
func flatten(err error) (all []error) {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || reflect.TypeOf(err) != reflect.TypeOf(errors.Join(err)) {
		return []error{err}
	}
	for _, e := range joined.Unwrap() {
		all = append(all, flatten(e)...)
	}
	return all
}
