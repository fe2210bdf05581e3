package traces

import (
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/fetch/buildkit"
)

// A summary is what is kept of a trace.
type summary struct {
	id     string
	builds []detect.Build
	start  time.Time // of its first span
	end    time.Time // of its last
	spans  int       // each once
	state  buildkit.State
	says   map[string]string // by the client's spans: the attributes that were kept
	by     string            // the service of those
}

// summarise makes a summary of the spans that one answer has of a trace.
func (o *Source) summarise(id string, spans []buildkit.Span, services []string) summary {
	t := summary{id: id}
	// Nobody asked for the spans of others.
	own := spans
	if other := func(s buildkit.Span) bool { return s.Trace != id }; slices.ContainsFunc(spans, other) {
		own = slices.DeleteFunc(slices.Clone(spans), other)
	}
	for i := range own {
		s := &own[i]
		if t.start.IsZero() || s.Start.Before(t.start) {
			t.start = s.Start
		}
		if s.End.After(t.end) {
			t.end = s.End
		}
		if t.says == nil && isOf(s, services) && len(s.Tags) > 0 {
			t.says, t.by = s.Tags, s.Service
		}
	}
	trace := buildkit.NewTrace(id, own)
	t.spans, t.state = trace.Spans(), trace.State()
	t.builds, _ = o.reader.BuildsOf(trace)
	return t
}

// isOf tells whether a span is of one of the services. A server that does not
// tell the service is believed to have filtered by it.
func isOf(s *buildkit.Span, services []string) bool {
	if s.Service == "" {
		return true
	}
	for _, service := range services {
		if s.Service == service {
			return true
		}
	}
	return false
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
