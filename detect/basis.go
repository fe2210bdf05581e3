package detect

import (
	"slices"

	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/level"
	"github.com/buildregress/buildregress/detect/timeline"
)

// A result holds all that it follows from. Of each step that was put to the test it keeps
// the samples, the new values and the runner's factors, and from these alone Recompute
// judges the build again: whoever doubts a verdict, or changes the method, needs no store.

// A Basis is what a step was judged by beside its History: with it, all that Decide
// made of the step can be recomputed, see Recompute.
type Basis struct {
	// Values are what it took in the builds of the branch in which it ran, oldest first;
	// the last is Current. With each of them goes the factor by which the machine was
	// slower there, as the other steps tell.
	Values []struct {
		Point
		RunnerLn float64 `json:"runner_ln"` // natural logarithm of that factor, 0 if it is not known
		RunnerSD float64 `json:"runner_sd"` // its uncertainty for this step
	} `json:"values"`
	Newer  int      `json:"newer"`  // newest samples that came after the branch began; -1 on the base branch
	Judged []string `json:"judged"` // ids in History of builds that are under judgement themselves: they are evidence, not level
	Older  []Point  `json:"older"`  // samples that take the place of those in the window
	// Tail is what is remembered of the samples before all these: the weight of all of
	// them, in samples of the window, and those that lay far above what was usual then.
	Tail struct {
		Weight float64         `json:"weight"`
		Above  []level.TailBin `json:"above"`
	} `json:"tail"`
	Accepted   int              `json:"accepted"`
	Resolution timeline.Seconds `json:"resolution_seconds"` // of the clock of the baseline
	// MinSlowdown and MinDelta are those asked of this step.
	MinSlowdown float64          `json:"min_slowdown"`
	MinDelta    timeline.Seconds `json:"min_delta_seconds"`
}

// basisOf describes a trial of s. judged are the builds of the baseline that are
// among those of the branch.
func basisOf(trial *Trial, s *series, branch, judged []*timeline.Build, t Thresholds) *Basis {
	if trial.Thresholds != nil {
		t = *trial.Thresholds
	}
	b := &Basis{
		Newer: trial.Newer, Judged: []string{}, Older: []Point{}, Accepted: trial.Accepted,
		Resolution: timeline.Seconds(trial.Resolution), MinSlowdown: t.MinSlowdown, MinDelta: t.MinDelta,
	}
	b.Tail.Weight, b.Tail.Above = trial.Tail.Weight, append([]level.TailBin{}, trial.Tail.Bins()...)
	for i, build := range branch {
		if s.ran[i] {
			n := len(b.Values)
			runner := trial.runner(n)
			b.Values = slices.Grow(b.Values, 1)[:n+1]
			v := &b.Values[n]
			v.Point, v.RunnerLn, v.RunnerSD = Point{build.ID, timeline.Seconds(s.values[i])}, runner.Ln, runner.SD
		}
	}
	for _, build := range judged {
		b.Judged = append(b.Judged, build.ID)
	}
	for k := min(len(s.samples), t.Window); k < len(trial.History); k++ {
		b.Older = append(b.Older, s.point(k))
	}
	return b
}

// point is what a result tells of sample k.
func (s *series) point(k int) Point { return Point{s.build(k).ID, timeline.Seconds(s.samples[k])} }

// trial makes of a step's result the trial that it came from.
func (s *StepResult) trial(foreign bool, t Thresholds) Trial {
	b := s.Basis
	t.MinSlowdown, t.MinDelta = b.MinSlowdown, b.MinDelta
	trial := Trial{
		Newer: b.Newer, Recent: len(b.Judged), Resolution: b.Resolution.D(), Accepted: b.Accepted, Foreign: foreign, Thresholds: &t,
		Kind: dockerfile.Kind(s.Key), Tail: level.NewTail(b.Tail.Weight, b.Tail.Above),
	}
	points := slices.Concat(s.History, b.Older)
	isJudged := func(p Point) bool { return slices.Contains(b.Judged, p.ID) }
	for _, first := range []bool{true, false} {
		for _, p := range points {
			if isJudged(p) == first {
				trial.History = append(trial.History, p.Seconds.D())
			}
		}
	}
	for _, v := range b.Values {
		trial.New = append(trial.New, v.Seconds.D())
		trial.Runners = append(trial.Runners, RunnerReading{Ln: v.RunnerLn, SD: v.RunnerSD})
	}
	return trial
}

// Recompute judges the steps of a result again, from nothing but what the result
// tells. The decisions are by the places of the steps that were tried.
func Recompute(r *Result) map[int]Decision {
	var trials []Trial
	var places []int
	for i := range r.Steps {
		if r.Steps[i].Basis != nil {
			trials, places = append(trials, r.Steps[i].trial(r.Baseline.Filled > 0, r.Thresholds)), append(places, i)
		}
	}
	out := map[int]Decision{}
	for k, d := range Decide(trials, r.Thresholds) {
		out[places[k]] = d
	}
	return out
}

// readBy adds to a factor what it was made of.
func (f *RunnerFactor) readBy(g *gauge, m *mood, a *arranged) *RunnerFactor {
	if f == nil {
		return nil
	}
	f.Baseline, f.BaselineSD = append([]float64{}, g.logs...), g.error
	for _, r := range m.readings {
		f.Readings = append(f.Readings, RunnerReading{a.series[r.at].step.Key, r.log, r.sd})
	}
	return f
}
