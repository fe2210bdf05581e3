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
	last, ended := b.Start, b.Start // end of the last step, before and after
	for k := range out.Steps {
		s := &out.Steps[k]
		last = later(last, g.end(k))
		if k != i && !s.Start.IsZero() && !s.Start.Before(end.Add(-g.slop)) && (!g.linked || g.waitsFor(k, i)) {
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

// waitsFor tells whether step i waited for step on, by itself or through others.
func (g *graph) waitsFor(i, on int) (found bool) {
	g.ancestors(i, func(at int) bool {
		found = found || at == on
		return !found
	})
	return found
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
