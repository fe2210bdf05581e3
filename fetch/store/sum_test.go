package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/google/go-cmp/cmp"
)

// fullBuild is one that uses all columns.
func fullBuild(i int) timeline.Build {
	b := numbered(i)
	b.URL, b.Runner, b.Error, b.Log, b.Target, b.Repository, b.PullRequest = "u", "r", "e", []string{"l"}, "t", "o/r", ""
	b.Trace, b.Content, b.Resolution = fmt.Sprintf("trace-%d", i), fmt.Sprintf("content-%d", i), 1
	b.Steps[0].ID, b.Steps[0].Inputs, b.Steps[0].Bytes, b.Steps[0].Body, b.Steps[0].Text = "i", []string{"j"}, 7, "body", "text"
	b.Steps[0].Start = b.Start
	b.Facts, b.Machine = &timeline.Facts{Text: "f", CacheIn: []string{"c"}}, &timeline.Machine{CPUs: 2.5, Window: 1}
	b.Steps[0].Facts, b.Steps[0].Usage = &timeline.StepFacts{Op: "o"}, &timeline.Usage{MemoryPeak: 3}
	return b
}

// TestChangedRows changes what rows say, or what they refer to, one at a time: a history
// read of it is an error that tells what to do, and never another history.
func TestChangedRows(t *testing.T) {
	var list []timeline.Build
	for i := range 12 {
		list = append(list, fullBuild(i))
	}
	for _, statement := range []string{
		"UPDATE builds SET pipeline = 99 WHERE id = 5",
		"UPDATE builds SET line = 99 WHERE id = 5",
		"UPDATE builds SET duration = duration + 1 WHERE id = 5",
		"UPDATE builds SET revision = 'x' WHERE id = 5",
		"UPDATE builds SET ref = 'x' WHERE id = 5",
		"UPDATE builds SET url = 'x', runner = 'y' WHERE id = 5",
		"UPDATE builds SET step_count = 1 WHERE id = 5",
		"UPDATE builds SET start = start + 1 WHERE id = 5",
		"UPDATE builds SET log = '[\"x\"]' WHERE id = 5",
		"UPDATE builds SET resolution = 2, target = 'v' WHERE id = 5",
		"UPDATE pipelines SET name = name || 'x'; UPDATE pipelines SET name = 'p'; UPDATE lines SET branch = ''",
		"UPDATE steps SET build = 4, ordinal = 9 WHERE build = 5 AND ordinal = 1",
		"UPDATE steps SET ordinal = 7 WHERE build = 5 AND ordinal = 1",
		"UPDATE steps SET name = 99 WHERE build = 5",
		"UPDATE steps SET name = 2 WHERE build = 5 AND ordinal = 0",
		"UPDATE steps SET key = 99 WHERE build = 5",
		"UPDATE steps SET key = 2 WHERE build = 5 AND ordinal = 0",
		"UPDATE steps SET text = 99 WHERE build = 5",
		"UPDATE steps SET duration = duration + 1 WHERE build = 5 AND ordinal = 0",
		"UPDATE steps SET state = 0 WHERE build = 5 AND ordinal = 1",
		"UPDATE steps SET inputs = '', bytes = 8 WHERE build = 5 AND ordinal = 0",
		"UPDATE steps SET body = 'x' WHERE build = 5 AND ordinal = 0",
		"UPDATE builds SET facts = NULL WHERE id = 5",
		"UPDATE builds SET facts = 2 WHERE id = 5",
		"UPDATE builds SET machine = '' WHERE id = 5",
		"UPDATE builds SET machine = '{\"window_seconds\":1,\"cpus\":9}' WHERE id = 5",
		"UPDATE steps SET facts = NULL WHERE build = 5",
		"UPDATE steps SET usage = '' WHERE build = 5",
		"UPDATE steps SET usage = '{\"memory_peak_bytes\":4}' WHERE build = 5 AND ordinal = 0",
		"UPDATE facts SET facts = '{\"op\":\"x\"}' WHERE id = 2",
		"UPDATE names SET name = 'x' WHERE id = 1",
		"UPDATE keys SET key = 'x' WHERE id = 1",
		"UPDATE texts SET text = 'x'",
		"DELETE FROM steps WHERE build = 5 AND ordinal = 1",
		"DELETE FROM steps WHERE build = 5",
		"DELETE FROM names WHERE id = 2",
		"DELETE FROM keys WHERE id = 2",
		"DELETE FROM lines",
	} {
		t.Run(statement, func(t *testing.T) {
			s := open(t, filepath.Join(t.TempDir(), "s.db"))
			put(t, s, list...)
			before := history(t, s, 50)
			if _, err := s.db.Exec("PRAGMA foreign_keys = OFF; " + statement); err != nil {
				t.Fatal(err)
			}
			h, err := historyOf(t, s)
			var hint interface{ Hint() string }
			if err != nil && (!errors.Is(err, ErrDamaged) || !errors.As(err, &hint)) {
				t.Errorf("an error that is none of a damaged store: %v", err)
			}
			if err == nil {
				checkSubset(t, before, h)
				if len(h.Base) == len(before.Base) {
					t.Error("the whole history was read")
				}
			}
		})
	}
}

