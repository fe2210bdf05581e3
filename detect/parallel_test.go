package detect

import (
	"math/rand/v2"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
)

// Every call is made once, and a panic in one of them is the caller's to recover.
func TestInParallel(t *testing.T) {
	for _, n := range []int{0, 1, 15, 33, 1000} {
		calls := make([]atomic.Int32, n)
		inParallel(n, enough, func(i int) { calls[i].Add(1) })
		for i := range calls {
			if got := calls[i].Load(); got != 1 {
				t.Errorf("of %d, call %d was made %d times", n, i, got)
			}
		}
	}
	defer func() {
		if cause := recover(); cause != "broken" {
			t.Errorf("recovered %v", cause)
		}
	}()
	inParallel(1000, enough, func(i int) {
		if i == 700 {
			panic("broken")
		}
	})
	t.Error("it returned")
}

// Builds may be judged at the same time, and one again and again: room that is used
// again shows in none of the results.
func TestJudgedAtOnce(t *testing.T) {
	h := mainHistory(60, func(n int, rng *rand.Rand) []stepSpec {
		steps := wideBuilds(40)(n, rng)
		for i := range steps {
			if n >= 40 { // each level has shifted
				steps[i].took = steps[i].took * 4 / 3
			}
		}
		return steps
	})
	build := newBuild("pr", 1000, wideBuilds(40)(0, rand.New(rand.NewPCG(1, 9)))...)
	p := defaults
	p.Window = 60
	want := Judge(&build, h, p)
	var others sync.WaitGroup
	for range 4 {
		others.Go(func() {
			for range 10 {
				if got := Judge(&build, h, p); !reflect.DeepEqual(got, want) {
					t.Error("the same build is judged in two ways")
					return
				}
			}
		})
	}
	others.Wait()
}
