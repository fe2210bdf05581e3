package detect

import "github.com/buildregress/buildregress/detect/timeline"

// A step and its parts tell of one cause: a base image that is pulled slower makes both the
// pull and the FROM around it slower. It is told once, of the part where that shows it as
// well, and the other is left unjudged for that reason.

// tellOnce leaves one finding of each step and its parts, and tells by index which parts
// are told of the step around them.
func (r *Result) tellOnce(g *timeline.Graph) (within map[int]bool) {
	within = map[int]bool{}
	for i, parts := range g.Parts {
		whole := &r.Steps[i]
		var alike []int // parts that changed in the same direction
		var change timeline.Seconds
		strongest := -1
		for _, at := range parts {
			if part := &r.Steps[at]; finds(part.Status) != 0 && finds(part.Status)*finds(whole.Status) > 0 {
				alike = append(alike, at)
				change += part.Delta
				if strongest < 0 || part.Status.outranks(&r.Steps[strongest], part.Delta) {
					strongest = at
				}
			}
		}
		switch {
		case strongest < 0 || 2*change.D().Abs() < whole.Delta.D().Abs(): // most of it is its own
		case r.Steps[strongest].Status == whole.Status || r.Steps[strongest].Status == StatusSlower:
			whole.Status, whole.Reason = StatusUnjudged, Note{KindToldOnce, "told of `" + r.Steps[strongest].Name + "`, which is a part of it"}
		default: // the whole proves what the part does not
			for _, at := range alike {
				within[at] = true
				r.Steps[at].Status, r.Steps[at].Reason = StatusUnjudged, Note{KindToldOnce, "told of `" + whole.Name + "`, of which it is a part"}
			}
		}
	}
	return within
}

// finds is the direction of a finding: 1 of slower, -1 of faster, 0 of none.
func finds(s Status) int {
	switch s {
	case StatusSlower, StatusSuspect:
		return 1
	case StatusFaster:
		return -1
	}
	return 0
}

// outranks tells whether a finding of this status and change says more than another.
func (s Status) outranks(other *StepResult, change timeline.Seconds) bool {
	if s != other.Status {
		return s == StatusSlower
	}
	return change.D().Abs() > other.Delta.D().Abs()
}
