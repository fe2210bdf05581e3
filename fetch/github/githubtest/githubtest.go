// Package githubtest is GitHub in memory, for tests: the part of its API that
// builds are found with, and a blob store beside it to which no token may come.
package githubtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	gh "github.com/google/go-github/v60/github"
)

// Token is the only one that is let in.
const Token = "ghs_0123456789abcdefghijABCDEFGHIJ456789"

// Repository is the only one that there is, Workflow the file of its workflow.
const (
	Repository = "shop/app"
	Workflow   = "ci.yml"
	id         = 77 // of the repository
)

// A Server is a GitHub with one repository. Its fields may be changed before it
// is asked.
type Server struct {
	URL   string // of the API
	Blobs string // of the blob store

	Runs      []*gh.WorkflowRun
	Artifacts []*gh.Artifact
	Jobs      map[int64][]*gh.WorkflowJob // by run
	Pulls     []*gh.PullRequest
	PerPage   int // fewer than are asked for; 0 for as many

	// Fault and BlobFault answer a request instead of the server if they return
	// true.
	Fault, BlobFault func(w http.ResponseWriter, r *http.Request) bool

	t      testing.TB
	mu     sync.Mutex
	blobs  map[int64][]byte
	calls  []string
	gets   int
	nextID int64
}

// New starts a server. It fails the test if the blob store sees a token.
func New(t testing.TB) *Server {
	s := &Server{t: t, blobs: map[int64][]byte{}, Jobs: map[int64][]*gh.WorkflowJob{}, nextID: 1000}
	api := httptest.NewServer(http.HandlerFunc(s.api))
	blobs := httptest.NewServer(http.HandlerFunc(s.blob))
	t.Cleanup(api.Close)
	t.Cleanup(blobs.Close)
	s.URL, s.Blobs = api.URL, blobs.URL
	return s
}

// A Run is what AddRun is told of a run. What is empty is as usual: a successful
// push to main of the repository itself.
type Run struct {
	Event, Branch, SHA, Head, Status, Conclusion string
	HeadID                                       int64 // of the head repository
	Attempt                                      int
	Created, Started                             time.Time
}

// AddRun adds a run and returns it.
func (s *Server) AddRun(r Run) *gh.WorkflowRun {
	or := func(text, usual string) *string {
		if text == "" {
			text = usual
		}
		return &text
	}
	s.nextID++
	n := s.nextID
	if r.HeadID == 0 {
		r.HeadID = id
	}
	if r.Started.IsZero() {
		r.Started = r.Created
	}
	run := &gh.WorkflowRun{
		ID: &n, Name: gh.String("ci"), Event: or(r.Event, "push"), HeadBranch: or(r.Branch, "main"),
		HeadSHA: or(r.SHA, fmt.Sprintf("%040x", n)), Status: or(r.Status, "completed"), Conclusion: or(r.Conclusion, "success"),
		RunAttempt: gh.Int(max(r.Attempt, 1)), CreatedAt: &gh.Timestamp{Time: r.Created}, RunStartedAt: &gh.Timestamp{Time: r.Started},
		HTMLURL:        gh.String(fmt.Sprintf("https://github.com/%s/actions/runs/%d", Repository, n)),
		Repository:     &gh.Repository{ID: gh.Int64(id), FullName: gh.String(Repository)},
		HeadRepository: &gh.Repository{ID: &r.HeadID, FullName: or(r.Head, Repository)},
	}
	s.Runs = append(s.Runs, run)
	return run
}

// AddArtifact adds an artifact to a run, made some minutes after its attempt began.
func (s *Server) AddArtifact(run *gh.WorkflowRun, name string, content []byte) *gh.Artifact {
	s.nextID++
	n := s.nextID
	a := &gh.Artifact{
		ID: &n, Name: &name, SizeInBytes: gh.Int64(int64(len(content))), Expired: gh.Bool(false),
		NodeID:             gh.String("A_1"),
		CreatedAt:          &gh.Timestamp{Time: run.GetRunStartedAt().Add(5 * time.Minute)},
		UpdatedAt:          &gh.Timestamp{Time: run.GetRunStartedAt().Add(5 * time.Minute)},
		ExpiresAt:          &gh.Timestamp{Time: run.GetRunStartedAt().Add(90 * 24 * time.Hour)},
		URL:                gh.String(fmt.Sprintf("%s/repos/%s/actions/artifacts/%d", s.URL, Repository, n)),
		ArchiveDownloadURL: gh.String(fmt.Sprintf("%s/repos/%s/actions/artifacts/%d/zip", s.URL, Repository, n)),
		WorkflowRun: &gh.ArtifactWorkflowRun{
			ID: run.ID, RepositoryID: run.Repository.ID, HeadRepositoryID: run.HeadRepository.ID,
			HeadBranch: run.HeadBranch, HeadSHA: run.HeadSHA,
		},
	}
	s.Artifacts = append(s.Artifacts, a)
	s.blobs[n] = content
	return a
}

