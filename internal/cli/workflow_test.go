package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch/builds"
	"github.com/buildregress/buildregress/internal/cli/clitest"
	"github.com/buildregress/buildregress/internal/console"
	"github.com/buildregress/buildregress/testdata/githubtest"
)

// A workflow is a job on a GitHub of our own that judges builds.
type workflow struct {
	t      *testing.T
	github *githubtest.Server
	dir    string
	vars   map[string]string
}

// clock is that of the fake GitHub: after all builds of scripts and recordings.
func clock() time.Time { return recordedAt }

const headCommit = "3f9c2ab41d0e8857c1f0a9b2d3e4f50617283940"

// newWorkflow is a job of pull request 7 from a branch of the repository itself,
// with ten builds of main behind it.
func newWorkflow(t *testing.T) *workflow {
	t.Helper()
	w := &workflow{t: t, github: githubtest.New(t, clock), dir: t.TempDir()}
	w.write("main.jsonl", clitest.Builds(0, 10, "main", nil))
	w.vars = map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": githubtest.Repository, "GITHUB_API_URL": w.github.URL, "GITHUB_TOKEN": "writer",
		"GITHUB_SERVER_URL": "https://github.com", "GITHUB_RUN_ID": "12", "GITHUB_SHA": "merge", "GITHUB_REF": "refs/pull/7/merge",
		"GITHUB_EVENT_PATH":   filepath.Join(w.dir, "event.json"),
		"GITHUB_STEP_SUMMARY": filepath.Join(w.dir, "summary.md"), "GITHUB_OUTPUT": filepath.Join(w.dir, "output"),
	}
	w.event(`{"number":7,"pull_request":{"head":{"sha":"` + headCommit + `","ref":"x","repo":{"full_name":"shop/app"}},
		"base":{"ref":"main","repo":{"full_name":"shop/app"}}},"repository":{"full_name":"shop/app","default_branch":"main"}}`)
	return w
}

func (w *workflow) event(payload string) {
	w.t.Helper()
	if err := os.WriteFile(w.vars["GITHUB_EVENT_PATH"], []byte(payload), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *workflow) write(name string, list []timeline.Build) {
	w.t.Helper()
	var b bytes.Buffer
	if err := builds.Encode(&b, list); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.dir, name), b.Bytes(), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// check judges build number n of the branch, in which steps may take other times,
// and fails the test if it does not exit with a code.
func (w *workflow) check(wantCode, n int, seconds map[string]float64, flags ...string) (stdout, stderr string) {
	w.t.Helper()
	list := clitest.Builds(n, 1, "x", seconds)
	list[0].Revision = headCommit
	for i := range list[0].Steps {
		list[0].Steps[i].Source = dockerfile.Position{File: "Dockerfile", Line: 10 + i}
	}
	w.write("new.jsonl", list)
	return w.judge(wantCode, n, flags...)
}

func (w *workflow) judge(wantCode, n int, flags ...string) (stdout, stderr string) {
	w.t.Helper()
	args := []string{
		"check", "--baseline", filepath.Join(w.dir, "main.jsonl"), "--store", "sqlite:" + filepath.Join(w.dir, "history.db"),
		filepath.Join(w.dir, "new.jsonl"),
	}
	return w.run(wantCode, n, append(args, flags...)...)
}

// run runs buildregress shortly after build number n.
func (w *workflow) run(wantCode, n int, args ...string) (stdout, stderr string) {
	w.t.Helper()
	var out, errs bytes.Buffer
	now := clitest.NewClock(clitest.Start.Add(time.Duration(n)*time.Hour + 10*time.Minute))
	code := Run(w.t.Context(), Process{
		Args: args, Getenv: func(name string) string { return w.vars[name] }, Stdin: strings.NewReader(""),
		Stdout: console.Output{Writer: &out}, Stderr: console.Output{Writer: &errs}, Clock: now.Now, Sleep: now.Sleep,
	})
	if code != wantCode {
		w.t.Fatalf("exit code %d, want %d\n%s%s", code, wantCode, &out, &errs)
	}
	if token := w.vars["GITHUB_TOKEN"]; token != "" && strings.Contains(out.String()+errs.String(), token) {
		w.t.Errorf("the token is printed:\n%s%s", &out, &errs)
	}
	return out.String(), errs.String()
}

// file is what the job left in a file that a variable names.
func (w *workflow) file(variable string) string {
	data, err := os.ReadFile(w.vars[variable])
	if err != nil && !os.IsNotExist(err) {
		w.t.Fatal(err)
	}
	return string(data)
}

// outputs are those of the step, read as the runner reads them.
func (w *workflow) outputs() map[string]string {
	values := map[string]string{}
	lines := strings.Split(w.file("GITHUB_OUTPUT"), "\n")
	for i := 0; i < len(lines); i++ {
		name, end, ok := strings.Cut(lines[i], "<<")
		if !ok {
			continue
		}
		var value []string
		for i++; i < len(lines) && lines[i] != end; i++ {
			value = append(value, lines[i])
		}
		values[name] = strings.Join(value, "\n")
	}
	return values
}

var slowCompile = map[string]float64{"compile": 70}

func contains(t *testing.T, what, text string, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if !strings.Contains(text, want) {
			t.Errorf("%s lacks %q:\n%s", what, want, text)
		}
	}
}
