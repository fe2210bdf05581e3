// Package gitlabtest is GitLab in memory, for tests, with one project: its pipelines and
// their jobs, in the shapes that GitLab's description of its API gives them, with its
// rules of who may read what, and with pages.
package gitlabtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Project is the only one that there is.
const Project = "shop/backend/app"

// The tokens that it knows: one with read_api, and one of a job. They must be shown
// nowhere.
const (
	Token    = "glpat-0123456789abcdefghij"
	JobToken = "glcbt-64_0123456789abcdefghij"
)

const projectID = 42

// A Server is the API of a GitLab. Its fields may be changed before it is asked.
type Server struct {
	URL       string // of the instance; its API is below that
	Pipelines []*Pipeline
	PerPage   int // most that a page holds; 0 for as many as GitLab allows

	// Fault answers a request instead of the server if it returns true.
	Fault func(w http.ResponseWriter, r *http.Request) bool

	mu       sync.Mutex
	requests []string
	lastID   int64
}

// A Pipeline is one run. Status "" is success.
type Pipeline struct {
	ID                  int64
	Status, Source, Ref string
	SHA                 string
	Created             time.Time
	Jobs                []*Job
}

// A Job is one of a pipeline. Times are seconds after the pipeline was created.
type Job struct {
	ID                  int64
	Name, Stage, Status string  // "" is success
	Start, Took, Queued float64 // it has not begun if Start is 0, and runs yet if Took is 0
	Tag, AllowFailure   bool
	Retried             bool // there is a newer one of this name
}

// New starts a server.
func New(t testing.TB) *Server {
	s := &Server{lastID: 1000}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v4/projects/{project}/pipelines", s.listPipelines)
	mux.HandleFunc("GET /api/v4/projects/{project}/pipelines/{id}/jobs", s.listPipelineJobs)
	mux.HandleFunc("GET /api/v4/projects/{project}/jobs", s.listJobs)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r.Method+" "+r.URL.RequestURI())
		s.mu.Unlock()
		if s.Fault == nil || !s.Fault(w, r) {
			mux.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// Requests are those that the API had, as "GET /path?query", and forgets them.
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	requests := s.requests
	s.requests = nil
	return requests
}

// Add adds a pipeline, and gives it and its jobs ids.
func (s *Server) Add(p Pipeline) *Pipeline {
	s.lastID++
	p.ID = s.lastID
	if p.SHA == "" {
		p.SHA = fmt.Sprintf("%040x", p.ID)
	}
	for _, j := range p.Jobs {
		s.lastID++
		j.ID = s.lastID
	}
	s.Pipelines = append(s.Pipelines, &p)
	return &p
}

