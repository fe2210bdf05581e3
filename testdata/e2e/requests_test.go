package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
	fetchgithub "github.com/buildregress/buildregress/fetch/github"
	rendered "github.com/buildregress/buildregress/report"
	"github.com/buildregress/buildregress/report/github"
	"github.com/buildregress/buildregress/testdata/githubtest"
)

// saying is a comment on a build of one pipeline.
func saying(text string, began time.Time) rendered.Comment {
	return rendered.Comment{Group: "ci", Create: true, Parts: []rendered.Part{{
		Pipelines: []string{"app"}, Began: began, Verdict: detect.Regressed, Title: text, Line: text, Body: "about it\n\n",
	}}}
}

// TestRequests lets GitHub's own description of its API look at what is asked of
// it: a fake believes what its author does.
func TestRequests(t *testing.T) {
	h := startHub(t)
	api, err := url.Parse(h.address)
	if err != nil {
		t.Fatal(err)
	}
	access := fetchgithub.Access{API: api, Token: writer, Agent: "buildregress", Now: time.Now}
	client := fetchgithub.NewClient(access)
	owner, repo, _ := strings.Cut(githubtest.Repository, "/")
	p := &github.Poster{Client: client, Owner: owner, Repo: repo, Now: time.Now, Wait: func(context.Context, time.Duration) error { return nil }}

	began := time.Now().Add(-time.Hour)
	for i, body := range []string{"first", "edited"} {
		if _, err := p.Comment(t.Context(), 7, saying(body, began.Add(time.Duration(i)*time.Minute))); err != nil {
			t.Fatal(err)
		}
	}
	// Of two that were made at the same time, one is deleted.
	twin := *h.github.Comments[0]
	h.github.AddComment(7, twin.User.Login, twin.Body)
	if _, err := p.Comment(t.Context(), 7, saying("third", time.Now())); err != nil {
		t.Fatal(err)
	}
	if n := len(h.github.Comments); n != 1 || !strings.Contains(h.github.Comments[0].Body, "### third\n") {
		t.Errorf("%d comments", n)
	}
	for pattern, want := range map[string]int{
		"POST /repos/.*/issues/7/comments": 1, "PATCH /repos/.*/issues/comments/[0-9]+": 2, "DELETE /repos/.*/issues/comments/[0-9]+": 1,
	} {
		if got := h.asked(pattern); got != want {
			t.Errorf("%d requests %s, want %d", got, pattern, want)
		}
	}

	// An issue is opened, found again, and takes the next revision.
	for _, revision := range []string{"one", "two"} {
		r := detect.Result{Verdict: detect.Regressed, Build: detect.BuildInfo{Pipeline: "app", Origin: timeline.Origin{Branch: "main", Revision: revision}}}
		r.Steps = []detect.StepResult{{Key: "RUN a", Name: "RUN a", Status: detect.StatusSlower, Current: 2, Usual: 1}}
		for _, i := range rendered.IssuesOn(&detect.Report{Results: []detect.Result{r}}, rendered.Code{}, "main", "", 60_000) {
			if _, err := p.Issue(t.Context(), i); err != nil {
				t.Fatal(err)
			}
		}
	}
	if h.asked("POST /repos/.*/issues") != 1 || h.asked("PATCH /repos/.*/issues/[0-9]+") != 1 || len(h.github.Issues) != 1 {
		t.Errorf("%d issues", len(h.github.Issues))
	}

	for _, n := range []int{0, 50, 120} {
		c := rendered.CheckRun{
			Name: "buildregress (app)", Commit: strings.Repeat("a", 40), Conclusion: rendered.ConclusionNeutral, Title: "Regressed",
			Summary: "### Regressed", Address: "https://github.com/shop/app/actions/runs/1", Began: began,
		}
		for i := range n {
			c.Annotations = append(c.Annotations, rendered.Annotation{
				File: "Dockerfile", Line: i + 1, Level: rendered.Level(i % 3), Title: "Slower", Message: "it is",
			})
		}
		if _, err := p.CheckRun(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		made := h.github.Checks[len(h.github.Checks)-1]
		if len(made.Annotations) != n {
			t.Errorf("%d annotations, want %d", len(made.Annotations), n)
		}
	}

	// A check of a recorded build against artifacts lists and downloads them.
	const records = 10
	for i := range records {
		run := h.github.AddRun(githubtest.Run{Created: time.Date(2025, 1, 1, i, 0, 0, 0, time.UTC)})
		h.github.AddArtifact(run, fmt.Sprintf("shop~app~%06d.dockerbuild", i), recording(t, i))
	}
	s := &stack{ctx: t.Context(), dir: t.TempDir(), env: environment(t.TempDir())}
	s.binary = buildBinary(t)
	for _, kept := range []string{"nothing kept", "all kept"} {
		before, start := len(h.requests), time.Now()
		stdout, stderr, err := s.try(t.Context(), s.dir, []string{"GITHUB_API_URL=" + h.address, "GITHUB_TOKEN=" + writer},
			s.binary, "check", "--format", "json", "--branch", "x", "--baseline", "github://"+githubtest.Repository, "--lookback", "3650d",
			recordingPath(t, records+1))
		if err != nil || !strings.Contains(stdout, fmt.Sprintf(`"builds": %d`, records)) {
			t.Errorf("%s: %v\n%s\n%s", kept, err, stderr, stdout)
		}
		t.Logf("a check against %d records, %s: %d requests, %v", records, kept, len(h.requests)-before, time.Since(start).Round(10*time.Millisecond))
	}
	if got := h.asked("GET /repos/.*/actions/artifacts/[0-9]+/zip"); got != records {
		t.Errorf("%d downloads in two checks, want %d", got, records)
	}
	// So does one of a run's jobs, within the workflow that runs them: the fork's run
	// is that of the event, and its pull request is found.
	for i, run := range h.github.Runs {
		h.github.AddJob(run, "image", 3, 60+i%4, 20)
	}
	fork := h.github.AddRun(githubtest.Run{Event: "pull_request", Branch: "faster", Head: "fork/app", HeadID: 99, Created: time.Date(2025, 2, 1, 0, 0, 0, 0, time.UTC)})
	h.github.AddJob(fork, "image", 3, 61, 20)
	h.github.Pulls = append(h.github.Pulls, githubtest.Pull{Number: 9, Base: "main", Head: "fork/app", Branch: "faster", SHA: fork.GetHeadSHA()})
	event := filepath.Join(s.dir, "event.json")
	write(t, event, fmt.Sprintf(`{"workflow_run":{"id":%d,"path":".github/workflows/ci.yml","event":"pull_request","head_sha":%q,"head_branch":"faster",
		"head_repository":{"full_name":"fork/app"},"pull_requests":[]},"repository":{"full_name":%q,"default_branch":"main"}}`,
		fork.GetID(), fork.GetHeadSHA(), githubtest.Repository))
	stdout, stderr, err := s.try(t.Context(), s.dir, []string{
		"GITHUB_API_URL=" + h.address, "GITHUB_TOKEN=" + writer, "GITHUB_ACTIONS=true", "GITHUB_REPOSITORY=" + githubtest.Repository,
		"GITHUB_EVENT_NAME=workflow_run", "GITHUB_EVENT_PATH=" + event, "GITHUB_RUN_ID=5",
	}, s.binary, "check", "github-steps://"+githubtest.Repository, "--format", "json", "--comment", "never", "--check-run", "never", "--record", "never")
	if err != nil || !strings.Contains(stdout, `"verdict": "pass"`) || !strings.Contains(stdout, `"builds": 10`) {
		t.Errorf("%v\n%s\n%s", err, stderr, stdout)
	}
	for pattern, want := range map[string]int{
		"GET /repos/.*/actions/runs/[0-9]+": 1, "GET /repos/.*/actions/runs/[0-9]+/jobs": 11, "GET /repos/.*/pulls": 1, "GET /repos/.*/actions/workflows/ci.yml/runs": 3,
	} {
		if got := h.asked(pattern); got != want {
			t.Errorf("%d requests %s, want %d", got, pattern, want)
		}
	}
	// What is wrong is noticed: else the above would prove nothing.
	before := len(h.wrong)
	request, err := client.NewRequest(http.MethodPost, "repos/shop/app/issues/7/comments", map[string]string{"bodi": "misspelt"})
	if err != nil {
		t.Fatal(err)
	}
	client.Do(t.Context(), request, new(gh.IssueComment))
	if len(h.wrong) != before+1 {
		t.Error("the description says nothing against a comment without a body")
	}
	h.wrong = h.wrong[:before]
}

func recordingPath(t *testing.T, n int) string {
	t.Helper()
	path, err := filepath.Abs(fmt.Sprintf("../builds/alpha/dockerbuild/%03d.dockerbuild", n))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func recording(t *testing.T, n int) []byte {
	t.Helper()
	data, err := os.ReadFile(recordingPath(t, n))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// buildBinary builds buildregress, unless E2E_BINARY names one.
func buildBinary(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("E2E_BINARY"); path != "" {
		return path
	}
	path := filepath.Join(t.TempDir(), "buildregress")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "../..").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}
