package fetch

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/level"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// at makes a build that began n hours after noon.
func at(id string, n int, change func(*timeline.Build)) timeline.Build {
	b := timeline.Build{ID: id, Pipeline: "p", Origin: timeline.Origin{Branch: "main", Repository: "o/r"}, Start: noon.Add(time.Duration(n) * time.Hour)}
	if change != nil {
		change(&b)
	}
	return b
}

func ids(builds []timeline.Build) []string {
	var out []string
	for i := range builds {
		out = append(out, builds[i].ID)
	}
	return out
}

// Equal ids are one build within a pipeline, and say nothing across two.
func TestDistinct(t *testing.T) {
	in := func(pipeline string) func(*timeline.Build) {
		return func(b *timeline.Build) { b.Pipeline = pipeline }
	}
	builds, clashes := Distinct([]timeline.Build{
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
	var builds []timeline.Build
	for i := range 50_000 {
		b := at(fmt.Sprint(i), i, nil)
		b.Content = "same"
		builds = append(builds, b)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if got, _ := Distinct(builds); len(got) != len(builds) {
		t.Errorf("%d builds", len(got))
	}
	if ctx.Err() != nil {
		t.Error("took more than 20 s")
	}
}

// A history in two places is as one in one place.
func TestJoin(t *testing.T) {
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		var all, first, second []timeline.Build
		for i := range 80 {
			b := at(fmt.Sprint(i), rnd.IntN(100), func(b *timeline.Build) {
				b.Branch = []string{"main", "main", "x", "y"}[rnd.IntN(4)]
				b.Steps = []timeline.Step{{Key: "common"}, {Key: "rare", State: timeline.State(min(1, rnd.IntN(10)))}}
			})
			all = append(all, b)
			if rnd.IntN(3) == 0 {
				second = append(second, b)
			} else {
				first = append(first, b)
			}
		}
		build := at("this", 90, func(b *timeline.Build) { b.Branch = "x" })
		q := Query{Build: &build, BaseBranch: "main", Window: 8}
		if diff := cmp.Diff(Select(all, q), Join(Select(first, q), Select(second, q), q), cmpopts.EquateEmpty(), cmpopts.IgnoreFields(detect.History{}, "Tails")); diff != "" {
			t.Fatalf("seed %d: Select (-), Join (+):\n%s", seed, diff)
		}
	}
}

// What is remembered from before the windows is that of the place where all builds are,
// beside one that has none.
func TestJoinKeepsTails(t *testing.T) {
	var all []timeline.Build
	for i := range 80 {
		all = append(all, at(fmt.Sprint(i), i, func(b *timeline.Build) {
			b.Steps = []timeline.Step{{Key: "common", Duration: time.Duration(i+1) * time.Second}}
		}))
	}
	build := at("this", 90, func(b *timeline.Build) { b.Steps = all[0].Steps })
	q := Query{Build: &build, BaseBranch: "main", Window: 8}
	want, none := Select(all, q), Select(nil, q)
	if len(want.Tails) == 0 || want.Tails["common"].Weight == 0 {
		t.Fatalf("nothing is remembered: %v", want.Tails)
	}
	for _, got := range []*detect.History{Join(want, none, q), Join(none, want, q)} {
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("Select (-), Join (+):\n%s", diff)
		}
	}
}

// A build that says no pipeline is history for any, in a frozen memory too.
func TestBuildsOfAnyPipeline(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		random := func(i int) timeline.Build {
			return at(fmt.Sprint(i), rnd.IntN(100), func(b *timeline.Build) {
				b.Branch = []string{"main", "main", "main", "x", ""}[rnd.IntN(5)]
				b.Pipeline = []string{"p", "p", "q", ""}[rnd.IntN(4)]
				for range rnd.IntN(6) {
					b.Steps = append(b.Steps, timeline.Step{Key: []string{"k", "l", "m", "n"}[rnd.IntN(4)], Duration: time.Duration(rnd.IntN(1000)), State: timeline.State(rnd.IntN(2))})
				}
			})
		}
		var builds []timeline.Build
		var m Memory
		for i := range 80 {
			builds = append(builds, random(i))
			m.Add(builds[i])
		}
		m.Freeze()
		for i := range 10 {
			build := random(200 + i)
			build.Pipeline = []string{"p", "q"}[i%2]
			var candidates []timeline.Build
			for _, b := range builds {
				if b.Pipeline == build.Pipeline || b.Pipeline == "" {
					b.Pipeline = build.Pipeline
					candidates = append(candidates, b)
				}
			}
			q := Query{Build: &build, BaseBranch: "main", Window: 1 + rnd.IntN(5)}
			got, _ := m.History(t.Context(), q)
			if diff := cmp.Diff(Select(candidates, q), got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(timeline.Build{}, "Pipeline"), cmpopts.EquateComparable(level.Tail{})); diff != "" {
				t.Fatalf("seed %d: Select (-), frozen (+):\n%s", seed, diff)
			}
		}
	}
}

func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		var m Memory
		for i := range 3000 {
			build := at(fmt.Sprint(i), i, nil)
			m.History(b.Context(), Query{Build: &build, BaseBranch: "main", Window: 50})
			m.Add(build)
		}
	}
}
