package detect

import (
	"math"
	"slices"
)

// What has to hold for a step to be called slower (or faster) is a list of
// conditions. The status follows from which of them are met, and the list goes into
// the result: who explains a judgement prints it, and decides nothing anew.

// A Condition is something that was asked of a step, and whether it held.
type Condition struct {
	Kind  Kind    `json:"kind"`
	Value float64 `json:"value"` // of the step, in the unit of the kind
	Limit float64 `json:"limit"` // that Value was held against, in the same unit
	Met   bool    `json:"met"`
}

// What a step is asked for, in the direction that is judged: towards slower, unless
// the step is faster, or is the same and took less than usual.
const (
	KindLongEnough Kind = "long-enough" // seconds that it took, or its median if that is longer; at least MinDelta, or it is not tested

	// The change from what is usual: in seconds, at least MinDelta; and as a share of
	// the shorter time, at least MinSlowdown. Cleared is without the runner's factor,
	// and is asked for where that is known.
	KindMinDelta           Kind = "min-delta"
	KindMinSlowdown        Kind = "min-slowdown"
	KindMinDeltaCleared    Kind = "min-delta-cleared"
	KindMinSlowdownCleared Kind = "min-slowdown-cleared"

	KindSuspectP    Kind = "suspect-p"    // p, at most SuspectP
	KindSlowerP     Kind = "slower-p"     // p, at most SlowerP
	KindFDR         Kind = "fdr"          // q, at most Thresholds.FDR
	KindOwnHistory  Kind = "own-history"  // 1 if builds of other branches fill the history up, else 0; must be 0
	KindMatureLevel Kind = "mature-level" // samples of the level that it is compared with, at least MinHistory
	KindFedStep     Kind = "fed-step"     // part of the slowdown that it waited for a processor more than usually, while it did the same work; asked where that was most of it
	KindCalmMachine Kind = "calm-machine" // share of the time in which something waited for a processor, below that of an overloaded machine; asked where it was
	KindFasterP     Kind = "faster-p"     // p of the inverse times, at most SlowerP or one step's part of the FDR
)

// What the conditions rest on; always met, with a limit of 0.
const (
	KindBuilds       Kind = "builds"        // the newest of the branch whose mean the change is of, if several
	KindEarlierLevel Kind = "earlier-level" // the value over what was usual before the level shifted
	KindSeenMode     Kind = "seen-mode"     // share of a slower mode of the history in which the value lies
)

// allMet tells whether all conditions are.
func allMet(conditions []Condition) bool {
	return !slices.ContainsFunc(conditions, func(c Condition) bool { return !c.Met })
}

// change is by how much the newest values of a run, as measured or cleared of the
// runner's factor, lie beyond what is usual in a direction, and the shorter of the two
// times, both in nanoseconds. Of several builds of a branch it is their mean that counts.
func (st *stepTest) change(values []observation, run int, direction float64) (delta, from float64) {
	mean := 0.0
	for _, o := range values[len(values)-run:] {
		mean += o.y / float64(run)
	}
	// Speed-ups are measured by what the faster of the two took, as slowdowns are.
	now, usual := st.duration(mean), st.reference(run, direction)
	return direction * float64(now-usual), float64(min(now, usual))
}

// sizeOf asks whether a change is large enough to be reported, absolutely and
// relatively. delta and from are in nanoseconds, as of change.
func sizeOf(delta, from float64, t Thresholds) (absolute, relative Condition) {
	absolute = Condition{KindMinDelta, bounded(delta).Seconds(), t.MinDelta.D().Seconds(), delta > 0 && delta >= float64(t.MinDelta)}
	relative = Condition{KindMinSlowdown, delta / math.Max(from, 1), t.MinSlowdown, delta > 0 && delta >= t.MinSlowdown*from}
	return absolute, relative
}

// reportable tells whether the change is large enough to be reported, with and without the
// runner's factor.
func (st *stepTest) reportable(l oneSided, direction float64) bool {
	for _, values := range [][]observation{st.raw, st.cleared} {
		delta, from := st.change(values, l.run, direction)
		if absolute, relative := sizeOf(delta, from, st.t); !absolute.Met || !relative.Met {
			return false
		}
	}
	return true
}

