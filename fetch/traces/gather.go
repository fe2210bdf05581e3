package traces

import (
	"fmt"

	"github.com/buildregress/buildregress/fetch/buildkit"
	"github.com/buildregress/buildregress/fetch/file"
)

// A Gatherer puts the traces of a stream of spans together. Servers send one
// after the other; of a trace that comes in pieces, each piece is handed on by
// itself.
type Gatherer struct {
	// Take is given a trace for as long as it runs.
	Take   func(id string, spans []buildkit.Span) error
	Traces int // handed on

	id    string
	spans []buildkit.Span
}

// Add takes in a span.
func (g *Gatherer) Add(s buildkit.Span) error {
	if s.Trace != g.id {
		if err := g.End(); err != nil {
			return err
		}
		g.id = s.Trace
	}
	if len(g.spans) == file.MaxSpans {
		return fmt.Errorf("trace %s: more than %d spans", g.id, file.MaxSpans)
	}
	g.spans = append(g.spans, s)
	return nil
}

// End hands on the last trace.
func (g *Gatherer) End() error {
	if len(g.spans) == 0 {
		return nil
	}
	id, spans := g.id, g.spans
	g.id, g.spans = "", spans[:0] // for the next, which is about as large
	g.Traces++
	return g.Take(id, spans)
}
