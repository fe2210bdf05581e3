package store

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/buildregress/buildregress/detect"
)

func TestNewest(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	build := func(id, pipeline string, hour int, outcome detect.Outcome) detect.Build {
		return detect.Build{
			ID: id, Pipeline: pipeline, Origin: detect.Origin{Branch: "main"}, Start: start.Add(time.Duration(hour) * time.Hour), Outcome: outcome,
			Steps: []detect.Step{{Key: "[-] RUN x", Name: "RUN x", Start: start, Duration: time.Second}},
		}
	}
	a, b, c, other := build("a", "p", 1, detect.OK), build("b", "p", 2, detect.Failed), build("c", "p", 3, detect.OK), build("d", "q", 4, detect.OK)
	s := open(t, filepath.Join(t.TempDir(), "s.db"))
	put(t, s, b, a, c, other)
	for _, tt := range []struct {
		pipeline string
		limit    int
		want     []detect.Build
	}{
		{"p", 10, []detect.Build{c, b, a}},
		{"p", 2, []detect.Build{c, b}},
		{"q", 10, []detect.Build{other}},
		{"r", 10, nil},
	} {
		got, err := s.Newest(t.Context(), tt.pipeline, tt.limit)
		if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Errorf("%d of %s: %v\n%s", tt.limit, tt.pipeline, err, diff)
		}
	}
	empty := open(t, filepath.Join(t.TempDir(), "none.db"))
	if got, err := empty.Newest(t.Context(), "p", 1); len(got) > 0 || err != nil {
		t.Errorf("of no store: %v, %v", got, err)
	}
}

func TestHolds(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		a := detect.Build{ID: "a", Pipeline: "p", Content: "x", Trace: "t", Start: start}
		record, other, elsewhere := a, a, a
		record.ID = detect.ContentID("x", start) // the same build in a progress log
		record.Trace = ""
		other.ID, other.Content = "b", "y"
		elsewhere.Pipeline = "q"
		list := []detect.Build{a, record, other, elsewhere}
		if held, err := s.Holds(t.Context(), list); err != nil || slices.Contains(held, true) {
			t.Errorf("an empty store holds %v, %v", held, err)
		}
		put(t, s, a)
		want := []bool{true, true, false, false} // another pipeline may count its builds alike
		if held, err := s.Holds(t.Context(), list); err != nil || !slices.Equal(held, want) {
			t.Errorf("Holds() = %v, %v, want %v", held, err, want)
		}
	})
}
