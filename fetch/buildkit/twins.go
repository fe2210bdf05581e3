package buildkit

import (
	"slices"

	"github.com/buildregress/buildregress/detect/dockerfile"
)

// Of one instruction a build may be shown two vertices, of which one is executed and the
// other finds its result, or both do: where another build makes the same on its builder at
// the same time, and where BuildKit finds that what two targets of a bake need is the same,
// as where they load one context. Each such pair is one step, that of the vertex that was
// executed: it is what this build waited for, though nothing in it is made of that, but of
// its twin.
//
// Traces tell neither of what was found nor of what it was made of: what two targets share
// is found out there by what other bakes show, see bake.go.

// twins are the vertices of a build that are not told, as another one stands for them.
type twins struct {
	step map[*vertex]*vertex // what stands for a vertex
	own  map[*vertex]*vertex // of what was executed for others, the vertex of this build
}

// twinsOf finds the pairs among the vertices of a build: those of the same instruction at
// the same place, of which one was left as it was. Of the steps for two platforms, which
// may be called alike, each is used.
func twinsOf(vertices []*vertex, prefix string) twins {
	const deepest = 100 // stages that are made of one another
	const most = 20     // vertices that are called alike: real ones are two or three
	type like struct {
		name   string
		source bool // an ADD of an address is two vertices
	}
	likeOf := func(v *vertex) like { return like{v.nameFor(prefix), len(v.inputs) == 0} }
	groups := make(map[like][]*vertex, len(vertices))
	for _, v := range vertices {
		l := likeOf(v)
		groups[l] = append(groups[l], v)
	}
	if len(groups) == len(vertices) {
		return twins{}
	}
	platforms := false
	var several [][]*vertex
	for _, v := range vertices {
		l := likeOf(v)
		list, name := groups[l], dockerfile.ParseName(l.name)
		platforms = platforms || name.Platform != ""
		if v == list[0] && len(list) > 1 && len(list) <= most && name.Count > 0 {
			several = append(several, list)
		}
	}
	users := map[string][]*vertex{}
	for _, v := range vertices {
		for _, digest := range v.inputs {
			users[digest] = append(users[digest], v)
		}
	}
	other, own := map[*vertex]*vertex{}, map[*vertex]*vertex{}
	stands := func(v *vertex) bool { return own[v] != nil }
	for range deepest {
		before := len(other)
		for _, list := range several {
			for _, v := range list {
				if other[v] != nil || stands(v) || !v.isIdle() || platforms && len(users[v.digest]) == 0 {
					continue
				}
				for _, step := range list {
					if step != v && other[step] == nil && !slices.ContainsFunc(users[step.digest], func(user *vertex) bool { return !stands(user) }) {
						other[v], own[step] = step, v
						break
					}
				}
			}
		}
		if len(other) == before {
			break
		}
	}
	t := twins{map[*vertex]*vertex{}, map[*vertex]*vertex{}}
	for v, step := range other {
		if !step.isIdle() || own[step].neverStarted() {
			t.step[v], t.own[step] = step, own[step]
			continue
		}
		t.step[step] = own[step] // both were found
		if v != own[step] {
			t.step[v] = own[step]
		}
	}
	return t
}

// isIdle tells whether nothing was executed for the vertex.
func (v *vertex) isIdle() bool {
	return v.err == "" && !v.running() && (v.neverStarted() || v.cached && !v.ran())
}
