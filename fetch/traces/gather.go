package traces

import (
	"fmt"

	"github.com/buildregress/buildregress/fetch/buildkit"
	"github.com/buildregress/buildregress/fetch/spans"
)

// A Gatherer puts the traces of a stream of spans together. Servers send one
// after the other; of a trace that comes in pieces, each piece is handed on by
// itself.
type Gatherer struct {
	// Take is given a trace for as long as it runs.
	Take func(id string, spans []buildkit.Span) error
	// Warn is told of a trace that is too large to be handed on, which is left out;
	// where it is nil, that is an error.
	Warn   func(error)
	Traces int // handed on, or left out

	id    string
	spans []buildkit.Span
	bytes int  // of text in spans
	large bool // the rest of the trace is passed over
}

// Add takes in a span.
func (g *Gatherer) Add(s buildkit.Span) error {
	if s.Trace != g.id {
		if err := g.End(); err != nil {
			return err
		}
		g.id = s.Trace
	}
	if g.large {
		return nil
	}
	g.bytes += textOf(&s)
	if len(g.spans) < spans.Max && g.bytes <= spans.MaxBytes {
		g.spans = append(g.spans, s)
		return nil
	}
	err := fmt.Errorf("trace %s: %w, or of %d MiB", g.id, spans.ErrTooMany, spans.MaxBytes>>20)
	if g.Warn == nil {
		return err
	}
	g.Warn(err)
	g.large = true
	return nil
}

// textOf is how many bytes of text a span holds that it does not share.
func textOf(s *buildkit.Span) int {
	n := len(s.Name) + len(s.Message) + len(s.Vertex) + len(s.Method) + len(s.URL)
	for key, value := range s.Own {
		n += len(key) + len(value)
	}
	return n
}

// End hands on the last trace.
func (g *Gatherer) End() error {
	if len(g.spans) == 0 {
		return nil
	}
	id, spans, large := g.id, g.spans, g.large
	g.id, g.spans, g.bytes, g.large = "", spans[:0], 0, false // for the next, which is about as large
	g.Traces++
	if large {
		return nil
	}
	return g.Take(id, spans)
}
