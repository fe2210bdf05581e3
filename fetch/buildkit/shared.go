package buildkit

import "slices"

// Two builds on one daemon that need the same share it: the daemon makes their vertices
// one, and tells both of those that either one had. A vertex that a build has itself comes
// with all that it needs; that of another one needs what this build was never told of.

// withoutOthers makes the vertices of other builds one with those of this build that they
// stand for. These have the same names, and are found in the cache when the others are
// done: what those did is what this build waited for.
func (p *Progress) withoutOthers(vertices []*vertex) []*vertex {
	other := p.needUnknown(vertices)
	if len(other) == 0 {
		return vertices
	}
	standIns := map[string][]*vertex{}
	for _, v := range vertices {
		if other[v] && v.err == "" && !v.running() {
			standIns[v.name] = append(standIns[v.name], v)
		}
	}
	dropped := map[*vertex]bool{}
	own := slices.Clone(vertices)
	for i, v := range own {
		if list := standIns[v.name]; v.cached && !other[v] && len(list) > 0 {
			standIns[v.name], dropped[list[0]] = list[1:], true
			if len(list[0].worked) > 0 {
				both := *v
				both.cached, both.worked, both.loaded = false, list[0].worked, nil
				own[i] = &both
			}
		}
	}
	return slices.DeleteFunc(own, func(v *vertex) bool { return dropped[v] })
}

// needUnknown are the vertices with an input that was not told of, or that need one of
// those.
func (p *Progress) needUnknown(vertices []*vertex) map[*vertex]bool {
	var found []*vertex
	need := map[*vertex]bool{}
	add := func(v *vertex) {
		if !need[v] {
			need[v] = true
			found = append(found, v)
		}
	}
	for _, v := range vertices {
		for _, digest := range v.inputs {
			if !p.Has(digest) {
				add(v)
			}
		}
	}
	if len(found) == 0 {
		return nil
	}
	users := map[string][]*vertex{}
	for _, v := range vertices {
		for _, digest := range v.inputs {
			users[digest] = append(users[digest], v)
		}
	}
	for len(found) > 0 {
		v := found[len(found)-1]
		found = found[:len(found)-1]
		for _, user := range users[v.digest] {
			add(user)
		}
	}
	return need
}
