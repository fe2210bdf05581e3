package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/google/go-cmp/cmp"
)

// TestMain lets the test binary be one of several processes that record at once.
func TestMain(m *testing.M) {
	if path := os.Getenv("STORE_TEST_RECORD"); path != "" {
		if err := recordTwenty(path, os.Getenv("STORE_TEST_NAME")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func recordTwenty(path, name string) error {
	for i := range 20 {
		s, err := Open(context.Background(), "sqlite:"+path, Options{})
		if err != nil {
			return err
		}
		b := numbered(i)
		b.ID = fmt.Sprintf("%s-%d", name, i)
		if _, err := s.Record(context.Background(), []timeline.Build{b, numbered(i)}); err != nil {
			return err
		}
		if err := s.Close(); err != nil {
			return err
		}
	}
	return nil
}

func TestReadingMakesNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "folder", "history.db")
	if h := history(t, open(t, path), 50); len(h.Base) != 0 {
		t.Errorf("%d builds in a store that does not exist", len(h.Base))
	}
	if _, err := os.Stat(filepath.Dir(path)); !os.IsNotExist(err) {
		t.Errorf("reading made the folder: %v", err)
	}
}

// Everything must be in the one file, as that is what a CI cache saves.
func TestOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a folder", "ü?#%20.db")
	s := open(t, path)
	put(t, s, numbered(1), numbered(2))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 || entries[0].Name() != filepath.Base(path) {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
	if n := len(history(t, open(t, path), 50).Base); n != 2 {
		t.Errorf("%d builds read back, want 2", n)
	}
}

// Processes that record at once, into a file that none of them has made yet,
// lose nothing, and the build that all of them record is one.
func TestProcessesAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "s.db")
	const processes = 4
	errs := make(chan error)
	for i := range processes {
		go func() {
			c := exec.Command(os.Args[0])
			c.Env = append(os.Environ(), "STORE_TEST_RECORD="+path, fmt.Sprint("STORE_TEST_NAME=", i))
			out, err := c.CombinedOutput()
			if err != nil {
				err = fmt.Errorf("%w: %s", err, out)
			}
			errs <- err
		}()
	}
	for range processes {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := len(history(t, open(t, path), 1000).Base); n != processes*20+20 {
		t.Errorf("%d builds, want %d", n, processes*20+20)
	}
}

func TestUnusableFiles(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good.db")
	s := open(t, good)
	for i := range 60 {
		put(t, s, numbered(i))
	}
	s.Close()
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	changed := func(at int, with ...byte) []byte {
		b := bytes.Clone(whole)
		copy(b[at:], with)
		return b
	}
	for _, test := range []struct {
		name string
		data []byte
		want error
	}{
		{"text", []byte("hello\n"), ErrForeign},
		{"long text", bytes.Repeat([]byte("hello\n"), 1000), ErrForeign},
		{"cut in the header", whole[:50], ErrForeign},
		{"another application", changed(68, 0, 0, 0, 1), ErrForeign},
		{"newer", changed(60, 0, 0, 0, 99), ErrNewer},
		{"without a version", changed(60, 0, 0, 0, 0), ErrDamaged},
		{"without tables", edited(t, whole, "DROP TABLE steps"), ErrDamaged},
		{"other tables", edited(t, whole, "DROP TABLE builds", "CREATE TABLE builds (id)"), ErrDamaged},
		{"negative duration", edited(t, whole, "UPDATE steps SET duration = -1"), ErrDamaged},
		{"endless build", edited(t, whole, "UPDATE builds SET duration = 9000000000000000000"), ErrDamaged},
		{"no such state", edited(t, whole, "UPDATE steps SET state = 7"), ErrDamaged},
		{"no such outcome", edited(t, whole, "UPDATE builds SET outcome = -1"), ErrDamaged},
		{"start out of time", edited(t, whole, "UPDATE builds SET start = 9000000000000000000"), ErrDamaged},
		{"text for a number", edited(t, whole, "UPDATE builds SET duration = 'long'"), ErrDamaged},
		{"inputs that are none", edited(t, whole, "UPDATE steps SET inputs = '['"), ErrDamaged},
		{"cut", whole[:len(whole)/2], ErrDamaged},
		{"pages overwritten", changed(4096, bytes.Repeat([]byte{0xff}, len(whole)-4096)...), ErrDamaged},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s.db")
			if err := os.WriteFile(path, test.data, 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := Open(t.Context(), "sqlite:"+path, Options{})
			if err == nil {
				_, err = s.Record(t.Context(), []timeline.Build{numbered(1)})
				s.Close()
			}
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("%v, want %v that names the file", err, test.want)
			}
			if hinted := interface{ Hint() string }(nil); !errors.As(err, &hinted) || hinted.Hint() == "" {
				t.Errorf("%v has no hint", err)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(after, test.data) {
				t.Error("the file was changed")
			}
			if left, _ := filepath.Glob(path + "-*"); left != nil {
				t.Errorf("left behind: %v", left)
			}
		})
	}
	t.Run("empty", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "s.db")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if n := put(t, open(t, path), numbered(1)); n != 1 {
			t.Errorf("added %d", n)
		}
	})
	t.Run("folder", func(t *testing.T) {
		if _, err := Open(t.Context(), "sqlite:"+dir, Options{}); err == nil {
			t.Error("no error")
		}
	})
}

