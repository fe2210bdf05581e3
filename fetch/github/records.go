package github

import (
	"context"
	"errors"
	"slices"

	gh "github.com/google/go-github/v60/github"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/fetch"
)

// Records are the build records that a repository's workflow runs keep as
// artifacts. It may be asked by one caller at a time.
type Records struct {
	source
	lists map[listKey]list // of runs and their artifacts, as they were listed
	read  map[int64]result // by id of the artifact
}

// OpenRecords opens a repository's build records. Nothing is asked for yet.
func OpenRecords(o Options) *Records {
	s := &Records{lists: map[listKey]list{}, read: map[int64]result{}}
	s.set(o)
	return s
}

// History finds the newest successful runs of the base branch and their records,
// and the newest of the build's own branch or pull request. Where a rate limit or
// the time ends that early, the history is smaller, and says so.
func (s *Records) History(ctx context.Context, q fetch.Query) (*detect.History, error) {
	inner, cancel := s.limitHistory(ctx)
	defer cancel()
	tally := &tally{}
	l, err := s.list(inner, q)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil && !spent(err) {
		return nil, err
	}
	tally.cut(err)
	// This repository is the base: what a build calls it says nothing.
	q.BaseRepository = s.canonical(slices.Concat(l.base, l.head))
	base, own := s.builds(inner, q, l, tally)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case len(base) == 0 && errors.Is(tally.failure, errRefused):
		return nil, tally.failure // it would be no other the next time
	}
	h := fetch.Select(base, q)
	own = slices.DeleteFunc(own, func(b detect.Build) bool {
		// A pull request's record that passes for one of the base is neither.
		return slices.ContainsFunc(base, func(known detect.Build) bool { return fetch.Same(&known, &b) })
	})
	h.Branch = fetch.Select(own, q).Branch
	h.Notes = tally.notes(q.BaseBranch)
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
func (s *Records) list(ctx context.Context, q fetch.Query) (list, error) {
	b := q.Build
	key := listKey{base: q.BaseBranch, repository: b.Repository, branch: b.Branch, isPull: b.PullRequest != ""}
	if l, known := s.lists[key]; known {
		return l, l.trouble
	}
	l, err := s.ask(ctx, q)
	if l.trouble = err; err == nil || spent(err) {
		s.lists[key] = l
	}
	return l, err
}

func (s *Records) ask(ctx context.Context, q fetch.Query) (l list, err error) {
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
		if l.head, err = s.headRuns(ctx, b.Repository, b.Branch, b.PullRequest != "", before); err != nil && !spent(err) {
			return l, err
		}
	}
	var trouble error
	runs := slices.Concat(l.base, l.head)
	newestFirst(runs)
	l.artifacts, trouble = s.artifactsOf(ctx, runs)
	if trouble != nil && err == nil {
		err = trouble
	}
	return l, err
}

// A listKey is a question, and a list the answer to it.
type listKey struct {
	base, repository, branch string
	isPull                   bool
}

type list struct {
	base, head []*gh.WorkflowRun
	artifacts  map[int64][]*gh.Artifact
	trouble    error // what ended it early, if anything did
}
