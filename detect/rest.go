package detect

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// What the steps do not explain by having taken longer than usual is of two kinds: another
// critical path than a usual build's, and gaps on it. Both can be told step by step beside
// the builds in the middle of the baseline, whose durations are the usual one. Where the
// rest would be the largest part of the account, it is told so, its largest parts first,
// for as long as it would be.

// A course is where the time of a build went, by the keys of steps: what of it each was on
// the critical path alone, and the gap before it, "" for the end of the build. All of it
// adds up to the build's duration.
type course struct{ on, before map[string]time.Duration }

func newCourse() course {
	return course{map[string]time.Duration{}, map[string]time.Duration{}}
}

// follow adds the course of a build whose steps have these keys, and tells whether its
// times are known.
func (c course) follow(b *timeline.Build, g *timeline.Graph, key func(i int) string) bool {
	path := slices.DeleteFunc(g.CriticalPath(), func(i int) bool { return g.Steps[i].IsPart() })
	slices.SortStableFunc(path, func(x, y int) int { return g.Steps[x].Start.Compare(g.Steps[y].Start) })
	var at time.Duration
	for _, i := range path {
		from := min(max(g.Steps[i].Start.Sub(b.Start), 0), b.Duration)
		to := min(from+g.Steps[i].TimeWithin(b), b.Duration)
		if from > at {
			c.before[key(i)] += from - at
			at = from
		}
		if to > at {
			c.on[key(i)] += to - at
			at = to
		}
	}
	c.before[""] += b.Duration - at
	return g.Timed && !b.Start.IsZero()
}

// usualCourse is that of the n builds in the middle of the baseline, or of one more, as they
// would be at the levels of now; each time is their mean.
func (a *arranged) usualCourse(steps []StepResult, n int) (usual course, found bool) {
	durations := a.durations(steps)
	var order []int
	for b, d := range durations {
		if build := &a.base[b]; d > 0 && slices.ContainsFunc(build.Steps, func(s timeline.Step) bool { return !s.Start.IsZero() }) {
			order = append(order, b)
		}
	}
	slices.SortStableFunc(order, func(x, y int) int { return cmp.Compare(durations[x], durations[y]) })
	n = min(n, len(order))
	if (len(order)-n)%2 == 1 {
		n++ // as many on both sides
	}
	from := (len(order) - n) / 2
	usual = newCourse()
	for _, b := range order[from : from+n] {
		build := &a.base[b]
		indices := a.indices[b]
		if !usual.follow(build, timeline.NewGraph(build), func(i int) string { return a.keyAt(indices[i], build.Steps[i].Key) }) {
			return usual, false
		}
		for i := range a.series {
			if by, shifted := a.shiftOf(i, &steps[i], b); shifted {
				usual.on[a.series[i].step.Key] += by
			}
		}
	}
	for _, times := range []map[string]time.Duration{usual.on, usual.before} {
		for key := range times {
			times[key] /= time.Duration(max(n, 1))
		}
	}
	return usual, n > 0
}

// keyAt is what the step of that index is called in the build under judgement, and otherwise
// for -1.
func (a *arranged) keyAt(index int, otherwise string) string {
	if index < 0 {
		return otherwise
	}
	return a.series[index].step.Key
}

// nameRest tells what the rest is made of, if it would be the largest part; told is what
// the account tells of each step already.
func (acc *account) nameRest(rest time.Duration, build *timeline.Build, a *arranged, g *timeline.Graph, steps []StepResult) {
	now := newCourse()
	if !acc.isLargest(rest) || !now.follow(build, g, func(i int) string { return build.Steps[i].Key }) {
		return
	}
	// Several builds tell best what is usual; that of the very middle adds up exactly.
	for _, n := range []int{7, 1} {
		usual, found := a.usualCourse(steps, n)
		if !found {
			return
		}
		named := *acc
		named.parts = maps.Clone(acc.parts)
		left := named.nameCourse(rest, now, usual)
		if n == 1 || !named.isLargest(left) {
			acc.parts = named.parts
			return
		}
	}
}

// isLargest tells whether a part would be the largest of all.
func (acc *account) isLargest(part time.Duration) bool {
	for _, d := range acc.parts {
		if d.Abs() >= part.Abs() {
			return false
		}
	}
	return part != 0
}

// nameCourse moves what differs between two courses, and is not told yet, from the rest to
// the parts, where it is large or for as long as the rest is the largest, and returns what
// is left of it.
func (acc *account) nameCourse(rest time.Duration, now, usual course) time.Duration {
	differs := map[WallClockPart]time.Duration{}
	for key, d := range now.on {
		differs[WallClockPart{Cause: CausePath, Step: key}] += d
	}
	for key, d := range usual.on {
		differs[WallClockPart{Cause: CausePath, Step: key}] -= d
	}
	for key, d := range acc.told {
		differs[WallClockPart{Cause: CausePath, Step: key}] -= d
	}
	for key, d := range now.before {
		differs[WallClockPart{Cause: CauseGap, Step: key}] += d
	}
	for key, d := range usual.before {
		differs[WallClockPart{Cause: CauseGap, Step: key}] -= d
	}
	maps.DeleteFunc(differs, func(p WallClockPart, _ time.Duration) bool { return acc.untold[p.Step] })
	order := slices.SortedFunc(maps.Keys(differs), func(x, y WallClockPart) int {
		return cmp.Or(cmp.Compare(differs[y].Abs(), differs[x].Abs()), cmp.Compare(x.Cause, y.Cause), cmp.Compare(x.Step, y.Step))
	})
	large := max(rest.Abs()/5, acc.minDelta)
	for _, p := range order {
		if d := differs[p]; d.Abs() >= large || acc.isLargest(rest) && (d > 0) == (rest > 0) && d != 0 {
			acc.parts[p] += d
			rest -= d
		}
	}
	return rest
}
