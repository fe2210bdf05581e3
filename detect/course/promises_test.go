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
		if n%2 == 1 {
			dress(r, &shape)
		}
		for i := range advice.MinBuilds + r.IntN(20) {
			// As the others, but slower or faster as a whole.
			pace := func(d time.Duration) time.Duration { return d * time.Duration(80+i*7%40) / 100 }
			b := shape
			b.Revision = fmt.Sprintf("%07x", i)
			b.ID, b.Start, b.Duration, b.Steps = fmt.Sprint(i), buildtest.Epoch.Add(time.Duration(i)*24*time.Hour), pace(shape.Duration), nil
			for _, s := range shape.Steps {
				s.Start, s.Duration = b.Start.Add(pace(s.Start.Sub(shape.Start))), pace(s.Duration)
				if u := s.Usage; u != nil {
					used := *u
					cpu, wait := timeline.Seconds(pace(u.CPU.D())), timeline.Seconds(pace(u.CPUWait.D()))
					used.CPU, used.CPUWait = &cpu, &wait
					s.Usage = &used
				}
				b.Steps = append(b.Steps, s)
			}
			builds = append(builds, b)
		}
		p := detect.Policy{Thresholds: detect.DefaultThresholds}
		c := course.Follow(builds, p.Thresholds)
		var dismissed []advice.Dismissal
		if n%4 == 3 { // which gives its place to others
			for _, kind := range []advice.Kind{advice.Step, advice.Together, advice.Images, advice.Transfer} {
				dismissed = append(dismissed, advice.Dismissal{Step: "*", Kind: kind})
			}
		}
		c.Advise(course.Again(builds), &course.Advising{Dismiss: dismissed, Changed: func(*timeline.Build) detect.Changed {
			return func(string, string) ([]string, bool) { return []string{"src/main.c"}, true }
		}})
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
			if most /= time.Duration(x.Builds); x.Saves.D() > most+time.Microsecond {
				t.Errorf("build %d: %s promised, and the replay gives %s: %+v", n, x.Saves, most, x)
			}
		}
	}
	for _, kind := range []advice.Kind{advice.Step, advice.Together, advice.Images, advice.CacheExport, advice.Processors, advice.Idle, advice.Indexes, advice.Order, advice.Mounts} {
		if told[kind] == 0 {
			t.Errorf("nothing of %s is told: %v", kind, told)
		}
	}
}

// dress makes of some steps what there is advice about.
func dress(r *rand.Rand, b *timeline.Build) {
	share := float64(r.IntN(11)) / 10
	b.Facts = &timeline.Facts{Text: "1"}
	b.Machine = &timeline.Machine{Window: timeline.Seconds(b.Duration), CPUs: float64(1 + r.IntN(4)), CPUWait: &share}
	for i := range b.Steps {
		s := &b.Steps[i]
		if s.State != timeline.Executed {
			continue
		}
		used := func(of int) *timeline.Seconds {
			d := timeline.Seconds(s.Duration) * timeline.Seconds(r.IntN(of)) / 20
			return &d
		}
		s.Usage = &timeline.Usage{CPU: used(41), CPUWait: used(21)}
		text := ""
		switch r.IntN(8) {
		case 0:
			text = fmt.Sprint("FROM docker.io/library/x:", i)
		case 1:
			text = fmt.Sprint("RUN apk add --no-cache git p", i)
			s.Stage, s.Index, s.Count = fmt.Sprint("i", i), 2, 2
			from := timeline.Step{ID: "from" + s.ID, Stage: s.Stage, Index: 1, Count: 2, State: timeline.Cached, Start: s.Start}
			from.Name, from.Key = fmt.Sprintf("[%s 1/2] FROM alpine", s.Stage), fmt.Sprintf("[%s] FROM alpine", s.Stage)
			b.Steps = append(b.Steps, from)
			s = &b.Steps[i]
		case 2:
			text = "RUN npm ci --n=" + string(rune('a'+i))
			s.Facts = &timeline.StepFacts{Op: "op", Reads: []string{"/"}}
			// What comes before is found in the cache.
			before := timeline.Step{ID: "before" + s.ID, Key: "[c] WORKDIR /" + s.ID, Name: "[c 1/1] WORKDIR /" + s.ID, Stage: "c", Index: 1, Count: 1, State: timeline.Cached, Start: s.Start}
			s.Inputs = append(s.Inputs, before.ID)
			b.Steps = append(b.Steps, before)
			s = &b.Steps[i]
		case 3:
			text = "RUN --mount=type=cache,target=/go/pkg/mod go build ./" + string(rune('a'+i))
			s.Usage.Versions = []string{"github.com/a/b v1.0.0", "github.com/c/d v1.0.0"}
		case 4:
			s.Stage, s.Index, s.Count = timeline.StageCacheExport, 0, 0
			s.Name, s.Key = fmt.Sprint("exporting cache to ", i), fmt.Sprint("[cache export] exporting cache to ", i)
		}
		if text != "" {
			s.Name, s.Key = fmt.Sprintf("[%s %d/%d] %s", s.Stage, s.Index, s.Count, text), fmt.Sprintf("[%s] %s", s.Stage, text)
		}
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
		if followed.Advise(course.Again(builds), &course.Advising{}); len(followed.Advice) != c.told {
			t.Errorf("%s: %+v", c.name, followed.Advice)
		}
	}
}
