package detect

import (
	"cmp"
	"math"
	"slices"
	"time"
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
func accountFor(build *Build, a *arranged, g *graph, steps []StepResult, loads map[int]int, chains []lossChain, runner *mood, t Thresholds) WallClock {
	lostAt := map[int]string{} // index of a step to the key of the first of its chain
	for _, c := range chains {
		for _, at := range append(c.downstream, c.root) {
			lostAt[at] = a.series[c.root].step.Key
		}
	}
	factor := 1.0
	if runner.known {
		factor = math.Exp(runner.log)
	}
	parts := map[WallClockPart]time.Duration{}
	add := func(cause Cause, step string, d time.Duration) {
		parts[WallClockPart{Cause: cause, Step: step}] += d
	}
	addStep := func(key string, own time.Duration) {
		if own.Abs() >= t.MinDelta.D() {
			add(CauseStep, key, own)
		} else {
			add(CauseOther, "", own)
		}
	}
	groups := map[equalGroup]time.Duration{}
	for i := range a.series {
		// Of a step without times nobody knows when it ran: it counts.
		if !steps[i].Critical && !g.steps[i].Start.IsZero() {
			continue
		}
		s, r := &a.series[i], &steps[i]
		if load := a.loads[i]; load != nil {
			s = load
			if at, judged := loads[i]; judged {
				r = &steps[at]
			}
		}
		if s.ambiguous {
			groups[s.group] += s.step.Duration
			continue
		}
		if s.learns && len(s.samples) == 0 {
			continue // what it took before is in what is usual, and nobody knows how much it was
		}
		took, usual := s.step.Duration, r.Usual.D() // of the level that it was judged by
		if len(r.History) == 0 || r.Status == StatusUnjudged {
			usual = durationMedian(s.newest(t.Window))
		}
		byRunner := bounded(float64(usual) * (factor - 1))
		own := took - usual - byRunner
		add(CauseRunner, "", byRunner)
		// What ran in fewer than half of the builds is no part of a usual one: that
		// it ran is a cost of its own.
		if root, lost := lostAt[i]; lost {
			if len(s.samples) == 0 {
				usual, own = took, 0
			}
			add(CauseCacheLoss, root, usual)
		} else if 2*len(s.samples) < s.reached {
			add(CauseStep, s.step.Key, usual)
		}
		r.WallClockSeconds = Seconds(own)
		addStep(s.step.Key, own)
	}
	for group, took := range groups {
		byRunner := bounded(float64(a.groups[group]) * (factor - 1))
		add(CauseRunner, "", byRunner)
		addStep(group.step.key, took-a.groups[group]-byRunner)
	}
	if !g.timed {
		// How the steps ran side by side is unknown: what they add up to says nothing.
		clear(parts)
	}
	return sumParts(build, a.base, parts)
}

// sumParts makes the account of its parts, with what they leave unexplained.
func sumParts(build *Build, base []Build, parts map[WallClockPart]time.Duration) WallClock {
	var usual []time.Duration
	for b := range base {
		if base[b].Duration > 0 {
			usual = append(usual, base[b].Duration)
		}
	}
	w := WallClock{Parts: []WallClockPart{}}
	if len(usual) == 0 || build.Duration == 0 {
		return w
	}
	w.Usual = Seconds(durationMedian(usual))
	w.Delta = Seconds(build.Duration) - w.Usual
	rest := w.Delta
	for p, d := range parts {
		if d != 0 {
			p.Seconds = Seconds(d)
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
