package report

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
)

// Many steps that are slower at once mostly have one cause: a cold compiler cache, a slow
// mirror. They are one finding with a list, not as many as there are steps.

const (
	// Steps that do the same elsewhere are a group from so many on, those of one stage or
	// job from a few more: they have less in common.
	leastOfKind  = 3
	leastOfStage = 4
	// mostListed are named one by one.
	mostListed = 8
)

// A group is some steps of one status, by their places in the result.
type group struct {
	stage string // that they share; "" where they are of one kind, or there is one alone
	steps []int
}

// groupsOf puts together the slower and suspect steps of a result that have a kind or a
// stage in common. All others are a group each.
func groupsOf(r *detect.Result) (groups []group) {
	taken := map[int]bool{}
	gather := func(least int, stage bool, nameOf func(s *detect.StepResult) string) {
		at := map[string][]int{}
		var order []string
		for i := range r.Steps {
			s := &r.Steps[i]
			name := nameOf(s)
			if s.Status != detect.StatusSlower && s.Status != detect.StatusSuspect || taken[i] || name == "" {
				continue
			}
			key := s.Status.String() + " " + name
			if at[key] == nil {
				order = append(order, key)
			}
			at[key] = append(at[key], i)
		}
		for _, key := range order {
			if steps := at[key]; len(steps) >= least {
				g := group{steps: steps}
				if stage {
					g.stage = r.Steps[steps[0]].Stage
				}
				groups = append(groups, g)
				for _, i := range steps {
					taken[i] = true
				}
			}
		}
	}
	gather(leastOfKind, false, func(s *detect.StepResult) string { return dockerfile.Kind(s.Key) })
	gather(leastOfStage, true, func(s *detect.StepResult) string { return s.Stage })
	for i := range r.Steps {
		switch s := r.Steps[i].Status; {
		case taken[i]:
		case s == detect.StatusSlower, s == detect.StatusSuspect, s == detect.StatusOverBudget:
			groups = append(groups, group{steps: []int{i}})
		}
	}
	slices.SortStableFunc(groups, func(a, b group) int { return a.steps[0] - b.steps[0] })
	return groups
}

// cost is what the steps of the group cost the build together.
func (g *group) cost(r *detect.Result) (sum timeline.Seconds) {
	for _, i := range g.steps {
		sum += r.Steps[i].WallClockSeconds
	}
	return sum
}

// causes are those that stand under the finding: of a step its own, of several those that
// all of them have.
func (g *group) causes(r *detect.Result) []detect.Explanation {
	first := r.Steps[g.steps[0]].Causes
	for _, i := range g.steps[1:] {
		if own := r.Steps[i].Causes; len(own) == 0 || len(first) == 0 || own[0].Text != first[0].Text {
			return nil
		}
	}
	if len(g.steps) > 1 {
		return first[:min(len(first), 1)]
	}
	return first
}

// groupLine tells of the steps of a group together.
func groupLine(r *detect.Result, g *group, n *names) line {
	first := &r.Steps[g.steps[0]]
	are := " are slower"
	if first.Status == detect.StatusSuspect {
		are = " look slower"
	}
	least, most := first.Ratio, first.Ratio
	builds, dearest := 0, slices.Clone(g.steps)
	slices.SortStableFunc(dearest, func(a, b int) int {
		return cmp.Compare(r.Steps[b].Current-r.Steps[b].Usual, r.Steps[a].Current-r.Steps[a].Usual)
	})
	for _, i := range g.steps {
		s := &r.Steps[i]
		least, most = min(least, s.Ratio), max(most, s.Ratio)
		builds = max(builds, s.Evidence.Builds)
	}
	by := ratio(most)
	if low := ratio(least); low != by {
		by = low + " to " + by
	}
	what := lineOf(" like ", code(n.of(first)))
	if g.stage != "" {
		what = lineOf(" of ", code(g.stage))
	}
	l := lineOf(fmt.Sprintf("%d steps", len(g.steps)), what, are, ", ", by)
	if cost := g.cost(r); cost > 0 {
		l = lineOf(l, "; together they cost the build ", cost.String(), " of wall clock")
	}
	l = lineOf(l, ". They may have one cause. They are ")
	var listed []line
	for _, i := range dearest[:min(len(dearest), mostListed)] {
		s := &r.Steps[i]
		listed = append(listed, lineOf(code(n.of(s)), " (", s.Current.String(), ", usually ", s.Usual.String(), ")"))
	}
	l = lineOf(l, joined(listed, ", "))
	if more := len(dearest) - len(listed); more > 0 {
		l = lineOf(l, fmt.Sprintf(" and %d more", more))
	}
	l = lineOf(l, ".")
	l = lineOf(l, causesLine(g.causes(r)))
	if builds > 1 {
		l = lineOf(l, fmt.Sprintf(" Seen in up to %d builds of this branch.", builds))
	}
	return l
}
