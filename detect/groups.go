package detect

import (
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect/align"
	"github.com/buildregress/buildregress/detect/timeline"
)

// Equal steps of which some came or went are judged together, as nothing tells which they are.

// readGroups finds what the equal steps took together that nothing tells apart in the
// build under judgement: in the middle of those builds in which something does.
func (a *arranged) readGroups(alignment *align.Alignment, ambiguous map[int]align.EqualGroup) {
	if len(ambiguous) == 0 {
		return
	}
	taken := map[align.EqualGroup][]time.Duration{}
	for _, g := range ambiguous {
		taken[g] = nil
	}
	for b := range a.base {
		shape := alignment.Base[b]
		for g := range taken {
			sum, found := time.Duration(0), false
			for i, t := range shape.Tracks {
				if t.Kin() == g.Step && g.From <= t.Slot && t.Slot < g.To {
					found = true
					if s := &a.base[b].Steps[i]; s.State == timeline.Executed {
						sum += s.Duration
					}
				}
			}
			if found {
				taken[g] = append(taken[g], sum)
			}
		}
	}
	a.groups = map[align.EqualGroup]time.Duration{}
	for g, all := range taken {
		a.groups[g] = durationMedian(all)
	}
	for i, g := range ambiguous {
		a.series[i].group = g
	}
	a.gone = slices.DeleteFunc(a.gone, func(s *timeline.Step) bool {
		for g := range taken {
			if align.IDOf(s) == g.Step {
				return true
			}
		}
		return false
	})
}
