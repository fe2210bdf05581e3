package detect

import (
	"math"
	"slices"
	"sync"

	"github.com/buildregress/buildregress/detect/level"
	"gonum.org/v1/gonum/stat"
)

// This file holds the statistics of one value of one step: how probable a value as large
// as this is if nothing changed. It works on natural logarithms of durations, as slowness
// multiplies.
//
// The next value is as likely as not one like those seen before: a kernel at each of the
// window, and, weaker, at each that is older (Tail), says how likely it is to lie beyond y.
// Or it is one such as was never seen: the weight of one value is left to that, and how far
// such values lie from their center is borrowed from the steps of the same kind, from these
// alone as far as they are many, else from all steps of the build, in units of each step's
// spread, and from a prior last. So a noisy kind of step says little of a quiet one, and a
// step with few values of its own is judged by what its siblings did.
//
// The probability falls with y, whatever the history: a larger value is never judged milder.

const (
	// A kernel is half as wide as the history's spread, but that of a widely spread
	// history is narrower; wider for a short history, whose center and spread are
	// uncertain; and never narrower than 4 %: quiet steps are quieter in 20 builds than
	// in the long run.
	kernelShare = 0.5
	kernelShort = 5.0 // values at which the width doubles
	kernelFloor = 0.04
	kernelWide  = 0.1 // spread beyond which a kernel grows with the root of it alone
	// kernelSlope makes the logistic function the upper tail of a standard normal one.
	kernelSlope = 1.7
	// novel is the weight, in values, of what the history says nothing of.
	novel = 1.0
	// kindWeight is how many values of its kind a step is drawn by as strongly as by
	// all steps of the build; buildWeight how many of these by as strongly as by the prior.
	kindWeight  = 5.0
	buildWeight = 20.0
	// spreadWeight is how many values the usual spread of the build's steps counts for.
	spreadWeight = 2.0
	leastSpread  = 0.005
)

// A predictive is what the history of a step says of its next value.
type predictive struct {
	values []float64 // logarithms, ascending
	center float64   // their median
	ties   float64   // see tiesOf
	width  float64   // of a kernel, > 0
	scale  float64   // by which distances from the center are compared with other steps'
	tail   *level.Tail
	pools  *pools
	kind   *pool // of its siblings and itself; nil if it has none
}

// A pools holds what the steps of one build say of each other.
type pools struct {
	spread float64 // the usual one
	kinds  map[string]*pool
	all    []float64 // distances from the center of all steps, in units of scale, ascending
}

// A pool is the distances from their center of the values of some steps, ascending, and
// what is remembered of their older ones.
type pool struct {
	distances []float64
	tail      level.Tail
}

// newPools gathers the values of tests.
func newPools(tests []*stepTest) *pools {
	p := &pools{kinds: map[string]*pool{}}
	spreads, n := make([]float64, len(tests)), 0
	members := map[string]int{}
	for i, st := range tests {
		spreads[i] = winsorisedSD(st.values)
		n += len(st.values)
		members[st.trial.Kind]++
	}
	if len(tests) > 0 {
		p.spread = max(leastSpread, level.Median(slices.Sorted(slices.Values(spreads))))
	}
	p.all = make([]float64, 0, n)
	for i, st := range tests {
		st.model = &predictive{values: st.values, ties: tiesOf(st.values), center: st.center, tail: &st.tail, pools: p}
		st.modes = findModes(st.values)
		within := spreads[i]
		if len(st.modes) > 1 {
			within = withinSD(st.modes)
		}
		st.model.fit(spreads[i], within, st.clockStep)
		for _, y := range st.values {
			p.all = append(p.all, (y-st.center)/st.model.scale)
		}
		if kind := st.trial.Kind; kind != "" && members[kind] > 1 {
			k := p.kinds[kind]
			if k == nil {
				k = &pool{}
				p.kinds[kind] = k
			}
			for _, y := range st.values {
				k.distances = append(k.distances, y-st.center)
			}
			k.tail.Join(&st.tail)
			st.model.kind = k
		}
	}
	slices.Sort(p.all)
	for _, k := range p.kinds {
		slices.Sort(k.distances)
	}
	return p
}

