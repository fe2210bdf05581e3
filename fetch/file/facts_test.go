package file

import (
	"bytes"
	"encoding/json"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/buildregress/buildregress/detect/redact"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch/buildkit"
	"github.com/buildregress/buildregress/fetch/builds"
	"github.com/buildregress/buildregress/fetch/builds/buildtest"
	"github.com/google/go-cmp/cmp"
)

// stepFacts are those of the step whose name has a text in it.
func stepFacts(t *testing.T, b *timeline.Build, text string) timeline.StepFacts {
	t.Helper()
	for _, s := range b.Steps {
		if strings.Contains(s.Name, text) && s.Facts != nil {
			return *s.Facts
		}
	}
	t.Fatalf("no step %q has facts", text)
	return timeline.StepFacts{}
}

func TestFactsOfRecords(t *testing.T) {
	slow := open(t, "alpha/dockerbuild/044.dockerbuild")[0]
	if got := stepFacts(t, &slow, "knobs/integration").Reads; !cmp.Equal(got, []string{"/knobs/integration"}) {
		t.Errorf("the step reads %q", got)
	}
	if got := stepFacts(t, &slow, "COPY deps.lock").Reads; !cmp.Equal(got, []string{"/deps.lock"}) {
		t.Errorf("the step copies %q", got)
	}
	if m := slow.Machine; m == nil || math.Round(m.CPUs) != 2 || m.Memory>>30 != 23 || *m.CPUWait > 0.3 {
		t.Errorf("the machine is %+v", m)
	}
	for _, ref := range []string{"047", "048"} {
		if m := open(t, "alpha/dockerbuild/"+ref+".dockerbuild")[0].Machine; m == nil || *m.CPUWait < 0.8 {
			t.Errorf("%s: the machine is %+v, and was overloaded", ref, m)
		}
	}

	image := open(t, "beta/dockerbuild/from-image.dockerbuild")[0]
	const base = "127.0.0.1:5055/base:1 linux/amd64"
	if got := image.Facts.Sources; len(got) != 1 || got[0].Name != base || !strings.HasPrefix(got[0].Digest, "sha256:3f3e1e97") {
		t.Errorf("it is made from %+v", got)
	}
	if got := stepFacts(t, &image, "FROM ").Image; got != base {
		t.Errorf("FROM is %q", got)
	}
	if image.Facts.Exporter != "oci" || image.Facts.Frontend != "dockerfile.v0" || image.Facts.Text == "" {
		t.Errorf("it was built by %+v", image.Facts)
	}
}

// Two builds of one Dockerfile do the same, whatever was in their context.
func TestFactsAreComparable(t *testing.T) {
	a, b := open(t, "alpha/dockerbuild/030.dockerbuild")[0], open(t, "alpha/dockerbuild/044.dockerbuild")[0]
	if diff := cmp.Diff(a.Facts, b.Facts); diff != "" {
		t.Error(diff)
	}
	known := map[string]*timeline.StepFacts{}
	for _, s := range a.Steps {
		known[s.Key] = s.Facts
	}
	for _, s := range b.Steps {
		if f, ok := known[s.Key]; ok {
			if diff := cmp.Diff(f, s.Facts); diff != "" {
				t.Errorf("%s: %s", s.Key, diff)
			}
		}
	}
}

func TestFactsOfArguments(t *testing.T) {
	a, b := open(t, "beta/dockerbuild/arg-a.dockerbuild")[0], open(t, "beta/dockerbuild/arg-b.dockerbuild")[0]
	names := func(b *timeline.Build) (names []string) {
		for _, arg := range b.Facts.Args {
			names = append(names, arg.Name)
		}
		return names
	}
	if !cmp.Equal(names(&a), []string{"NPM_TOKEN", "REV"}) {
		t.Fatalf("arguments %q", names(&a))
	}
	if x, y := a.Facts.Args[1], b.Facts.Args[1]; x.Hash == "" || x.Hash == y.Hash || x.Value != "" {
		t.Errorf("REV is %+v, and then %+v", x, y)
	}
	if secret := a.Facts.Args[0]; secret.Hash != "" || secret.Value != "" {
		t.Errorf("something is kept of a token: %+v", secret)
	}
	if got := stepFacts(t, &a, "stamp").Args; !cmp.Equal(got, []string{"REV"}) {
		t.Errorf("the step has the arguments %q", got)
	}
}

