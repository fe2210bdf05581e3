package gitlab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/builds/buildtest"
	"github.com/buildregress/buildregress/fetch/httpclient"
	"github.com/buildregress/buildregress/testdata/gitlabtest"
	"github.com/google/go-cmp/cmp"
)

var began = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// open asks a server, with the token of a job or another.
func open(t *testing.T, s *gitlabtest.Server, jobToken bool, run int64) *Source {
	t.Helper()
	api, err := url.Parse(s.URL + "/api/v4")
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{"Private-Token": {gitlabtest.Token}}
	if jobToken {
		header = http.Header{"Job-Token": {gitlabtest.JobToken}}
	}
	client, err := httpclient.NewClient(api, httpclient.Options{Header: header, Backoff: time.Millisecond, LongestWait: LongestWait})
	if err != nil {
		t.Fatal(err)
	}
	return Open(Options{Project: gitlabtest.Project, Client: client, API: api.String(), JobToken: jobToken, Run: run})
}

// project is a server with so many pipelines of main, and pipelines of others between them.
func project(t *testing.T, n int) *gitlabtest.Server {
	s := gitlabtest.New(t)
	for i := range n {
		at := began.Add(time.Duration(i) * time.Hour)
		s.Add(gitlabtest.Pipeline{Ref: "main", Created: at, Jobs: gitlabtest.Usual(i, 90, false)})
		s.Add(gitlabtest.Pipeline{Ref: "refs/merge-requests/3/head", Source: "merge_request_event", Created: at.Add(time.Minute), Jobs: gitlabtest.Usual(i, 300, false)})
		s.Add(gitlabtest.Pipeline{Ref: "main", Source: "schedule", Created: at.Add(2 * time.Minute), Jobs: gitlabtest.Usual(i, 900, false)})
		tag := gitlabtest.Usual(i, 500, false)
		for _, j := range tag {
			j.Tag = true
		}
		s.Add(gitlabtest.Pipeline{Ref: "main", Created: at.Add(3 * time.Minute), Jobs: tag})
	}
	return s
}

func described(b *timeline.Build) (out []string) {
	for i := range b.Steps {
		s := &b.Steps[i]
		out = append(out, fmt.Sprintf("%s %s %s %v <- %s", s.ID, s.Key, s.State, s.Duration, strings.Join(s.Inputs, " ")))
	}
	return out
}

// A pipeline that runs yet is judged as far as it has come, against the same part of those
// of the base branch; with either token alike.
func TestOwnPipeline(t *testing.T) {
	s := project(t, 12)
	for i := range 2 {
		s.Add(gitlabtest.Pipeline{Ref: "refs/merge-requests/7/head", Source: "merge_request_event", Created: began.Add(time.Duration(90+i) * time.Hour), Jobs: gitlabtest.Usual(i, 140, false)})
	}
	own := s.Add(gitlabtest.Pipeline{
		Ref: "refs/merge-requests/7/head", Source: "merge_request_event", Status: "running", Created: began.Add(100 * time.Hour),
		Jobs: gitlabtest.Usual(0, 150, true),
	})
	s.PerPage = 30 // the lists have several pages
	for _, jobToken := range []bool{false, true} {
		t.Run(fmt.Sprintf("job token %v", jobToken), func(t *testing.T) {
			source := open(t, s, jobToken, own.ID)
			builds, problems, err := source.Builds(t.Context(), fetch.Selector{})
			if err != nil || len(problems) > 0 || len(builds) != 1 {
				t.Fatal(builds, problems, err)
			}
			b := &builds[0]
			if err := buildtest.Check(b); err != nil {
				t.Error(err)
			}
			want := []string{
				"1 [build / image] waiting for a runner executed 3.5s <- ",
				"3 [build / lint] waiting for a runner executed 4.5s <- ",
				"2 [build] image executed 2m30s <- 1",
				"4 [build] lint executed 12s <- 3",
				"5 [test / unit] waiting for a runner executed 2.5s <- 2",
				"6 [test] unit executed 1m0s <- 5",
			}
			if diff := cmp.Diff(want, described(b)); diff != "" {
				t.Error(diff)
			}
			if b.Pipeline != gitlabtest.Project || b.Outcome != timeline.OK || b.Duration != 217*time.Second || b.PullRequest != "7" || b.Runner != "docker,linux" || b.Revision != own.SHA {
				t.Errorf("%+v", b)
			}
			h, err := source.History(t.Context(), fetch.Query{Build: b, BaseBranch: "main", BaseRepository: gitlabtest.Project, Window: 50, Enough: 8})
			if err != nil || len(h.Notes) > 0 {
				t.Fatal(h, err)
			}
			if len(h.Base) != 12 || len(h.Branch) != 2 {
				t.Errorf("%d of the base, %d of the branch; want 12 and 2", len(h.Base), len(h.Branch))
			}
			for i := range h.Base {
				if got := len(h.Base[i].Steps); got != len(b.Steps) || h.Base[i].Steps[2].Duration > 95*time.Second {
					t.Errorf("a build of the base has %d steps: %v", got, described(&h.Base[i]))
				}
			}
		})
	}
}

