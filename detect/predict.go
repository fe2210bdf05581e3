package detect

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// This file holds the statistics of one step: what its history says about the
// next values, and how strongly new values say that the step has changed. It
// works on natural logarithms of durations, as slowness multiplies.
//
// The history is described by a predictive density: a kernel of Student's t with
// 4 degrees of freedom at each value seen, and beside it a small share of
// contamination whose right tail is exponential in the logarithm (a Pareto tail
// in seconds). Kernels follow modes and the largest values without naming them;
// the contamination says that a value never seen before is rare, not impossible:
// on real CI durations 2 of 1,000 unchanged values lie above twice the largest
// of the 20 before them.
//
// New values are weighed by a Bayes factor: how much likelier they are if all of
// them are shifted by one unknown factor, than if nothing has changed.

const (
	// A kernel is half as wide as the history's spread, more for a short history,
	// whose center and spread are uncertain, but never narrower than 4 %: quiet
	// steps are quieter in 20 builds than in the long run.
	kernelShare = 0.5
	kernelShort = 5.0 // values at which the width doubles
	kernelFloor = 0.04
	// Contamination above the median falls by e for every tailScale; below it, by
	// e for every headScale, and is tailShare times as likely to be above.
	tailScale = 0.5
	headScale = 0.2
	tailShare = 0.9
)

// leastShift is the logarithm of the smallest factor by which a changed step may
// be slower. Beyond it, the prior of a shift falls by e for every factor of e.
const leastShift = 0.10

// A predictive is the predictive density of a step's next value.
type predictive struct {
	values        []float64   // logarithms, ascending
	modes         [][]float64 // their clusters, ascending; all values if there is but one
	center        float64     // their median
	width         float64     // of a kernel, > 0
	contamination float64     // share of values that the history says nothing of, in (0,1)
	tables        []*table    // by the error of an observation; the first is for none
}

// newPredictive describes a history of at least 3 logarithms, ascending. grain is
// the step of the clock relative to the step's usual duration, 0 for a fine clock.
func newPredictive(sorted []float64, contamination, grain float64) *predictive {
	p := &predictive{values: sorted, modes: findModes(sorted), center: median(sorted), contamination: contamination}
	share := kernelShare * (1 + kernelShort/float64(len(sorted)))
	// A clock that counts in grains adds an error that is uniform over a grain.
	p.width = max(share*withinSD(sorted, p.modes), kernelFloor, grain/math.Sqrt(12))
	p.tables = []*table{newTable(p, 0)}
	return p
}

// An observation is a new value: its logarithm, and the standard deviation of an
// error that it carries beside the step's own noise.
type observation struct{ y, sd float64 }

// table is the density of observations with such an error.
func (p *predictive) table(sd float64) *table {
	for _, t := range p.tables {
		if t.sd == sd {
			return t
		}
	}
	t := newTable(p, sd)
	p.tables = append(p.tables, t)
	return t
}

// release ends the use of p but for its values and modes.
func (p *predictive) release() {
	for _, t := range p.tables {
		t.release()
	}
	p.tables = nil
}

// tail is the density of the contamination above the center, head that below it.
func (p *predictive) tail(y float64) float64 {
	return p.contamination * tailShare / tailScale * math.Exp(-(y-p.center)/tailScale)
}

func (p *predictive) head(y float64) float64 {
	return p.contamination * (1 - tailShare) / headScale * math.Exp((y-p.center)/headScale)
}