// fit finds width and scale. all is the deviation of the values, within that from the
// middle of their own modes; grain the step of the clock relative to the step's usual
// duration, 0 for a fine clock.
func (p *predictive) fit(all, within, grain float64) {
	n, usual := float64(len(p.values)), p.pools.spread
	drawn := func(sd float64) float64 {
		return math.Sqrt((spreadWeight*usual*usual + (n-1)*sd*sd) / (n - 1 + spreadWeight))
	}
	spread := drawn(within)
	share := kernelShare * (1 + kernelShort/n)
	// A clock that counts in grains adds an error that is uniform over a grain.
	p.width = max(share*min(spread, math.Sqrt(kernelWide*spread)), kernelFloor, grain/math.Sqrt(12))
	p.scale = math.Pow(math.Hypot(drawn(all), 0.03)/0.1, 0.75)
}

// An observation is a new value: its logarithm, and the standard deviation of an
// error that it carries beside the step's own noise.
type observation struct{ y, sd float64 }

// beyond is the probability that a value lies as far from the center as o or farther, if
// nothing changed: above it in direction 1, below it in direction -1.
func (p *predictive) beyond(o observation, direction float64) float64 {
	width := p.width
	if o.sd > 0 {
		width = math.Hypot(width, o.sd)
	}
	sum, n := 0.0, float64(len(p.values))+novel
	per := direction / width
	for _, v := range p.values {
		sum += kernel((o.y - v) * per)
	}
	d := direction * (o.y - p.center)
	if direction > 0 && p.tail.Weight > 0 {
		n += p.tail.Weight
		rest := p.tail.Weight
		for i, w := range p.tail.Above {
			if w > 0 {
				sum += w * kernel((d-(float64(i)+0.5)*level.BinWidth)/width)
				rest -= w
			}
		}
		sum += max(0, rest) * kernel(d/width)
	}
	return (sum + novel*p.kindBeyond(o.y-direction*o.sd, direction)) / n
}

// kernel is how much of a value's kernel lies beyond a place z widths above it.
func kernel(z float64) float64 {
	at := (z + kernelReach) * kernelGrid
	switch {
	case at >= 2*kernelReach*kernelGrid:
		return 0
	case at <= 0:
		return 1
	}
	i := int(at)
	return kernels[i] + (at-float64(i))*(kernels[i+1]-kernels[i])
}

const (
	// kernelReach is how many widths away from its value a kernel still counts.
	kernelReach = 12
	kernelGrid  = 32 // places to a width
)

// kernels are the values of a kernel at the places of its grid: between them it is a line.
// It is asked for too often to be computed each time.
var kernels = func() (k [2*kernelReach*kernelGrid + 1]float64) {
	for i := range k[:len(k)-1] {
		k[i] = 1 / (1 + math.Exp(kernelSlope*(float64(i)/kernelGrid-kernelReach)))
	}
	k[0] = 1
	return k
}()

// kindBeyond is the share of the values of a step's siblings that lie as far from their
// center as y does from its own, drawn towards that of all steps of the build.
func (p *predictive) kindBeyond(y, direction float64) float64 {
	d, own := y-p.center, countBeyond(p.values, y, direction)
	far := countBeyond(p.pools.all, d/p.scale, direction) - own
	n := float64(len(p.pools.all) - len(p.values))
	share := (far + buildWeight*priorBeyond(direction*d/p.scale)) / (n + buildWeight)
	if p.kind == nil {
		return share
	}
	far = countBeyond(p.kind.distances, d, direction) - own
	n = float64(len(p.kind.distances) - len(p.values))
	if direction > 0 {
		far += max(0, p.kind.tail.Beyond(d)-p.tail.Beyond(d))
		n += max(0, p.kind.tail.Weight-p.tail.Weight)
	}
	return (far + kindWeight*share) / (n + kindWeight)
}

// countBeyond is how many of the ascending values lie at y or beyond it.
func countBeyond(values []float64, y, direction float64) float64 {
	if direction < 0 {
		at, _ := slices.BinarySearch(values, math.Nextafter(y, math.Inf(1)))
		return float64(at)
	}
	at, _ := slices.BinarySearch(values, y)
	return float64(len(values) - at)
}

// priorBeyond is the prior of that share, of a step of which only the spread is known: most
// values lie near, and of a few that do not, the distance falls slowly. d is in units of the
// step's scale.
func priorBeyond(d float64) float64 {
	if d <= 0 {
		return 0.5
	}
	return 0.46*math.Exp(-d/0.08) + 0.04*math.Exp(-d/0.5)
}

// buffers are room for copies of numbers that are done with: a build of many steps has many.
var buffers = sync.Pool{New: func() any { return new([]float64) }}

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
func withinSD(modes [][]float64) float64 {
	var residuals []float64
	for _, m := range modes {
		center := level.Median(m)
		for _, v := range m {
			residuals = append(residuals, v-center)
		}
	}
	slices.Sort(residuals)
	return winsorisedSD(residuals)
}
