package github

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	gh "github.com/google/go-github/v60/github"

	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/testdata/githubtest"
)

// A pipeline that was given a name by hand has as its history the builds that are
// of the same image.
func TestNamedPipeline(t *testing.T) {
	s := githubtest.New(t, clock)
	addMain(t, s, 0, 10)
	other, err := os.ReadFile("../../testdata/builds/beta/dockerbuild/base-1.dockerbuild")
	if err != nil {
		t.Fatal(err)
	}
	s.AddArtifact(s.Runs[0], "shop~other~BBBBBB.dockerbuild", other)
	o := options(t, s, pull(t, s).GetID())
	o.Pipeline = "shop"
	r := OpenRecords(o)
	q := query(t, r)
	q.Build.Pipeline = "shop"
	h, err := r.History(t.Context(), q)
	if err != nil || len(h.Base) != 10 {
		t.Fatalf("%d builds, %v", len(h.Base), err)
	}
}

// A fork's record names the fork, and is of the same image.
func TestForkedPipeline(t *testing.T) {
	s := githubtest.New(t, clock)
	line := func(id, repository string, hour int) []byte {
		return fmt.Appendf(nil, `{"id":%q,"pipeline":"%s Dockerfile","start":"2026-03-02T%02d:04:05Z","steps":[{"name":"RUN a","duration_seconds":1}]}`, id, repository, hour)
	}
	for n := range 10 {
		run := s.AddRun(githubtest.Run{Created: began.Add(time.Duration(n) * time.Hour)})
		s.AddArtifact(run, "buildregress", line(fmt.Sprint(n), "shop/app", n))
		s.AddArtifact(run, "buildregress-other", line(fmt.Sprint("other", n), "shop/other", n))
	}
	run := s.AddRun(githubtest.Run{Event: "pull_request", Head: "eve/app", HeadID: 666, Created: began.Add(20 * time.Hour)})
	s.AddArtifact(run, "buildregress", line("x", "eve/app", 23))
	h, err := history(t, options(t, s, run.GetID()))
	if err != nil || len(h.Base) != 10 {
		t.Errorf("%+v, %v", h, err)
	}
}

// Of records that people name after their jobs, those of other jobs are left out.
func TestNamesTellTheJob(t *testing.T) {
	s := githubtest.New(t, clock)
	for n := range 5 {
		run := s.AddRun(githubtest.Run{Created: began.Add(time.Duration(n) * time.Hour)})
		s.AddArtifact(run, "buildregress-arm64", recording(t, 2*n))
		s.AddArtifact(run, "buildregress-amd64", recording(t, 2*n+1))
		s.AddArtifact(run, "shop~app~AAAAAA.dockerbuild", recording(t, 2*n))
	}
	o := options(t, s, pull(t, s).GetID())
	o.Job = "amd64"
	h, err := history(t, o)
	if diff := cmp.Diff([]string{starts(t, 9), starts(t, 7), starts(t, 5), starts(t, 3), starts(t, 1)}, startsOf(h.Base)); diff != "" {
		t.Error(err, diff)
	}
	o.Job = "another"
	if h, err = history(t, o); err != nil || len(h.Base) != 10 {
		t.Errorf("%+v, %v", h, err)
	}
}

