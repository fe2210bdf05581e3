package detect

import (
	"math"
	"sync"
)

// The evidence for a slowdown integrates the predictive density over all shifts, at many
// values, for many steps. The density is therefore tabulated once, on a grid of a third of
// a kernel's width, and read by linear interpolation; the integral over shifts follows along
// the grid by a recursion. Beyond all kernels both are the contamination's, in closed form.

const (
	// perKernel is how many places of a table a kernel's width is divided into.
	perKernel = 3
	// kernelReach is how many widths away from its value a kernel still counts;
	// beyond, the contamination is all there is.
	kernelReach = 16
)

// reach is the same in places of a table.
const reach = perKernel * kernelReach

// kernel holds Student's t density at the places of a table around a kernel's middle,
// in units of its width.
var kernel = func() (k [2*reach + 1]float64) {
	for i := range k {
		k[i] = studentT4(float64(i-reach) / perKernel)
	}
	return k
}()

// A table is a predictive density, computed once at places a third of a kernel
// apart, as it is asked for many times. Between two places it is a line, and
// beyond the outermost it is the contamination.
type table struct {
	p          *predictive
	sd         float64 // error of an observation
	from, step float64
	f          []float64
	lagged     [4][]float64 // by k, see lag
	buffer     *[]float64   // holds all of these
}

// buffers are room for numbers, of tables and of copies that are done with: a build of
// many steps has many.
var buffers = sync.Pool{New: func() any { return new([]float64) }}

// take is room for n places more, all zero.
func (t *table) take(n int) []float64 {
	b := *t.buffer
	if len(b)+n > cap(b) {
		b = make([]float64, 0, 4*n)
	}
	room := b[len(b) : len(b)+n : len(b)+n]
	clear(room)
	*t.buffer = b[:len(b)+n]
	return room
}

// release ends the use of the table.
func (t *table) release() {
	*t.buffer = (*t.buffer)[:0]
	buffers.Put(t.buffer)
	t.buffer, t.f, t.lagged = nil, nil, [4][]float64{}
}

func newTable(p *predictive, sd float64) *table {
	t := &table{p: p, sd: sd, buffer: buffers.Get().(*[]float64)}
	width := math.Hypot(p.width, sd)
	t.step = width / perKernel
	low, high := p.values[0], p.values[len(p.values)-1]
	t.from = low - kernelReach*width
	places := int((high-low)/t.step) + len(kernel) + 2
	t.f = t.take(places)

	// Each value is shared out to the two places beside it, and each of these then
	// to all places around.
	share := t.take(places)
	for _, v := range p.values {
		at := (v - t.from) / t.step
		i := int(at)
		share[i] += float64(i+1) - at
		share[i+1] += at - float64(i)
	}
	height := (1 - p.contamination) / (float64(len(p.values)) * width)
	for i, weight := range share {
		if weight == 0 {
			continue
		}
		weight *= height
		first := max(0, i-reach)
		around := t.f[first:min(places, i+reach+1)]
		k := kernel[first-i+reach:]
		k = k[:len(around)]
		for at := range around {
			around[at] += weight * k[at]
		}
	}
	// The contamination goes on from place to place by one factor.
	center := int(math.Ceil((p.center - t.from) / t.step))
	for i, c, falls := center, p.tail(t.place(center)), math.Exp(-t.step/tailScale); i < places; i++ {
		t.f[i] += c
		c *= falls
	}
	for i, c, falls := center-1, p.head(t.place(center-1)), math.Exp(-t.step/headScale); i >= 0; i-- {
		t.f[i] += c
		c *= falls
	}
	return t
}

func (t *table) place(i int) float64 { return t.from + float64(i)*t.step }

// end is where the density is but that of the contamination.
func (t *table) end() float64 { return t.place(len(t.f) - 1) }

// at is the density at y. It is never zero for what a duration can be.
func (t *table) at(y float64) float64 {
	u := (y - t.from) / t.step
	if u < 0 {
		return t.p.head(y)
	}
	i := int(u)
	if i+1 >= len(t.f) {
		return t.p.tail(y)
	}
	return t.f[i] + (u-float64(i))*(t.f[i+1]-t.f[i])
}

// odds are how much likelier k equal observations (1 to 3) at y are if they are slower by
// an unknown factor than if nothing has changed.
func (t *table) odds(y float64, k int) float64 {
	return t.lag(y-leastShift, k) / power(t.at(y), k)
}

// lag is the integral over u from 0 of the k-th power of the density at x-u, times
// exp(-u): what the prior makes of the density. From one place to the next it
// follows by itself.
func (t *table) lag(x float64, k int) float64 {
	s := t.lagged[k]
	if s == nil {
		s = t.take(len(t.f))
		falls, half := math.Exp(-t.step), t.step/2
		last := power(t.f[0], k)
		sum := last / (1 + float64(k)/headScale)
		for i, f := range t.f {
			next := power(f, k)
			if i > 0 {
				sum = falls*sum + half*(falls*last+next)
			}
			s[i], last = sum, next
		}
		t.lagged[k] = s
	}
	u := (x - t.from) / t.step
	if u < 0 {
		return power(t.p.head(x), k) / (1 + float64(k)/headScale)
	}
	i := int(u)
	if i+1 < len(s) {
		return s[i] + (u-float64(i))*(s[i+1]-s[i])
	}
	beyond, rate := x-t.place(len(s)-1), float64(k)/tailScale-1
	return math.Exp(-beyond)*s[len(s)-1] + power(t.p.tail(x), k)*math.Expm1(beyond*rate)/rate
}

// power is x to the k-th, 1 to 3.
func power(x float64, k int) float64 {
	switch k {
	case 1:
		return x
	case 2:
		return x * x
	}
	return x * x * x
}
