package file

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch/builds"
	"github.com/google/go-cmp/cmp"
)

func TestOutcomes(t *testing.T) {
	for _, tt := range []struct {
		path    string
		outcome timeline.Outcome
		err     string // in the build's error
		failed  string // key of the step at which it failed
		log     string // among the last lines
	}{
		{"alpha/dockerbuild/049.dockerbuild", timeline.Failed, "exit code: 1", "[build] RUN --mount=type=bind,source=knobs/unit,target=/knobs/unit false", ""},
		{"beta/dockerbuild/failed.dockerbuild", timeline.Failed, "exit code: 1", "[build] RUN sh work.sh test 3 --fail", "test: --- FAIL: TestRoundTrip (0.02s)"},
		{"beta/rawjson/failed.jsonl.gz", timeline.Failed, "exit code: 1", "[build] RUN sh work.sh test 3 --fail", "test: --- FAIL: TestRoundTrip (0.02s)"},
		{"beta/otlp/failed.json.gz", timeline.Failed, "exit code: 1", "[build] RUN sh work.sh test 3 --fail", ""},
		{"beta/dockerbuild/dockerfile-error.dockerbuild", timeline.Failed, "unknown instruction: RUNN", "", ""},
		{"beta/rawjson/dockerfile-error.jsonl.gz", timeline.Failed, "unknown instruction: RUNN", "", ""},
		{"beta/jaeger/dockerfile-error.json.gz", timeline.Failed, "unknown instruction: RUNN", "", ""},
		{"beta/rawjson/cancelled.jsonl.gz", timeline.Cancelled, "context canceled", `[build] RUN for i in 1 2 3 4 5 6 7 8 9 10; do echo "soak $i of 10"; sleep 1; done`, "soak 3 of 10"},
		{"beta/otlp/cancelled.json.gz", timeline.Cancelled, "context canceled", `[build] RUN for i in 1 2 3 4 5 6 7 8 9 10; do echo "soak $i of 10"; sleep 1; done`, ""},
		{"beta/rawjson/killed.jsonl.gz", timeline.Cancelled, "breaks off: it was cut, or the builder was killed; it was at [build 3/3] RUN for i in", `[build] RUN for i in 1 2 3 4 5 6 7 8 9 10; do echo "soak $i of 10"; sleep 1; done`, "soak 3 of 10"},
		{"beta/dockerbuild/killed.dockerbuild", timeline.Cancelled, "context canceled", `[build] RUN for i in 1 2 3 4 5 6 7 8 9 10; do echo "soak $i of 10"; sleep 1; done`, "soak 3 of 10"},
		// A cache that is not there yet fails no build, though its vertex fails.
		{"beta/dockerbuild/cache-first-miss.dockerbuild", timeline.OK, "", "[cache import] importing cache manifest", ""},
		{"beta/rawjson/cache-first-miss.jsonl.gz", timeline.OK, "", "[cache import] importing cache manifest", ""},
	} {
		t.Run(tt.path, func(t *testing.T) {
			b := open(t, tt.path)[0]
			if b.Outcome != tt.outcome || !strings.Contains(b.Error, tt.err) || (b.Error == "") != (tt.outcome == timeline.OK) {
				t.Errorf("outcome %v, error %q, want %v, %q", b.Outcome, b.Error, tt.outcome, tt.err)
			}
			var failed []string
			for _, s := range b.Steps {
				if s.State.HasNoResult() {
					if stopped := s.State == timeline.Interrupted; stopped != (tt.outcome == timeline.Cancelled) {
						t.Errorf("%s of a build that %v: error %q", s.Key, tt.outcome, s.Error)
					}
					failed = append(failed, s.Key)
				}
			}
			if got := strings.Join(failed, "\n"); got != tt.failed {
				t.Errorf("failed at %q, want %q", got, tt.failed)
			}
			if tt.log != "" && !slices.Contains(b.Log, tt.log) {
				t.Errorf("log %q, want %q in it", b.Log, tt.log)
			}
		})
	}
}

