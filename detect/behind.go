package detect

import (
	"slices"
	"time"
)

// A branch may have begun before its base branch changed its level: then it is compared with
// the level of its time.

// isBehind tells whether a branch is on the level that the base branch has left since: it
// began before that, or may have, and is neither slower nor faster than the level of its
// time. Where it is not known when it began, that is believed of what is faster alone.
func (st *stepTest) isBehind(s Status) bool {
	if st.trial.Newer < 0 || len(st.older) == 0 || s == StatusSame || s != StatusFaster && st.shift.Since > st.trial.Newer {
		return false
	}
	run := st.slower.run
	if s == StatusFaster {
		run = st.faster.run
	}
	usual, low, high := rangeOf(slices.Sorted(slices.Values(st.older)))
	margin := max(st.t.MinDelta.D(), time.Duration(st.t.MinSlowdown*float64(usual)))
	for _, v := range st.trial.New[len(st.trial.New)-run:] {
		if v < low-margin || v > high+margin {
			return false
		}
	}
	return true
}

// fallBehind compares a step with the level before the shift, where it is the same.
func (st *stepTest) fallBehind(d *Decision, newest time.Duration) {
	d.Status, d.Behind, d.Before = StatusSame, true, d.Usual
	d.Usual, d.Low, d.High = rangeOf(slices.Sorted(slices.Values(st.older)))
	risen := float64(d.Before) / float64(d.Usual)
	d.Expected = bounded(float64(d.Expected) / risen)
	for _, detectable := range []*float64{&d.MinDetectable, &d.MinDetectable3} {
		switch *detectable *= risen; {
		case *detectable > maxDetectable:
			*detectable = 0
		case *detectable > 0:
			*detectable = max(*detectable, 1+st.t.MinSlowdown)
		}
	}
	d.Conditions = append(d.Conditions[:0], Condition{KindEarlierLevel, float64(newest) / float64(d.Usual), 1 + st.t.MinSlowdown, true})
}
