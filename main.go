// Buildregress tells which step of a container build got slower, by how much,
// and whether that is real or the machine's mood.
//
// Usage:
//
//	buildregress check [flags] [SOURCE]
//	buildregress record [flags] SOURCE…
//	buildregress backtest [flags] [SOURCE…]
//	buildregress version
//	buildregress help [COMMAND]
//
// SOURCE is a file, a folder of files, or "-" for standard input. A file is a
// build record of docker buildx (".dockerbuild"), a progress log in rawjson, a
// trace in OTLP or Jaeger JSON, or a builds file; which of them shows in its
// content. "buildx:[BUILDER/][REF]" is a record of the local builder, the newest
// one if nothing else is said.
//
// Check judges the builds in SOURCE against the history, reports, and then adds
// them to the history if they were just made. Record adds builds to the history
// and judges nothing. Backtest judges each build of a history as if it were new,
// and tells what would have been called. The history is a SQLite file, .buildregress/history.db if
// no other is named.
//
// Every flag may be given in the environment as well: --min-delta is
// BUILDREGRESS_MIN_DELTA. A flag goes before the environment, that before the
// file .buildregress.yaml, which holds thresholds only.
//
// The exit status is 0 if there is nothing to fail on, 1 if the verdict is one
// that --fail-on names, 2 for bad usage or configuration, and 3 if the job could
// not be done. Results go to standard output, all else to standard error.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/term"
)

// Exit codes. Scripts rely on them.
const (
	exitOK      = 0 // nothing to fail on
	exitVerdict = 1 // the verdict, or the status of a step, is one to fail on
	exitUsage   = 2 // bad usage or configuration
	exitTrouble = 3 // the job could not be done
)

func main() {
	w := &world{
		args:   os.Args[1:],
		env:    os.Getenv,
		vars:   os.Environ,
		stdin:  os.Stdin,
		stdout: os.Stdout,
		stderr: os.Stderr,
		now:    time.Now(),
	}
	if fd := int(os.Stdout.Fd()); term.IsTerminal(fd) {
		w.terminal = true
		w.width, _, _ = term.GetSize(fd)
	}
	w.errTerminal = term.IsTerminal(int(os.Stderr.Fd())) && os.Getenv("TERM") != "dumb"
	// Most runs are over before collecting what they leave behind would pay: the
	// collector counts these bytes as in use, and begins later. Nothing touches them, so
	// that no page is given to them.
	ballast := make([]byte, 16<<20)
	code := run(context.Background(), w)
	runtime.KeepAlive(ballast)
	os.Exit(code)
}

// A world is all that surrounds the process, but for files. Nothing but main
// takes these from the system itself.
type world struct {
	args           []string // without the program's name
	env            func(string) string
	vars           func() []string // all of the environment, "NAME=value"; nil if there is none
	stdin          io.Reader
	stdout, stderr io.Writer
	now            time.Time
	terminal       bool // stdout is one
	width          int  // of the terminal, 0 if unknown
	errTerminal    bool // stderr is one
	verbose        bool
	hub            *githubAccess // once it was asked for
}

// run is the whole program. It returns the exit code.
//
// Note: no signal is caught, except while a command runs that has to end as well.
// An interrupt ends the process at once, as SQLite rolls back what it leaves
// unfinished, and reports are renamed into place.
func run(ctx context.Context, w *world) int {
	code, err := guarded(func() (int, error) { return dispatch(ctx, w) })
	if err == nil {
		return code
	}
	// Each error of several stands in a line of its own.
	for line := range strings.Lines(err.Error()) {
		w.say("error", line)
	}
	if hint := hintFor(err); hint != "" {
		w.say("hint", hint)
	}
	if bug := new(panicError); errors.As(err, &bug) {
		for line := range strings.Lines(bug.trace) {
			w.debug("%s", line)
		}
	}
	if errors.As(err, new(usageError)) {
		return exitUsage
	}
	return exitTrouble
}
