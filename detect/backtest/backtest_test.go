package backtest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
)

const (
	compile  = "[build 2/4] RUN make compile"
	makeTest = "[build 3/4] RUN make test"
)

// A step of a test's build: its name, its usual time, and what it waits for, by name.
type step struct {
	name   string
	took   time.Duration
	cached bool
	inputs []string
}

// app is a Dockerfile of two stages as it builds on main: sources change in every
// build, dependencies hardly ever.
var app = []step{
	{name: "[internal] load build context", took: 2 * time.Second},
	{name: "[deps 1/2] COPY package.json .", cached: true},
	{name: "[deps 2/2] RUN npm ci", cached: true, inputs: []string{"[deps 1/2] COPY package.json ."}},
	{name: "[build 1/4] COPY src /src", took: time.Second, inputs: []string{"[internal] load build context", "[deps 2/2] RUN npm ci"}},
	{name: compile, took: time.Minute, inputs: []string{"[build 1/4] COPY src /src"}},
	{name: makeTest, took: 40 * time.Second, inputs: []string{compile}},
	{name: "[build 4/4] RUN make lint", took: 20 * time.Second, inputs: []string{makeTest}},
	{name: "[docs 1/1] RUN make docs", took: 30 * time.Second, inputs: []string{"[build 1/4] COPY src /src"}},
	{name: "exporting to image", took: 10 * time.Second, inputs: []string{"[build 4/4] RUN make lint", "[docs 1/1] RUN make docs"}},
}

// newBuild is build number n of a branch, in which each step begins when what it waits
// for has ended.
func newBuild(branch string, n int, steps []step) timeline.Build {
	b := timeline.Build{
		ID: fmt.Sprintf("%s-%d", branch, n), Pipeline: "image",
		Origin: timeline.Origin{Branch: branch, Revision: fmt.Sprintf("%s%04d", branch, n)},
		Start:  time.Date(2026, 3, 1, n, 0, 0, 0, time.UTC), Steps: make([]timeline.Step, len(steps)),
	}
	index := map[string]int{}
	for i, from := range steps {
		name := dockerfile.ParseName(from.name)
		s := &b.Steps[i]
		*s = timeline.Step{
			ID: fmt.Sprint(i), Name: from.name, Key: dockerfile.Key(name.Platform, name.Stage, name.Text),
			Stage: name.Stage, Index: name.Index, Count: name.Count, Start: b.Start, Duration: from.took,
		}
		if from.cached {
			s.State = timeline.Cached
		}
		for _, name := range from.inputs {
			input := &b.Steps[index[name]]
			s.Inputs, s.Start = append(s.Inputs, input.ID), later(s.Start, input.Start.Add(input.Duration))
		}
		index[from.name] = i
		b.Duration = max(b.Duration, s.Start.Add(s.Duration).Sub(b.Start))
	}
	return b
}

// appBuild is build number n of app, whose times vary by 5 %.
func appBuild(branch string, n int) timeline.Build {
	rng := rand.New(rand.NewPCG(9, uint64(n)))
	steps := slices.Clone(app)
	for i := range steps {
		steps[i].took = time.Duration(float64(steps[i].took) * math.Exp(0.05*rng.NormFloat64()))
	}
	return newBuild(branch, n, steps)
}

// appHistory holds builds 0 to n-1 of main.
func appHistory(n int) *detect.History {
	h := &detect.History{BaseBranch: "main", Source: "test"}
	for i := range n {
		h.Base = slices.Insert(h.Base, 0, appBuild("main", i))
	}
	return h
}

