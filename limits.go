package main

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"
)

// within runs a command for as long as --timeout allows, and makes w talkative if
// --verbose asks for it, or a debugging run of a GitHub workflow does.
//
// Not all work can be interrupted: a read from a pipe, a computation. It is left
// behind a moment after the time is over, as the process ends then. What it may
// leave unfinished on the disk, it does not leave in pieces: see run. In that
// moment a command that was started is ended.
func within(ctx context.Context, w *world, s settings, command func(context.Context) (int, error)) (code int, err error) {
	verbose, err := s.on("verbose")
	if err != nil {
		return 0, err
	}
	w.verbose = verbose || w.env("RUNNER_DEBUG") == "1"
	limit, err := s.duration("timeout")
	if err != nil {
		return 0, err
	}
	if limit == 0 { // for as long as it takes
		return command(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	type end struct {
		code int
		err  error
	}
	done := make(chan end, 1)
	go func() {
		code, err := guarded(func() (int, error) { return command(ctx) })
		done <- end{code, err}
	}()
	select {
	case e := <-done:
		if e.err == nil || ctx.Err() == nil {
			return e.code, e.err
		}
	case <-ctx.Done():
		select {
		case <-done:
		case <-time.After(moment):
		}
	}
	if ctx.Err() == context.DeadlineExceeded {
		return 0, timeoutError{limit}
	}
	return 0, ctx.Err()
}

// moment is how long work may take to end when its time is over.
const moment = 500 * time.Millisecond

// A timeoutError tells that the work took longer than it may.
type timeoutError struct{ limit time.Duration }

func (e timeoutError) Error() string { return fmt.Sprintf("not done after %v: gave up", e.limit) }

// guarded returns what f returns, or a panicError if f panics.
func guarded(f func() (int, error)) (code int, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			code, err = 0, &panicError{cause, string(debug.Stack())}
		}
	}()
	return f()
}

// A panicError is a mistake of ours.
type panicError struct {
	cause any
	trace string // of the calls that led to it
}

func (e *panicError) Error() string {
	return fmt.Sprintf("internal error: %v, please report", e.cause)
}
