package detect

import (
	"math"
	"slices"
)

// What the newest builds of a branch say together. Each build has its probability under
// the history; of several, these are summed as standard scores (Stouffer 1949), and the
// rank sum of Mann and Whitney stands beside it: the first knows how far the values lie
// beyond what was seen, the second is the stronger one about small changes, and neither is
// moved much by a single wild value. The run of newest builds counts that says the most.

// A oneSided is the result of the test in one direction.
type oneSided struct {
	run int     // how many of the newest builds say it together
	p   float64 // error of believing it
}

// An evidence is what the values of a branch, oldest first, are by themselves.
type evidence struct {
	model     *predictive
	direction float64
	n         int
	ys        [MaxEvidence]float64 // the milder of each as measured and cleared of the runner's factor
	beyond    [MaxEvidence]float64 // see predictive.beyond, the larger of both
	usual     [2]float64           // the newest value lies beyond the first if it stands alone or with one other, else beyond the second
}

// newEvidence is that of at most MaxEvidence values.
func newEvidence(model *predictive, raw, cleared []observation, direction float64) evidence {
	e := evidence{model: model, direction: direction, n: len(raw)}
	for i := range raw {
		e.ys[i] = raw[i].y
		if direction*cleared[i].y < direction*raw[i].y {
			e.ys[i] = cleared[i].y
		}
		e.beyond[i] = model.beyond(raw[i], direction)
		if cleared[i] != raw[i] {
			e.beyond[i] = max(e.beyond[i], model.beyond(cleared[i], direction))
		}
	}
	for i, share := range usualShares {
		e.usual[i] = quantile(model.values, 0.5+direction*(share-0.5))
	}
	return e
}

// usualShares of the history are usual beside one or two new values, and beside more of
// them: what lies among these is never called slower, whatever came before it.
var usualShares = [2]float64{0.9, 0.75}

// standsOff tells whether the value of a build that ends a run lies at the end of the
// usual range or beyond it, and beyond the center.
func (e *evidence) standsOff(i, run int) bool {
	usual := e.usual[0]
	if run > 2 {
		usual = e.usual[1]
	}
	return e.direction*(e.ys[i]-usual) > -sameY && e.isBeyond(i)
}

// isBeyond tells whether a build's value lies beyond the center.
func (e *evidence) isBeyond(i int) bool { return e.direction*(e.ys[i]-e.model.center) > 0 }

// strongest finds the run, up to the newest value, that says the most. The values of a
// run lie beyond the center, but for one of four or five, and its newest beyond the usual
// range, so that a fix clears them. What was said of the branch before goes on being said
// while the newest values stand off.
//
// rolling tells that the values are no branch that began with the first of them, but the
// newest of a long one: then each build is a first look at itself.
func (e *evidence) strongest(rolling bool) (best oneSided) {
	for end := 1; end <= e.n; end++ {
		now := e.look(end, rolling)
		if end > 1 && best.p < now.p && e.standsOff(end-1, best.run+1) {
			best.run++
			continue
		}
		best = now
	}
	// A usual value before the slow ones adds to what they say, and is none of them.
	last := e.n - 1
	for first := last + 1 - best.run; first < last && e.usualBeside(first); first++ {
		best.run--
	}
	return best
}

// usualBeside tells whether a value lies nearer to the center than to the least of those
// after it.
func (e *evidence) usualBeside(first int) bool {
	least := math.Inf(1)
	for _, y := range e.ys[first+1 : e.n] {
		least = min(least, e.direction*(y-e.model.center))
	}
	return e.direction*(e.ys[first]-e.model.center) < least/2
}

// look is what the values up to the first n say.
func (e *evidence) look(n int, rolling bool) (best oneSided) {
	best = oneSided{run: 1, p: 1}
	usual := 0
	for run := 1; run <= n; run++ {
		if !e.isBeyond(n - run) {
			if usual++; usual > 1 {
				break
			}
			continue // no run begins with it
		}
		if usual > 0 && run < 4 || !e.standsOff(n-1, run) {
			continue
		}
		power := e.power(n-run, n)
		switch {
		case rolling && run > 1:
			power -= chargeRolling
		case !rolling && run < n:
			power -= chargeLate
		}
		if p := errorOf(power); p < best.p {
			best.run, best.p = run, p
		}
	}
	return best
}

// power is by how many powers of ten the error of believing the values from to end lies
// below 1, as a first look at them.
func (e *evidence) power(from, end int) float64 {
	if end-from > 1 {
		return runLine.power(e.runScore(from, end)) - chargeRun
	}
	return oneLine.power(-math.Log10(e.beyond[from]) - chargeShort/float64(len(e.model.values)))
}

// errorOf is the error that lies so many powers of ten below 1.
func errorOf(power float64) float64 { return min(1, math.Exp(-power*math.Ln10)) }

// runScore is the score of the values from to end: the sum of their standard scores over
// the root of their number, each at most wild, and twice the standard score of their rank
// sum against the history.
func (e *evidence) runScore(from, end int) float64 {
	sum := 0.0
	for _, p := range e.beyond[from:end] {
		sum += standardScore(p)
	}
	return sum/math.Sqrt(float64(end-from)) + rankWeight*e.rankScore(e.ys[from:end])
}

const (
	rankWeight = 2.0
	wild       = 3.0
)

// standardScore is the place beyond which p of a standard normal distribution lies.
func standardScore(p float64) float64 {
	return math.Min(wild, math.Sqrt2*math.Erfinv(1-2*min(p, 0.5)))
}

// rankScore is the standard score of the rank sum of values against the history, corrected
// for equal ones (Mann and Whitney 1947).
func (e *evidence) rankScore(ys []float64) float64 {
	history := e.model.values
	n, k := float64(len(history)), float64(len(ys))
	u, ties := 0.0, e.model.ties
	for i, y := range ys {
		low, _ := slices.BinarySearch(history, y-sameY)
		high, _ := slices.BinarySearch(history, y+sameY)
		u += e.direction*(float64(low)+float64(high)-n)/2 + n/2
		// Each value that is equal to so many before it adds to their ties.
		before := high - low
		for _, other := range ys[:i] {
			if math.Abs(other-y) <= sameY {
				before++
			}
		}
		ties += cubed(before+1) - cubed(before)
	}
	total := n + k
	variance := n * k / 12 * (total + 1 - ties/(total*(total-1)))
	if variance <= 0 {
		return 0
	}
	return (u - n*k/2) / math.Sqrt(variance)
}

// tiesOf is the sum over runs of t equal ascending values of t cubed less t.
func tiesOf(values []float64) (sum float64) {
	for i := 0; i < len(values); {
		equal := 1
		for i+equal < len(values) && values[i+equal] <= values[i]+sameY {
			equal++
		}
		sum += cubed(equal)
		i += equal
	}
	return sum
}

// cubed is t cubed less t.
func cubed(t int) float64 { return float64(t*t*t - t) }

// sameY is the difference below which two logarithms are of equal durations.
const sameY = 1e-9
