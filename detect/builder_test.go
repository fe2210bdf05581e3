package detect

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/dockerfile"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// A stepSpec is a step of a test's build: its name, its time, and what it waits
// for, by name.
type stepSpec struct {
	name   string
	took   time.Duration
	state  State
	inputs []string
}

func ran(name string, took time.Duration, inputs ...string) stepSpec {
	return stepSpec{name, took, Executed, inputs}
}

func hit(name string, inputs ...string) stepSpec { return stepSpec{name, 0, Cached, inputs} }

// newBuild makes a build, number n of its branch, whose steps begin when what
// they wait for has ended.
func newBuild(branch string, n int, steps ...stepSpec) Build {
	b := Build{
		ID: fmt.Sprintf("%s-%d", branch, n), Origin: Origin{Branch: branch, Revision: fmt.Sprintf("%s%04d", branch, n)}, Pipeline: "image",
		Start: epoch.Add(time.Duration(n) * time.Hour),
	}
	byName := map[string]*Step{}
	b.Steps = make([]Step, len(steps))
	for i, spec := range steps {
		name := dockerfile.ParseName(spec.name)
		s := &b.Steps[i]
		*s = Step{
			ID: fmt.Sprint(i), Name: spec.name, Key: dockerfile.Key(name.Platform, name.Stage, name.Text),
			Platform: name.Platform, Stage: name.Stage, Index: name.Index, Count: name.Count,
			Start: b.Start, Duration: spec.took, State: spec.state,
		}
		for _, input := range spec.inputs {
			if byName[input] == nil {
				continue
			}
			s.Inputs = append(s.Inputs, byName[input].ID)
			if end := byName[input].Start.Add(byName[input].Duration); end.After(s.Start) {
				s.Start = end
			}
		}
		byName[spec.name] = s
		b.Duration = max(b.Duration, s.Start.Add(s.Duration).Sub(b.Start))
	}
	return b
}

// noisy returns d with a relative noise of about sd, the same for the same seed.
func noisy(rng *rand.Rand, d time.Duration, sd float64) time.Duration {
	return time.Duration(float64(d) * math.Exp(sd*rng.NormFloat64()))
}

// mainHistory makes n builds of main, newest first, by what spec returns for each
// of them, the oldest being number 0.
func mainHistory(n int, spec func(n int, rng *rand.Rand) []stepSpec) *History {
	rng := rand.New(rand.NewPCG(1, 2))
	h := &History{BaseBranch: "main", Source: "test"}
	for i := range n {
		h.Base = append([]Build{newBuild("main", i, spec(i, rng)...)}, h.Base...)
	}
	return h
}

// stepOf finds the result of the step of the given name.
func stepOf(t *testing.T, r *Result, name string) *StepResult {
	t.Helper()
	for i := range r.Steps {
		if r.Steps[i].Name == name {
			return &r.Steps[i]
		}
	}
	t.Fatalf("no step %q in the result", name)
	return nil
}

func seconds(s float64) time.Duration { return time.Duration(s * 1e9) }

// defaults are asked for where a test is about something else.
var defaults = Policy{Thresholds: DefaultThresholds}
