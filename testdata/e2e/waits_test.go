package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	networkBuilds = baseBuilds      // of main
	slowBy        = 5 * time.Second // what is made slow
)

// TestNetwork makes builds wait for what they get from elsewhere and bring there: each
// source has to call what was waited for by its name, with the time that it took.
func TestNetwork(t *testing.T) {
	s := start(t)
	n := startNetwork(t, s)
	var rows []row
	defer func() { t.Log("\n" + table(n.sources(), rows)) }()

	n.build(t, plan{name: "first", branch: "main", flags: n.caches()}) // fills the cache
	var base []*build
	for i := range networkBuilds {
		base = append(base, n.build(t, plan{name: fmt.Sprintf("main %d", i+1), branch: "main", flags: n.caches()}))
	}
	// First all builds are made, as judging them would make others slow.
	var judged []judgement
	for i, w := range n.waits() {
		w.brake.set(&w.rule)
		b := n.build(t, plan{name: w.name, branch: fmt.Sprintf("slow-%d", i+1), flags: n.caches()})
		took := w.brake.took(t)
		w.brake.set(nil)
		w.bytes *= n.pulled
		judged = append(judged, judgement{b, func(t *testing.T, from source, r report) { n.checkWait(t, from, b, r, w, took) }})
	}
	for i, f := range n.cacheFailures(t) {
		for _, ignored := range []bool{false, true} {
			p := plan{name: f.name + " fails", branch: fmt.Sprintf("failing-%d-%t", i+1, ignored), flags: slices.Clone(f.flags), fails: !ignored}
			if ignored {
				p.name += ", ignored"
				p.flags[1] += ",ignore-error=true"
			}
			n.registry.set(&brakeRule{match: putsTo("cache"), refuse: true})
			b := n.build(t, p)
			n.registry.set(nil)
			judged = append(judged, judgement{b, func(t *testing.T, from source, r report) { n.checkFailure(t, from, b, r, f.step, ignored) }})
		}
	}
	judged = append(judged, n.twoAtOnce(t)...)
	n.record(t, base)
	for _, j := range judged {
		rows = append(rows, row{j.build, make([]string, len(n.sources()))})
	}
	t.Run("judged", func(t *testing.T) {
		for i, j := range judged {
			for k, from := range n.sources() {
				t.Run(j.name+"/"+from.name, func(t *testing.T) {
					t.Parallel()
					r := n.check(t, from, j.build, "--record", "never")
					rows[i].cells[k] = find(r).String()
					j.check(t, from, r)
					if t.Failed() {
						t.Log(r)
					}
				})
			}
		}
	})
}

// A judgement is a build with what its reports have to say.
type judgement struct {
	*build
	check func(*testing.T, source, report)
}

// caches are all ways to keep the cache of a build that can be had here, in a folder of
// its own: two clients would get in each other's way.
func (n *network) caches() []string {
	return []string{
		"--cache-to", "type=registry,ref=" + n.registry.address + "/cache", "--cache-to", "type=local,dest=" + filepath.Join(n.dir, "cache-"+random(4)), "--cache-to", "type=inline",
	}
}

// A wait is what is made slow.
type wait struct {
	name  string
	brake *brake
	rule  brakeRule
	step  string   // what the name of the step that is slow has in it
	parts []string // of other steps that have this time in them
	bytes int64    // that the source has to tell of it, in images
}

func (n *network) waits() []wait {
	image := n.registry.address + "/data:latest"
	return []wait{
		{name: "slow pull", brake: &n.registry.brake, rule: brakeRule{match: func(q *http.Request) bool {
			return q.Method == http.MethodGet && strings.HasPrefix(q.URL.Path, "/v2/data/blobs/") && !strings.HasSuffix(q.URL.Path, n.config)
		}, takes: slowBy}, step: "pull " + image, parts: []string{"FROM " + image}, bytes: 1},
		{name: "slow ADD", brake: &n.files.brake, rule: brakeRule{match: func(q *http.Request) bool { return q.Method == http.MethodGet }, takes: slowBy}, step: "ADD " + n.files.address + "/file"},
		{name: "slow git", brake: &n.git.brake, rule: brakeRule{match: fetches, takes: slowBy}, step: "load git source " + n.git.address + "/image.git#"},
		{name: "slow push of one layer", brake: &n.registry.brake, rule: brakeRule{match: putsTo("shop"), takes: slowBy, once: true}, step: "pushing " + n.registry.address + "/shop"},
		{name: "slow cache", brake: &n.registry.brake, rule: brakeRule{match: putsTo("cache"), takes: slowBy}, step: "exporting cache to registry"},
	}
}

