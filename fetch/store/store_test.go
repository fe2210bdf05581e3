package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// numbered is a build of main, i minutes after noon.
func numbered(i int) timeline.Build {
	return timeline.Build{
		ID: fmt.Sprintf("build-%d", i), Pipeline: "p", Origin: timeline.Origin{Branch: "main", Revision: fmt.Sprint(i)},
		Start: noon.Add(time.Duration(i) * time.Minute), Duration: time.Minute,
		Steps: []timeline.Step{
			{Key: "[a] RUN x", Name: "[a 1/2] RUN x", Stage: "a", Index: 1, Count: 2, Duration: 3 * time.Second},
			{Key: "[a] RUN y", Name: "[a 2/2] RUN y", Stage: "a", Index: 2, Count: 2, State: timeline.Cached},
		},
	}
}

// onEach runs a test with an empty store of each kind of database. PostgreSQL is one of
// them where STORE_TEST_POSTGRES has the address of a database: testdata/postgres sees to
// that.
func onEach(t *testing.T, test func(t *testing.T, s *Store)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, open(t, filepath.Join(t.TempDir(), "s.db"))) })
	if server := os.Getenv("STORE_TEST_POSTGRES"); server != "" {
		t.Run("postgres", func(t *testing.T) { test(t, openAddress(t, emptySchema(t, server), Options{})) })
	}
}

var schemas atomic.Int64

// emptySchema is the address of a schema of a server that is there for the length of the
// test.
func emptySchema(tb testing.TB, server string) (address string) {
	tb.Helper()
	name := fmt.Sprintf("store_test_%d_%d", os.Getpid(), schemas.Add(1))
	drop := func() {
		db, err := newPostgres(server)
		if err != nil {
			tb.Fatal(err)
		}
		c := db.(*postgres).connect()
		defer c.Close()
		if _, err := c.Exec("DROP SCHEMA IF EXISTS " + name + " CASCADE"); err != nil {
			tb.Error(err)
		}
	}
	drop()
	tb.Cleanup(drop)
	separator := "?"
	if strings.Contains(server, "?") {
		separator = "&"
	}
	return server + separator + "search_path=" + name
}

// open opens a SQLite store for the length of the test.
func open(tb testing.TB, path string) *Store {
	tb.Helper()
	return openAddress(tb, "sqlite:"+path, Options{})
}

func openAddress(tb testing.TB, address string, o Options) *Store {
	tb.Helper()
	s, err := Open(context.WithoutCancel(tb.Context()), address, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

// emptyAs is another empty store in the same kind of database.
func emptyAs(t *testing.T, s *Store) *Store {
	t.Helper()
	if _, isFile := s.database.(*sqliteFile); isFile {
		return open(t, filepath.Join(t.TempDir(), "s.db"))
	}
	return openAddress(t, emptySchema(t, os.Getenv("STORE_TEST_POSTGRES")), Options{})
}

// again opens a store once more, as another process does.
func again(t *testing.T, s *Store) *Store {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	next := &Store{database: s.database, options: s.options}
	var err error
	if next.db, err = s.database.open(t.Context(), Write); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { next.Close() })
	return next
}

func put(t *testing.T, s *Store, builds ...timeline.Build) (added int) {
	t.Helper()
	sum, err := s.Record(t.Context(), builds)
	if err != nil {
		t.Fatal(err)
	}
	return sum.Added
}

// history is what the store holds for a build long after all others.
func history(t *testing.T, s *Store, window int) *detect.History {
	t.Helper()
	h, err := s.History(t.Context(), fetch.Query{
		Build:      &timeline.Build{ID: "now", Pipeline: "p", Origin: timeline.Origin{Branch: "main"}, Start: noon.AddDate(1, 0, 0)},
		BaseBranch: "main", Window: window,
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// Every field of a build, those of later days too, comes back as it was.
func TestNothingIsLost(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		n := 0
		var fill func(reflect.Value)
		fill = func(v reflect.Value) {
			n++
			switch v.Interface().(type) {
			case time.Time:
				v.Set(reflect.ValueOf(noon.Add(time.Duration(n) * 1000001)))
				return
			case timeline.Outcome:
				return // only what is OK is history
			case timeline.State:
				v.SetInt(int64(n) % 4)
				return
			}
			switch v.Kind() {
			case reflect.String:
				v.SetString(fmt.Sprintf("text %d \n'\"|ü", n))
			case reflect.Int, reflect.Int64:
				v.SetInt(int64(n)*1e9 + 1)
			case reflect.Float64:
				v.SetFloat(float64(n) / 1000)
			case reflect.Bool:
				v.SetBool(true)
			case reflect.Pointer:
				v.Set(reflect.New(v.Type().Elem()))
				fill(v.Elem())
			case reflect.Struct:
				for _, field := range v.Fields() {
					fill(field)
				}
			case reflect.Slice:
				v.Set(reflect.MakeSlice(v.Type(), 3, 3))
				for i := range v.Len() {
					fill(v.Index(i))
				}
			default:
				t.Fatalf("the test knows no %s", v.Type())
			}
		}
		var want timeline.Build
		fill(reflect.ValueOf(&want).Elem())
		want.Pipeline, want.Branch, want.PullRequest = "p", "main", ""
		want.Image = ""   // it is a part of the pipeline by then
		want.Within = nil // it is asked for beside the run alone, of what a source tells of both

		put(t, s, want)
		got := history(t, s, 50).Base
		if len(got) != 1 {
			t.Fatalf("%d builds", len(got))
		}
		if diff := cmp.Diff(want, got[0]); diff != "" {
			t.Error(diff)
		}
	})
}

func TestHostileText(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		b := numbered(1)
		b.Revision = "bad \xff utf-8 \x00 and zero"
		b.Steps[0].Name = strings.Repeat("x", 2<<20)
		b.Steps[0].Inputs = []string{"", "a\xffb"}
		b.Start = time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)
		if put(t, s, b) != 1 || put(t, s, b) != 0 {
			t.Error("recorded more than once")
		}
		got := history(t, s, 50).Base
		if len(got) != 1 || got[0].Revision != "bad \uFFFD utf-8 \uFFFD and zero" || len(got[0].Steps[0].Name) != 2<<20 {
			t.Errorf("read back %.200v", got)
		}
	})
}