// evidence returns the logarithm to base 10 of the Bayes factor of a change in
// all of the new values, against none: that they are slower by one common
// factor, or that they all come from one mode that was rare before.
func (p *predictive) evidence(values []observation) float64 {
	if len(values) == 1 {
		return math.Log10(p.settled(values) + p.table(values[0].sd).odds(values[0].y, 1))
	}
	tables, same := make([]*table, len(values)), make([]float64, len(values))
	step, far := math.Inf(1), 0.0
	for i, o := range values {
		tables[i] = p.table(o.sd)
		same[i] = 1 / tables[i].at(o.y)
		step = min(step, tables[i].step)
		far = max(far, o.y-tables[i].from)
	}
	// The integral over all shifts, up to where all values would come to lie below
	// all that was seen.
	sum, prior, falls := 0.0, step, math.Exp(-step)
	for d := leastShift; d < far+1; d += step {
		term := prior
		for i, o := range values {
			term *= tables[i].at(o.y-d) * same[i]
		}
		if d == leastShift {
			term /= 2
		}
		sum += term
		prior *= falls
	}
	return math.Log10(p.settled(values) + sum)
}

// settled is how much likelier all values are if they come from one mode beyond
// the center than if nothing changed, times the prior of that.
func (p *predictive) settled(values []observation) (best float64) {
	const prior = 0.1
	for _, m := range p.modes {
		if len(p.modes) == 1 || median(m) <= p.center {
			continue
		}
		odds := prior / float64(len(p.modes))
		for _, o := range values {
			odds *= ((1-p.contamination)*kernels(m, o, math.Hypot(p.width, o.sd)) + 1e-12) / p.table(o.sd).at(o.y)
		}
		best = max(best, odds)
	}
	return best
}

// kernels is the density at o of a kernel at each of the values.
func kernels(values []float64, o observation, width float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += studentT4((o.y - v) / width)
	}
	return sum / (float64(len(values)) * width)
}

// studentT4 is the density of Student's t distribution with 4 degrees of freedom.
func studentT4(z float64) float64 {
	d := 1 + z*z/4
	return 0.375 / (d * d * math.Sqrt(d))
}

// median of ascending values; they must not be empty.
func median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// quantile of ascending values at q in [0,1], linear between them.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := min(int(at), len(sorted)-2)
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// winsorisedSD is the standard deviation of ascending values, a tenth of which at
// each end is pulled in to the next value, made consistent for normal values.
func winsorisedSD(sorted []float64) float64 {
	buffer := buffers.Get().(*[]float64)
	defer buffers.Put(buffer)
	w := append((*buffer)[:0], sorted...)
	*buffer = w[:0]
	n := len(w)
	g := n / 10
	for i := range g {
		w[i], w[n-1-i] = w[g], w[n-1-g]
	}
	sd := stat.StdDev(w, nil)
	if g > 0 {
		sd *= 1.2 // 1 / the deviation of a standard normal that is winsorised by a tenth on each side
	}
	return sd
}

// findModes splits ascending logarithms into clusters: a mode is at least 3 values
// and a tenth of the history, set apart from the next by a gap that is wider than
// a quarter and than twice the spread of either. Fewer values are outliers and
// belong to no mode. What cannot be split is one mode.
func findModes(sorted []float64) [][]float64 {
	const gap = 0.22 // ln 1.25
	least := max(3, (len(sorted)+9)/10)
	var modes [][]float64
	start := 0
	for i := 1; i <= len(sorted); i++ {
		if i < len(sorted) && sorted[i]-sorted[i-1] <= gap {
			continue
		}
		if i-start >= least {
			modes = append(modes, sorted[start:i])
		}
		start = i
	}
	for i := 1; i < len(modes); i++ {
		between := modes[i][0] - modes[i-1][len(modes[i-1])-1]
		if between <= 2*max(stat.StdDev(modes[i-1], nil), stat.StdDev(modes[i], nil)) {
			return [][]float64{sorted}
		}
	}
	if len(modes) < 2 {
		return [][]float64{sorted}
	}
	return modes
}

// withinSD is the spread of values around their own mode.
func withinSD(sorted []float64, modes [][]float64) float64 {
	if len(modes) == 1 {
		return winsorisedSD(sorted)
	}
	var residuals []float64
	for _, m := range modes {
		center := median(m)
		for _, v := range m {
			residuals = append(residuals, v-center)
		}
	}
	slices.Sort(residuals)
	return winsorisedSD(residuals)
}
