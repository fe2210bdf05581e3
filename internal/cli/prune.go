package cli

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/buildregress/buildregress/internal/command"
)

func runPrune(ctx context.Context, p *Process, s *settings, _ []string) (code int, err error) {
	return 0, command.Prune(ctx, p.env(s), &command.PruneOptions{Store: s.store, Keep: s.prunedAfter, For: s.thresholds, Given: s.identity()})
}

func pruneFaults(_ *Process, s *settings, args []string) []error {
	return append(surplus(args), s.keepFault(&s.prunedAfter))
}

// keepFault refuses to forget what a check may still search.
func (s *settings) keepFault(keep *time.Duration) error {
	if s.from[keep] == "" && *keep == 0 || *keep > 0 && *keep >= s.lookback || s.faulty[keep] || s.faulty[&s.lookback] {
		return nil
	}
	if *keep == 0 {
		return usageError{cmp.Or(s.from[keep], "--keep") + ": 0 is no age, each build would be old", "say for how long builds are kept, such as 180d"}
	}
	return usageError{
		cmp.Or(s.from[keep], "--keep") + ": builds would be kept for less long than --lookback searches them",
		fmt.Sprintf("keep %.4gd or more, or search less far back", s.lookback.Hours()/24),
	}
}
