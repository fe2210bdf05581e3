package github

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	gh "github.com/google/go-github/v60/github"

	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/builds/buildtest"
	"github.com/buildregress/buildregress/testdata/githubtest"
)

// The history is the same wherever it comes from, and what was fetched before is
// not fetched again.
func TestHistory(t *testing.T) {
	s := githubtest.New(t, clock)
	addMain(t, s, 0, 30)
	o := options(t, s, pull(t, s).GetID())
	o.Cache = &memoryCache{}
	for _, kind := range []struct {
		name        string
		calls, gets int
	}{{"cold", 37, 31}, {"warm", 6, 0}} {
		s.Requests()
		gets := s.Gets()
		h, err := history(t, o)
		if err != nil {
			t.Fatal(err)
		}
		if len(h.Base) != 30 || len(h.Notes) > 0 || len(h.Branch) > 0 {
			t.Errorf("%s: %d builds, %d of the branch, %q", kind.name, len(h.Base), len(h.Branch), h.Notes)
		}
		for i, b := range h.Base {
			if b.Branch != "main" || b.Repository != "shop/app" || b.Revision != s.Runs[29-i].GetHeadSHA() || b.URL != s.Runs[29-i].GetHTMLURL() {
				t.Errorf("%s: build %d is of %s, %s, %s, %s", kind.name, i, b.Branch, b.Repository, b.Revision, b.URL)
			}
		}
		if calls := s.Requests(); len(calls) != kind.calls || s.Gets()-gets != kind.gets {
			t.Errorf("%s: %d requests and %d downloads, want %d and %d\n%s", kind.name, len(calls), s.Gets()-gets, kind.calls, kind.gets, strings.Join(calls, "\n"))
		}
	}
}

// Lists come in pages. Where most of the repository's artifacts are others', the
// runs are asked for theirs.
func TestPages(t *testing.T) {
	for _, test := range []struct {
		name   string
		others int // artifacts beside each record
		most   int // requests
	}{{"none beside", 0, 31 + 2 + 5 + 5}, {"many beside", 9, 31 + 2 + 5 + 32}} {
		t.Run(test.name, func(t *testing.T) {
			s := githubtest.New(t, clock)
			s.PerPage = 10
			for n := range 30 {
				run := s.AddRun(githubtest.Run{Created: began.Add(time.Duration(n) * time.Hour)})
				for i := range test.others {
					s.AddArtifact(run, fmt.Sprintf("coverage-%d", i), []byte("x"))
				}
				s.AddArtifact(run, "shop~app~BBBBBB.dockerbuild", recording(t, n))
			}
			h, err := history(t, options(t, s, pull(t, s).GetID()))
			if err != nil || len(h.Base) != 30 {
				t.Fatalf("%d builds, %v", len(h.Base), err)
			}
			if n := len(s.Requests()); n > test.most {
				t.Errorf("%d requests, want at most %d", n, test.most)
			}
		})
	}
}

// A window of builds is enough, and it is always the same.
func TestWindow(t *testing.T) {
	s := githubtest.New(t, clock)
	addMain(t, s, 0, 30)
	o := options(t, s, pull(t, s).GetID())
	var first []string
	for range 5 {
		r := OpenRecords(o)
		q := query(t, r)
		q.Window = 10
		h, err := r.History(t.Context(), q)
		if err != nil || len(h.Base) != 10 || len(h.Sparse) > 0 {
			t.Fatalf("%d builds, %d rare, %v", len(h.Base), len(h.Sparse), err)
		}
		if first == nil {
			first = ids(h.Base)
		}
		if diff := cmp.Diff(first, ids(h.Base)); diff != "" {
			t.Error(diff)
		}
	}
	if n := s.Gets(); n > 5*(1+10+parallel) {
		t.Errorf("%d downloads", n)
	}
}

