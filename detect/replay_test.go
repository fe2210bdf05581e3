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

// Advice promises no more than the replay gives, and no build is the only reason for it.
func TestAdvicePromises(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	told := map[AdviceKind]int{}
	for n := range 400 {
		var builds []Build
		shape := randomBuild(r, 0)
		for i := range minReplayed + r.IntN(20) {
			// As the others, but slower or faster as a whole.
			pace := func(d time.Duration) time.Duration { return d * time.Duration(80+i*7%40) / 100 }
			b := shape
			b.ID, b.Start, b.Duration, b.Steps = fmt.Sprint(i), epoch.Add(time.Duration(i)*24*time.Hour), pace(shape.Duration), nil
			for _, s := range shape.Steps {
				s.Start, s.Duration = b.Start.Add(pace(s.Start.Sub(shape.Start))), pace(s.Duration)
				b.Steps = append(b.Steps, s)
			}
			builds = append(builds, b)
		}
		p := Policy{Thresholds: DefaultThresholds}
		c := Follow(builds, p.Thresholds)
		c.Advise(builds, p)
		if len(c.Advice) > maxAdvice {
			t.Fatalf("build %d: %d are told", n, len(c.Advice))
		}
		for _, x := range c.Advice {
			told[x.Kind]++
			if x.Saves < p.MinDelta || x.Share < minAdviceShare-1e-6 || x.PerWeek < 6*x.Saves || x.PerWeek > 8*x.Saves {
				t.Errorf("build %d: %+v", n, x)
			}
			if x.Kind == AdviceSeries || x.Kind == AdviceMisses {
				continue
			}
			var steps []int
			for i := range shape.Steps {
				for _, key := range x.Steps {
					if shape.Steps[i].Key == key {
						steps = append(steps, i)
					}
				}
			}
			var most time.Duration
			for i := range builds {
				most += scheduleOf(&builds[i]).without(steps...)
			}
			if most /= time.Duration(len(builds)); x.Saves.D() > most+time.Microsecond {
				t.Errorf("build %d: %s promised, and the replay gives %s: %+v", n, x.Saves, most, x)
			}
		}
	}
	if told[AdviceStep] == 0 || told[AdviceTogether] == 0 {
		t.Errorf("told: %v", told)
	}
}

// What is saved in few builds, or in the newer ones alone, is not told; nor of few builds.
func TestAdviceHolds(t *testing.T) {
	p := Policy{Thresholds: DefaultThresholds}
	for _, c := range []struct {
		name   string
		builds int
		took   func(i int) time.Duration
		told   int
	}{
		{"each build", 20, func(int) time.Duration { return 10 * time.Second }, 1},
		{"too few builds", minReplayed - 1, func(int) time.Duration { return 10 * time.Second }, 0},
		{"one slow build", 20, func(i int) time.Duration { return time.Duration(1+i/19*300) * 100 * time.Millisecond }, 0},
		{"less than a second", 20, func(int) time.Duration { return 900 * time.Millisecond }, 0},
	} {
		var builds []Build
		for i := range c.builds {
			b := newBuild("main", i, ran("[a 1/1] RUN a", c.took(i)))
			builds = append(builds, b)
		}
		course := Follow(builds, p.Thresholds)
		if course.Advise(builds, p); len(course.Advice) != c.told {
			t.Errorf("%s: %+v", c.name, course.Advice)
		}
	}
}

// Savings that few builds have, or those of one half alone, do not hold, however large they
// are on average.
func TestSavingsHold(t *testing.T) {
	a := &adviser{thresholds: DefaultThresholds}
	for i := range 20 {
		b := newBuild("main", i, ran("[a 1/1] RUN a", 30*time.Second))
		a.builds = append(a.builds, advised{build: &b})
	}
	for name, c := range map[string]struct {
		saved func(i int) time.Duration
		want  bool
	}{
		"in each":        {func(int) time.Duration { return 10 * time.Second }, true},
		"in the newer":   {func(i int) time.Duration { return time.Duration(i/10) * 20 * time.Second }, false},
		"in the older":   {func(i int) time.Duration { return time.Duration(1-i/10) * 20 * time.Second }, false},
		"in two of them": {func(i int) time.Duration { return time.Duration((19-i%10*2)/19) * 20 * time.Second }, false},
	} {
		saved, few := make([]time.Duration, 20), 0
		for i := range saved {
			if saved[i] = c.saved(i); saved[i] > 0 {
				few++
			}
		}
		if mean, ok := a.holds(saved); ok != c.want || mean < a.least() {
			t.Errorf("%s (%d builds): %s on average, told %v, want %v", name, few, mean, ok, c.want)
		}
	}
}
