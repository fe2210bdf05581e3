package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sharedBakeFile has two targets that share a stage, and each a step of its own.
const sharedBakeFile = `{
	"group": {"default": {"targets": ["api", "worker"]}},
	"target": {
		"api": {"target": "api", "output": ["type=cacheonly"]},
		"worker": {"target": "worker", "output": ["type=cacheonly"]}
	}
}`

const sharedDockerfile = `
FROM base AS lib
COPY src /src
RUN sleep 0.2 && cat /src/main >/lib
FROM base AS api
COPY --from=lib /lib /lib
RUN sleep 0.1 && echo api
FROM base AS worker
COPY --from=lib /lib /lib
RUN sleep 0.1 && echo worker
`

// testBakeTraces bakes as often as a history wants, and once more: what the targets share
// stands under either of them in a trace, and is judged by all bakes in both.
func (s *stack) testBakeTraces(t *testing.T) {
	const bakes, pipeline = 9, "shop/bake"
	dir := s.folder(t, plan{name: "bake", dockerfile: sharedDockerfile}, "bake-traces")
	context := filepath.Join(dir, "context")
	write(t, filepath.Join(context, "bake.json"), sharedBakeFile)
	var first, newest string // traces
	for i := range bakes {
		newest = random(16)
		if i == 0 {
			first = newest
		}
		write(t, filepath.Join(context, "src", "main"), newest)
		env := []string{
			"BUILDX_BUILDER=" + s.builder,
			"OTEL_EXPORTER_OTLP_ENDPOINT=" + s.otlp,
			fmt.Sprintf("TRACEPARENT=00-%s-%s-01", newest, random(8)),
			"OTEL_RESOURCE_ATTRIBUTES=cicd.pipeline.name=" + pipeline + ",vcs.ref.head.name=main,vcs.ref.head.revision=" + random(20),
		}
		progress := []string{"--progress", "rawjson"}
		_, stderr, err := s.try(s.ctx, context, env, slices.Concat(s.buildx, []string{"bake", "--file", "bake.json"}, progress)...)
		if err != nil {
			t.Fatalf("bake: %v\n%s", err, stderr)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.jsonl", i)), []byte(stderr), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	shared := []string{"[lib] COPY src /src", "[lib] RUN sleep <version> && cat /src/main >/lib"}
	for _, place := range []string{"jaeger://" + s.grpc, "jaeger+http://" + s.http} {
		r := s.checkBake(t, "--record", "never", place, "--trace-id", newest)
		for _, result := range r.Results {
			if got := result.Baseline.Builds; got != bakes-1 {
				t.Errorf("%s: %d builds to compare with, want %d", place, got, bakes-1)
			}
			for _, key := range shared {
				n := slices.IndexFunc(result.Steps, func(s step) bool { return s.Key == key })
				if n < 0 || len(result.Steps[n].History) != bakes-1 {
					t.Errorf("%s: of %q there are not %d samples in each target: %+v", place, key, bakes-1, result.Steps)
				}
			}
		}
		if len(r.Results) != 2 {
			t.Errorf("%s: %d results, want those of two targets: %v", place, len(r.Results), r.Notes)
		}
		r = s.checkBake(t, "--record", "never", place, "--trace-id", first)
		if len(r.Results) != 1 || !slices.ContainsFunc(r.Notes, func(n note) bool { return n.Kind == "bake-as-one" }) {
			t.Errorf("%s: the first bake: %d results, want one, and why: %v", place, len(r.Results), r.Notes)
		}
	}
	// The log of the client tells who needs what, as records do.
	r := s.checkBake(t, filepath.Join(dir, "0.jsonl"), s.storeFlag("bake-log"), "--record", "never")
	for _, result := range r.Results {
		for _, key := range shared {
			if !slices.ContainsFunc(result.Steps, func(s step) bool { return s.Key == key }) {
				t.Errorf("the log: a target lacks %q: %+v", key, result.Steps)
			}
		}
	}
	if len(r.Results) != 2 {
		t.Errorf("the log: %d results, want those of two targets", len(r.Results))
	}
}

// checkBake checks with what is given.
func (s *stack) checkBake(t *testing.T, args ...string) bakeReport {
	t.Helper()
	command := append([]string{s.binary, "check", "--format", "json", "--min-delta", minDelta}, args...)
	if !slices.ContainsFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "--store") }) {
		command = append(command, s.storeFlag("bake-traces"))
	}
	stdout, stderr, err := s.try(s.ctx, s.dir, nil, command...)
	return decodeBake(t, stdout, stderr, err)
}

// A bakeReport is what is looked at of a report on a bake.
type bakeReport struct {
	Notes   []note
	Results []struct {
		Baseline struct{ Builds int }
		Steps    []step
	}
}

type step struct {
	Key     string
	History []struct{}
}

func decodeBake(t *testing.T, stdout, stderr string, err error) (r bakeReport) {
	t.Helper()
	if decoded := json.Unmarshal([]byte(stdout), &r); decoded != nil || err != nil {
		t.Fatalf("%v, %v\n%s", err, decoded, stderr)
	}
	return r
}
