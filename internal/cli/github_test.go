package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch/builds"
	"github.com/buildregress/buildregress/fetch/file"
	"github.com/buildregress/buildregress/internal/cli/clitest"
	"github.com/buildregress/buildregress/internal/command"
	"github.com/buildregress/buildregress/internal/console"
	"github.com/buildregress/buildregress/testdata/githubtest"
)

// runOnGitHub runs buildregress in a workflow of a fake GitHub, in an empty folder,
// and returns what it printed.
func runOnGitHub(t *testing.T, s *githubtest.Server, vars map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return runOnGitHubAt(t, recordedAt, s, vars, args...)
}

// runOnGitHubAt does so at another time.
func runOnGitHubAt(t *testing.T, now time.Time, s *githubtest.Server, vars map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	t.Chdir(t.TempDir())
	all := map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_API_URL": s.URL, "GITHUB_REPOSITORY": githubtest.Repository,
		"GITHUB_WORKFLOW": "ci", "GITHUB_JOB": "image", "GITHUB_TOKEN": githubtest.Token,
		"GITHUB_WORKFLOW_REF": githubtest.Repository + "/.github/workflows/" + githubtest.Workflow + "@refs/heads/main",
	}
	maps.Copy(all, vars)
	var out, err bytes.Buffer
	w := Process{Args: args, Getenv: func(name string) string { return all[name] }, Stdout: console.Output{Writer: &out}, Stderr: console.Output{Writer: &err}, Clock: clitest.NewClock(now).Now}
	code = Run(t.Context(), w)
	for _, text := range []string{out.String(), err.String()} {
		if strings.Contains(text, githubtest.Token) || strings.Contains(text, "sig=") {
			t.Errorf("a credential in the output:\n%s", text)
		}
	}
	return code, out.String(), err.String()
}

// eventFile writes the payload of an event.
func eventFile(t *testing.T, payload string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(path, []byte(payload), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// recorded is one of the recorded builds of one image.
func recorded(t *testing.T, n int) (path string, data []byte) {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(root, fmt.Sprintf("testdata/builds/alpha/dockerbuild/%03d.dockerbuild", n)))
	if err != nil {
		t.Fatal(err)
	}
	data, err = os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, data
}

var firstRun = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// recordedAt is a moment after the recorded builds were made: the CI is believed about
// builds younger than a day.
var recordedAt = time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)

// shopWithMain is a GitHub with thirty runs of main.
func shopWithMain(t *testing.T) *githubtest.Server {
	s := githubtest.New(t, clock)
	for n := range 30 {
		run := s.AddRun(githubtest.Run{Created: firstRun.Add(time.Duration(n) * time.Hour)})
		_, data := recorded(t, n)
		s.AddArtifact(run, fmt.Sprintf("shop~app~%06d.dockerbuild", n), data)
	}
	return s
}

var sensitive = []string{"--min-delta", "30ms", "--min-slowdown", "10%", "--format", "json"}

// The build of a pull request's job is judged against the artifacts of main.
func TestGitHubBaseline(t *testing.T) {
	s := shopWithMain(t)
	slow, _ := recorded(t, 44)
	event := eventFile(t, `{"number":7,"pull_request":{"head":{"sha":"abc","ref":"slow","repo":{"full_name":"shop/app"}},
		"base":{"ref":"main","repo":{"full_name":"shop/app"}}},"repository":{"full_name":"shop/app","default_branch":"main"}}`)
	code, stdout, stderr := runOnGitHub(t, s, map[string]string{"GITHUB_RUN_ID": "9", "GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": event},
		append([]string{"check", "--baseline", "github://shop/app", slow}, sensitive...)...)
	var report detect.Report
	if err := json.Unmarshal([]byte(stdout), &report); err != nil {
		t.Fatalf("%v: %s%s", err, stdout, stderr)
	}
	if code != command.ExitVerdict || report.Verdict != detect.Regressed || report.Results[0].Baseline.Builds != 30 {
		t.Errorf("exit %d, %v against %d builds\n%s", code, report.Verdict, report.Results[0].Baseline.Builds, stderr)
	}
}

