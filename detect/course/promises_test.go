package course_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/advice"
	"github.com/buildregress/buildregress/detect/buildtest"
	"github.com/buildregress/buildregress/detect/course"
	"github.com/buildregress/buildregress/detect/timeline"
)

// Advice promises no more than the replay gives, and no build is the only reason for it.
func TestAdvicePromises(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	told := map[advice.Kind]int{}
	for n := range 400 {
		var builds []timeline.Build
		shape := buildtest.Random(r, 0)
		for i := range advice.MinBuilds + r.IntN(20) {
			// As the others, but slower or faster as a whole.
			pace := func(d time.Duration) time.Duration { return d * time.Duration(80+i*7%40) / 100 }
			b := shape
			b.ID, b.Start, b.Duration, b.Steps = fmt.Sprint(i), buildtest.Epoch.Add(time.Duration(i)*24*time.Hour), pace(shape.Duration), nil
			for _, s := range shape.Steps {
				s.Start, s.Duration = b.Start.Add(pace(s.Start.Sub(shape.Start))), pace(s.Duration)
				b.Steps = append(b.Steps, s)
			}
			builds = append(builds, b)
		}
		p := detect.Policy{Thresholds: detect.DefaultThresholds}
		c := course.Follow(builds, p.Thresholds)
		c.Advise(course.Again(builds), nil)
		if len(c.Advice) > advice.Most {
			t.Fatalf("build %d: %d are told", n, len(c.Advice))
		}
		for _, x := range c.Advice {
			told[x.Kind]++
			if x.Saves < p.MinDelta || x.Share < advice.MinShare-1e-6 || x.PerWeek < 6*x.Saves || x.PerWeek > 8*x.Saves {
				t.Errorf("build %d: %+v", n, x)
			}
			if x.Kind == advice.Series || x.Kind == advice.Misses {
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
				most += timeline.NewSchedule(&builds[i]).Without(steps...)
			}
			if most /= time.Duration(len(builds)); x.Saves.D() > most+time.Microsecond {
				t.Errorf("build %d: %s promised, and the replay gives %s: %+v", n, x.Saves, most, x)
			}
		}
	}
	if told[advice.Step] == 0 || told[advice.Together] == 0 {
		t.Errorf("told: %v", told)
	}
}

// What is saved in few builds, or in the newer ones alone, is not told; nor of few builds.
func TestAdviceHolds(t *testing.T) {
	p := detect.Policy{Thresholds: detect.DefaultThresholds}
	for _, c := range []struct {
		name   string
		builds int
		took   func(i int) time.Duration
		told   int
	}{
		{"each build", 20, func(int) time.Duration { return 10 * time.Second }, 1},
		{"too few builds", advice.MinBuilds - 1, func(int) time.Duration { return 10 * time.Second }, 0},
		{"one slow build", 20, func(i int) time.Duration { return time.Duration(1+i/19*300) * 100 * time.Millisecond }, 0},
		{"less than a second", 20, func(int) time.Duration { return 900 * time.Millisecond }, 0},
	} {
		var builds []timeline.Build
		for i := range c.builds {
			b := buildtest.New("main", i, buildtest.Ran("[a 1/1] RUN a", c.took(i)))
			builds = append(builds, b)
		}
		followed := course.Follow(builds, p.Thresholds)
		if followed.Advise(course.Again(builds), nil); len(followed.Advice) != c.told {
			t.Errorf("%s: %+v", c.name, followed.Advice)
		}
	}
}
