package fetch_test

import (
	"testing"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/historytest"
)

func memoryOf(builds []timeline.Build) *fetch.Memory {
	var m fetch.Memory
	for _, b := range builds {
		m.Add(b)
	}
	return &m
}

func TestMemory(t *testing.T) {
	historytest.Run(t, func(_ *testing.T, builds []timeline.Build) fetch.HistorySource { return memoryOf(builds) })
}

func TestFrozenMemory(t *testing.T) {
	historytest.Run(t, func(_ *testing.T, builds []timeline.Build) fetch.HistorySource {
		m := memoryOf(builds)
		m.Freeze()
		return m
	})
}

// A build that comes late finds its place among those that were sorted before.
func TestThawedMemory(t *testing.T) {
	historytest.Run(t, func(t *testing.T, builds []timeline.Build) fetch.HistorySource {
		half := len(builds) / 2
		m := memoryOf(builds[:half])
		m.Freeze()
		if _, err := m.History(t.Context(), fetch.Query{Build: &builds[half], BaseBranch: "main", Window: 5}); err != nil {
			t.Fatal(err)
		}
		for _, b := range builds[half:] {
			m.Add(b)
		}
		return m
	})
}
