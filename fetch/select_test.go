package fetch

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/buildregress/buildregress/detect"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// at makes a build that began n hours after noon.
func at(id string, n int, change func(*detect.Build)) detect.Build {
	b := detect.Build{ID: id, Pipeline: "p", Origin: detect.Origin{Branch: "main", Repository: "o/r"}, Start: noon.Add(time.Duration(n) * time.Hour)}
	if change != nil {
		change(&b)
	}
	return b
}

func ids(builds []detect.Build) []string {
	var out []string
	for i := range builds {
		out = append(out, builds[i].ID)
	}
	return out
}

func TestSelect(t *testing.T) {
	on := func(branch, pull string) func(*detect.Build) {
		return func(b *detect.Build) { b.Branch, b.PullRequest = branch, pull }
	}
	builds := []detect.Build{
		at("old", 1, nil),
		at("newer", 2, nil),
		at("unsaid", 3, on("", "")),
		at("pull request of a branch called main", 4, on("main", "7")),
		at("fork", 5, func(b *detect.Build) { b.Repository = "fork/r" }),
		at("failed", 6, func(b *detect.Build) { b.Outcome = detect.Failed }),
		at("cancelled", 7, func(b *detect.Build) { b.Outcome = detect.Cancelled }),
		at("other image", 8, func(b *detect.Build) { b.Pipeline = "q" }),
		at("a1", 9, on("a", "")), at("a2", 10, on("a", "")),
		at("x1", 11, on("x", "9")), at("x2", 12, on("x", "9")), at("x3", 13, on("x", "9")), at("x4", 14, on("x", "9")), at("x5", 15, on("x", "9")),
		at("x failed", 16, func(b *detect.Build) { b.Branch, b.PullRequest, b.Outcome = "x", "9", detect.Failed }),
		at("later", 99, nil),
		at("old", 50, nil), // the same build once more
	}
	build := at("this", 40, on("x", "9"))
	h := Select(append(builds, build), Query{Build: &build, BaseBranch: "main", BaseRepository: "o/r", Window: 50})
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
	onMain := at("this", 40, nil)
	if h := Select(builds, Query{Build: &onMain, BaseBranch: "main", BaseRepository: "o/r", Window: 2}); len(h.Branch) != 0 || len(h.Base) != 2 {
		t.Errorf("on main: %d builds of its own, %d of the base; want 0 and the window's 2", len(h.Branch), len(h.Base))
	}
}

func TestSelectSameRunner(t *testing.T) {
	var builds []detect.Build
	for i := range 30 {
		builds = append(builds, at(fmt.Sprint(i), i, func(b *detect.Build) { b.Runner = []string{"Linux/ARM64", "Linux/X64", "Linux/X64"}[i%3] }))
	}
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
		build := at("this", 40, func(b *detect.Build) { b.Runner = tt.runner })
		h := Select(builds, Query{Build: &build, BaseBranch: "main", Window: 12, Enough: tt.enough})
		if len(h.Base) != tt.want {
			t.Errorf("on %q, %d are enough: %d builds, want %d", tt.runner, tt.enough, len(h.Base), tt.want)
		}
	}
}

func TestSelectRare(t *testing.T) {
	var builds []detect.Build
	for i := range 100 {
		builds = append(builds, at(fmt.Sprint(i), i, func(b *detect.Build) {
			state := detect.Cached
			if i%10 == 0 {
				state = detect.Executed
			}
			b.Steps = []detect.Step{{Key: "rare", State: state}, {Key: "common", State: detect.Executed}}
		}))
	}
	build := at("this", 200, func(b *detect.Build) { b.Steps = []detect.Step{{Key: "rare"}} })
	h := Select(builds, Query{Build: &build, BaseBranch: "main", Window: 10})
	if len(h.Base) != 10 || !slices.Equal(ids(h.Sparse), []string{"80", "70", "60", "50", "40", "30", "20", "10", "0"}) {
		t.Errorf("%d builds and rare ones %q", len(h.Base), ids(h.Sparse))
	}
	for i := range h.Sparse {
		if len(h.Sparse[i].Steps) != 1 || h.Sparse[i].Steps[0].Key != "rare" {
			t.Errorf("build %s holds %+v, want the rare step alone", h.Sparse[i].ID, h.Sparse[i].Steps)
		}
	}
	if h := Select(builds, Query{Build: &build, BaseBranch: "main", Window: 10, Lookback: 145 * time.Hour}); !slices.Equal(ids(h.Sparse), []string{"80", "70", "60"}) {
		t.Errorf("looking back for 145 hours: %q", ids(h.Sparse))
	}
}

