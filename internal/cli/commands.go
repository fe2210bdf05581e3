package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/buildregress/buildregress/detect/redact"
	"github.com/buildregress/buildregress/internal/command"
)

// A subcommand is what the program can be told to do.
type subcommand struct {
	name string
	taker
	// run makes typed options of what was given, and does it. It returns the exit code
	// where there is no error.
	run func(ctx context.Context, p *Process, s *settings, args []string) (code int, err error)
	// check looks for faults in what was given that no option has by itself.
	check func(p *Process, s *settings, args []string) []error
}

// commands are those that there are.
func commands() []subcommand {
	return []subcommand{
		{"check", onCheck, runCheck, checkFaults},
		{"record", onRecord, runRecord, recordFaults},
		{"backtest", onBacktest, runBacktest, backtestFaults},
		{"history", onHistory, runHistory, historyFaults},
		{"show", onShow, runShow, showFaults},
		{"compare", onCompare, runCompare, compareFaults},
		{"prune", onPrune, runPrune, pruneFaults},
		{"report", onReport, runReport, reportFaults},
		{"version", 0, runVersion, versionFaults},
		{"help", 0, runHelp, helpFaults},
	}
}

// commandNamed is the command of a name, nil if there is none.
func commandNamed(name string) *subcommand {
	for _, c := range commands() {
		if c.name == name {
			return &c
		}
	}
	return nil
}

// flag is the option of a name that is a flag of c, nil if there is none.
func (c *subcommand) flag(name string) *option {
	for _, o := range optionsOf(c.taker) {
		if o.name == name && !o.secret {
			return &o
		}
	}
	return nil
}

// dispatch reads the command line and runs the command it names.
//
// Note: all that is known of urfave/cli is in this file. Its own help, version, error
// handler (which exits) and environment lookup (which takes an empty variable for a
// value) are not used.
func dispatch(ctx context.Context, p *Process) (code int, err error) {
	line := reorder(p.Args)
	if line.args == nil && line.faults != nil {
		return 0, errors.Join(line.faults...)
	}
	app := &cli.App{
		Name:                      "buildregress",
		HideHelp:                  true,
		HideVersion:               true,
		Writer:                    io.Discard,
		ErrWriter:                 io.Discard,
		ExitErrHandler:            func(*cli.Context, error) {},
		OnUsageError:              func(_ *cli.Context, err error, _ bool) error { return misused(err) },
		DisableSliceFlagSeparator: true, // values hold commas
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return unknownCommand(c.Args().First())
			}
			if _, err := io.WriteString(p.Stderr, shortHelp); err != nil {
				return err
			}
			return usageError{"no command given", "buildregress help shows all of it"}
		},
	}
	for _, known := range commands() {
		app.Commands = append(app.Commands, &cli.Command{
			Name:     known.name,
			HideHelp: true,
			Flags:    known.flags(),
			OnUsageError: func(_ *cli.Context, err error, _ bool) error {
				return errors.Join(append(line.faults, misused(err))...)
			},
			Action: func(c *cli.Context) error {
				args := c.Args().Slice()
				s, err := known.parse(p, flagsGiven(c, known.taker))
				p.hideGiven(s)
				faults := append(line.faults, err)
				if !line.isDoubtful {
					faults = append(faults, known.check(p, s, args)...)
				}
				if err := errors.Join(faults...); err != nil {
					return err
				}
				// A debugging run of a GitHub workflow asks for it as well.
				p.console.Verbose = s.verbose || p.Getenv("RUNNER_DEBUG") == "1"
				code, err = withTimeout(c.Context, s, func(ctx context.Context) (int, error) {
					return known.run(ctx, p, s, args)
				})
				return err
			},
		})
	}
	err = app.RunContext(ctx, append([]string{app.Name}, line.args...))
	return code, err
}

// flagsGiven are the flags on a command line, by the options' names.
func flagsGiven(c *cli.Context, on taker) map[string]given {
	flags := map[string]given{}
	for _, o := range optionsOf(on) {
		if o.secret || !c.IsSet(o.name) {
			continue
		}
		values := []string{fmt.Sprint(c.Value(o.name))}
		if o.many {
			values = c.StringSlice(o.name)
		}
		flags[o.name] = given{values, "--" + o.name}
	}
	return flags
}

// flags are the options of c as the parser knows them.
func (c *subcommand) flags() (flags []cli.Flag) {
	for _, o := range optionsOf(c.taker) {
		switch {
		case o.secret:
		case o.toggle:
			flags = append(flags, &cli.BoolFlag{Name: o.name})
		case o.many:
			flags = append(flags, &cli.StringSliceFlag{Name: o.name})
		default:
			flags = append(flags, &cli.StringFlag{Name: o.name})
		}
	}
	return flags
}

// unknownCommand says what was perhaps meant.
func unknownCommand(name string) error {
	e := usageError{masked("unknown command %q", name), "buildregress help lists the commands"}
	if _, err := os.Stat(name); err == nil {
		e.hint = "to judge the build in it: buildregress check " + redact.Text(name)
	} else if meant := command.Closest(name, commandNames(), 3); meant != "" {
		e.hint = "did you mean " + meant + "?"
	}
	return e
}

// shortHelp is for who gave no command.
const shortHelp = `buildregress tells which step of a container build got slower, by how much,
and whether that is real or just a slow machine.

  buildregress check            judge the newest build of the local builder
  buildregress check SOURCE     judge another one: a file, a folder, a server
  buildregress record SOURCE…   add builds to the history, and judge nothing
  buildregress backtest         replay the history
  buildregress history          which steps got slower or faster, and since when
  buildregress show SOURCE      one build: how long it took, and why
  buildregress compare A B      two builds, step by step
  buildregress prune            thin the old builds of the store
  buildregress report RESULT    print a saved result again
  buildregress help [COMMAND]   the flags and the sources

`

// commandNames are those that can be given.
func commandNames() (names []string) {
	for _, c := range commands() {
		names = append(names, c.name)
	}
	return names
}

// misused tells what the flag parser says: flags that are not known are told before.
func misused(err error) error { return usageError{message: err.Error()} }

// unknownFlag says what was perhaps meant. c may be nil: no command was named.
func (c *subcommand) unknownFlag(name string) error {
	dashes := "--"
	if len(name) == 1 {
		dashes = "-"
	}
	e := usageError{message: masked("unknown flag "+dashes+"%s", name), hint: "buildregress help lists the commands"}
	switch {
	case name == "quiet" || name == "q" || name == "silent":
		e.hint = "--format says what goes to standard output, all else to standard error: 2>/dev/null keeps that away; the exit status is the verdict"
	case name == "v":
		e.hint = "--verbose says what is being done, and buildregress version prints the version"
	case c != nil && c.taker != 0:
		e.hint = "did you mean " + cli.SuggestFlag(c.flags(), name, true) + "?"
	}
	return e
}
