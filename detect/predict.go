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

// shifts are logarithms of factors by which a changed step may be slower.
var shifts = func() (at []float64) {
	for d, step := 0.10, 0.05; d < 7; d += step {
		switch {
		case d > 2.5:
			step = 0.25
		case d > 1:
			step = 0.1
		}
		at = append(at, d)
	}
	return at
}()

// refined returns the shifts and more of them where the new values fall onto a
// mode: kernels may be narrower than the shifts are apart.
func (p *predictive) refined(values []observation, direction float64) []float64 {
	mean, sd := 0.0, p.width
	for _, o := range values {
		mean += o.y / float64(len(values))
		sd = max(sd, o.sd)
	}
	at := slices.Clone(shifts)
	for _, m := range p.modes {
		d := direction * (mean - median(m))
		for _, by := range []float64{-4, -2, -1, -0.5, 0, 0.5, 1, 2, 4} {
			if x := d + by*sd; x > shifts[0] && x < shifts[len(shifts)-1] {
				at = append(at, x)
			}
		}
	}
	slices.Sort(at)
	return at
}

// A predictive is the predictive density of a step's next value.
type predictive struct {
	values        []float64   // logarithms, ascending
	modes         [][]float64 // their clusters, ascending; all values if there is but one
	center        float64     // their median
	width         float64     // of a kernel, > 0
	contamination float64     // share of values that the history says nothing of, in (0,1)
	table         []float64   // logarithms of the density, see logDensity
	from, step    float64     // its first place and the distance between two
}

// newPredictive describes a history of at least 3 logarithms. grain is the
// step of the clock relative to the step's usual duration, 0 for a fine clock.
func newPredictive(values []float64, contamination, grain float64) *predictive {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	p := &predictive{values: sorted, modes: findModes(sorted), center: median(sorted), contamination: contamination}
	share := kernelShare * (1 + kernelShort/float64(len(sorted)))
	// A clock that counts in grains adds an error that is uniform over a grain.
	p.width = max(share*withinSD(sorted, p.modes), kernelFloor, grain/math.Sqrt(12))
	p.tabulate()
	return p
}

// tabulate computes the density around the values, where it is asked for many
// times; a line between two places a quarter of a kernel apart is near enough.
func (p *predictive) tabulate() {
	p.step = p.width / 4
	p.from = p.values[0] - 0.3
	to := max(p.values[len(p.values)-1], p.center+1) + 0.3
	const most = 10_000 // places; a history that spans more is not worth a table
	p.table = make([]float64, int(min((to-p.from)/p.step, most))+2)
	for i := range p.table {
		p.table[i] = math.Log(p.density(observation{y: p.from + float64(i)*p.step}, 0))
	}
}

// logDensity is the logarithm of density.
func (p *predictive) logDensity(o observation, d float64) float64 {
	at := (o.y - d - p.from) / p.step
	if i := int(at); o.sd == 0 && at >= 0 && i+1 < len(p.table) {
		return p.table[i] + (at-float64(i))*(p.table[i+1]-p.table[i])
	}
	return math.Log(p.density(o, d))
}

// An observation is a new value: its logarithm, and the standard deviation of an
// error that it carries beside the step's own noise.
type observation struct{ y, sd float64 }

// density of the observation o, shifted by d.
func (p *predictive) density(o observation, d float64) float64 {
	f := (1 - p.contamination) * p.kernels(p.values, o, d)
	if above := o.y - d - p.center; above >= 0 {
		f += p.contamination * tailShare / tailScale * math.Exp(-above/tailScale)
	} else {
		f += p.contamination * (1 - tailShare) / headScale * math.Exp(above/headScale)
	}
	// Never zero: its logarithm is taken.
	return max(f, math.SmallestNonzeroFloat64*1e16)
}

// kernels is the density of a kernel at each of the given values.
func (p *predictive) kernels(values []float64, o observation, d float64) float64 {
	sum, width, y := 0.0, math.Hypot(p.width, o.sd), o.y-d
	for _, v := range values {
		sum += studentT4((y - v) / width)
	}
	return sum / (float64(len(values)) * width)
}

// evidence returns the logarithm to base 10 of the Bayes factor of a change in
// all of the new values, against none: that they are slower by one common
// factor, or that they all come from one mode that was rare before. Direction is
// +1 for a slowdown and -1 for a speed-up. Each value counts as so many equal ones.
func (p *predictive) evidence(values []observation, times int, direction float64) float64 {
	same := 0.0
	for _, o := range values {
		same += float64(times) * p.logDensity(o, 0)
	}
	// The prior of a shift falls by e for every factor of e. The integral over it
	// goes from shift to shift; it is summed relative to the largest term, as
	// densities of several values underflow.
	at := p.refined(values, direction)
	terms, largest := make([]float64, len(at)), math.Inf(-1)
	for i, d := range at {
		changed := -same - (d - at[0])
		for _, o := range values {
			changed += float64(times) * p.logDensity(o, direction*d)
		}
		terms[i] = changed
		largest = max(largest, changed)
	}
	sum := 0.0
	for i := 1; i < len(at); i++ {
		sum += (math.Exp(terms[i]-largest) + math.Exp(terms[i-1]-largest)) / 2 * (at[i] - at[i-1])
	}
	return math.Log10(math.Exp(p.settled(values, times, direction)-same) + math.Exp(largest+math.Log(sum)))
}

// settled is the logarithm of the likelihood of all values coming from one mode
// beyond the center, times the prior of that.
func (p *predictive) settled(values []observation, times int, direction float64) float64 {
	const prior = 0.1
	best := math.Inf(-1)
	for _, m := range p.modes {
		if direction*(median(m)-p.center) <= 0 {
			continue
		}
		likelihood := math.Log(prior / float64(len(p.modes)))
		for _, o := range values {
			likelihood += float64(times) * math.Log((1-p.contamination)*p.kernels(m, o, 0)+1e-12)
		}
		best = max(best, likelihood)
	}
	return best
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

// spread is the median absolute deviation, made consistent for normal values.
func spread(values []float64, center float64) float64 {
	d := make([]float64, len(values))
	for i, v := range values {
		d[i] = math.Abs(v - center)
	}
	slices.Sort(d)
	return 1.4826 * median(d)
}
