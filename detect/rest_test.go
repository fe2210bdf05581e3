package detect

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// namesLargest checks that what has no name is not the largest part of an account whose
// parts add up.
func namesLargest(t *testing.T, what any, w *WallClock) {
	t.Helper()
	var sum, nameless, largest timeline.Seconds
	for _, p := range w.Parts {
		sum += p.Seconds
		if d := timeline.Seconds(p.Seconds.D().Abs()); p.Cause == CauseOther || p.Cause == CauseRest {
			nameless = max(nameless, d)
		} else {
			largest = max(largest, d)
		}
	}
	if sum != w.Delta {
		t.Errorf("%v: the parts sum to %v of %v", what, sum, w.Delta)
	}
	if nameless > largest && nameless.D() > time.Millisecond {
		t.Errorf("%v: %v without a name, of %+v", what, nameless, w.Parts)
	}
}

// Whatever happens to steps, gaps and paths, the largest part of the account has a name.
func TestLargestPartHasAName(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		n := 2 + rng.IntN(8)
		names := []string{"[a 1/9] RUN a", "[b 2/9] RUN b", "[c 3/9] RUN c", "[a 4/9] RUN d", "[b 5/9] RUN e", "[c 6/9] RUN f", "[a 7/9] RUN g", "[b 8/9] RUN h", "[-] 9 RUN i"}
		inputs := make([]int, n)
		for i := range inputs {
			inputs[i] = rng.IntN(i + 1) // itself is none
		}
		spread := []float64{0, 0.02, 0.5}[rng.IntN(3)]
		build := func(branch string, k int, odd bool) timeline.Build {
			var specs []stepSpec
			for i := range n {
				took := seconds(float64(1+(i*7+int(seed))%13) * (1 + spread*rng.Float64()))
				if odd && rng.IntN(3) == 0 {
					took = time.Duration(float64(took) * (0.1 + 6*rng.Float64()))
				}
				s := ran(names[i], took)
				if inputs[i] != i {
					s.Inputs = []string{names[inputs[i]]}
				}
				if rng.IntN(8) == 0 {
					s.State, s.Took = timeline.Cached, 0
				}
				specs = append(specs, s)
			}
			b := newBuild(branch, k, specs...)
			// Gaps, of the build's own and of the machine's.
			var shift time.Duration
			for i := range b.Steps {
				if rng.IntN(6) == 0 || odd && rng.IntN(3) == 0 {
					shift += seconds(4 * rng.Float64())
				}
				b.Steps[i].Start = b.Steps[i].Start.Add(shift)
			}
			b.Duration += shift + seconds(0.3*rng.Float64())
			if odd && rng.IntN(8) == 0 {
				b.Duration += seconds(20)
			}
			return b
		}
		h := &History{BaseBranch: "main"}
		for k := range 8 + rng.IntN(20) {
			h.Base = append([]timeline.Build{build("main", k, false)}, h.Base...)
		}
		b := build("pr", 100, true)
		r := Judge(&b, h, defaults)
		if len(r.WallClock.Parts) > 0 {
			namesLargest(t, seed, &r.WallClock)
		}
	}
}

// A gap is told by the step before which it was.
func TestGapIsNamed(t *testing.T) {
	specs := []stepSpec{ran("[1/2] RUN a", seconds(5)), ran("[2/2] RUN b", seconds(5), "[1/2] RUN a")}
	h := mainHistory(20, func(int, *rand.Rand) []stepSpec { return specs })
	b := newBuild("pr", 100, specs...)
	b.Steps[1].Start = b.Steps[1].Start.Add(seconds(30))
	b.Duration += seconds(30)
	r := Judge(&b, h, defaults)
	if p := r.WallClock.Parts[0]; p.Cause != CauseGap || p.Step != b.Steps[1].Key || (p.Seconds.D()-seconds(30)).Abs() > seconds(1) {
		t.Errorf("the account is %+v", r.WallClock.Parts)
	}
	b = newBuild("pr", 100, specs...)
	b.Duration += seconds(30)
	r = Judge(&b, h, defaults)
	if p := r.WallClock.Parts[0]; p.Cause != CauseGap || p.Step != "" {
		t.Errorf("the account is %+v", r.WallClock.Parts)
	}
}

// Another critical path is told by the steps that are on it, or are no longer.
func TestPathIsNamed(t *testing.T) {
	const main, beside, after = "[main 1/1] RUN long", "[side 1/1] RUN beside", "[-] RUN after"
	list := func(long time.Duration) []stepSpec {
		return []stepSpec{ran(main, long), ran(beside, seconds(50)), ran(after, seconds(5), main, beside)}
	}
	h := mainHistory(20, func(int, *rand.Rand) []stepSpec { return list(seconds(100)) })
	b := newBuild("pr", 100, list(seconds(40))...)
	r := Judge(&b, h, defaults)
	// It took 60 s less, and the build 50 s less, as it waits for another step now.
	namesLargest(t, "path", &r.WallClock)
	if d := r.WallClock.Delta.D(); (d + seconds(50)).Abs() > seconds(2) {
		t.Fatalf("delta %v", d)
	}
	for _, p := range r.WallClock.Parts {
		if p.Cause == CauseRest && p.Seconds.D().Abs() > seconds(1) {
			t.Errorf("the account is %+v", r.WallClock.Parts)
		}
	}
}
