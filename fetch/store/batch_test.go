package store

import (
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// TestRecordKeepsWhatIsIn checks that what stops the recording of many builds keeps those
// before it, which the summary tells, and that a second run goes on.
func TestRecordKeepsWhatIsIn(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		var list []timeline.Build
		for i := range 3*batch + 10 {
			list = append(list, numbered(i))
		}
		list[2*batch+5].Duration = -time.Second // which no store takes
		sum, err := s.Record(t.Context(), list)
		if err == nil || sum.Read != 2*batch || sum.Added != 2*batch {
			t.Fatalf("%+v, %v", sum, err)
		}
		list[2*batch+5].Duration = time.Second
		sum, err = s.Record(t.Context(), list)
		if err != nil || sum.Read != len(list) || sum.Added != batch+10 {
			t.Fatalf("%+v, %v", sum, err)
		}
		if pipelines, err := s.Pipelines(t.Context()); err != nil || pipelines[0].Builds != len(list) {
			t.Errorf("it holds %v, %v", pipelines, err)
		}
	})
}
