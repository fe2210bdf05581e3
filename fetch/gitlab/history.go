package gitlab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"golang.org/x/sync/errgroup"
)

// A found is a pipeline of the history, with its build once that was read.
type found struct {
	pipeline
	jobs  []job
	build *timeline.Build // nil if nothing of it ran
	read  bool            // now, and not kept yet
	err   error
}

// History are the newest pipelines of the base branch, and the newest of the build's own
// branch or merge request.
func (s *Source) History(ctx context.Context, q fetch.Query) (*detect.History, error) {
	inner := ctx
	if deadline, ends := ctx.Deadline(); ends {
		var cancel context.CancelFunc
		inner, cancel = context.WithDeadline(ctx, deadline.Add(-s.Reserve))
		defer cancel()
	}
	var base, head []*found
	var err error
	if s.JobToken {
		base, head, err = s.byJobs(inner, q)
	} else {
		base, head, err = s.byPipelines(inner, q)
	}
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil && !isExhausted(err):
		return nil, err
	}
	all, notes := s.compared(q, base, head, err)
	h := fetch.Select(all, q)
	h.Notes = notes
	return h, nil
}

// compared are the builds that one is judged against, and what could not be had of them.
func (s *Source) compared(q fetch.Query, base, head []*found, cut error) (all []timeline.Build, notes []detect.Note) {
	note := func(text string) {
		notes = append(notes, detect.Note{Kind: detect.KindHistory, Text: text})
	}
	failed, unread := 0, 0
	var failure error
	add := func(f *found, repository, branch, pull string) {
		switch {
		case isExhausted(f.err):
			cut = cmp.Or(cut, f.err)
			unread++
			return
		case f.err != nil:
			failed++
			failure = cmp.Or(failure, f.err)
			return
		case f.build == nil:
			return
		}
		b := s.trim(*f.build)
		if strings.HasPrefix(q.Build.ID, prefix) { // whatever name it was given since
			b.Pipeline = q.Build.Pipeline
		}
		b.Repository, b.Branch, b.PullRequest = repository, branch, pull
		if s.Normalize != nil {
			s.Normalize(&b)
		}
		if len(b.Steps) > 0 && b.Pipeline == q.Build.Pipeline {
			all = append(all, b)
			s.seen = append(s.seen, b)
		}
	}
	for _, f := range head {
		add(f, q.Build.Repository, q.Build.Branch, q.Build.PullRequest)
	}
	for _, f := range base {
		add(f, cmp.Or(q.BaseRepository, s.Project), q.BaseBranch, "")
	}
	if len(base) == 0 && cut == nil {
		note(fmt.Sprintf("GitLab knows no pipeline on %s that is over yet", q.BaseBranch))
	}
	if failed > 0 {
		note(fmt.Sprintf("pipelines left out: %d could not be had (%v)", failed, failure))
	}
	if cut != nil {
		why := "the time for it was over"
		if limit, ok := errors.AsType[*LimitError](cut); ok {
			why = limit.Error()
		}
		if unread > 0 {
			why += fmt.Sprintf(" (%d pipelines not read)", unread)
		}
		note("the history is smaller than it could be: " + why)
	}
	if s.cacheErr != nil {
		note(fmt.Sprintf("what was fetched is fetched again: %v", s.cacheErr))
	}
	return all, notes
}

// isBefore tells whether a pipeline may be of the history of a build.
func (s *Source) isBefore(p *pipeline, q *fetch.Query) bool {
	switch {
	case !slices.Contains(ended, p.Status), !p.Created.Before(q.Build.Start), p.ID == s.Run, prefix+id(p.ID) == q.Build.ID:
		return false
	case strings.HasPrefix(p.Source, "external_pull_request"): // elsewhere, of any branch
		return false
	}
	return p.kind() == s.kind
}

// headRefs are the refs of the pipelines of a build's own branch or merge request.
func headRefs(q *fetch.Query) []string {
	switch b := q.Build; {
	case b.PullRequest != "":
		return []string{"refs/merge-requests/" + b.PullRequest + "/head", "refs/merge-requests/" + b.PullRequest + "/merge"}
	case b.Branch != "" && b.Branch != q.BaseBranch && !strings.HasPrefix(b.Branch, tagged):
		return []string{b.Branch}
	}
	return nil
}

// byPipelines asks for the pipelines of a branch, and for the jobs of each.
func (s *Source) byPipelines(ctx context.Context, q fetch.Query) (base, head []*found, err error) {
	of := func(ref string, most int) (list []*found, err error) {
		query := url.Values{"ref": {ref}, "scope": {"finished"}, "created_before": {q.Build.Start.UTC().Format(time.RFC3339)}}
		if s.kind != "" { // pipelines of a parent are else not listed
			query.Set("source", s.kind)
		}
		pipelines, err := s.pipelines(ctx, query, most, func(p *pipeline) bool { return p.Ref == ref && s.isBefore(p, &q) })
		for _, p := range pipelines {
			list = append(list, &found{pipeline: p})
		}
		return list, err
	}
	const most = 200
	if base, err = of(q.BaseBranch, min(2*q.Window, most)); err != nil {
		return base, nil, err
	}
	for _, ref := range headRefs(&q) {
		more, e := of(ref, evidence)
		head, err = append(head, more...), cmp.Or(err, e)
	}
	if err != nil && !isExhausted(err) {
		return nil, nil, err
	}
	return s.readAll(ctx, q, base, head), head, err
}

