// Package pipeline turns the spans of CI pipelines into builds: a run is a build, and a
// leaf of the tree that the pipeline's own emitter made is a step. It is the one place
// that knows what emitters call things (emitters.go has the table).
//
// What is a run shows in the trace, by attributes that only emitters of pipelines write.
// A trace may hold builds of BuildKit as well, within the run's steps or by themselves:
// these are builds of their own.
package pipeline

import (
	"slices"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch/buildkit"
)

// Options say what is read.
type Options struct {
	// Any takes a trace for a run that nothing else is seen in, whoever made it.
	Any bool
	// Jobs is a glob: of the jobs of a run only those count whose path, or a part of it,
	// matches. "" is all.
	Jobs string
}

// A Reader makes builds of one trace after the other.
type Reader struct {
	Options
	buildkit buildkit.Reader
}

// Builds makes the builds in spans, which may be of several traces, in order of their
// start.
func (r *Reader) Builds(spans []buildkit.Span) (builds []timeline.Build, warnings []error) {
	traces := map[string][]buildkit.Span{}
	var order []string
	for _, s := range spans {
		if traces[s.Trace] == nil {
			order = append(order, s.Trace)
		}
		traces[s.Trace] = append(traces[s.Trace], s)
	}
	for _, id := range order {
		b, w := r.BuildsOf(buildkit.NewTrace(id, traces[id]), traces[id])
		builds, warnings = append(builds, b...), append(warnings, w...)
	}
	sortBuilds(builds)
	return builds, warnings
}

// BuildsOf makes the builds in the spans of one trace, of which t is the tree.
func (r *Reader) BuildsOf(t *buildkit.Trace, spans []buildkit.Span) (builds []timeline.Build, warnings []error) {
	nested, warnings := r.buildkit.BuildsOf(t)
	tree := newTree(t.ID(), spans)
	if refusalOf(tree) != "" {
		return nested, warnings
	}
	runs := tree.runs()
	if len(runs) == 0 && len(nested) == 0 && r.Any {
		if generic := tree.generic(); generic != nil {
			runs = []*run{generic}
		}
	}
	for _, run := range runs {
		run.jobs = r.Jobs
		b, keys, w := run.build()
		warnings = append(warnings, w...)
		id := ""
		if b != nil {
			builds, id = append(builds, *b), b.ID
		}
		run.adopt(nested, id, keys)
	}
	builds = append(builds, nested...)
	sortBuilds(builds)
	return builds, warnings
}

func sortBuilds(builds []timeline.Build) {
	slices.SortStableFunc(builds, func(a, b timeline.Build) int { return a.Start.Compare(b.Start) })
}
