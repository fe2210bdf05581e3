package detect

import (
	"fmt"
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/parallel"
	"github.com/buildregress/buildregress/detect/timeline"
)

// The steps of a build are judged together. Each that ran is put to the test, and so is
// the load of each cached layer that takes long enough to matter. What the policy or
// equal steps keep from it gets its reason here; of the others a trial is made, and what
// becomes of it goes into the result.

// A trialSet is what is put to the test of one build.
type trialSet struct {
	a          *arranged
	policy     *Policy
	result     *Result
	foreign    bool // builds of other branches fill the history up
	resolution time.Duration
	builders   []trialBuilder // of trials, in their order
	trials     []Trial
	loads      map[int]int // indices in result.Steps of loads, by those of their steps
}

// judgeSteps decides all steps that ran, and the loads of cached layers, whose indices
// it returns by those of their steps. The gauge is that of the machine.
func judgeSteps(a *arranged, foreign bool, p *Policy, r *Result) (g *gauge, loads map[int]int) {
	set := trialSet{
		a: a, policy: p, result: r, foreign: foreign, resolution: resolutionOf(a),
		builders: make([]trialBuilder, 0, len(a.series)), trials: make([]Trial, 0, len(a.series)), loads: map[int]int{},
	}
	build := a.branch[len(a.branch)-1]
	for i := range a.series {
		s := &a.series[i]
		r.Steps[i].Status, r.Steps[i].Reason = statusOfState(s)
		if s.step.State == timeline.Executed && r.Steps[i].Status != StatusNew {
			set.add(s, i, i)
		}
		load := a.loads[i]
		if load != nil && max(load.step.Duration, durationMedian(load.newest(p.Window))) >= p.MinDelta.D() {
			r.Steps = append(r.Steps, newStepResult(load, build))
			set.loads[i] = len(r.Steps) - 1
			set.add(load, i, set.loads[i])
		}
	}
	return set.decide(), set.loads
}

// add puts a step to the test, unless something keeps it from being judged. at is the
// index of the step whose machine counts, and result that of its result.
func (set *trialSet) add(s *series, at, result int) {
	step, policy := &set.result.Steps[result], set.policy.forStep(s.step.Key)
	unjudged := func(reason Note) { step.Status, step.Reason = StatusUnjudged, reason }
	if policy.ignore != "" {
		unjudged(Note{KindIgnored, "ignored: " + policy.ignore})
		return
	}
	if s.step.IsQueue() {
		step.setQueue(s, set.policy.Thresholds)
		return
	}
	if s.ambiguous {
		unjudged(Note{KindEqualSteps, "of several equal steps some came or went: which of them it is cannot be told"})
		return
	}
	if note := set.a.learning(s, set.policy.Thresholds); note != (Note{}) {
		if len(s.samples) == 0 {
			unjudged(note)
			return
		}
		step.Notes = append(step.Notes, note)
	}
	trial := Trial{Resolution: set.resolution, Foreign: set.foreign, Kind: dockerfile.Kind(s.step.Key), Tail: s.tail}
	if level := set.a.acceptedLevel(s, policy.accept); level != nil {
		step.Notes = append(step.Notes, level.note())
		if level.samples == 0 {
			unjudged(level.note())
			return
		}
		trial.Accepted = level.samples
		s.dropEvidence(set.a.branch, level.begin)
	}
	if policy.Thresholds != set.policy.Thresholds {
		own := policy.Thresholds
		trial.Thresholds = &own
		step.Notes = append(step.Notes, Note{KindOwnThresholds, fmt.Sprintf("by a rule of its own: at least %s and %.3g %%", policy.MinDelta, 100*policy.MinSlowdown)})
	}
	if s.step.IsWait() && trial.Thresholds == nil {
		// Short ones are uneven, and each more that is tested takes from what others show.
		own := policy.Thresholds
		own.MinDelta = max(own.MinDelta, DefaultThresholds.MinDelta)
		trial.Thresholds = &own
	}
	set.builders = append(set.builders, trialBuilder{series: s, at: at, result: result})
	set.trials = append(set.trials, trial)
}

