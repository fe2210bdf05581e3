package detect_test

import (
	"fmt"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
)

// exampleBuild is build number n of a branch: two steps that take so long.
func exampleBuild(branch string, n int, compile, test time.Duration) timeline.Build {
	start := time.Date(2026, 3, 1, n, 0, 0, 0, time.UTC)
	step := func(name string, start time.Time, took time.Duration) timeline.Step {
		n := dockerfile.ParseName(name)
		return timeline.Step{
			Name: name, Key: dockerfile.Key(n.Platform, n.Stage, n.Text),
			Stage: n.Stage, Index: n.Index, Count: n.Count, Start: start, Duration: took,
		}
	}
	return timeline.Build{
		ID: fmt.Sprint(branch, "-", n), Pipeline: "image", Start: start, Duration: compile + test,
		Origin: timeline.Origin{Branch: branch},
		Steps: []timeline.Step{
			step("[build 1/2] RUN make compile", start, compile),
			step("[build 2/2] RUN make test", start.Add(compile), test),
		},
	}
}

// One build of a branch is judged against twenty of the base branch.
func ExampleJudge() {
	history := &detect.History{BaseBranch: "main"}
	for n := range 20 { // newest first
		varied := time.Duration(n%5) * time.Second
		history.Base = append(history.Base, exampleBuild("main", 20-n, 58*time.Second+varied, 42*time.Second-varied))
	}
	build := exampleBuild("feature", 100, 4*time.Minute, 40*time.Second)

	result := detect.Judge(&build, history, detect.Policy{})
	fmt.Println("The build:", result.Verdict)
	for _, s := range result.Steps {
		fmt.Printf("%s: %v, %s, usually %s\n", s.Name, s.Status, s.Current, s.Usual)
	}
	// Output:
	// The build: regressed
	// [build 1/2] RUN make compile: slower, 4 m, usually 60 s
	// [build 2/2] RUN make test: same, 40 s, usually 40 s
}

// Decide knows nothing but durations: here those of one step, in a history and in three
// builds of a branch. One of them proves little; together they do.
func ExampleDecide() {
	usual := []time.Duration{58, 61, 63, 60, 59, 64, 57, 60, 62, 61, 59, 60, 58, 63, 61, 60}
	for i := range usual {
		usual[i] *= time.Second
	}
	slow := []time.Duration{88 * time.Second, 91 * time.Second, 86 * time.Second}
	for _, builds := range [][]time.Duration{slow[:1], slow} {
		d := detect.Decide([]detect.Trial{{History: usual, New: builds}}, detect.DefaultThresholds)[0]
		fmt.Printf("%d slow: %v, p %.0e\n", d.Evidence.Slow, d.Status, d.P)
	}
	// Output:
	// 1 slow: suspect, p 3e-03
	// 3 slow: slower, p 1e-04
}