// Without anything that says which, the newest run with a record is judged; a run
// can be named; and a run without records says so.
func TestSubject(t *testing.T) {
	s := githubtest.New(t, clock)
	addMain(t, s, 0, 2)
	empty := s.AddRun(githubtest.Run{Created: began.Add(50 * time.Hour)})
	s.AddArtifact(empty, "coverage", []byte("x"))
	named, want := fmt.Sprint(s.Runs[0].GetID()), s.Runs[0].GetHeadSHA()
	for _, test := range []struct {
		name string
		want fetch.Selector
		sha  string
		err  string
	}{
		{"newest", fetch.Selector{}, s.Runs[1].GetHeadSHA(), ""},
		{"named", fetch.Selector{RunID: named}, want, ""},
		{"by commit", fetch.Selector{Revision: want}, want, ""},
		{"none", fetch.Selector{RunID: fmt.Sprint(empty.GetID())}, "", "no build in it"},
		{"unknown", fetch.Selector{RunID: "1"}, "", "404"},
		{"no number", fetch.Selector{RunID: "x/../y"}, "", "no id of a workflow run"},
		{"unknown commit", fetch.Selector{Revision: "beef"}, "", "no build in it"},
	} {
		builds, problems, err := OpenRecords(options(t, s, 0)).Builds(t.Context(), test.want)
		switch {
		case test.err != "":
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%s: %v", test.name, err)
			}
		case err != nil || len(problems) > 0 || len(builds) != 1 || builds[0].Revision != test.sha:
			t.Errorf("%s: %v, %v, %v", test.name, builds, problems, err)
		}
	}
}

// What an artifact says of its own origin is not believed.
func TestLyingRecord(t *testing.T) {
	s := githubtest.New(t, clock)
	lie := `{"id":"x","repository":"shop/app","branch":"main","revision":"c0ffee","pull_request":"1","url":"https://evil.example","start":"2026-01-02T03:04:05Z","steps":[{"name":"RUN a","duration_seconds":1}]}`
	run := s.AddRun(githubtest.Run{Event: "pull_request", Branch: "main", Head: "eve/app", HeadID: 666, Created: began})
	s.AddArtifact(run, "buildregress", []byte(lie))
	builds, _, err := OpenRecords(options(t, s, run.GetID())).Builds(t.Context(), fetch.Selector{})
	if err != nil || len(builds) != 1 {
		t.Fatal(builds, err)
	}
	b := builds[0]
	if b.Repository != "eve/app" || b.Branch != "main" || b.Revision != run.GetHeadSHA() || b.PullRequest != "" || b.URL != run.GetHTMLURL() {
		t.Errorf("it is taken for %+v", b)
	}
}

// Where there is no history yet, the notes say why.
func TestNothingYet(t *testing.T) {
	s := githubtest.New(t, clock)
	o := options(t, s, pull(t, s).GetID())
	for _, want := range []string{"GitHub knows no run of the workflow on main", "no build record is among the artifacts of the newest 1 runs on main"} {
		h, err := history(t, o)
		if err != nil || len(h.Notes) != 1 || !strings.Contains(h.Notes[0].Text, want) {
			t.Errorf("%v, %+v, want %s", err, h, want)
		}
		s.AddArtifact(s.AddRun(githubtest.Run{Created: began}), "coverage", []byte("x"))
	}
}

// A run tells its pull request, but for those that are open in another repository.
func TestPullOfARun(t *testing.T) {
	s := githubtest.New(t, clock)
	run := s.AddRun(githubtest.Run{Event: "pull_request", Branch: "x", Created: began})
	s.AddArtifact(run, "shop~app~AAAAAA.dockerbuild", recording(t, 0))
	pull := func(number int, sha string, repository int64) *gh.PullRequest {
		return &gh.PullRequest{
			Number: &number, Head: &gh.PullRequestBranch{SHA: &sha},
			Base: &gh.PullRequestBranch{Repo: &gh.Repository{ID: &repository}},
		}
	}
	here, head := run.GetRepository().GetID(), run.GetHeadSHA()
	for _, test := range []struct {
		name  string
		pulls []*gh.PullRequest
		want  string
	}{
		{"none", nil, ""},
		{"one", []*gh.PullRequest{pull(7, head, here)}, "7"},
		{"of another repository", []*gh.PullRequest{pull(7, head, 1)}, ""},
		{"one here and one elsewhere", []*gh.PullRequest{pull(7, head, 1), pull(8, head, here)}, "8"},
		{"moved on", []*gh.PullRequest{pull(7, "another", here)}, ""},
		{"several", []*gh.PullRequest{pull(7, head, here), pull(8, head, here)}, ""},
	} {
		run.PullRequests = test.pulls
		builds, _, err := OpenRecords(options(t, s, run.GetID())).Builds(t.Context(), fetch.Selector{})
		if err != nil || len(builds) != 1 || builds[0].PullRequest != test.want {
			t.Errorf("%s: %+v, %v, want pull request %q", test.name, builds, err, test.want)
		}
	}
}