func TestPhases(t *testing.T) {
	type phase struct {
		name string
		took time.Duration // to the hundredth of a second
	}
	for _, tt := range []struct {
		build string
		want  map[string]phase // by key
	}{
		{"push", map[string]phase{
			"[export] exporting to image":   {"exporting to image", 710 * time.Millisecond},
			"[push] pushing to registry":    {"pushing 127.0.0.1:5055/app", 170 * time.Millisecond},
			"[internal] load build context": {"[internal] load build context", 10 * time.Millisecond},
		}},
		{"cache-hit", map[string]phase{
			"[export] exporting to oci image format":     {"exporting to oci image format", 80 * time.Millisecond},
			"[cache export] exporting cache to registry": {"exporting cache to registry", 110 * time.Millisecond},
		}},
	} {
		for _, path := range []string{"dockerbuild/" + tt.build + ".dockerbuild", "rawjson/" + tt.build + ".jsonl.gz", "otlp/" + tt.build + ".json.gz", "jaeger/" + tt.build + ".json.gz"} {
			t.Run(path, func(t *testing.T) {
				got := map[string]phase{}
				for _, s := range open(t, "beta/"+path)[0].Steps {
					if _, ok := tt.want[s.Key]; ok {
						got[s.Key] = phase{s.Name, s.Duration.Round(10 * time.Millisecond)}
					}
				}
				if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(phase{})); diff != "" {
					t.Errorf("phases (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// keys are those of the steps of Dockerfile lines, in order.
func keys(b *timeline.Build) []string {
	var list []string
	for _, s := range b.Steps {
		if s.Count > 0 {
			list = append(list, s.Key)
		}
	}
	slices.Sort(list)
	return list
}

// TestKeysLast checks that what changes between builds is not part of a key.
func TestKeysLast(t *testing.T) {
	for _, tt := range []struct{ name, before, after string }{
		{"argument", "dockerbuild/arg-a.dockerbuild", "dockerbuild/arg-b.dockerbuild"},
		{"argument that looks like a hash", "rawjson/arg-a.jsonl.gz", "rawjson/arg-b.jsonl.gz"},
		{"source", "rawjson/base-1.jsonl.gz", "rawjson/base-4.jsonl.gz"},
		{"platforms", "dockerbuild/multi-platform.dockerbuild", "dockerbuild/multi-platform-warm.dockerbuild"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := open(t, "beta/"+tt.before)[0], open(t, "beta/"+tt.after)[0]
			if diff := cmp.Diff(keys(&a), keys(&b)); diff != "" {
				t.Errorf("keys (-%s +%s):\n%s", tt.before, tt.after, diff)
			}
		})
	}
}

func TestStageAdded(t *testing.T) {
	for _, format := range []string{"dockerbuild/%.dockerbuild", "rawjson/%.jsonl.gz", "otlp/%.json.gz"} {
		before := open(t, "beta/"+strings.Replace(format, "%", "stage-added-before", 1))[0]
		after := open(t, "beta/"+strings.Replace(format, "%", "stage-added-after", 1))[0]
		have := keys(&after)
		for _, key := range keys(&before) {
			if !slices.Contains(have, key) {
				t.Errorf("%s: %q is gone, there are %q", format, key, have)
			}
		}
	}
}

func TestCredentialsAreRedacted(t *testing.T) {
	for _, path := range []string{"dockerbuild/arg-a.dockerbuild", "rawjson/arg-a.jsonl.gz", "otlp/arg-a.json.gz", "jaeger/arg-a.json.gz"} {
		b := open(t, "beta/"+path)[0]
		found := false
		for _, s := range b.Steps {
			found = found || s.Name == `[build 4/5] RUN echo "*****" > /dev/null`
		}
		if !found {
			t.Errorf("%s: no redacted step", path)
		}
		var all bytes.Buffer
		if err := builds.Encode(&all, []timeline.Build{b}); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(all.String(), "npm_") {
			t.Errorf("%s: there is a token left: %s", path, all.String())
		}
	}
}

func TestBake(t *testing.T) {
	for path, want := range map[string][]string{
		"rawjson/bake-two.jsonl.gz":                {"api ok", "worker ok"},
		"otlp/bake-two.json.gz":                    {"beta api ok", "beta worker ok"},
		"jaeger/bake-two-warm.json.gz":             {"beta api ok", "beta worker ok"},
		"dockerbuild/bake-two-both.dockerbuild":    {"beta api ok", "beta worker ok"},
		"dockerbuild/bake-two-api.dockerbuild":     {"beta api ok"},
		"rawjson/bake-failed.jsonl.gz":             {"api cancelled", "broken failed"},
		"otlp/bake-failed.json.gz":                 {"beta api cancelled", "beta broken failed"},
		"dockerbuild/bake-failed-both.dockerbuild": {"beta api cancelled", "beta broken failed"},
	} {
		t.Run(path, func(t *testing.T) {
			var got []string
			for _, b := range open(t, "beta/"+path) {
				got = append(got, b.Pipeline+" "+b.Outcome.String())
				for _, s := range b.Steps {
					if s.Stage == "api" || strings.HasPrefix(s.Stage, "api ") {
						t.Errorf("the target is part of stage %q", s.Stage)
					}
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("targets (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSourcePositions(t *testing.T) {
	b := open(t, "alpha/dockerbuild/000.dockerbuild")[0]
	want := map[string]int{
		"[base] ADD rootfs.tar /": 2, "[deps] COPY tools /tools": 6, "[deps] COPY deps.lock /deps.lock": 7,
		"[build] COPY --from=deps /deps.ok /deps.ok": 12, "[build] COPY src /src": 13, "[-] COPY --from=build /app /app": 19,
	}
	got := map[string]int{}
	lines := 0
	for _, s := range b.Steps {
		if s.Source.Line > 0 && s.Stage != timeline.StageWait { // which has that of what waited
			lines++
		}
		if _, ok := want[s.Key]; ok {
			got[s.Key] = s.Source.Line
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || lines != 12 {
		t.Errorf("%d steps have lines, want 12; (-want +got):\n%s", lines, diff)
	}
	failed := open(t, "beta/dockerbuild/failed.dockerbuild")[0]
	for _, s := range failed.Steps {
		if s.State == timeline.StepFailed && (s.Source.File != "Dockerfile" || s.Source.Line != 18) {
			t.Errorf("failed at %v, want line 18", s.Source)
		}
	}
}
