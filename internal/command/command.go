// Package command is what each subcommand does, one file a command. All of it is told
// what to do by typed options, which internal/cli makes of the command line.
package command

import (
	"context"
	"io"
	"time"

	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/source"
	"github.com/buildregress/buildregress/fetch/store"
	"github.com/buildregress/buildregress/internal/ci"
	"github.com/buildregress/buildregress/internal/console"
)

// An Env is what surrounds a command.
type Env struct {
	Stdout    io.Writer
	Console   *console.Console
	Variables ci.Env
	Now       time.Time                                        // when the program began
	Clock     func() time.Time                                 // goes on from Now
	Sleep     func(ctx context.Context, d time.Duration) error // by that clock
	// Open opens what a SOURCE or a baseline names. What is fetched is kept in the
	// cache, nil for none.
	Open func(address string, cache fetch.Cache) (source.Source, error)
	// GitHub reaches GitHub, by one client for all that ask.
	GitHub func() (*source.GitHub, error)
}

// openStore opens the store at an address. Who has to wait for others is told so.
func (e *Env) openStore(ctx context.Context, address string, access store.Access) (*store.Store, error) {
	return store.Open(ctx, address, store.Options{Access: access, Waiting: func(what, hint string) {
		e.Console.Waiting(what)
		e.Console.Hint(hint)
	}})
}

// Exit codes. Scripts rely on them, and a report holds its own.
const (
	ExitOK      = 0 // nothing to fail on
	ExitVerdict = 1 // the verdict, or the status of a step, is one to fail on
	ExitUsage   = 2 // bad usage or configuration
	ExitTrouble = 3 // the job could not be done
)

// When says whether something is done that is done by itself where it makes sense.
type When string

// Values of options that are of this kind.
const (
	Auto   When = "auto"
	Always When = "always"
	Never  When = "never"
)
