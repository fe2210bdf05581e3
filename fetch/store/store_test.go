package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/fetch"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

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
		s, err := Open(context.Background(), "sqlite:"+path)
		if err != nil {
			return err
		}
		b := numbered(i)
		b.ID = fmt.Sprintf("%s-%d", name, i)
		if _, err := s.Record(context.Background(), []detect.Build{b, numbered(i)}); err != nil {
			return err
		}
		if err := s.Close(); err != nil {
			return err
		}
	}
	return nil
}

// numbered is a build of main, i minutes after noon.
func numbered(i int) detect.Build {
	return detect.Build{
		ID: fmt.Sprintf("build-%d", i), Pipeline: "p", Origin: detect.Origin{Branch: "main", Revision: fmt.Sprint(i)},
		Start: noon.Add(time.Duration(i) * time.Minute), Duration: time.Minute,
		Steps: []detect.Step{
			{Key: "[a] RUN x", Name: "[a 1/2] RUN x", Stage: "a", Index: 1, Count: 2, Duration: 3 * time.Second},
			{Key: "[a] RUN y", Name: "[a 2/2] RUN y", Stage: "a", Index: 2, Count: 2, State: detect.Cached},
		},
	}
}

// open opens a store for the length of the test.
func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func put(t *testing.T, s *Store, builds ...detect.Build) (added int) {
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
		Build:      &detect.Build{ID: "now", Pipeline: "p", Origin: detect.Origin{Branch: "main"}, Start: noon.AddDate(1, 0, 0)},
		BaseBranch: "main", Window: window,
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
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

// Every field of a build, those of later days too, comes back as it was.
func TestNothingIsLost(t *testing.T) {
	n := 0
	var fill func(reflect.Value)
	fill = func(v reflect.Value) {
		n++
		switch v.Interface().(type) {
		case time.Time:
			v.Set(reflect.ValueOf(noon.Add(time.Duration(n) * 1000001)))
			return
		case detect.Outcome:
			return // only what is OK is history
		case detect.State:
			v.SetInt(int64(n) % 4)
			return
		}
		switch v.Kind() {
		case reflect.String:
			v.SetString(fmt.Sprintf("text %d \n'\"|ü", n))
		case reflect.Int, reflect.Int64:
			v.SetInt(int64(n)*1e9 + 1)
		case reflect.Bool:
			v.SetBool(true)
		case reflect.Struct:
			for i := range v.NumField() {
				fill(v.Field(i))
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
	var want detect.Build
	fill(reflect.ValueOf(&want).Elem())
	want.Pipeline, want.Branch, want.PullRequest = "p", "main", ""

	s := open(t, filepath.Join(t.TempDir(), "s.db"))
	put(t, s, want)
	got := history(t, s, 50).Base
	if len(got) != 1 {
		t.Fatalf("%d builds", len(got))
	}
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Error(diff)
	}
}

func TestHostileText(t *testing.T) {
	b := numbered(1)
	b.Revision = "bad \xff utf-8 \x00 and zero"
	b.Steps[0].Name = strings.Repeat("x", 2<<20)
	b.Steps[0].Inputs = []string{"", "a\xffb"}
	b.Start = time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)
	s := open(t, filepath.Join(t.TempDir(), "s.db"))
	if put(t, s, b) != 1 || put(t, s, b) != 0 {
		t.Error("recorded more than once")
	}
	got := history(t, s, 50).Base
	if len(got) != 1 || got[0].Revision != "bad \uFFFD utf-8 \uFFFD and zero" || len(got[0].Steps[0].Name) != 2<<20 {
		t.Errorf("read back %.200v", got)
	}
}

func TestSameBuildTwice(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "s.db"))
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
}

func TestFailedIsKeptAndNoHistory(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "s.db"))
	b := numbered(1)
	b.Outcome = detect.Failed
	b.Branch = "feature"
	if put(t, s, b) != 1 || put(t, s, b) != 0 {
		t.Error("a failed build was not kept")
	}
	if h := history(t, s, 50); len(h.Base)+len(h.Other)+len(h.Branch) != 0 {
		t.Errorf("a failed build is history: %v", h)
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
			s, err := Open(t.Context(), "sqlite:"+path)
			if err == nil {
				_, err = s.Record(t.Context(), []detect.Build{numbered(1)})
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
		if _, err := Open(t.Context(), "sqlite:"+dir); err == nil {
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

// What could not be read back is not written.
func TestImplausible(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "s.db"))
	for _, change := range []func(*detect.Build){
		func(b *detect.Build) { b.Duration = -1 },
		func(b *detect.Build) { b.Duration = 2 * maxTime },
		func(b *detect.Build) { b.Outcome = 3 },
		func(b *detect.Build) { b.Steps[0].Duration = -1 },
		func(b *detect.Build) { b.Steps[0].State = 4 },
		func(b *detect.Build) { b.Steps[0].Bytes = -1 },
	} {
		b := numbered(1)
		change(&b)
		if _, err := s.Record(t.Context(), []detect.Build{b}); err == nil || errors.Is(err, ErrDamaged) {
			t.Errorf("%+v was recorded, %v", b, err)
		}
	}
	if h := history(t, s, 50); len(h.Base) != 0 {
		t.Errorf("%d builds in the store", len(h.Base))
	}
}

func TestOldStart(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "s.db"))
	b := numbered(1)
	b.Start = time.Date(1971, 6, 1, 0, 0, 0, 0, time.UTC)
	put(t, s, b)
	if h := history(t, s, 50); len(h.Base) != 1 || !h.Base[0].Start.Equal(b.Start) {
		t.Errorf("read back %v", h.Base)
	}
}

// Two pipelines may count their builds alike, and one may count from 1 again.
func TestEqualIDs(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "s.db"))
	one, other, again := numbered(1), numbered(1), numbered(1)
	other.Pipeline = "q"
	again.Start = again.Start.Add(time.Hour)
	if n := put(t, s, one, other); n != 2 {
		t.Errorf("added %d, want 2", n)
	}
	sum, err := s.Record(t.Context(), []detect.Build{one, again})
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
}

// A store of the first schema loses nothing.
func TestMigration(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	latest := migrations
	defer func() { migrations = latest }()
	migrations = latest[:1]
	s := open(t, path)
	put(t, s, numbered(1), numbered(2))
	s.Close()
	migrations = latest
	s = open(t, path)
	h := history(t, s, 50)
	if diff := cmp.Diff([]detect.Build{numbered(2), numbered(1)}, h.Base); diff != "" {
		t.Error(diff)
	}
	other := numbered(1)
	other.Pipeline = "q"
	if put(t, s, other, numbered(2)) != 1 {
		t.Error("an id is still that of one build in all pipelines")
	}
	var version int
	if err := s.db.QueryRow("PRAGMA user_version").Scan(&version); err != nil || version != len(migrations) {
		t.Errorf("version %d, %v", version, err)
	}
}

// Where SQLite cannot write, as on a full disk, no empty file is left.
func TestUnwritable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	if err := os.Mkdir(path+"-journal", 0o700); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	if _, err := s.Record(t.Context(), []detect.Build{numbered(1)}); !errors.Is(err, ErrWrite) || !strings.HasPrefix(err.Error(), path) {
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
	for _, url := range []string{"", "sqlite:", "history.db", "postgres://x"} {
		if _, err := Open(t.Context(), url); err == nil {
			t.Errorf("Open(%q): no error", url)
		}
	}
}