// A window of pipelines is enough, however many there are, and what was read is kept.
func TestNoMoreThanNeeded(t *testing.T) {
	s := project(t, 60)
	own := s.Add(gitlabtest.Pipeline{Ref: "slow", Created: began.Add(1000 * time.Hour), Jobs: gitlabtest.Usual(0, 150, false)})
	cache := &memoryCache{held: map[string][]timeline.Build{}}
	for _, want := range []struct{ base, jobs int }{{20, 45}, {20, 1}} {
		source := open(t, s, false, own.ID)
		source.Cache = cache
		builds, _, err := source.Builds(t.Context(), fetch.Selector{})
		if err != nil {
			t.Fatal(err)
		}
		s.Requests()
		h, err := source.History(t.Context(), fetch.Query{Build: &builds[0], BaseBranch: "main", Window: 20, Enough: 8})
		if err != nil || len(h.Base) != want.base {
			t.Fatal(len(h.Base), h.Notes, err)
		}
		jobs := 0
		for _, r := range s.Requests() {
			if gitlabtest.Is(r, "/jobs") {
				jobs++
			}
		}
		if jobs > want.jobs {
			t.Errorf("%d requests for jobs, at most %d are needed", jobs, want.jobs)
		}
	}
	source := open(t, s, true, own.ID)
	builds, _, err := source.Builds(t.Context(), fetch.Selector{})
	if err != nil {
		t.Fatal(err)
	}
	s.Requests()
	h, err := source.History(t.Context(), fetch.Query{Build: &builds[0], BaseBranch: "main", Window: 20, Enough: 8})
	if n := len(s.Requests()); err != nil || len(h.Base) != 20 || n > 8 {
		t.Error(len(h.Base), n, err)
	}
}

// What was read for some jobs is not taken for others, whose names differ by case alone.
func TestCacheByJobs(t *testing.T) {
	s := gitlabtest.New(t)
	for i := range 12 {
		jobs := gitlabtest.Usual(i, 90, false)
		jobs[1].Stage = "BUILD"
		s.Add(gitlabtest.Pipeline{Ref: "main", Created: began.Add(time.Duration(i) * time.Hour), Jobs: jobs})
	}
	jobs := gitlabtest.Usual(0, 90, false)
	jobs[1].Stage = "BUILD"
	own := s.Add(gitlabtest.Pipeline{Ref: "slow", Created: began.Add(1000 * time.Hour), Jobs: jobs})
	cache := &memoryCache{held: map[string][]timeline.Build{}}
	for _, name := range []string{"build", "BUILD"} {
		source := open(t, s, false, own.ID)
		source.Cache, source.Jobs = cache, name
		builds, _, err := source.Builds(t.Context(), fetch.Selector{})
		if err != nil {
			t.Fatal(err)
		}
		h, err := source.History(t.Context(), fetch.Query{Build: &builds[0], BaseBranch: "main", Window: 20, Enough: 8})
		if err != nil || len(h.Base) != 12 {
			t.Fatal(h, err)
		}
		for i := range h.Base {
			if text := strings.Join(described(&h.Base[i]), "\n"); !strings.Contains(text, "["+name+"] ") {
				t.Fatalf("--job %s: %s", name, text)
			}
		}
	}
	one, other := open(t, s, false, 0), open(t, s, false, 0)
	if other.Project = strings.ToUpper(one.Project); one.cacheSource() != other.cacheSource() {
		t.Errorf("%s and %s are one project", one.cacheSource(), other.cacheSource())
	}
}

