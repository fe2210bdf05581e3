package pipeline

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/attribute"
	"github.com/buildregress/buildregress/fetch/buildkit"
)

// deepest is how far below its root a span is looked at: no pipeline has as many levels,
// and what is further down is inside of what is above it.
const deepest = 64

// A span is one of a trace, in its tree.
type span struct {
	*buildkit.Span
	parent *span
	kids   []*span // in order of their start
	order  int     // of its arrival
	own    int8    // whether it is the emitter's, 0 as long as nobody asked
}

// A tree is a trace. What hangs in a loop of parents is not in it.
type tree struct {
	id    string
	spans map[string]*span
	tops  []*span // without a parent in the trace
	// builders are the services that are BuildKit's, by name or by what they did.
	builders map[string]bool
}

func newTree(id string, list []buildkit.Span) *tree {
	t := &tree{id: id, spans: make(map[string]*span, len(list)), builders: buildkit.Builders(list)}
	all := make([]span, 0, len(list))
	for i := range list {
		s := &list[i]
		if known := t.spans[s.ID]; known != nil { // it arrived twice
			known.absorb(s)
			continue
		}
		copied := *s
		copied.Start, copied.End = fetch.PlausibleOrZero(s.Start), fetch.PlausibleOrZero(s.End)
		all = append(all, span{Span: &copied, order: i})
		t.spans[s.ID] = &all[len(all)-1]
	}
	for i := range all {
		s := &all[i]
		if p := t.spans[s.Parent]; p != nil && p != s && s.Parent != "" {
			s.parent = p
			p.kids = append(p.kids, s)
		} else {
			t.tops = append(t.tops, s)
		}
	}
	for i := range all {
		slices.SortFunc(all[i].kids, (*span).compare)
	}
	slices.SortFunc(t.tops, (*span).compare)
	return t
}

// absorb takes over what another copy of the span says in addition.
func (s *span) absorb(other *buildkit.Span) {
	if other.Failed && !s.Failed {
		s.Failed, s.Message = true, other.Message
	}
	if len(s.Own) == 0 {
		s.Own = other.Own
	}
	if len(s.Shared) == 0 {
		s.Shared = other.Shared
	}
}

func (s *span) compare(other *span) int {
	return cmp.Or(s.Start.Compare(other.Start), s.End.Compare(other.End), cmp.Compare(s.order, other.order))
}

// each calls f for the span and all below it, as far down as is looked.
func (s *span) each(f func(*span)) { s.eachTo(deepest, f) }

func (s *span) eachTo(depth int, f func(*span)) {
	f(s)
	if depth == 0 {
		return
	}
	for _, kid := range s.kids {
		kid.eachTo(depth-1, f)
	}
}

// A maker is what tells the spans of one program's part from others.
type maker struct{ service, scope string }

func (s *span) maker() maker { return maker{s.Service, s.Scope} }

// A run is a pipeline's run in a trace: its root, and whose it is.
type run struct {
	*emitter
	tree   *tree
	root   *span
	makers map[maker]bool // of the emitter's own spans
	jobs   string         // the glob by which its jobs are chosen
}

// isOwn tells a span of the emitter from what other programs did meanwhile.
func (r *run) isOwn(s *span) bool {
	if s.own == 0 {
		s.own = -1
		if marked := r.isMarked(s.Own); s.Vertex == "" && (marked || !r.tree.builders[s.Service] && r.makers[s.maker()] && !s.Request) {
			s.own = 1
		}
	}
	return s.own > 0
}

// runs finds the runs of a trace: roots that have the mark of an emitter.
func (t *tree) runs() (found []*run) {
	for _, top := range t.tops {
		if r := t.runAt(top); r != nil {
			found = append(found, r)
		}
	}
	return found
}

// runAt is the run whose root the span is, nil if it is none.
func (t *tree) runAt(root *span) *run {
	if t.builders[root.Service] || root.Vertex != "" || root.Start.IsZero() {
		return nil
	}
	e := t.emitterOf(root)
	if e == nil || !e.isRun(root) {
		return nil
	}
	r := &run{emitter: e, tree: t, root: root, makers: map[maker]bool{root.maker(): true}}
	root.each(func(s *span) {
		if !t.builders[s.Service] && s.Vertex == "" && e.isMarked(s.Own) {
			r.makers[s.maker()] = true
		}
	})
	return r
}

// emitterOf is whose trace it is that begins with the span, nil if no mark tells.
func (t *tree) emitterOf(root *span) *emitter {
	// The attributes of one program's spans together: of the root, and of what is below it.
	own := attribute.Values{}
	maps.Copy(own, root.Own)
	for _, kid := range root.kids {
		if t.builders[kid.Service] {
			continue
		}
		for _, s := range append([]*span{kid}, kid.kids...) {
			if s.Service == root.Service {
				maps.Copy(own, s.Own)
			}
		}
	}
	for i := range emitters {
		if e := &emitters[i]; e.isMarked(own) || e.onResource && e.isMarked(root.Shared) {
			return e
		}
	}
	return nil
}

// isRun tells whether a root that has the mark is a run: one that names a parent that did
// not come is a job without its run, unless it says that it is one.
func (e *emitter) isRun(root *span) bool {
	if root.Parent != "" && !e.joins && root.Own["cicd.pipeline.result"] == "" {
		return false
	}
	if e.runName != nil {
		return e.runName.MatchString(root.Name)
	}
	if len(e.run) == 0 {
		return true
	}
	if !root.Request && attribute.First(e.ownRun, root.Own, nil) != "" {
		return true
	}
	said := false
	for _, key := range e.run {
		if root.Own[key] != "" {
			return true
		}
		said = said || e.onResource && root.Shared[key] != ""
	}
	// What the conventions put on a resource, any program has that runs within the pipeline:
	// the run's own span is called as the conventions say.
	return said && !root.Request && root.Kind != buildkit.KindClient && (!e.anybody || e.isNamedAfter(root))
}

// isNamedAfter tells whether a root is called as its pipeline.
func (e *emitter) isNamedAfter(root *span) bool {
	return e.trimmed(root.Name) == root.Shared["cicd.pipeline.name"]
}

// trimmed is a name without what only says the level.
func (e *emitter) trimmed(name string) string {
	for _, prefix := range e.cut {
		if rest, ok := strings.CutPrefix(name, prefix); ok && strings.TrimSpace(rest) != "" {
			return rest
		}
	}
	return name
}
