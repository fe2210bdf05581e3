package level

import (
	"math"
	"slices"
)

// A step's level may change for good: what was normal before is no longer. The newest such
// change is searched for by the largest Wilcoxon rank sum over all splits of the history.
// It is believed if that is large and the two sides hardly overlap: the less of the one, the
// more of the other. What lies before it is then moved to the new level, so that the spread
// learnt there is not lost.

// A Shift is a lasting change of a step's level within its history.
type Shift struct {
	Since int     // samples since, the newest; 0 if the level never changed
	By    float64 // logarithm of the new level over the one before
}

const (
	// A level is at least this many samples long, and so is what it is told from.
	// A branch's evidence is shorter: what is newer is called slower, not a level.
	MinLength = 5
	// A faster level has to be longer: taken for one too early, the return to the
	// usual would look like a slowdown.
	minFasterLevel = 8
	minOlder       = 8
	// leastScore is the standard score of the rank sum below which no change is believed:
	// it is the largest of many. leastShare of the samples on each side lie on their own
	// side of the middle between both levels: two modes that take turns do not. And the
	// score and shareWorth times the share come to leastBoth: of a thousand shuffled
	// histories of real steps then about one in ten holds a change.
	leastScore = 3.2
	leastShare = 0.65
	shareWorth = 6.0
	leastBoth  = 8.4
	// shiftWeight is how much a slower level that was left is kept in mind, in values.
	shiftWeight = 0.1
)

// MinWindow is the shortest window in which a lasting change of level can be
// found: in a shorter one a slowdown would silently become what is usual.
const MinWindow = MinLength + minOlder

// FindShift returns the newest lasting change of level in a history of logarithms, the
// zero shift if there is none: one of less than half of minSlowdown is none. It looks again in what is since the one that it found.
func FindShift(r *Ranked, minSlowdown float64) Shift {
	n := len(r.Newest)
	at, score := r.largestSum()
	if math.Abs(score) < leastScore {
		return Shift{}
	}
	at = r.sharpen(at)
	least := MinLength
	if score < 0 {
		least = minFasterLevel
	}
	if at < least || n-at < minOlder {
		return Shift{}
	}
	since, before := r.split(at)
	by := Median(since) - Median(before)
	direction := math.Copysign(1, by)
	apart := apart(since, before, direction)
	if math.Abs(by) < math.Log1p(minSlowdown)/2 || apart < leastShare || math.Abs(score)+shareWorth*apart < leastBoth {
		return Shift{}
	}
	newer := r.First(at)
	defer newer.Release()
	if later := FindShift(newer, minSlowdown); later.Since > 0 {
		return later
	}
	return Shift{Since: at, By: by}
}

// ShiftAt is the shift of which it is known that it came so many samples ago.
func ShiftAt(r *Ranked, since int) Shift {
	after, before := r.split(since)
	return Shift{Since: since, By: Median(after) - Median(before)}
}

// apart is the share of samples that lie on their own side of the middle between both
// levels, the smaller one of both sides.
func apart(since, before []float64, direction float64) float64 {
	middle := (Median(since) + Median(before)) / 2
	within := func(values []float64, direction float64) float64 {
		n := 0
		for _, v := range values {
			if direction*(v-middle) > 0 {
				n++
			}
		}
		return float64(n) / float64(len(values))
	}
	return min(within(since, direction), within(before, -direction))
}

// Relevel moves what was before the shift to the new level, as the spread learnt
// before goes on around it.
func (s Shift) Relevel(newest []float64) []float64 {
	levelled := slices.Clone(newest)
	for i := range levelled[s.Since:] {
		levelled[s.Since+i] += s.By
	}
	return levelled
}

// Remember keeps in mind what was before, of so many samples, if the step has become faster:
// that it returns to that once is no news.
func (s Shift) Remember(t *Tail, samples int) {
	if s.Since == 0 || s.By >= 0 {
		return
	}
	for age := samples - 1; age >= s.Since; age-- {
		weight := shiftWeight * math.Exp2(-float64(age)/tailHalfLife)
		t.Weight += weight
		t.Above[min(int(-s.By/BinWidth), tailBins-1)] += weight
	}
}
