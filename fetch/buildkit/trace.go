package buildkit

import (
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/fetch"
)

// What the spans of vertices begin with that were not executed.
const (
	loadPrefix    = "load cache: "
	requestPrefix = "cache request: "
)

// Builds makes the builds in spans, which may be of several traces, in order of
// their start. Spans that are no part of a build are passed over. What a trace
// shows of a build is partial: of cached vertices it shows the first only.
func Builds(spans []Span) ([]detect.Build, []error) {
	return new(Reader).Builds(spans)
}

// A Reader makes builds of one trace after the other. It reads the names that are
// in many of them once.
type Reader struct{ labels map[string]label }

// maxLabels bounds the names that are remembered.
const maxLabels = 10_000

// label is the label of a name.
func (r *Reader) label(name string) label {
	l, known := r.labels[name]
	if known {
		return l
	}
	l = labelOf(name, "")
	if r.labels == nil {
		r.labels = map[string]label{}
	}
	if len(r.labels) < maxLabels {
		r.labels[strings.Clone(name)] = l
	}
	return l
}

// Builds makes the builds in spans, which may be of several traces.
func (r *Reader) Builds(spans []Span) ([]detect.Build, []error) {
	traces := map[string][]Span{}
	var order []string
	for _, s := range spans {
		if traces[s.Trace] == nil {
			order = append(order, s.Trace)
		}
		traces[s.Trace] = append(traces[s.Trace], s)
	}
	var builds []detect.Build
	var warnings []error
	for _, id := range order {
		b, w := r.BuildsOf(NewTrace(id, traces[id]))
		builds, warnings = append(builds, b...), append(warnings, w...)
	}
	sortBuilds(builds)
	return builds, warnings
}

// BuildsOf makes the builds in a trace.
func (r *Reader) BuildsOf(t *Trace) (builds []detect.Build, warnings []error) {
	all := attributes(t.nodes)
	for _, s := range solves(t.nodes) {
		b, w := s.build(r, t.id, all)
		builds, warnings = append(builds, b), append(warnings, w...)
	}
	sortBuilds(builds)
	return builds, warnings
}

func sortBuilds(builds []detect.Build) {
	slices.SortStableFunc(builds, func(a, b detect.Build) int { return a.Start.Compare(b.Start) })
}

// build makes the build of a solve. all holds the attributes on which the whole
// trace agrees.
func (s *solve) build(r *Reader, trace string, all map[string]string) (detect.Build, []error) {
	slices.SortStableFunc(s.work, func(a, b *node) int { return a.Start.Compare(b.Start) })
	made := &steps{}
	failed := s.addVertices(r, made)
	if e := s.addExports(r, made); failed == nil {
		failed = e
	}
	b := detect.Build{Trace: trace, Content: made.content(), Partial: true, Steps: made.sorted()}
	first, end := s.root, s.ended
	if first == nil {
		first = s.work[0]
		for _, n := range s.work {
			if n.End.After(end) {
				end = n.End
			}
		}
	}
	b.ID = trace + "-" + first.ID
	b.Start, b.Duration = first.Start, made.took(first.Start, end, "the build")
	b.Outcome, b.Error = s.outcome(failed)
	attributes := all
	if s.root != nil {
		for n := range s.root.ancestors() {
			if isTold(n.Resource) {
				attributes = n.Resource
				break
			}
		}
	}
	apply(&b, attributes)
	if s.target != "" {
		b.Pipeline = strings.TrimSpace(b.Pipeline + " " + fetch.Clean(s.target, MaxName))
	}
	return b, made.warnings
}

