package e2e

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"
)

// The webhooks are those that GitHub documents for workflows, with our own values.
//
//go:embed webhooks/*.json
var webhooks embed.FS

var payloads = template.Must(template.ParseFS(webhooks, "webhooks/*.json"))

// A workflowRun is one with one job, as its webhooks tell of it. Times are seconds after
// Begin.
type workflowRun struct {
	ID                    int
	Workflow              string
	Branch, SHA, Event    string
	Job                   string
	Begin                 time.Time
	Created, Started, End int // of the job
	Steps                 []workflowStep
}

type workflowStep struct {
	Name               string
	Number, Start, End int
}

// At is a time as GitHub writes it.
func (r *workflowRun) At(seconds int) string {
	return r.Begin.Add(time.Duration(seconds) * time.Second).UTC().Format(time.RFC3339)
}

// add adds a step that takes so many seconds, behind the others.
func (r *workflowRun) add(name string, seconds int) {
	start := r.Started
	if n := len(r.Steps); n > 0 {
		start = r.Steps[n-1].End
	}
	r.End = start + seconds
	r.Steps = append(r.Steps, workflowStep{name, len(r.Steps) + 1, start, r.End})
}

// traceID is that of the run's trace, and jobSpan the id of its job's span, by the
// receiver's rules: a workflow that knows them can hand them on.
func (r *workflowRun) traceID() string {
	return fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%d1t", r.ID)))[:32]
}

func (r *workflowRun) jobSpan() string {
	return fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%d1%s", r.ID, r.Job)))[16:32]
}

// installCollector builds OpenTelemetry's collector, if the cache does not hold it: its
// module is in this folder, with what vouches for all that it is made of.
func installCollector(t *testing.T) string {
	t.Helper()
	sums, err := os.ReadFile("collector/go.sum")
	if err != nil {
		t.Fatal(err)
	}
	main, err := os.ReadFile("collector/main.go")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(cacheDir(t), fmt.Sprintf("collector-%x-%s", sha256.Sum256(append(sums, main...)), runtime.GOARCH)[:26], "collector")
	if _, err := os.Stat(program); err == nil {
		return program
	}
	if err := os.MkdirAll(cacheDir(t), 0o755); err != nil {
		t.Fatal(err)
	}
	work, err := os.MkdirTemp(cacheDir(t), ".building-") //nolint:usetesting // it is renamed, and so on the same disk
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(work)
	start := time.Now()
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(work, "collector"), ".")
	cmd.Dir = "collector"
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly -buildvcs=false", "GOWORK=off", "CGO_ENABLED=0", "GOOS=", "GOARCH=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the collector: %v\n%s", err, out)
	}
	if err := os.Rename(work, filepath.Dir(program)); err != nil {
		if _, err := os.Stat(program); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("built the collector in %v", time.Since(start).Round(time.Second))
	return program
}

// startCollector starts a collector that takes webhooks, and returns where it takes them.
func (s *stack) startCollector(t *testing.T) (hooks string) {
	t.Helper()
	address := freeAddress(t)
	config := filepath.Join(s.dir, "collector.yaml")
	write(t, config, fmt.Sprintf(`receivers:
  github:
    scrapers: {scraper: {}}
    webhook: {endpoint: %q, path: /events, health_path: /health}
exporters:
  otlp: {endpoint: %q, tls: {insecure: true}}
service:
  pipelines:
    traces: {receivers: [github], exporters: [otlp]}
  telemetry:
    metrics: {level: none}
`, address, strings.TrimPrefix(s.otlp, "http://")))
	s.daemon(t, nil, installCollector(t), "--config", config)
	s.await(t, "the collector", func() error {
		response, err := http.Get("http://" + address + "/health")
		if err == nil {
			response.Body.Close()
		}
		return err
	})
	return "http://" + address + "/events"
}

// post sends a webhook, as GitHub does.
func (r *workflowRun) post(t *testing.T, hooks, event string) {
	t.Helper()
	var body bytes.Buffer
	if err := payloads.ExecuteTemplate(&body, event+".json", r); err != nil {
		t.Fatal(err)
	}
	if !json.Valid(body.Bytes()) {
		t.Fatalf("%s is no JSON:\n%s", event, body.Bytes())
	}
	request, err := http.NewRequest(http.MethodPost, hooks, &body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-GitHub-Event", event)
	request.Header.Set("X-GitHub-Delivery", random(16))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("the collector answers %s", response.Status)
	}
}

