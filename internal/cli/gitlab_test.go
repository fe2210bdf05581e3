package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/internal/cli/clitest"
	"github.com/buildregress/buildregress/internal/command"
	"github.com/buildregress/buildregress/internal/console"
	"github.com/buildregress/buildregress/testdata/gitlabtest"
)

// In a job of GitLab the pipeline that runs us is judged, with the job's own token, and the
// merge request is what GitLab's variables say.
func TestGitLab(t *testing.T) {
	s := gitlabtest.New(t)
	for n := range 20 {
		s.Add(gitlabtest.Pipeline{Ref: "main", Created: firstRun.Add(time.Duration(n) * time.Hour), Jobs: gitlabtest.Usual(n, 90, false)})
	}
	merge := func(hours int) *gitlabtest.Pipeline {
		return s.Add(gitlabtest.Pipeline{
			Ref: "refs/merge-requests/7/merge", Source: "merge_request_event", Status: "running",
			Created: firstRun.Add(time.Duration(hours) * time.Hour), Jobs: gitlabtest.Usual(hours, 190, true),
		})
	}
	own := merge(50)
	vars := map[string]string{
		"GITLAB_CI": "true", "CI_API_V4_URL": s.URL + "/api/v4", "CI_JOB_TOKEN": gitlabtest.JobToken, "CI_PROJECT_PATH": gitlabtest.Project,
		"CI_PIPELINE_ID": fmt.Sprint(own.ID), "CI_JOB_NAME": "judge", "CI_COMMIT_SHA": own.SHA, "CI_COMMIT_REF_NAME": "slow", "CI_DEFAULT_BRANCH": "main",
		"CI_MERGE_REQUEST_IID": "7", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "slow", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
		"CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": strings.Repeat("ab", 20), "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": gitlabtest.Project, "CI_MERGE_REQUEST_PROJECT_PATH": gitlabtest.Project,
	}
	run := func(args ...string) (code int, stdout, stderr string) {
		t.Helper()
		t.Chdir(t.TempDir())
		var out, err bytes.Buffer
		p := Process{
			Args: args, Getenv: func(name string) string { return vars[name] }, Stdout: console.Output{Writer: &out}, Stderr: console.Output{Writer: &err},
			Clock: clitest.NewClock(own.Created.Add(5 * time.Minute)).Now,
		}
		code = Run(t.Context(), p)
		for _, text := range []string{out.String(), err.String()} {
			if strings.Contains(text, gitlabtest.JobToken) || strings.Contains(text, gitlabtest.Token) {
				t.Errorf("a credential in the output:\n%s", text)
			}
		}
		return code, out.String(), err.String()
	}
	code, stdout, stderr := run("check", "gitlab://"+gitlabtest.Project, "--format", "json", "--record", "never")
	var report detect.Report
	if err := json.Unmarshal([]byte(stdout), &report); err != nil {
		t.Fatalf("%v: %s%s", err, stdout, stderr)
	}
	r := report.Results[0]
	var slower []string
	for _, step := range r.Steps {
		if step.Status == detect.StatusSlower {
			slower = append(slower, step.Name)
		}
	}
	if code != command.ExitVerdict || len(report.Results) != 1 || r.Baseline.Builds != 20 || fmt.Sprint(slower) != "[image]" {
		t.Errorf("exit %d, %d builds, slower: %v\n%s", code, r.Baseline.Builds, slower, stderr)
	}
	if b := r.Build; b.Pipeline != gitlabtest.Project+"/judge" && b.Pipeline != gitlabtest.Project || b.PullRequest != "7" || b.Branch != "slow" || b.Revision != strings.Repeat("ab", 20) {
		t.Errorf("%+v", b)
	}

	vars["GITLAB_TOKEN"] = "glpat-wrong-0123456789"
	if code, _, stderr := run("check", "gitlab://"+gitlabtest.Project); code != command.ExitTrouble || !strings.Contains(stderr, "GitLab does not know the token") || !strings.Contains(stderr, "hint: GITLAB_TOKEN holds a token with read_api") {
		t.Errorf("exit %d\n%s", code, stderr)
	}
	for _, test := range []struct{ address, problem string }{
		{"gitlab://shop", "hint: it is written gitlab://GROUP/PROJECT"},
		{"gitlab://shop/app/-/pipelines/12", "hint: gitlab://shop/app; --run-id names one of its pipelines"},
	} {
		if code, _, stderr := run("check", test.address); code != command.ExitUsage || !strings.Contains(stderr, test.problem) {
			t.Errorf("exit %d\n%s", code, stderr)
		}
	}
}
