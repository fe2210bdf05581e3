package command

import (
	"context"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/store"
	"github.com/buildregress/buildregress/internal/ci"
)

// changes are the files that differ between pairs of commits of the checkout in the
// working directory, each asked for once. A check asks for a few.
type changes map[[2]string]changed

type changed struct {
	files []string
	known bool
}

// maxPairs bounds what one check asks of git.
const maxPairs = 40

func (c *changes) between(ctx context.Context, e ci.Env, before, after string) (files []string, known bool) {
	pair := [2]string{before, after}
	found, asked := (*c)[pair]
	if !asked && len(*c) < maxPairs {
		if *c == nil {
			*c = changes{}
		}
		found.files, found.known = ci.ChangedFiles(ctx, e, ".", before, after)
		(*c)[pair] = found
	}
	return found.files, found.known
}

// dropFacts leaves of the targets nothing that could tell why a step is slower.
func dropFacts(targets []target) {
	for i := range targets {
		targets[i].DropFacts()
	}
}

// A factless store keeps of what servers answer nothing that could tell why a step is
// slower, either.
type factless struct{ *store.Store }

// Put puts builds there as a cache does.
func (f factless) Put(ctx context.Context, source, id string, builds []detect.Build) error {
	return f.Store.Put(ctx, source, id, withoutFacts(builds))
}

// Save keeps what searches found.
func (f factless) Save(ctx context.Context, source string, searches []fetch.Search) error {
	bare := make([]fetch.Search, len(searches))
	for i, s := range searches {
		hits := make([]fetch.Hit, len(s.Hits))
		for k, h := range s.Hits {
			h.Builds = withoutFacts(h.Builds)
			hits[k] = h
		}
		s.Hits = hits
		bare[i] = s
	}
	return f.Store.Save(ctx, source, bare)
}

// withoutFacts are the builds, which stay as they are.
func withoutFacts(builds []detect.Build) []detect.Build {
	bare := make([]detect.Build, len(builds))
	for i := range builds {
		bare[i] = builds[i]
		bare[i].DropFacts()
	}
	return bare
}
