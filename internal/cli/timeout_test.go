package cli

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/buildregress/buildregress/internal/cli/clitest"
	"github.com/buildregress/buildregress/internal/command"
	"github.com/buildregress/buildregress/internal/console"
)

// Work that looks at no context ends with the process.
func TestWithTimeout(t *testing.T) {
	limited := &settings{timeout: 50 * time.Millisecond}
	synctest.Test(t, func(t *testing.T) {
		began := time.Now() // clock: the bubble's own, the same on every day: it goes on when all in it wait
		over := make(chan bool)
		deaf := func(context.Context) (int, error) { <-over; return 0, nil }
		if _, err := withTimeout(t.Context(), limited, deaf); !errors.As(err, new(timeoutError)) || time.Since(began) != limited.timeout+grace {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		close(over)
		asked := func(ctx context.Context) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		}
		if _, err := withTimeout(t.Context(), limited, asked); !errors.As(err, new(timeoutError)) {
			t.Errorf("interrupted: %v", err)
		}
	})
	for _, limit := range []time.Duration{0, time.Minute} {
		code, err := withTimeout(t.Context(), &settings{timeout: limit}, func(context.Context) (int, error) { return 1, nil })
		if code != 1 || err != nil {
			t.Errorf("in time: %d, %v", code, err)
		}
	}
}

// A broken reader is a mistake of ours.
type broken struct{}

func (broken) Read([]byte) (int, error) { panic("boom") }

// A mistake of ours is one line, and more only for those who ask.
func TestPanic(t *testing.T) {
	for _, verbose := range []bool{false, true} {
		var errs bytes.Buffer
		p := Process{
			Args: []string{"check", "-"}, Getenv: func(string) string { return "" }, Stdin: broken{},
			Stderr: console.Output{Writer: &errs}, Clock: clitest.NewClock(clitest.Start).Now,
		}
		if verbose {
			p.Args = append(p.Args, "--verbose")
		}
		t.Chdir(t.TempDir())
		if code := Run(t.Context(), p); code != command.ExitTrouble {
			t.Errorf("exit code %d", code)
		}
		first, rest, _ := strings.Cut(errs.String(), "\n")
		if first != "buildregress: error: internal error: boom, please report" || strings.Contains(rest, "timeout_test.go") != verbose || !verbose && rest != "" {
			t.Errorf("verbose %t: %s", verbose, &errs)
		}
	}
}
