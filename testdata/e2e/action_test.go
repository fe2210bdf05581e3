package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch/builds"
	"github.com/buildregress/buildregress/internal/cli/clitest"
	"github.com/buildregress/buildregress/testdata/githubtest"
)

// TestAction runs the action as people use it, on a build by a real builder, in
// workflows that act runs on this machine. GitHub has the records of earlier runs,
// and none of the run itself: what would need it fails.
func TestAction(t *testing.T) {
	s := start(t)
	h := startHub(t)
	w := newWorkflow(t, s, h)
	for i := range 10 {
		began := time.Now().Add(-time.Second)
		w.change(t, "main", usual)
		w.build(t)
		run := h.github.AddRun(githubtest.Run{SHA: w.commit(t, "HEAD"), Created: began})
		created := time.Now()
		h.github.AddArtifact(run, fmt.Sprintf("shop~app~%06d.dockerbuild", i), w.record(t)).CreatedAt.Time = created
	}
	slow := work{"deps": "1", "compile": "12", "test": "0.2"}

	t.Run("pull request", func(t *testing.T) {
		w.change(t, "slower", slow)
		head := w.commit(t, "HEAD")
		r := w.act(t, "pull_request", "main", writer, w.pullRequest(7, "slower", head, githubtest.Repository))
		r.want(t, 1, "regressed", "1")
		if n := len(h.github.Comments); n != 1 || h.github.Comments[0].Number != 7 || r.outputs["comment-url"] != h.github.Comments[0].HTMLURL {
			t.Errorf("%d comments, output comment-url %q", n, r.outputs["comment-url"])
		} else {
			body := h.github.Comments[0].Body
			for _, want := range []string{
				"`RUN sleep .*` is slower", `\[This report as HTML\]\(<https://github\.com/shop/app/actions/runs/1/artifacts/build-report-image-\w+>\)`,
				"See \\[`Dockerfile:\\d+`\\]\\(<" + regexp.QuoteMeta(h.address) + "/shop/app/blob/" + head + `/Dockerfile#L\d+>\)`,
			} {
				if !regexp.MustCompile(want).MatchString(body) {
					t.Errorf("comment lacks %s\n%s", want, body)
				}
			}
		}
		if !strings.Contains(r.page, "<!DOCTYPE html>") || !strings.Contains(r.page, "is slower") {
			t.Errorf("what was kept is\n%.500s", r.page)
		}
		check := h.github.Checks[len(h.github.Checks)-1]
		if check.HeadSHA != head || check.Conclusion != "failure" || len(check.Annotations) != 1 || check.Annotations[0].Path != "Dockerfile" {
			t.Errorf("check run %+v", check)
		}
		if !strings.Contains(r.json, `"verdict": "regressed"`) || !strings.Contains(r.json, `"builds": 10`) {
			t.Errorf("report-json holds\n%.2000s", r.json)
		}

		// The next push to it takes the slowness back.
		w.change(t, "slower", usual)
		head = w.commit(t, "HEAD")
		r = w.act(t, "pull_request", "main", writer, w.pullRequest(7, "slower", head, githubtest.Repository))
		r.want(t, 0, "pass", "0")
		if n := len(h.github.Comments); n != 1 || !strings.Contains(h.github.Comments[0].Body, "### Resolved") {
			t.Errorf("%d comments", n)
		}
	})

	t.Run("pull request of a fork", func(t *testing.T) {
		comments, checks := len(h.github.Comments), len(h.github.Checks)
		w.change(t, "main", slow) // a fork's main is not main
		head := w.commit(t, "HEAD")
		r := w.act(t, "pull_request", "main", reader, w.pullRequest(8, "main", head, "fork/app"))
		r.want(t, 1, "regressed", "1")
		if len(h.github.Comments) != comments || len(h.github.Checks) != checks {
			t.Error("a token that may only read has written")
		}
		r.contains(t, "log", r.log, "403 Resource not accessible by integration", "Dockerfile", "is slower")

		// What the fork's run left is judged by another workflow, which may write.
		began := time.Now().Add(-time.Minute)
		run := h.github.AddRun(githubtest.Run{Event: "pull_request", Branch: "main", Head: "fork/app", HeadID: 99, SHA: head, Created: began})
		h.github.AddArtifact(run, "fork~app~000001.dockerbuild", w.record(t)).CreatedAt.Time = time.Now()
		h.github.Pulls = append(h.github.Pulls, githubtest.Pull{Number: 8, Base: "main", Head: "fork/app", Branch: "main", SHA: head})
		r = w.act(t, "workflow_run", "main", writer, map[string]any{
			"action": "completed",
			"workflow_run": map[string]any{
				"id": run.GetID(), "event": "pull_request", "head_branch": "main", "head_sha": head, "path": ".github/workflows/ci.yml",
				"head_repository": map[string]any{"full_name": "fork/app"}, "pull_requests": []any{}, "conclusion": "success",
			},
			"repository": repository,
		})
		r.want(t, 1, "regressed", "1")
		if n := len(h.github.Comments); n != comments+1 || h.github.Comments[n-1].Number != 8 {
			t.Errorf("%d comments", n)
		}
		if check := h.github.Checks[len(h.github.Checks)-1]; check.HeadSHA != head {
			t.Errorf("check run on %s, want the fork's head %s", check.HeadSHA, head)
		}
	})

	// Of three images that a matrix judges at once, two are slower: one comment has a line for
	// each.
	t.Run("matrix", func(t *testing.T) {
		comments := len(h.github.Comments)
		var main []timeline.Build
		for i, name := range []string{"web", "api", "cron"} {
			named := func(list []timeline.Build) []timeline.Build {
				for k := range list {
					list[k].Pipeline, list[k].ID = name, name+list[k].ID
				}
				return list
			}
			main = append(main, named(clitest.Builds(0, 10, "main", nil))...)
			writeBuilds(t, filepath.Join(w.dir, name+".jsonl"), named(clitest.Builds(20, 1, "x", map[string]float64{"compile": 20 + 30*float64(i)})))
		}
		writeBuilds(t, filepath.Join(w.dir, "main.jsonl"), main)
		w.workflow = matrix
		defer func() { w.workflow = ci }()
		w.change(t, "images", usual)
		r := w.act(t, "pull_request", "main", writer, w.pullRequest(9, "images", w.commit(t, "HEAD"), githubtest.Repository))
		if len(h.github.Comments) != comments+1 {
			t.Fatalf("%d comments\n%s", len(h.github.Comments)-comments, r.log)
		}
		body := h.github.Comments[comments].Body
		lines := regexp.MustCompile(`(?m)^<details><summary><code>(\w+)</code> (?:<b>)?(\w+)`).FindAllString(body, -1)
		if len(lines) < 2 || !strings.Contains(lines[0], "cron</code> <b>Regressed") || !strings.Contains(lines[1], "api</code> <b>Regressed") || strings.Count(body, "This report as HTML") != len(lines) {
			t.Errorf("comment\n%s", body)
		}
	})

	t.Run("push, by a release", func(t *testing.T) {
		comments := len(h.github.Comments)
		h.files = w.release(t, "v9.8.7")
		w.change(t, "main", usual)
		head := w.commit(t, "HEAD")
		r := w.act(t, "push", "v9.8.7", writer, map[string]any{
			"ref": "refs/heads/main", "after": head, "repository": repository,
		})
		r.want(t, 0, "pass", "0")
		r.contains(t, "log", r.log, "buildregress v9.8.7 for ")
		if len(h.github.Comments) != comments {
			t.Error("a push was commented on")
		}
		if check := h.github.Checks[len(h.github.Checks)-1]; check.HeadSHA != head || check.Conclusion != "success" {
			t.Errorf("check run %+v", check)
		}
	})
}

