package detect

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// A run whose job builds an image, with the build: a step of that takes so many times as
// long, and so does what the job does besides.
func runAndBuild(branch string, n int, rng *rand.Rand, slower, besides float64) []timeline.Build {
	took := func(s, by float64) time.Duration { return time.Duration(by * float64(noisy(rng, seconds(s), 0.03))) }
	inner := newBuild(
		branch, n,
		ran("[build 1/3] RUN deps", took(20, 1)),
		ran("[build 2/3] RUN make", took(40, slower), "[build 1/3] RUN deps"),
		ran("[build 3/3] RUN test", took(30, 1), "[build 2/3] RUN make"),
	)
	inner.Pipeline = "shop / image"
	run := newBuild(
		branch, n,
		ran("checkout", took(5, 1)),
		ran("docker buildx build", inner.Duration+took(4, besides), "checkout"),
		ran("push", took(10, 1), "docker buildx build"),
	)
	for i := range run.Steps {
		s := &run.Steps[i]
		s.Stage, s.Key = "image", "[image] "+s.Name
	}
	run.ID, run.Pipeline = inner.ID+"-run", "shop"
	inner.Within = &timeline.Within{Build: run.ID, Step: "[image] docker buildx build"}
	return []timeline.Build{run, inner}
}

// What makes a build within a run slower is told once, of the build, and fails once; the
// run's step is explained by it. What the step did besides is its own.
func TestOneCauseOfRunAndBuild(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 9))
		histories := []*History{{BaseBranch: "main"}, {BaseBranch: "main"}}
		for n := range 30 {
			for i, b := range runAndBuild("main", n, rng, 1, 1) {
				histories[i].Base = append([]timeline.Build{b}, histories[i].Base...)
			}
		}
		judge := func(slower, besides float64) []Result {
			var results []Result
			for i, b := range runAndBuild("pr", 100, rng, slower, besides) {
				results = append(results, Judge(&b, histories[i], defaults))
			}
			return results
		}
		results := judge(2, 1)
		if results[0].Verdict == Pass {
			t.Errorf("seed %d: the run alone is %v", seed, results[0].Verdict)
		}
		TellNested(results)
		step := stepOf(t, &results[0], "docker buildx build")
		if results[0].Verdict != Pass || results[1].Verdict != Regressed || step.Status != StatusUnjudged || step.Reason.Kind != KindToldOnce || results[0].Counts[StatusSlower] != 0 {
			t.Errorf("seed %d: the run %v, the build %v, the step %v", seed, results[0].Verdict, results[1].Verdict, step.Status)
		}
		if len(step.Causes) == 0 || !strings.HasPrefix(step.Causes[0].Text, "its `RUN make` +4") && !strings.HasPrefix(step.Causes[0].Text, "its `RUN make` +3") {
			t.Errorf("seed %d: it is explained by %+v", seed, step.Causes)
		}
		results = judge(1, 12)
		TellNested(results)
		if step := stepOf(t, &results[0], "docker buildx build"); step.Status != StatusSlower || results[0].Verdict != Regressed || len(step.Causes) > 0 {
			t.Errorf("seed %d: what is not the build's: %v, %v, %v", seed, results[0].Verdict, step.Status, step.Causes)
		}
	}
}

// What is found beside the critical path of a build is not what made the run around it
// longer, and does not hide that.
func TestFindingThatCostsNothingHidesNoRun(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 9))
	builds := func(branch string, n int, lint float64, gap time.Duration) []timeline.Build {
		both := runAndBuild(branch, n, rng, 1, 1)
		run, inner := &both[0], &both[1]
		took := time.Duration(lint * float64(noisy(rng, seconds(8), 0.03)))
		inner.Steps = append(inner.Steps, timeline.Step{Key: "[lint] RUN lint", Name: "[lint 1/1] RUN lint", Stage: "lint", Index: 1, Count: 1, ID: "lint", Start: inner.Start, Duration: took, State: timeline.Executed})
		inner.Duration += gap
		for i := range run.Steps {
			switch s := &run.Steps[i]; s.Name {
			case "docker buildx build":
				s.Duration += gap
			case "push":
				s.Start = s.Start.Add(gap)
			}
		}
		run.Duration += gap
		return both
	}
	histories := []*History{{BaseBranch: "main"}, {BaseBranch: "main"}}
	for n := range 30 {
		for i, b := range builds("main", n, 1, 0) {
			histories[i].Base = append([]timeline.Build{b}, histories[i].Base...)
		}
	}
	var results []Result
	for i, b := range builds("pr", 100, 3, time.Minute) {
		results = append(results, Judge(&b, histories[i], defaults))
	}
	if lint := stepOf(t, &results[1], "[lint 1/1] RUN lint"); finds(lint.Status) <= 0 || lint.WallClockSeconds != 0 {
		t.Fatalf("lint is %v and costs %v, want a finding that costs nothing", lint.Status, lint.WallClockSeconds)
	}
	TellNested(results)
	if results[0].Verdict != Regressed {
		t.Errorf("the run is %v, want it regressed: nothing else says so", results[0].Verdict)
	}
}

// A step in which no build was made is explained by none, though it took a tick of its
// clock more.
func TestNoBuildWithinExplainsNothing(t *testing.T) {
	step := StepResult{Key: "[image] make", Name: "make", Status: StatusSame, Usual: timeline.Seconds(3 * time.Second), Current: timeline.Seconds(4 * time.Second), Delta: timeline.Seconds(time.Second), Ratio: 1.33}
	results := []Result{{
		Build: BuildInfo{ID: "run", Resolution: timeline.Seconds(time.Second)}, Steps: []StepResult{step}, Thresholds: DefaultThresholds, Counts: map[Status]int{},
	}}
	TellNested(results)
	if got := results[0].Steps[0].Causes; len(got) > 0 {
		t.Errorf("it is explained by %+v", got)
	}
}
