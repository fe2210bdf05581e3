package github

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	gh "github.com/google/go-github/v60/github"
)

// Records are the build records that a repository's workflow runs keep as
// artifacts. It may be asked by one caller at a time.
type Records struct {
	source
	listings map[listKey]listing // of runs and their artifacts, as they were listed
	read     map[int64]result    // by id of the artifact
}

// OpenRecords opens a repository's build records. Nothing is asked for yet.
func OpenRecords(o Options) *Records {
	s := &Records{listings: map[listKey]listing{}, read: map[int64]result{}}
	s.set(o)
	return s
}

// History finds the newest runs of the base branch and their records,
// and the newest of the build's own branch or pull request. Where a rate limit or
// the time ends that early, the history is smaller, and says so.
func (s *Records) History(ctx context.Context, q fetch.Query) (*detect.History, error) {
	inner, cancel := s.limitHistory(ctx)
	defer cancel()
	stats := &readStats{}
	l, err := s.list(inner, q)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil && !isExhausted(err) {
		return nil, err
	}
	stats.cut(err)
	// This repository is the base: what a build calls it says nothing.
	q.BaseRepository = s.canonicalName(slices.Concat(l.base, l.head))
	base, own := s.builds(inner, q, l, stats)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case len(base) == 0 && errors.Is(stats.failure, errRefused):
		return nil, stats.failure // it would be no other the next time
	}
	h := fetch.Select(base, q)
	own = slices.DeleteFunc(own, func(b timeline.Build) bool {
		// A pull request's record that passes for one of the base is neither.
		return slices.ContainsFunc(base, func(known timeline.Build) bool { return fetch.Same(&known, &b) })
	})
	h.Branch = fetch.Select(own, q).Branch
	h.Notes = stats.notes(q.BaseBranch)
	return h, nil
}

// Pipelines are those of the records that were looked at.
func (s *Records) Pipelines(context.Context) ([]fetch.Pipeline, error) {
	var m fetch.Memory
	for _, r := range s.read {
		for _, b := range r.builds {
			if s.Normalize != nil {
				s.Normalize(&b)
			}
			m.Add(b)
		}
	}
	return m.Pipelines(context.Background())
}

// list lists the runs that can be history for a query, and their artifacts. An
// error comes with what was listed before.
func (s *Records) list(ctx context.Context, q fetch.Query) (listing, error) {
	b := q.Build
	key := listKey{base: q.BaseBranch, repository: b.Repository, branch: b.Branch, isPull: b.PullRequest != ""}
	if l, known := s.listings[key]; known {
		return l, l.err
	}
	l, err := s.listAnew(ctx, q)
	if l.err = err; err == nil || isExhausted(err) {
		s.listings[key] = l
	}
	return l, err
}

func (s *Records) listAnew(ctx context.Context, q fetch.Query) (l listing, err error) {
	b := q.Build
	before := b.Start
	if before.IsZero() {
		before = s.Now()
	}
	if l.base, err = s.baseRuns(ctx, q.BaseBranch, before, q.Window); err != nil {
		return l, err
	}
	onBase := b.PullRequest == "" && b.Branch == q.BaseBranch && (q.BaseRepository == "" || b.Repository == q.BaseRepository)
	if b.Branch != "" && !onBase {
		if l.head, err = s.headRuns(ctx, b.Repository, b.Branch, b.PullRequest != "", before); err != nil && !isExhausted(err) {
			return l, err
		}
	}
	runs := slices.Concat(l.base, l.head)
	newestFirst(runs)
	found, failed := s.artifactsOf(ctx, runs)
	l.artifacts = found
	return l, cmp.Or(err, failed)
}

// A listKey is a question, and a listing the answer to it.
type listKey struct {
	base, repository, branch string
	isPull                   bool
}

type listing struct {
	base, head []*gh.WorkflowRun
	artifacts  map[int64][]*gh.Artifact
	err        error // what ended it early, if anything did
}
