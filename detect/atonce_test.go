package detect

import (
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"
)

// Builds may be judged at the same time, and one again and again: room that is used
// again shows in none of the results.
func TestJudgedAtOnce(t *testing.T) {
	h := mainHistory(60, func(n int, rng *rand.Rand) []stepSpec {
		steps := wideBuilds(40)(n, rng)
		for i := range steps {
			if n >= 40 { // each level has shifted
				steps[i].Took = steps[i].Took * 4 / 3
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
