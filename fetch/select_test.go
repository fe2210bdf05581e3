package fetch

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// at makes a build that began n hours after noon.
func at(id string, n int, change func(*detect.Build)) detect.Build {
	b := detect.Build{ID: id, Pipeline: "p", Branch: "main", Repository: "o/r", Start: noon.Add(time.Duration(n) * time.Hour)}
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
	if len(h.Base) != 10 || !slices.Equal(ids(h.Rare), []string{"80", "70", "60", "50", "40", "30", "20", "10", "0"}) {
		t.Errorf("%d builds and rare ones %q", len(h.Base), ids(h.Rare))
	}
	for i := range h.Rare {
		if len(h.Rare[i].Steps) != 1 || h.Rare[i].Steps[0].Key != "rare" {
			t.Errorf("build %s holds %+v, want the rare step alone", h.Rare[i].ID, h.Rare[i].Steps)
		}
	}
	if h := Select(builds, Query{Build: &build, BaseBranch: "main", Window: 10, Lookback: 145 * time.Hour}); !slices.Equal(ids(h.Rare), []string{"80", "70", "60"}) {
		t.Errorf("looking back for 145 hours: %q", ids(h.Rare))
	}
}
