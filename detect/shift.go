package detect

import (
	"math"
	"slices"
)

// A step's level may change for good: what was normal before is no longer. The newest such
// change is searched for by the largest Wilcoxon rank sum over all splits of the history.
// It is believed if the two sides hardly overlap and the newer one is as hard to explain by
// the older one as a slowdown is (a Bayes factor of 1,000). What lies before it is then
// moved to the new level, so that the spread learnt there is not lost.

// A shift is a lasting change of a step's level within its history.
type shift struct {
	since int     // samples since, the newest; 0 if the level never changed
	by    float64 // logarithm of the new level over the one before
}

const (
	// A level is at least this many samples long, and so is what it is told from.
	// A branch's evidence is shorter: what is newer is called slower, not a level.
	minLevel = MaxEvidence
	// A faster level has to be longer: taken for one too early, the return to the
	// usual would look like a slowdown.
	minFasterLevel = 8
	minOlder       = 8
	// shiftEvidence is what a shift must reach, as a power of ten: odds of 1,000 to 1
	// rather than fewer, as the best of many splits was picked.
	shiftEvidence = 3.0
	// leastScore is the standard score of the rank sum below which a shift cannot
	// reach that.
	leastScore = 2
	// shiftShare of the samples on each side lie on their own side of the middle
	// between both levels: two modes that take turns do not.
	shiftShare = 0.85
)

// MinWindow is the shortest Thresholds.Window in which a lasting change of level can be
// found: in a shorter one a slowdown would silently become what is usual.
const MinWindow = minLevel + minOlder

// findShift returns the newest lasting change of level in a history of logarithms, the
// zero shift if there is none. It looks again in what is since the one that it found.
func findShift(r *ranked, t Thresholds, contamination, grain float64) shift {
	n := len(r.newest)
	at, score := r.largestSum()
	if math.Abs(score) < leastScore {
		return shift{}
	}
	at = r.sharpen(at)
	least := minLevel
	if score < 0 {
		least = minFasterLevel
	}
	if at < least || n-at < minOlder {
		return shift{}
	}
	since, before := r.split(at)
	by := median(since) - median(before)
	direction := math.Copysign(1, by)
	if math.Abs(by) < math.Log1p(t.MinSlowdown)/2 || !separated(since, before, direction) {
		return shift{}
	}
	var values []observation
	for _, y := range r.newest[:at] {
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
	newer := r.first(at)
	defer newer.release()
	if later := findShift(newer, t, contamination, grain); later.since > 0 {
		return later
	}
	return shift{since: at, by: by}
}

// shiftAt is the shift of which it is known that it came so many samples ago.
func shiftAt(r *ranked, since int) shift {
	after, before := r.split(since)
	return shift{since: since, by: median(after) - median(before)}
}

// separated tells whether hardly any sample lies on the wrong side of the middle between
// both levels.
func separated(since, before []float64, direction float64) bool {
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