// Equal ids are one build within a pipeline, and say nothing across two.
func TestDistinct(t *testing.T) {
	in := func(pipeline string) func(*detect.Build) {
		return func(b *detect.Build) { b.Pipeline = pipeline }
	}
	builds, clashes := Distinct([]detect.Build{
		at("1", 0, in("p")), at("1", 0, in("q")), at("1", 0, in("p")), at("1", 0, in("")), at("2", 0, nil), at("1", 9, in("q")),
	})
	if got := ids(builds); !slices.Equal(got, []string{"1", "1", "2"}) {
		t.Errorf("builds %q", got)
	}
	if len(clashes) != 1 || !strings.Contains(clashes[0].Error(), "build 1: one that began at 2026-03-01 12:00:00 and one that began at 2026-03-01 21:00:00") {
		t.Errorf("clashes %v", clashes)
	}
}

// Builds of one content are found without comparing each with each.
func TestDistinctIsFast(t *testing.T) {
	var builds []detect.Build
	for i := range 50_000 {
		b := at(fmt.Sprint(i), i, nil)
		b.Content = "same"
		builds = append(builds, b)
	}
	began := time.Now()
	if got, _ := Distinct(builds); len(got) != len(builds) {
		t.Errorf("%d builds", len(got))
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

// A history in two places is as one in one place.
func TestJoin(t *testing.T) {
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		var all, first, second []detect.Build
		for i := range 80 {
			b := at(fmt.Sprint(i), rnd.IntN(100), func(b *detect.Build) {
				b.Branch = []string{"main", "main", "x", "y"}[rnd.IntN(4)]
				b.Steps = []detect.Step{{Key: "common"}, {Key: "rare", State: detect.State(min(1, rnd.IntN(10)))}}
			})
			all = append(all, b)
			if rnd.IntN(3) == 0 {
				second = append(second, b)
			} else {
				first = append(first, b)
			}
		}
		build := at("this", 90, func(b *detect.Build) { b.Branch = "x" })
		q := Query{Build: &build, BaseBranch: "main", Window: 8}
		if diff := cmp.Diff(Select(all, q), Join(Select(first, q), Select(second, q), q), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("seed %d: Select (-), Join (+):\n%s", seed, diff)
		}
	}
}

// A memory that was settled answers as before, whatever builds there are.
func TestSettledMemoryIsSelect(t *testing.T) {
	for seed := range uint64(60) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		random := func(i int) detect.Build {
			return at(fmt.Sprint(i), rnd.IntN(100), func(b *detect.Build) {
				b.Branch = []string{"main", "main", "main", "x", ""}[rnd.IntN(5)]
				b.Pipeline = []string{"p", "p", "p", "q", ""}[rnd.IntN(5)]
				b.Runner = []string{"a", "b", ""}[rnd.IntN(3)]
				for range rnd.IntN(6) {
					b.Steps = append(b.Steps, detect.Step{Key: []string{"k", "l", "m", "n"}[rnd.IntN(4)], Duration: time.Duration(rnd.IntN(1000)), State: detect.State(rnd.IntN(2))})
				}
			})
		}
		var builds []detect.Build
		var m Memory
		for i := range 80 {
			builds = append(builds, random(i))
			m.Add(builds[i])
		}
		m.Freeze()
		for i := range 20 {
			build := random(200 + i)
			if rnd.IntN(2) == 0 {
				build = builds[rnd.IntN(len(builds))]
			}
			q := Query{Build: &build, BaseBranch: "main", Window: 1 + rnd.IntN(5), Enough: rnd.IntN(4), Lookback: []time.Duration{0, 40 * time.Hour}[rnd.IntN(2)]}
			if diff := cmp.Diff(Select(builds, q), m.find(q), cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("seed %d: Select (-), settled (+):\n%s", seed, diff)
			}
		}
		late := random(999)
		m.Add(late)
		builds = append(builds, late)
		build := random(1000)
		q := Query{Build: &build, BaseBranch: "main", Window: 2}
		if diff := cmp.Diff(Select(builds, q), m.find(q), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("seed %d, one more: Select (-), memory (+):\n%s", seed, diff)
		}
	}
}

func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		var m Memory
		for i := range 3000 {
			build := at(fmt.Sprint(i), i, nil)
			m.find(Query{Build: &build, BaseBranch: "main", Window: 50})
			m.Add(build)
		}
	}
}
