package github

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	gh "github.com/google/go-github/v60/github"
)

// History finds the same job in the newest runs of the base branch,
// and in the newest of the build's own branch or pull request.
func (s *Steps) History(ctx context.Context, q fetch.Query) (*detect.History, error) {
	inner, cancel := s.limitHistory(ctx)
	defer cancel()
	stats := &readStats{what: "runs"}
	b := q.Build
	base, err := s.baseRuns(inner, q.BaseBranch, b.Start, q.Window)
	var head []*gh.WorkflowRun
	onBase := b.PullRequest == "" && b.Branch == q.BaseBranch
	if err == nil && b.Branch != "" && !onBase {
		head, err = s.headRuns(inner, b.Repository, b.Branch, b.PullRequest != "", b.Start)
	}
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil && !isExhausted(err):
		return nil, err
	}
	stats.cut(err)
	head = slices.DeleteFunc(head, func(r *gh.WorkflowRun) bool { return r.GetID() == s.Run })
	stats.runs = len(base)
	runs := slices.Concat(head, base)
	results := s.readRuns(inner, q, runs, len(head), stats)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	q.BaseRepository = s.canonicalName(runs)
	var all []timeline.Build
	odd, enough := 0, 0
	for i, run := range runs {
		if i >= len(head) && enough >= q.Window {
			break
		}
		stats.count(result{builds: results[i].builds, err: results[i].err})
		odd += results[i].odd
		for _, b := range results[i].builds {
			pull := ""
			if i < len(head) {
				pull = q.Build.PullRequest
			}
			s.identifyJob(&b, run, pull)
			if b.Pipeline != q.Build.Pipeline {
				continue
			}
			if b = s.trim(b); i >= len(head) {
				b.Branch, b.Repository = q.BaseBranch, q.BaseRepository
				if b.Outcome == timeline.OK {
					enough++
				}
			}
			all = append(all, b)
		}
	}
	h := fetch.Select(all, q)
	h.Notes = stats.notes(q.BaseBranch)
	if odd > 0 {
		h.Notes = append(h.Notes, detect.Note{Kind: detect.KindHistory, Text: implausibleTimes(odd)})
	}
	return h, nil
}

// readRuns reads the jobs of runs, until there is a window full of the base's.
func (s *Steps) readRuns(ctx context.Context, q fetch.Query, runs []*gh.WorkflowRun, heads int, stats *readStats) []jobs {
	var ids []string
	for _, r := range runs {
		ids = append(ids, attemptID(r))
	}
	cached, err := s.cached(ctx, "jobs", ids)
	if err != nil {
		stats.cache = err
	}
	gate := newReadGate(len(runs), heads, q.Window, func(int) bool { return true })
	results := make([]jobs, len(runs))
	s.forEachShown(len(runs), func(i int) bool {
		run := runs[i]
		r, known := s.read[run.GetID()]
		if !known {
			r = s.readRun(ctx, run, cached)
		}
		results[i] = r
		n := 0
		for _, b := range r.builds {
			s.identifyJob(&b, run, "")
			if b.Pipeline == q.Build.Pipeline && s.trim(b).Outcome == timeline.OK {
				n++
			}
		}
		return !isExhausted(r.err) && !gate.done(i, n)
	})
	for i, r := range results {
		if r.err == nil && r.builds != nil {
			s.read[runs[i].GetID()] = r
		}
	}
	stats.cache = cmp.Or(stats.cache, s.cacheErr)
	return results
}

// attemptID is under what a cache keeps the jobs of a run: another attempt has
// others.
func attemptID(r *gh.WorkflowRun) string {
	return strconv.FormatInt(r.GetID(), 10) + "/" + strconv.Itoa(r.GetRunAttempt())
}

func (s *Steps) readRun(ctx context.Context, run *gh.WorkflowRun, cached map[string]fetch.Cached) (r jobs) {
	id := attemptID(run)
	known, ok := cached[id]
	if ok && !known.Old {
		return jobs{builds: notNil(known.Builds)}
	}
	list, err := s.listJobs(ctx, run.GetID())
	if ok && errors.Is(err, ErrDenied) && !errors.Is(err, errRefused) { // it is deleted since
		s.putCached(ctx, "jobs", id, known.Builds)
		return jobs{builds: notNil(known.Builds)}
	}
	if err != nil {
		return jobs{err: err}
	}
	for _, job := range list {
		if b, odd, ok := buildOf(run, job); ok {
			r.builds = append(r.builds, b)
			r.odd += odd
		}
	}
	r.builds = notNil(r.builds)
	if run.GetStatus() == "completed" {
		s.putCached(ctx, "jobs", id, r.builds)
	}
	return r
}

// notNil is a list that tells that it was read, though nothing is in it.
func notNil(builds []timeline.Build) []timeline.Build {
	if builds == nil {
		return []timeline.Build{}
	}
	return builds
}

// Pipelines are those of the jobs that were looked at.
func (s *Steps) Pipelines(ctx context.Context) ([]fetch.Pipeline, error) {
	var m fetch.Memory
	for _, r := range s.read {
		for _, b := range r.builds {
			m.Add(b)
		}
	}
	return m.Pipelines(ctx)
}

var (
	_ fetch.Source        = (*Steps)(nil)
	_ fetch.HistorySource = (*Steps)(nil)
)