// The record of a fork's pull request says the repository that the merge was checked
// out of, and that merge: it is a build of the fork's branch all the same, and the
// earlier ones of that are its evidence, not those of a branch of the same name here.
func TestGitHubForkInItsOwnRun(t *testing.T) {
	s := githubtest.New(t, clock)
	build := func(id string, ago time.Duration) []byte {
		return fmt.Appendf(nil, `{"id":%q,"pipeline":"shop/app Dockerfile","repository":"https://github.com/shop/app","revision":"merge","start":%q,"steps":[{"name":"RUN a","duration_seconds":9}]}`,
			id, recordedAt.Add(-ago).UTC().Format(time.RFC3339))
	}
	for id, head := range map[string]string{"fork": "eve/app", "here": "shop/app"} {
		run := s.AddRun(githubtest.Run{Event: "pull_request", Branch: "patch", Head: head, HeadID: int64(len(head)), Created: recordedAt.Add(-2 * time.Hour)})
		s.AddArtifact(run, "buildregress", build(id, 2*time.Hour))
	}
	path := filepath.Join(t.TempDir(), "new.jsonl")
	if err := os.WriteFile(path, build("new", time.Minute), 0o666); err != nil {
		t.Fatal(err)
	}
	event := eventFile(t, `{"number":7,"pull_request":{"head":{"sha":"abc","ref":"patch","repo":{"full_name":"eve/app"}},
		"base":{"ref":"main","repo":{"full_name":"shop/app"}}},"repository":{"full_name":"shop/app","default_branch":"main"}}`)
	code, stdout, stderr := runOnGitHub(t, s, map[string]string{
		"GITHUB_RUN_ID": "9", "GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": event, "GITHUB_SHA": "merge", "GITHUB_REF": "refs/pull/7/merge",
	}, "check", "--verbose", "--format", "json", "--baseline", "github://shop/app", path)
	var report detect.Report
	if err := json.Unmarshal([]byte(stdout), &report); err != nil {
		t.Fatalf("%v: %s%s", err, stdout, stderr)
	}
	b := report.Results[0].Build
	if b.Repository != "eve/app" || b.Revision != "abc" || b.PullRequest != "7" || b.Pipeline != "shop/app Dockerfile" {
		t.Errorf("it is taken for %+v", b)
	}
	if code != command.ExitOK || !strings.Contains(stderr, "1 of its own") {
		t.Errorf("exit %d\n%s", code, stderr)
	}
}

// After the run of a fork's pull request, its artifacts are judged: as what the
// event and the API say they are, whatever they say themselves and however long ago it
// was.
func TestGitHubWorkflowRun(t *testing.T) { testGitHubWorkflowRun(t, recordedAt) }

func TestGitHubWorkflowRunLater(t *testing.T) { testGitHubWorkflowRun(t, recordedAt.Add(72*time.Hour)) }

func testGitHubWorkflowRun(t *testing.T, now time.Time) {
	s := shopWithMain(t)
	_, data := recorded(t, 44)
	run := s.AddRun(githubtest.Run{
		Event: "pull_request", Branch: "main", SHA: "feed", Head: "eve/app", HeadID: 666, Created: firstRun.Add(time.Hour * 100),
	})
	s.AddArtifact(run, "shop~app~EEEEEE.dockerbuild", data)
	s.Pulls = []githubtest.Pull{
		{Number: 7, Base: "main", Head: "eve/app", Branch: "main", SHA: "feed"},
		{Number: 8, Base: "main", Head: "eve/app", Branch: "main", SHA: "another"},
	}
	event := eventFile(t, fmt.Sprintf(`{"workflow_run":{"id":%d,"path":".github/workflows/ci.yml","event":"pull_request","head_sha":"feed","head_branch":"main",
		"head_repository":{"full_name":"eve/app"},"pull_requests":[]},"repository":{"full_name":"shop/app","default_branch":"main"}}`, run.GetID()))
	code, stdout, stderr := runOnGitHubAt(t, now, s, map[string]string{
		"GITHUB_RUN_ID": "9", "GITHUB_EVENT_NAME": "workflow_run", "GITHUB_EVENT_PATH": event,
		"GITHUB_WORKFLOW_REF": "shop/app/.github/workflows/judge.yml@refs/heads/main",
	}, append([]string{"check", "github://shop/app"}, sensitive...)...)
	var report detect.Report
	if err := json.Unmarshal([]byte(stdout), &report); err != nil {
		t.Fatalf("%v: %s%s", err, stdout, stderr)
	}
	b := report.Results[0].Build
	if b.Repository != "eve/app" || b.PullRequest != "7" || b.Revision != "feed" || b.Branch != "main" {
		t.Errorf("it is taken for %+v", b)
	}
	if code != command.ExitVerdict || report.Results[0].Baseline.Builds != 30 {
		t.Errorf("exit %d against %d builds\n%s", code, report.Results[0].Baseline.Builds, stderr)
	}
}