// A run of a fork's pull request does not say it: GitHub is asked, however long ago
// the run was.
func TestPullOfAForksRun(t *testing.T) {
	open := githubtest.Pull{Number: 7, Base: "main", Head: "eve/app", Branch: "patch", SHA: "feed"}
	moved := open
	moved.Number, moved.SHA = 8, "another"
	elsewhere := open
	elsewhere.Number, elsewhere.Head = 9, "eve/other"
	twin := open
	twin.Number, twin.Base = 10, "next"
	for _, test := range []struct {
		name  string
		edit  func(*githubtest.Run)
		pulls []githubtest.Pull
		want  string
		calls int // of the list of pull requests
	}{
		{"its head", nil, []githubtest.Pull{moved, open, elsewhere}, "7", 1},
		{"moved on", nil, []githubtest.Pull{moved}, "", 1},
		{"several", nil, []githubtest.Pull{open, twin}, "", 1},
		{"a push", func(r *githubtest.Run) { r.Event = "push" }, []githubtest.Pull{open}, "", 0},
		{"no fork", func(r *githubtest.Run) { r.Head, r.HeadID = "shop/app", 0 }, []githubtest.Pull{open}, "", 0},
	} {
		s := githubtest.New(t, clock)
		s.Pulls = test.pulls
		run := githubtest.Run{Event: "pull_request", Branch: "patch", SHA: "feed", Head: "eve/app", HeadID: 666, Created: clock().Add(-72 * time.Hour)}
		if test.edit != nil {
			test.edit(&run)
		}
		made := s.AddRun(run)
		line := fmt.Appendf(nil, `{"id":"x","repository":"shop/app","branch":"main","pull_request":"1","start":%q,"steps":[{"name":"RUN a","duration_seconds":1}]}`,
			clock().Add(-72*time.Hour).Format(time.RFC3339))
		s.AddArtifact(made, "buildregress", line)
		s.AddJob(made, "image", 3, 60)
		o := options(t, s, made.GetID())
		o.Pulls = NewPulls(o.Client, clock)
		for _, source := range []fetch.Source{OpenRecords(o), OpenSteps(o)} {
			builds, problems, err := source.Builds(t.Context(), fetch.Selector{})
			if err != nil || len(builds) != 1 || len(problems) > 0 {
				t.Fatal(test.name, builds, problems, err)
			}
			b := &builds[0]
			if b.PullRequest != test.want || b.Repository != run.Head || b.Revision != "feed" || b.Branch != "patch" || !strings.HasPrefix(b.URL, made.GetHTMLURL()) {
				t.Errorf("%s: it is taken for %+v", test.name, b.Origin)
			}
		}
		if n := s.Asked("GET", "/pulls"); n != test.calls {
			t.Errorf("%s: asked for pull requests %d times, want %d", test.name, n, test.calls)
		}
	}
}

// A pull request that cannot be asked for costs no build.
func TestPullThatIsNotTold(t *testing.T) {
	s := githubtest.New(t, clock)
	run := s.AddRun(githubtest.Run{Event: "pull_request", Branch: "patch", Head: "eve/app", HeadID: 666, Created: began})
	s.AddArtifact(run, "shop~app~AAAAAA.dockerbuild", recording(t, 0))
	s.Fault = refusing("/pulls", 403)
	builds, problems, err := OpenRecords(options(t, s, run.GetID())).Builds(t.Context(), fetch.Selector{})
	if err != nil || len(builds) != 1 || len(problems) != 1 || !errors.Is(problems[0], ErrDenied) {
		t.Fatal(builds, problems, err)
	}
}
