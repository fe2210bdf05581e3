package detect

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/buildregress/buildregress/detect/timeline"
)

// On main with several kinds of machine, a level that was accepted is the one that
// builds are judged by, and no build from before it is evidence against it.
func TestAcceptanceOnMixedRunners(t *testing.T) {
	const n = 30
	for _, since := range []int{n - 1, n - 2, n - 3} {
		for _, by := range []float64{1. / 3, 2, 3} {
			h := mainHistory(n, func(i int, rng *rand.Rand) []stepSpec {
				if i >= since {
					return slow(compile, by)(app(rng))
				}
				return app(rng)
			})
			for i := range h.Base {
				h.Base[i].Runner = []string{"Linux/X64", "Linux/ARM64"}[i%2]
			}
			p := defaults
			p.Accept = []Acceptance{{Step: "*make compile*", Since: h.Base[n-1-since].Revision, Why: "it is worth it"}}
			for b := range 4 {
				b := edit("main", n+b, slow(compile, by))
				b.Runner = "Linux/ARM64"
				r := Judge(&b, h, p)
				s := stepOf(t, &r, compile)
				if s.Status != StatusSame {
					t.Errorf("×%.2g accepted %d builds ago: %v, usually %v", by, n-since, s.Status, s.Usual)
				}
				if got := len(s.Basis.Values); got > n-since+1 {
					t.Errorf("×%.2g accepted %d builds ago: %d values are evidence", by, n-since, got)
				}
			}
		}
	}
}

// An edit of main that was taken back says nothing of the step as it was before and
// is again.
func TestEditTakenBack(t *testing.T) {
	const tried = "[build 2/4] RUN make compile --with-lto"
	h := mainHistory(24, func(n int, rng *rand.Rand) []stepSpec {
		if n >= 20 {
			return rename(slow(compile, 3)(app(rng)), compile, tried)
		}
		return app(rng)
	})
	b := edit("main", 24, slow(compile, 1.1))
	r := Judge(&b, h, defaults)
	s := stepOf(t, &r, compile)
	wantStatus(t, s, StatusSame)
	if s.N != 20 || s.Evidence.Builds != 1 || len(s.Basis.Values) != 1 || len(s.Basis.Judged) != 0 {
		t.Errorf("%d samples, evidence %+v, by %+v; want 20 samples, and this build alone", s.N, s.Evidence, s.Basis)
	}
}

// A build of main that is evidence is one of the history as well, even where it cannot
// be told which of several equal steps is which.
func TestEvidenceIsOfTheHistory(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 3))
	for range 200 {
		some := func(branch string, n int) timeline.Build {
			var steps []stepSpec
			for _, name := range []string{"[stage-0 1/2] RUN ./task", "[stage-0 2/2] RUN ./more", "[stage-1 1/2] RUN ./task", "[stage-2 1/2] RUN ./task", "exporting to image"} {
				if rng.IntN(4) > 0 {
					steps = append(steps, ran(name, noisy(rng, seconds(20), .1)))
				}
			}
			return newBuild(branch, n, steps...)
		}
		h := &History{BaseBranch: "main"}
		for n := range 20 {
			h.Base = slices.Insert(h.Base, 0, some("main", n))
		}
		b := some("main", 20)
		r := Judge(&b, h, defaults)
		for i := range r.Steps {
			s := &r.Steps[i]
			if s.Basis == nil {
				continue
			}
			for _, id := range s.Basis.Judged {
				if !slices.ContainsFunc(s.History, func(p Point) bool { return p.ID == id }) {
					t.Fatalf("%s: %s is judged, and no sample", s.Name, id)
				}
			}
		}
	}
}

// A fork's main is not main: its own builds are evidence, and those of main are the
// level.
func TestMainOfAFork(t *testing.T) {
	h := appHistory(20)
	for i := range h.Base {
		h.Base[i].Repository = "owner/name"
	}
	for n := range 3 {
		b := edit("main", 100+n, slow(compile, 1.6))
		b.ID, b.Repository = b.ID+"-fork", "fork/name"
		r := Judge(&b, h, defaults)
		s := stepOf(t, &r, compile)
		if len(s.Basis.Values) != n+1 || len(s.Basis.Judged) != 0 || s.Evidence.Builds != n+1 {
			t.Errorf("build %d: %d values, of main %q, evidence of %d builds", n+1, len(s.Basis.Values), s.Basis.Judged, s.Evidence.Builds)
		}
		h.Branch = slices.Insert(h.Branch, 0, b)
	}
}
