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

// TestBuilderHistory builds one image fifteen times, as people do before they hear of
// buildregress, and judges some of the builds by what the builder keeps of the others.
func TestBuilderHistory(t *testing.T) {
	s := start(t)
	b := &laptop{stack: s, image: filepath.Join(s.dir, "image"), other: filepath.Join(s.dir, "other")}
	b.write(t, b.image, "RUN sleep 0.2 && echo $N\nRUN sleep 0.3 && echo work\n")
	b.write(t, b.other, "RUN sleep 0.1 && echo other $N\nRUN mkdir /other\nRUN echo done > /other/done\n")
	row := func(when string, r report, stderr string) {
		t.Logf("%-28s %-9s %2d builds  %v %s", when, r.Verdict, r.Results[0].Baseline.Builds, r.Notes, strings.TrimSpace(stderr))
	}

	b.build(t, b.image)
	r, stderr := b.check(t, "first", "buildx:")
	row("first build", r, stderr)
	if r.Verdict != "unjudged" || r.Results[0].Baseline.Builds != 0 || stderr != "" {
		t.Errorf("the first build: %v%s", r, stderr)
	}

	for range 8 {
		b.build(t, b.image)
	}
	b.build(t, b.other)
	b.build(t, b.image)
	for _, store := range []string{"empty", "first"} { // the other holds the first build
		r, stderr = b.check(t, store, "buildx:")
		row("tenth, store "+store, r, stderr)
		if r.Verdict == "unjudged" || r.Results[0].Baseline.Builds != 9 || !r.has("builder-record") || !strings.Contains(stderr, "hint: buildregress record 'buildx:*' keeps") {
			t.Errorf("the tenth, store %s: %v%s", store, r, stderr)
		}
	}

	for range 3 {
		b.build(t, b.image)
	}
	good := b.ref(t)
	b.write(t, b.image, "RUN sleep 0.2 && echo $N\nRUN sleep 0.3 && exit 3\n")
	b.fail(t, b.image)
	for _, what := range []string{"left over", "missing"} {
		r, stderr = b.check(t, "failed", "buildx:@"+b.metadata())
		row("failed, metadata "+what, r, stderr)
		one := r.Results[0]
		if one.Build.Outcome != "failed" || !strings.Contains(stderr, "as Buildx writes none after a failed build") || b.lineOfFailure(r) != b.lines {
			t.Errorf("failed, metadata %s: %v%s", what, r, stderr)
		}
		if err := os.RemoveAll(b.metadata()); err != nil {
			t.Fatal(err)
		}
	}

	b.write(t, b.image, "RUN sleep 0.2 && echo $N\nRUN sleep 0.3 && echo work\n")
	b.build(t, b.image)
	r, stderr = b.check(t, "last", "buildx:@"+b.metadata())
	row("after the failed one", r, stderr)
	if r.Verdict == "unjudged" || r.Results[0].Baseline.Builds != 13 || b.ref(t) == good {
		t.Errorf("after the failed one: %v%s", r, stderr)
	}
	said := b.run(t, "record", "--store=sqlite:last.db", "buildx:*")
	t.Log(strings.TrimSpace(said))
	r, stderr = b.check(t, "last", "buildx:")
	row("recorded", r, stderr)
	// The other image's build is left out: it says no repository that would tell them apart.
	if r.Verdict == "unjudged" || r.Results[0].Baseline.Builds != 13 || r.has("builder-record") || stderr != "" {
		t.Errorf("recorded: %v%s", r, stderr)
	}
	if said := b.run(t, "backtest", "--builds", "100", "buildx:"+s.builder+"/*"); !strings.Contains(said, "builds replayed") {
		t.Errorf("backtest: %s", said)
	}
}

// A laptop is where somebody builds by hand, without a CI system or a repository.
type laptop struct {
	*stack
	image, other string // folders
	builds       int
	lines        int // of the last Dockerfile
}

func (l *laptop) env() []string { return []string{"BUILDX_BUILDER=" + l.builder} }

func (l *laptop) metadata() string { return filepath.Join(l.dir, "meta.json") }

// write writes a context whose Dockerfile ends in these lines.
func (l *laptop) write(t *testing.T, folder, lines string) {
	t.Helper()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	text := l.base + "FROM base\nARG N\n" + lines
	l.lines = strings.Count(text, "\n")
	write(t, filepath.Join(folder, "Dockerfile"), text)
	for name, content := range l.context {
		write(t, filepath.Join(folder, name), string(content))
	}
}

func (l *laptop) try(t *testing.T, folder string) error {
	t.Helper()
	l.builds++
	_, stderr, err := l.stack.try(l.ctx, folder, l.env(), append(slices.Clip(l.buildx), "build", "--progress", "plain",
		"--build-arg", fmt.Sprintf("N=%d", l.builds), "--metadata-file", l.metadata(), "--output", "type=cacheonly", ".")...)
	if err != nil {
		return fmt.Errorf("%w: %s", err, stderr)
	}
	return nil
}

func (l *laptop) build(t *testing.T, folder string) {
	t.Helper()
	if err := l.try(t, folder); err != nil {
		t.Fatal(err)
	}
}

func (l *laptop) fail(t *testing.T, folder string) {
	t.Helper()
	if l.try(t, folder) == nil {
		t.Fatal("a build that was to fail did not")
	}
}

// ref is that of the build in the metadata file.
func (l *laptop) ref(t *testing.T) string {
	t.Helper()
	return refOf(t, l.metadata())
}

func (l *laptop) run(t *testing.T, args ...string) string {
	t.Helper()
	stdout, stderr, err := l.stack.try(l.ctx, l.dir, l.env(), append([]string{l.binary}, args...)...)
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, stderr)
	}
	return stdout
}

// check judges a build, and returns what is written beside the report as well.
func (l *laptop) check(t *testing.T, store, source string) (r report, stderr string) {
	t.Helper()
	stdout, stderr, err := l.stack.try(l.ctx, l.dir, l.env(), l.binary, "check", "--format", "json", "--min-delta", minDelta, l.storeFlag(store), source)
	if decoded := json.Unmarshal([]byte(stdout), &r); decoded != nil || err != nil || len(r.Results) != 1 {
		t.Fatalf("%s: %v, %v\n%s", source, err, decoded, stderr)
	}
	return r, stderr
}

// lineOfFailure is the line of the only step that has one.
func (l *laptop) lineOfFailure(r report) (line int) {
	for _, step := range r.Results[0].Steps {
		line = max(line, step.Source.Line)
	}
	return line
}

// has tells whether a report has a note of a kind.
func (r report) has(kind string) bool {
	return slices.ContainsFunc(r.Notes, func(n note) bool { return n.Kind == kind })
}
