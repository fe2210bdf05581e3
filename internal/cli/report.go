package cli

import (
	"context"

	"github.com/buildregress/buildregress/internal/command"
)

func runReport(_ context.Context, p *Process, s *settings, args []string) (code int, err error) {
	return 0, command.Report(p.env(s), &command.ReportOptions{
		Result: args[0], Stdin: p.Stdin,
		Output: s.outputOptions(p),
	})
}

func reportFaults(_ *Process, s *settings, args []string) []error {
	if len(args) == 0 {
		return []error{usageError{"no RESULT given", "give a file that buildregress check --output json=FILE wrote, or - for standard input"}}
	}
	return append(surplus(args[1:]), s.refuseOverwrite(protectedFile{args[0], "the result to read"}))
}
