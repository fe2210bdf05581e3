package file

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch/builds/buildtest"
	"github.com/google/go-cmp/cmp"
)

// opened are the recordings that were read, by path: many tests look at the same.
var opened = map[string][]timeline.Build{}

// open reads a recording, in which nothing may be wrong.
func open(t *testing.T, path string) []timeline.Build {
	t.Helper()
	if list, ok := opened[path]; ok {
		return slices.Clone(list)
	}
	list, warnings, err := Open(t.Context(), filepath.Join(buildtest.Recordings, path), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range warnings {
		t.Errorf("%s: warning: %v", path, w)
	}
	for i := range list {
		if err := buildtest.Check(&list[i]); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	opened[path] = list
	return slices.Clone(list)
}

// names lists the recordings of a set, as they are called in every format.
func names(t *testing.T, set string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(buildtest.Recordings, set, "otlp"))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, strings.TrimSuffix(e.Name(), ".json.gz"))
	}
	return list
}

// TestFormatsAgree reads each recorded build in its four formats.
func TestFormatsAgree(t *testing.T) {
	for _, set := range []string{"alpha", "beta"} {
		for _, name := range names(t, set) {
			t.Run(set+"/"+name, func(t *testing.T) {
				otlp := open(t, set+"/otlp/"+name+".json.gz")
				jaeger := open(t, set+"/jaeger/"+name+".json.gz")
				progress := open(t, set+"/rawjson/"+name+".jsonl.gz")
				record := openRecords(t, set, name)
				for format, builds := range map[string][]timeline.Build{"jaeger": jaeger, "progress": progress, "record": record} {
					if len(builds) != len(otlp) {
						t.Fatalf("%s has %d builds, otlp has %d", format, len(builds), len(otlp))
					}
				}
				shared := len(otlp) > 1
				for _, o := range otlp {
					sameTraces(t, &o, match(t, &o, jaeger))
					sameSteps(t, &o, match(t, &o, record), shared)
					sameSteps(t, &o, match(t, &o, progress), shared)
					sameOrigin(t, &o, match(t, &o, record), match(t, &o, progress), shared)
				}
			})
		}
	}
}

// openRecords reads a record; bakes have one with all their targets' records.
func openRecords(t *testing.T, set, name string) []timeline.Build {
	t.Helper()
	path := set + "/dockerbuild/" + name + ".dockerbuild"
	if _, err := os.Stat(filepath.Join(buildtest.Recordings, path)); err != nil {
		path = set + "/dockerbuild/" + name + "-both.dockerbuild"
	}
	return open(t, path)
}

// match finds the recording of b among builds: that of the same target.
func match(t *testing.T, b *timeline.Build, builds []timeline.Build) *timeline.Build {
	t.Helper()
	if len(builds) == 1 {
		return &builds[0]
	}
	target := b.Pipeline[strings.LastIndexByte(b.Pipeline, ' ')+1:]
	for i := range builds {
		if strings.HasSuffix(builds[i].Pipeline, target) {
			return &builds[i]
		}
	}
	t.Fatalf("no recording of target %s", target)
	return nil
}

// sameTraces checks that two trace formats differ by rounding only.
func sameTraces(t *testing.T, a, b *timeline.Build) {
	t.Helper()
	near := cmp.Comparer(func(x, y time.Duration) bool { return (x - y).Abs() < time.Millisecond })
	nearTime := cmp.Comparer(func(x, y time.Time) bool { return x.Sub(y).Abs() < time.Millisecond })
	if diff := cmp.Diff(a, b, near, nearTime); diff != "" {
		t.Errorf("otlp and jaeger differ (-otlp +jaeger):\n%s", diff)
	}
}

