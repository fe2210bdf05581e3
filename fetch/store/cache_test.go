package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/google/go-cmp/cmp"
)

var _ interface {
	fetch.Cache
	fetch.SearchCache
} = (*Store)(nil)

func cachedBuild(i int) timeline.Build {
	return timeline.Build{
		ID: fmt.Sprint("b", i), Trace: "0a", Pipeline: "shop", Origin: timeline.Origin{Branch: "main"}, Start: day(i), Duration: time.Minute, Partial: true,
		Steps: []timeline.Step{{ID: "1", Key: "[build] RUN make", Name: "[build 1/2] RUN make", Stage: "build", Index: 1, Count: 2, Start: day(i), Duration: 42 * time.Second}},
	}
}

func day(i int) time.Time { return time.Date(2026, 1, 1, 0, 0, i*60, 0, time.UTC) }

// What was kept comes back as it was, by its source and id, to another process too.
func TestCache(t *testing.T) {
	onEach(t, testCache)
}

func testCache(t *testing.T, s *Store) {
	if kept, err := s.Get(t.Context(), "o", []string{"a"}); err != nil || len(kept) != 0 {
		t.Errorf("an empty store has %v, %v", kept, err)
	}
	two := []timeline.Build{cachedBuild(1), cachedBuild(2)}
	for id, list := range map[string][]timeline.Build{"two": two, "none": {}} {
		if err := s.Put(t.Context(), "o", id, list); err != nil {
			t.Fatal(err)
		}
	}
	s = again(t, s)
	kept, err := s.Get(t.Context(), "o", []string{"two", "none", "unknown"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]fetch.Cached{"two": {Builds: two}, "none": {Builds: []timeline.Build{}}}, kept); diff != "" {
		t.Error(diff)
	}
	if kept, err := s.Get(t.Context(), "another", []string{"two"}); err != nil || len(kept) != 0 {
		t.Errorf("another source has %v, %v", kept, err)
	}
	if pipelines, err := s.Pipelines(t.Context()); err != nil || len(pipelines) != 0 {
		t.Errorf("what is kept counts as recorded: %v, %v", pipelines, err)
	}
}

// A search is kept with its span of time. What is found outside of it is not.
func TestSearches(t *testing.T) {
	onEach(t, testSearches)
}

func testSearches(t *testing.T, s *Store) {
	found := func(from, to int) (list []fetch.Hit) {
		for i := from; i < to; i++ {
			list = append(list, fetch.Hit{ID: fmt.Sprint("t", i), Start: day(i), Builds: []timeline.Build{cachedBuild(i)}})
		}
		return list
	}
	check := func(what, question string, from, to time.Time, first, last int) {
		t.Helper()
		since, until, err := s.Range(t.Context(), "o", question)
		if err != nil || !since.Equal(from) || !until.Equal(to) {
			t.Errorf("%s: searched from %v to %v, %v; want %v to %v", what, since, until, err, from, to)
		}
		got, err := s.Hits(t.Context(), "o", question, day(1_000_000), 10_000)
		if err != nil {
			t.Fatal(err)
		}
		if n := last - first + 1; len(got) != n || n > 0 && (got[0].ID != fmt.Sprint("t", last) || got[n-1].ID != fmt.Sprint("t", first)) {
			t.Errorf("%s: %d found, want t%d to t%d", what, len(got), last, first)
		}
	}
	check("nothing", "q", time.Time{}, time.Time{}, 0, -1)
	keep := func(question string, from, to int, list []fetch.Hit) {
		t.Helper()
		if err := s.Save(t.Context(), "o", []fetch.Search{{Question: question, From: day(from), To: day(to), Hits: list}}); err != nil {
			t.Fatal(err)
		}
	}
	keep("q", 10, 20, found(5, 25))
	check("first", "q", day(10), day(20), 10, 19)
	check("another question", "p", time.Time{}, time.Time{}, 0, -1)
	keep("q", 10, 30, found(20, 30))
	check("more", "q", day(10), day(30), 10, 29)
	keep("q", 50, 60, found(50, 55))
	check("elsewhere", "q", day(50), day(60), 50, 54)
	if got, err := s.Hits(t.Context(), "o", "q", day(53), 2); err != nil || len(got) != 2 || got[0].ID != "t52" || !cmp.Equal(got[0].Builds, []timeline.Build{cachedBuild(52)}) {
		t.Errorf("before the 53rd, two: %+v, %v", got, err)
	}

	// Of too much, the newest is kept, and no more claimed to be known.
	keep("q", 50, 60+maxHits, found(50, 60+maxHits))
	since, _, err := s.Range(t.Context(), "o", "q")
	if err != nil || !since.After(day(59)) {
		t.Errorf("searched from %v, %v, of which the oldest were dropped", since, err)
	}
	for i := range maxSearches + 5 {
		keep(fmt.Sprint("q", i), 1, 2, nil)
	}
	check("forgotten", "q", time.Time{}, time.Time{}, 0, -1)
	check("newest", fmt.Sprint("q", maxSearches+4), day(1), day(2), 0, -1)
}
