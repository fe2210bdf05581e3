package detect

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// A job has one long step and four short ones on a clock of whole seconds, which now and
// then take a second more.
func job(rng *rand.Rand, by float64) []stepSpec {
	whole := func(s float64) time.Duration { return time.Duration(math.Round(s)) * time.Second }
	short := func(s float64) time.Duration {
		if rng.IntN(4) == 0 {
			s++
		}
		return whole(s)
	}
	specs := []stepSpec{
		ran("[job 1/5] Set up job", short(2)),
		ran("[job 2/5] Run checkout", short(3)),
		ran("[job 3/5] Run tests", whole(120*by*math.Exp(.06*rng.NormFloat64()))),
		ran("[job 4/5] Upload results", short(4)),
		ran("[job 5/5] Complete job", short(1)),
	}
	for i := 1; i < len(specs); i++ {
		specs[i].Inputs = []string{specs[i-1].Name}
	}
	return specs
}

// The one long step of a job is not the measure of its machine: what it takes longer is
// its own, however few and short the others are.
func TestGuiltyStepIsNoWitness(t *testing.T) {
	const tests = "[job 3/5] Run tests"
	found := map[float64]int{}
	const rounds = 20
	for round := range rounds {
		h := mainHistory(30, func(n int, _ *rand.Rand) []stepSpec {
			return job(rand.New(rand.NewPCG(uint64(round), uint64(n))), 1)
		})
		for i := range h.Base {
			h.Base[i].Resolution = time.Second
		}
		for _, by := range []float64{1, 1.6, 2.5, 4.5} {
			h.Branch = nil
			var r Result
			builds := 1
			if by == 1.6 {
				builds = 2
			}
			for n := range builds {
				b := newBuild("pr", 100+n, job(rand.New(rand.NewPCG(uint64(round), uint64(1000*by)+uint64(n))), by)...)
				b.Resolution = time.Second
				r = Judge(&b, h, defaults)
				h.Branch = append([]timeline.Build{b}, h.Branch...)
			}
			if stepOf(t, &r, tests).Status == StatusSlower {
				found[by]++
			}
			if f := r.RunnerFactor; f != nil && (f.Value > 1.35 || f.Value < 1/1.35) {
				t.Errorf("×%g: a machine at ×%.3g, by %d steps", by, f.Value, f.Steps)
			}
		}
	}
	if found[1] > 0 || found[1.6] < rounds*8/10 || found[2.5] < rounds*8/10 || found[4.5] < rounds {
		t.Errorf("of %d times called slower: %v", rounds, found)
	}
}
