package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/google/go-cmp/cmp"
)

// A store of any older schema is read as it is: nothing of it changes, and nothing beside
// it is made.
func TestReadOnlyOldSchemas(t *testing.T) {
	for version := 1; version <= len(migrations); version++ {
		path := storeOfSchema(t, version, func(s *Store) {
			put(t, s, numbered(1), numbered(2))
			if err := s.Put(t.Context(), "o", "a", []timeline.Build{cachedBuild(1)}); err != nil {
				t.Fatal(err)
			}
		})
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o400); err != nil {
			t.Fatal(err)
		}
		s := openAddress(t, "sqlite:"+path, Options{Access: ReadOnly})
		if diff := cmp.Diff([]timeline.Build{numbered(2), numbered(1)}, history(t, s, 50).Base); diff != "" {
			t.Errorf("version %d: %s", version, diff)
		}
		newest, err := s.Newest(t.Context(), "p", 10)
		if err != nil || len(newest) != 2 {
			t.Errorf("version %d: the newest are %v, %v", version, newest, err)
		}
		found, err := s.Find(t.Context(), "", "build-2")
		if err != nil || len(found) != 1 {
			t.Errorf("version %d: found %v, %v", version, found, err)
		}
		if kept, err := s.Get(t.Context(), "o", []string{"a"}); err != nil || version >= 3 && len(kept) != 1 {
			t.Errorf("version %d: kept %v, %v", version, kept, err)
		}
		if _, err := s.Record(t.Context(), []timeline.Build{numbered(3)}); !errors.Is(err, ErrWrite) {
			t.Errorf("version %d: recorded: %v", version, err)
		}
		s.Close()
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
			t.Errorf("version %d: the file was changed, %v", version, err)
		}
		if beside, _ := filepath.Glob(path + "-*"); beside != nil {
			t.Errorf("version %d: left behind: %v", version, beside)
		}
	}
}

// Who has to wait for another that writes is told so, and goes on once that is done; who
// has waited too long is told what to do.
func TestLocked(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		put(t, s, numbered(1))
		told := make(chan [2]string, 10)
		second := &Store{database: s.database, options: Options{Patience: time.Nanosecond, Waiting: func(what, hint string) { told <- [2]string{what, hint} }}}
		var err error
		if second.db, err = s.database.open(t.Context(), Write); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { second.Close() })

		first, err := s.database.begin(t.Context(), s.db, true)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() {
			_, err := second.Record(t.Context(), []timeline.Build{numbered(2)})
			done <- err
		}()
		if said := <-told; !strings.Contains(said[0], "another process that writes to") || said[1] == "" {
			t.Errorf("told %q", said)
		}
		if err := first.Commit(); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}

		if first, err = s.database.begin(t.Context(), s.db, true); err != nil {
			t.Fatal(err)
		}
		defer first.Rollback()
		shortly := "SET lock_timeout TO 1"
		if _, isFile := s.database.(*sqliteFile); isFile {
			shortly = "PRAGMA busy_timeout = 1"
		}
		if _, err := second.db.Exec(shortly); err != nil {
			t.Fatal(err)
		}
		_, err = second.Record(t.Context(), []timeline.Build{numbered(3)})
		var hint interface{ Hint() string }
		if !errors.Is(err, ErrLocked) || !errors.As(err, &hint) || hint.Hint() == "" {
			t.Errorf("%v, want %v with a hint", err, ErrLocked)
		}
	})
}
