package detect

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/buildregress/buildregress/detect/timeline"
)

// What is evidence on main is no part of the level that it is judged by, also where
// builds on another kind of machine stand between. The verdict is the one that the
// same values get as a branch's, against a baseline without them.
func TestEvidenceOnMixedRunnersIsNoLevel(t *testing.T) {
	const n = 24
	for _, by := range []float64{1.2, 1.3, 1.6, 3} {
		h := mainHistory(n, func(i int, rng *rand.Rand) []stepSpec {
			if i%2 == 1 && i >= n-3 {
				return slow(compile, by)(app(rng))
			}
			return app(rng)
		})
		for i := range h.Base {
			h.Base[i].Runner = []string{"Linux/ARM64", "Linux/X64"}[i%2]
		}
		b := edit("main", n, slow(compile, by))
		b.Runner = "Linux/ARM64"
		r := Judge(&b, h, defaults)
		got := stepOf(t, &r, compile)

		apart := *h
		apart.Base = append([]timeline.Build{h.Base[1]}, h.Base[3:]...)
		apart.Branch = slices.Clone([]timeline.Build{h.Base[0], h.Base[2]})
		branch := b
		branch.Branch = "pr"
		r = Judge(&branch, &apart, defaults)
		if want := stepOf(t, &r, compile); got.Status != want.Status || got.P > 10*want.P {
			t.Errorf("×%g: %v (p %.2g, evidence of %d), want %v (p %.2g, evidence of %d)",
				by, got.Status, got.P, got.Evidence.Builds, want.Status, want.P, want.Evidence.Builds)
		}
	}
}
