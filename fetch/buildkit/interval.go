package buildkit

import (
	"slices"
	"time"
)

// An interval is when something went on.
type interval struct{ start, end time.Time }

// A span of time in pieces: intervals that may overlap, in no order. They are counted
// once where they do, as what goes on at once is waited for once.
type intervals []interval

// add takes in an interval, if there is one: both ends known, in their order, not longer
// than any build. What goes on from the last one, or repeats it, takes no room.
func (list *intervals) add(start, end time.Time) {
	if start.IsZero() || end.IsZero() || end.Before(start) || end.Sub(start) > MaxDuration {
		return
	}
	if n := len(*list); n > 0 {
		last := &(*list)[n-1]
		if !start.Before(last.start) && !start.After(last.end) {
			last.end = latest(last.end, end)
			return
		}
	}
	if len(*list) == maxIntervals {
		list.join()
		if len(*list) == maxIntervals {
			return
		}
	}
	*list = append(*list, interval{start, end})
}

// maxIntervals is how many of them one vertex may have that lie apart. Real ones have as
// many as an image has layers.
const maxIntervals = 10_000

// join makes intervals that overlap one, and puts them in order.
func (list *intervals) join() {
	slices.SortFunc(*list, func(a, b interval) int { return a.start.Compare(b.start) })
	joined := (*list)[:0]
	for _, next := range *list {
		if n := len(joined); n > 0 && !next.start.After(joined[n-1].end) {
			joined[n-1].end = latest(joined[n-1].end, next.end)
			continue
		}
		joined = append(joined, next)
	}
	*list = joined
}

// total is for how long any of them went on, and end is when the last did.
func (list intervals) total() (total time.Duration, end time.Time) {
	joined := slices.Clone(list)
	joined.join()
	for _, in := range joined {
		total += in.end.Sub(in.start)
		end = in.end
	}
	return total, end
}

// time is the time that they took as one piece that ends with the last of them. So much
// of it at most was waited for by whatever began then.
func (list intervals) time() (start time.Time, took time.Duration) {
	took, end := list.total()
	if end.IsZero() {
		return end, 0
	}
	return end.Add(-took), took
}

// since are those that ended after an instant; all of them if it is not known.
func (list intervals) since(instant time.Time) intervals {
	if instant.IsZero() {
		return list
	}
	var later intervals
	for _, in := range list {
		if in.end.After(instant) || in.end.Equal(in.start) && in.end.Equal(instant) {
			later = append(later, in)
		}
	}
	return later
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
