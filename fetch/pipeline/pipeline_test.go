package pipeline_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/buildkit"
	"github.com/buildregress/buildregress/fetch/builds/buildtest"
	"github.com/buildregress/buildregress/fetch/pipeline"
	"github.com/buildregress/buildregress/fetch/spans"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden builds")

// sample reads one of the traces that were written after what each emitter sends.
func sample(tb testing.TB, name string) []buildkit.Span {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		tb.Fatal(err)
	}
	list, err := spans.Decoder{}.OTLPJSON(tb.Context(), data)
	if err != nil {
		tb.Fatal(err)
	}
	return list
}

// TestSamples compares what is read of a sample with what was: the run, its steps, what each
// waited for.
func TestSamples(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatal(err, len(paths))
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		t.Run(name, func(t *testing.T) {
			got := described(t, sample(t, name), pipeline.Options{})
			golden := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func described(t *testing.T, list []buildkit.Span, o pipeline.Options) string {
	reader := pipeline.Reader{Options: o}
	found, warnings := reader.Builds(list)
	var out bytes.Buffer
	for i := range found {
		b := &found[i]
		if err := buildtest.Check(b); err != nil {
			t.Error(err)
		}
		fmt.Fprintf(&out, "%s: %s %s; resolution %s\n", b.Pipeline, b.Outcome, b.Duration, b.Resolution)
		if b.Error != "" {
			fmt.Fprintf(&out, "error: %s\n", b.Error)
		}
		fmt.Fprintf(&out, "%+v\n", b.Origin)
		for k := range b.Steps {
			s := &b.Steps[k]
			fmt.Fprintf(&out, "%3s %s: %s %s", s.ID, s.Key, s.State, s.Duration)
			switch s.Stage {
			case timeline.StageQueue, timeline.StageSetup:
				fmt.Fprintf(&out, " (%s)", s.Stage)
			}
			if len(s.Inputs) > 0 {
				fmt.Fprintf(&out, " <- %s", strings.Join(s.Inputs, " "))
			}
			fmt.Fprintln(&out)
		}
	}
	for _, w := range warnings {
		fmt.Fprintf(&out, "warning: %v\n", w)
	}
	if len(found) == 0 {
		err := pipeline.NoBuild(list)
		if !errors.Is(err, fetch.ErrNoBuilds) || err.Hint() == "" {
			t.Errorf("%v, hint %q", err, err.Hint())
		}
		fmt.Fprintf(&out, "no build: %v\nhint: %s\n", err, err.Hint())
	}
	return out.String()
}

// One trace in any order, each span twice, is the same build.
func TestOrderAndCopies(t *testing.T) {
	for _, name := range []string{"github-receiver", "jenkins", "circleci", "buildkite", "gitlab-receiver"} {
		list := sample(t, name)
		want := described(t, list, pipeline.Options{})
		twice := slices.Concat(list, list)
		if got := described(t, twice, pipeline.Options{}); got != want {
			t.Errorf("%s, each span twice: %s", name, cmp.Diff(want, got))
		}
	}
}

// Only who asks for it gets a trace that nothing is known of as a run, and never that of
// BuildKit, or one that is refused.
func TestAny(t *testing.T) {
	reader := pipeline.Reader{Options: pipeline.Options{Any: true}}
	list, _ := reader.Builds(sample(t, "script"))
	if len(list) != 1 || list[0].Pipeline != "nightly" {
		t.Fatalf("%+v", list)
	}
	var keys []string
	for _, s := range list[0].Steps {
		keys = append(keys, s.Key)
	}
	// The level that is most of the run is opened, and what is called often is one.
	want := []string{"[build all] fetch part (all)", "[build all] before the first step", "[build all] compile", "[upload] upload"}
	if slices.Sort(want); !slices.Equal(slices.Sorted(slices.Values(keys)), slices.DeleteFunc(want, func(k string) bool { return strings.Contains(k, "before") })) {
		t.Errorf("steps %q", keys)
	}
	if list, _ := reader.Builds(sample(t, "argo")); len(list) > 0 {
		t.Errorf("Argo: %+v", list)
	}
}

func TestJobs(t *testing.T) {
	reader := pipeline.Reader{Options: pipeline.Options{Jobs: "test (3.1?)"}}
	list, _ := reader.Builds(sample(t, "github-receiver"))
	if len(list) != 1 || list[0].Pipeline != "build and test / test (3.1?)" || list[0].Duration != 65*time.Second {
		t.Fatalf("%+v", list)
	}
	for _, s := range list[0].Steps {
		if !strings.HasPrefix(s.Key, "[test (3.1") {
			t.Errorf("step %s", s.Key)
		}
	}
}

// A build below a job is one of its own, which says what the run says of itself.
func TestNested(t *testing.T) {
	list := sample(t, "github-receiver")
	inner, err := spans.Decoder{}.OTLPJSON(t.Context(), buildtest.Recording(t, "alpha/otlp/044.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	job, start := "", time.Time{}
	for _, s := range list {
		if s.Name == "test (3.12)" {
			job, start = s.ID, s.Start
		}
	}
	ids := map[string]bool{}
	for _, s := range inner {
		ids[s.ID] = true
	}
	shift := start.Add(20 * time.Second).Sub(inner[0].Start)
	for _, s := range inner {
		if s.Trace = list[0].Trace; !ids[s.Parent] {
			s.Parent = job
		}
		s.Start, s.End, s.Resource = s.Start.Add(shift), s.End.Add(shift), nil
		list = append(list, s)
	}
	found, _ := new(pipeline.Reader).Builds(list)
	if len(found) != 2 {
		t.Fatalf("%d builds", len(found))
	}
	run, nested := found[0], found[1]
	if nested.Pipeline != "build and test / test (3.12)" || nested.Branch != run.Branch || nested.Revision != run.Revision || nested.Repository != run.Repository {
		t.Errorf("nested: %q, %+v; run %+v", nested.Pipeline, nested.Origin, run.Origin)
	}
	// It hangs below the job, and ran while that step did.
	if w := nested.Within; w == nil || w.Build != run.ID || w.Step != "[test (3.12)] Run tests" || run.Within != nil {
		t.Errorf("the build was made within %+v of %s", nested.Within, run.ID)
	}
	for _, s := range run.Steps {
		if strings.Contains(s.Key, "RUN ") || strings.Contains(s.Key, "export") {
			t.Errorf("step %s of the run", s.Key)
		}
	}
}

// No trace of BuildKit's gives the run of a pipeline.
func TestBuildKitIsNoPipeline(t *testing.T) {
	for _, path := range []string{"alpha/otlp/044.json.gz", "alpha/otlp/049.json.gz", "beta/otlp/bake-two.json.gz", "beta/otlp/push.json.gz"} {
		list, err := spans.Decoder{}.OTLPJSON(t.Context(), buildtest.Recording(t, path))
		if err != nil {
			t.Fatal(err)
		}
		want, _ := buildkit.Builds(list)
		got, _ := new(pipeline.Reader).Builds(list)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
}

func FuzzBuilds(f *testing.F) {
	paths, _ := filepath.Glob("testdata/*.json")
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, true, "")
		f.Add(data, false, "test*")
	}
	f.Fuzz(func(t *testing.T, data []byte, all bool, jobs string) {
		list, _ := spans.Decoder{}.OTLPJSON(t.Context(), data)
		reader := pipeline.Reader{Options: pipeline.Options{Any: all, Jobs: jobs}}
		found, _ := reader.Builds(list)
		for i := range found {
			if err := buildtest.Check(&found[i]); err != nil {
				t.Error(err)
			}
		}
		if len(found) == 0 && len(list) > 0 {
			_ = pipeline.NoBuild(list).Error()
		}
	})
}

func BenchmarkBuilds(b *testing.B) {
	list := large(10_000)
	for b.Loop() {
		if found, _ := new(pipeline.Reader).Builds(list); len(found) != 1 {
			b.Fatal(len(found))
		}
	}
}

// large is the trace of a run with so many spans, ten a job.
func large(n int) (list []buildkit.Span) {
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	add := func(id int, parent, name string, own map[string]string, from, took int) string {
		s := buildkit.Span{
			Trace: strings.Repeat("ab", 16), ID: fmt.Sprintf("%016x", id+1), Parent: parent, Name: name, Service: "ci",
			Start: start.Add(time.Duration(from) * time.Second), End: start.Add(time.Duration(from+took) * time.Second),
		}
		for key, value := range own {
			s.Keep(key, value)
		}
		list = append(list, s)
		return s.ID
	}
	root := add(0, "", "RUN all", map[string]string{"cicd.pipeline.name": "all", "cicd.pipeline.result": "success"}, 0, n)
	job := ""
	for i := 1; i < n; i++ {
		own := map[string]string{"cicd.pipeline.task.name": "x", "cicd.pipeline.task.run.result": "success"}
		if i%10 == 1 {
			job = add(i, root, fmt.Sprintf("job %d", i), own, i, 10)
			continue
		}
		add(i, job, fmt.Sprintf("step %d", i%10), own, i, 1)
	}
	return list
}
