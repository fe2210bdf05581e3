// Package e2e proves buildregress on the real stack: BuildKit, Buildx, a registry
// and Jaeger, by builds that are made for it.
//
//	go test -v -count=1 -timeout=60m ./testdata/e2e
//
// With Docker it takes official images. Without it, on Linux and as root, it
// builds the programs from source, which takes some ten minutes of processor time
// once: they are kept in the user's cache folder. What else there is to say to it
// is said in the environment, see stack.
package e2e

import (
	"fmt"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

const (
	baseBuilds = 22 // of main, judged as well once there are enough of them
	minHistory = 8  // as buildregress has it
)

// cases are the builds of branches, and what has to be found of each, whatever
// the source.
var cases = []struct {
	plan
	want finding
}{
	{plan{name: "unchanged"}, finding{verdict: "pass"}},
	{plan{name: byRevision}, finding{verdict: "pass"}},
	{plan{name: "compile ×4", work: work{"compile": "8"}}, finding{verdict: "regressed", slower: []string{"compile"}}},
	{plan{name: "slow push", pushDelay: 8 * time.Second}, finding{verdict: "regressed", slower: []string{"push"}}},
	{
		plan{name: "a line inserted", dockerfile: strings.Replace(dockerfile, "COPY --from=deps", "RUN mkdir /out\nCOPY --from=deps", 1)},
		finding{verdict: "pass", added: []string{"[app] RUN mkdir /out"}},
	},
	{plan{name: "cache of deps busted", flags: []string{"--no-cache-filter", "deps"}}, finding{verdict: "pass", lost: []string{"deps"}}},
	{plan{name: "test fails", work: work{"test": "never"}}, finding{verdict: "unjudged", outcome: "failed", failed: "test"}},
	{plan{name: "cancelled in compile", work: work{"compile": "30"}, cancelAt: "source=work/compile,"}, finding{verdict: "unjudged", outcome: "cancelled"}},
}

func TestStack(t *testing.T) {
	s := start(t)
	t.Logf("the stack: %s", s.about)
	var rows []row
	defer func() { t.Log("\n" + table(s.sources(), rows)) }()

	s.make(t, plan{name: "first", branch: "main"}) // fills the cache, and is recorded by nobody
	for i := range baseBuilds {
		b := s.make(t, plan{name: fmt.Sprintf("main %d", i+1), branch: "main"})
		rows = append(rows, s.judgeBase(t, b, i))
	}
	for i, c := range cases {
		c.branch = fmt.Sprintf("change-%d", i+1)
		b := s.make(t, c.plan)
		r := row{build: b}
		for _, from := range s.sources() {
			t.Run(c.name+"/"+from.name, func(t *testing.T) {
				report := s.check(t, from, b, "--record", "never")
				got := find(report)
				r.cells = append(r.cells, got.String())
				if !got.equal(c.want) {
					t.Errorf("got %v, want %v: %v", got, c.want, report)
				}
				if from.lines {
					checkLines(t, s, c.plan, c.want, report)
				}
			})
		}
		rows = append(rows, r)
	}
	t.Run("bake", s.testBake)
	t.Run("bake through Jaeger", s.testBakeTraces)
	if s.stopBuilder != nil {
		s.stopBuilder()
	}
	kill := s.killJaeger
	if kill == nil {
		kill = func() {}
	}
	for _, from := range s.sources() {
		if from.name == "jaeger+http://" {
			t.Run("broken off early/"+from.name, func(t *testing.T) { s.testBreak(t, rows[baseBuilds].build, from, s.http, 0.15, func() {}) })
		}
	}
	for _, from := range s.sources() { // last, as Jaeger is gone then
		if from.name == "jaeger://" {
			t.Run("killed half-way/"+from.name, func(t *testing.T) { s.testBreak(t, rows[baseBuilds].build, from, s.grpc, 0.5, kill) })
		}
	}
}

// judgeBase judges a build of main by the local builder, which records it, and
// records it for the other sources.
func (s *stack) judgeBase(t *testing.T, b *build, before int) row {
	t.Helper()
	want := "pass"
	if before+1 < minHistory { // the builder keeps the first one as well
		want = "unjudged"
	}
	r := row{build: b}
	for _, from := range s.sources() {
		switch from.past {
		case recorded:
			s.run(t, append([]string{s.binary, "record", s.storeFlag(from.store)}, from.args(b)...)...)
			r.cells = append(r.cells, "recorded")
			continue
		case itself:
			r.cells = append(r.cells, "is there")
			continue
		}
		report := s.check(t, from, b)
		got := find(report)
		r.cells = append(r.cells, got.String())
		if got.verdict != want || len(got.slower)+len(got.lost) > 0 {
			t.Errorf("%s: got %v, want %s: %v", b.name, got, want, report)
		}
	}
	return r
}

// checkLines makes sure that what was found is found in the right line.
func checkLines(t *testing.T, s *stack, p plan, want finding, r report) {
	t.Helper()
	text := p.dockerfile
	if text == "" {
		text = dockerfile
	}
	for _, step := range append(want.slower, want.lost...) {
		before, _, found := strings.Cut(s.base+text, "source=work/"+step+",")
		if !found { // the push stands in no line
			continue
		}
		if got, line := lineOf(r, step), 1+strings.Count(before, "\n"); got != line {
			t.Errorf("%s in line %d, want %d", step, got, line)
		}
	}
}

// A row is a build with what each source found of it.
type row struct {
	*build
	cells []string
}

// table is all builds, sources and verdicts, for people.
func table(sources []source, rows []row) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "build\tbranch\ttook")
	for _, from := range sources {
		fmt.Fprint(w, "\t", from.name)
	}
	fmt.Fprintln(w)
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%.1f s", r.name, r.branch, r.took.Seconds())
		for _, cell := range r.cells {
			fmt.Fprint(w, "\t", cell)
		}
		fmt.Fprintln(w)
	}
	w.Flush()
	return text.String()
}
