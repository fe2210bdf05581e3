package level

import (
	"math"
	"slices"
	"time"
)

// Most false alarms are steps that take 5 s and, once in thirty builds, 500 s. The newest
// values of a step seldom show that; its older ones do. A Tail remembers of these how far
// above their own level they lay, in a few numbers, however many they were. An old value
// weighs a fifth of one within the window, and half as much for every fifty that came
// after it.

const (
	tailWeight   = 0.2  // of a value that has just left the window
	tailHalfLife = 50.0 // values after which it weighs half as much
	BinWidth     = 0.1  // width of a bin, as a natural logarithm
	tailBins     = 48   // up to ×120
	// tailAround is how many values before and after one tell what its level was.
	tailAround = 20
)

// TailReach is how many values before the window are worth remembering: older ones weigh
// hardly anything.
const TailReach = 150

// A Tail is what is remembered of the values of a step that are older than its window.
// The zero Tail remembers nothing.
type Tail struct {
	// Weight is that of all values together, in values within the window.
	Weight float64
	Above  [tailBins]float64 // weights by how far above the level they lay; the last takes all beyond
}

// A TailBin is the weight of the values that lay about so far above their level.
type TailBin struct {
	Above  float64 `json:"above"`  // natural logarithm of their time over the level's
	Weight float64 `json:"weight"` // in values within the window
}

// TailOf remembers values, oldest first, but for the newest window of them, which tell
// what the level of the others was.
func TailOf(values []time.Duration, window int) (t Tail) {
	older := len(values) - window
	if older <= 0 {
		return Tail{}
	}
	logs := make([]float64, len(values))
	for i, d := range values {
		logs[i] = math.Log(float64(max(d, 0)) + float64(tailOffset))
	}
	first := max(0, older-TailReach)
	var before, after rolling
	for _, y := range logs[max(0, first-tailAround):first] {
		before.insert(y)
	}
	for _, y := range logs[first:min(len(logs), first+tailAround)] {
		after.insert(y)
	}
	for i := first; i < older; i++ {
		after.remove(logs[i])
		if i+tailAround < len(logs) {
			after.insert(logs[i+tailAround])
		}
		level := after.median()
		if before.n > 0 {
			level = max(level, before.median())
		}
		t.fade()
		t.add(logs[i] - level)
		before.insert(logs[i])
		if i >= tailAround {
			before.remove(logs[i-tailAround])
		}
	}
	return t
}

// fade makes all that is remembered one value older.
func (t *Tail) fade() {
	fades := math.Exp2(-1 / tailHalfLife)
	t.Weight *= fades
	for i := range t.Above {
		t.Above[i] *= fades
	}
}

// add remembers a value that lay so far above its level, as a natural logarithm.
func (t *Tail) add(above float64) {
	t.Weight += tailWeight
	if bin := int(above / BinWidth); above > 0 {
		t.Above[min(bin, tailBins-1)] += tailWeight
	}
}

// Join remembers what another does as well.
func (t *Tail) Join(other *Tail) {
	t.Weight += other.Weight
	for i, w := range other.Above {
		t.Above[i] += w
	}
}

// Bins are the weights that are not zero, ascending.
func (t *Tail) Bins() (out []TailBin) {
	for i, w := range t.Above {
		if w > 0 {
			out = append(out, TailBin{(float64(i) + 0.5) * BinWidth, w})
		}
	}
	return out
}

// NewTail is the Tail of such a weight and such bins.
func NewTail(weight float64, bins []TailBin) (t Tail) {
	t.Weight = weight
	for _, b := range bins {
		if at := int(b.Above / BinWidth); at >= 0 {
			t.Above[min(at, tailBins-1)] += b.Weight
		}
	}
	return t
}

// Beyond is the weight of the values that lay further above than by, the bin in which
// that is counted in part.
func (t *Tail) Beyond(by float64) (sum float64) {
	if t.Weight == 0 {
		return 0
	}
	if by <= 0 {
		by = 0
	}
	at := by / BinWidth
	first := min(int(at), tailBins-1)
	for _, w := range t.Above[first+1:] {
		sum += w
	}
	return sum + t.Above[first]*max(0, 1-(at-float64(first)))
}

// tailOffset keeps times of nothing from lying infinitely far below their level.
const tailOffset = 10 * time.Millisecond

// A rolling holds the few values around another, ascending.
type rolling struct {
	sorted [tailAround + 1]float64
	n      int
}

func (r *rolling) insert(y float64) {
	at, _ := slices.BinarySearch(r.sorted[:r.n], y)
	copy(r.sorted[at+1:r.n+1], r.sorted[at:r.n])
	r.sorted[at] = y
	r.n++
}

func (r *rolling) remove(y float64) {
	at, _ := slices.BinarySearch(r.sorted[:r.n], y)
	copy(r.sorted[at:], r.sorted[at+1:r.n])
	r.n--
}

func (r *rolling) median() float64 { return Median(r.sorted[:r.n]) }
