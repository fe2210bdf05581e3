package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/course"
	"github.com/buildregress/buildregress/detect/level"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// aged is a build every four hours: one step of which each took 10 s up to the 300th build
// and takes 20 s since then, one that runs in every tenth build, and one that is gone
// since the 100th. Some builds failed, and some are of pull requests.
func aged(i int) timeline.Build {
	b := timeline.Build{
		ID: fmt.Sprintf("build-%d", i), Pipeline: "p", Origin: timeline.Origin{Branch: "main", Revision: fmt.Sprintf("%040d", i), URL: "https://ci.example/" + fmt.Sprint(i)},
		Start: noon.Add(time.Duration(i) * 4 * time.Hour),
	}
	step := func(name string, took time.Duration, state timeline.State) {
		b.Steps = append(b.Steps, timeline.Step{
			Key: "[a] RUN " + name, Name: "[a] RUN " + name, Stage: "a", Start: b.Start.Add(b.Duration), Duration: took, State: state,
		})
		b.Duration += took
	}
	noise := time.Duration(i*7919%997) * time.Millisecond / 2
	if i < 300 {
		step("steady", 10*time.Second+noise, timeline.Executed)
	} else {
		step("steady", 20*time.Second+noise, timeline.Executed)
	}
	if i%10 == 0 {
		step("rare", 5*time.Second+noise, timeline.Executed)
	} else {
		step("rare", 0, timeline.Cached)
	}
	if i < 100 {
		step("gone", 3*time.Second, timeline.Executed)
	}
	switch {
	case i%23 == 5:
		b.Outcome = timeline.Failed
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
		Base: func(*timeline.Build) (branch, repository string) { return "main", "" },
	})
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func pastOf(t *testing.T, s *Store, b timeline.Build) *detect.History {
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
	var list []timeline.Build
	for i := range now {
		list = append(list, aged(i))
	}
	onEach(t, func(t *testing.T, s *Store) {
		put(t, s, list...)
		queries := []timeline.Build{aged(now + 1), aged(now + 10)}
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
			if diff := cmp.Diff(before[i], pastOf(t, s, b), cmpopts.EquateEmpty(), cmp.AllowUnexported(level.Tail{})); diff != "" {
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
		if diff := cmp.Diff(before[0], pastOf(t, s, queries[0]), cmpopts.EquateEmpty(), cmp.AllowUnexported(level.Tail{})); diff != "" {
			t.Errorf("after all that:\n%s", diff)
		}

		newest, err := s.Newest(t.Context(), "p", 10_000)
		if err != nil {
			t.Fatal(err)
		}
		newest = slices.DeleteFunc(newest, func(b timeline.Build) bool { return b.Branch != "main" || b.Outcome != timeline.OK })
		course := course.Follow(newest, detect.DefaultThresholds)
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
				var list []timeline.Build
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
		var list []timeline.Build
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

func agedOf(branch string, numbers ...int) (list []timeline.Build) {
	for _, i := range numbers {
		b := aged(i)
		b.ID = fmt.Sprintf("%s-%d", branch, i)
		b.Branch, b.PullRequest, b.Outcome = branch, "", timeline.OK
		list = append(list, b)
	}
	return list
}

// numbers are those from one up to another, every so many.
func numbers(from, to, every int) (out []int) {
	for i := from; i < to; i += every {
		out = append(out, i)
	}
	return out
}

func countOf(t *testing.T, s *Store, condition string) (n int) {
	t.Helper()
	if err := s.db.QueryRow("SELECT COUNT(*) FROM builds b JOIN lines l ON l.id = b.line WHERE " + condition).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// The branch that a pull request is for is not the only one that builds are compared with:
// whatever the target of the one that prunes, no base branch loses its baseline.
func TestPruneKeepsEachBase(t *testing.T) {
	const now = 1200
	queries := []struct {
		base string
		next timeline.Build
	}{{"main", agedOf("feature", now+1)[0]}, {"release/1.x", agedOf("fix", now+2)[0]}}
	for _, target := range []string{"main", "release/1.x", "gone"} {
		t.Run(target, func(t *testing.T) {
			onEach(t, func(t *testing.T, s *Store) {
				put(t, s, agedOf("main", numbers(0, now, 1)...)...)
				put(t, s, agedOf("release/1.x", numbers(0, 120, 10)...)...)
				put(t, s, agedOf("idea", 1, 2, 3)...)
				past := func(i int) *detect.History {
					h, err := s.History(t.Context(), fetch.Query{Build: &queries[i].next, BaseBranch: queries[i].base, Window: 50, Lookback: 30 * 24 * time.Hour, Enough: 8})
					if err != nil {
						t.Fatal(err)
					}
					return h
				}
				before := []*detect.History{past(0), past(1)}
				for range 2 {
					if _, err := s.Prune(t.Context(), Retention{
						Before: aged(now).Start.AddDate(0, 0, -60),
						Base:   func(*timeline.Build) (branch, repository string) { return target, "" },
					}); err != nil {
						t.Fatal(err)
					}
				}
				for i := range queries {
					if diff := cmp.Diff(before[i], past(i), cmpopts.EquateEmpty(), cmp.AllowUnexported(level.Tail{})); diff != "" {
						t.Errorf("base %s:\n%s", queries[i].base, diff)
					}
				}
				if n := countOf(t, s, "l.branch = 'release/1.x' AND kept = 0"); n != 12 {
					t.Errorf("%d builds of release/1.x", n)
				}
				if tails := countOf(t, s, "l.branch = 'main' AND kept = 1"); tails < 100 {
					t.Errorf("%d tails of main", tails)
				}
				if n := countOf(t, s, "l.branch = 'idea'"); n != 0 {
					t.Errorf("%d builds of a branch with too few for a baseline", n)
				}
			})
		})
	}
}

// The builds of one kind of machine are searched for among many windows of builds: they
// are kept, however large the window.
func TestPruneKeepsWhatIsSearched(t *testing.T) {
	const now = 2400
	for _, window := range []int{50, 120} {
		t.Run(fmt.Sprint(window), func(t *testing.T) {
			onEach(t, func(t *testing.T, s *Store) {
				list := agedOf("main", numbers(0, now, 1)...)
				for i := range list {
					list[i].Runner = "amd64"
					if i%40 == 7 {
						list[i].Runner = "arm64"
					}
				}
				put(t, s, list...)
				var before []*detect.History
				past := func(runner string) *detect.History {
					next := agedOf("feature", now+1)[0]
					next.Runner = runner
					h, err := s.History(t.Context(), fetch.Query{Build: &next, BaseBranch: "main", Window: window, Lookback: 30 * 24 * time.Hour, Enough: 8})
					if err != nil {
						t.Fatal(err)
					}
					return h
				}
				runners := []string{"arm64", "amd64", ""}
				for _, r := range runners {
					before = append(before, past(r))
				}
				done, err := s.Prune(t.Context(), Retention{
					Before: aged(now).Start.AddDate(0, 0, -30), Window: window,
					Base: func(*timeline.Build) (branch, repository string) { return "main", "" },
				})
				if err != nil || done.Thinned == 0 {
					t.Fatalf("pruned %+v, %v", done, err)
				}
				for i, r := range runners {
					if diff := cmp.Diff(before[i], past(r), cmpopts.EquateEmpty(), cmp.AllowUnexported(level.Tail{})); diff != "" {
						t.Errorf("runner %q:\n%s", r, diff)
					}
				}
			})
		})
	}
}

// Of old builds that come later than newer ones, one a week is kept whole as well.
func TestPruneOfLateBuilds(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		put(t, s, agedOf("main", numbers(1000, 2200, 1)...)...)
		keep60(t, s, 2200, 1)
		put(t, s, agedOf("main", numbers(320, 1000, 1)...)...)
		if done := keep60(t, s, 2200, 1); done.Milestones > 680/42+2 {
			t.Errorf("pruned %+v", done)
		}
	})
}

// Of a build whose start is not known, nobody knows that it is old.
func TestPruneLeavesUnknownStarts(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		list := agedOf("main", numbers(0, 700, 1)...)
		unknown := agedOf("main", 701, 702)
		unknown[1].Branch, unknown[1].PullRequest = "feature", "7"
		for i := range unknown {
			unknown[i].Start = time.Time{}
		}
		put(t, s, append(list, unknown...)...)
		if done := keep60(t, s, 1000, 1); done.Thinned == 0 {
			t.Errorf("pruned %+v", done)
		}
		if n := countOf(t, s, "b.start = 0 AND b.kept = 0"); n != 2 {
			t.Errorf("%d builds without a start are left", n)
		}
	})
}

// Whether it is worth the work is asked of what would be thinned: the newest stay, and are
// old as well.
func TestPruneOfFewIsLeft(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		put(t, s, agedOf("main", numbers(0, 520, 1)...)...)
		if done := keep60(t, s, 1000, 50); done.Any() {
			t.Errorf("pruned %+v", done)
		}
		if done := keep60(t, s, 1000, 10); done.Thinned == 0 {
			t.Errorf("pruned %+v", done)
		}
	})
}
