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

// shifts are the logarithms of the factors by which a changed step may be slower,
// and shiftWeights their prior: falling by e for every factor of e.
var shifts, shiftWeights = func() (at, weight []float64) {
	total := 0.0
	for d, step := 0.10, 0.05; d < 7; d += step {
		switch {
		case d > 2.5:
			step = 0.25
		case d > 1:
			step = 0.1
		}
		at = append(at, d)
		weight = append(weight, step*math.Exp(-d))
		total += weight[len(weight)-1]
	}
	for i := range weight {
		weight[i] /= total
	}
	return at, weight
}()

// A predictive is the predictive density of a step's next value.
type predictive struct {
	values        []float64 // logarithms, ascending
	center        float64   // their median
	width         float64   // of a kernel, > 0
	contamination float64   // share of values that the history says nothing of, in (0,1)
}

// newPredictive describes a history of at least 3 logarithms. grain is the
// step of the clock relative to the step's usual duration, 0 for a fine clock.
func newPredictive(values []float64, contamination, grain float64) *predictive {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	p := &predictive{values: sorted, center: median(sorted), contamination: contamination}
	// A clock that counts in grains adds an error that is uniform over a grain.
	share := kernelShare * (1 + kernelShort/float64(len(sorted)))
	p.width = max(share*winsorisedSD(sorted), kernelFloor, grain/math.Sqrt(12))
	return p
}

// An observation is a new value: its logarithm, and the standard deviation of an
// error that it carries beside the step's own noise.
type observation struct{ y, sd float64 }

// density of the observation o, shifted by d.
func (p *predictive) density(o observation, d float64) float64 {
	sum, width, y := 0.0, math.Hypot(p.width, o.sd), o.y-d
	for _, v := range p.values {
		sum += studentT4((y - v) / width)
	}
	f := (1 - p.contamination) * sum / (float64(len(p.values)) * width)
	if d := y - p.center; d >= 0 {
		f += p.contamination * tailShare / tailScale * math.Exp(-d/tailScale)
	} else {
		f += p.contamination * (1 - tailShare) / headScale * math.Exp(d/headScale)
	}
	// Never zero: its logarithm is taken.
	return max(f, math.SmallestNonzeroFloat64*1e16)
}

// evidence returns the logarithm to base 10 of the Bayes factor of one common
// slowdown of all of the new values, against no change. Direction is +1 for a
// slowdown and -1 for a speed-up.
func (p *predictive) evidence(values []observation, direction float64) float64 {
	same := 0.0
	for _, o := range values {
		same += math.Log(p.density(o, 0))
	}
	// Summed relative to the largest term, as densities of several values underflow.
	terms, largest := make([]float64, len(shifts)), math.Inf(-1)
	for i, d := range shifts {
		changed := 0.0
		for _, o := range values {
			changed += math.Log(p.density(o, direction*d))
		}
		terms[i] = math.Log(shiftWeights[i]) + changed - same
		largest = max(largest, terms[i])
	}
	sum := 0.0
	for _, t := range terms {
		sum += math.Exp(t - largest)
	}
	return (largest + math.Log(sum)) / math.Ln10
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
	w := slices.Clone(sorted)
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

// spread is the median absolute deviation, made consistent for normal values.
func spread(values []float64, center float64) float64 {
	d := make([]float64, len(values))
	for i, v := range values {
		d[i] = math.Abs(v - center)
	}
	slices.Sort(d)
	return 1.4826 * median(d)
}
