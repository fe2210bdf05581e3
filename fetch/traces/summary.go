package traces

import (
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch/buildkit"
	"github.com/buildregress/buildregress/fetch/pipeline"
)

// A summary is what is kept of a trace.
type summary struct {
	id         string
	builds     []timeline.Build
	start      time.Time // of its first span
	end        time.Time // of its last
	spans      int       // each once
	state      buildkit.State
	attributes map[string]string // by the client's spans: the attributes that were kept
	service    string            // of those
	noBuild    error             // whose the spans are, if builds is empty
	root       *pipeline.Root    // of a pipeline's run in it, nil if there is none
	rootless   bool              // it has jobs of a pipeline's run, and not the run
}

// summarize makes a summary of the spans that one answer has of a trace.
func (s *Source) summarize(id string, spans []buildkit.Span, services []string) summary {
	t := summary{id: id}
	// Nobody asked for the spans of others.
	own := spans
	if other := func(s buildkit.Span) bool { return s.Trace != id }; slices.ContainsFunc(spans, other) {
		own = slices.DeleteFunc(slices.Clone(spans), other)
	}
	for i := range own {
		span := &own[i]
		if t.start.IsZero() || span.Start.Before(t.start) {
			t.start = span.Start
		}
		if span.End.After(t.end) {
			t.end = span.End
		}
		if t.attributes == nil && isOf(span, services) && len(span.Tags) > 0 {
			t.attributes, t.service = span.Tags, span.Service
		}
	}
	trace := buildkit.NewTrace(id, own)
	t.spans, t.state = trace.Spans(), trace.State()
	t.builds, _ = s.reader.BuildsOf(trace, own)
	if slices.ContainsFunc(t.builds, func(b timeline.Build) bool { return !b.Partial }) {
		if t.root = pipeline.RootOf(id, own); t.root != nil && t.root.Whole && t.state == buildkit.Open {
			t.state = buildkit.Ended
		}
	}
	if len(t.builds) == 0 {
		noBuild := pipeline.NoBuild(own)
		t.noBuild, t.rootless = noBuild, noBuild.Rootless
	}
	return t
}

// isOf tells whether a span is of one of the services. A server that does not
// tell the service is believed to have filtered by it.
func isOf(s *buildkit.Span, services []string) bool {
	if s.Service == "" {
		return true
	}
	return slices.Contains(services, s.Service)
}

// matches tells whether one of the spans has all that q asks for.
func matches(id string, spans []buildkit.Span, q Question) bool {
	for i := range spans {
		s := &spans[i]
		if s.Trace != id || s.Service != q.Service && s.Service != "" {
			continue
		}
		all := true
		for key, value := range q.Tags {
			if s.Tags[key] != value {
				all = false
				break
			}
		}
		if all {
			return true
		}
	}
	return false
}

// inTime tells whether a trace was under way between from and to.
func (t *summary) inTime(from, to time.Time) bool {
	return !t.start.After(to) && !t.end.Before(from)
}