// awaitRoot waits until Jaeger has the run's own span: the collector hands on what it took
// some time after its answer.
func (s *stack) awaitRoot(t *testing.T, r *workflowRun) {
	t.Helper()
	s.await(t, "the run", func() error {
		response, err := http.Get("http://" + s.http + "/api/traces/" + r.traceID())
		if err != nil {
			return err
		}
		defer response.Body.Close()
		trace, err := io.ReadAll(response.Body)
		if err == nil && !bytes.Contains(trace, fmt.Appendf(nil, `"operationName":%q`, r.Workflow)) {
			err = fmt.Errorf("no root in %d bytes", len(trace))
		}
		return err
	})
}

// A runReport is what is looked at in a report on runs and on builds within them.
type runReport struct {
	Verdict  string
	ExitCode int `json:"exit_code"`
	Results  []struct {
		Verdict  string
		Build    struct{ ID, Pipeline, Branch string }
		Baseline struct{ Builds int }
		Steps    []struct {
			Key, Name, Status string
			Reason            note
			Causes            []struct{ Kind, Text string }
		}
	}
	stderr string
}

// checkRun checks with what is given, in JSON.
func (s *stack) checkRun(t *testing.T, args ...string) (r runReport) {
	t.Helper()
	args = append([]string{s.binary, "check", "--format", "json", "--record", "never", "--base-branch", "main"}, args...)
	stdout, stderr, err := s.try(s.ctx, s.dir, nil, args...)
	if decoded := json.Unmarshal([]byte(stdout), &r); decoded != nil || exitCode(err) != r.ExitCode {
		t.Fatalf("%s: %v, %v\n%s", strings.Join(args, " "), err, decoded, stderr)
	}
	r.stderr = stderr
	return r
}

// slower are the steps of a result that are slower for sure.
func (r *runReport) slower(n int) (keys []string) {
	for _, step := range r.Results[n].Steps {
		if step.Status == "slower" {
			keys = append(keys, step.Key)
		}
	}
	return keys
}

// TestPipelines judges runs of workflows by what the collector makes of GitHub's webhooks,
// builds within them, and a script that traces itself.
func TestPipelines(t *testing.T) {
	s := start(t)
	t.Logf("the stack: %s", s.about)
	t.Cleanup(func() { // before the others: it waits for clients that are gone
		if s.killJaeger != nil {
			if s.stopBuilder != nil {
				s.stopBuilder()
			}
			s.killJaeger()
		}
	})
	hooks := s.startCollector(t)
	t.Run("run of a workflow", func(t *testing.T) { s.testWorkflow(t, hooks) })
	t.Run("build within a run", func(t *testing.T) { s.testBuildWithin(t, hooks) })
	t.Run("script under otel-cli", s.testScript)
}

// The ids of the first runs of each test: as long as those of github.com, and as those of a
// GitHub Enterprise Server.
const (
	firstWorkflow = 14_460_881_000
	firstWithin   = 7200
)