// What is kept of a build is small.
func TestFactsAreSmall(t *testing.T) {
	size := func(b *timeline.Build) int {
		var with, without bytes.Buffer
		if err := builds.Encode(&with, []timeline.Build{*b}); err != nil {
			t.Fatal(err)
		}
		bare := *b
		bare.Facts, bare.Machine = nil, nil
		bare.Steps = append([]timeline.Step{}, b.Steps...)
		for i := range bare.Steps {
			bare.Steps[i].Facts, bare.Steps[i].Usage = nil, nil
		}
		if err := builds.Encode(&without, []timeline.Build{bare}); err != nil {
			t.Fatal(err)
		}
		return with.Len() - without.Len()
	}
	for _, corpus := range []string{"alpha", "beta"} {
		files, err := filepath.Glob(filepath.Join(buildtest.Recordings, corpus, "dockerbuild", "*.dockerbuild"))
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		sum := 0
		for _, file := range files {
			list := open(t, corpus+"/dockerbuild/"+filepath.Base(file))
			for i := range list {
				n := size(&list[i])
				if sum += n; n > 8<<10 {
					t.Errorf("%s: %d bytes of facts", file, n)
				}
			}
		}
		if mean := sum / len(files); mean > 2<<10 {
			t.Errorf("%s: %d bytes of facts in the mean", corpus, mean)
		}
	}

	// One of a thousand steps, each with all that a step can have.
	seconds := timeline.Seconds(1e9)
	b := timeline.Build{ID: "x", Duration: 1e12, Facts: &timeline.Facts{}}
	for range timeline.MaxArtifacts {
		b.Facts.Sources = append(b.Facts.Sources, timeline.Artifact{Name: strings.Repeat("n", timeline.MaxFact), Digest: strings.Repeat("d", timeline.MaxDigest)})
	}
	for range 1000 {
		b.Steps = append(b.Steps, timeline.Step{
			Key: "k", Name: "RUN x", Duration: 1e9, Facts: &timeline.StepFacts{Op: "0123456789ab", Reads: []string{strings.Repeat("/r", 60)}},
			Usage: &timeline.Usage{
				CPU: &seconds, CPUWait: &seconds, IOWait: &seconds, MemoryWait: &seconds, Throttled: &seconds, MemoryPeak: 1e12, Read: 1e12, Written: 1e12, Swap: 1e12,
				OOMKills: 9, Retries: 9, Limited: 9, Layers: 99, Versions: []string{strings.Repeat("v", timeline.MaxVersion)},
				Gaps: []timeline.Gap{{Before: strings.Repeat("b", timeline.MaxLine), After: strings.Repeat("a", timeline.MaxLine), Seconds: seconds}},
			},
		})
	}
	b.BoundFacts()
	if n := size(&b); n > 8<<10 {
		t.Errorf("a large build has %d bytes of facts", n)
	}
	if b.Steps[0].Facts == nil {
		t.Error("nothing is left of them")
	}
}

// A newer builder writes the same in another shape.
func TestFactsOfSLSA1(t *testing.T) {
	for _, path := range []string{"alpha/dockerbuild/044.dockerbuild", "beta/dockerbuild/from-image.dockerbuild"} {
		old := layerOf(t, path, typeInToto)
		var from map[string]any
		if err := json.Unmarshal(old, &from); err != nil {
			t.Fatal(err)
		}
		invocation, metadata := from["invocation"].(map[string]any), from["metadata"].(map[string]any)
		newer, err := json.Marshal(map[string]any{
			"buildDefinition": map[string]any{
				"externalParameters":   map[string]any{"request": invocation["parameters"], "configSource": map[string]any{}},
				"internalParameters":   map[string]any{"buildConfig": from["buildConfig"], "builderPlatform": "linux/amd64"},
				"resolvedDependencies": from["materials"],
			},
			"runDetails": map[string]any{"metadata": map[string]any{"buildkit_metadata": metadata["https://mobyproject.org/buildkit@v1#metadata"]}},
		})
		if err != nil {
			t.Fatal(err)
		}
		var a, b buildkit.Metadata
		for blob, meta := range map[*[]byte]*buildkit.Metadata{&old: &a, &newer: &b} {
			if err := readProvenance(*blob, &historyRecord{}, meta); err != nil {
				t.Fatal(err)
			}
		}
		if len(a.StepFacts) == 0 || a.Machine == nil {
			t.Errorf("%s has no facts: %+v", path, a)
		}
		if diff := cmp.Diff(a, b, cmp.AllowUnexported(redact.Arguments{})); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
}

// What a step used is the last of its samples. The numbers are those of a builder on
// cgroup v2.
func TestUsage(t *testing.T) {
	blob := []byte(`{"buildConfig":{"digestMapping":{"sha256:a":"step1"},"llbDefinition":[{"id":"step1","op":{"Op":{"exec":{"meta":{"args":["/bin/sh","-c","make"]}}}},
		"resourceUsage":{"samples":[
			{"timestamp":"2026-01-02T03:04:05Z","cpuStat":{"usageNanos":500000000}},
			{"timestamp":"2026-01-02T03:04:15Z","cpuStat":{"usageNanos":1170000000,"throttledNanos":2000000000,"pressure":{"some":{"total":4920000}}},
			 "memoryStat":{"peak":4485120,"oomKillEvents":1,"pressure":{"some":{"total":10}}},"ioStat":{"writeBytes":5,"pressure":{"some":{"total":2550000}}}}]}}]}}`)
	var meta buildkit.Metadata
	if err := readProvenance(blob, &historyRecord{}, &meta); err != nil {
		t.Fatal(err)
	}
	u := meta.Usages["sha256:a"]
	if u == nil || u.CPU.String() != "1.17 s" || u.CPUWait.String() != "4.92 s" || u.IOWait.String() != "2.55 s" || u.Throttled.String() != "2 s" ||
		u.MemoryPeak != 4485120 || u.OOMKills != 1 || u.Written != 5 {
		t.Errorf("it used %+v", u)
	}
}

// What is written of a result are the layers of what ran: of an image that it is made
// from, and of what was found in the cache, nothing.
func TestBytesOfExports(t *testing.T) {
	for _, test := range []struct {
		path  string
		stage string
		want  int64
	}{
		{"beta/dockerbuild/push.dockerbuild", "push", 32010084},
		{"beta/dockerbuild/push.dockerbuild", "export", 32010084},
		{"beta/dockerbuild/from-image.dockerbuild", "export", 288},
		{"beta/dockerbuild/warm-same.dockerbuild", "export", 0},
	} {
		found := false
		for _, s := range open(t, test.path)[0].Steps {
			if s.Stage == test.stage {
				found = true
				if s.Bytes != test.want {
					t.Errorf("%s: %s wrote %d bytes, want %d", test.path, s.Name, s.Bytes, test.want)
				}
			}
		}
		if !found {
			t.Errorf("%s has no %s", test.path, test.stage)
		}
	}
}
