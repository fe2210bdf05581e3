package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/fetch"
)

// aged is a build every four hours: one step of which each took 10 s up to the 300th build
// and takes 20 s since then, one that runs in every tenth build, and one that is gone
// since the 100th. Some builds failed, and some are of pull requests.
func aged(i int) detect.Build {
	b := detect.Build{
		ID: fmt.Sprintf("build-%d", i), Pipeline: "p", Origin: detect.Origin{Branch: "main", Revision: fmt.Sprintf("%040d", i), URL: "https://ci.example/" + fmt.Sprint(i)},
		Start: noon.Add(time.Duration(i) * 4 * time.Hour),
	}
	step := func(name string, took time.Duration, state detect.State) {
		b.Steps = append(b.Steps, detect.Step{
			Key: "[a] RUN " + name, Name: "[a] RUN " + name, Stage: "a", Start: b.Start.Add(b.Duration), Duration: took, State: state,
		})
		b.Duration += took
	}
	noise := time.Duration(i*7919%997) * time.Millisecond / 2
	if i < 300 {
		step("steady", 10*time.Second+noise, detect.Executed)
	} else {
		step("steady", 20*time.Second+noise, detect.Executed)
	}
	if i%10 == 0 {
		step("rare", 5*time.Second+noise, detect.Executed)
	} else {
		step("rare", 0, detect.Cached)
	}
	if i < 100 {
		step("gone", 3*time.Second, detect.Executed)
	}
	switch {
	case i%23 == 5:
		b.Outcome = detect.Failed
	case i%7 == 3:
		b.Branch, b.PullRequest = "feature", fmt.Sprint(i)
	}
	return b
}

// keep60 prunes what is older than 60 days before the build of a number.
func keep60(t *testing.T, s *Store, now int, enough int) Pruned {
	t.Helper()
	done, err := s.Prune(t.Context(), Retention{
		Before: aged(now).Start.AddDate(0, 0, -60), Enough: enough,
		Base: func(*detect.Build) (branch, repository string) { return "main", "" },
	})
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func pastOf(t *testing.T, s *Store, b detect.Build) *detect.History {
	t.Helper()
	h, err := s.History(t.Context(), fetch.Query{Build: &b, BaseBranch: "main", Window: 50, Lookback: 30 * 24 * time.Hour, Enough: 8})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// A build is judged against the same history, whether the store was pruned or not, and
// what a history tells is still told.
func TestPruneChangesNoJudgement(t *testing.T) {
	const now = 1200
	var list []detect.Build
	for i := range now {
		list = append(list, aged(i))
	}
	onEach(t, func(t *testing.T, s *Store) {
		put(t, s, list...)
		queries := []detect.Build{aged(now + 1), aged(now + 10)}
		queries = append(queries, aged(now+2))
		queries[2].Branch, queries[2].PullRequest = "feature", "9999"
		var before []*detect.History
		for _, b := range queries {
			before = append(before, pastOf(t, s, b))
		}
		done := keep60(t, s, now, 1)
		if done.Dropped < 150 || done.Thinned < 50 || done.Milestones < 10 {
			t.Errorf("pruned %+v", done)
		}
		for i, b := range queries {
			if diff := cmp.Diff(before[i], pastOf(t, s, b), cmpopts.EquateEmpty(), cmp.AllowUnexported(detect.Tail{})); diff != "" {
				t.Errorf("query %d:\n%s", i, diff)
			}
		}
		if again := keep60(t, s, now, 1); again != (Pruned{}) {
			t.Errorf("pruned once more: %+v", again)
		}
		put(t, s, list[400:600]...) // whoever reads an old source again
		keep60(t, s, now, 1)
		if err := s.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before[0], pastOf(t, s, queries[0]), cmpopts.EquateEmpty(), cmp.AllowUnexported(detect.Tail{})); diff != "" {
			t.Errorf("after all that:\n%s", diff)
		}

		newest, err := s.Newest(t.Context(), "p", 10_000)
		if err != nil {
			t.Fatal(err)
		}
		newest = slices.DeleteFunc(newest, func(b detect.Build) bool { return b.Branch != "main" || b.Outcome != detect.OK })
		course := detect.Follow(newest, detect.DefaultThresholds)
		var shifts []string
		for _, step := range course.Steps {
			for _, shift := range step.Shifts {
				shifts = append(shifts, fmt.Sprintf("%s at %s", step.Name, course.Builds[shift.Build].ID))
			}
		}
		if !slices.Equal(shifts, []string{"[a] RUN steady at build-300"}) {
			t.Errorf("the history tells of %q", shifts)
		}
		for _, b := range newest {
			var i int
			if _, err := fmt.Sscanf(b.ID, "build-%d", &i); err != nil || !cmp.Equal(aged(i), b) {
				t.Errorf("build %s is another one:\n%s", b.ID, cmp.Diff(aged(i), b))
			}
		}
	})
}

// The size stays bounded as the years go by, but for one build a week.
func TestPruneBoundsTheSize(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		sizes := func() (builds, steps, keys int) {
			t.Helper()
			if err := s.db.QueryRow("SELECT (SELECT COUNT(*) FROM builds), (SELECT COUNT(*) FROM steps), (SELECT COUNT(*) FROM keys)").Scan(&builds, &steps, &keys); err != nil {
				t.Fatal(err)
			}
			return builds, steps, keys
		}
		const year = 365 * 6
		var before [2]int
		for y := range 3 {
			for from := y * year; from < (y+1)*year; from += 219 {
				var list []detect.Build
				for i := range 219 {
					list = append(list, aged(from+i))
				}
				put(t, s, list...)
				keep60(t, s, from+219, 50)
			}
			if err := s.Tidy(t.Context()); err != nil {
				t.Fatal(err)
			}
			builds, steps, keys := sizes()
			t.Logf("after year %d: %d builds, %d steps, %d keys", y+1, builds, steps, keys)
			if y == 2 && (builds > before[0]+70 || steps > before[1]+250) {
				t.Errorf("%d builds and %d steps after the third year, %d and %d after the second", builds, steps, before[0], before[1])
			}
			if y > 0 && keys != 2 && keys != 3 {
				t.Errorf("%d keys", keys)
			}
			before = [2]int{builds, steps}
		}
	})
}

// Of a pipeline whose base branch is called otherwise than is said, the branch with most
// builds is kept.
func TestPruneKeepsTheBranchThatIsThere(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		var list []detect.Build
		for i := range 700 {
			b := aged(i)
			if b.Branch == "main" {
				b.Branch = "trunk"
			}
			list = append(list, b)
		}
		put(t, s, list...)
		if done := keep60(t, s, 700, 1); done.Milestones == 0 || done.Thinned == 0 {
			t.Errorf("pruned %+v", done)
		}
	})
}
