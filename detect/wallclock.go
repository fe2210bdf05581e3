package detect

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect/align"
	"github.com/buildregress/buildregress/detect/timeline"
)

// The difference between a build's duration and the usual one is split into causes along
// the critical path: what each step on it took beyond what is usual, the runner's part of
// that, and steps that usually are cached. What is left is the rest, so that parts add up.

// accountFor explains why the build took as much longer (or shorter) than usual as it
// did. It walks the critical path, on which steps are Critical by now: each
// contributes what it took above what was expected, first the runner's part of it,
// then its own. Differences that are worth no mention, and what the path does not
// explain, are parts too, so that all of them sum to the whole exactly. It also sets
// what each step cost the build: by being slower than when it runs, not by having run.
func accountFor(build *timeline.Build, a *arranged, g *timeline.Graph, steps []StepResult, loads map[int]int, chains []timeline.Chain, runner *mood, t Thresholds) WallClock {
	lostAt := map[int]string{} // index of a step to the key of the first of its chain
	for _, c := range chains {
		for _, at := range append(c.Downstream, c.Root) {
			lostAt[at] = a.series[c.Root].step.Key
		}
	}
	factor := 1.0
	if runner.known {
		factor = math.Exp(runner.log)
	}
	acc := account{parts: map[WallClockPart]time.Duration{}, told: map[string]time.Duration{}, untold: map[string]bool{}, minDelta: t.MinDelta.D()}
	wholes := map[int]int{} // by part
	for i, parts := range g.Parts {
		for _, part := range parts {
			wholes[part] = i
		}
	}
	groups := map[align.EqualGroup]time.Duration{}
	costs, learning := a.costs(build, g, steps, loads, factor, t)
	for i := range a.series {
		// Of a step without times nobody knows when it ran: it counts.
		if !steps[i].Critical && !g.Steps[i].Start.IsZero() {
			continue
		}
		c := costs[i]
		s, r, own := c.series, c.result, c.own
		if a.within[i] {
			continue
		}
		if s.ambiguous {
			if s.step.State == timeline.Executed { // as those of the baseline are counted
				groups[s.group] += s.step.TimeWithin(build)
			}
			continue
		}
		if s.learns && len(s.samples) == 0 || learning[i] {
			acc.untold[s.step.Key] = true
			continue // what it took before is in what is usual, and nobody knows how much it was
		}
		of := s.step.Key
		if whole, isPart := wholes[i]; isPart {
			of = a.series[whole].step.Key
		}
		acc.add(CauseRunner, "", c.byRunner)
		acc.told[of] += c.byRunner + own
		// What ran in fewer than half of the builds is no part of a usual one: that
		// it ran is a cost of its own.
		if root, lost := lostAt[i]; lost {
			usual := c.usual
			if len(s.samples) == 0 {
				usual, own = usual+own+c.byRunner, 0
				acc.told[of] -= c.byRunner + c.own
			}
			acc.told[of] += usual
			acc.add(CauseCacheLoss, root, usual)
		} else if 2*len(s.samples) < c.reached {
			acc.told[of] += c.usual
			acc.add(CauseStep, s.step.Key, c.usual)
		}
		r.WallClockSeconds = timeline.Seconds(own)
		acc.addStep(s.step.Key, own)
	}
	for group, took := range groups {
		byRunner := bounded(float64(a.groups[group]) * (factor - 1))
		acc.add(CauseRunner, "", byRunner)
		acc.addStep(group.Step.Key, took-a.groups[group]-byRunner)
		acc.told[group.Step.Key] += took - a.groups[group]
	}
	acc.nameLargest()
	usual := slices.DeleteFunc(a.durations(steps), func(d time.Duration) bool { return d <= 0 })
	if !g.Timed {
		// How the steps ran side by side is unknown: what they add up to says nothing.
		clear(acc.parts)
	} else if len(usual) > 0 && build.Duration > 0 {
		rest := build.Duration - durationMedian(usual)
		for _, d := range acc.parts {
			rest -= d
		}
		acc.nameRest(rest, build, a, g, steps)
	}
	acc.joinQueues(build, a)
	return sumParts(build, usual, acc.parts)
}

