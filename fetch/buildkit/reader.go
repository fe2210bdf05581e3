package buildkit

import (
	"cmp"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
)

// A build out of spans. The calls that are builds are found first, and the work of
// each (solve.go). Of a vertex there may be several spans, as it is asked for, loaded
// from the cache or executed: the one that says most is its step. Exports, pushes and
// the writing of a cache are no vertices in a trace; their steps come from the spans
// of exporters and of requests to registries (exports.go).

// What the spans of vertices begin with that were not executed.
const (
	loadPrefix    = "load cache: "
	requestPrefix = "cache request: "
)

// Builds makes the builds in spans, which may be of several traces, in order of
// their start. Spans that are no part of a build are passed over. What a trace
// shows of a build is partial: of cached vertices it shows the first only.
func Builds(spans []Span) ([]timeline.Build, []error) {
	return new(Reader).Builds(spans)
}

// A Reader makes builds of one trace after the other. It reads the names that are
// in many of them once.
type Reader struct{ infos map[string]stepInfo }

// maxInfos bounds the names that are remembered.
const maxInfos = 10_000

// info is what follows from a name.
func (r *Reader) info(name string) stepInfo {
	info, known := r.infos[name]
	if known {
		return info
	}
	info = stepInfoOf(name, "")
	if r.infos == nil {
		r.infos = map[string]stepInfo{}
	}
	if len(r.infos) < maxInfos {
		r.infos[strings.Clone(name)] = info
	}
	return info
}

// Builds makes the builds in spans, which may be of several traces.
func (r *Reader) Builds(spans []Span) ([]timeline.Build, []error) {
	traces := map[string][]Span{}
	var order []string
	for _, s := range spans {
		if traces[s.Trace] == nil {
			order = append(order, s.Trace)
		}
		traces[s.Trace] = append(traces[s.Trace], s)
	}
	var builds []timeline.Build
	var warnings []error
	for _, id := range order {
		b, w := r.BuildsOf(NewTrace(id, traces[id]))
		builds, warnings = append(builds, b...), append(warnings, w...)
	}
	sortBuilds(builds)
	return builds, warnings
}

// BuildsOf makes the builds in a trace.
func (r *Reader) BuildsOf(t *Trace) (builds []timeline.Build, warnings []error) {
	all := attributes(t.nodes)
	found := solves(t.nodes)
	for _, s := range found {
		s.alone = len(found) == 1
		b, w := s.build(r, t.id, all)
		builds, warnings = append(builds, b), append(warnings, w...)
	}
	sortBuilds(builds)
	return builds, warnings
}

func sortBuilds(builds []timeline.Build) {
	slices.SortStableFunc(builds, func(a, b timeline.Build) int { return a.Start.Compare(b.Start) })
}

// build makes the build of a solve. all holds the attributes on which the whole
// trace agrees.
func (s *solve) build(r *Reader, trace string, all map[string]string) (timeline.Build, []error) {
	slices.SortStableFunc(s.work, func(a, b *node) int { return a.Start.Compare(b.Start) })
	out := &steps{}
	failed := s.addVertices(r, out)
	if failed != nil && s.ignored(failed) {
		failed = nil
	}
	if e := s.addExports(r, out); failed == nil {
		failed = e
	}
	b := timeline.Build{Trace: trace, Content: out.content(), Partial: true, Reader: timeline.ReaderVersion}
	first, end := s.root, s.ended
	if first == nil {
		first = s.work[0]
		for _, n := range s.work {
			if n.End.After(end) {
				end = n.End
			}
		}
	}
	if s.alone {
		out.addWaits(first.Start, false, nil)
	}
	b.Steps = out.sorted()
	b.ID = trace + "-" + first.ID
	b.Start, b.Duration = first.Start, out.elapsed(first.Start, end, "the build")
	b.Outcome, b.Error = s.outcome(failed)
	attributes := all
	if s.root != nil {
		for n := range s.root.ancestors() {
			if hasUsed(n.Resource) {
				attributes = n.Resource
				break
			}
		}
	}
	apply(&b, attributes)
	s.applyGitContext(&b)
	if s.target != "" {
		b.Target = fetch.Clean(s.target, MaxName)
		fetch.NamePipeline(&b, b.Pipeline)
	}
	if b.Pipeline == "" {
		b.Image = joined(new(Metadata).image(&b))
	}
	return b, out.warnings
}

// ignored tells whether the build went on after the error of n: the call did not fail,
// and an exporter, which comes last, ran through.
func (s *solve) ignored(n *node) bool {
	return s.root != nil && s.failure() == nil && slices.ContainsFunc(s.work, func(w *node) bool {
		return w.Vertex == "" && w.Method == "" && kindOf(w.Name) == export && !w.Failed && !w.Start.Before(n.End)
	})
}

// outcome tells how the build ended: by the work that failed, else by the call.
func (s *solve) outcome(failed *node) (timeline.Outcome, string) {
	call := s.failure()
	if failed != nil && !isCancellation(failed.Message) {
		return timeline.Failed, fetch.Clean(cmp.Or(failed.Message, "failed"), MaxName)
	}
	const grpcCanceled = 1
	switch {
	case call == nil && failed == nil:
		return timeline.OK, ""
	case failed != nil:
		return timeline.Cancelled, fetch.Clean(failed.Message, MaxName)
	case call.Code == grpcCanceled:
		return timeline.Cancelled, fetch.Clean(cmp.Or(call.Message, "context canceled"), MaxName)
	}
	message := cmp.Or(call.Message, "failed")
	return outcomeOf(message), fetch.Clean(message, MaxName)
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