func (s *stack) testWorkflow(t *testing.T, hooks string) {
	const base = 12
	now := time.Now().Truncate(time.Second)
	newRun := func(n int, branch, event string, tests, queue int) *workflowRun {
		r := &workflowRun{
			ID: firstWorkflow + n, Workflow: "build and test", Branch: branch, SHA: random(20), Event: event, Job: "test (1.26)",
			Begin: now.Add(time.Duration(n-40) * 10 * time.Minute), Created: 1, Started: 1 + queue,
		}
		r.add("Set up job", 2)
		r.add("Run actions/checkout@v4", 1)
		r.add("Run tests", tests)
		r.add("Complete job", 1)
		return r
	}
	var runs []*workflowRun
	for n := range base {
		r := newRun(n, "main", "push", 60+n%4, 3+n%3)
		r.post(t, hooks, "workflow_job")
		r.post(t, hooks, "workflow_run")
		runs = append(runs, r)
	}
	for _, r := range runs { // they may arrive in another order
		s.awaitRoot(t, r)
	}
	slow := newRun(30, "slow", "pull_request", 100, 4)
	slow.post(t, hooks, "workflow_job")
	places := []string{"jaeger://" + s.grpc, "jaeger+http://" + s.http}
	run := fmt.Sprintf("%d-1", slow.ID)
	s.await(t, "the job", func() error { // its run has not come: that is said, and at once
		start := time.Now()
		_, stderr, err := s.try(s.ctx, s.dir, nil, s.binary, "check", places[0], "--service", "app", "--run-id", run, "--record", "never")
		if exitCode(err) != 3 || !strings.Contains(stderr, "the run's own span") || !strings.Contains(stderr, "workflow_run: completed") || time.Since(start) > 30*time.Second {
			return fmt.Errorf("exit %d after %v\n%s", exitCode(err), time.Since(start), stderr)
		}
		return nil
	})
	slow.post(t, hooks, "workflow_run")
	s.awaitRoot(t, slow)
	for _, place := range places {
		// By the id of its trace, which follows from the run's; and by the run's id as a tag.
		for _, args := range [][]string{{"--run-id", run}, {"--service", "app", "--run-id", fmt.Sprint(slow.ID)}} {
			r := s.checkRun(t, append([]string{place}, args...)...)
			if len(r.Results) != 1 || r.Verdict != "regressed" || r.Results[0].Build.Pipeline != "build and test" || r.Results[0].Build.Branch != "slow" ||
				r.Results[0].Baseline.Builds != base || !slices.Equal(r.slower(0), []string{"[test (1.26)] Run tests"}) {
				t.Errorf("%s %v: %+v", place, args, r)
			}
		}
	}
	// In a workflow that the run's end started, nothing has to name it.
	event := filepath.Join(s.dir, "event.json")
	write(t, event, fmt.Sprintf(`{"action":"completed","workflow_run":{"id":%d,"run_attempt":1,"event":"pull_request","head_branch":"slow","head_sha":%q,
		"path":".github/workflows/ci.yml","head_repository":{"full_name":"shop/app"},"pull_requests":[]},"repository":{"full_name":"shop/app","default_branch":"main"}}`, slow.ID, slow.SHA))
	env := []string{"GITHUB_ACTIONS=true", "GITHUB_EVENT_NAME=workflow_run", "GITHUB_EVENT_PATH=" + event, "GITHUB_API_URL=http://127.0.0.1:1", "GITHUB_REPOSITORY=shop/app", "GITHUB_RUN_ID=14460889999", "GITHUB_RUN_ATTEMPT=1", "GITHUB_SHA=" + random(20)}
	stdout, stderr, err := s.try(s.ctx, s.dir, env, s.binary, "check", places[0], "--record", "never", "--comment", "never", "--check-run", "never")
	if exitCode(err) != 1 || !strings.Contains(stdout, "`Run tests` is slower") || !strings.Contains(stdout, "Build of `build and test` on `slow`") {
		t.Errorf("exit %d\n%s%s", exitCode(err), stdout, stderr)
	}
	late := newRun(31, "late", "pull_request", 61, 300) // it waited, and nothing else
	late.post(t, hooks, "workflow_job")
	late.post(t, hooks, "workflow_run")
	s.awaitRoot(t, late)
	r := s.checkRun(t, places[0], "--run-id", fmt.Sprintf("%d-1", late.ID))
	if len(r.Results) != 1 || r.Verdict != "pass" || !slices.ContainsFunc(r.Results[0].Steps, func(step struct {
		Key, Name, Status string
		Reason            note
		Causes            []struct{ Kind, Text string }
	},
	) bool {
		return step.Status == "waiting"
	}) {
		t.Errorf("%+v", r)
	}
}

// withinDockerfile builds for as long as a file says.
const withinDockerfile = `
FROM base
COPY src /src
RUN read seconds </src/main && sleep $seconds && echo built >/out
`

