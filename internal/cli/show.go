package cli

import (
	"context"

	"github.com/buildregress/buildregress/detect/advice"
	"github.com/buildregress/buildregress/internal/command"
)

func runShow(ctx context.Context, p *Process, s *settings, args []string) (code int, err error) {
	return 0, command.Show(ctx, p.env(s), &command.ShowOptions{
		Source: sourceOf(args), Store: s.store, Wanted: s.wanted(), Given: s.identity(), Advice: advice.Terms{MinDelta: s.thresholds.MinDelta.D(), Dismiss: s.dismiss}, Output: s.outputOptions(p),
	})
}

func showFaults(_ *Process, s *settings, args []string) (faults []error) {
	from := sourceOf(args)
	return append(s.addressFaults(from), append(surplus(args[min(len(args), 1):]), s.refuseOverwrite(protectedFile{from, "the build to show"}))...)
}

// outputOptions say where a document goes that is not explained.
func (s *settings) outputOptions(p *Process) command.OutputOptions {
	return command.OutputOptions{Format: s.format, Files: s.output, Text: p.textOptions(s)}
}
