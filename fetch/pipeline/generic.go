package pipeline

import (
	"fmt"
	"slices"
)

// generic is the run that the whole trace is, if somebody says that it is one: its root is
// the one span without a parent. What is called often within one level is one step.
func (t *tree) generic() *run {
	if len(t.tops) != 1 || t.tops[0].Parent != "" || t.tops[0].Start.IsZero() || len(t.tops[0].kids) == 0 {
		return nil
	}
	root := t.tops[0]
	r := &run{emitter: &emitter{name: "any"}, tree: t, root: root, makers: map[maker]bool{root.maker(): true}}
	for _, kid := range root.kids {
		r.makers[kid.maker()] = true
	}
	const levels = 3 // that are opened at most
	r.open(root, levels)
	return r
}

// open leaves of what is below a span the levels that make up most of it.
func (r *run) open(s *span, levels int) {
	s.kids = r.united(s.kids)
	for _, kid := range s.kids {
		if levels <= 1 || 2*kid.End.Sub(kid.Start) <= r.root.End.Sub(r.root.Start) || !slices.ContainsFunc(kid.kids, r.isOwn) {
			kid.kids = nil
			continue
		}
		r.open(kid, levels-1)
	}
}

// united puts spans together that are called alike: how often a program calls another is
// no part of its name. Their times are that from the first to the last.
func (r *run) united(kids []*span) (out []*span) {
	const most = 3 // of one name are told apart
	named := map[string][]*span{}
	for _, s := range kids {
		named[s.Name] = append(named[s.Name], s)
	}
	for _, s := range kids {
		all := named[s.Name]
		if len(all) <= most {
			out = append(out, s)
			continue
		}
		if all[0] != s {
			continue
		}
		one := *s.Span
		end := one.Start
		took := one.Start
		for _, other := range all { // by start
			if other.Start.After(end) {
				end = other.Start
			}
			if other.End.After(end) {
				took = took.Add(other.End.Sub(end))
				end = other.End
			}
		}
		one.End = took
		one.Name = fmt.Sprintf("%s (all)", s.Name)
		out = append(out, &span{Span: &one, parent: s.parent, order: s.order})
	}
	return out
}
