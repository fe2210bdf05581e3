package cli

import (
	"cmp"
	"context"
	"fmt"

	"github.com/buildregress/buildregress/internal/command"
)

func runPrune(ctx context.Context, p *Process, s *settings, _ []string) (code int, err error) {
	return 0, command.Prune(ctx, p.env(s), &command.PruneOptions{Store: s.store, Keep: s.keep, Given: s.identity()})
}

func pruneFaults(_ *Process, s *settings, args []string) []error {
	return append(surplus(args), s.keepFault())
}

// keepFault refuses to forget what a check may still search.
func (s *settings) keepFault() error {
	if s.keep == 0 || s.keep >= s.lookback || s.faulty[&s.keep] || s.faulty[&s.lookback] {
		return nil
	}
	return usageError{
		cmp.Or(s.from[&s.keep], "--keep") + ": builds would be kept for less long than --lookback searches them",
		fmt.Sprintf("keep %.4gd or more, or search less far back", s.lookback.Hours()/24),
	}
}
