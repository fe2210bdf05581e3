// Package buildtest makes builds for tests.
package buildtest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
)

// Epoch is when build number 0 began.
var Epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// A Step is a step of a test's build: its name, its time, and what it waits
// for, by name.
type Step struct {
	Name   string
	Took   time.Duration
	State  timeline.State
	Inputs []string
}

// Ran is a step that was executed.
func Ran(name string, took time.Duration, inputs ...string) Step {
	return Step{name, took, timeline.Executed, inputs}
}

// Hit is a step that was found in the cache.
func Hit(name string, inputs ...string) Step { return Step{name, 0, timeline.Cached, inputs} }

// New makes a build, number n of its branch, whose steps begin when what
// they wait for has ended.
func New(branch string, n int, steps ...Step) timeline.Build {
	b := timeline.Build{
		ID: fmt.Sprintf("%s-%d", branch, n), Origin: timeline.Origin{Branch: branch, Revision: fmt.Sprintf("%s%04d", branch, n)}, Pipeline: "image",
		Start: Epoch.Add(time.Duration(n) * time.Hour),
	}
	byName := map[string]*timeline.Step{}
	b.Steps = make([]timeline.Step, len(steps))
	for i, spec := range steps {
		name := dockerfile.ParseName(spec.Name)
		s := &b.Steps[i]
		*s = timeline.Step{
			ID: fmt.Sprint(i), Name: spec.Name, Key: dockerfile.Key(name.Platform, name.Stage, name.Text),
			Platform: name.Platform, Stage: name.Stage, Index: name.Index, Count: name.Count,
			Start: b.Start, Duration: spec.Took, State: spec.State,
		}
		for _, input := range spec.Inputs {
			if byName[input] == nil {
				continue
			}
			s.Inputs = append(s.Inputs, byName[input].ID)
			if end := byName[input].Start.Add(byName[input].Duration); end.After(s.Start) {
				s.Start = end
			}
		}
		byName[spec.Name] = s
		b.Duration = max(b.Duration, s.Start.Add(s.Duration).Sub(b.Start))
	}
	return b
}

// Random is a build of some steps, each of which waits for some before it, for a while.
func Random(r *rand.Rand, n int) timeline.Build {
	b := timeline.Build{ID: fmt.Sprint(n), Start: Epoch.Add(time.Duration(n) * time.Hour), Origin: timeline.Origin{Branch: "main"}}
	for i := range 2 + r.IntN(12) {
		s := timeline.Step{Key: fmt.Sprintf("[s%d] RUN %d", i%3, i), ID: fmt.Sprint(i), Stage: fmt.Sprint("s", i%3), Index: i/3 + 1, Count: 5, Duration: time.Duration(r.IntN(5000)) * time.Millisecond}
		s.Name = s.Key
		if r.IntN(5) == 0 {
			s.State, s.Duration = timeline.Cached, time.Duration(r.IntN(2))*time.Duration(r.IntN(300))*time.Millisecond
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

// RareMode are n values of a step that takes 5 s, and once in thirty builds 500 s.
func RareMode(rng *rand.Rand, n int) (values []time.Duration) {
	for i := range n {
		s := 5 * math.Exp(.05*rng.NormFloat64())
		if i%30 == 7 {
			s *= 100
		}
		values = append(values, time.Duration(s*float64(time.Second)))
	}
	return values
}
