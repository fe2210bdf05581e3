package command

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/internal/ci"
	"github.com/buildregress/buildregress/internal/cli/clitest"
)

// TestSifter checks that of each pipeline the newest are kept, and the newest of the base
// branch that others can be compared with, whatever the order in which they come; and that
// all are counted.
func TestSifter(t *testing.T) {
	const newest = 30
	random := rand.New(rand.NewPCG(1, 2))
	var list []timeline.Build
	for i := range 2000 {
		b := timeline.Build{
			ID: strconv.Itoa(i), Pipeline: []string{"a", "b", "c"}[i%3], Start: clitest.Start.Add(time.Duration(random.IntN(1000)) * time.Hour),
			Outcome: timeline.Outcome(random.IntN(2)),
		}
		if b.Branch = "main"; random.IntN(5) > 0 {
			b.Branch, b.PullRequest = "feature", "7"
		}
		if random.IntN(500) == 0 {
			b.Start = time.Time{}
		}
		list = append(list, b)
	}
	before := clitest.Start.Add(900 * time.Hour)
	want := map[string]bool{}
	for _, p := range []string{"a", "b", "c"} {
		var all, base []timeline.Build
		for _, b := range list {
			if b.Pipeline != p || !b.Start.Before(before) {
				continue
			}
			all = append(all, b)
			if b.Branch == "main" && b.Outcome == timeline.OK {
				base = append(base, b)
			}
		}
		for _, of := range [][]timeline.Build{all, base} {
			slices.SortStableFunc(of, func(x, y timeline.Build) int {
				if x.Start.IsZero() != y.Start.IsZero() { // by now, as far as anybody knows
					return map[bool]int{true: 1, false: -1}[x.Start.IsZero()]
				}
				return x.Start.Compare(y.Start)
			})
			for _, b := range of[max(0, len(of)-newest):] {
				want[b.ID] = true
			}
		}
	}
	s := sifter{sieve: sieve{newest: newest, before: before, names: ci.NewResolver(ci.Identity{}, func(string) string { return "" }, t.TempDir(), clitest.Start.AddDate(1, 0, 0))}}
	for i := range list {
		s.add(&list[i])
	}
	got := s.builds()
	for _, b := range got {
		if !want[b.ID] {
			t.Errorf("build %s is kept", b.ID)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d builds are kept, want %d", len(got), len(want))
	}
	if !slices.IsSortedFunc(got, func(a, b timeline.Build) int { return number(t, a.ID) - number(t, b.ID) }) {
		t.Error("they are in another order")
	}
	seen, kept := 0, 0
	for _, c := range s.crowds {
		seen += c.seen
		kept += c.kept
	}
	counted := slices.DeleteFunc(slices.Clone(list), func(b timeline.Build) bool { return !b.Start.Before(before) })
	if seen != len(counted) || kept != len(got) {
		t.Errorf("%d of %d, want %d of %d", kept, seen, len(got), len(counted))
	}
}

// TestSifterIsBounded checks that builds of many pipelines do not add up.
func TestSifterIsBounded(t *testing.T) {
	steps := make([]timeline.Step, 100)
	s := sifter{sieve: sieve{newest: 1000, names: ci.NewResolver(ci.Identity{}, func(string) string { return "" }, t.TempDir(), clitest.Start.AddDate(1, 0, 0))}}
	const all = 30_000
	for i := range all {
		s.add(&timeline.Build{ID: strconv.Itoa(i), Pipeline: strconv.Itoa(i % 50), Start: clitest.Start.Add(time.Duration(i) * time.Minute), Steps: steps})
		if s.entries > maxSifted {
			t.Fatalf("it holds %d", s.entries)
		}
	}
	of := map[string]int{}
	for _, b := range s.builds() {
		of[b.Pipeline]++
	}
	for p := range 50 {
		if n := of[strconv.Itoa(p)]; n < 40 {
			t.Errorf("%d builds of pipeline %d are left", n, p)
		}
	}
	if last := s.builds(); last[len(last)-1].ID != strconv.Itoa(all-1) {
		t.Error("the newest is not there")
	}
}

func number(t *testing.T, id string) int {
	n, err := strconv.Atoi(id)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
