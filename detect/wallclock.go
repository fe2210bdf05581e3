package detect

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// account explains why the build took as much longer (or shorter) than usual as it
// did. It walks the critical path: each step on it contributes what it took above
// what was expected, first the runner's part of it, then its own. Differences of
// steps that are worth no mention, and what the path does not explain, are
// parts too, so that all of them sum to the whole exactly. It also sets what
// each step cost the build.
func account(build *Build, a *arranged, g *graph, steps []StepResult, cache *CacheInfo, runner *mood, t Thresholds) WallClock {
	var usual []time.Duration
	for b := range a.base {
		if a.base[b].Duration > 0 {
			usual = append(usual, a.base[b].Duration)
		}
	}
	w := WallClock{Parts: []WallClockPart{}}
	if len(usual) == 0 || build.Duration == 0 {
		return w
	}
	w.Usual = Seconds(durationMedian(usual))
	w.Delta = Seconds(build.Duration) - w.Usual

	lossOf := map[string]string{} // key of a step to the first of its chain
	for _, l := range cache.Losses {
		lossOf[l.Step] = l.Step
		for _, key := range l.Dragged {
			lossOf[key] = l.Step
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
	on := onPath(g)
	for i := range a.series {
		if !on[i] {
			continue
		}
		s, r := &a.series[i], &steps[i]
		if load := a.loads[i]; load != nil {
			s = load
			if at := slices.IndexFunc(steps, func(x StepResult) bool { return x.Key == load.step.Key }); at >= 0 {
				r = &steps[at]
			}
		}
		took := s.step.Duration
		if root, lost := lossOf[s.step.Key]; lost {
			add(CauseCacheLoss, root, took)
			r.WallClockSeconds = Seconds(took)
			continue
		}
		expected := time.Duration(0)
		// What ran in fewer than half of the builds is no part of a usual one.
		if 2*len(s.samples) >= s.reached {
			expected = durationMedian(s.durations(t.Window))
		}
		byRunner := time.Duration(float64(expected) * (factor - 1))
		own := took - expected - byRunner
		if byRunner != 0 {
			add(CauseRunner, "", byRunner)
		}
		r.WallClockSeconds = Seconds(own)
		named := r.Status == StatusSlower || r.Status == StatusSuspect || r.Status == StatusFaster ||
			r.Status == StatusNew || expected == 0
		if named && own.Abs() >= t.MinDelta.D() {
			add(CauseStep, s.step.Key, own)
		} else {
			add(CauseOther, "", own)
		}
	}
	rest := w.Delta.D()
	for p, d := range parts {
		if d != 0 {
			p.Seconds = Seconds(d)
			w.Parts = append(w.Parts, p)
			rest -= d
		}
	}
	slices.SortFunc(w.Parts, func(x, y WallClockPart) int {
		return cmp.Or(-cmp.Compare(x.Seconds.D().Abs(), y.Seconds.D().Abs()), cmp.Compare(x.Cause, y.Cause), cmp.Compare(x.Step, y.Step))
	})
	w.Parts = append(w.Parts, WallClockPart{Cause: CauseRest, Seconds: Seconds(rest)})
	return w
}

// onPath tells which steps count for the wall clock. Without times nobody knows:
// all of them do.
func onPath(g *graph) []bool {
	on := make([]bool, len(g.steps))
	if !g.timed {
		for i := range on {
			on[i] = true
		}
		return on
	}
	for _, i := range g.criticalPath() {
		on[i] = true
	}
	return on
}
