package timeline_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/buildtest"
	"github.com/buildregress/buildregress/detect/timeline"
)

// A step on the critical path beside which another one ran is worth only what it is longer.
func TestWithout(t *testing.T) {
	b := buildtest.New("main", 1,
		buildtest.Ran("[a 1/1] RUN a", 10*time.Second),
		buildtest.Ran("[b 1/1] RUN b", 8*time.Second),
		buildtest.Ran("[c 1/1] RUN c", 7*time.Second),
		buildtest.Ran("[stage-3 1/2] COPY --from=a / /", time.Second, "[a 1/1] RUN a", "[b 1/1] RUN b", "[c 1/1] RUN c"),
		buildtest.Ran("[stage-3 2/2] RUN d", 3*time.Second, "[stage-3 1/2] COPY --from=a / /"),
	)
	s := timeline.NewSchedule(&b)
	for _, c := range []struct {
		free []int
		want time.Duration
	}{
		{nil, 0},
		{[]int{0}, 2 * time.Second},
		{[]int{1}, 0},
		{[]int{0, 1}, 3 * time.Second},
		{[]int{0, 1, 2}, 10 * time.Second},
		{[]int{4}, 3 * time.Second},
		{[]int{0, 4}, 5 * time.Second},
	} {
		if got := s.Without(c.free...); got != c.want {
			t.Errorf("without %v: %s, want %s", c.free, got, c.want)
		}
	}
	// It waits for the second one no longer, and what follows waits for both.
	if got := s.Abreast(3, 4); got != time.Second {
		t.Errorf("beside: %s", got)
	}
}

// Whatever the schedule: without a change nothing is saved; more without more steps; never
// more than these took, nor the build.
func TestReplayBounds(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 3000 {
		b := buildtest.Random(r, n)
		s := timeline.NewSchedule(&b)
		if s == nil {
			continue
		}
		var free []int
		var took, before time.Duration
		if got := s.Without(); got != 0 {
			t.Fatalf("build %d: %s saved by nothing: %+v", n, got, b.Steps)
		}
		for _, i := range r.Perm(len(b.Steps)) {
			free, took = append(free, i), took+b.Steps[i].Duration
			saved := s.Without(free...)
			if saved < before || saved > took || saved > b.Duration {
				t.Fatalf("build %d without %v: %s after %s, of %s: %+v", n, free, saved, before, took, b.Steps)
			}
			before = saved
		}
		for _, k := range s.Order {
			for _, p := range s.Waits[k] {
				if saved := s.Abreast(p, k); saved < 0 || saved > min(b.Steps[k].Duration, b.Steps[p].Duration) {
					t.Fatalf("build %d: %d beside %d saves %s: %+v", n, k, p, saved, b.Steps)
				}
			}
		}
	}
}