// edited is the store with statements run on it.
func edited(t *testing.T, store []byte, statements ...string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s.db")
	if err := os.WriteFile(path, store, 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	for _, statement := range statements {
		if _, err := s.db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// storeOfSchema makes a store as the version wrote it that had so many migrations, with
// what fill puts into it, as far as that version knew it.
func storeOfSchema(t *testing.T, version int, fill func(*Store)) (path string) {
	t.Helper()
	folder := t.TempDir()
	now := open(t, filepath.Join(folder, "now.db"))
	fill(now)
	now.Close()
	path = filepath.Join(folder, "s.db")
	latest := migrations
	migrations = latest[:version]
	s := open(t, path)
	var err error
	s.db, err = s.database.create(t.Context())
	migrations = latest
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	exec := func(statement string, args ...any) {
		if _, err := s.db.Exec(statement, args...); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	texts := func(query string, args ...any) (out []string) {
		rows, err := s.db.Query(query, args...)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil {
				t.Fatal(err)
			}
			out = append(out, text)
		}
		return out
	}
	exec("ATTACH ? AS now", filepath.Join(folder, "now.db"))
	for _, table := range texts("SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'") {
		columns := strings.Join(texts("SELECT name FROM pragma_table_info(?)", table), ", ")
		exec("INSERT INTO main." + table + " (" + columns + ") SELECT " + columns + " FROM now." + table)
	}
	return path
}

// A store of any schema loses nothing.
func TestMigration(t *testing.T) {
	for version := 1; version < len(migrations); version++ {
		s := open(t, storeOfSchema(t, version, func(s *Store) { put(t, s, numbered(1), numbered(2)) }))
		h := history(t, s, 50)
		if diff := cmp.Diff([]timeline.Build{numbered(2), numbered(1)}, h.Base); diff != "" {
			t.Errorf("version %d: %s", version, diff)
		}
		other := numbered(1)
		other.Pipeline = "q"
		if put(t, s, other, numbered(2)) != 1 {
			t.Errorf("version %d: an id is still that of one build in all pipelines", version)
		}
		var now int
		if err := s.db.QueryRow("PRAGMA user_version").Scan(&now); err != nil || now != len(migrations) {
			t.Errorf("version %d became %d, %v", version, now, err)
		}
	}
}

// What an older reader kept of a server is fetched again, or left over where the server
// has it no longer; and what it recorded is there and says so.
func TestOlderReader(t *testing.T) {
	search := fetch.Search{
		Question: "q", From: day(1), To: day(9),
		Hits: []fetch.Hit{{ID: "t", Start: day(2), Builds: []timeline.Build{cachedBuild(2)}}},
	}
	fill := func(s *Store) {
		put(t, s, numbered(1))
		if err := s.Put(t.Context(), "o", "a", []timeline.Build{cachedBuild(1)}); err != nil {
			t.Fatal(err)
		}
		if err := s.Save(t.Context(), "o", []fetch.Search{search}); err != nil {
			t.Fatal(err)
		}
	}
	kept := func(s *Store) (n int) {
		t.Helper()
		list, err := s.Get(t.Context(), "o", []string{"a"})
		if err != nil {
			t.Fatal(err)
		}
		from, _, err := s.Range(t.Context(), "o", "q")
		if err != nil {
			t.Fatal(err)
		}
		hits, err := s.Hits(t.Context(), "o", "q", day(20), 10)
		if err != nil {
			t.Fatal(err)
		}
		n = len(hits)
		if known, ok := list["a"]; ok && !known.Old {
			n++
		}
		if !from.IsZero() {
			n++
		}
		return n
	}
	s := open(t, storeOfSchema(t, 3, fill))
	if n := kept(s); n != 0 {
		t.Errorf("%d things are kept that an older reader read", n)
	}
	list, err := s.Get(t.Context(), "o", []string{"a"})
	if want := (fetch.Cached{Builds: []timeline.Build{cachedBuild(1)}, Old: true}); err != nil || !cmp.Equal(list["a"], want) {
		t.Errorf("left over: %+v, %v, want %+v", list["a"], err, want)
	}
	leftovers := func(from, to int, want ...string) {
		t.Helper()
		hits, err := s.Leftovers(t.Context(), "o", "q", day(from), day(to))
		var got []string
		for _, hit := range hits {
			got = append(got, hit.ID)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("left over from %d to %d: %q, %v, want %q", from, to, got, err, want)
		}
	}
	leftovers(0, 20, "t")
	leftovers(3, 20)
	search.From, search.Hits = day(5), []fetch.Hit{{ID: "u", Start: day(6)}}
	if err := s.Save(t.Context(), "o", []fetch.Search{search}); err != nil {
		t.Fatal(err)
	}
	if hits, err := s.Hits(t.Context(), "o", "q", day(20), 10); err != nil || len(hits) != 1 || hits[0].ID != "u" {
		t.Errorf("hits %v, %v, want that of this reader alone", hits, err)
	}
	leftovers(0, 20, "t") // which was not asked for anew
	search.From, search.To, search.Hits = day(1), day(9), []fetch.Hit{{ID: "t", Start: day(2), Builds: []timeline.Build{cachedBuild(2)}}}
	if err := s.Save(t.Context(), "o", []fetch.Search{search}); err != nil {
		t.Fatal(err)
	}
	leftovers(0, 20)
	if hits, err := s.Hits(t.Context(), "o", "q", day(20), 10); err != nil || len(hits) != 2 || hits[0].ID != "u" || hits[1].ID != "t" {
		t.Errorf("hits %v, %v, want both", hits, err)
	}
	search.From, search.To, search.Hits = day(1), day(9), []fetch.Hit{{ID: "t", Start: day(2), Builds: []timeline.Build{cachedBuild(2)}}}
	s = open(t, filepath.Join(t.TempDir(), "s.db"))
	fill(s)
	if n := kept(s); n != 3 {
		t.Errorf("%d things are kept, want 3", n)
	}

	// Recorded once more, by this reader, the build is as this one reads it.
	again := numbered(1)
	again.Reader = timeline.ReaderVersion
	again.Steps = slices.Clone(again.Steps)
	again.Steps[0].Rule, again.Steps[0].Duration = 1, 8*time.Second
	if n := put(t, s, again); n != 0 {
		t.Errorf("%d builds are new", n)
	}
	h := history(t, s, 50)
	if diff := cmp.Diff([]timeline.Build{again}, h.Base); diff != "" {
		t.Error(diff)
	}
}

// Where SQLite cannot write, as on a full disk, no empty file is left.
func TestUnwritable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	if err := os.Mkdir(path+"-journal", 0o700); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	if _, err := s.Record(t.Context(), []timeline.Build{numbered(1)}); !errors.Is(err, ErrWrite) || !strings.HasPrefix(err.Error(), path) {
		t.Errorf("%v, want %v that names the file", err, ErrWrite)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("left behind: %v", err)
	}
}

// The default folder holds nothing for git; others may be the user's own.
func TestGitignore(t *testing.T) {
	t.Chdir(t.TempDir())
	put(t, open(t, PathOf(Default)), numbered(1))
	if text, err := os.ReadFile(".buildregress/.gitignore"); err != nil || string(text) != "*\n" {
		t.Errorf("%q, %v", text, err)
	}
	put(t, open(t, "other/history.db"), numbered(1))
	if err := os.Mkdir("mine", 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir("mine")
	if err := os.Mkdir(".buildregress", 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, open(t, PathOf(Default)), numbered(1))
	for _, path := range []string{"../other/.gitignore", ".buildregress/.gitignore"} {
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s was made", path)
		}
	}
}

func TestOpenURL(t *testing.T) {
	for _, url := range []string{"", "sqlite:", "history.db", "mysql://x"} {
		if _, err := Open(t.Context(), url, Options{}); err == nil {
			t.Errorf("Open(%q): no error", url)
		}
	}
}