var repository = map[string]any{"full_name": githubtest.Repository, "default_branch": "main", "name": "app", "owner": map[string]any{"login": "shop"}}

// A workflow is a checkout of the repository that act runs a workflow of.
type workflow struct {
	*stack
	hub      *hub
	dir      string
	program  string // act
	workflow string // what is run
	count    int
}

// buildFlags are those of all builds. What they make, nobody needs.
const buildFlags = "--progress=plain --output=type=cacheonly --provenance=mode=max"

func newWorkflow(t *testing.T, s *stack, h *hub) *workflow {
	t.Helper()
	w := &workflow{stack: s, hub: h, dir: filepath.Join(s.dir, "app"), program: installAct(t), workflow: ci}
	for _, dir := range []string{"work", "src", ".github/workflows"} {
		if err := os.MkdirAll(filepath.Join(w.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(w.dir, "Dockerfile"), s.base+dockerfile)
	for name, content := range s.context {
		write(t, filepath.Join(w.dir, name), string(content))
	}
	w.git(t, "init", "-q", "-b", "main")
	w.git(t, "remote", "add", "origin", "https://github.com/"+githubtest.Repository+".git")
	return w
}

// installAct installs act, if the cache does not hold it.
func installAct(t *testing.T) string {
	t.Helper()
	const version = "v0.2.89"
	dir := filepath.Join(cacheDir(t), "act-"+version)
	if _, err := os.Stat(filepath.Join(dir, "act")); err != nil {
		cmd := exec.CommandContext(t.Context(), "go", "install", "github.com/nektos/act@"+version)
		cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go install act: %v\n%s", err, out)
		}
	}
	return filepath.Join(dir, "act")
}

func (w *workflow) git(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", w.dir, "-c", "user.name=t", "-c", "user.email=t@example.com"}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (w *workflow) commit(t *testing.T, rev string) string { return w.git(t, "rev-parse", rev) }

// change commits to a branch what steps have to do.
func (w *workflow) change(t *testing.T, branch string, todo work) {
	t.Helper()
	w.count++
	for step, seconds := range todo {
		write(t, filepath.Join(w.dir, "work", step), seconds+"\n")
	}
	write(t, filepath.Join(w.dir, "src", "main"), fmt.Sprint(w.count))
	w.git(t, "checkout", "-q", "-B", branch)
	w.git(t, "add", "-A")
	w.git(t, "commit", "-q", "-m", fmt.Sprint("change ", w.count))
}

// build builds as the workflow does.
func (w *workflow) build(t *testing.T) {
	t.Helper()
	args := append(append(w.buildx, "build", "--builder", w.builder), strings.Fields(buildFlags)...)
	if _, stderr, err := w.try(w.ctx, w.dir, []string{"PATH=" + w.path()}, append(args, ".")...); err != nil {
		t.Fatalf("build: %v\n%s", err, stderr)
	}
}

// record is that of the newest build.
func (w *workflow) record(t *testing.T) []byte {
	t.Helper()
	file := filepath.Join(w.stack.dir, "record.dockerbuild")
	w.run(t, append(slices.Clip(w.buildx), "history", "export", "--builder", w.builder, "--finalize", "--output", file, w.newestRef(t))...)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(file)
	return data
}

// path is that of the job: with the stack's Buildx, and what scripts need.
func (w *workflow) path() string {
	for _, v := range w.env {
		if own, ok := strings.CutPrefix(v, "PATH="); ok {
			return own + string(os.PathListSeparator) + os.Getenv("PATH")
		}
	}
	return os.Getenv("PATH")
}

func (w *workflow) pullRequest(number int, branch, head, repo string) map[string]any {
	return map[string]any{
		"action": "synchronize", "number": number, "repository": repository,
		"pull_request": map[string]any{
			"number": number,
			"head":   map[string]any{"ref": branch, "sha": head, "repo": map[string]any{"full_name": repo}},
			"base":   map[string]any{"ref": "main", "sha": strings.Repeat("0", 40), "repo": repository},
		},
	}
}

// release is a server with a release of what is here.
func (w *workflow) release(t *testing.T, version string) http.Handler {
	t.Helper()
	data, err := os.ReadFile(w.binary)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("buildregress_%s_%s", goEnv(t, "GOOS"), goEnv(t, "GOARCH"))
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/buildregress/buildregress/releases/download/" + version + "/" + name:
			rw.Write(data)
		case "/buildregress/buildregress/releases/download/" + version + "/checksums.txt":
			fmt.Fprintf(rw, "%x  %s\n", sha256.Sum256(data), name)
		default:
			http.NotFound(rw, r)
		}
	})
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// The workflow of the repository. After another run, there is nothing to build.
const ci = `name: ci
on: [push, pull_request, workflow_run]
permissions:
  actions: read
  checks: write
  contents: read
  issues: write
  pull-requests: write
jobs:
  image:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2
      - id: build
        if: github.event_name != 'workflow_run'
        run: |
          BUILD --metadata-file "$RUNNER_TEMP/metadata.json" .
          {
            echo 'metadata<<end-of-it'
            cat "$RUNNER_TEMP/metadata.json"
            printf '\nend-of-it\n'
          } >>"$GITHUB_OUTPUT"
      - id: judge
        uses: buildregress/buildregress@REF
        with:
          metadata: ${{ steps.build.outputs.metadata }}
          report-html: true
          issue: auto
      - if: always()
        env:
          OUTPUTS: ${{ toJSON(steps.judge.outputs) }}
          REPORT: ${{ steps.judge.outputs.report-json }}
        run: |
          printf '%s' "$OUTPUTS" >"$RESULTS/outputs.json"
          cp "$REPORT" "$RESULTS/report.json"
`