// sameSteps checks a trace against a format that lists all vertices. Where
// targets share vertices, each source shows these under a target of its choice.
func sameSteps(t *testing.T, trace, all *timeline.Build, shared bool) {
	t.Helper()
	byID := map[string]*timeline.Step{}
	for i := range all.Steps {
		byID[all.Steps[i].ID] = &all.Steps[i]
	}
	seen := map[string]bool{}
	for i := range trace.Steps {
		a := &trace.Steps[i]
		b := byID[a.ID]
		if b == nil {
			// Where a tag is resolved, a trace has a span of another name and no digest.
			if !shared && !strings.Contains(a.Name, "load metadata for") {
				t.Errorf("%s is in the trace only", a.Name)
			}
			continue
		}
		seen[a.ID] = true
		if a.State != b.State {
			t.Errorf("%s: %v in the trace, %v in the status", a.Name, a.State, b.State)
		}
		if a.Name != b.Name || a.Stage != b.Stage || a.Index != b.Index || a.Count != b.Count {
			t.Errorf("%q is called %q in the status", a.Name, b.Name)
		}
		if a.Key != b.Key && !strings.Contains(b.Key, "$") {
			t.Errorf("%s has key %q in the status", a.Key, b.Key)
		}
		if d := (a.Duration - b.Duration).Abs(); d > 5*time.Millisecond && !pulls(b) && b.State != timeline.Interrupted {
			t.Errorf("%s: %v in the trace, %v in the status", a.Name, a.Duration, b.Duration)
		}
	}
	for id, b := range byID {
		if seen[id] || b.State == timeline.Cached || b.State == timeline.NeverStarted {
			continue
		}
		if !shared && !withoutSpan(b) {
			t.Errorf("%s is %v and not in the trace", b.Name, b.State)
		}
	}
}

// sameTargets checks that a log tells of the same steps as the record; of a bake each once,
// whoever else needs them.
func sameTargets(t *testing.T, record, progress *timeline.Build, shared bool) {
	t.Helper()
	all := func(b *timeline.Build) (list []string) {
		for i := range b.Steps {
			if s := &b.Steps[i]; s.Count > 0 {
				list = append(list, s.State.String()+" "+s.Name)
			}
		}
		slices.Sort(list)
		return list
	}
	if diff := cmp.Diff(all(record), all(progress)); diff != "" {
		t.Errorf("record and log differ (-record +log):\n%s", diff)
	}
	if list := all(record); shared && len(slices.Compact(slices.Clone(list))) != len(list) {
		t.Errorf("a step is told twice: %q", list)
	}
}

// pulls tells whether a step fetched layers, or linked one in place of another: the status
// counts all of that, and its spans less.
func pulls(s *timeline.Step) bool {
	return s.Bytes > 0 && s.Stage != "internal" && s.Stage != "export" || strings.Contains(s.Name, "LINK ")
}

// withoutSpan tells of phases that no trace shows.
func withoutSpan(s *timeline.Step) bool {
	return s.Stage == "cache import" || s.Stage == "auth" || strings.Contains(s.Name, "load metadata for")
}

// sameOrigin checks what else the recordings say, and that they count as one.
func sameOrigin(t *testing.T, trace, record, progress *timeline.Build, shared bool) {
	t.Helper()
	if trace.Outcome != record.Outcome || progress.Outcome != record.Outcome {
		t.Errorf("trace is %v, progress %v, record %v", trace.Outcome, progress.Outcome, record.Outcome)
	}
	if trace.Trace != record.Trace {
		t.Errorf("trace id %s, in the record %s", trace.Trace, record.Trace)
	}
	if trace.Pipeline != "" && trace.Pipeline != record.Pipeline || trace.Revision != "" && trace.Revision != record.Revision || trace.Branch != record.Branch {
		t.Errorf("trace is of %q %s %s, record of %q %s %s",
			trace.Pipeline, trace.Revision, trace.Branch, record.Pipeline, record.Revision, record.Branch)
	}
	for format, b := range map[string]*timeline.Build{"trace": trace, "progress": progress} {
		// The daemon is told to stop a killed build later than its client ended.
		if d := (b.Duration - record.Duration).Abs(); d > 30*time.Millisecond && record.Outcome == timeline.OK {
			t.Errorf("%s lasted %v, the record says %v", format, b.Duration, record.Duration)
		}
		if shared := shared && b == trace; !shared && b.Content != record.Content {
			t.Errorf("content of the %s is %s, of the record %s", format, b.Content, record.Content)
		}
		if !timeline.SameBuild(b, record) {
			t.Errorf("%s and record are two builds", format)
		}
	}
	sameTargets(t, record, progress, shared)
	if trace.Partial != true || record.Partial != false || progress.Partial {
		t.Errorf("partial: trace %v, record %v, progress %v", trace.Partial, record.Partial, progress.Partial)
	}
}