// What a backtest counts is what stands in the results.
func TestSummarize(t *testing.T) {
	p := detect.Policy{Thresholds: detect.DefaultThresholds, Rules: []detect.Rule{{Step: "*make lint*", Ignore: "flaky"}}}
	h := appHistory(20)
	var replays []Replay
	for n, slow := range [][]string{nil, {compile}, {makeTest}, nil} {
		b := appBuild("pr", 100+n)
		for i := range b.Steps {
			if slices.Contains(slow, b.Steps[i].Name) {
				b = SlowDown(&b, i, 4)
			}
		}
		r := detect.Judge(&b, h, p)
		replays = append(replays, NewReplay(&r, []string{"regressed"}))
	}
	failed := appBuild("pr", 110)
	failed.Outcome = timeline.Failed
	young := appBuild("pr", 111)
	for _, tt := range []struct {
		b timeline.Build
		h *detect.History
	}{{failed, h}, {young, appHistory(3)}, {young, appHistory(4)}} {
		r := detect.Judge(&tt.b, tt.h, p)
		replays = append(replays, NewReplay(&r, []string{"regressed"}))
	}
	got := Summarize("image", replays)

	if got.Builds != 7 || got.Judged != 4 || got.Verdicts[detect.Regressed] != 2 || got.Verdicts[detect.Unjudged] != 3 || got.RegressedShare != 0.5 {
		t.Errorf("builds %d, judged %d, %v, share %v", got.Builds, got.Judged, got.Verdicts, got.RegressedShare)
	}
	if len(got.Reasons) != 2 || got.Reasons[0] != (ReasonCount{detect.Note{Kind: detect.KindTooLittleHistory, Text: "too little history"}, 2}) || got.Reasons[1] != (ReasonCount{detect.Note{Kind: detect.KindBuildFailed, Text: "the build failed"}, 1}) {
		t.Errorf("reasons %+v", got.Reasons)
	}
	if got.Calls.Slower != 2 || got.Calls.Suspect != 0 || math.Abs(got.Rates.Slower-2000/float64(got.Checks)) > 1e-9 {
		t.Errorf("calls %+v, of 1,000 %+v, checks %d", got.Calls, got.Rates, got.Checks)
	}
	checks := 0
	for _, s := range got.Steps {
		checks += s.Checks
		if s.Name == "[build 4/4] RUN make lint" || s.Name == "[deps 2/2] RUN npm ci" {
			t.Errorf("%s counts as checked", s.Name)
		}
		if s.MinDetectable <= s.MinDetectable3 || s.MinDetectable3 <= 1.1 {
			t.Errorf("%s could show ×%g in one build, ×%g in three", s.Name, s.MinDetectable, s.MinDetectable3)
		}
	}
	if checks > got.Checks || got.Steps[0].Name != compile || got.Steps[0].Checks != 4 || got.Steps[0].Calls.Slower != 1 {
		t.Errorf("%d checks of steps, %d in all; first %+v", checks, got.Checks, got.Steps[0])
	}
	if len(got.Stopped) != 2 || got.Stopped[0].ID != "pr-101" || got.Stopped[1].Revision != "pr0102" || got.Stopped[1].Branch != "pr" {
		t.Fatalf("stopped %+v", got.Stopped)
	}
	if s := got.Stopped[0].Steps; len(s) != 1 || s[0].Name != compile || s[0].Ratio < 3.5 || s[0].Ratio > 4.5 || s[0].Status != detect.StatusSlower {
		t.Errorf("stopped by %+v", s)
	}
}

// Half of the builds could show something, half nothing: that is not the mean of both.
func TestMedianOfWhatCouldBeShown(t *testing.T) {
	check := func(ratio float64) Replay {
		return Replay{Verdict: detect.Pass, Checks: []Check{{Key: "k", Status: detect.StatusSame, Tested: true, MinDetectable: ratio, MinDetectable3: 1.5}}}
	}
	for _, tt := range []struct {
		ratios []float64
		want   float64
	}{{[]float64{2, 0, 3}, 3}, {[]float64{2, 0}, 0}, {[]float64{0, 0, 2}, 0}, {[]float64{2}, 2}} {
		var replays []Replay
		for _, r := range tt.ratios {
			replays = append(replays, check(r))
		}
		if got := Summarize("p", replays).Steps[0]; got.MinDetectable != tt.want || got.MinDetectable3 != 1.5 {
			t.Errorf("of %v: %g, %g; want %g, 1.5", tt.ratios, got.MinDetectable, got.MinDetectable3, tt.want)
		}
	}
}
