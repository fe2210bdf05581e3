package store

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/historytest"
)

func TestHistory(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		historytest.Run(t, func(t *testing.T, builds []timeline.Build) fetch.HistorySource {
			s := emptyAs(t, s)
			fillUp(t, s, builds)
			return s
		})
	})
}

// What a check reads must be found by an index. Where SQLite sorts or scans a
// table, the cost grows with the history.
func TestHistoryReadsByIndex(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "s.db"))
	put(t, s, numbered(1))
	for _, query := range []string{
		newestOfBranch,
		newestOfPipeline,
		samplesOfStep,
		"SELECT " + stepColumns + stepTables + "WHERE s.build = ? ORDER BY s.ordinal",
		"SELECT " + buildColumns + buildTables + "WHERE b.id = ?",
	} {
		args := make([]any, strings.Count(query, "?"))
		for i := range args {
			args[i] = 1
		}
		rows, err := s.db.Query("EXPLAIN QUERY PLAN "+query, args...)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(detail, "SCAN") || strings.Contains(detail, "TEMP B-TREE") {
				t.Errorf("%s\n%s", query, detail)
			}
		}
		if err := rows.Err(); err != nil {
			t.Error(err)
		}
	}
}

func BenchmarkHistory(b *testing.B) {
	for _, size := range []int{100, 1_000, 10_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s, err := Open(b.Context(), "sqlite:"+filepath.Join(b.TempDir(), "s.db"), Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			builds := make([]timeline.Build, size)
			for i := range builds {
				builds[i] = thirtySteps(i)
			}
			fillUp(b, s, builds)
			build := thirtySteps(size)
			q := fetch.Query{Build: &build, BaseBranch: "main", Window: 50}
			for b.Loop() {
				if _, err := s.History(b.Context(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRecord(b *testing.B) {
	s, err := Open(b.Context(), "sqlite:"+filepath.Join(b.TempDir(), "s.db"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for i := 0; b.Loop(); i++ {
		if _, err := s.Record(b.Context(), []timeline.Build{thirtySteps(i)}); err != nil {
			b.Fatal(err)
		}
	}
}

// fillUp records many builds. It leaves syncing to the system, as a test has no use
// for what survives a power cut.
func fillUp(tb testing.TB, s *Store, builds []timeline.Build) {
	tb.Helper()
	for i := range builds {
		if _, err := s.Record(tb.Context(), builds[i:i+1]); err != nil {
			tb.Fatal(err)
		}
		if i > 0 { // the first makes the file
			continue
		}
		unsynced := "PRAGMA synchronous = OFF"
		if _, isFile := s.database.(*sqliteFile); !isFile {
			unsynced = "SET synchronous_commit TO off"
		}
		if _, err := s.db.Exec(unsynced); err != nil {
			tb.Fatal(err)
		}
	}
}

// thirtySteps is a build of main with steps of which each runs in one build of
// eight; every tenth build is one of a pull request.
func thirtySteps(i int) timeline.Build {
	b := numbered(i)
	if i%10 == 9 {
		b.Branch, b.PullRequest = "feature", fmt.Sprint(i)
	}
	b.Steps = nil
	for j := range 30 {
		step := fmt.Sprintf("[build %d/30] RUN make part%d", j+1, j)
		s := timeline.Step{
			ID: fmt.Sprint("id", j), Key: fmt.Sprintf("[build] RUN make part%d", j), Name: step, Stage: "build", Index: j + 1, Count: 30,
			Start: b.Start, Duration: time.Second,
		}
		if (i+j)%8 != 0 {
			s.State = timeline.Cached
		}
		b.Steps = append(b.Steps, s)
	}
	return b
}