// testBuildWithin builds in a job's step, with the job's TRACEPARENT. One step of the build
// gets slower: that is told of the build, and fails once.
func (s *stack) testBuildWithin(t *testing.T, hooks string) {
	const base, usual, slow = 14, "0.5", "15"
	dir := s.folder(t, plan{name: "within", dockerfile: withinDockerfile}, "within")
	context := filepath.Join(dir, "context")
	var runs []*workflowRun
	for n := range base + 1 {
		branch, event, seconds := "main", "push", usual
		if n == base {
			branch, event, seconds = "slow", "pull_request", slow
		}
		begin := time.Now()
		r := &workflowRun{ID: firstWithin + n, Workflow: "images", Branch: branch, SHA: random(20), Event: event, Job: "image", Begin: begin.Add(-10 * time.Second).Truncate(time.Second), Created: 1, Started: 3}
		r.add("Set up job", 2)
		r.add("Run actions/checkout@v4", int(begin.Sub(r.Begin)/time.Second)-5)
		write(t, filepath.Join(context, "src", "main"), seconds+"\n"+r.SHA+"\n")
		env := []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + s.otlp, fmt.Sprintf("TRACEPARENT=00-%s-%s-01", r.traceID(), r.jobSpan())}
		if _, stderr, err := s.try(s.ctx, context, env, append(slices.Clone(s.buildx), "build", "--builder", s.builder, "--output", "type=cacheonly", ".")...); err != nil {
			t.Fatalf("build: %v\n%s", err, stderr)
		}
		r.add("docker buildx build", int(time.Since(begin).Round(time.Second)/time.Second)+1)
		r.add("Upload report", 2)
		r.post(t, hooks, "workflow_job")
		r.post(t, hooks, "workflow_run")
		runs = append(runs, r)
	}
	last := runs[base]
	for _, r := range runs { // they may arrive in another order
		s.awaitRoot(t, r)
	}
	report := s.checkRun(t, "jaeger://"+s.grpc, "--run-id", fmt.Sprintf("%d-1", last.ID))
	if len(report.Results) != 2 {
		t.Fatalf("%d results, want the run and its build: %+v", len(report.Results), report)
	}
	run, build := report.Results[0], 1
	if run.Build.Pipeline != "images" {
		run, build = report.Results[1], 0
	}
	if report.ExitCode != 1 || run.Verdict != "pass" || report.Results[build].Verdict != "regressed" || report.Results[build].Build.Pipeline != "images / image" ||
		report.Results[build].Baseline.Builds != base || run.Baseline.Builds != base {
		t.Errorf("%+v", report)
	}
	told := false
	for _, step := range run.Steps {
		if step.Name == "docker buildx build" {
			told = step.Reason.Kind == "told-once" && len(step.Causes) > 0 && step.Causes[0].Kind == "build-within" && strings.Contains(step.Causes[0].Text, "RUN read seconds")
		}
	}
	if slower := report.slower(build); !told || len(slower) != 1 || !strings.Contains(slower[0], "RUN read seconds") {
		t.Errorf("slower: %v; explained: %v; %+v", slower, told, run.Steps)
	}
}

// testScript judges a script whose commands run under otel-cli.
func (s *stack) testScript(t *testing.T) {
	cli := filepath.Join(install(t, otelTool), "otel-cli")
	script := filepath.Join(s.dir, "nightly.sh")
	write(t, script, fmt.Sprintf(`set -e
%[1]s exec --name fetch -- sleep 0.1
%[1]s exec --name compile -- sleep $COMPILE
%[1]s exec --name test -- sleep 0.2
`, cli))
	const base = 10
	perform := func(n int, branch, compile string, attributes bool) (trace string) {
		trace = random(16)
		env := []string{
			"OTEL_EXPORTER_OTLP_ENDPOINT=" + s.otlp, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_INSECURE=true", "OTEL_CLI_SERVICE_NAME=scripts", "OTEL_CLI_FAIL=true",
			"OTEL_CLI_FORCE_TRACE_ID=" + trace, "COMPILE=" + compile, "PATH=" + os.Getenv("PATH"),
		}
		name := "nightly"
		if attributes {
			env = append(env, fmt.Sprintf("OTEL_CLI_ATTRIBUTES=cicd.pipeline.name=nightly,cicd.pipeline.result=success,cicd.pipeline.run.id=%d,vcs.ref.head.name=%s", n, branch))
		}
		if _, stderr, err := s.try(s.ctx, s.dir, env, cli, "exec", "--name", name, "--", "/bin/sh", script); err != nil {
			t.Fatalf("the script: %v\n%s", err, stderr)
		}
		return trace
	}
	for n := range base {
		perform(n, "main", "0.3", true)
	}
	slow := perform(base, "slow", "2.3", true)
	r := s.checkRun(t, "jaeger://"+s.grpc, "--service", "scripts", "--trace-id", slow)
	if len(r.Results) != 1 || r.Verdict != "regressed" || r.Results[0].Baseline.Builds != base || len(r.slower(0)) != 1 || !strings.Contains(r.slower(0)[0], "compile") {
		t.Errorf("%+v", r)
	}
	other := perform(0, "", "0.5", false)
	if _, stderr, err := s.try(s.ctx, s.dir, nil, s.binary, "check", "jaeger://"+s.grpc, "--service", "scripts", "--trace-id", other, "--record", "never"); exitCode(err) != 3 || !strings.Contains(stderr, "--trace-as pipeline") {
		t.Errorf("exit %d\n%s", exitCode(err), stderr)
	}
	r = s.checkRun(t, "jaeger://"+s.grpc, "--service", "scripts", "--trace-id", other, "--trace-as", "pipeline")
	if len(r.Results) != 1 || len(r.Results[0].Steps) != 3 || r.Results[0].Build.Pipeline != "nightly" {
		t.Errorf("%+v", r)
	}
}
