package detect

import "slices"

// Why a level changed for good, faster or slower: what differs between the last build at the
// level before and the first at the new one, by the same rules by which a slower step is
// explained.

// Explain fills in the causes of the shifts of the steps of a course, which Follow made of
// these builds. changed tells which files the build made from them changed; it is asked for a
// few pairs of revisions, and may be nil.
func (c *Course) Explain(builds []Build, changed func(*Build) Changed) {
	oldest := slices.Clone(builds)
	slices.SortStableFunc(oldest, func(a, b Build) int { return a.Start.Compare(b.Start) })
	at := make(map[string]int, len(oldest))
	for i := range oldest {
		at[oldest[i].ID] = i
	}
	for i := range c.Steps {
		for k := range c.Steps[i].Shifts {
			s := &c.Steps[i].Shifts[k]
			bad, ok := at[c.Builds[s.Build].ID]
			good, known := at[c.Builds[s.After].ID]
			if ok && known && good < bad {
				s.Causes = explainShift(oldest, good, bad, c.Steps[i].Key, s, changed)
			}
		}
	}
}

// explainShift finds the causes of a shift of a step between two builds, given by their
// indices in those of a course, oldest first.
func explainShift(oldest []Build, good, bad int, key string, s *Shift, changed func(*Build) Changed) []Explanation {
	before, after := &oldest[good], &oldest[bad]
	now := stepIn(after, &Step{Key: key}, "")
	if now == nil || before.Facts == nil || after.Facts == nil {
		return nil
	}
	was := stepIn(before, now, s.Was)
	if was == nil {
		return nil
	}
	e := explainer{result: &Result{}, build: after, changed: func(string, string) ([]string, bool) { return nil, false }}
	if changed != nil {
		e.changed = changed(after)
	}
	for i := good; i >= 0 && len(e.older) < maxLookedBack; i-- {
		e.older = append(e.older, oldest[i])
	}
	r := &StepResult{Delta: s.Delta(), Was: s.Was}
	var m measurement
	if r.Delta > 0 {
		m = e.measured(now, r)
	}
	if isOther(before.Machine, after.Machine) {
		x := Explanation{Kind: KindOtherMachine, Certainty: Is, Before: hardware(before.Machine.CPUs, before.Machine.Memory), After: hardware(after.Machine.CPUs, after.Machine.Memory)}
		x.Text = "it ran on another machine since, with " + x.After + "; before on " + x.Before
		m.machine = append(m.machine, x)
	}
	d := e.differences(before, after, was, now)
	return m.rank(&d)
}
