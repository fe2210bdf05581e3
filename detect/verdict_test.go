package detect

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// sideBySide is a build whose lint step ends long before its tests do.
func sideBySide(rng *rand.Rand, lint float64) []stepSpec {
	return []stepSpec{
		ran("[deps 1/1] RUN npm ci", noisy(rng, seconds(20), .05)),
		ran("[lint 1/1] RUN lint", noisy(rng, seconds(10*lint), .05), "[deps 1/1] RUN npm ci"),
		ran("[test 1/1] RUN test", noisy(rng, seconds(200), .05), "[deps 1/1] RUN npm ci"),
		ran("[app 1/1] COPY out", noisy(rng, seconds(5), .05), "[test 1/1] RUN test", "[lint 1/1] RUN lint"),
	}
}

// What costs the build nothing fails it not and asks for no second build, whether it is
// proven or suspect; it is told.
func TestNothingLostNothingFailed(t *testing.T) {
	const lint = "[lint 1/1] RUN lint"
	h := mainHistory(30, func(_ int, rng *rand.Rand) []stepSpec { return sideBySide(rng, 1) })
	seen := map[Status]bool{}
	for _, by := range []float64{1.2, 1.25, 1.3, 1.35, 1.4, 1.45, 1.5, 2, 6} {
		b := newBuild("pr", 100, sideBySide(rand.New(rand.NewPCG(1, 5)), by)...)
		r := Judge(&b, h, defaults)
		s := stepOf(t, &r, lint)
		seen[s.Status] = true
		if r.Verdict != Pass || s.WallClockSeconds > 0 {
			t.Errorf("×%g: %v at a cost of %v, %v (%v)", by, s.Status, s.WallClockSeconds, r.Verdict, r.Reason)
		}
	}
	if !seen[StatusSlower] || !seen[StatusSuspect] {
		t.Errorf("only %v were seen", seen)
	}
	// The same on the critical path.
	path := mainHistory(30, func(_ int, rng *rand.Rand) []stepSpec { return sideBySide(rng, 1)[2:3] })
	b := newBuild("pr", 100, ran("[test 1/1] RUN test", seconds(340)))
	if r := Judge(&b, path, defaults); stepOf(t, &r, "[test 1/1] RUN test").Status != StatusSuspect || r.Verdict != Unsure {
		t.Errorf("%v (%v), %v", r.Verdict, r.Reason, r.Steps[0].Status)
	}
}

// One build may prove alone what the one before it was as well: it began with that one.
func TestBeganBeforeItsProof(t *testing.T) {
	for seed := range uint64(10) {
		rng := rand.New(rand.NewPCG(seed, 9))
		h := &History{BaseBranch: "main"}
		took := func(n int) time.Duration {
			if n >= 20 {
				return noisy(rng, seconds(50), 0.02)
			}
			return noisy(rng, seconds(20), 0.02)
		}
		for n := range 21 {
			h.Base = append([]timeline.Build{newBuild("main", n, ran("RUN make", took(n)))}, h.Base...)
		}
		b := newBuild("main", 21, ran("RUN make", took(21)))
		r := Judge(&b, h, defaults)
		s := stepOf(t, &r, "RUN make")
		if s.Status != StatusSlower || s.Evidence.Builds != 2 || s.Evidence.Slow != 2 || s.Evidence.Since != h.Base[0].Revision {
			t.Errorf("seed %d: %v, %+v", seed, s.Status, s.Evidence)
		}
	}
}