// A job that was run again counts as it was last, and one that somebody started the next
// day does not.
func TestAgainAndByHand(t *testing.T) {
	s := gitlabtest.New(t)
	jobs := gitlabtest.Usual(0, 90, false)
	jobs[0].Retried, jobs[0].Status = true, "failed"
	jobs = append(jobs, &gitlabtest.Job{Name: "image", Stage: "build", Start: 100, Took: 80, Queued: 1},
		&gitlabtest.Job{Name: "production", Stage: "deploy", Start: 90000, Took: 30, Queued: 1})
	p := s.Add(gitlabtest.Pipeline{Ref: "main", Created: began, Jobs: jobs})
	later := s.Add(gitlabtest.Pipeline{Ref: "main", Created: began.Add(time.Hour), Jobs: gitlabtest.Usual(0, 90, false)})
	source := open(t, s, false, p.ID)
	builds, _, err := source.Builds(t.Context(), fetch.Selector{})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(described(&builds[0]), "\n")
	if !strings.Contains(text, "[build] image executed 1m20s") || strings.Contains(text, "production") || builds[0].Duration > time.Hour {
		t.Errorf("%v\n%s", builds[0].Duration, text)
	}
	source = open(t, s, true, later.ID)
	if builds, _, err = source.Builds(t.Context(), fetch.Selector{}); err != nil {
		t.Fatal(err)
	}
	h, err := source.History(t.Context(), fetch.Query{Build: &builds[0], BaseBranch: "main", Window: 20, Enough: 8})
	if err != nil || len(h.Base) != 1 || !slices.ContainsFunc(described(&h.Base[0]), func(s string) bool { return strings.Contains(s, "[build] image executed 1m20s") }) {
		t.Errorf("%+v, %v", h, err)
	}
}

// A pipeline of which all jobs were run again hours later began then, also while it runs.
func TestAllAgain(t *testing.T) {
	const later = 5 * 60 * 60
	for _, running := range []bool{false, true} {
		s := gitlabtest.New(t)
		jobs, status := gitlabtest.Usual(0, 90, running), "success"
		if running {
			status = "running"
		}
		for _, j := range jobs {
			if j.Start > 0 {
				j.Start += later
			}
		}
		p := s.Add(gitlabtest.Pipeline{Ref: "main", Status: status, Created: began, Jobs: jobs})
		builds, problems, err := open(t, s, false, p.ID).Builds(t.Context(), fetch.Selector{})
		if err != nil || len(problems) > 0 || len(builds) != 1 {
			t.Fatal(builds, problems, err)
		}
		b := &builds[0]
		if err := buildtest.Check(b); err != nil {
			t.Error(err)
		}
		if text := strings.Join(described(b), "\n"); b.Duration > time.Hour || b.Duration < time.Minute || !strings.Contains(text, "[build] image executed 1m30s") {
			t.Errorf("running %v: %v\n%s", running, b.Duration, text)
		}
	}
}

