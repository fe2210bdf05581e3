package command

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/store"
)

// What was fetched is kept without what could tell why a step is slower, where nobody is
// to know.
func TestFactlessCache(t *testing.T) {
	st, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "s.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	b := []timeline.Build{{
		ID: "x", Start: start, Facts: &timeline.Facts{Text: "a"}, Machine: &timeline.Machine{CPUs: 2},
		Steps: []timeline.Step{{Key: "k", Name: "RUN k", Facts: &timeline.StepFacts{Op: "b"}, Usage: &timeline.Usage{MemoryPeak: 1}}},
	}}
	o := CheckOptions{Record: Auto, Causes: Never}
	cache := o.cache(st)
	if err := cache.Put(t.Context(), "s", "1", b); err != nil {
		t.Fatal(err)
	}
	searches := cache.(fetch.SearchCache)
	if err := searches.Save(t.Context(), "s", []fetch.Search{{Question: "q", From: start, To: start.Add(1), Hits: []fetch.Hit{{ID: "1", Start: start, Builds: b}}}}); err != nil {
		t.Fatal(err)
	}
	cached, err := cache.Get(t.Context(), "s", []string{"1"})
	if err != nil {
		t.Fatal(err)
	}
	hits, err := searches.Hits(t.Context(), "s", "q", start.Add(time.Hour), 1)
	if err != nil || len(hits) != 1 {
		t.Fatal(hits, err)
	}
	for _, list := range [][]timeline.Build{cached["1"].Builds, hits[0].Builds} {
		if len(list) != 1 || list[0].Facts != nil || list[0].Machine != nil || list[0].Steps[0].Facts != nil || list[0].Steps[0].Usage != nil {
			t.Errorf("kept %+v", list)
		}
	}
	if b[0].Facts == nil || b[0].Steps[0].Facts == nil {
		t.Error("the builds themselves lost their facts")
	}
	if o.Causes = Auto; o.cache(st) != fetch.Cache(st) {
		t.Error("another cache, though facts are to be kept")
	}
}
