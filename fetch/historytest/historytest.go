// Package historytest holds what every fetch.HistorySource of recorded builds must
// answer: the rules of fetch.FindHistory by example, and for random builds what
// fetch.Select finds among them.
package historytest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/level"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// An Opener makes a source that holds the builds, which were recorded in this order.
type Opener func(t *testing.T, builds []timeline.Build) fetch.HistorySource

// Run tests the source that open makes.
func Run(t *testing.T, open Opener) {
	t.Run("branches", func(t *testing.T) { testBranches(t, open) })
	t.Run("same runner", func(t *testing.T) { testSameRunner(t, open) })
	t.Run("sparse steps", func(t *testing.T) { testSparse(t, open) })
	t.Run("shared steps", func(t *testing.T) { testShared(t, open) })
	t.Run("older samples", func(t *testing.T) { testTails(t, open) })
	t.Run("random", func(t *testing.T) { testRandom(t, open) })
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// at makes a build of main that began n hours after noon.
func at(id string, n int, change func(*timeline.Build)) timeline.Build {
	b := timeline.Build{ID: id, Pipeline: "p", Origin: timeline.Origin{Branch: "main", Repository: "o/r"}, Start: noon.Add(time.Duration(n) * time.Hour)}
	if change != nil {
		change(&b)
	}
	return b
}

func ids(builds []timeline.Build) (out []string) {
	for i := range builds {
		out = append(out, builds[i].ID)
	}
	return out
}

func history(t *testing.T, source fetch.HistorySource, q fetch.Query) *detect.History {
	t.Helper()
	h, err := source.History(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func testBranches(t *testing.T, open Opener) {
	on := func(branch, pull string) func(*timeline.Build) {
		return func(b *timeline.Build) { b.Branch, b.PullRequest = branch, pull }
	}
	build := at("this", 40, on("x", "9"))
	source := open(t, []timeline.Build{
		at("old", 1, nil),
		at("newer", 2, nil),
		at("unsaid", 3, on("", "")),
		at("pull request of a branch called main", 4, on("main", "7")),
		at("fork", 5, func(b *timeline.Build) { b.Repository = "fork/r" }),
		at("failed", 6, func(b *timeline.Build) { b.Outcome = timeline.Failed }),
		at("cancelled", 7, func(b *timeline.Build) { b.Outcome = timeline.Cancelled }),
		at("other image", 8, func(b *timeline.Build) { b.Pipeline = "q" }),
		at("a1", 9, on("a", "")), at("a2", 10, on("a", "")),
		at("x1", 11, on("x", "9")), at("x2", 12, on("x", "9")), at("x3", 13, on("x", "9")), at("x4", 14, on("x", "9")), at("x5", 15, on("x", "9")),
		at("x failed", 16, func(b *timeline.Build) { b.Branch, b.PullRequest, b.Outcome = "x", "9", timeline.Failed }),
		at("later", 99, nil),
		at("old", 50, nil), // the same build once more
		build,
	})
	h := history(t, source, fetch.Query{Build: &build, BaseBranch: "main", BaseRepository: "o/r", Window: 50})
	for _, list := range []struct {
		name      string
		got, want []string
	}{
		{"base", ids(h.Base), []string{"unsaid", "newer", "old"}},
		{"branch", ids(h.Branch), []string{"x5", "x4", "x3", "x2"}},
		{"other", ids(h.Other), []string{"a2", "fork", "pull request of a branch called main"}},
	} {
		if !slices.Equal(list.got, list.want) {
			t.Errorf("%s: %q, want %q", list.name, list.got, list.want)
		}
	}
	onMain := at("this on main", 40, nil)
	if h := history(t, source, fetch.Query{Build: &onMain, BaseBranch: "main", BaseRepository: "o/r", Window: 2}); len(h.Branch) != 0 || len(h.Base) != 2 {
		t.Errorf("on main: %d builds of its own, %d of the base; want 0 and the window's 2", len(h.Branch), len(h.Base))
	}
}

// testTails checks that what a step took before the window is remembered: of the base
// branch alone, each execution once, and by no more than the bound.
func testTails(t *testing.T, open Opener) {
	rng := rand.New(rand.NewPCG(7, 7))
	var builds []timeline.Build
	var durations []time.Duration // of the base branch, oldest first
	for i := range 90 {
		took := time.Duration(float64(20*time.Second) * (1 + 0.1*rng.Float64()))
		if i == 12 || i == 40 {
			took *= 9
		}
		for target := range 1 + i%2 { // every other build tells of the execution twice
			builds = append(builds, at(fmt.Sprint(i, "-", target), i, func(b *timeline.Build) {
				if i%5 == 4 {
					b.Branch = "other"
				}
				b.Steps = []timeline.Step{{Key: "make", Start: b.Start, Duration: took}, {Key: "found", State: timeline.Cached}}
			}))
		}
		if i%5 != 4 {
			durations = append(durations, took)
		}
	}
	source := open(t, builds)
	for _, window := range []int{8, 20, 60} {
		build := at("this", 100, func(b *timeline.Build) { b.Steps = []timeline.Step{{Key: "make"}, {Key: "found"}, {Key: "new"}} })
		h := history(t, source, fetch.Query{Build: &build, BaseBranch: "main", BaseRepository: "o/r", Window: window})
		want := level.TailOf(durations, window)
		if got := h.Tails["make"]; got != want {
			t.Errorf("window of %d: a weight of %g, %v beyond what was usual; want %g, %v", window, got.Weight, got.Bins(), want.Weight, want.Bins())
		}
		if window < 60 && len(want.Bins()) == 0 {
			t.Fatal("nothing lies beyond: this shows little")
		}
		for _, none := range []string{"found", "new"} {
			if got := h.Tails[none]; got.Weight != 0 {
				t.Errorf("%s: a weight of %g, want none", none, got.Weight)
			}
		}
	}
}

// testShared checks that a step that the sixteen targets of a bake share is found executed
// as often as it was, not once per target.
func testShared(t *testing.T, open Opener) {
	const bakes, targets = 12, 16
	var builds []timeline.Build
	for bake := range bakes {
		for target := range targets {
			builds = append(builds, at(fmt.Sprint(bake, "-", target), bake, func(b *timeline.Build) {
				b.Start = b.Start.Add(time.Duration(target) * time.Millisecond)
				b.Duration = time.Minute
				b.Steps = []timeline.Step{{ID: "0a", Key: "[deps] RUN install", Start: noon.Add(time.Duration(bake)*time.Hour + time.Second), Duration: 50 * time.Second}}
			}))
		}
	}
	source := open(t, builds)
	build := at("this", 40, func(b *timeline.Build) { b.Steps = []timeline.Step{{ID: "0a", Key: "[deps] RUN install"}} })
	h := history(t, source, fetch.Query{Build: &build, BaseBranch: "main", BaseRepository: "o/r", Window: 20})
	found := map[time.Time]bool{}
	for _, b := range slices.Concat(h.Base, h.Sparse) {
		for i := range b.Steps {
			found[b.Steps[i].Start] = true
		}
	}
	if len(found) != bakes {
		t.Errorf("%d executions were found in %d and %d builds, want %d", len(found), len(h.Base), len(h.Sparse), bakes)
	}
}

func testSameRunner(t *testing.T, open Opener) {
	var builds []timeline.Build
	for i := range 30 {
		builds = append(builds, at(fmt.Sprint(i), i, func(b *timeline.Build) { b.Runner = []string{"Linux/ARM64", "Linux/X64", "Linux/X64"}[i%3] }))
	}
	source := open(t, builds)
	for _, tt := range []struct {
		runner string
		enough int
		want   int
	}{
		{"Linux/ARM64", 8, 10}, // beyond the newest 12 as well
		{"Linux/ARM64", 11, 12},
		{"macOS/ARM64", 8, 12},
		{"", 8, 12},
		{"Linux/ARM64", 0, 12},
	} {
		build := at("this", 40, func(b *timeline.Build) { b.Runner = tt.runner })
		h := history(t, source, fetch.Query{Build: &build, BaseBranch: "main", Window: 12, Enough: tt.enough})
		if len(h.Base) != tt.want {
			t.Errorf("on %q, %d are enough: %d builds, want %d", tt.runner, tt.enough, len(h.Base), tt.want)
		}
	}
}

func testSparse(t *testing.T, open Opener) {
	var builds []timeline.Build
	for i := range 100 {
		builds = append(builds, at(fmt.Sprint(i), i, func(b *timeline.Build) {
			state := timeline.Cached
			if i%10 == 0 {
				state = timeline.Executed
			}
			b.Steps = []timeline.Step{{Key: "rare", State: state}, {Key: "common", State: timeline.Executed}}
		}))
	}
	source := open(t, builds)
	build := at("this", 200, func(b *timeline.Build) { b.Steps = []timeline.Step{{Key: "rare"}} })
	for _, tt := range []struct {
		window   int
		lookback time.Duration
		want     []string
	}{
		{10, 0, []string{"80", "70", "60", "50", "40", "30", "20", "10", "0"}},
		{10, 145 * time.Hour, []string{"80", "70", "60"}},
		{1, 0, []string{"90"}}, // which fills a window of one
		{5, 0, []string{"90", "80", "70", "60", "50"}},
		{200, 0, nil}, // all are whole
	} {
		h := history(t, source, fetch.Query{Build: &build, BaseBranch: "main", Window: tt.window, Lookback: tt.lookback})
		if len(h.Base) != min(tt.window, len(builds)) || !slices.Equal(ids(h.Sparse), tt.want) {
			t.Errorf("a window of %d, looking back for %v: %d builds and sparse ones %q, want %q", tt.window, tt.lookback, len(h.Base), ids(h.Sparse), tt.want)
		}
		for i := range h.Sparse {
			if len(h.Sparse[i].Steps) != 1 || h.Sparse[i].Steps[0].Key != "rare" {
				t.Errorf("build %s holds %+v, want the rare step alone", h.Sparse[i].ID, h.Sparse[i].Steps)
			}
		}
	}
}

func testRandom(t *testing.T, open Opener) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			builds := make([]timeline.Build, 5+rnd.IntN(80))
			for i := range builds {
				builds[i] = random(rnd, i)
			}
			source := open(t, builds)
			for i := range 10 {
				build := random(rnd, len(builds)+i)
				if rnd.IntN(2) == 0 {
					build = builds[rnd.IntN(len(builds))]
				}
				q := fetch.Query{
					Build: &build, BaseBranch: "main",
					BaseRepository: []string{"", "o/r"}[rnd.IntN(2)],
					Window:         1 + rnd.IntN(12),
					Lookback:       []time.Duration{0, 100 * time.Minute}[rnd.IntN(2)],
					Enough:         rnd.IntN(4),
				}
				if diff := cmp.Diff(fetch.Select(builds, q), history(t, source, q), cmpopts.EquateEmpty(), cmpopts.EquateComparable(level.Tail{})); diff != "" {
					t.Fatalf("window %d, lookback %v, build %s on %v: Select (-), History (+):\n%s",
						q.Window, q.Lookback, build.ID, fetch.BranchOf(&build), diff)
				}
			}
		})
	}
}

