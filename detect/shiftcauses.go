package detect

import "github.com/buildregress/buildregress/detect/timeline"

// Why a level changed for good, faster or slower: what differs between the last build at the
// level before and the first at the new one, by the same rules by which a slower step is
// explained.

// ExplainShift finds the causes of a change by delta of the level of a step, given by its key,
// between the last two of these builds, oldest first: those before tell what the level was. was
// is the name that the step had then, "" for none of its own. changed tells which files the
// last build changed, and may be nil.
func ExplainShift(oldest []timeline.Build, key, was string, delta timeline.Seconds, changed func(*timeline.Build) Changed) []Explanation {
	good, bad := len(oldest)-2, len(oldest)-1
	before, after := &oldest[good], &oldest[bad]
	now := stepIn(after, &timeline.Step{Key: key}, "")
	if now == nil || before.Facts == nil || after.Facts == nil {
		return nil
	}
	then := stepIn(before, now, was)
	if then == nil {
		return nil
	}
	e := explainer{result: &Result{}, build: after, changed: func(string, string) ([]string, bool) { return nil, false }}
	if changed != nil {
		e.changed = changed(after)
	}
	for i := good; i >= 0 && len(e.older) < MaxLookedBack; i-- {
		e.older = append(e.older, oldest[i])
	}
	r := &StepResult{Delta: delta, Was: was}
	var m measurement
	if r.Delta > 0 {
		m = e.measured(now, r)
	}
	if timeline.OtherMachine(before.Machine, after.Machine) {
		x := Explanation{Kind: KindOtherMachine, Certainty: Is, Before: timeline.Hardware(before.Machine.CPUs, before.Machine.Memory), After: timeline.Hardware(after.Machine.CPUs, after.Machine.Memory)}
		x.Text = "it ran on another machine since, with " + x.After + "; before on " + x.Before
		m.machine = append(m.machine, x)
	}
	d := e.differences(before, after, then, now)
	return m.rank(&d)
}
