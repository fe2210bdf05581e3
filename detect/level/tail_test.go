package level

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/buildtest"
)

// What is remembered can be written down and read, and fades.
func TestTail(t *testing.T) {
	values := buildtest.RareMode(rand.New(rand.NewPCG(65, 66)), 200)
	tail := TailOf(values, 20)
	if again := NewTail(tail.Weight, tail.Bins()); again != tail {
		t.Errorf("%v read again is %v", tail.Bins(), again.Bins())
	}
	far := tail.Beyond(math.Log(50))
	if far <= 0 || far > tail.Weight || tail.Beyond(0) < far || tail.Beyond(math.Log(1000)) > 0 {
		t.Errorf("of a weight of %g, %g lies beyond ×50, %g beyond ×1,000", tail.Weight, far, tail.Beyond(math.Log(1000)))
	}
	older := TailOf(append(slices.Clone(values), slices.Repeat([]time.Duration{5 * time.Second}, 80)...), 20)
	if got := older.Beyond(math.Log(50)); got >= far || got <= 0 {
		t.Errorf("after 80 builds a weight of %g lies beyond ×50; it was %g", got, far)
	}
	if empty := TailOf(values[:20], 20); empty != (Tail{}) {
		t.Errorf("of nothing before the window: %v", empty)
	}
}
