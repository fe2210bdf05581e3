package detect

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// A step on the critical path beside which another one ran is worth only what it is longer.
func TestWithout(t *testing.T) {
	b := newBuild("main", 1,
		ran("[a 1/1] RUN a", 10*time.Second),
		ran("[b 1/1] RUN b", 8*time.Second),
		ran("[c 1/1] RUN c", 7*time.Second),
		ran("[stage-3 1/2] COPY --from=a / /", time.Second, "[a 1/1] RUN a", "[b 1/1] RUN b", "[c 1/1] RUN c"),
		ran("[stage-3 2/2] RUN d", 3*time.Second, "[stage-3 1/2] COPY --from=a / /"),
	)
	s := scheduleOf(&b)
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
		if got := s.without(c.free...); got != c.want {
			t.Errorf("without %v: %s, want %s", c.free, got, c.want)
		}
	}
	// It waits for the second one no longer, and what follows waits for both.
	if got := s.abreast(3, 4); got != time.Second {
		t.Errorf("beside: %s", got)
	}
}

// randomBuild is a build of some steps, each of which waits for some before it, for a while.
func randomBuild(r *rand.Rand, n int) Build {
	b := Build{ID: fmt.Sprint(n), Start: epoch.Add(time.Duration(n) * time.Hour), Origin: Origin{Branch: "main"}}
	for i := range 2 + r.IntN(12) {
		s := Step{Key: fmt.Sprintf("[s%d] RUN %d", i%3, i), ID: fmt.Sprint(i), Stage: fmt.Sprint("s", i%3), Index: i/3 + 1, Count: 5, Duration: time.Duration(r.IntN(5000)) * time.Millisecond}
		s.Name = s.Key
		if r.IntN(5) == 0 {
			s.State, s.Duration = Cached, time.Duration(r.IntN(2))*time.Duration(r.IntN(300))*time.Millisecond
		}
		begin := b.Start
		for range r.IntN(4) {
			if i == 0 {
				break
			}
			in := &b.Steps[r.IntN(i)]
			s.Inputs = append(s.Inputs, in.ID)
			if end := in.Start.Add(in.Duration); end.After(begin) {
				begin = end
			}
		}
		s.Start = begin.Add(time.Duration(r.IntN(3)*r.IntN(200)) * time.Millisecond)
		b.Steps = append(b.Steps, s)
		b.Duration = max(b.Duration, s.Start.Add(s.Duration).Sub(b.Start))
	}
	return b
}

// Whatever the schedule: without a change nothing is saved; more without more steps; never
// more than these took, nor the build.
func TestReplayBounds(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 3000 {
		b := randomBuild(r, n)
		s := scheduleOf(&b)
		if s == nil {
			continue
		}
		var free []int
		var took, before time.Duration
		if got := s.without(); got != 0 {
			t.Fatalf("build %d: %s saved by nothing: %+v", n, got, b.Steps)
		}
		for _, i := range r.Perm(len(b.Steps)) {
			free, took = append(free, i), took+b.Steps[i].Duration
			saved := s.without(free...)
			if saved < before || saved > took || saved > b.Duration {
				t.Fatalf("build %d without %v: %s after %s, of %s: %+v", n, free, saved, before, took, b.Steps)
			}
			before = saved
		}
		for _, k := range s.order {
			for _, p := range s.waits[k] {
				if saved := s.abreast(p, k); saved < 0 || saved > min(b.Steps[k].Duration, b.Steps[p].Duration) {
					t.Fatalf("build %d: %d beside %d saves %s: %+v", n, k, p, saved, b.Steps)
				}
			}
		}
	}
}