// checkWait looks at the report on a build in which something took this long.
func (n *network) checkWait(t *testing.T, from source, b *build, r report, w wait, took time.Duration) {
	t.Helper()
	one, key := r.Results[0], ""
	if r.Verdict != "regressed" {
		t.Errorf("%s, want regressed", r.Verdict)
	}
	for _, step := range one.Steps {
		switch {
		case step.Status != "slower" && step.Status != "suspect":
		case strings.Contains(step.Name, w.step):
			key = step.Key
			n.checkTime(t, step.Name, step.Current, took)
		case !slices.ContainsFunc(w.parts, func(part string) bool { return strings.Contains(step.Name, part) }):
			t.Errorf("%s is %s", step.Name, step.Status)
		}
	}
	if key == "" {
		t.Errorf("%s is not slower", w.step)
	}
	if parts := one.WallClock.Parts; len(parts) == 0 || parts[0].Cause != "step" || parts[0].Step != key || parts[0].Seconds < 0.7*took.Seconds() {
		t.Errorf("the wall clock is accounted for by %+v", parts)
	}
	if w.bytes > 0 {
		if moved := n.bytesOf(t, from, b, w.step); moved != w.bytes {
			t.Errorf("%d bytes, want %d", moved, w.bytes)
		}
	}
}

// checkTime compares the time of a step with that for which it was held: it is not shorter,
// but for what the brake needs to notice the end, and what else it does takes a part of that,
// even where the machine is slow.
func (n *network) checkTime(t *testing.T, step string, seconds float64, held time.Duration) {
	t.Helper()
	if least, most := 0.8*held.Seconds(), 2*held.Seconds(); seconds < least || seconds > most {
		t.Errorf("%s took %.2f s, was held for %.2f s", step, seconds, held.Seconds())
	}
}

// bytesOf is how many bytes a source says that a step moved.
func (n *network) bytesOf(t *testing.T, from source, b *build, step string) int64 {
	t.Helper()
	for _, s := range n.read(t, from, b).Steps {
		if strings.Contains(s.Name, step) {
			return s.Bytes
		}
	}
	t.Errorf("no step %s", step)
	return 0
}

// A read is what is looked at of a line of a builds file.
type read struct {
	Duration float64 `json:"duration_seconds"`
	Steps    []struct {
		Name, Key, State, Error string
		Duration                float64 `json:"duration_seconds"`
		Bytes                   int64
	}
}

// read is a build as a source has it.
func (n *network) read(t *testing.T, from source, b *build) (r read) {
	t.Helper()
	out := n.run(t, append([]string{n.binary, "record", "--format", "builds"}, from.args(b)...)...)
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return r
}

// A cacheFailure is a cache that cannot be written.
type cacheFailure struct {
	name, step string
	flags      []string
}

// cacheFailures are caches that cannot be written. That within an image cannot fail
// alone, and GitHub's needs GitHub.
func (n *network) cacheFailures(t *testing.T) []cacheFailure {
	t.Helper()
	blocked := filepath.Join(n.dir, "blocked")
	if err := os.Mkdir(blocked, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(blocked, "blobs"), "is no folder")
	return []cacheFailure{
		{"cache in a registry", "exporting cache to registry", []string{"--cache-to", "type=registry,ref=" + n.registry.address + "/cache"}},
		{"cache in a folder", "exporting cache to client directory", []string{"--cache-to", "type=local,dest=" + blocked}},
	}
}

// checkFailure looks at the report on a build whose cache could not be written.
func (n *network) checkFailure(t *testing.T, from source, b *build, r report, step string, ignored bool) {
	t.Helper()
	want := finding{verdict: "unjudged", outcome: "failed", failed: step}
	if ignored {
		want = finding{verdict: "pass"}
	}
	if got := find(r); !got.equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	told := slices.ContainsFunc(r.Results[0].Notes, func(n note) bool { return n.Kind == "failure-ignored" && strings.Contains(n.Text, step) })
	if told != ignored {
		t.Errorf("the report has the notes %v", r.Results[0].Notes)
	}
	written := 0
	for _, s := range n.read(t, from, b).Steps {
		if strings.HasPrefix(s.Name, "exporting cache") {
			if written++; s.Name != step || s.State != "failed" || s.Error == "" {
				t.Errorf("%s is %s, %q", s.Name, s.State, s.Error)
			}
		}
	}
	if written != 1 {
		t.Errorf("%d steps that write a cache", written)
	}
}

