package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/buildregress/buildregress/fetch/github"
	"github.com/buildregress/buildregress/fetch/store"
	"github.com/buildregress/buildregress/fetch/traces"
)

// A usageError is a mistake in the command line, the environment or the
// configuration. It exits 2.
type usageError struct {
	message string
	hint    string // what to do instead, may be ""
}

func (e usageError) Error() string { return e.message }

// usagef is a usageError without a hint.
func usagef(format string, args ...any) error {
	return usageError{message: fmt.Sprintf(format, args...)}
}

// An outputError tells that a report could not be written to a file.
type outputError struct {
	path string
	err  error
}

func (e outputError) Error() string {
	err := e.err
	var p *fs.PathError
	if errors.As(err, &p) { // its path may be that of a temporary file
		err = p.Err
	}
	return fmt.Sprintf("%s: %v", e.path, err)
}

func (e outputError) Unwrap() error { return e.err }

// hintFor says what people can do about err, "" if they know as much as we do.
func hintFor(err error) string {
	var usage usageError
	var server *traces.ServerError
	var known interface{ Hint() string }
	switch {
	case errors.As(err, &server) && server.Hint() != "":
		return server.Hint()
	case errors.As(err, &usage):
		return usage.hint
	case errors.Is(err, store.ErrDamaged):
		return "move that file away: the next build begins a new history; a copy kept by CI may still be sound"
	case errors.Is(err, store.ErrForeign):
		return "name another file with --store sqlite:PATH"
	case errors.Is(err, store.ErrNewer):
		return "update this buildregress, or name another file with --store sqlite:PATH"
	case errors.Is(err, store.ErrWrite):
		return "--store sqlite:PATH names another place, and --record never keeps no history"
	case errors.As(err, new(emptyStoreError)):
		return "buildregress record adds old builds, and check those that it judges; or give files to replay"
	case errors.As(err, new(postError)):
		return "with auto instead of always, what cannot be posted is a warning"
	case errors.As(err, new(outputError)):
		return "--output FORMAT=PATH names another place"
	case errors.As(err, new(timeoutError)), errors.Is(err, context.DeadlineExceeded):
		return "--timeout allows for more time; 0 is as long as it takes"
	case errors.Is(err, github.ErrDenied):
		return "give the job permissions: actions: read, and the token in the environment as GITHUB_TOKEN"
	case errors.As(err, new(*github.LimitError)):
		return "a token has more requests an hour than none: GITHUB_TOKEN; a cached .buildregress needs fewer of them"
	case errors.Is(err, github.ErrNoRecords):
		return "docker/build-push-action uploads a record when its job is over: within the job give buildx:, later --run-id names the run"
	case errors.As(err, &known):
		return known.Hint()
	}
	return ""
}
