package timeline

import (
	"cmp"
	"slices"
)

// A PathPart is what one step, or the time before it, adds to the critical path.
type PathPart struct {
	Step    int     `json:"step"` // index in Steps; -1 for what is between steps, or behind the last
	Seconds Seconds `json:"seconds"`
	Share   float64 `json:"share"` // of the build's duration, in [0,1]
	// Saves is by how much the build would be shorter if the step took no time, which is
	// less than Seconds where other steps ran beside it; absent of parts of less than 1 %.
	Saves Seconds `json:"saves_seconds,omitempty"`
}

// PathParts lays a critical path of the build out in time. The parts sum to its duration;
// there are none if it has none, or no path.
func (g *Graph) PathParts(path []int, build *Build) (parts []PathPart) {
	path = slices.DeleteFunc(slices.Clone(path), func(i int) bool { return g.Steps[i].IsPart() })
	whole := Seconds(max(build.Duration, 0))
	if len(path) == 0 || whole == 0 {
		return nil
	}
	start := func(i int) Seconds {
		return Seconds(max(-g.Steps[i].Duration, g.Steps[i].Start.Sub(build.Start)))
	}
	slices.SortStableFunc(path, func(a, b int) int { return cmp.Or(cmp.Compare(start(a), start(b)), cmp.Compare(a, b)) })
	at := Seconds(0)
	add := func(step int, until Seconds) {
		if until = min(until, whole); until > at {
			parts = append(parts, PathPart{Step: step, Seconds: until - at, Share: float64(until-at) / float64(whole)})
			at = until
		}
	}
	for _, i := range path {
		add(-1, start(i))
		add(i, start(i)+Seconds(max(g.Steps[i].Duration, 0)))
	}
	add(-1, whole)
	return parts
}

// OnPath is what each step of a build adds to its critical path.
func OnPath(b *Build) []Seconds {
	parts := make([]Seconds, len(b.Steps))
	g := NewGraph(b)
	for _, p := range g.PathParts(g.CriticalPath(), b) {
		if p.Step >= 0 {
			parts[p.Step] += p.Seconds
		}
	}
	return parts
}
