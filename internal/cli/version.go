package cli

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

// runVersion prints which buildregress this is: the version of the module, or the
// commit of the checkout that it was built from.
func runVersion(_ context.Context, p *Process, _ *settings, _ []string) (code int, err error) {
	number, extra := "(unknown)", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		number = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				extra = ", " + s.Value
			}
		}
	}
	_, err = fmt.Fprintf(p.Stdout, "buildregress %s (%s %s/%s%s)\n", number, runtime.Version(), runtime.GOOS, runtime.GOARCH, extra)
	return 0, err
}

func versionFaults(_ *Process, _ *settings, args []string) []error { return surplus(args) }

// surplus are the faults of arguments where none is expected.
func surplus(args []string) []error {
	if len(args) == 0 {
		return nil
	}
	return []error{usagef("unexpected argument %q", args[0])}
}
