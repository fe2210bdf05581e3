// Buildregress tells which step of a container build got slower, by how much,
// and whether that is real or just a slow machine.
//
// Usage:
//
//	buildregress check [flags] [SOURCE]
//	buildregress record [flags] SOURCE…
//	buildregress backtest [flags] [SOURCE…]
//	buildregress version
//	buildregress help [COMMAND]
//
// What each of them does, and what a SOURCE can be, "buildregress help" says, and the
// manual in docs. The exit status is 0 if there is nothing to fail on, 1 if the verdict
// is one that --fail-on names, 2 for bad usage or configuration, and 3 if the job could
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
	debug.SetGCPercent(250)
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
