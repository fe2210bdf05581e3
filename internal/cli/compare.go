package cli

import (
	"context"

	"github.com/buildregress/buildregress/internal/command"
)

func runCompare(ctx context.Context, p *Process, s *settings, args []string) (code int, err error) {
	return 0, command.Compare(ctx, p.env(s), &command.CompareOptions{
		A: args[0], B: args[1], Store: s.store, Wanted: s.wanted(), Given: s.identity(), Output: s.outputOptions(p),
	})
}

func compareFaults(_ *Process, s *settings, args []string) []error {
	if len(args) < 2 {
		return []error{usageError{"two builds are compared: A and B", "give files, servers, builds in the store, ^1 for the one before B, or usual for A"}}
	}
	faults := append(surplus(args[2:]), s.addressFaults(args[:2]...)...)
	return append(faults, s.refuseSharedSecrets(args[0], args[1]),
		s.refuseOverwrite(protectedFile{args[0], "a build to compare"}, protectedFile{args[1], "a build to compare"}))
}
