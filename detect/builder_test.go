package detect

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/buildtest"
	"github.com/buildregress/buildregress/detect/timeline"
)

// The builds of the tests, see buildtest.
type stepSpec = buildtest.Step

var (
	epoch    = buildtest.Epoch
	ran      = buildtest.Ran
	hit      = buildtest.Hit
	newBuild = buildtest.New
)

// noisy returns d with a relative noise of about sd, the same for the same seed.
func noisy(rng *rand.Rand, d time.Duration, sd float64) time.Duration {
	return time.Duration(float64(d) * math.Exp(sd*rng.NormFloat64()))
}

// mainHistory makes n builds of main, newest first, by what spec returns for each
// of them, the oldest being number 0.
func mainHistory(n int, spec func(n int, rng *rand.Rand) []stepSpec) *History {
	rng := rand.New(rand.NewPCG(1, 2))
	h := &History{BaseBranch: "main", Source: "test"}
	for i := range n {
		h.Base = append([]timeline.Build{newBuild("main", i, spec(i, rng)...)}, h.Base...)
	}
	return h
}

// stepOf finds the result of the step of the given name.
func stepOf(t *testing.T, r *Result, name string) *StepResult {
	t.Helper()
	for i := range r.Steps {
		if r.Steps[i].Name == name {
			return &r.Steps[i]
		}
	}
	t.Fatalf("no step %q in the result", name)
	return nil
}

func seconds(s float64) time.Duration { return time.Duration(s * 1e9) }

// defaults are asked for where a test is about something else.
var defaults = Policy{Thresholds: DefaultThresholds}