// readAll reads what is not in the cache: all of head, and of base, which it returns, until
// a window is full.
func (s *Source) readAll(ctx context.Context, q fetch.Query, base, head []*found) []*found {
	all := slices.Concat(head, base)
	cached := s.cached(ctx, all)
	var read, done func()
	if s.Progress != nil {
		read, done = s.Progress(len(all))
		defer done()
	}
	enough := 0
	for from := 0; from < len(all); {
		batch := all[from:min(from+parallel, len(all))]
		var group errgroup.Group
		for _, f := range batch {
			group.Go(func() error {
				s.read(ctx, f, cached)
				if read != nil {
					read()
				}
				return nil
			})
		}
		_ = group.Wait() // the errors stand beside the pipelines
		for _, f := range batch {
			if f.read {
				f.build, _ = s.buildOf(&f.pipeline, f.jobs)
			}
		}
		from += len(batch)
		spent := false
		for i, f := range batch {
			spent = spent || isExhausted(f.err)
			if at := from - len(batch) + i; at >= len(head) && f.build != nil && s.trim(*f.build).Outcome == timeline.OK && isOnBranch(f.build, q.BaseBranch) {
				enough++
			}
		}
		if from >= len(head) && enough >= q.Window {
			all = all[:from]
		}
		if spent { // the others count as not read
			for _, f := range all[from:] {
				f.err = cmp.Or(f.err, error(&LimitError{}))
			}
			break
		}
	}
	s.keep(ctx, all)
	return slices.DeleteFunc(slices.Clone(all[len(head):]), func(f *found) bool {
		return f.build != nil && !isOnBranch(f.build, q.BaseBranch)
	})
}

// read reads the jobs of a pipeline.
func (s *Source) read(ctx context.Context, f *found, cached map[string]fetch.Cached) {
	known, ok := cached[f.cacheID()]
	if ok && !known.Old {
		if len(known.Builds) > 0 {
			f.build = &known.Builds[0]
		}
		return
	}
	f.jobs, f.err = s.jobsOf(ctx, f.ID)
	if f.err != nil {
		if ok && errors.Is(f.err, ErrDenied) { // it is deleted since
			f.err = nil
			if len(known.Builds) > 0 {
				f.build = &known.Builds[0]
			}
		}
		return
	}
	f.read = true
}

// byJobs asks for the newest jobs of the whole project, which is all that a job's token
// may, and puts them together to pipelines.
func (s *Source) byJobs(ctx context.Context, q fetch.Query) (base, head []*found, err error) {
	refs := headRefs(&q)
	of := map[int64]*found{}
	type name struct {
		pipeline int64
		job      string
	}
	newest := map[name]bool{} // the others were run again since
	var order []*found
	last := int64(math.MaxInt64) // pipeline of the newest job; those before it have come whole
	isWhole := func(f *found) bool { return f.ID > last }
	more, err := list(ctx, s, "jobs", s.path("jobs"), url.Values{}, jobPages, func(j job) bool {
		p := j.Pipeline
		if p.ID < last {
			last = p.ID
			onBase := 0
			for _, f := range order {
				if isWhole(f) && f.Ref == q.BaseBranch && !f.jobs[0].Tag {
					onBase++
				}
			}
			if onBase >= q.Window {
				return false
			}
		}
		if !s.isBefore(&p, &q) || p.Ref != q.BaseBranch && !slices.Contains(refs, p.Ref) {
			return true
		}
		f := of[p.ID]
		if f == nil {
			f = &found{pipeline: p}
			of[p.ID] = f
			order = append(order, f)
		}
		if !newest[name{p.ID, j.Name}] && len(f.jobs) < maxJobs {
			newest[name{p.ID, j.Name}] = true
			f.jobs = append(f.jobs, j)
		}
		return true
	})
	for _, f := range order {
		if more && !isWhole(f) {
			continue
		}
		if f.build, _ = s.buildOf(&f.pipeline, f.jobs); f.build == nil {
			continue
		}
		switch {
		case isOnBranch(f.build, q.BaseBranch):
			base = append(base, f)
		case slices.Contains(refs, f.Ref) && len(head) < evidence:
			head = append(head, f)
		}
	}
	return base, head, err
}

// cacheID is under what a cache keeps a pipeline: one that was run again has another.
func (f *found) cacheID() string { return id(f.ID) + "/" + f.Updated.UTC().Format(time.RFC3339Nano) }

// cacheSource is what a cache keeps pipelines by: the project, whose name may be written in
// any case, and the jobs that count, whose names may not.
func (s *Source) cacheSource() string {
	return s.API + strings.ToLower(s.path("pipelines")) + "?job=" + url.QueryEscape(s.Jobs)
}

// cached is what the cache holds of some pipelines.
func (s *Source) cached(ctx context.Context, all []*found) map[string]fetch.Cached {
	if s.Cache == nil || len(all) == 0 {
		return nil
	}
	var ids []string
	for _, f := range all {
		ids = append(ids, f.cacheID())
	}
	cached, err := s.Cache.Get(ctx, s.cacheSource(), ids)
	if err != nil {
		s.cacheErr = cmp.Or(s.cacheErr, err)
	}
	return cached
}

// keep puts what was read into the cache, one after the other.
func (s *Source) keep(ctx context.Context, all []*found) {
	if s.Cache == nil {
		return
	}
	for _, f := range all {
		if !f.read {
			continue
		}
		builds := []timeline.Build{}
		if f.build != nil {
			builds = append(builds, *f.build)
		}
		if err := s.Cache.Put(ctx, s.cacheSource(), f.cacheID(), builds); err != nil {
			s.cacheErr = cmp.Or(s.cacheErr, err)
			return
		}
	}
}
