package store

import (
	"testing"

	"github.com/buildregress/buildregress/detect/timeline"
)

// What builds have in common is stored once.
func TestFactsAreStoredOnce(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		for i := range 20 {
			b := numbered(i)
			b.Facts = &timeline.Facts{Frontend: "docker/dockerfile:1"}
			b.Machine = &timeline.Machine{Window: timeline.Seconds(i+1) * 1e9}
			for j := range b.Steps {
				b.Steps[j].Facts = &timeline.StepFacts{Op: "0123456789ab", Reads: []string{"/src"}}
			}
			put(t, s, b)
		}
		var rows int
		if err := s.db.QueryRowContext(t.Context(), "SELECT count(*) FROM facts").Scan(&rows); err != nil || rows != 2 {
			t.Errorf("%d rows of facts, want that of the builds and that of the steps: %v", rows, err)
		}
		for _, b := range history(t, s, 50).Base {
			if b.Facts == nil || b.Machine == nil || b.Steps[0].Facts == nil {
				t.Fatalf("a build came back without its facts: %+v", b)
			}
		}
	})
}
