package fetch

import (
	"context"
	"slices"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
)

// Select makes the history that q asks for out of builds that are in memory.
func Select(builds []timeline.Build, q Query) *detect.History {
	var m Memory
	for i := range builds {
		m.Add(builds[i])
	}
	h, _ := m.History(context.Background(), q) // a Memory never fails
	return h
}

// Join makes one history of two answers to the same query, such as a store's
// and that of builds which are not in it.
func Join(a, b *detect.History, q Query) *detect.History {
	list := func(h *detect.History) []timeline.Build { return slices.Concat(h.Base, h.Sparse, h.Other, h.Branch) }
	more := list(b)
	if len(more) == 0 {
		return a
	}
	h := Select(append(list(a), more...), q)
	h.Source, h.Notes, h.AnyBranch = a.Source, a.Notes, a.AnyBranch
	switch { // what lies beyond the windows is in neither list
	case a.Tails != nil:
		h.Tails = a.Tails
	case b.Tails != nil:
		h.Tails = b.Tails
	}
	return h
}

// A Branch is what builds follow each other on: a branch of a repository, or a
// pull request.
type Branch struct{ Repository, Branch, PullRequest string }

// BranchOf is what b was built on.
func BranchOf(b *timeline.Build) Branch { return Branch{b.Repository, b.Branch, b.PullRequest} }
