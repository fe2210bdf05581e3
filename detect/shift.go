package detect

import (
	"math"
	"slices"
)

// A shift is a lasting change of a step's level within its history.
type shift struct {
	since int     // samples since, the newest; 0 if the level never changed
	by    float64 // logarithm of the new level over the one before
}

const (
	// A level is at least this many samples long, and so is what it is told from.
	// A branch's evidence is shorter: what is newer is called slower, not a level.
	minLevel = maxEvidence
	// A faster level has to be longer: taken for one too early, the return to the
	// usual would look like a slowdown.
	minFasterLevel = 8
	minOlder       = 8
	// shiftEvidence is what a shift must reach: odds of 1,000 to 1, as the place of
	// the change was sought.
	shiftEvidence = 3.0
	// leastScore is the standard score of the rank sum below which a shift cannot
	// reach that.
	leastScore = 2
	// shiftShare of the samples on each side lie on their own side of the middle
	// between both levels: two modes that take turns do not.
	shiftShare = 0.85
)

// LeastWindow is the shortest history in which a lasting change can be told: in a
// shorter one a slowdown would become usual in silence.
const LeastWindow = minLevel + minOlder

// findShift looks for the newest lasting change of level in logarithms, newest
// first. The place of the largest rank sum (Wilcoxon) is where it may be; what is
// since then must be as hard to explain by what was before as a slowdown of a
// branch is.
func findShift(newest []float64, t Thresholds, contamination, grain float64) shift {
	return findShiftOf(newest, slices.Sorted(slices.Values(newest)), t, contamination, grain)
}

// findShiftOf is findShift for logarithms that are known in ascending order as well.
func findShiftOf(newest, sorted []float64, t Thresholds, contamination, grain float64) shift {
	n := len(newest)
	at, score := largestRankSum(newest, sorted)
	if math.Abs(score) < leastScore {
		return shift{}
	}
	at = sharpen(newest, at)
	least := minLevel
	if score < 0 {
		least = minFasterLevel
	}
	if at < least || n-at < minOlder {
		return shift{}
	}
	since, before := slices.Clone(newest[:at]), slices.Clone(newest[at:])
	slices.Sort(since)
	slices.Sort(before)
	by := median(since) - median(before)
	direction := math.Copysign(1, by)
	if math.Abs(by) < math.Log1p(t.MinSlowdown)/2 || !apart(since, before, direction) {
		return shift{}
	}
	var values []observation
	for _, y := range newest[:at] {
		values = append(values, observation{y: direction * y})
	}
	if direction < 0 { // a faster level is a slower one of negated logarithms
		for i := range before {
			before[i] = -before[i]
		}
		slices.Reverse(before)
	}
	model := newPredictive(before, contamination, grain)
	defer model.release()
	if model.evidence(values) < shiftEvidence {
		return shift{}
	}
	if later := findShift(newest[:at], t, contamination, grain); later.since > 0 {
		return later
	}
	return shift{since: at, by: by}
}

// shiftAt is the shift of which it is known that it came so many samples ago.
func shiftAt(newest []float64, since int) shift {
	after, before := slices.Clone(newest[:since]), slices.Clone(newest[since:])
	slices.Sort(after)
	slices.Sort(before)
	return shift{since: since, by: median(after) - median(before)}
}

// sharpen moves the place of a change so that the samples at its edge lie nearer to
// their own level than to the other.
func sharpen(newest []float64, at int) int {
	if at == 0 {
		return 0
	}
	since, before := slices.Clone(newest[:at]), slices.Clone(newest[at:])
	slices.Sort(since)
	slices.Sort(before)
	nearer := func(y float64) bool { return math.Abs(y-median(since)) < math.Abs(y-median(before)) }
	for at > 1 && !nearer(newest[at-1]) {
		at--
	}
	for at < len(newest)-1 && nearer(newest[at]) {
		at++
	}
	return at
}

// apart tells whether hardly any sample lies beyond the middle between both levels.
func apart(since, before []float64, direction float64) bool {
	middle := (median(since) + median(before)) / 2
	within := func(values []float64, direction float64) bool {
		n := 0
		for _, v := range values {
			if direction*(v-middle) > 0 {
				n++
			}
		}
		return float64(n) >= shiftShare*float64(len(values))
	}
	return within(since, direction) && within(before, -direction)
}

// largestRankSum returns the split at which the newer values differ most from the
// older ones by their ranks, and the standard score of that: above 0 if they are
// larger. sorted holds the same values, ascending.
func largestRankSum(newest, sorted []float64) (at int, score float64) {
	n := len(newest)
	sum, best := 0.0, 0.0
	for i, y := range newest {
		// The middle rank of equal values.
		low := rank(sorted, y)
		high := low + 1
		if high < n && sorted[high] == y {
			high = rank(sorted, math.Nextafter(y, math.Inf(1)))
		}
		sum += float64(low+high+1) / 2
		s := float64(i + 1)
		if i+1 < minLevel || n-i-1 < minOlder {
			continue
		}
		off := sum - s*float64(n+1)/2
		if square := off * off / (s * (float64(n) - s) * float64(n+1) / 12); square > best {
			at, best, score = i+1, square, math.Copysign(math.Sqrt(square), off)
		}
	}
	return at, score
}

// rank is how many of ascending values are below y. It is asked for each value of
// each step, and faster than a search that knows of NaN.
func rank(sorted []float64, y float64) int {
	low, high := 0, len(sorted)
	for low < high {
		if middle := int(uint(low+high) >> 1); sorted[middle] < y {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

// relevel moves what was before the shift to the new level, as the spread learnt
// before goes on around it. After a step has become faster, a part of its old
// times is kept as well: that it returns to them once is no news.
func (s shift) relevel(newest []float64) []float64 {
	const remembered = 3 // one in so many
	levelled := slices.Clone(newest[:s.since])
	for i, y := range newest[s.since:] {
		levelled = append(levelled, y+s.by)
		if s.by < 0 && i%remembered == 0 {
			levelled = append(levelled, y)
		}
	}
	return levelled
}