// matrix has a job for each of three images, whose builds were recorded before.
const matrix = `name: images
on: [pull_request]
permissions:
  checks: write
  contents: read
  pull-requests: write
jobs:
  image:
    strategy:
      fail-fast: false
      matrix:
        image: [web, api, cron]
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2
      - uses: buildregress/buildregress@REF
        with:
          source: ${{ matrix.image }}.jsonl
          baseline: main.jsonl
          report-html: true
`

func writeBuilds(t *testing.T, path string, list []timeline.Build) {
	t.Helper()
	var b bytes.Buffer
	if err := builds.Encode(&b, list); err != nil {
		t.Fatal(err)
	}
	write(t, path, b.String())
}

// keeping takes a file as actions/upload-artifact does, and says where it would be.
const keeping = `inputs:
  name: {required: true}
  path: {required: true}
  if-no-files-found: {default: warn}
outputs:
  artifact-url:
    value: ${{ steps.keep.outputs.artifact-url }}
runs:
  using: composite
  steps:
    - id: keep
      shell: bash
      env:
        NAME: ${{ inputs.name }}
        FILE: ${{ inputs.path }}
      run: |
        cp "$FILE" "$RESULTS/page.html"
        printf 'artifact-url=https://github.com/shop/app/actions/runs/1/artifacts/%s\n' "$NAME" >>"$GITHUB_OUTPUT"
`

