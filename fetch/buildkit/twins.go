package buildkit

import "github.com/buildregress/buildregress/detect/dockerfile"

// A build that begins while another one makes the same on its builder is shown vertices of
// both: the other's, which are executed, and its own of the same names, which find the
// results and are cached. Each such pair is one step, that of the vertex that was executed:
// it is what this build waited for.

// twins are vertices of another build and their like in this one.
type twins struct {
	other map[string]string // digests in the other build, by those in this one
	own   map[string]string // the reverse
}

// twinsOf finds the pairs among the vertices of a build. What another build's vertices make
// goes into no vertex of this one.
func twinsOf(vertices []*vertex, prefix string) twins {
	type like struct {
		name   string
		source bool // an ADD of an address is two vertices
	}
	likeOf := func(v *vertex) like { return like{v.nameFor(prefix), len(v.inputs) == 0} }
	groups := map[like][]*vertex{}
	consumers := map[string][]string{}
	for _, v := range vertices {
		if l := likeOf(v); dockerfile.ParseName(l.name).Count > 0 {
			groups[l] = append(groups[l], v)
		}
		for _, in := range v.inputs {
			consumers[in] = append(consumers[in], v.digest)
		}
	}
	t := twins{map[string]string{}, map[string]string{}}
	pair := func(other, own *vertex) {
		t.other[own.digest], t.own[other.digest] = other.digest, own.digest
	}
	found := func(v *vertex) bool { return v.cached && !v.ran() }
	var unsure [][]*vertex // both were found
	for _, v := range vertices {
		group := groups[likeOf(v)]
		switch {
		case len(group) != 2 || v != group[0]:
		case found(group[0]) && found(group[1]):
			unsure = append(unsure, group)
		case found(group[0]):
			pair(group[1], group[0])
		case found(group[1]):
			pair(group[0], group[1])
		}
	}
	if len(t.own) == 0 {
		return t
	}
	intoOthers := func(v *vertex) bool {
		for _, digest := range consumers[v.digest] {
			if t.own[digest] == "" {
				return false
			}
		}
		return true
	}
	const rounds = 64 // vertices are announced before what they are made of: few are enough
	for round, changed := 0, true; changed && round < rounds; round++ {
		changed = false
		// What the other build found in the cache as well is told by what was made of it.
		for _, group := range unsure {
			if a, b := intoOthers(group[0]), intoOthers(group[1]); a != b && t.own[group[0].digest] == "" && t.own[group[1].digest] == "" {
				if changed = true; a {
					pair(group[0], group[1])
				} else {
					pair(group[1], group[0])
				}
			}
		}
	}
	for round, changed := 0, true; changed; round++ {
		if changed = false; round == rounds {
			return twins{}
		}
		for _, v := range vertices {
			if own := t.own[v.digest]; own != "" && !intoOthers(v) {
				delete(t.own, v.digest)
				delete(t.other, own)
				changed = true
			}
		}
	}
	return t
}

// without leaves out the vertices that have a twin.
func (t twins) without(vertices []*vertex) []*vertex {
	if len(t.own) == 0 {
		return vertices
	}
	var rest []*vertex
	for _, v := range vertices {
		if t.own[v.digest] == "" && t.other[v.digest] == "" {
			rest = append(rest, v)
		}
	}
	return rest
}

// isTold tells whether the step of a vertex is that of its twin: of the two, the one that
// was executed, and this build's own if both were cached.
func (p *Progress) isTold(v *vertex, t twins) bool {
	if other := p.vertices[t.other[v.digest]]; other != nil {
		return !other.cached || other.ran()
	}
	return t.own[v.digest] != "" && v.cached && !v.ran()
}
