package detect

import (
	"slices"
	"time"
)

// Slowed returns the build as it would have been if its step number i had taken so
// many times as long: what waited for that step, by itself or through others, begins
// later by the difference, and the build ends as much later as its last step does.
// Where the source does not tell what waits for what, all that began after the step's
// end did. b itself stays as it is.
func Slowed(b *Build, i int, factor float64) Build {
	out := *b
	out.Steps = slices.Clone(b.Steps)
	slow := &out.Steps[i]
	end := slow.Start.Add(slow.Duration)
	slow.Duration = bounded(float64(slow.Duration) * factor)
	delta := slow.Duration - b.Steps[i].Duration

	g := newGraph(b)
	waited := g.waitedFor(i)
	last, ended := b.Start, b.Start // end of the last step, before and after
	for k := range out.Steps {
		s := &out.Steps[k]
		last = later(last, g.end(k))
		if k != i && !s.Start.IsZero() && !s.Start.Before(end.Add(-g.slop)) && (!g.linked || waited[k]) {
			s.Start = s.Start.Add(delta)
		}
		ended = later(ended, s.Start.Add(s.Duration))
	}
	if b.Duration > 0 {
		if !g.timed { // one step after the other, for all that is known
			out.Duration += delta
		} else {
			out.Duration += ended.Sub(last)
		}
	}
	return out
}

// waitedFor tells of each step whether it waited for step i, by itself or through
// others.
func (g *graph) waitedFor(i int) []bool {
	consumers := g.consumers()
	waited := make([]bool, len(g.steps))
	for queue := []int{i}; len(queue) > 0; {
		at := queue[0]
		queue = queue[1:]
		for _, c := range consumers[at] {
			if !waited[c] {
				waited[c] = true
				queue = append(queue, c)
			}
		}
	}
	return waited
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
