package command

import (
	"context"
	"errors"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/github"
	"github.com/buildregress/buildregress/fetch/store"
	"github.com/buildregress/buildregress/internal/ci"
)

// changes are the files that differ between pairs of commits, each asked for once: of the
// checkout in the working directory, and of GitHub where that lacks a commit. A check asks
// for a few.
type changes struct {
	env    *Env
	names  *ci.Resolver
	pairs  map[[2]string]changed
	asked  int  // of GitHub
	failed bool // GitHub did, or is not to be asked, and is asked no more
}

type changed struct {
	files []string
	known bool
}

const (
	maxPairs = 40 // that one check asks of git
	maxAsked = 10 // … of GitHub, whose limits other jobs share
	// askedWithin is how long one answer of GitHub's may take: a report without it is
	// better than a late one.
	askedWithin = 5 * time.Second
)

// in tells which files a build was made from changed, as far as they may reach its builder.
func (c *changes) in(ctx context.Context, b *timeline.Build) detect.Changed {
	var ignore *ci.Ignore
	sent := map[[2]string]changed{}
	return func(before, after string) ([]string, bool) {
		pair := [2]string{before, after}
		if s, ok := sent[pair]; ok {
			return s.files, s.known
		}
		files, known := c.between(ctx, before, after, c.isFork(b))
		if !known || len(files) == 0 {
			return files, known
		}
		if ignore == nil {
			ignore = ci.ReadIgnore(ctx, c.env.Variables, ".", b.Revision, contextOf(b), dockerfileOf(b))
		}
		var s changed
		s.files, s.known = ignore.Sent(ctx, files)
		sent[pair] = s
		return s.files, s.known
	}
}

// isFork tells whether a build is one of a fork's pull request: of that, GitHub alone is
// believed where it is there to be asked.
func (c *changes) isFork(b *timeline.Build) bool {
	base := fetch.RepositoryName(c.names.CI.BaseRepository)
	return ci.OnGitHub(c.env.Variables) && base != "" && b.Repository != "" && fetch.RepositoryName(b.Repository) != base
}

func (c *changes) between(ctx context.Context, before, after string, isFork bool) (files []string, known bool) {
	pair := [2]string{before, after}
	found, asked := c.pairs[pair]
	if !asked && len(c.pairs) < maxPairs {
		if c.pairs == nil {
			c.pairs = map[[2]string]changed{}
		}
		if !isFork {
			found.files, found.known = ci.ChangedFiles(ctx, c.env.Variables, ".", before, after)
		}
		if !found.known {
			found.files, found.known = c.ask(ctx, before, after)
		}
		c.pairs[pair] = found
	}
	return found.files, found.known
}

// ask asks GitHub, where a workflow of it runs us: the checkout of one has no history.
func (c *changes) ask(ctx context.Context, before, after string) (files []string, known bool) {
	to := destinationOf(c.env.Variables, c.names.CI)
	if c.failed || c.asked == maxAsked || !to.isWorkflow || to.owner == "" || to.repo == "" || ci.GitHubToken(c.env.Variables) == "" ||
		!ci.IsCommit(before) || !ci.IsCommit(after) {
		return nil, false
	}
	hub, err := c.env.GitHub()
	if err == nil {
		inner, stop := context.WithTimeout(ctx, askedWithin)
		defer stop()
		c.asked++
		files, known, err = github.ChangedFiles(inner, hub.Client, c.env.Clock, to.owner, to.repo, before, after)
	}
	if err != nil {
		c.failed = !errors.Is(err, github.ErrDenied) // that may be of one commit
		c.env.Console.Debugf("which files changed: %v", err)
	}
	return files, known
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
func (f factless) Put(ctx context.Context, source, id string, builds []timeline.Build) error {
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
func withoutFacts(builds []timeline.Build) []timeline.Build {
	bare := make([]timeline.Build, len(builds))
	for i := range builds {
		bare[i] = builds[i]
		bare[i].DropFacts()
	}
	return bare
}

// contextOf is the folder of the repository that is a build's context.
func contextOf(b *timeline.Build) string {
	if b.Facts == nil {
		return ""
	}
	return b.Facts.Context
}

// dockerfileOf is the path of its Dockerfile, "" if that is not known.
func dockerfileOf(b *timeline.Build) string {
	for i := range b.Steps {
		if file := b.Steps[i].Source.File; file != "" {
			return file
		}
	}
	return ""
}