// Only runs of the base branch, which nobody can start who may not
// write to the repository, are the baseline.
func TestWhoIsBase(t *testing.T) {
	for _, test := range []struct {
		name string
		run  githubtest.Run
		edit func(*gh.WorkflowRun)
		want int
	}{
		{name: "push", want: 1},
		{name: "schedule", run: githubtest.Run{Event: "schedule"}, want: 1},
		{name: "by hand", run: githubtest.Run{Event: "workflow_dispatch"}, want: 1},
		{name: "merge queue", run: githubtest.Run{Event: "merge_group", Branch: "gh-readonly-queue/main/pr-3-abc"}, want: 1},
		{name: "merge queue of another", run: githubtest.Run{Event: "merge_group", Branch: "gh-readonly-queue/next/pr-3-abc"}},
		{name: "merge queue of one below", run: githubtest.Run{Event: "merge_group", Branch: "gh-readonly-queue/main/next/pr-3-abc"}},
		{name: "merge queue of nothing", run: githubtest.Run{Event: "merge_group", Branch: "gh-readonly-queue/main/abc"}},
		{name: "a fork's main", run: githubtest.Run{Event: "pull_request", Head: "eve/app", HeadID: 666}},
		{name: "a fork's main, privileged", run: githubtest.Run{Event: "pull_request_target", Head: "eve/app", HeadID: 666}},
		{name: "a push to a fork", run: githubtest.Run{Head: "eve/app", HeadID: 666}},
		{name: "a fork that says it is this repository", run: githubtest.Run{HeadID: 666}},
		{name: "a deleted fork", run: githubtest.Run{}, edit: func(r *gh.WorkflowRun) { r.HeadRepository = nil }},
		{name: "nothing said of repositories", run: githubtest.Run{}, edit: func(r *gh.WorkflowRun) { r.HeadRepository, r.Repository = nil, nil }},
		{name: "a pull request from main", run: githubtest.Run{Event: "pull_request"}},
		{name: "comments", run: githubtest.Run{Event: "issue_comment"}},
		{name: "failed by a check or a test, not by the build", run: githubtest.Run{Conclusion: "failure"}, want: 1},
		{name: "cancelled after the build", run: githubtest.Run{Conclusion: "cancelled"}, want: 1},
		{name: "going on", run: githubtest.Run{Status: "in_progress"}},
		{name: "another branch", run: githubtest.Run{Branch: "next"}},
		{name: "later than the build", run: githubtest.Run{Created: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := githubtest.New(t, clock)
			if test.run.Created.IsZero() {
				test.run.Created = began
			}
			run := s.AddRun(test.run)
			s.AddArtifact(run, "shop~app~BBBBBB.dockerbuild", recording(t, 3))
			if test.edit != nil {
				test.edit(run)
			}
			h, err := history(t, options(t, s, pull(t, s).GetID()))
			if err != nil || len(h.Base) != test.want {
				t.Errorf("%d builds, %v", len(h.Base), err)
			}
			for _, b := range h.Base {
				if b.Branch != "main" {
					t.Errorf("it is of %s", b.Branch)
				}
			}
		})
	}
}

