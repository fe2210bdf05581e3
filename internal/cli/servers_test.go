package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/fetch/traces/tracetest"
	"github.com/buildregress/buildregress/internal/cli/clitest"
	"github.com/buildregress/buildregress/internal/command"
	"github.com/buildregress/buildregress/internal/console"
)

// A traced is a Jaeger with builds of main until noon, and what runs us beside it.
type traced struct {
	*tracetest.Jaeger
	grpc, http string // addresses
	noon       time.Time
}

func newTraced(t *testing.T, builds ...tracetest.Build) *traced {
	j := &tracetest.Jaeger{}
	server := httptest.NewServer(j)
	t.Cleanup(server.Close)
	s := &traced{j, "jaeger://" + j.ServeGRPC(t), "jaeger+" + server.URL, time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)}
	for i := range 20 {
		j.Add(tracetest.Usual(i, s.noon.Add(time.Duration(i-20)*30*time.Minute)))
	}
	j.Add(builds...)
	t.Chdir(t.TempDir())
	return s
}

// at is a build that begins at noon.
func (s *traced) at() tracetest.Build { return tracetest.Usual(1000, s.noon) }

// run runs the program 75 seconds after noon, with variables "NAME=value".
func (s *traced) run(vars []string, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	env := map[string]string{}
	for _, v := range vars {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	clock := clitest.NewClock(s.noon.Add(75 * time.Second))
	code = Run(context.Background(), Process{
		Args: args, Getenv: func(name string) string { return env[name] },
		Stdout: console.Output{Writer: &out}, Stderr: console.Output{Writer: &errs}, Clock: clock.Now, Sleep: clock.Sleep,
	})
	return code, out.String(), errs.String()
}

// A slow build in a trace store is told as such, with links, through each of its
// protocols.
func TestCheckTraces(t *testing.T) {
	s := newTraced(t)
	s.Add(s.at().Slow(1, 4).On("feature"))
	b := s.at().On("feature")
	for _, source := range []string{s.grpc, s.http} {
		code, stdout, stderr := s.run(nil, "check", source, "--run-id", "run-1000", "--ui-url", "https://jaeger.example/ui", "--format", "json")
		if code != command.ExitVerdict {
			t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
		}
		var r detect.Report
		if err := json.Unmarshal([]byte(stdout), &r); err != nil {
			t.Fatal(err)
		}
		if got := r.Results[0]; got.Baseline.Builds != 20 || got.Baseline.Source != source || got.Build.Branch != "feature" {
			t.Errorf("compared %+v with %+v", got.Build, got.Baseline)
		}
		if n := r.Results[0].Counts[detect.StatusSlower]; n != 1 {
			t.Errorf("%d steps are slower, want 1", n)
		}
		for _, step := range r.Results[0].Steps {
			if step.Status != detect.StatusSlower {
				continue
			}
			if !strings.HasSuffix(step.Name, "RUN make compile") || !strings.HasPrefix(step.Links.Trace, "https://jaeger.example/ui/trace/"+b.ID()+"?uiFind=") ||
				!strings.HasPrefix(step.Links.Compare, "https://jaeger.example/ui/trace/") || !strings.Contains(step.Links.Compare, "..."+b.ID()+"?cohort=") {
				t.Errorf("%s with %+v", step.Name, step.Links)
			}
		}
	}
	if _, stdout, _ := s.run(nil, "check", s.http, "--run-id", "run-1000"); !strings.Contains(stdout, strings.TrimPrefix(s.http, "jaeger+")+"/trace/") {
		t.Errorf("no link guessed from the address:\n%s", stdout)
	}
}

// The build of this run is found by what a CI job's environment holds.
func TestOwnBuild(t *testing.T) {
	s := newTraced(t)
	b := s.at()
	delete(b.Attributes, "cicd.pipeline.run.id")
	named := tracetest.Usual(2000, s.noon.Add(10*time.Second))
	ended := tracetest.Usual(2001, s.noon.Add(20*time.Second))
	ended.Attributes["cicd.pipeline.run.id"] = "14460881260"
	s.Add(b, named, ended)
	commit, later := b.Attributes["vcs.ref.head.revision"], named.Attributes["vcs.ref.head.revision"]
	before := ended.Attributes["vcs.ref.head.revision"]
	event := eventFile(t, `{"workflow_run":{"id":14460881260,"run_attempt":2,"head_sha":"`+before+`"}}`)
	for name, test := range map[string]struct {
		vars []string
		want string // revision
	}{
		"TRACEPARENT":              {[]string{"TRACEPARENT=00-" + b.ID() + "-00f067aa0ba902b7-01"}, commit},
		"OTEL_RESOURCE_ATTRIBUTES": {[]string{"OTEL_RESOURCE_ATTRIBUTES=a=b,cicd.pipeline.run.id=run%2D2000"}, later},
		"a run's id":               {[]string{"GITLAB_CI=true", "CI_JOB_ID=run-2000"}, later},
		"a run's id and attempt":   {[]string{"GITHUB_ACTIONS=true", "GITHUB_RUN_ID=run", "GITHUB_RUN_ATTEMPT=2000"}, later},
		"the run that has ended":   {[]string{"GITHUB_ACTIONS=true", "GITHUB_RUN_ID=7", "GITHUB_EVENT_NAME=workflow_run", "GITHUB_EVENT_PATH=" + event}, before},
		"a commit":                 {[]string{"GITHUB_ACTIONS=true", "GITHUB_RUN_ID=7", "GITHUB_SHA=" + commit}, commit},
	} {
		code, stdout, stderr := s.run(test.vars, "check", s.grpc, "--format", "json", "--record", "never")
		if code != command.ExitOK || !strings.Contains(stdout, `"revision": "`+test.want+`"`) {
			t.Errorf("%s: exit code %d, %.300s%s", name, code, stdout, stderr)
		}
	}
	// On a laptop, it is the newest.
	if code, stdout, stderr := s.run(nil, "check", s.grpc, "--record", "never"); code != command.ExitOK || !strings.Contains(stdout, "The newest build in") {
		t.Errorf("no variables: exit code %d, %s%s", code, stdout, stderr)
	}
	// Where many run, it never is.
	if code, _, stderr := s.run([]string{"GITHUB_ACTIONS=true"}, "check", s.grpc); code != command.ExitTrouble || !strings.Contains(stderr, "--trace-id, --run-id or --revision") {
		t.Errorf("CI without ids: exit code %d, %s", code, stderr)
	}
	// A run of the same number of another commit is another.
	if code, stdout, _ := s.run([]string{"JENKINS_URL=x", "BUILD_ID=1", "BUILD_TAG=run-3", "GIT_COMMIT=" + commit}, "check", s.grpc, "--format", "json"); code != command.ExitOK || !strings.Contains(stdout, commit) {
		t.Errorf("a run id of another commit was believed: exit code %d, %.300s", code, stdout)
	}
}

// A trace store without branches exits 3, and says how to set them.
func TestTracesWithoutBranch(t *testing.T) {
	s := newTraced(t)
	list := []tracetest.Build{s.at()}
	for i := range 10 {
		list = append(list, tracetest.Usual(i, s.noon.Add(-time.Duration(i+1)*time.Hour)))
	}
	for i := range list {
		delete(list[i].Attributes, "vcs.ref.head.name")
	}
	s.Set(list...)
	code, stdout, stderr := s.run(nil, "check", s.grpc, "--run-id", "run-1000", "--branch", "main")
	if code != command.ExitTrouble || stdout != "" || !strings.Contains(stderr, "hint: say it when building: OTEL_RESOURCE_ATTRIBUTES=vcs.ref.head.name=") {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
	// Asked for those of any branch, the report does not call them those of one.
	for _, flag := range []string{"--baseline-any-branch", "--tag=cicd.pipeline.name=shop"} {
		code, stdout, stderr = s.run(nil, "check", s.grpc, "--run-id", "run-1000", "--record", "never", flag)
		if code != command.ExitOK || !strings.Contains(stdout, "compared with 10 builds of any branch") || strings.Contains(stdout, "main") {
			t.Errorf("%s: exit code %d, %s%s", flag, code, stdout, stderr)
		}
	}
	// The first of them is told what comes of it.
	s.Set(list[0])
	code, stdout, stderr = s.run(nil, "check", s.grpc, "--run-id", "run-1000", "--record", "never")
	if code != command.ExitOK || strings.Count(stdout, "counts as one of main") != 1 || !strings.Contains(stdout, "later builds are not compared") {
		t.Errorf("the first: exit code %d, %s%s", code, stdout, stderr)
	}
	code, stdout, stderr = s.run(nil, "check", s.grpc, "--run-id", "run-1000", "--record", "never", "--baseline-any-branch")
	if code != command.ExitOK || strings.Contains(stdout, "main") || !strings.Contains(stdout, "8 more builds of any branch") {
		t.Errorf("the first of any branch: exit code %d, %s%s", code, stdout, stderr)
	}
}

// Builds of files are judged against a trace store, and recorded out of one.
func TestTracesMixed(t *testing.T) {
	s := newTraced(t)
	s.Add(s.at().Slow(3, 4))
	if code, stdout, stderr := s.run(nil, "record", s.http, "--run-id", "run-1000", "--store", "sqlite:h.db"); code != command.ExitOK || !strings.Contains(stdout, "1 build read, 1 new") {
		t.Fatalf("exit code %d, %s%s", code, stdout, stderr)
	}
	code, stdout, stderr := s.run(nil, "record", "--format", "builds", s.grpc, "--run-id", "run-1000")
	if code != command.ExitOK {
		t.Fatal(stderr)
	}
	if err := os.WriteFile("new.jsonl", []byte(stdout), 0o666); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr = s.run(nil, "check", "new.jsonl", "--baseline", s.grpc, "--store", "sqlite:h2.db")
	if code != command.ExitVerdict || !strings.Contains(stdout, "`RUN make test` is slower") || !strings.Contains(stdout, "from `"+s.grpc+"`") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

// Secrets reach the server, and neither a flag nor a file of the repository gives
// them, nor does anything show them.
func TestSecrets(t *testing.T) {
	s := newTraced(t)
	s.Add(s.at())
	const secret = "hunter2hunter2"
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		vars, args []string
		want       string // of the header Authorization
	}{
		{[]string{"BUILDREGRESS_TOKEN=" + secret}, []string{"--header", "X-Team: a"}, "Bearer " + secret},
		{nil, []string{"--token-file", file, "--header", "X-Team: a"}, "Bearer " + secret},
		{[]string{"BUILDREGRESS_PASSWORD=" + secret}, []string{"--user", "me", "--header=X-Team: a"}, "Basic bWU6aHVudGVyMmh1bnRlcjI="},
		{[]string{"BUILDREGRESS_HEADER=X-Team: a\nAuthorization: Key " + secret}, nil, "Key " + secret},
	} {
		args := append([]string{"check", s.http, "--run-id", "run-1000", "--record", "never", "--verbose", "--tenant", "blue"}, test.args...)
		code, stdout, stderr := s.run(test.vars, args...)
		if h := s.Header(); code != command.ExitOK || h.Get("Authorization") != test.want || h.Get("X-Tenant") != "blue" || h.Get("X-Team") != "a" {
			t.Errorf("%q: exit code %d, headers %v, %s", args, code, h, stderr)
		}
		s.Break(tracetest.Faults{Code: 401})
		_, _, more := s.run(test.vars, args...)
		s.Break(tracetest.Faults{})
		if strings.Contains(stdout+stderr+more, secret) {
			t.Errorf("%q: the secret is shown:\n%s%s%s", args, stdout, stderr, more)
		}
	}
	for _, args := range [][]string{
		{"check", "--token", secret, s.grpc},
		{"check", "--header", "Authorization: " + secret, s.grpc},
		{"check", "jaeger://me:" + secret + "@localhost"},
		{"check", "jaeger+http://localhost?token=" + secret},
		{"check", "--user", "me", s.grpc},
		{"check", "--cert-file", "x", s.grpc},
		{"check", "--tag", "team", s.grpc},
		{"check", "--trace-id", "xyz", s.grpc},
		{"check", s.grpc + "/path"},
	} {
		if code, stdout, stderr := s.run(nil, args...); code != command.ExitUsage || strings.Contains(stdout+stderr, secret) {
			t.Errorf("%q: exit code %d, %s%s", args, code, stdout, stderr)
		}
	}
	if err := os.WriteFile(".buildregress.yaml", []byte("token: "+secret+"\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := s.run(nil, "check", s.grpc); code != command.ExitUsage || strings.Contains(stderr, secret) || !strings.Contains(stderr, "BUILDREGRESS_TOKEN in the environment") {
		t.Errorf("a token in the repository: exit code %d, %s", code, stderr)
	}
}

// A server that says nothing, and one that refuses, end in time with exit code 3.
func TestTracesTrouble(t *testing.T) {
	s := newTraced(t)
	for _, source := range []string{s.grpc, s.http} {
		s.Break(tracetest.Faults{Silent: true})
		late := time.AfterFunc(20*time.Second, func() { t.Errorf("%s: it takes too long", source) })
		code, stdout, stderr := s.run(nil, "check", source, "--run-id", "7", "--timeout", "300ms")
		if code != command.ExitTrouble || stdout != "" || !strings.Contains(stderr, "hint: ") {
			t.Errorf("%s: exit code %d, %s%s", source, code, stdout, stderr)
		}
		late.Stop()
	}
	s.Break(tracetest.Faults{Code: int(codes.PermissionDenied)})
	if code, _, stderr := s.run(nil, "check", s.grpc, "--run-id", "7"); code != command.ExitTrouble || !strings.Contains(stderr, "hint: who asks may not read there") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

// What two targets of a bake share is judged in each of them by all bakes, whichever it
// stood under, out of what was kept as well. The first bake is one build.
func TestBakeInTraces(t *testing.T) {
	s := newTraced(t)
	bake := func(i int, start time.Time) tracetest.Build {
		b := tracetest.Bake(tracetest.Usual(i, start), "api", "web")
		b.Common, b.Asked = 4, b.Targets[i%2]
		return b
	}
	var list []tracetest.Build
	for i := range 10 {
		list = append(list, bake(i, s.noon.Add(time.Duration(i-10)*time.Hour)))
	}
	s.Set(append(list, bake(1000, s.noon).Slow(1, 4))...)
	for _, source := range []string{s.grpc, s.http, s.http} {
		code, stdout, stderr := s.run(nil, "check", source, "--run-id", "run-1000", "--format", "json")
		var r detect.Report
		if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != command.ExitVerdict || len(r.Results) != 2 {
			t.Fatalf("exit code %d, %d results, %v\n%s", code, len(r.Results), err, stderr)
		}
		for _, result := range r.Results {
			for _, step := range result.Steps {
				if len(step.History) != 10 {
					t.Errorf("%s: %s of %s has %d samples, want 10", source, step.Name, result.Build.Pipeline, len(step.History))
				}
			}
			if len(result.Steps) != 6 || result.Counts[detect.StatusSlower] != 1 {
				t.Errorf("%s: %d steps of %s, %v; want 6, of which one is slower", source, len(result.Steps), result.Build.Pipeline, result.Counts)
			}
		}
	}
	if code, stdout, stderr := s.run(nil, "check", s.grpc, "--run-id", "run-1000", "--build", "web", "--pipeline", "all", "--record", "never"); code != command.ExitVerdict || !strings.Contains(stdout, "Build of `all web`") || strings.Contains(stdout, "all api") {
		t.Errorf("one of them: exit code %d, %s%s", code, stdout, stderr)
	}
	if code, stdout, stderr := s.run(nil, "check", s.grpc, "--trace-id", list[0].ID(), "--record", "never"); code != command.ExitOK || !strings.Contains(stdout, "Build of `shop` on") || !strings.Contains(stdout, "judged as one build") {
		t.Errorf("the first: exit code %d, %s%s", code, stdout, stderr)
	}
}
