package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/buildregress/buildregress/internal/command"
	"github.com/buildregress/buildregress/internal/console"
)

// withTimeout runs a command for as long as --timeout allows.
//
// Not all work can be interrupted: a read from a pipe, a computation. It is left behind
// a moment after the time is over, as the process ends then. What it may leave
// unfinished on the disk, it does not leave in pieces: see Run. In that moment a command
// that was started is ended.
func withTimeout(ctx context.Context, s *settings, run func(context.Context) (int, error)) (code int, err error) {
	if s.timeout == 0 { // for as long as it takes
		return run(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	type end struct {
		code int
		err  error
	}
	done := make(chan end, 1)
	go func() {
		var e end
		e.err = command.RecoverPanic(func() (err error) {
			e.code, err = run(ctx)
			return err
		})
		done <- e
	}()
	select {
	case e := <-done:
		if errors.Is(e.err, command.ErrOutOfTime) { // it kept some of it to say how far it came
			return 0, timeoutError{s.timeout}
		}
		if e.err == nil || ctx.Err() == nil {
			return e.code, e.err
		}
	case <-ctx.Done():
		select {
		case <-done:
		case <-time.After(grace):
		}
	}
	if ctx.Err() == context.DeadlineExceeded {
		return 0, timeoutError{s.timeout}
	}
	return 0, ctx.Err()
}

// grace is how long work may take to end when its time is over.
const grace = 500 * time.Millisecond

// A timeoutError tells that the work took longer than it may.
type timeoutError struct{ limit time.Duration }

func (e timeoutError) Error() string { return fmt.Sprintf("not done after %v: gave up", e.limit) }

// Hint says how it gets more time.
func (e timeoutError) Hint() string { return console.HintTimeout }
