package buildkit

import (
	"iter"
	"maps"

	"github.com/buildregress/buildregress/fetch"
)

// A Trace is the tree of its spans.
type Trace struct {
	id    string
	nodes []*node
}

// A node is a span in its trace.
type node struct {
	Span
	parent *node
	solve  *solve // the build it belongs to, nil if none
	seen   bool   // its solve has been looked up
	visit  int    // in which it was met, see breakCycles
}

// NewTrace makes the tree of one trace. A span that arrived twice is one: client
// and daemon may both have exported it, and only one of the copies tells the
// error.
func NewTrace(id string, spans []Span) *Trace {
	byID := make(map[string]*node, len(spans))
	t := &Trace{id: id, nodes: make([]*node, 0, len(spans))}
	nodes := make([]node, len(spans))
	for i := range spans {
		s := &spans[i]
		n := byID[s.ID]
		if n == nil {
			n = &nodes[len(t.nodes)]
			n.Span = *s
			n.Start, n.End = fetch.PlausibleOrZero(s.Start), fetch.PlausibleOrZero(s.End)
			byID[s.ID] = n
			t.nodes = append(t.nodes, n)
			continue
		}
		if s.Failed && !n.Failed {
			n.Failed, n.Message = true, s.Message
		}
		if n.Code == 0 {
			n.Code = s.Code
		}
		if !hasUsed(n.Resource) && hasUsed(s.Resource) {
			n.Resource = maps.Clone(s.Resource)
		}
	}
	for _, n := range t.nodes {
		if p := byID[n.Parent]; p != nil && p != n {
			n.parent = p
		}
	}
	breakCycles(t.nodes)
	return t
}

// ID is the trace's, 32 digits of hex.
func (t *Trace) ID() string { return t.id }

// Spans is how many spans the trace has, each once.
func (t *Trace) Spans() int { return len(t.nodes) }

// ancestors are the spans above n, the nearest first, as far up as any real
// trace goes.
func (n *node) ancestors() iter.Seq[*node] {
	const deepest = 64
	return func(yield func(*node) bool) {
		at := n.parent
		for i := 0; at != nil && i < deepest && yield(at); i++ {
			at = at.parent
		}
	}
}

// breakCycles cuts loops of parents, which no tracer makes but a file may hold. A walk
// up from each node ends where an earlier one was.
func breakCycles(list []*node) {
	for i, n := range list {
		visit := i + 1
		for at := n; at != nil && at.visit == 0; at = at.parent {
			at.visit = visit
			if at.parent != nil && at.parent.visit == visit {
				at.parent = nil
			}
		}
	}
}