// Calls are the requests that the API had, as "GET /path?query", and forgets them.
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	return calls
}

// Gets is how many downloads there were.
func (s *Server) Gets() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gets
}

func (s *Server) api(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.calls = append(s.calls, r.Method+" "+r.URL.RequestURI())
	s.mu.Unlock()
	if s.Fault != nil && s.Fault(w, r) {
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+Token {
		Refuse(w, http.StatusUnauthorized, "Bad credentials")
		return
	}
	const root = "/repos/" + Repository + "/"
	rest, ok := r.URL.Path, false
	if len(rest) >= len(root) && strings.EqualFold(rest[:len(root)], root) { // as GitHub does
		rest, ok = rest[len(root):], true
	}
	if !ok {
		Refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	part := strings.Split(rest, "/")
	number := func(i int) int64 {
		n, _ := strconv.ParseInt(part[i], 10, 64)
		return n
	}
	switch {
	case rest == "pulls":
		s.pulls(w, r)
	case rest == "actions/runs", rest == "actions/workflows/"+Workflow+"/runs":
		s.runs(w, r)
	case rest == "actions/artifacts":
		s.artifacts(w, r, func(*gh.Artifact) bool { return true })
	case len(part) == 3 && strings.HasPrefix(rest, "actions/runs/"):
		for _, run := range s.Runs {
			if run.GetID() == number(2) {
				answer(w, run)
				return
			}
		}
		Refuse(w, http.StatusNotFound, "Not Found")
	case len(part) == 4 && part[1] == "runs" && part[3] == "artifacts":
		s.artifacts(w, r, func(a *gh.Artifact) bool { return a.GetWorkflowRun().GetID() == number(2) })
	case len(part) == 4 && part[1] == "runs" && part[3] == "jobs":
		jobs := s.Jobs[number(2)]
		page := paged(s, w, r, jobs)
		answer(w, gh.Jobs{TotalCount: gh.Int(len(jobs)), Jobs: page})
	case len(part) == 4 && part[1] == "artifacts" && part[3] == "zip":
		if _, known := s.blobs[number(2)]; !known {
			Refuse(w, http.StatusNotFound, "Not Found")
			return
		}
		w.Header().Set("Location", fmt.Sprintf("%s/%d?sig=secret", s.Blobs, number(2)))
		w.WriteHeader(http.StatusFound)
	default:
		Refuse(w, http.StatusNotFound, "Not Found")
	}
}

func (s *Server) runs(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	is := func(name, value string) bool { return q.Get(name) == "" || q.Get(name) == value }
	var list []*gh.WorkflowRun
	for _, run := range s.Runs {
		status := is("status", run.GetStatus()) || is("status", run.GetConclusion())
		if is("branch", run.GetHeadBranch()) && is("event", run.GetEvent()) && is("head_sha", run.GetHeadSHA()) && status {
			list = append(list, run)
		}
	}
	slices.SortStableFunc(list, func(a, b *gh.WorkflowRun) int { return b.GetCreatedAt().Compare(a.GetCreatedAt().Time) })
	n := len(list)
	answer(w, gh.WorkflowRuns{WorkflowRuns: paged(s, w, r, list), TotalCount: &n})
}

func (s *Server) artifacts(w http.ResponseWriter, r *http.Request, keep func(*gh.Artifact) bool) {
	var list []*gh.Artifact
	for _, a := range s.Artifacts {
		if keep(a) {
			list = append(list, a)
		}
	}
	slices.SortStableFunc(list, func(a, b *gh.Artifact) int { return b.GetCreatedAt().Compare(a.GetCreatedAt().Time) })
	n := int64(len(list))
	answer(w, gh.ArtifactList{Artifacts: paged(s, w, r, list), TotalCount: &n})
}

func (s *Server) pulls(w http.ResponseWriter, r *http.Request) {
	list := []*gh.PullRequest{}
	for _, p := range s.Pulls {
		owner, _, _ := strings.Cut(p.GetHead().GetRepo().GetFullName(), "/")
		if head := r.URL.Query().Get("head"); head == "" || head == owner+":"+p.GetHead().GetRef() {
			list = append(list, p)
		}
	}
	answer(w, paged(s, w, r, list))
}

// paged is the page of a list that is asked for; a link tells of the next.
func paged[T any](s *Server, w http.ResponseWriter, r *http.Request, list []T) []T {
	q := r.URL.Query()
	per, _ := strconv.Atoi(q.Get("per_page"))
	if per == 0 {
		per = 30
	}
	if s.PerPage > 0 {
		per = min(per, s.PerPage)
	}
	page, _ := strconv.Atoi(q.Get("page"))
	page = max(page, 1)
	from := min((page-1)*per, len(list))
	to := min(from+per, len(list))
	if to < len(list) {
		q.Set("page", strconv.Itoa(page+1))
		w.Header().Set("Link", fmt.Sprintf(`<%s%s?%s>; rel="next"`, s.URL, r.URL.Path, q.Encode()))
	}
	return list[from:to]
}

func (s *Server) blob(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.gets++
	s.mu.Unlock()
	for name, values := range r.Header {
		if name == "Authorization" || strings.Contains(fmt.Sprint(values), Token) {
			s.t.Errorf("the blob store was sent %s: %v", name, values)
		}
	}
	if s.BlobFault != nil && s.BlobFault(w, r) {
		return
	}
	n, _ := strconv.ParseInt(strings.Trim(r.URL.Path, "/"), 10, 64)
	content, known := s.blobs[n]
	if !known || r.URL.Query().Get("sig") != "secret" {
		http.Error(w, "no", http.StatusForbidden)
		return
	}
	w.Write(content)
}

// Refuse answers as GitHub does where something is wrong.
func Refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"message": message, "documentation_url": "https://docs.github.com/rest"})
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	json.NewEncoder(w).Encode(v)
}

