package detect

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

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
		c.Advise(builds, p.Dismiss)
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
		if course.Advise(builds, p.Dismiss); len(course.Advice) != c.told {
			t.Errorf("%s: %+v", c.name, course.Advice)
		}
	}
}

// Savings that few builds have, or those of one half alone, do not hold, however large they
// are on average.
func TestSavingsHold(t *testing.T) {
	a := &adviser{minDelta: DefaultThresholds.MinDelta.D()}
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
