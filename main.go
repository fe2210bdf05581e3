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
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/term"

	"github.com/buildregress/buildregress/internal/cli"
	"github.com/buildregress/buildregress/internal/console"
)

func main() {
	// Most runs are over before collecting what they leave behind would pay.
	debug.SetGCPercent(400)
	os.Exit(cli.Run(context.Background(), cli.Process{
		Args:    os.Args[1:],
		Getenv:  os.Getenv,
		Environ: os.Environ,
		Stdin:   os.Stdin,
		Stdout:  output(os.Stdout),
		Stderr:  output(os.Stderr),
		Clock:   time.Now,
	}))
}

// output is a file as the command line takes it: only here is it known whether it is a
// terminal, and how wide that is.
func output(f *os.File) console.Output {
	o := console.Output{Writer: f}
	if fd := int(f.Fd()); term.IsTerminal(fd) {
		o.Terminal = os.Getenv("TERM") != "dumb"
		o.Width, _, _ = term.GetSize(fd)
	}
	return o
}