func TestSameBuildTwice(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		first := numbered(1)
		first.Branch, first.Content, first.Trace = "", "c", "t"
		first.Partial = true
		first.Steps = first.Steps[:1]
		if n := put(t, s, first, first); n != 1 {
			t.Errorf("added %d, want 1", n)
		}
		again := numbered(1)
		again.ID, again.Content, again.Trace, again.URL = "other", "c", "t", "https://ci.example/1"
		if n := put(t, s, again); n != 0 {
			t.Errorf("another recording of the build was added")
		}
		h := history(t, s, 50)
		if len(h.Base) != 1 {
			t.Fatalf("%d builds, want 1", len(h.Base))
		}
		if diff := cmp.Diff(again, h.Base[0]); diff != "" {
			t.Errorf("the complete recording did not win:\n%s", diff)
		}
	})
}

func TestFailedIsKeptAndNoHistory(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		b := numbered(1)
		b.Outcome = timeline.Failed
		b.Branch = "feature"
		if put(t, s, b) != 1 || put(t, s, b) != 0 {
			t.Error("a failed build was not kept")
		}
		if h := history(t, s, 50); len(h.Base)+len(h.Other)+len(h.Branch) != 0 {
			t.Errorf("a failed build is history: %v", h)
		}
	})
}

// What could not be read back is not written.
func TestImplausible(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		for _, change := range []func(*timeline.Build){
			func(b *timeline.Build) { b.Duration = -1 },
			func(b *timeline.Build) { b.Duration = 2 * maxTime },
			func(b *timeline.Build) { b.Outcome = 3 },
			func(b *timeline.Build) { b.Steps[0].Duration = -1 },
			func(b *timeline.Build) { b.Steps[0].State = timeline.Interrupted + 1 },
			func(b *timeline.Build) { b.Steps[0].Bytes = -1 },
		} {
			b := numbered(1)
			change(&b)
			if _, err := s.Record(t.Context(), []timeline.Build{b}); err == nil || errors.Is(err, ErrDamaged) {
				t.Errorf("%+v was recorded, %v", b, err)
			}
		}
		if h := history(t, s, 50); len(h.Base) != 0 {
			t.Errorf("%d builds in the store", len(h.Base))
		}
	})
}

func TestOldStart(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		b := numbered(1)
		b.Start = time.Date(1971, 6, 1, 0, 0, 0, 0, time.UTC)
		put(t, s, b)
		if h := history(t, s, 50); len(h.Base) != 1 || !h.Base[0].Start.Equal(b.Start) {
			t.Errorf("read back %v", h.Base)
		}
	})
}

// Two pipelines may count their builds alike, and one may count from 1 again.
func TestEqualIDs(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		one, other, again := numbered(1), numbered(1), numbered(1)
		other.Pipeline = "q"
		again.Start = again.Start.Add(time.Hour)
		if n := put(t, s, one, other); n != 2 {
			t.Errorf("added %d, want 2", n)
		}
		sum, err := s.Record(t.Context(), []timeline.Build{one, again})
		if err != nil || sum.Added != 0 || len(sum.Clashes) != 1 || !strings.Contains(sum.Clashes[0].Error(), "build-1") {
			t.Errorf("%+v, %v, want one clash", sum, err)
		}
		for range 2 {
			again.ID += "-again"
			put(t, s, again)
		}
		pipelines, err := s.Pipelines(t.Context())
		if diff := cmp.Diff([]fetch.Pipeline{{Name: "p", Builds: 3}, {Name: "q", Builds: 1}}, pipelines); diff != "" || err != nil {
			t.Error(diff, err)
		}
	})
}

// Both nodes of a build are kept, in whatever order they come, and each once.
func TestNodes(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		node := func(n int, content string) timeline.Build {
			b := numbered(n)
			b.Content, b.Reader = content, timeline.ReaderVersion
			return b
		}
		counts := []int{put(t, s, node(1, "aaaa"), node(1, "bbbb")), put(t, s, node(1, "bbbb"), node(1, "aaaa")), put(t, s, node(2, "bbbb")), put(t, s, node(2, "aaaa")), put(t, s, node(2, "bbbb"))}
		if !slices.Equal(counts, []int{2, 0, 1, 1, 0}) {
			t.Errorf("added %v", counts)
		}
		renamed := node(2, "bbbb")
		renamed.ID = renamed.NodeID()
		if n := put(t, s, renamed); n != 0 {
			t.Errorf("under the id that another source gave it, it is %d new", n)
		}
		if got := history(t, s, 50).Base; len(got) != 4 {
			t.Errorf("%d builds, want 4", len(got))
		}
	})
}