// A result is what a run of the workflow left.
type result struct {
	code    int
	log     string
	outputs map[string]string
	json    string
	page    string // what was kept as an artifact
}

// act runs the workflow on an event, with the action at a ref.
func (w *workflow) act(t *testing.T, event, ref, token string, payload map[string]any) (r result) {
	t.Helper()
	results := t.TempDir()
	buildCommand := strings.Join(append(slices.Clip(w.buildx), "build", "--builder", w.builder, buildFlags), " ")
	write(t, filepath.Join(w.dir, ".github/workflows/ci.yml"), strings.NewReplacer("BUILD ", buildCommand+" ", "REF", ref).Replace(w.workflow))
	data, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(results, "event.json"), string(data))
	here, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	// Actions of others, which act would get from GitHub, and which have nothing to do
	// here: there is Go, and no cache to restore.
	stub := t.TempDir()
	args := []string{
		event, "--env", "RESULTS=" + results, "--env", "GITHUB_API_URL=" + w.hub.address, "--env", "GITHUB_SERVER_URL=" + w.hub.address,
		"-P", "ubuntu-latest=-self-hosted", "-e", filepath.Join(results, "event.json"), "-s", "GITHUB_TOKEN=" + token,
		"--no-cache-server", "--defaultbranch", "main",
		"--local-repository", "buildregress/buildregress@" + ref + "=" + here,
	}
	action, err := os.ReadFile(filepath.Join(here, "action.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`uses: (([\w.-]+/[\w.-]+)((?:/[\w.-]+)*)@([0-9a-f]{40}))`).FindAllStringSubmatch(string(action), -1) {
		dir := filepath.Join(stub, path.Base(m[2]))
		if err := os.MkdirAll(filepath.Join(dir, m[3]), 0o755); err != nil {
			t.Fatal(err)
		}
		stub := "runs:\n  using: composite\n  steps: []\n"
		if path.Base(m[2]) == "upload-artifact" {
			stub = keeping
		}
		write(t, filepath.Join(dir, m[3], "action.yml"), stub)
		args = append(args, "--local-repository", m[2]+"@"+m[4]+"="+dir)
	}
	cmd := exec.CommandContext(w.ctx, w.program, args...)
	cmd.Dir = w.dir
	cmd.Env = append(slices.Clip(w.env), "PATH="+w.path(),
		"GOCACHE="+goEnv(t, "GOCACHE"), "GOMODCACHE="+goEnv(t, "GOMODCACHE"), "GOPROXY="+goEnv(t, "GOPROXY"), "GONOSUMDB="+goEnv(t, "GONOSUMDB"), "GOFLAGS="+goEnv(t, "GOFLAGS"))
	out, err := cmd.CombinedOutput()
	r.code, r.log = exitCode(err), string(out)
	if data, err := os.ReadFile(filepath.Join(results, "outputs.json")); err == nil {
		if err := json.Unmarshal(data, &r.outputs); err != nil {
			t.Errorf("outputs: %v in %s", err, data)
		}
	}
	if data, err := os.ReadFile(filepath.Join(results, "report.json")); err == nil {
		r.json = string(data)
	}
	if data, err := os.ReadFile(filepath.Join(results, "page.html")); err == nil {
		r.page = string(data)
	}
	return r
}

func (r *result) want(t *testing.T, code int, verdict, regressions string) {
	t.Helper()
	if r.code != code || r.outputs["verdict"] != verdict || r.outputs["regressions"] != regressions {
		t.Fatalf("exit code %d, outputs %v, want %d, %s, %s\n%s", r.code, r.outputs, code, verdict, regressions, r.log)
	}
}

func (r *result) contains(t *testing.T, what, text string, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if !strings.Contains(text, want) {
			t.Errorf("the %s lacks %q:\n%s", what, want, text)
		}
	}
}
