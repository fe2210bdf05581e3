package traces_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/store"
	"github.com/buildregress/buildregress/fetch/traces"
	"github.com/buildregress/buildregress/fetch/traces/tracetest"
	_ "modernc.org/sqlite" // which stores are files of
)

// What an older reader kept of builds that have expired on the server since is history,
// as that reader's, and is not asked for again. What is still there is read anew.
func TestExpiredOfOlderReader(t *testing.T) {
	each(t, func(t *testing.T, j *tracetest.Jaeger, s traces.Server) {
		path := filepath.Join(t.TempDir(), "h.db")
		open := func() *store.Store {
			st, err := store.Open(t.Context(), "sqlite:"+path, store.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { st.Close() })
			return st
		}
		options := quick()
		before := open()
		options.Cache = asOlder{before}
		b := subject()
		all := mains(20)
		j.Add(append(all, b)...)
		if _, h := judge(t, traces.New(s, options), fetch.Selector{TraceID: b.ID()}); len(h.Base) != 20 {
			t.Fatalf("%d builds", len(h.Base))
		}
		before.Close()
		makeOlder(t, path)

		// Twelve of them have expired.
		next := tracetest.Usual(1001, noon.Add(time.Hour))
		j.Set(append(all[12:], b, next)...)
		options.Now = func() time.Time { return noon.Add(2 * time.Hour) }
		options.Cache = open()
		for n, judged := range []tracetest.Build{next, tracetest.Usual(1002, noon.Add(90*time.Minute))} {
			j.Add(judged)
			j.Asked()
			_, h := judge(t, traces.New(s, options), fetch.Selector{TraceID: judged.ID()})
			want := 21 + n
			if len(h.Base) != want || len(h.Notes) > 0 {
				t.Fatalf("check %d: %d builds, want %d; %v", n, len(h.Base), want, h.Notes)
			}
			for i := range h.Base {
				old := slices.ContainsFunc(all[:12], func(b tracetest.Build) bool { return b.ID() == h.Base[i].Trace })
				if (h.Base[i].Reader < timeline.ReaderVersion) != old {
					t.Errorf("check %d: build %s of %v is as reader %d read it", n, h.Base[i].Trace, h.Base[i].Start, h.Base[i].Reader)
				}
			}
			if asked := j.Asked(); n > 0 && len(asked) > 3 {
				t.Errorf("what has expired is asked for again: %q", asked)
			}
		}
	})
}

// asOlder is a store that is written to by an older reader.
type asOlder struct{ *store.Store }

func (s asOlder) Save(ctx context.Context, source string, searches []fetch.Search) error {
	for i := range searches {
		for j := range searches[i].Hits {
			hit := &searches[i].Hits[j]
			hit.Builds = slices.Clone(hit.Builds)
			for k := range hit.Builds {
				b := &hit.Builds[k]
				b.Reader, b.Steps = timeline.ReaderVersion-1, slices.Clone(b.Steps)
				for n := range b.Steps {
					b.Steps[n].Rule = 0
				}
			}
		}
	}
	return s.Store.Save(ctx, source, searches)
}

// makeOlder makes a store that of an older reader.
func makeOlder(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "UPDATE searches SET reader = ?", timeline.ReaderVersion-1); err != nil {
		t.Fatal(err)
	}
}