// askSize adds the conditions that reportable stands for.
func (st *stepTest) askSize(l oneSided, direction float64, list []Condition) []Condition {
	if l.run > 1 {
		list = append(list, Condition{KindBuilds, float64(l.run), 0, true})
	}
	delta, from := st.change(st.raw, l.run, direction)
	absolute, relative := sizeOf(delta, from, st.t)
	list = append(list, absolute, relative)
	if n := len(st.raw) - l.run; !slices.Equal(st.raw[n:], st.cleared[n:]) {
		delta, from := st.change(st.cleared, l.run, direction)
		absolute, relative := sizeOf(delta, from, st.t)
		absolute.Kind, relative.Kind = KindMinDeltaCleared, KindMinSlowdownCleared
		list = append(list, absolute, relative)
	}
	return list
}

// askSlower lists what makes a step a suspect, and what more makes it slower.
func (st *stepTest) askSlower(room []Condition) (suspect, slower []Condition) {
	atMost := func(kind Kind, value, limit float64) Condition {
		return Condition{kind, value, limit, value <= limit}
	}
	foreign := 0.0
	if st.trial.Foreign {
		foreign = 1
	}
	size := float64(st.levelSize())
	suspect = append(st.askSize(st.slower, 1, room), atMost(KindSuspectP, st.slower.p, SuspectP))
	return suspect, append(suspect,
		atMost(KindSlowerP, st.slower.p, SlowerP),
		atMost(KindFDR, st.q, st.t.FDR),
		atMost(KindOwnHistory, foreign, 0),
		Condition{KindMatureLevel, size, float64(st.t.MinHistory), size >= float64(st.t.MinHistory)})
}

// askFaster lists what makes a step faster; limit is that of weigh.
func (st *stepTest) askFaster(limit float64, room []Condition) []Condition {
	return append(st.askSize(st.faster, -1, room), Condition{KindFasterP, st.faster.p, limit, st.faster.p <= limit})
}

// levelSize is how many samples the level has: one that is too new proves nothing.
func (st *stepTest) levelSize() int {
	if st.shift.Since > 0 {
		return min(st.shift.Since, len(st.values))
	}
	return len(st.values)
}

// seenMode is the share of the slower mode of the history in which the newest value
// lies, 0 if it lies in none.
func (st *stepTest) seenMode() float64 {
	newest, width := st.raw[len(st.raw)-1].y, st.model.width
	for _, m := range st.modes[1:] {
		if m[0]-width <= newest && newest <= m[len(m)-1]+width {
			return float64(len(m)) / float64(len(st.values))
		}
	}
	return 0
}

// decide gives the verdict, once q is known; limit is that of weigh. The conditions
// are put into room as far as its capacity reaches.
func (st *stepTest) decide(limit float64, room []Condition) Decision {
	d := st.decision
	d.Status, d.Q = StatusSame, st.q
	suspect, slower := st.askSlower(room)
	d.Conditions = slower
	switch {
	case allMet(slower):
		d.Status = StatusSlower
	case allMet(suspect):
		d.Status = StatusSuspect
	case st.reportable(st.faster, -1) && st.faster.p <= limit:
		d.Status = StatusFaster
	}
	newest := st.trial.New[len(st.trial.New)-1]
	switch {
	case st.isBehind(d.Status):
		st.fallBehind(&d, newest)
	case d.Status == StatusFaster, d.Status == StatusSame && newest < st.usual:
		d.Conditions = st.askFaster(limit, room)
	case d.Status == StatusSame && st.seen > 0:
		d.Conditions = append(d.Conditions, Condition{KindSeenMode, st.seen, 0, true})
	}
	if d.Status == StatusFaster {
		d.Evidence = Evidence{Builds: max(st.faster.run, st.fastBuilds()), Value: -math.Log10(max(st.faster.p, leastP))}
	}
	d.Conditions = slices.Clip(d.Conditions)
	return d
}