// joinQueues makes one part of all that jobs waited for machines: which of them waited says
// nothing of what was built.
func (acc *account) joinQueues(build *timeline.Build, a *arranged) {
	queues := map[string]bool{}
	for _, steps := range a.allSteps(build) {
		for i := range steps {
			if steps[i].IsQueue() {
				queues[steps[i].Key] = true
			}
		}
	}
	for p, d := range acc.parts {
		if queues[p.Step] && (p.Cause == CauseStep || p.Cause == CausePath) {
			delete(acc.parts, p)
			acc.parts[WallClockPart{Cause: CauseQueue}] += d
		}
	}
}

// allSteps are those of a build and of each of its baseline.
func (a *arranged) allSteps(build *timeline.Build) (all [][]timeline.Step) {
	all = append(all, build.Steps)
	for b := range a.base {
		all = append(all, a.base[b].Steps)
	}
	return all
}

// An account gathers the parts of a difference.
type account struct {
	parts    map[WallClockPart]time.Duration
	told     map[string]time.Duration // what these tell of each step, by its key
	untold   map[string]bool          // steps of which nothing can be told
	small    []WallClockPart          // differences that are worth no mention
	minDelta time.Duration
}

func (acc *account) add(cause Cause, step string, d time.Duration) {
	acc.parts[WallClockPart{Cause: cause, Step: step}] += d
}

func (acc *account) addStep(key string, own time.Duration) {
	if own.Abs() >= acc.minDelta {
		acc.add(CauseStep, key, own)
	} else {
		acc.small = append(acc.small, WallClockPart{CauseOther, key, timeline.Seconds(own)})
	}
}

// nameLargest adds the small differences to the parts, together, but for as many of the
// largest as it takes for these not to be the largest part: many steps that are a little
// slower are named before they are most of the account.
func (acc *account) nameLargest() {
	parts, small := acc.parts, acc.small
	const least = time.Millisecond
	slices.SortFunc(small, func(x, y WallClockPart) int {
		return cmp.Or(cmp.Compare(y.Seconds.D().Abs(), x.Seconds.D().Abs()), cmp.Compare(x.Step, y.Step))
	})
	var other, largest time.Duration
	for _, p := range small {
		other += p.Seconds.D()
	}
	for _, d := range parts {
		largest = max(largest, d.Abs())
	}
	for _, p := range small {
		d := p.Seconds.D()
		if other.Abs() >= least && other.Abs() >= largest && (d > 0) == (other > 0) {
			other -= d
			parts[WallClockPart{Cause: CauseStep, Step: p.Step}] += d
			largest = max(largest, d.Abs())
		}
	}
	parts[WallClockPart{Cause: CauseOther}] += other
}

// durations are those of the baseline's builds, as they would be at the levels that the
// steps on the critical path are judged by: of a step whose level shifted, the builds
// before that took so much more or less. 0 is not known.
func (a *arranged) durations(steps []StepResult) (usual []time.Duration) {
	for b := range a.base {
		d := a.base[b].Duration
		for i := range a.series {
			if by, shifted := a.shiftOf(i, &steps[i], b); shifted && d > 0 {
				d = max(0, d+by)
			}
		}
		usual = append(usual, d)
	}
	return usual
}

// shiftOf is by how much the level of step i has shifted since build b of the baseline,
// or of one that is behind, until that, if it has and the step is on the critical path.
func (a *arranged) shiftOf(i int, r *StepResult, b int) (by time.Duration, shifted bool) {
	s := &a.series[i]
	if !r.Critical || s.step.IsPart() || s.cut == 0 || s.cut > len(s.ages) || (b <= int(s.ages[s.cut-1])) != s.behind {
		return 0, false
	}
	return r.Usual.D() - s.before, true
}

// A stepCost is what a step took beyond what is usual, and whose that is.
type stepCost struct {
	series               *series
	result               *StepResult
	usual, byRunner, own time.Duration
	reached              int // baseline builds that reached it, or for a part, its whole
}

