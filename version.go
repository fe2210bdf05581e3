package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

// version prints which buildregress this is: the version of the module, or the
// commit of the checkout that it was built from.
func version(_ context.Context, w *world, _ settings, args []string) (code int, err error) {
	if len(args) > 0 {
		return 0, usagef("unexpected argument %q", args[0])
	}
	number, extra := "(unknown)", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		number = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				extra = ", " + s.Value
			}
		}
	}
	_, err = fmt.Fprintf(w.stdout, "buildregress %s (%s %s/%s%s)\n", number, runtime.Version(), runtime.GOOS, runtime.GOARCH, extra)
	return 0, err
}
