package ci

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// An event's file says of a build what only it knows, and takes nothing else from what the
// variables say, whatever stands in it: who opens a pull request writes parts of it.
func FuzzEvent(f *testing.F) {
	for _, seed := range []string{
		`{"number":7,"pull_request":{"number":7,"head":{"sha":"abc","ref":"fix","repo":{"full_name":"a/b"}},"base":{"ref":"main","repo":{"full_name":"o/n"}}}}`,
		`{"workflow_run":{"id":9,"event":"pull_request","path":".github/workflows/ci.yml","head_sha":"abc","head_branch":"fix","head_repository":{"full_name":"a/b"},"pull_requests":[{"number":7,"head":{"sha":"abc"},"base":{"ref":"main","repo":{"id":1}}}]},"repository":{"id":1,"default_branch":"main"}}`,
		`{"pull_request":{}}`, `{"workflow_run":{"event":"merge_group","head_branch":"gh-readonly-queue/main/pr-7-abc"}}`, `{"number":-1,"pull_request":null}`, `[]`, ``,
	} {
		f.Add([]byte(seed), "workflow_run")
		f.Add([]byte(seed), "pull_request")
	}
	path := filepath.Join(f.TempDir(), "event.json")
	number := regexp.MustCompile(`^(-?[0-9]+)?$`)
	f.Fuzz(func(t *testing.T, event []byte, name string) {
		if err := os.WriteFile(path, event, 0o600); err != nil {
			t.Fatal(err)
		}
		variables := map[string]string{
			"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "o/n", "GITHUB_WORKFLOW": "ci", "GITHUB_JOB": "build", "GITHUB_RUN_ID": "5",
			"GITHUB_SERVER_URL": "https://github.com", "GITHUB_SHA": "def", "GITHUB_REF": "refs/heads/main", "GITHUB_EVENT_NAME": name, "GITHUB_EVENT_PATH": path,
			"RUNNER_OS": "Linux", "RUNNER_ARCH": "X64",
		}
		env := func(name string) string { return variables[name] }
		got := System(env)
		if diff := cmp.Diff(got, System(env)); diff != "" {
			t.Error("read again it is another:", diff)
		}
		if got.Pipeline != "o/n/ci/build" || got.URL != "https://github.com/o/n/actions/runs/5" || got.Runner != "Linux/X64" {
			t.Errorf("the event changed what the variables say: %+v", got)
		}
		if !number.MatchString(got.PullRequest) {
			t.Errorf("pull request %q", got.PullRequest)
		}
		if run := RunOf(env); run.Repository != "o/n" {
			t.Errorf("a run of %q", run.Repository)
		}
	})
}
