package detect

import (
	"slices"
	"time"
)

// Equal steps of which some came or went are judged together, as nothing tells which they are.

// readGroups finds what the equal steps took together that nothing tells apart in the
// build under judgement: in the middle of those builds in which something does.
func (a *arranged) readGroups(alignment *alignment, ambiguous map[int]equalGroup) {
	if len(ambiguous) == 0 {
		return
	}
	taken := map[equalGroup][]time.Duration{}
	for _, g := range ambiguous {
		taken[g] = nil
	}
	for b := range a.base {
		shape := alignment.base[b]
		for g := range taken {
			sum, found := time.Duration(0), false
			for i, t := range shape.tracks {
				if t.kin() == g.step && g.from <= t.slot && t.slot < g.to {
					found = true
					if s := &a.base[b].Steps[i]; s.State == Executed {
						sum += s.Duration
					}
				}
			}
			if found {
				taken[g] = append(taken[g], sum)
			}
		}
	}
	a.groups = map[equalGroup]time.Duration{}
	for g, all := range taken {
		a.groups[g] = durationMedian(all)
	}
	for i, g := range ambiguous {
		a.series[i].group = g
	}
	a.gone = slices.DeleteFunc(a.gone, func(s *Step) bool {
		for g := range taken {
			if idOf(s) == g.step {
				return true
			}
		}
		return false
	})
}