// costs splits what the steps took, and tells by index which are parts of steps that learn
// anew.
func (a *arranged) costs(build *timeline.Build, g *timeline.Graph, steps []StepResult, loads map[int]int, factor float64, t Thresholds) (costs []stepCost, learning map[int]bool) {
	learning = map[int]bool{}
	costs = make([]stepCost, len(a.series))
	for i := range a.series {
		costs[i] = a.cost(build, i, steps, loads, factor, t)
		if s := costs[i].series; s.learns && len(s.samples) == 0 {
			for _, part := range g.Parts[i] {
				learning[part] = true
			}
		}
	}
	for i := range a.series {
		a.leaveParts(build, costs, i, g.Parts[i], factor, t)
	}
	return costs, learning
}

// leaveParts leaves of the cost of a step, which has parts that are steps as well, what is
// none of theirs. What it usually took besides them is found build by build: a base image
// is pulled in a few builds, and found in all others.
func (a *arranged) leaveParts(build *timeline.Build, costs []stepCost, whole int, parts []int, factor float64, t Thresholds) {
	parts = slices.DeleteFunc(slices.Clone(parts), func(part int) bool { return a.within[part] })
	if len(parts) == 0 {
		return
	}
	c := &costs[whole]
	s := c.series
	inParts := map[int32]time.Duration{} // by the age of the build
	own := s.step.TimeWithin(build)
	for _, part := range parts {
		p := &costs[part]
		p.reached = max(s.reached, len(s.samples))
		own -= p.series.step.TimeWithin(build)
		for k, d := range p.series.samples {
			inParts[p.series.ages[k]] += d
		}
	}
	var besides []time.Duration
	n := min(len(s.samples), t.Window)
	first := 0
	switch {
	case s.behind:
		first = min(n, s.cut)
	case s.cut > 0:
		n = min(n, s.cut)
	}
	for k := first; k < n; k++ {
		besides = append(besides, s.samples[k]-inParts[s.ages[k]])
	}
	c.usual = max(0, durationMedian(besides))
	c.byRunner = bounded(float64(c.usual) * (factor - 1))
	c.own = own - c.usual - c.byRunner
}

// cost splits what step i took, or the loading of it, as far as it was within the build.
func (a *arranged) cost(build *timeline.Build, i int, steps []StepResult, loads map[int]int, factor float64, t Thresholds) stepCost {
	c := stepCost{series: &a.series[i], result: &steps[i]}
	if load := a.loads[i]; load != nil {
		c.series = load
		if at, judged := loads[i]; judged {
			c.result = &steps[at]
		}
	}
	c.usual = c.result.Usual.D() // of the level that it was judged by
	if len(c.result.History) == 0 || c.result.Status == StatusUnjudged && c.result.Reason.Kind != KindToldOnce {
		c.usual = durationMedian(c.series.newest(t.Window))
	}
	if !c.series.step.IsQueue() { // nothing of the machine is in it
		c.byRunner = bounded(float64(c.usual) * (factor - 1))
	}
	c.own = c.series.step.TimeWithin(build) - c.usual - c.byRunner
	c.reached = c.series.reached
	return c
}

// sumParts makes the account of its parts, with what they leave unexplained of the
// difference to what builds usually take.
func sumParts(build *timeline.Build, usual []time.Duration, parts map[WallClockPart]time.Duration) WallClock {
	w := WallClock{Parts: []WallClockPart{}}
	if len(usual) == 0 || build.Duration == 0 {
		return w
	}
	w.Usual = timeline.Seconds(durationMedian(usual))
	w.Delta = timeline.Seconds(build.Duration) - w.Usual
	rest := w.Delta
	for p, d := range parts {
		if d != 0 {
			p.Seconds = timeline.Seconds(d)
			w.Parts = append(w.Parts, p)
			rest -= p.Seconds
		}
	}
	slices.SortFunc(w.Parts, func(x, y WallClockPart) int {
		return cmp.Or(-cmp.Compare(x.Seconds.D().Abs(), y.Seconds.D().Abs()), cmp.Compare(x.Cause, y.Cause), cmp.Compare(x.Step, y.Step))
	})
	w.Parts = append(w.Parts, WallClockPart{Cause: CauseRest, Seconds: rest})
	return w
}
