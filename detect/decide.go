package detect

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect/level"
	"github.com/buildregress/buildregress/detect/parallel"
)

// The steps of a build are decided together: each has a test of its own, but how many are
// tested counts (Benjamini and Hochberg), and what a history cannot say of rare values is
// borrowed from the others. Steps that are too short for a change of them to be reported are not tested.

// A Trial is one step put to the test: its history, and its durations in the
// newest builds of the branch under judgement. Nothing else about a step is
// known to Decide, so that it can be measured on series of any origin. No count in it
// is below 0.
type Trial struct {
	// History holds the executed samples of the baseline, newest first.
	History []time.Duration
	// New holds the branch's builds in which the step ran, oldest first; the last
	// is the build to be judged. At most MaxEvidence of them are looked at.
	New []time.Duration
	// Runners holds what the other steps of each build of New say of its machine, as
	// many as New; none where that could not be estimated. Their Step is empty.
	Runners []RunnerReading
	// Recent of the newest samples of History are among New as well: on the base
	// branch the newest builds are under judgement themselves, not the level.
	Recent int
	// Newer of the newest samples of History came after the branch of New began, and
	// it may not have what they have; -1 where New is of the base branch itself.
	Newer int
	// Tail is what is remembered of the values older than History.
	Tail level.Tail
	// Kind is shared by steps that do the same elsewhere: the same instruction or job in
	// another stage, platform or entry of a matrix. They borrow from each other what is
	// usual of rare values. "" is shared by none.
	Kind string
	// Resolution is the coarsest clock of the values; 0 is a fine one.
	Resolution time.Duration
	// Accepted is how many of the newest samples of History are of a level that was
	// accepted on purpose; 0 if none was.
	Accepted int
	// Thresholds are those of this step, nil for those of the build.
	Thresholds *Thresholds
	// Foreign tells that builds of other branches fill the history up: they are
	// not what the step is compared with, so it is suspect at most.
	Foreign bool
}

// A Decision is what became of a Trial.
type Decision struct {
	Status     Status
	Reason     Note // where unjudged
	P, Q       float64
	Evidence   Evidence
	Reportable bool // the slowdown is large enough to be reported, if it is believed
	// Conditions are what was asked for; none where unjudged.
	Conditions []Condition

	Usual, Low, High time.Duration
	Expected         time.Duration // Usual on this runner
	Modes            []Mode
	Cut              int           // newest samples, since the level shifted; 0 if it never did
	Before           time.Duration // the usual time before it shifted
	Behind           bool          // it takes what it took before that: Usual is that of then, and Before that of since
	MinDetectable    float64       // 0 if none up to maxDetectable
	MinDetectable3   float64
}

// A step is slower with an error of at most SlowerP, and suspect with at most
// SuspectP, each by itself.
const (
	SlowerP  = 0.0015
	SuspectP = 0.004
)

const (
	// MaxEvidence is how many builds of a branch count, the newest included.
	MaxEvidence = level.MinLength
	// maxDetectable is the largest slowdown that MinDetectable looks for.
	maxDetectable = 20.0
)

// Decide judges all steps of one build together. It is deterministic, and the
// order of the trials does not matter. Only times relative to t.MinDelta and the
// resolution matter, not the unit. Zero thresholds are DefaultThresholds.
func Decide(trials []Trial, t Thresholds) []Decision {
	return newBatch(trials, t.OrDefaults()).decide()
}

// A batch is the tests of all trials of one build.
type batch struct {
	t         Thresholds
	tests     []*stepTest // nil where it is decided that there is nothing to judge
	decisions []Decision
}

// newBatch finds the levels that trials are judged against. Their Runners may come
// later.
func newBatch(trials []Trial, t Thresholds) *batch {
	b := &batch{t: t, tests: make([]*stepTest, len(trials)), decisions: make([]Decision, len(trials))}
	parallel.For(len(trials), parallel.Enough, func(i int) {
		trial, t := &trials[i], t
		if trial.Thresholds != nil {
			t = trial.Thresholds.OrDefaults()
		}
		if reason := unfit(trial, t); reason != (Note{}) {
			b.decisions[i] = Decision{Status: StatusUnjudged, Reason: reason, P: 1, Q: 1}
			return
		}
		sorted := slices.Clone(trial.History[:min(len(trial.History), t.Window)])
		slices.Sort(sorted)
		if long := longEnough(trial, sorted, t); !long.Met {
			b.decisions[i] = tooShort(trial, sorted, t, long)
			return
		}
		b.tests[i] = newStepTest(trial, sorted, t)
	})
	return b
}

// decide weighs the new values.
func (b *batch) decide() []Decision {
	var family []*stepTest
	for _, test := range b.tests {
		if test != nil {
			family = append(family, test)
		}
	}
	newPools(family)
	limit := math.Min(SlowerP, b.t.FDR/float64(max(len(family), 1)))
	parallel.For(len(family), parallel.Enough, func(i int) { family[i].weigh(limit) })
	benjaminiHochberg(family)
	const most = 9 // conditions of a step, usually
	room := make([]Condition, 0, most*len(family))
	for i, test := range b.tests {
		if test != nil {
			b.decisions[i] = test.decide(limit, room)
			taken := min(len(b.decisions[i].Conditions), cap(room))
			room = room[taken:taken]
		}
	}
	return b.decisions
}

// unfit says why a trial cannot be judged, or nothing.
func unfit(trial *Trial, t Thresholds) Note {
	switch {
	case len(trial.New) == 0:
		return Note{KindNotRun, "did not run"}
	case len(trial.History) == 0:
		return Note{KindNoHistory, "no history"}
	case len(trial.History) < t.MinHistory:
		return Note{KindTooLittleHistory, fmt.Sprintf("too few builds: %d of %d", len(trial.History), t.MinHistory)}
	}
	return Note{}
}

// longEnough asks whether the step is long enough for a change of it to be reported.
// Only such steps are tested, and only they count when errors are added up.
func longEnough(trial *Trial, sorted []time.Duration, t Thresholds) Condition {
	took := max(trial.New[len(trial.New)-1], durationMiddle(sorted))
	return Condition{KindLongEnough, took.Seconds(), t.MinDelta.D().Seconds(), took >= t.MinDelta.D()}
}

// tooShort is the decision on a step that is not long enough, by its sorted history.
func tooShort(trial *Trial, sorted []time.Duration, t Thresholds, tooShort Condition) Decision {
	d := Decision{Status: StatusSame, P: 1, Q: 1}
	d.Usual, d.Low, d.High = rangeOf(sorted)
	d.Expected = d.Usual
	now := trial.New[len(trial.New)-1]
	absolute, relative := sizeOf(float64((now - d.Usual).Abs()), float64(min(now, d.Usual)), t)
	d.Conditions = []Condition{tooShort, absolute, relative}
	return d
}

// rangeOf returns the median of ascending durations and the range in which 90 % of
// them lie.
func rangeOf(sorted []time.Duration) (usual, low, high time.Duration) {
	tail := int(0.05 * float64(len(sorted)))
	return durationMiddle(sorted), sorted[tail], sorted[len(sorted)-1-tail]
}

// durationMedian is the median of durations in any order, 0 of none.
func durationMedian(values []time.Duration) time.Duration {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	return durationMiddle(sorted)
}

// durationMiddle is the median of ascending durations, 0 of none.
func durationMiddle(sorted []time.Duration) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	a, b := sorted[(len(sorted)-1)/2], sorted[len(sorted)/2]
	return a + (b-a)/2
}