func historyOf(t *testing.T, s *Store) (*detect.History, error) {
	t.Helper()
	return s.History(t.Context(), fetch.Query{
		Build:      &timeline.Build{ID: "now", Pipeline: "p", Origin: timeline.Origin{Branch: "main", Repository: "o/r"}, Start: noon.AddDate(1, 0, 0)},
		BaseBranch: "main", Window: 50,
	})
}

// checkSubset checks that all builds of a history are as they were before.
func checkSubset(t *testing.T, before, h *detect.History) {
	t.Helper()
	for _, b := range slices.Concat(h.Base, h.Branch) {
		known := slices.IndexFunc(before.Base, func(k timeline.Build) bool { return k.ID == b.ID })
		if known < 0 {
			t.Errorf("a build that was never recorded: %s", b.ID)
		} else if diff := cmp.Diff(before.Base[known], b); diff != "" {
			t.Errorf("build %s was read as another one (-recorded +read):\n%s", b.ID, diff)
		}
	}
}

// FuzzFlippedBits changes a byte of a store: the history that is read of it is an error,
// or has only builds as they were recorded.
func FuzzFlippedBits(f *testing.F) {
	for _, at := range []uint32{0, 18, 100, 5000, 20_000, 40_000, 60_000, 80_000, 100_000} {
		f.Add(at, byte(1))
		f.Add(at+77, byte(128))
	}
	path := filepath.Join(f.TempDir(), "s.db")
	s, err := Open(f.Context(), "sqlite:"+path, Options{})
	if err != nil {
		f.Fatal(err)
	}
	var list []timeline.Build
	for i := range 40 {
		list = append(list, fullBuild(i))
	}
	if _, err := s.Record(f.Context(), list); err != nil {
		f.Fatal(err)
	}
	before, err := s.History(f.Context(), fetch.Query{Build: &timeline.Build{ID: "now", Pipeline: "p", Origin: timeline.Origin{Branch: "main", Repository: "o/r"}, Start: noon.AddDate(1, 0, 0)}, BaseBranch: "main", Window: 50})
	if err != nil || len(before.Base) != len(list) {
		f.Fatalf("%d builds, %v", len(before.Base), err)
	}
	if err := s.Close(); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, at uint32, flip byte) {
		data := slices.Clone(whole)
		data[int(at)%len(data)] ^= flip
		path := filepath.Join(t.TempDir(), "s.db")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(t.Context(), "sqlite:"+path, Options{})
		if err != nil {
			return
		}
		defer s.Close()
		if h, err := historyOf(t, s); err == nil {
			checkSubset(t, before, h)
		}
	})
}

// Rows whose sums an earlier version made leave facts out, and can still be read; so can
// facts of which a later one knows more.
func TestSumsOfOtherVersions(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "s.db"))
	b := fullBuild(1)
	put(t, s, b)
	var build int64
	if err := s.db.QueryRowContext(t.Context(), "SELECT id FROM builds").Scan(&build); err != nil {
		t.Fatal(err)
	}
	if _, err := s.db.Exec("UPDATE builds SET sum = ?", buildSum(&b, len(b.Steps))); err != nil {
		t.Fatal(err)
	}
	for i := range b.Steps {
		if _, err := s.db.Exec("UPDATE steps SET sum = ? WHERE ordinal = ?", stepSum(build, i, &b.Steps[i]), i); err != nil {
			t.Fatal(err)
		}
	}
	if h := history(t, s, 50); len(h.Base) != 1 || h.Base[0].Facts == nil || h.Base[0].Steps[0].Usage == nil {
		t.Errorf("of an earlier version: %+v", h.Base)
	}
	const later = `{"text":"f","later":1}`
	if _, err := s.db.Exec("UPDATE facts SET facts = ? WHERE facts LIKE '%\"text\"%'", later); err != nil {
		t.Fatal(err)
	}
	if _, err := s.db.Exec("UPDATE builds SET sum = ?", buildSum(&b, len(b.Steps), later, measured(b.Machine))); err != nil {
		t.Fatal(err)
	}
	if h := history(t, s, 50); len(h.Base) != 1 || h.Base[0].Facts.Text != "f" {
		t.Errorf("of a later version: %+v", h.Base)
	}
}