func or(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

const layout = "2006-01-02T15:04:05.000Z07:00"

func (s *Server) pipeline(p *Pipeline) map[string]any {
	return map[string]any{
		"id": p.ID, "iid": p.ID - 1000, "project_id": projectID, "status": or(p.Status, "success"), "source": or(p.Source, "push"),
		"ref": p.Ref, "sha": p.SHA, "created_at": p.Created.Format(layout), "updated_at": p.Created.Add(time.Hour).Format(layout),
		"web_url": fmt.Sprintf("%s/%s/-/pipelines/%d", s.URL, Project, p.ID),
	}
}

func (s *Server) job(p *Pipeline, j *Job) map[string]any {
	at := func(seconds float64) string {
		return p.Created.Add(time.Duration(seconds * float64(time.Second))).Format(layout)
	}
	v := map[string]any{
		"id": j.ID, "status": or(j.Status, "success"), "stage": j.Stage, "name": j.Name, "ref": p.Ref, "tag": j.Tag, "coverage": nil,
		"allow_failure": j.AllowFailure, "created_at": p.Created.Format(layout), "started_at": nil, "finished_at": nil, "erased_at": nil,
		"duration": nil, "queued_duration": nil, "user": map[string]any{"id": 1, "username": "root"}, "commit": map[string]any{"id": p.SHA},
		"pipeline": s.pipeline(p), "web_url": fmt.Sprintf("%s/%s/-/jobs/%d", s.URL, Project, j.ID), "project": map[string]any{"ci_job_token_scope_enabled": false},
		"artifacts": []any{}, "runner": nil, "runner_manager": nil, "artifacts_expire_at": nil, "archived": false, "tag_list": []string{"docker", "linux"},
	}
	if j.Status == "failed" {
		v["failure_reason"] = "script_failure"
	}
	if j.Start > 0 {
		v["started_at"], v["queued_duration"] = at(j.Start), j.Queued
	}
	if j.Start > 0 && j.Took > 0 {
		v["finished_at"], v["duration"] = at(j.Start+j.Took), j.Took
	}
	return v
}

// mayRead refuses who may not: a job's token reads jobs, and no pipelines.
func mayRead(w http.ResponseWriter, r *http.Request, jobs bool) bool {
	private, own := r.Header.Get("Private-Token"), r.Header.Get("Job-Token")
	switch {
	case r.PathValue("project") != Project:
	case private != "" && private != Token:
		answer(w, http.StatusUnauthorized, map[string]string{"message": "401 Unauthorized"})
		return false
	case private == Token, own == JobToken && jobs:
		return true
	}
	answer(w, http.StatusNotFound, map[string]string{"message": "404 Project Not Found"})
	return false
}

func (s *Server) listPipelines(w http.ResponseWriter, r *http.Request) {
	if !mayRead(w, r, false) {
		return
	}
	q := r.URL.Query()
	before, err := time.Parse(time.RFC3339, or(q.Get("created_before"), "2100-01-01T00:00:00Z"))
	scope := q.Get("scope")
	if err != nil || scope != "" && !slices.Contains([]string{"running", "pending", "finished", "branches", "tags"}, scope) {
		answer(w, http.StatusBadRequest, map[string]string{"error": "created_before is invalid, or scope does not have a valid value"})
		return
	}
	var found []map[string]any
	for _, p := range slices.Backward(s.Pipelines) {
		over := slices.Contains([]string{"success", "failed", "canceled"}, or(p.Status, "success"))
		source := or(p.Source, "push")
		if (q.Get("ref") == "" || p.Ref == q.Get("ref")) && (q.Get("sha") == "" || p.SHA == q.Get("sha")) && p.Created.Before(before) &&
			(scope != "finished" || over) && (q.Get("source") == source || q.Get("source") == "" && source != "parent_pipeline") {
			found = append(found, s.pipeline(p))
		}
	}
	s.page(w, r, found, "page")
}

func (s *Server) listPipelineJobs(w http.ResponseWriter, r *http.Request) {
	if !mayRead(w, r, true) {
		return
	}
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
	for _, p := range s.Pipelines {
		if p.ID != id {
			continue
		}
		var found []map[string]any
		for _, j := range slices.Backward(p.Jobs) {
			if !j.Retried {
				found = append(found, s.job(p, j))
			}
		}
		s.page(w, r, found, "page")
		return
	}
	answer(w, http.StatusNotFound, map[string]string{"message": "404 Not found"})
}

// listJobs lists all jobs of the project, those that were run again as well, and marks the
// place of a page by a cursor.
func (s *Server) listJobs(w http.ResponseWriter, r *http.Request) {
	if !mayRead(w, r, true) {
		return
	}
	var found []map[string]any
	for _, p := range s.Pipelines {
		for _, j := range p.Jobs {
			found = append(found, s.job(p, j))
		}
	}
	slices.SortFunc(found, func(a, b map[string]any) int { return int(b["id"].(int64) - a["id"].(int64)) })
	s.page(w, r, found, "cursor")
}

// page answers with a part of a list, and says where the next is.
func (s *Server) page(w http.ResponseWriter, r *http.Request, all []map[string]any, key string) {
	q := r.URL.Query()
	size, _ := strconv.Atoi(or(q.Get("per_page"), "20"))
	size = min(max(size, 1), 100)
	if s.PerPage > 0 {
		size = min(size, s.PerPage)
	}
	number, _ := strconv.Atoi(or(q.Get(key), "1"))
	from := min((max(number, 1)-1)*size, len(all))
	to := min(from+size, len(all))
	if to < len(all) {
		next := url.Values{}
		for name := range q {
			next.Set(name, q.Get(name))
		}
		next.Set(key, strconv.Itoa(number+1))
		// As GitLab says it where it does not know under which name it is reached.
		w.Header().Set("Link", fmt.Sprintf(`<http://gitlab.internal%s?%s>; rel="next", <http://gitlab.internal/>; rel="first"`, r.URL.EscapedPath(), next.Encode()))
	}
	if all == nil {
		all = []map[string]any{}
	}
	answer(w, http.StatusOK, all[from:to])
}

func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v)
}

// Usual are the jobs of a pipeline that builds, tests in three shards, and checks; they
// vary by n. A job named judge runs us: it runs yet where judging is set, and what comes
// behind it has not begun.
func Usual(n int, build float64, judging bool) []*Job {
	jitter := float64(n%5) / 2
	built := 4 + build + jitter
	tested := built + 3 + 60 + jitter
	jobs := []*Job{
		{Name: "image", Stage: "build", Start: 4, Took: build + jitter, Queued: 3.5},
		{Name: "lint", Stage: "build", Start: 5, Took: 12 + jitter, Queued: 4.5},
		{Name: "unit 1/3", Stage: "test", Start: built + 3, Took: 50 + jitter, Queued: 2.5},
		{Name: "unit 2/3", Stage: "test", Start: built + 3, Took: 60 + jitter, Queued: 2.5},
		{Name: "unit 3/3", Stage: "test", Start: built + 4, Took: 40 + jitter, Queued: 3.5},
		{Name: "judge", Stage: "report", Start: tested + 2, Took: 5, Queued: 1.5},
		{Name: "deploy", Stage: "deploy", Start: tested + 10, Took: 30, Queued: 2},
	}
	if judging {
		jobs[5].Status, jobs[5].Took = "running", 0
		jobs[6].Status, jobs[6].Start, jobs[6].Took = "created", 0, 0
	}
	return jobs
}

// Is tells whether a request is one for a path that ends so.
func Is(request, end string) bool {
	path, _, _ := strings.Cut(request, "?")
	return strings.HasSuffix(path, end)
}