// twoAtOnce makes a build while another one waits for what both need.
func (n *network) twoAtOnce(t *testing.T) []judgement {
	t.Helper()
	first := n.prepare(t, plan{name: "first of two", branch: "first", flags: n.caches()})
	second := n.prepare(t, plan{name: "second of two", branch: "second", flags: n.caches()})
	n.files.set(&brakeRule{match: func(q *http.Request) bool { return q.Method == http.MethodGet }, takes: slowBy})
	start := time.Now()
	pending := n.begin(t, first, n.args(first))
	n.await(t, "the download", func() error {
		if !started(first.progress, "/file") {
			return fmt.Errorf("it has not begun:\n%s", tailOf(first.progress))
		}
		return nil
	})
	n.perform(t, second, n.args(second))
	if err := pending.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, tailOf(first.progress))
	}
	first.took, first.ref = time.Since(start), refOf(t, first.metadata)
	n.export(t, first)
	took := n.files.took(t)
	n.files.set(nil)
	return []judgement{
		{first, func(t *testing.T, from source, r report) {
			n.checkWait(t, from, first, r, wait{step: "ADD " + n.files.address + "/file"}, took)
		}},
		{second, func(t *testing.T, from source, r report) { n.checkShared(t, from, second, r, took) }},
	}
}

// checkShared looks at the report on a build that waited for what another build had begun:
// what that one did is no step of this one, and what it had done before is not its time.
func (n *network) checkShared(t *testing.T, from source, b *build, r report, held time.Duration) {
	t.Helper()
	keys := map[string]int{}
	for _, s := range r.Results[0].Steps {
		if s.Status == "slower" && !strings.Contains(s.Name, n.files.address) {
			t.Errorf("%s is slower", s.Name)
		}
		keys[s.Key]++
	}
	for key, count := range keys {
		// That of the download is that of what copies it as well.
		if count > 2 || count == 2 && !strings.Contains(key, "/file /file") {
			t.Errorf("%s is there %d times", key, count)
		}
	}
	whole := n.read(t, from, b)
	if whole.Duration > b.took.Seconds() {
		t.Errorf("it took %.2f s, and is said to have taken %.2f s", b.took.Seconds(), whole.Duration)
	}
	for _, s := range whole.Steps {
		if s.Duration > 2*held.Seconds() {
			t.Errorf("%s took %.2f s", s.Name, s.Duration)
		}
	}
}

// record makes the builds of main the history of all sources.
func (n *network) record(t *testing.T, base []*build) {
	t.Helper()
	for _, from := range n.sources() {
		if from.past == itself {
			n.read(t, from, base[len(base)-1]) // waits until it is there
			continue
		}
		for _, b := range base {
			n.run(t, append([]string{n.binary, "record", n.storeFlag(from.store)}, from.args(b)...)...)
		}
	}
}

// sources are those of the stack, and the trace as OTLP.
func (n *network) sources() []source {
	return append(n.stack.sources(), source{
		name: "OTLP", store: "otlp", past: recorded,
		args: func(b *build) []string { return []string{n.otlpOf(b)} },
	})
}

// otlpOf is a file with the trace of a build, which Jaeger is asked for when others have
// waited for all of it.
func (n *network) otlpOf(b *build) string {
	if _, err := os.Stat(b.trace); err == nil {
		return b.trace
	}
	response, err := http.Get("http://" + n.http + "/api/v3/traces/" + b.traceID)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err == nil {
		err = os.WriteFile(b.trace, data, 0o644)
	}
	if err != nil {
		return err.Error()
	}
	return b.trace
}

// putsTo matches requests that put a layer into a repository.
func putsTo(repository string) func(*http.Request) bool {
	return func(q *http.Request) bool {
		return putsLayer(q) && strings.HasPrefix(q.URL.Path, "/v2/"+repository+"/")
	}
}

// fetches tells whether a request asks for the objects of a git repository.
func fetches(q *http.Request) bool {
	if q.Method != http.MethodPost {
		return false
	}
	body, _ := io.ReadAll(io.LimitReader(q.Body, 1<<20))
	q.Body = io.NopCloser(bytes.NewReader(body))
	if q.Header.Get("Content-Encoding") == "gzip" { // it names many objects that are there
		packed, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return false
		}
		body, _ = io.ReadAll(io.LimitReader(packed, 1<<20))
	}
	return bytes.Contains(body, []byte("command=fetch"))
}