// The newest five earlier runs of the pull request are evidence, those that a
// check failed too, and the earlier attempts of this one.
func TestEvidence(t *testing.T) {
	s := githubtest.New(t, clock)
	addMain(t, s, 0, 10)
	add := func(n int, r githubtest.Run) *gh.WorkflowRun {
		if r.Event == "" {
			r.Event = "pull_request"
		}
		r.Branch, r.Created = "slow", began.Add(time.Duration(n)*time.Hour)
		run := s.AddRun(r)
		s.AddArtifact(run, "shop~app~CCCCCC.dockerbuild", recording(t, n))
		return run
	}
	add(30, githubtest.Run{}) // MaxBranch are newer
	kept := []*gh.WorkflowRun{add(31, githubtest.Run{}), add(32, githubtest.Run{Conclusion: "failure"}), add(33, githubtest.Run{})}
	add(34, githubtest.Run{Head: "eve/app", HeadID: 666}) // the same branch of a fork
	add(35, githubtest.Run{Event: "push"})
	add(36, githubtest.Run{Status: "in_progress"})
	own := s.AddRun(githubtest.Run{
		Event: "pull_request", Branch: "slow", Status: "in_progress", Attempt: 2,
		Created: began.Add(100 * time.Hour), Started: began.Add(101 * time.Hour),
	})
	first := s.AddArtifact(own, "shop~app~DDDDDD.dockerbuild", recording(t, 37))
	first.CreatedAt = &gh.Timestamp{Time: began.Add(100*time.Hour + time.Minute)}
	s.AddArtifact(own, "shop~app~EEEEEE.dockerbuild", recording(t, 44))
	h, err := history(t, options(t, s, own.GetID()))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{own.GetHeadSHA(), kept[2].GetHeadSHA(), kept[1].GetHeadSHA(), kept[0].GetHeadSHA()}
	var got []string
	for _, b := range h.Branch {
		got = append(got, b.Revision)
		if b.PullRequest != "7" || b.Branch != "slow" || b.Repository != "shop/app" {
			t.Errorf("%s is of %s, %s, %s", b.ID, b.PullRequest, b.Branch, b.Repository)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(h.Base) != 10 {
		t.Errorf("%d builds of main", len(h.Base))
	}
}

// However much a pull request's runs leave, there is a baseline.
func TestManyOfAPullRequest(t *testing.T) {
	s := githubtest.New(t, clock)
	addMain(t, s, 0, 10)
	for n := range 5 {
		run := s.AddRun(githubtest.Run{Event: "pull_request", Branch: "slow", Created: began.Add(time.Duration(20+n) * time.Hour)})
		for k := range 80 {
			s.AddArtifact(run, fmt.Sprintf("buildregress-%d", k), []byte("no record"))
		}
	}
	h, err := history(t, options(t, s, pull(t, s).GetID()))
	if err != nil || len(h.Base) != 10 || len(h.Notes) != 1 || !strings.Contains(h.Notes[0].Text, "99 no build record, ") || !strings.Contains(h.Notes[0].Text, "221 beyond the first 300") {
		t.Errorf("%d builds, %v, %v", len(h.Base), h.Notes, err)
	}
}

// A run that is deleted between two requests costs no more than itself.
func TestDeletedRun(t *testing.T) {
	s := githubtest.New(t, clock)
	addMain(t, s, 0, 10)
	for n := range 300 { // so that each run is asked for
		s.AddArtifact(s.AddRun(githubtest.Run{Branch: "x", Created: began.Add(time.Duration(20+n) * time.Hour)}), "coverage", nil)
	}
	gone := fmt.Sprintf("/runs/%d/", s.Runs[3].GetID())
	r := OpenRecords(options(t, s, pull(t, s).GetID()))
	q := query(t, r)
	q.Build.PullRequest = "7"
	s.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, gone) {
			return false
		}
		githubtest.Refuse(w, http.StatusNotFound, "Not Found")
		return true
	}
	if h, err := r.History(t.Context(), q); err != nil || len(h.Base) != 9 {
		t.Errorf("%+v, %v", h, err)
	}
}

// A record that a pull request copied from main takes nothing from the baseline,
// and is no evidence.
func TestCopiedRecord(t *testing.T) {
	s := githubtest.New(t, clock)
	addMain(t, s, 0, 10)
	run := s.AddRun(githubtest.Run{Event: "pull_request", Branch: "slow", Created: began.Add(20 * time.Hour)})
	s.AddArtifact(run, "shop~app~CCCCCC.dockerbuild", recording(t, 9))
	h, err := history(t, options(t, s, pull(t, s).GetID()))
	if err != nil || len(h.Base) != 10 || len(h.Branch) != 0 {
		t.Fatalf("%d builds, %d of the branch, %v", len(h.Base), len(h.Branch), err)
	}
	for _, b := range h.Base {
		if b.PullRequest != "" || b.Branch != "main" {
			t.Errorf("%s is of %s, %s", b.ID, b.PullRequest, b.Branch)
		}
	}
}

