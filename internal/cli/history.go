package cli

import (
	"context"

	"github.com/buildregress/buildregress/internal/command"
)

func runHistory(ctx context.Context, p *Process, s *settings, args []string) (code int, err error) {
	given := s.identity()
	given.Branch, given.Runner = "", "" // which builds are told of: they say their own
	return 0, command.History(ctx, p.env(s), &command.HistoryOptions{
		Sources: args, Store: s.store, Given: given, Branch: s.branch, Runner: s.runner, Wanted: s.wanted(),
		Steps: s.steps, Since: s.since, Thresholds: s.thresholds, Dismiss: s.dismiss, All: s.allSteps, Output: s.outputOptions(p),
	})
}

func historyFaults(_ *Process, s *settings, args []string) []error {
	faults := s.addressFaults(args...)
	for _, from := range args {
		faults = append(faults, s.refuseOverwrite(protectedFile{from, "a source"}))
	}
	return faults
}
