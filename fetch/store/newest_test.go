package store

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestNewest(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	build := func(id, pipeline string, hour int, outcome timeline.Outcome) timeline.Build {
		return timeline.Build{
			ID: id, Pipeline: pipeline, Origin: timeline.Origin{Branch: "main"}, Start: start.Add(time.Duration(hour) * time.Hour), Outcome: outcome,
			Steps: []timeline.Step{{Key: "[-] RUN x", Name: "RUN x", Start: start, Duration: time.Second}},
		}
	}
	a, b, c, other := build("a", "p", 1, timeline.OK), build("b", "p", 2, timeline.Failed), build("c", "p", 3, timeline.OK), build("d", "q", 4, timeline.OK)
	s := open(t, filepath.Join(t.TempDir(), "s.db"))
	put(t, s, b, a, c, other)
	for _, tt := range []struct {
		pipeline string
		limit    int
		want     []timeline.Build
	}{
		{"p", 10, []timeline.Build{c, b, a}},
		{"p", 2, []timeline.Build{c, b}},
		{"q", 10, []timeline.Build{other}},
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

// Steps of many builds are read as those of each by itself are, whatever they share.
func TestNewestOfMany(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := open(t, filepath.Join(t.TempDir(), "s.db"))
	var builds []timeline.Build
	for i := range 2*atOnce + 7 {
		b := timeline.Build{ID: fmt.Sprintf("b%03d", i), Pipeline: "p", Origin: timeline.Origin{Branch: "main"}, Start: start.Add(time.Duration(i) * time.Hour)}
		for k := range i % 4 {
			step := timeline.Step{
				Key: fmt.Sprintf("[a] RUN %d", k), Name: fmt.Sprintf("[a %d/4] RUN %d", k+1, k), Stage: "a", Index: k + 1, Count: 4, ID: fmt.Sprint("s", k),
				Start: b.Start, Duration: time.Duration(i+k) * time.Millisecond, State: timeline.State(i % 2), Body: fmt.Sprint(i % 3),
			}
			if k > 0 {
				step.Inputs = []string{"s0"}
				step.Text = fmt.Sprint("RUN $", i%5)
			}
			if i%3 == 0 {
				step.Facts = &timeline.StepFacts{Op: fmt.Sprint("op", k), Reads: []string{"src"}}
			}
			b.Steps = append(b.Steps, step)
		}
		builds = append(builds, b)
	}
	put(t, s, builds...)
	slices.Reverse(builds)
	got, err := s.Newest(t.Context(), "p", len(builds))
	if diff := cmp.Diff(builds, got, cmpopts.EquateEmpty()); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	for _, b := range builds[:8] {
		found, err := s.Find(t.Context(), "p", b.ID)
		if diff := cmp.Diff([]timeline.Build{b}, found, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
	}
}

func TestHolds(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		a := timeline.Build{ID: "a", Pipeline: "p", Content: "x", Trace: "t", Start: start}
		record, other, elsewhere := a, a, a
		record.ID = timeline.ContentID("x", start) // the same build in a progress log
		record.Trace = ""
		other.ID, other.Content = "b", "y"
		elsewhere.Pipeline = "q"
		list := []timeline.Build{a, record, other, elsewhere}
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