// Of a run that was made again, what the superseded attempt built is left out.
func TestAttempts(t *testing.T) {
	s := githubtest.New(t, clock)
	again := s.AddRun(githubtest.Run{Created: began, Started: began.Add(time.Hour), Attempt: 2})
	s.AddArtifact(again, "shop~app~AAAAAA.dockerbuild", recording(t, 1)).CreatedAt = &gh.Timestamp{Time: began.Add(time.Minute)}
	s.AddArtifact(again, "shop~app~BBBBBB.dockerbuild", recording(t, 2))
	// Only another job was made again: the first attempt's record is the one.
	partly := s.AddRun(githubtest.Run{Created: began.Add(2 * time.Hour), Started: began.Add(3 * time.Hour), Attempt: 2})
	s.AddArtifact(partly, "shop~app~CCCCCC.dockerbuild", recording(t, 3)).CreatedAt = &gh.Timestamp{Time: began.Add(2*time.Hour + time.Minute)}
	// The one image was built again, the other was not.
	other, err := os.ReadFile("../../testdata/builds/beta/dockerbuild/base-1.dockerbuild")
	if err != nil {
		t.Fatal(err)
	}
	s.AddArtifact(again, "shop~other~DDDDDD.dockerbuild", other).CreatedAt = &gh.Timestamp{Time: began.Add(time.Minute)}
	h, err := history(t, options(t, s, pull(t, s).GetID()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{starts(t, 3), starts(t, 2)}, startsOf(h.Base)); diff != "" {
		t.Error(diff)
	}
	builds, _, err := OpenRecords(options(t, s, again.GetID())).Builds(t.Context(), fetch.Selector{})
	if err != nil || len(builds) != 2 || builds[0].Pipeline == builds[1].Pipeline {
		t.Errorf("%d builds to judge, %v", len(builds), err)
	}
}

// Two images of one repository have each its own history, by Git contexts too, and where
// their pipeline was given by hand.
func TestImagesOfOneRepository(t *testing.T) {
	for _, given := range []string{"", "by hand"} {
		s := githubtest.New(t, clock)
		image := func(folder string, n int, took float64) []byte {
			r := buildtest.Record{
				Ref: fmt.Sprintf("%s%d", folder, n), Start: began.Add(time.Duration(n) * time.Hour),
				Attributes: map[string]string{"context": "https://github.com/shop/app.git#" + strings.Repeat("0a", 20) + ":" + folder},
				Vertices:   []buildtest.Vertex{{Name: "[1/2] COPY . .", Salt: fmt.Sprint(folder, n), To: .1}, {Name: "[2/2] RUN npm ci", Salt: fmt.Sprint(folder, n), From: .1, To: took}},
			}
			source := map[string]any{"infos": []any{map[string]string{"filename": "Dockerfile", "data": "eA=="}}, "locations": map[string]any{
				"x": map[string]any{"locations": []any{map[string]any{"ranges": []any{map[string]any{"start": map[string]int{"line": 1}, "end": map[string]int{"line": 1}}}}}},
			}}
			r.Provenance = map[string]any{
				"buildConfig": map[string]any{"digestMapping": map[string]string{r.Vertices[1].Digest(): "x"}},
				"metadata":    map[string]any{"https://mobyproject.org/buildkit@v1#metadata": map[string]any{"source": source}},
			}
			return r.File(t)
		}
		for n := range 10 {
			run := s.AddRun(githubtest.Run{Created: began.Add(time.Duration(n) * time.Hour)})
			s.AddArtifact(run, "shop~app~AAAAAA.dockerbuild", image("api", n, 10))
			s.AddArtifact(run, "shop~app~BBBBBB.dockerbuild", image("web", n, 75))
		}
		run := s.AddRun(githubtest.Run{Event: "pull_request", Branch: "x", Created: began.Add(100 * time.Hour)})
		s.AddArtifact(run, "shop~app~CCCCCC.dockerbuild", image("web", 100, 75))
		o := options(t, s, run.GetID())
		o.Pipeline = given
		r := OpenRecords(o)
		q := query(t, r)
		if given != "" {
			q.Build.Pipeline = given
		}
		h, err := r.History(t.Context(), q)
		if err != nil || len(h.Base) != 10 {
			t.Errorf("%q: %d builds, %v", given, len(h.Base), err)
			continue
		}
		for _, b := range h.Base {
			if !strings.HasPrefix(b.ID, "web") {
				t.Errorf("%q: %s is in the history of web", given, b.ID)
			}
		}
	}
}