// The run that is judged is that of an id, of a commit, or the newest that is over.
func TestWhichPipeline(t *testing.T) {
	s := project(t, 3)
	failed := s.Add(gitlabtest.Pipeline{Ref: "main", Status: "failed", Created: began.Add(20 * time.Hour), Jobs: []*gitlabtest.Job{
		{Name: "image", Stage: "build", Start: 4, Took: 20, Queued: 3, Status: "failed"},
		{Name: "unit", Stage: "test", Status: "skipped"},
	}})
	s.Add(gitlabtest.Pipeline{Ref: "main", Status: "running", Created: began.Add(21 * time.Hour), Jobs: gitlabtest.Usual(1, 90, true)})
	nightly := s.Pipelines[2]
	for _, jobToken := range []bool{false, true} {
		for _, test := range []struct {
			w    fetch.Selector
			want *gitlabtest.Pipeline
		}{
			{fetch.Selector{}, failed},
			{fetch.Selector{Revision: nightly.SHA}, nightly},
			{fetch.Selector{RunID: fmt.Sprint(nightly.ID)}, nightly},
		} {
			builds, _, err := open(t, s, jobToken, 0).Builds(t.Context(), test.w)
			if err != nil || builds[0].ID != fmt.Sprintf("gitlab-%d", test.want.ID) {
				t.Fatal(test.w, builds, err)
			}
			switch b := &builds[0]; test.want {
			case failed:
				if b.Outcome != timeline.Failed || b.Error != "failed at [build] image" || b.Steps[1].Error != "script failure" {
					t.Errorf("%+v", b)
				}
			default:
				if b.Pipeline != gitlabtest.Project+" (schedule)" || b.Outcome != timeline.OK {
					t.Errorf("%+v", b)
				}
			}
		}
	}
	for text, w := range map[string]fetch.Selector{"is no id of a pipeline": {RunID: "x"}, "no pipeline of commit ffff": {Revision: "ffff"}, "pipeline 5": {RunID: "5"}} {
		if _, _, err := open(t, s, false, 0).Builds(t.Context(), w); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%v, want %q", err, text)
		}
	}
}

// What GitLab refuses is told with what to do; a limit that it names is waited for, or ends
// the history, and what was had is judged.
func TestFaults(t *testing.T) {
	s := project(t, 12)
	own := s.Add(gitlabtest.Pipeline{Ref: "slow", Created: began.Add(100 * time.Hour), Jobs: gitlabtest.Usual(0, 150, false)})
	refuse := func(code int, header ...string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(code)
			return true
		}
	}
	for _, test := range []struct {
		fault      func(http.ResponseWriter, *http.Request) bool
		text, hint string
	}{
		{refuse(401), "GitLab does not know the token (401)", "read_api"},
		{refuse(403), "not allowed by the token (403)", "read_api"},
		{refuse(404), "the token may not see it (404)", "CI_SERVER_URL"},
		{refuse(429, "Retry-After", "3600"), "GitLab's rate limit is used up for 1h0m0s", "GITLAB_TOKEN"},
		{refuse(500), "GitLab answers 500", ""},
		{func(w http.ResponseWriter, _ *http.Request) bool {
			_, err := w.Write([]byte("<html>"))
			return err == nil
		}, "bad JSON", ""},
	} {
		s.Fault = test.fault
		_, _, err := open(t, s, false, own.ID).Builds(t.Context(), fetch.Selector{})
		var hinted interface{ Hint() string }
		if err == nil || !strings.Contains(err.Error(), test.text) || test.hint != "" && (!errors.As(err, &hinted) || !strings.Contains(hinted.Hint(), test.hint)) {
			t.Errorf("%v, want %q", err, test.text)
		}
	}
	var mu sync.Mutex
	n := 0
	s.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		n++
		switch {
		case n == 1:
			return refuse(429, "Retry-After", "0")(w, r)
		case n > 8:
			return refuse(429, "Retry-After", "600")(w, r)
		}
		return false
	}
	source := open(t, s, false, own.ID)
	builds, _, err := source.Builds(t.Context(), fetch.Selector{})
	if err != nil {
		t.Fatal(err)
	}
	h, err := source.History(t.Context(), fetch.Query{Build: &builds[0], BaseBranch: "main", Window: 50, Enough: 8})
	if err != nil || len(h.Base) == 0 || len(h.Notes) != 1 || !strings.Contains(h.Notes[0].Text, "rate limit is used up for 10m0s") {
		t.Errorf("%+v, %v", h, err)
	}
}

