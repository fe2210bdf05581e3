package cli

import (
	"context"

	"github.com/buildregress/buildregress/internal/command"
)

func runRecord(ctx context.Context, p *Process, s *settings, args []string) (code int, err error) {
	s.asksBuilder = s.causes == command.Auto
	return 0, command.Record(ctx, p.env(s), &command.RecordOptions{
		Sources: args, Store: s.store, Keep: s.keep, For: s.thresholds, Print: s.printBuilds, Causes: s.causes, Wanted: s.wanted(), Given: s.identity(),
	})
}

func recordFaults(_ *Process, s *settings, args []string) []error {
	if len(args) > 0 {
		return append(s.addressFaults(args...), s.keepFault(&s.keep))
	}
	return []error{usageError{"no SOURCE given", "give build records, progress logs, traces or builds files, folders of them, or - for standard input"}}
}
