package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/buildregress/buildregress/fetch/store"
)

// An option is a flag, and a variable of the environment.
type option struct {
	name     string
	fallback string // its value if nothing is said
	many     bool   // it may be given several times
	toggle   bool   // it takes no value
	secret   bool   // it is no flag, which others could see: the environment alone says it
}

// Options by command. What each means is said in help.go, as people read it
// there.
var (
	recordOptions = append([]option{
		{name: "store", fallback: store.Default},
		{name: "pipeline"},
		{name: "branch"},
		{name: "revision"},
		{name: "runner"},
		{name: "build"},
		{name: "format"},
		{name: "lookback", fallback: "30d"},
		{name: "timeout", fallback: "2m"},
		{name: "verbose", toggle: true},
	}, tracesOptions...)
	judgementOptions = []option{
		{name: "window"},
		{name: "min-history"},
		{name: "fdr"},
		{name: "min-slowdown"},
		{name: "min-delta"},
		{name: "fail-on", many: true},
		{name: "config"},
	}
	checkOptions = slices.Concat(recordOptions, judgementOptions, []option{
		{name: "baseline"},
		{name: "base-branch"},
		{name: "explain"},
		{name: "output", many: true},
		{name: "record", fallback: "auto"},
		{name: "comment", fallback: "auto"},
		{name: "check-run", fallback: "auto"},
		{name: "summary", fallback: "auto"},
		{name: "annotations", fallback: "auto"},
		{name: "color", fallback: "auto"},
	})
	backtestOptions = slices.Concat(judgementOptions, []option{
		{name: "store", fallback: store.Default},
		{name: "pipeline"},
		{name: "branch"},
		{name: "runner"},
		{name: "base-branch"},
		{name: "builds"},
		{name: "inject"},
		{name: "lookback", fallback: "30d"},
		{name: "format"},
		{name: "color", fallback: "auto"},
		{name: "timeout", fallback: "2m"},
		{name: "verbose", toggle: true},
	})
	// allOptions has each option of any command, at least once.
	allOptions = slices.Concat(checkOptions, backtestOptions)
)

// commands are the subcommands: what they take, and what they do.
var commands = []struct {
	name    string
	options []option
	run     func(ctx context.Context, w *world, s settings, args []string) (code int, err error)
}{
	{"check", checkOptions, check},
	{"record", recordOptions, record},
	{"backtest", backtestOptions, runBacktest},
	{"version", nil, version},
	{"help", nil, help},
}

// dispatch reads the command line and runs the command it names.
//
// Note: all that is known of urfave/cli is in this function and flagsOf. Its
// own help, version, error handler (which exits) and environment lookup (which
// takes an empty variable for a value) are not used.
func dispatch(ctx context.Context, w *world) (code int, err error) {
	args, err := arrange(w.args)
	if err != nil {
		return 0, err
	}
	app := &cli.App{
		Name:                      "buildregress",
		HideHelp:                  true,
		HideVersion:               true,
		Writer:                    io.Discard,
		ErrWriter:                 io.Discard,
		ExitErrHandler:            func(*cli.Context, error) {},
		OnUsageError:              misused(nil),
		DisableSliceFlagSeparator: true, // values hold commas
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return unknownCommand(c.Args().First())
			}
			return usageError{"no command given", "buildregress help shows how it is used"}
		},
	}
	for _, command := range commands {
		flags := flagsOf(command.options)
		app.Commands = append(app.Commands, &cli.Command{
			Name:         command.name,
			HideHelp:     true,
			Flags:        flags,
			OnUsageError: misused(flags),
			Action: func(c *cli.Context) error {
				given := settings{}
				for _, o := range command.options {
					if o.secret || !c.IsSet(o.name) {
						continue
					}
					values := []string{fmt.Sprint(c.Value(o.name))}
					if o.many {
						values = c.StringSlice(o.name)
					}
					given[o.name] = setting{values, "--" + o.name}
				}
				given.addEnvironment(command.options, w.env)
				if w.vars != nil && command.options != nil {
					for _, name := range unknownVariables(w.vars()) {
						w.say("warning", name+" is set, and there is no such option: buildregress help check lists them")
					}
				}
				code, err = within(c.Context, w, given, func(ctx context.Context) (int, error) {
					return command.run(ctx, w, given, c.Args().Slice())
				})
				return err
			},
		})
	}
	err = app.RunContext(ctx, append([]string{app.Name}, args...))
	return code, err
}

// unknownCommand says what was perhaps meant.
func unknownCommand(name string) error {
	e := usageError{fmt.Sprintf("unknown command %q", name), "buildregress help lists the commands"}
	if _, err := os.Stat(name); err == nil {
		e.hint = "to judge the build in it: buildregress check " + name
	}
	return e
}

func flagsOf(options []option) (flags []cli.Flag) {
	for _, o := range options {
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

// misused turns what the flag parser says into our words.
func misused(flags []cli.Flag) cli.OnUsageErrorFunc {
	return func(_ *cli.Context, err error, _ bool) error {
		name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
		if !unknown {
			return usageError{message: err.Error()}
		}
		e := usageError{message: "unknown flag --" + name, hint: "buildregress help lists the commands"}
		switch {
		case name == "v":
			e.hint = "--verbose says what is being done, and buildregress version prints the version"
		case len(flags) > 0:
			e.hint = "did you mean " + cli.SuggestFlag(flags, name, true) + "?"
		}
		return e
	}
}