// A memoryCache is a fetch.Cache in memory.
type memoryCache struct{ held map[string][]timeline.Build }

func (c *memoryCache) Get(_ context.Context, source string, ids []string) (map[string]fetch.Cached, error) {
	out := map[string]fetch.Cached{}
	for _, id := range ids {
		if list, ok := c.held[source+" "+id]; ok {
			out[id] = fetch.Cached{Builds: list}
		}
	}
	return out, nil
}

func (c *memoryCache) Put(_ context.Context, source, id string, list []timeline.Build) error {
	c.held[source+" "+id] = list
	return nil
}

// FuzzJobs reads jobs, whose names and stages anybody can write who opens a merge request.
func FuzzJobs(f *testing.F) {
	f.Add([]byte(`[{"id":1,"name":"image","stage":"build","status":"success","started_at":"2026-01-01T00:00:05.5Z","finished_at":"2026-01-01T00:01:00Z","queued_duration":3.5,
		"tag_list":["linux"],"pipeline":{"id":7,"status":"success","source":"push","ref":"main","sha":"ab","created_at":"2026-01-01T00:00:00Z"}},
		{"id":2,"name":"unit 1/2","stage":"test","status":"running","started_at":"2026-01-01T00:02:00Z","finished_at":null,"queued_duration":null}]`))
	f.Add([]byte(`[null,{"name":"\u0000","status":"failed","started_at":"0001-01-01T00:00:00Z","finished_at":"9999-12-31T00:00:00Z","queued_duration":1e300}]`))
	f.Add([]byte(`[{"name":"a","status":"canceled","started_at":"2026-01-01T00:02:00Z","finished_at":"2026-01-01T00:01:00Z","queued_duration":-5}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var list []*job
		if json.Unmarshal(data, &list) != nil {
			return
		}
		var jobs []job
		for _, j := range list {
			if j != nil {
				jobs = append(jobs, *j)
			}
		}
		if len(jobs) == 0 {
			return
		}
		s := Open(Options{Project: "shop/app"})
		b, later, _ := s.come(&jobs[0].Pipeline, jobs)
		if b == nil || len(b.Steps) == 0 {
			return
		}
		if err := buildtest.Check(b); err != nil {
			t.Error(err)
		}
		s.later = later
		trimmed := s.trim(*b)
		if len(trimmed.Steps) != len(b.Steps) {
			t.Error("what is to come is in what has come")
		}
	})
}

// --job names jobs, which are steps of a pipeline of GitLab's, or its stages; each with its
// wait.
func TestNamedJobs(t *testing.T) {
	s := project(t, 1)
	own := s.Add(gitlabtest.Pipeline{Ref: "main", Created: began.Add(100 * time.Hour), Jobs: gitlabtest.Usual(0, 150, false)})
	for jobs, want := range map[string][]string{
		"image": {"[build / image] waiting for a runner", "[build] image"},
		"unit":  {"[test / unit] waiting for a runner", "[test] unit"},
		"build": {"[build / image] waiting for a runner", "[build / lint] waiting for a runner", "[build] image", "[build] lint"},
	} {
		source := open(t, s, false, own.ID)
		source.Jobs = jobs
		builds, problems, err := source.Builds(t.Context(), fetch.Selector{})
		if err != nil || len(problems) > 0 || len(builds) != 1 {
			t.Fatal(builds, problems, err)
		}
		var got []string
		for i := range builds[0].Steps {
			got = append(got, builds[0].Steps[i].Key)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("--job %s: %s", jobs, diff)
		}
	}
}