// What a check asks for that has fifty records as its history: first with nothing kept,
// then with the same folder again.
func TestGitHubCost(t *testing.T) {
	s := githubtest.New(t, clock)
	for n := range 50 {
		run := s.AddRun(githubtest.Run{Created: firstRun.Add(time.Duration(n) * time.Hour)})
		_, data := recorded(t, n%44) // 44 is judged
		if n >= 44 {
			data = copied(t, data, n)
		}
		s.AddArtifact(run, fmt.Sprintf("shop~app~%06d.dockerbuild", n), data)
	}
	slow, _ := recorded(t, 44)
	event := eventFile(t, `{"number":7,"pull_request":{"head":{"sha":"abc","ref":"slow","repo":{"full_name":"shop/app"}},
		"base":{"ref":"main","repo":{"full_name":"shop/app"}}},"repository":{"full_name":"shop/app","default_branch":"main"}}`)
	folder := t.TempDir()
	for _, test := range []struct {
		name             string
		calls, downloads int
	}{
		{"cold", 54, 50}, // the last one asks which files changed
		{"warm", 4, 0},
	} {
		s.Requests()
		gets := s.Gets()
		_, stdout, stderr := runOnGitHub(t, s, map[string]string{"GITHUB_RUN_ID": "9", "GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": event},
			append([]string{"check", "--baseline", "github://shop/app", "--store", "sqlite:" + filepath.Join(folder, "a.db"), "--comment", "never", "--check-run", "never", slow}, sensitive...)...)
		var report detect.Report
		if err := json.Unmarshal([]byte(stdout), &report); err != nil {
			t.Fatalf("%v: %s%s", err, stdout, stderr)
		}
		calls, downloads, judgedBy := len(s.Requests()), s.Gets()-gets, report.Results[0].Baseline.Builds
		if calls != test.calls || downloads != test.downloads || judgedBy != 50 {
			t.Errorf("%s: %d requests, %d downloads, %d builds; want %d, %d, 50\n%s", test.name, calls, downloads, judgedBy, test.calls, test.downloads, stderr)
		}
	}
}

