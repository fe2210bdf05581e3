// Package level finds the levels of a series of durations, and remembers in a few numbers how
// far its older values lay above theirs. It knows of no builds.
package level

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// All lasting changes of level in a long series, as a history tells them. The newest one in
// a window is what FindShift finds; windows of several lengths, laid over the series from
// its newest end, find those before it. What they find is believed if it still stands
// between the whole levels on either side of it: many windows have many chances.

// A Level is a stretch of a series between two lasting changes.
type Level struct {
	First  int           // index of its oldest value
	Values int           // how many values it has
	Median time.Duration // of these
}

// levelWindows are the lengths of windows that are looked at, the shortest first: in a long
// one a lasting change shows that is small, and hides one that is close to another.
var levelWindows = []int{16, 30, 60, 120, 240}

const (
	// levelStride is how far the windows are moved where they show nothing.
	levelStride = 15
	// leastLevelScore is the standard score of the rank sum between two whole levels below
	// which they are one. It grows with the length of the series, as there is more to
	// choose from.
	leastLevelScore = 3.2
)

// A change is what stands between two levels.
type change struct {
	score float64 // standard score of the rank sum
	part  float64 // of the level before
	delta time.Duration
}

// Levels are the levels of a series, oldest value first, of which there is one at least if
// there is a value. A change by less than the part minSlowdown, or by less than minDelta, is
// none.
func Levels(values []time.Duration, minSlowdown float64, minDelta time.Duration) []Level {
	n := len(values)
	if n == 0 {
		return nil
	}
	s := newSeries(values)
	newest := s.logs
	least := change{part: minSlowdown, delta: minDelta}
	starts := []int{0} // of levels, in newest
	for at := 0; n-at >= MinLength+minOlder; {
		since := 0
		for _, width := range levelWindows {
			if since = s.shiftIn(at, min(n, at+width), minSlowdown); since > 0 {
				break
			}
		}
		if since > 0 {
			at += since
			starts = append(starts, at)
		} else {
			at += levelStride
		}
	}
	least.score = math.Sqrt(leastLevelScore*leastLevelScore + 2*math.Log(max(1, float64(n)/50)))
	starts = believe(newest, s.sharpened(starts), least)
	slices.Reverse(starts)
	end := n
	var levels []Level
	for _, s := range starts { // oldest level first
		first := n - end
		levels = append(levels, Level{First: first, Values: end - s, Median: medianOf(values[first : n-s])})
		end = s
	}
	return levels
}

// A series is the logarithms of values, newest first. Windows of it are ranked again and
// again, which is quicker by the place that each value has among all.
type series struct {
	logs   []float64
	places []time.Duration // of each, the first of its equals in ascending order
	sorted []float64       // by place
	window []time.Duration // room for the places of a window
}

func newSeries(values []time.Duration) *series {
	n := len(values)
	s := &series{make([]float64, n), make([]time.Duration, n), make([]float64, n), nil}
	for i, d := range values {
		s.logs[n-1-i] = math.Log(max(d, time.Microsecond).Seconds())
	}
	copy(s.sorted, s.logs)
	slices.Sort(s.sorted)
	for i, y := range s.logs {
		at, _ := slices.BinarySearch(s.sorted, y)
		s.places[i] = time.Duration(at)
	}
	return s
}

// ranked ranks the logarithms from one to before another.
func (s *series) ranked(from, to int) *Ranked {
	s.window = append(s.window[:0], s.places[from:to]...)
	slices.Sort(s.window)
	return RankLogs(s.places[from:to], s.window, func(place time.Duration) float64 { return s.sorted[place] })
}

// shiftIn is how many values there are since the newest lasting change among these; 0 if
// there is none.
func (s *series) shiftIn(from, to int, minSlowdown float64) int {
	if to-from < MinLength+minOlder {
		return 0
	}
	r := s.ranked(from, to)
	defer r.Release()
	return FindShift(r, minSlowdown).Since
}

// sharpened moves the changes to where the values at their edges lie nearer to their own
// level.
func (s *series) sharpened(starts []int) []int {
	starts = slices.Clone(starts)
	for i := 1; i < len(starts); i++ {
		end := len(s.logs)
		if i+1 < len(starts) {
			end = starts[i+1]
		}
		r := s.ranked(starts[i-1], end)
		starts[i] = starts[i-1] + r.sharpen(starts[i]-starts[i-1])
		r.Release()
	}
	return starts
}

// believe takes away changes, the least certain first, until all that are left stand
// between the whole levels beside them.
func believe(newest []float64, starts []int, least change) []int {
	for len(starts) > 1 {
		worst, weakest := 0, math.Inf(1)
		for i := 1; i < len(starts); i++ {
			end := len(newest)
			if i+1 < len(starts) {
				end = starts[i+1]
			}
			if s := standing(newest[starts[i-1]:starts[i]], newest[starts[i]:end], least); s < weakest {
				worst, weakest = i, s
			}
		}
		if weakest >= least.score {
			return starts
		}
		starts = slices.Delete(starts, worst, worst+1)
	}
	return starts
}

// standing is the standard score of the rank sum between two levels, below that of least if they
// are too short, too close, or overlap.
func standing(since, before []float64, least change) float64 {
	short := MinLength
	a, b := slices.Sorted(slices.Values(since)), slices.Sorted(slices.Values(before))
	if len(a) == 0 || len(b) == 0 {
		return 0
	}
	now, then := Median(a), Median(b)
	if now < then {
		short = minFasterLevel
	}
	x, y := float64(len(a)), float64(len(b))
	above := 0.0 // pairs in which the newer value is the larger
	for _, v := range a {
		lo, _ := slices.BinarySearch(b, v)
		hi := lo
		for hi < len(b) && b[hi] == v {
			hi++
		}
		above += float64(lo) + float64(hi-lo)/2
	}
	score := math.Abs(above-x*y/2) / math.Sqrt(x*y*(x+y+1)/12)
	relative := math.Expm1(math.Abs(now - then))
	absolute := time.Duration(math.Abs(math.Exp(now)-math.Exp(then)) * float64(time.Second))
	switch {
	case len(a) < short, len(b) < min(short, minOlder), relative < least.part, absolute < least.delta,
		apart(a, b, math.Copysign(1, now-then)) < leastShare:
		return min(score, least.score*0.99)
	}
	return score
}

// medianOf is the median of values in any order, of which there is one at least.
func medianOf(values []time.Duration) time.Duration {
	sorted := slices.SortedFunc(slices.Values(values), cmp.Compare[time.Duration])
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
