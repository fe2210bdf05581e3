package report

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/buildregress/buildregress/detect"
)

// A step that took much longer than usual and is no finding was not found innocent: one
// build cannot tell it from chance. That is said, lest a pass reads as more than it is.

// mayBeChance tells whether a step took so much longer that it would be told, and fail the
// build, if it were believed.
func mayBeChance(r *detect.Result, s *detect.StepResult) bool {
	if s.Status != detect.StatusSame || s.Ratio <= 1 || s.WallClockSeconds < max(r.Thresholds.MinDelta, r.WallClock.Usual/100) {
		return false
	}
	asked := 0
	for _, c := range s.Conditions {
		switch c.Kind {
		case detect.KindMinDelta, detect.KindMinSlowdown, detect.KindMinDeltaCleared, detect.KindMinSlowdownCleared:
			if !c.Met {
				return false
			}
			asked++
		}
	}
	return asked > 0
}

// unprovenLines tell of the dearest such steps.
func unprovenLines(r *detect.Result, n *names) (lines []line) {
	const most = 3
	var found []*detect.StepResult
	for i := range r.Steps {
		if s := &r.Steps[i]; mayBeChance(r, s) {
			found = append(found, s)
		}
	}
	slices.SortStableFunc(found, func(a, b *detect.StepResult) int { return cmp.Compare(b.WallClockSeconds, a.WallClockSeconds) })
	for _, s := range found[:min(len(found), most)] {
		l := lineOf(code(n.of(s)), " took ", measured(s), wallClockCost(s), ": one build cannot tell that from chance")
		if one := atLeast(s.MinDetectable); one != "" && s.Ratio < s.MinDetectable {
			l = lineOf(l, fmt.Sprintf("; it could show %s", one))
		}
		lines = append(lines, lineOf(l, "."))
	}
	return lines
}
