package githubtest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"
)

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
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.newID()
	if r.HeadID == 0 {
		r.HeadID = repositoryID
	}
	if r.Started.IsZero() {
		r.Started = r.Created
	}
	run := &gh.WorkflowRun{
		ID: &n, Name: new("ci"), Event: or(r.Event, "push"), HeadBranch: or(r.Branch, "main"),
		HeadSHA: or(r.SHA, fmt.Sprintf("%040x", n)), Status: or(r.Status, "completed"), Conclusion: or(r.Conclusion, "success"),
		RunAttempt: new(max(r.Attempt, 1)), CreatedAt: &gh.Timestamp{Time: r.Created}, RunStartedAt: &gh.Timestamp{Time: r.Started},
		HTMLURL:        new(fmt.Sprintf("https://github.com/%s/actions/runs/%d", Repository, n)),
		Repository:     &gh.Repository{ID: gh.Int64(repositoryID), FullName: new(Repository)},
		HeadRepository: &gh.Repository{ID: &r.HeadID, FullName: or(r.Head, Repository)},
	}
	s.Runs = append(s.Runs, run)
	return run
}

// AddArtifact adds an artifact to a run, made some minutes after its attempt began.
func (s *Server) AddArtifact(run *gh.WorkflowRun, name string, content []byte) *gh.Artifact {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.newID()
	a := &gh.Artifact{
		ID: &n, Name: &name, SizeInBytes: new(int64(len(content))), Expired: new(false),
		NodeID:             new("A_1"),
		CreatedAt:          &gh.Timestamp{Time: run.GetRunStartedAt().Add(5 * time.Minute)},
		UpdatedAt:          &gh.Timestamp{Time: run.GetRunStartedAt().Add(5 * time.Minute)},
		ExpiresAt:          &gh.Timestamp{Time: run.GetRunStartedAt().Add(90 * 24 * time.Hour)},
		URL:                new(fmt.Sprintf("%s/repos/%s/actions/artifacts/%d", s.URL, Repository, n)),
		ArchiveDownloadURL: new(fmt.Sprintf("%s/repos/%s/actions/artifacts/%d/zip", s.URL, Repository, n)),
		WorkflowRun: &gh.ArtifactWorkflowRun{
			ID: run.ID, RepositoryID: run.Repository.ID, HeadRepositoryID: run.HeadRepository.ID,
			HeadBranch: run.HeadBranch, HeadSHA: run.HeadSHA,
		},
	}
	s.Artifacts = append(s.Artifacts, a)
	s.blobs[n] = content
	return a
}

// AddJob adds a job to a run whose steps take so many seconds one after the other,
// "Step 1" and so on. One of -1 runs yet, and the job with it.
func (s *Server) AddJob(run *gh.WorkflowRun, name string, seconds ...int) *gh.WorkflowJob {
	at := run.GetRunStartedAt().Add(time.Minute)
	stamp := func() *gh.Timestamp { return &gh.Timestamp{Time: at} }
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.newID()
	job := &gh.WorkflowJob{
		ID: &n, RunID: run.ID, Name: &name, Labels: []string{"ubuntu-latest"}, StartedAt: stamp(),
		Status: new("completed"), Conclusion: new("success"),
		HTMLURL: new(fmt.Sprintf("%s/job/%d", run.GetHTMLURL(), n)),
	}
	for i, d := range seconds {
		step := &gh.TaskStep{
			Name: new(fmt.Sprintf("Step %d", i+1)), Number: new(int64(i + 1)), StartedAt: stamp(),
			Status: new("completed"), Conclusion: new("success"),
		}
		if d < 0 {
			step.Status, step.Conclusion = new("in_progress"), nil
			job.Status, job.Conclusion = new("in_progress"), nil
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

// Gets is how many downloads there were.
func (s *Server) Gets() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gets
}

func (s *Server) handleRuns() {
	const actions = "GET " + repo + "/actions"
	s.mux.HandleFunc(actions+"/runs", s.listRuns)
	s.mux.HandleFunc(actions+"/workflows/"+Workflow+"/runs", s.listRuns)
	s.mux.HandleFunc(actions+"/runs/{id}", s.getRun)
	s.mux.HandleFunc(actions+"/runs/{id}/jobs", s.listJobs)
	s.mux.HandleFunc(actions+"/runs/{id}/artifacts", s.listArtifacts)
	s.mux.HandleFunc(actions+"/artifacts", s.listArtifacts)
	s.mux.HandleFunc(actions+"/artifacts/{id}/zip", s.download)
}

func idOf(r *http.Request) int64 {
	n, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
	return n
}

func (s *Server) getRun(w http.ResponseWriter, r *http.Request) {
	for _, run := range s.Runs {
		if run.GetID() == idOf(r) {
			answer(w, http.StatusOK, run)
			return
		}
	}
	Refuse(w, http.StatusNotFound, "Not Found")
}

func (s *Server) listJobs(w http.ResponseWriter, r *http.Request) {
	jobs := s.Jobs[idOf(r)]
	answer(w, http.StatusOK, gh.Jobs{TotalCount: new(len(jobs)), Jobs: page(s, w, r, jobs)})
}

func (s *Server) download(w http.ResponseWriter, r *http.Request) {
	if _, known := s.blobs[idOf(r)]; !known {
		Refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	w.Header().Set("Location", fmt.Sprintf("%s/%d?sig=secret", s.Blobs, idOf(r)))
	w.WriteHeader(http.StatusFound)
}

func (s *Server) listRuns(w http.ResponseWriter, r *http.Request) {
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
	answer(w, http.StatusOK, gh.WorkflowRuns{WorkflowRuns: page(s, w, r, list), TotalCount: &n})
}

// listArtifacts lists those of a run, or all.
func (s *Server) listArtifacts(w http.ResponseWriter, r *http.Request) {
	var list []*gh.Artifact
	for _, a := range s.Artifacts {
		if r.PathValue("id") == "" || a.GetWorkflowRun().GetID() == idOf(r) {
			list = append(list, a)
		}
	}
	slices.SortStableFunc(list, func(a, b *gh.Artifact) int { return b.GetCreatedAt().Compare(a.GetCreatedAt().Time) })
	n := int64(len(list))
	answer(w, http.StatusOK, gh.ArtifactList{Artifacts: page(s, w, r, list), TotalCount: &n})
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
	s.mu.Lock()
	content, known := s.blobs[n]
	s.mu.Unlock()
	if !known || r.URL.Query().Get("sig") != "secret" {
		http.Error(w, "no", http.StatusForbidden)
		return
	}
	w.Write(content)
}
