package store

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/fetch"
)

// A store must find what fetch.Select finds, whatever builds there are.
func TestHistoryIsSelect(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			builds := make([]detect.Build, 5+rnd.IntN(80))
			for i := range builds {
				builds[i] = random(rnd, i)
			}
			s := open(t, filepath.Join(t.TempDir(), "s.db"))
			put(t, s, builds...)
			for i := range 10 {
				build := random(rnd, len(builds)+i)
				if rnd.IntN(2) == 0 {
					build = builds[rnd.IntN(len(builds))]
				}
				q := fetch.Query{
					Build: &build, BaseBranch: "main",
					BaseRepository: []string{"", "o/r"}[rnd.IntN(2)],
					Window:         1 + rnd.IntN(12),
					Lookback:       []time.Duration{0, 100 * time.Minute}[rnd.IntN(2)],
					Enough:         rnd.IntN(4),
				}
				got, err := s.History(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(fetch.Select(builds, q), got, cmpopts.EquateEmpty()); diff != "" {
					t.Fatalf("window %d, lookback %v, build %s on %v: Select (-), History (+):\n%s",
						q.Window, q.Lookback, build.ID, fetch.BranchOf(&build), diff)
				}
			}
		})
	}
}

// random makes a build out of few values, so that they meet.
func random(rnd *rand.Rand, i int) detect.Build {
	pick := func(texts ...string) string { return texts[rnd.IntN(len(texts))] }
	b := detect.Build{
		ID:       fmt.Sprintf("%03d", i%60),
		Pipeline: pick("p", "p", "p", "q"),
		Origin:   detect.Origin{Repository: pick("o/r", "o/r", "fork/r", ""), Branch: pick("main", "main", "a", "b", ""), PullRequest: pick("", "", "1", "2"), Runner: pick("Linux/X64", "Linux/ARM64", "")},
		Outcome:  detect.Outcome(max(0, rnd.IntN(8)-5)),
		// Few minutes for many builds: some begin together.
		Start: noon.Add(time.Duration(rnd.IntN(200)) * time.Minute),
	}
	if rnd.IntN(4) == 0 {
		b.Content = pick("c1", "c2")
		b.Trace = fmt.Sprint("t", rnd.IntN(5))
	}
	for _, step := range []string{"RUN a", "RUN b", "RUN c", "RUN a", "RUN rare"} {
		if rnd.IntN(5) == 0 {
			continue
		}
		state := detect.State(rnd.IntN(2))
		if step == "RUN rare" && rnd.IntN(8) > 0 {
			state = detect.Cached
		}
		b.Steps = append(b.Steps, detect.Step{Key: step, Name: step, State: state, Duration: time.Duration(rnd.IntN(1e9))})
	}
	return b
}

// What a check reads must be found by an index. Where SQLite sorts or scans a
// table, the cost grows with the history.
func TestHistoryReadsByIndex(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "s.db"))
	put(t, s, numbered(1))
	for _, query := range []string{
		newestOfLine,
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
			s, err := Open(b.Context(), "sqlite:"+filepath.Join(b.TempDir(), "s.db"))
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			fillUp(b, s, size)
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
	s, err := Open(b.Context(), "sqlite:"+filepath.Join(b.TempDir(), "s.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for i := 0; b.Loop(); i++ {
		if _, err := s.Record(b.Context(), []detect.Build{thirtySteps(i)}); err != nil {
			b.Fatal(err)
		}
	}
}

// fillUp records many builds in one transaction, as a test has no use for the
// safety of many.
func fillUp(tb testing.TB, s *Store, size int) {
	tb.Helper()
	record := func(b detect.Build) {
		if _, err := s.Record(tb.Context(), []detect.Build{b}); err != nil {
			tb.Fatal(err)
		}
	}
	record(thirtySteps(0))
	if _, err := s.db.Exec("PRAGMA synchronous = OFF"); err != nil {
		tb.Fatal(err)
	}
	for i := 1; i < size; i++ {
		record(thirtySteps(i))
	}
}

// thirtySteps is a build of main with steps of which each runs in one build of
// eight; every tenth build is one of a pull request.
func thirtySteps(i int) detect.Build {
	b := numbered(i)
	if i%10 == 9 {
		b.Branch, b.PullRequest = "feature", fmt.Sprint(i)
	}
	b.Steps = nil
	for j := range 30 {
		step := fmt.Sprintf("[build %d/30] RUN make part%d", j+1, j)
		s := detect.Step{
			ID: fmt.Sprint("id", j), Key: fmt.Sprintf("[build] RUN make part%d", j), Name: step, Stage: "build", Index: j + 1, Count: 30,
			Start: b.Start, Duration: time.Second,
		}
		if (i+j)%8 != 0 {
			s.State = detect.Cached
		}
		b.Steps = append(b.Steps, s)
	}
	return b
}