// random makes a build out of few values, so that they meet.
func random(rnd *rand.Rand, i int) timeline.Build {
	pick := func(texts ...string) string { return texts[rnd.IntN(len(texts))] }
	b := timeline.Build{
		ID:       fmt.Sprintf("%03d", i%60),
		Pipeline: pick("p", "p", "p", "q"),
		Origin:   timeline.Origin{Repository: pick("o/r", "o/r", "fork/r", ""), Branch: pick("main", "main", "a", "b", ""), PullRequest: pick("", "", "1", "2"), Runner: pick("Linux/X64", "Linux/ARM64", "")},
		Outcome:  timeline.Outcome(max(0, rnd.IntN(8)-5)),
		// Few minutes for many builds: some begin together.
		Start: noon.Add(time.Duration(rnd.IntN(200)) * time.Minute),
	}
	if rnd.IntN(4) == 0 {
		b.Content = pick("c1", "c2")
		b.Trace = fmt.Sprint("t", rnd.IntN(5))
	}
	for _, step := range []string{"RUN a", "RUN b", "RUN c", "RUN a", "RUN rare"} {
		if rnd.IntN(5) == 0 {
			continue
		}
		state := timeline.State(rnd.IntN(2))
		if step == "RUN rare" && rnd.IntN(8) > 0 {
			state = timeline.Cached
		}
		b.Steps = append(b.Steps, timeline.Step{Key: step, Name: step, State: state, Duration: time.Duration(rnd.IntN(1e9))})
	}
	return b
}