// decide judges the trials and puts what becomes of them into the result.
func (set *trialSet) decide() (g *gauge) {
	a, t := set.a, set.policy.Thresholds
	for k := range set.builders {
		set.builders[k].addValues(&set.trials[k], a, t)
	}
	// How the machine was and what the steps' levels are do not depend on each other.
	var tests *batch
	parallel.Do(
		func() {
			g = newGauge(a, set.resolution, t)
			for k := range set.builders {
				set.builders[k].addRunners(&set.trials[k], g)
			}
		},
		func() { tests = newBatch(set.trials, t) },
		func() {
			for k := range set.builders {
				set.result.Steps[set.builders[k].result].setHistory(set.builders[k].series, t)
			}
		},
	)
	decisions := tests.decide()
	for k := range set.builders {
		b := &set.builders[k]
		step := &set.result.Steps[b.result]
		step.Basis = basisOf(&set.trials[k], b.series, a.branch, b.recent, t)
		step.setDecision(b.series, &decisions[k], a.branch)
	}
	return g
}

// A trialBuilder makes a trial of a step.
type trialBuilder struct {
	series *series
	at     int               // index of the step whose machine counts
	result int               // index of its result
	recent []*timeline.Build // evidence that is in the baseline as well
}

// addValues adds history and new values to the trial.
func (b *trialBuilder) addValues(trial *Trial, a *arranged, t Thresholds) {
	s := b.series
	for i := range s.ran {
		if s.ran[i] {
			if a.inBase(a.branch[i]) {
				b.recent = append(b.recent, a.branch[i])
			}
			trial.New = append(trial.New, s.values[i])
		}
	}
	trial.Newer = a.newerThanBranch(s)
	trial.Recent = len(b.recent)
	trial.History = s.newestAfter(b.recent, t.Window+trial.Recent)
}

// addRunners adds to the trial what the machine was like.
func (b *trialBuilder) addRunners(trial *Trial, g *gauge) {
	for i, ran := range b.series.ran {
		if ran {
			trial.Runners = append(trial.Runners, g.forStep(&g.branch[i], b.at))
		}
	}
}

// resolutionOf is what the clock of the baseline usually counts in. What one build
// says of its own is not believed: it could make itself unjudgeable.
func resolutionOf(a *arranged) time.Duration {
	var all []time.Duration
	for b := range a.base {
		all = append(all, a.base[b].Resolution)
	}
	return durationMedian(all)
}

// setDecision puts a decision into words and numbers.
func (step *StepResult) setDecision(s *series, d *Decision, branch []*timeline.Build) {
	step.Status, step.Reason = d.Status, d.Reason
	step.Usual, step.Low, step.High, step.Expected = timeline.Seconds(d.Usual), timeline.Seconds(d.Low), timeline.Seconds(d.High), timeline.Seconds(d.Expected)
	step.P, step.Q, step.Evidence = d.P, d.Q, d.Evidence
	step.MinDetectable, step.MinDetectable3 = d.MinDetectable, d.MinDetectable3
	step.Modes, step.Conditions = append(step.Modes, d.Modes...), d.Conditions
	if d.Usual > 0 {
		step.Ratio = float64(step.Current) / float64(d.Usual)
	}
	if d.Status != StatusUnjudged {
		step.Delta = step.Current - step.Usual
	}
	if d.Evidence.Builds > 1 {
		step.Evidence.Since = s.revisionOf(d.Evidence.Builds, branch)
	}
	if d.Cut > 0 {
		s.cut, s.before, s.behind = d.Cut, d.Before, d.Behind
		step.Cut = s.build(d.Cut - 1).Revision
		since := nameOfRevision(s.build(d.Cut - 1))
		note := Note{KindLevelShift, fmt.Sprintf("level shifted since %s: %s → %s", since, timeline.Seconds(d.Before), timeline.Seconds(d.Usual))}
		if d.Behind {
			note = Note{KindEarlierLevel, fmt.Sprintf("as usual before %s: the base branch has moved since the branch left it, %s → %s", since, timeline.Seconds(d.Usual), timeline.Seconds(d.Before))}
		}
		step.Notes = append(step.Notes, note)
	}
}

// setHistory tells of the history that the step is compared with.
func (step *StepResult) setHistory(s *series, t Thresholds) {
	step.N = min(len(s.samples), t.Window)
	step.History = make([]Point, step.N)
	for k := range step.History {
		step.History[k] = s.point(k)
	}
}

// revisionOf returns the revision of the build with which the newest n values of
// the branch begin.
func (s *series) revisionOf(n int, branch []*timeline.Build) string {
	for b, build := range slices.Backward(branch) {
		if s.ran[b] {
			if n--; n == 0 {
				return build.Revision
			}
		}
	}
	return ""
}

// nameOfRevision is what people can find a build by.
func nameOfRevision(b *timeline.Build) string {
	const short = 10
	if b.Revision == "" {
		return b.Start.UTC().Format("2006-01-02 15:04")
	}
	return b.Revision[:min(len(b.Revision), short)]
}
