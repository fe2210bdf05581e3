package fetch

import (
	"slices"

	"github.com/buildregress/buildregress/detect"
)

// Select makes the history that q asks for out of builds that are in memory. It
// is the definition of what a history holds; a store answers the same, and
// reads less for it.
func Select(builds []detect.Build, q Query) *detect.History {
	var m Memory
	for i := range builds {
		m.Add(builds[i])
	}
	return m.find(q)
}

// Join makes one history of two answers to the same query, such as a store's
// and that of builds which are not in it.
func Join(a, b *detect.History, q Query) *detect.History {
	list := func(h *detect.History) []detect.Build { return slices.Concat(h.Base, h.Sparse, h.Other, h.Branch) }
	more := list(b)
	if len(more) == 0 {
		return a
	}
	h := Select(append(list(a), more...), q)
	h.Source, h.Notes = a.Source, a.Notes
	return h
}

// MaxBranch is how many earlier builds of a branch are evidence.
const MaxBranch = 4

// A Branch is what builds follow each other on: a branch of a repository, or a
// pull request.
type Branch struct{ Repository, Branch, PullRequest string }

// BranchOf is the line that b is on.
func BranchOf(b *detect.Build) Branch { return Branch{b.Repository, b.Branch, b.PullRequest} }

// rare searches the older builds for steps that the whole ones hold too few
// samples of, and returns what it found: builds with nothing but those steps.
func rare(whole []detect.Build, older []*detect.Build, q Query) []detect.Build {
	wanted := MissingSamples(whole, q)
	var out []detect.Build
	for _, b := range older {
		if len(wanted) == 0 || b.Start.Before(q.Since()) {
			break
		}
		var steps []detect.Step
		for i := range b.Steps {
			if s := &b.Steps[i]; s.State == detect.Executed && wanted[s.Key] > 0 {
				steps = append(steps, *s)
			}
		}
		if len(steps) == 0 {
			continue
		}
		thin := *b
		thin.Steps = steps
		out = append(out, thin)
		ran := map[string]bool{}
		for i := range steps {
			if key := steps[i].Key; !ran[key] {
				ran[key] = true
				if wanted[key]--; wanted[key] == 0 {
					delete(wanted, key)
				}
			}
		}
	}
	return out
}

// MissingSamples says for every step of q's build and of the whole builds in how many
// more builds it should be found executed, if any: a window full of them.
func MissingSamples(whole []detect.Build, q Query) map[string]int {
	type need struct{ left, ranIn int } // ranIn is the last build counted, from 1
	needs := make(map[string]*need, 2*len(q.Build.Steps))
	of := func(key string) *need {
		n := needs[key]
		if n == nil {
			n = &need{left: q.Window}
			needs[key] = n
		}
		return n
	}
	for i := range q.Build.Steps {
		of(q.Build.Steps[i].Key)
	}
	for i := range whole {
		for k := range whole[i].Steps {
			s := &whole[i].Steps[k]
			if n := of(s.Key); s.State == detect.Executed && n.ranIn != i+1 {
				n.ranIn = i + 1
				n.left--
			}
		}
	}
	wanted := map[string]int{}
	for key, n := range needs {
		if n.left > 0 {
			wanted[key] = n.left
		}
	}
	return wanted
}