// AddPull adds an open pull request into a branch, whose head is a commit on a
// branch of another repository, or this one.
func (s *Server) AddPull(number int, into, head, branch, commit string) {
	s.Pulls = append(s.Pulls, &gh.PullRequest{
		Number: &number, State: gh.String("open"),
		Head: &gh.PullRequestBranch{Ref: &branch, SHA: &commit, Repo: &gh.Repository{FullName: &head}},
		Base: &gh.PullRequestBranch{Ref: &into, Repo: &gh.Repository{FullName: gh.String(Repository)}},
	})
}

// AddJob adds a job to a run whose steps take so many seconds one after the other,
// "Step 1" and so on. One of -1 runs yet, and the job with it.
func (s *Server) AddJob(run *gh.WorkflowRun, name string, seconds ...int) *gh.WorkflowJob {
	at := run.GetRunStartedAt().Add(time.Minute)
	stamp := func() *gh.Timestamp { return &gh.Timestamp{Time: at} }
	s.nextID++
	n := s.nextID
	job := &gh.WorkflowJob{
		ID: &n, RunID: run.ID, Name: &name, Labels: []string{"ubuntu-latest"}, StartedAt: stamp(),
		Status: gh.String("completed"), Conclusion: gh.String("success"),
		HTMLURL: gh.String(fmt.Sprintf("%s/job/%d", run.GetHTMLURL(), n)),
	}
	for i, d := range seconds {
		step := &gh.TaskStep{
			Name: gh.String(fmt.Sprintf("Step %d", i+1)), Number: gh.Int64(int64(i + 1)), StartedAt: stamp(),
			Status: gh.String("completed"), Conclusion: gh.String("success"),
		}
		if d < 0 {
			step.Status, step.Conclusion = gh.String("in_progress"), nil
			job.Status, job.Conclusion = gh.String("in_progress"), nil
		} else {
			at = at.Add(time.Duration(d) * time.Second)
			step.CompletedAt = stamp()
		}
		job.Steps = append(job.Steps, step)
	}
	job.CompletedAt = stamp()
	s.Jobs[run.GetID()] = append(s.Jobs[run.GetID()], job)
	return job
}