// outcome tells how the build ended: by the work that failed, else by the call.
func (s *solve) outcome(failed *node) (detect.Outcome, string) {
	call := s.failure()
	if failed != nil && !cancelledText(failed.Message) {
		return detect.Failed, fetch.Clean(orElse(failed.Message, "failed"), MaxName)
	}
	const grpcCanceled = 1
	switch {
	case call == nil && failed == nil:
		return detect.OK, ""
	case failed != nil:
		return detect.Cancelled, fetch.Clean(failed.Message, MaxName)
	case call.Code == grpcCanceled:
		return detect.Cancelled, fetch.Clean(orElse(call.Message, "context canceled"), MaxName)
	}
	message := orElse(call.Message, "failed")
	return outcomeOf(message), fetch.Clean(message, MaxName)
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// addVertices adds a step for each vertex, and returns the span of the one at
// which the build failed, nil if none did.
func (s *solve) addVertices(r *Reader, made *steps) *node {
	chosen := map[string]*node{}
	var order []string
	for _, n := range s.work {
		if n.Vertex == "" {
			continue
		}
		old := chosen[n.Vertex]
		if old == nil {
			order = append(order, n.Vertex)
		}
		if old == nil || tells(n, old) {
			chosen[n.Vertex] = n
		}
	}
	var failed *node
	for _, digest := range order[:min(len(order), MaxVertices)] {
		n := chosen[digest]
		name, rank := vertexName(n.Name)
		l := r.label(name)
		step := detect.Step{Start: n.Start, Duration: made.took(n.Start, n.End, name)}
		switch {
		case n.Failed:
			step.State, step.Error = detect.StepFailed, stepError(orElse(n.Message, "failed"))
			if l.kind.fails() && (failed == nil || cancelledText(failed.Message)) {
				failed = n
			}
		case rank == rankLoaded:
			step.State = detect.Cached
		}
		if step.State != detect.Cached {
			made.ran(l, digest)
		}
		made.add(l, shortID(digest), step)
	}
	return failed
}

// How much a vertex span says, the least first.
const (
	rankRequested = iota // resolved, and not needed: the status counts it as executed
	rankLoaded
	rankExecuted
)

func vertexName(spanName string) (string, int) {
	if name, ok := strings.CutPrefix(spanName, loadPrefix); ok {
		return name, rankLoaded
	}
	if name, ok := strings.CutPrefix(spanName, requestPrefix); ok {
		return name, rankRequested
	}
	return spanName, rankExecuted
}

// tells whether a says more about its vertex than b; of equals, the one that
// ended last does.
func tells(a, b *node) bool {
	_, x := vertexName(a.Name)
	_, y := vertexName(b.Name)
	if x != y {
		return x > y
	}
	return !a.End.Before(b.End)
}

// addExports adds the steps of the exporters, of pushes and of a cache export,
// and returns the span of an exporter that failed, nil if none did.
func (s *solve) addExports(r *Reader, made *steps) *node {
	var failed *node
	var exported time.Time // end of the last exporter
	written := s.writings()
	for _, n := range s.work {
		if n.Vertex != "" || n.Method != "" {
			continue
		}
		step := detect.Step{Start: n.Start, Duration: made.took(n.Start, n.End, n.Name)}
		if n.Failed {
			step.State, step.Error = detect.StepFailed, stepError(orElse(n.Message, "failed"))
			failed = n
		}
		added := made.add(r.label(n.Name), exportStage, step)
		if w := written[n]; w != nil {
			made.addPush(added, w.repo, w.start, w.end)
		}
		if n.End.After(exported) {
			exported = n.End
		}
	}
	if w := written[s.root]; s.root != nil && w != nil && w.end.After(exported) {
		// Before it writes, it gathers what to write, which no span shows. It
		// begins when the exporters are done.
		if !exported.IsZero() {
			w.start = exported
		}
		made.add(r.label(cacheExportName), "cache-export", detect.Step{
			Start: w.start, Duration: made.took(w.start, w.end, cacheExportName),
		})
	}
	return failed
}

// A writing is what was written to a registry in one go: from the first question
// whether a blob is there to the last answer.
type writing struct {
	repo       string
	start, end time.Time
}

// writings finds what was written to registries, by the span for whose work it
// was directly written: an exporter, or the solve itself.
func (s *solve) writings() map[*node]*writing {
	type place struct {
		of   *node
		repo string
	}
	written := map[place]bool{}
	made := map[*node]*writing{}
	for _, r := range s.work {
		if !r.writes() {
			continue
		}
		at := place{r.caller(), r.repo()}
		written[at] = true
		if made[at.of] == nil {
			made[at.of] = &writing{repo: at.repo}
		}
	}
	for _, r := range s.work {
		at := place{r.caller(), r.repo()}
		if !r.writes() && (r.Method != "HEAD" || !written[at]) {
			continue
		}
		w := made[at.of]
		if w.start.IsZero() {
			w.start = r.Start
		}
		if r.End.After(w.end) {
			w.end = r.End
		}
	}
	return made
}

// caller is the nearest span above an HTTP request that is none itself.
func (n *node) caller() *node {
	for at := range n.ancestors() {
		if at.Method == "" {
			return at
		}
	}
	return nil
}

// attributes gathers the resource attributes on which all spans of a trace
// agree, as far as they have them.
func attributes(list []*node) map[string]string {
	all := map[string]string{}
	unequal := map[string]bool{}
	for _, n := range list {
		for key, value := range n.Resource {
			if old, known := all[key]; known && old != value {
				unequal[key] = true
			}
			all[key] = value
		}
	}
	for key := range unequal {
		delete(all, key)
	}
	return all
}