// copied is the build of a record as another one, n hours before it.
func copied(t *testing.T, data []byte, n int) []byte {
	list, _, err := file.Decode(t.Context(), "x", data)
	if err != nil {
		t.Fatal(err)
	}
	b := list[0]
	b.ID, b.Trace, b.Content = fmt.Sprint("copy-", n), "", ""
	b.Start = b.Start.Add(-time.Duration(n) * time.Hour)
	for i := range b.Steps {
		b.Steps[i].Start = b.Steps[i].Start.Add(-time.Duration(n) * time.Hour)
	}
	var out bytes.Buffer
	if err := builds.Encode(&out, []timeline.Build{b}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// What stands in the way is said, and what to do about it.
func TestGitHubTrouble(t *testing.T) {
	s := shopWithMain(t)
	one, _ := recorded(t, 30)
	for _, test := range []struct {
		name   string
		vars   map[string]string
		source string
		code   int
		want   []string // on standard error
	}{
		{"no token", map[string]string{"GITHUB_TOKEN": ""}, "github://shop/app", command.ExitTrouble, []string{"401", "hint: give the job permissions: actions: read"}},
		{"another token goes first", map[string]string{"BUILDREGRESS_GITHUB_TOKEN": "other"}, "github://shop/app", command.ExitTrouble, []string{"401"}},
		{"no such repository", nil, "github://shop/gone", command.ExitTrouble, []string{"shop/gone", "404", "hint: "}},
		{"no repository", nil, "github://shop", command.ExitUsage, []string{"github://shop names no repository", "github://OWNER/NAME"}},
		{"up and away", nil, "github://shop/..", command.ExitUsage, []string{"names no repository"}},
		{"more than a repository", nil, "github-steps://shop/app/runs/1", command.ExitUsage, []string{"names no repository", "hint: github-steps://shop/app\n"}},
		{"a login in it", nil, "github://" + githubtest.Token + "@shop/app", command.ExitUsage, []string{"names no repository"}},
		{"no API", map[string]string{"GITHUB_API_URL": "ftp://x"}, "github://shop/app", command.ExitUsage, []string{"GITHUB_API_URL is no address"}},
		{"a login in the API's address", map[string]string{"GITHUB_API_URL": "https://u:" + githubtest.Token + "@x"}, "github://shop/app", command.ExitUsage, []string{"GITHUB_API_URL is no address"}},
		{"no token at all", map[string]string{"GITHUB_TOKEN": "a\nb"}, "github://shop/app", command.ExitUsage, []string{"contains invalid characters"}},
		{"not reached", map[string]string{"GITHUB_API_URL": "http://127.0.0.1:1"}, "github://shop/app", command.ExitTrouble, []string{"shop/app", "127.0.0.1:1", "refused"}},
	} {
		code, _, stderr := runOnGitHub(t, s, test.vars, "check", "--baseline", test.source, "--comment", "never", "--check-run", "never", one)
		if code != test.code {
			t.Errorf("%s: exit %d, want %d", test.name, code, test.code)
		}
		for _, text := range test.want {
			if !strings.Contains(stderr, text) {
				t.Errorf("%s: %q is not in\n%s", test.name, text, stderr)
			}
		}
	}
}

// Where GitHub keeps no records, the steps of the job that runs us are judged.
func TestGitHubSteps(t *testing.T) {
	s := githubtest.New(t, clock)
	for n := range 20 {
		run := s.AddRun(githubtest.Run{Created: firstRun.Add(time.Duration(n) * time.Hour)})
		s.AddJob(run, "image", 3, 60+n%5, 30+n%3)
	}
	run := s.AddRun(githubtest.Run{Event: "pull_request", Branch: "slow", Status: "in_progress", Created: firstRun.Add(50 * time.Hour)})
	s.AddJob(run, "image", 3, 160, 31, -1)
	event := eventFile(t, fmt.Sprintf(`{"number":7,"pull_request":{"head":{"sha":%q,"ref":"slow","repo":{"full_name":"shop/app"}},
		"base":{"ref":"main","repo":{"full_name":"shop/app"}}},"repository":{"full_name":"shop/app","default_branch":"main"}}`, run.GetHeadSHA()))
	code, stdout, stderr := runOnGitHub(t, s, map[string]string{
		"GITHUB_RUN_ID": fmt.Sprint(run.GetID()), "GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": event,
	}, "check", "github-steps://shop/app", "--format", "json", "--comment", "never", "--check-run", "never", "--record", "never")
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
	if code != command.ExitVerdict || len(report.Results) != 1 || r.Baseline.Builds != 20 || fmt.Sprint(slower) != "[Step 2]" {
		t.Errorf("exit %d, %d results, %d builds, slower: %v\n%s", code, len(report.Results), r.Baseline.Builds, slower, stderr)
	}
}

// Within the job that builds, its record is not there yet.
func TestGitHubTooEarly(t *testing.T) {
	s := githubtest.New(t, clock)
	run := s.AddRun(githubtest.Run{Status: "in_progress", Created: firstRun})
	code, _, stderr := runOnGitHub(t, s, map[string]string{"GITHUB_RUN_ID": fmt.Sprint(run.GetID())}, "check", "github://shop/app")
	if code != command.ExitTrouble || !strings.Contains(stderr, "within the job give buildx:") {
		t.Errorf("exit %d\n%s", code, stderr)
	}
}
