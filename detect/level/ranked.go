package level

import (
	"math"
	"slices"
	"sync"
	"time"
)

// A history is asked the same things again and again: its order statistics, its ranks in
// order of time, its newest part and the rest, each of these sorted. It is therefore sorted
// once, as durations; logarithms, ranks and sorted parts follow from that order in linear
// time. Buffers are pooled, as a build has thousands of steps.

// A Ranked is a list of logarithms, newest first, and the same in ascending order, which
// may be kept: all else, newest too, is room that is used again once it is released.
type Ranked struct {
	Ascending []float64
	Newest    []float64
	ranks     []int32 // for each of newest, the place of the first of its equals in ascending
	equals    []int32 // how many they are, by that place
	parts     []float64
	isNew     []bool
	seen      []int32
}

var rankeds = sync.Pool{New: func() any { return new(Ranked) }}

// newRanked is room for n logarithms.
func newRanked(n int) *Ranked {
	r := rankeds.Get().(*Ranked)
	r.Ascending = make([]float64, n)
	r.Newest = slices.Grow(r.Newest[:0], n)[:n]
	r.ranks = slices.Grow(r.ranks[:0], n)[:n]
	r.equals = slices.Grow(r.equals[:0], n)[:n]
	clear(r.equals)
	return r
}

// Release gives back what r takes, but for Ascending: r is not used after it.
func (r *Ranked) Release() {
	r.Ascending = nil
	rankeds.Put(r)
}

// RankLogs ranks the logarithms of durations, newest first, that are known in ascending
// order as well: log is asked once for each, and must not fall. Equal are those whose
// durations are.
func RankLogs(newest, ascending []time.Duration, log func(time.Duration) float64) *Ranked {
	r := newRanked(len(newest))
	for i, d := range ascending {
		r.Ascending[i] = log(d)
	}
	for k, d := range newest {
		at := placeIn(ascending, d)
		r.ranks[k], r.Newest[k] = int32(at), r.Ascending[at]
		r.equals[at]++
	}
	return r
}

// placeIn returns the first place of d among ascending durations, one of which it is.
// It is asked for each value of each step, and has no branches: half of them would be
// foretold wrongly.
func placeIn(ascending []time.Duration, d time.Duration) int {
	at := 0
	for size := len(ascending); size > 1; {
		half := size / 2
		at += half & int((ascending[at+half-1]-d)>>63)
		size -= half
	}
	return at + int(uint64(ascending[at]-d)>>63)
}

// First is the ranked list of the newest n values.
func (r *Ranked) First(n int) *Ranked {
	part := newRanked(n)
	copy(part.Newest, r.Newest)
	ascending, _ := r.split(n)
	copy(part.Ascending, ascending)
	for k, y := range part.Newest {
		at, _ := slices.BinarySearch(part.Ascending, y)
		part.ranks[k] = int32(at)
		part.equals[at]++
	}
	return part
}

// split returns the newest n values and the others, both ascending, until it is called
// again or r is released.
func (r *Ranked) split(n int) (since, before []float64) {
	all := len(r.Newest)
	r.parts = slices.Grow(r.parts[:0], all)[:all]
	r.isNew = slices.Grow(r.isNew[:0], all)[:all]
	r.seen = slices.Grow(r.seen[:0], all)[:all]
	clear(r.isNew)
	clear(r.seen)
	for _, at := range r.ranks[:n] {
		r.isNew[at+r.seen[at]] = true
		r.seen[at]++
	}
	since, before = r.parts[:0:n], r.parts[n:n]
	for i, y := range r.Ascending {
		if r.isNew[i] {
			since = append(since, y)
		} else {
			before = append(before, y)
		}
	}
	return since, before
}

// largestSum returns the split at which the newer values differ most from the older
// ones by their ranks (Wilcoxon), and the standard score of that: above 0 if they are
// larger.
func (r *Ranked) largestSum() (at int, score float64) {
	n := len(r.Newest)
	sum, best := 0.0, 0.0
	for i, first := range r.ranks {
		sum += float64(2*first+r.equals[first]+1) / 2 // the middle rank of equal values
		s := float64(i + 1)
		if i+1 < MinLength || n-i-1 < minOlder {
			continue
		}
		off := sum - s*float64(n+1)/2
		if square := off * off / (s * (float64(n) - s) * float64(n+1) / 12); square > best {
			at, best, score = i+1, square, math.Copysign(math.Sqrt(square), off)
		}
	}
	return at, score
}

// sharpen moves the place of a change so that the samples at its edge lie nearer to
// their own level than to the other.
func (r *Ranked) sharpen(at int) int {
	if at == 0 {
		return 0
	}
	since, before := r.split(at)
	level, old := Median(since), Median(before)
	nearer := func(y float64) bool { return math.Abs(y-level) < math.Abs(y-old) }
	for at > 1 && !nearer(r.Newest[at-1]) {
		at--
	}
	for at < len(r.Newest)-1 && nearer(r.Newest[at]) {
		at++
	}
	return at
}

// Median of ascending values; they must not be empty.
func Median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
