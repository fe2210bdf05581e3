// Package githubtest is GitHub in memory, for tests, with one repository: what its
// workflow runs left behind, which builds are found with (runs.go), and what is
// posted to it, where it is as strict as GitHub is about rights, sizes and counts
// (posts.go). A blob store stands beside it, to which no token may come.
package githubtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	gh "github.com/google/go-github/v60/github"
)

// Repository is the only one that there is, Workflow the file of its workflow.
const (
	Repository   = "shop/app"
	Workflow     = "ci.yml"
	repositoryID = 77
)

// Token is that of a workflow, as long as a real one: it must be shown nowhere.
const Token = "ghs_0123456789abcdefghijABCDEFGHIJ456789"

// A Server is the API of a GitHub. Its fields may be changed before it is asked, and
// by what it calls.
type Server struct {
	URL   string // of the API
	Blobs string // of the blob store

	Tokens  map[string]User
	PerPage int // most that a page holds; 0 for as many as GitHub allows
	Pulls   []Pull
	GraphQL bool // whether it answers

	Runs      []*gh.WorkflowRun
	Artifacts []*gh.Artifact
	Jobs      map[int64][]*gh.WorkflowJob // by run

	Comparisons map[[2]string]Comparison // by both commits

	Comments []*Comment
	Issues   []*Issue
	Checks   []*CheckRun

	// Fault and BlobFault answer a request instead of the server if they return
	// true. They may be called by several at once.
	Fault, BlobFault func(w http.ResponseWriter, r *http.Request) bool

	t        testing.TB
	now      func() time.Time
	mux      *http.ServeMux
	mu       sync.Mutex
	blobs    map[int64][]byte // by artifact
	requests []string         // to the API, as "GET /path?query"
	gets     int              // of the blob store
	lastID   int64
}

// A User is who a token stands for.
type User struct {
	Login    string
	App      bool // it cannot ask who it is
	ReadOnly bool // as a workflow of a fork's pull request
}

// A Pull is an open pull request into a branch of the repository.
type Pull struct {
	Number            int
	Base              string // branch
	Head, Branch, SHA string // Head is a repository, as "owner/name"
}

// New starts a server whose clock is now. It knows the tokens Token and "writer" of
// a workflow, "reader" of a fork's workflow, "person" and "app". It fails the test if
// the blob store sees a token.
func New(t testing.TB, now func() time.Time) *Server {
	s := &Server{
		Tokens: map[string]User{
			Token:    {Login: "github-actions[bot]", App: true},
			"writer": {Login: "github-actions[bot]", App: true},
			"reader": {Login: "github-actions[bot]", App: true, ReadOnly: true},
			"person": {Login: "octocat"},
			"app":    {Login: "builder[bot]", App: true},
		},
		Jobs: map[int64][]*gh.WorkflowJob{},
		t:    t, now: now, mux: http.NewServeMux(), blobs: map[int64][]byte{}, lastID: 1000,
	}
	s.mux.HandleFunc("GET "+repo+"/pulls", s.listPulls)
	s.mux.HandleFunc("GET "+repo+"/compare/{commits}", s.compare)
	s.handleRuns()
	s.handlePosts()
	api, blobs := httptest.NewServer(s), httptest.NewServer(http.HandlerFunc(s.blob))
	t.Cleanup(api.Close)
	t.Cleanup(blobs.Close)
	s.URL, s.Blobs = api.URL, blobs.URL
	return s
}

const repo = "/repos/" + Repository

// Requests are those that the API had, as "GET /path?query", and forgets them.
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	requests := s.requests
	s.requests = nil
	return requests
}

// Asked counts the requests of a method whose path ends in a text.
func (s *Server) Asked(method, end string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range s.requests {
		path, _, _ := strings.Cut(line, "?")
		if strings.HasPrefix(path, method+" ") && strings.HasSuffix(path, end) {
			n++
		}
	}
	return n
}

// ServeHTTP answers a request to the API.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, r.Method+" "+r.URL.RequestURI())
	s.mu.Unlock()
	w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat))
	if s.Fault != nil && s.Fault(w, r) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	user, known := s.Tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	switch {
	case !known:
		Refuse(w, http.StatusUnauthorized, "Bad credentials")
		return
	case user.ReadOnly && r.Method != http.MethodGet && r.URL.Path != "/graphql":
		Refuse(w, http.StatusForbidden, "Resource not accessible by integration")
		return
	}
	r = r.Clone(r.Context())
	r.Header.Set(login, user.Login)
	if path := r.URL.Path; len(path) > len(repo) && strings.EqualFold(path[:len(repo)], repo) { // as GitHub does
		r.URL.Path = repo + path[len(repo):]
	}
	if _, pattern := s.mux.Handler(r); pattern == "" {
		Refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	s.mux.ServeHTTP(w, r)
}

// login is a header by which handlers know who asks.
const login = "X-Login"

// Refuse answers as GitHub does where something is wrong.
func Refuse(w http.ResponseWriter, status int, message string) {
	answer(w, status, map[string]string{"message": message, "documentation_url": "https://docs.github.com/rest"})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

// page is the part of a list that is asked for; a link tells of the next.
func page[T any](s *Server, w http.ResponseWriter, r *http.Request, list []T) []T {
	q := r.URL.Query()
	n, _ := strconv.Atoi(q.Get("page"))
	size, _ := strconv.Atoi(q.Get("per_page"))
	if size == 0 {
		size = 30
	}
	most := 100
	if s.PerPage > 0 {
		most = s.PerPage
	}
	size, n = min(size, most), max(n, 1)
	from, to := min((n-1)*size, len(list)), min(n*size, len(list))
	if to < len(list) {
		q.Set("page", strconv.Itoa(n+1))
		next := url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path, RawQuery: q.Encode()}
		w.Header().Set("Link", fmt.Sprintf("<%s>; rel=\"next\"", &next))
	}
	return list[from:to]
}

// newID is an id that nothing has yet. s is locked.
func (s *Server) newID() int64 {
	s.lastID++
	return s.lastID
}

func (s *Server) listPulls(w http.ResponseWriter, r *http.Request) {
	list := []*gh.PullRequest{}
	for _, p := range s.Pulls {
		owner, _, _ := strings.Cut(p.Head, "/")
		if head := r.URL.Query().Get("head"); head != "" && head != owner+":"+p.Branch {
			continue
		}
		list = append(list, &gh.PullRequest{
			Number: &p.Number, State: new("open"),
			Head: &gh.PullRequestBranch{Ref: &p.Branch, SHA: &p.SHA, Repo: &gh.Repository{FullName: &p.Head}},
			Base: &gh.PullRequestBranch{Ref: &p.Base, Repo: &gh.Repository{FullName: new(Repository)}},
		})
	}
	answer(w, http.StatusOK, page(s, w, r, list))
}
