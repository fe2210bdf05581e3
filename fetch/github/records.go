package github

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

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

// Builds are those of one run: that of w.RunID, else the one that the options
// name, else the newest of the commit w.Revision that holds records, or of any.
func (s *Records) Builds(ctx context.Context, w fetch.Want) ([]detect.Build, []error, error) {
	run, artifacts, err := s.subject(ctx, w)
	if err != nil {
		return nil, nil, err
	}
	var builds []made
	var problems []error
	if more := len(artifacts) - maxArtifacts; more > 0 {
		problems = append(problems, fmt.Errorf("%s: run %d: %d artifacts beyond the first %d are left out", s.shown(), run.GetID(), more, maxArtifacts))
		artifacts = artifacts[:maxArtifacts]
	}
	kept, err := s.kept(ctx, "artifacts", idsOf(artifacts))
	if err != nil {
		problems = append(problems, err)
	}
	results := make([]result, len(artifacts))
	each(len(artifacts), func(i int) bool {
		results[i] = s.result(ctx, artifacts[i], kept)
		return true
	})
	for i, r := range results {
		name := artifacts[i].GetName()
		problems = append(problems, r.warnings...)
		if r.err != nil {
			problems = append(problems, &fetch.DecodeError{Name: name, Offset: -1, Err: r.err})
			continue
		}
		for _, b := range r.builds {
			s.identify(&b, run, "")
			builds = append(builds, made{b, isOlder(artifacts[i], run)})
		}
	}
	if len(builds) == 0 {
		what := fmt.Errorf("%s: run %d: %w", s.shown(), run.GetID(), ErrNoRecords)
		if len(problems) > 0 {
			return nil, nil, errors.Join(append([]error{what}, problems...)...)
		}
		return nil, nil, what
	}
	return latest(builds), problems, nil
}

func idsOf(artifacts []*gh.Artifact) (ids []string) {
	for _, a := range artifacts {
		ids = append(ids, strconv.FormatInt(a.GetID(), 10))
	}
	return ids
}

// subject is the run that is to be judged, and what may hold its records.
func (s *Records) subject(ctx context.Context, w fetch.Want) (*gh.WorkflowRun, []*gh.Artifact, error) {
	id, err := s.wantedRun(w)
	if err != nil {
		return nil, nil, err
	}
	var runs []*gh.WorkflowRun
	if id != 0 {
		run, err := s.run(ctx, id)
		if err != nil {
			return nil, nil, err
		}
		runs = append(runs, run)
	} else {
		const most = 20
		runs, err = s.listRuns(ctx, gh.ListWorkflowRunsOptions{HeadSHA: w.Revision}, 1, most, func(*gh.WorkflowRun) bool { return true })
		if err != nil {
			return nil, nil, err
		}
	}
	found, err := s.artifactsOf(ctx, runs)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range runs {
		if len(found[r.GetID()]) > 0 {
			return r, found[r.GetID()], nil
		}
	}
	if id != 0 {
		return nil, nil, fmt.Errorf("%s: run %d: %w", s.shown(), id, ErrNoRecords)
	}
	return nil, nil, fmt.Errorf("%s: the newest %d runs: %w", s.shown(), len(runs), ErrNoRecords)
}

// A made is a build of some run, and whether an earlier attempt of the run made it.
type made struct {
	detect.Build
	older bool
}

// latest are the builds of a run without those that a later attempt of it made
// again: what it did not make again still holds.
func latest(all []made) (out []detect.Build) {
	again := map[string]bool{} // pipelines
	for _, m := range all {
		if !m.older {
			again[m.Pipeline] = true
		}
	}
	for _, m := range all {
		if !m.older || !again[m.Pipeline] {
			out = append(out, m.Build)
		}
	}
	return out
}

// isOlder tells whether an artifact was made by an earlier attempt of its run.
func isOlder(a *gh.Artifact, run *gh.WorkflowRun) bool {
	return run.GetRunAttempt() > 1 && a.GetCreatedAt().Before(run.GetRunStartedAt().Time)
}

// A result is what was found in an artifact.
type result struct {
	builds   []detect.Build
	warnings []error
	err      error
}

func (s *Records) result(ctx context.Context, a *gh.Artifact, kept map[string][]detect.Build) result {
	builds, warnings, err := s.source.read(ctx, a, kept)
	return result{builds, warnings, err}
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

// History finds the newest successful runs of the base branch and their records,
// and the newest of the build's own branch or pull request. Where a rate limit or
// the time ends that early, the history is smaller, and says so.
func (s *Records) History(ctx context.Context, q fetch.Query) (*detect.History, error) {
	inner, cancel := s.limit(ctx)
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
	q.BaseRepository = s.canonical(l)
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
			if s.Normal != nil {
				s.Normal(&b)
			}
			m.Add(b)
		}
	}
	return m.Pipelines(context.Background())
}

// canonical is the repository's name as its runs have it.
func (s *Records) canonical(l list) string {
	for _, r := range slices.Concat(l.base, l.head) {
		if name := r.GetRepository().GetFullName(); name != "" {
			return name
		}
	}
	return s.shown()
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

// builds reads the records of the runs: those of the base branch until there are
// enough, and those of the build's own.
func (s *Records) builds(ctx context.Context, q fetch.Query, l list, t *tally) (base, own []detect.Build) {
	var candidates []candidate
	for _, r := range l.head {
		candidates = append(candidates, s.candidates(r, l.artifacts[r.GetID()])...)
	}
	heads := len(candidates)
	t.runs = len(l.base)
	for _, r := range l.base {
		candidates = append(candidates, s.candidates(r, l.artifacts[r.GetID()])...)
	}
	t.none = len(candidates) == heads
	if len(candidates) > maxArtifacts {
		t.left += len(candidates) - maxArtifacts
		candidates = candidates[:maxArtifacts]
	}
	results := s.readAll(ctx, q, candidates, heads, t)
	for i, c := range candidates[:heads] {
		t.count(results[i])
		for _, b := range results[i].builds {
			if s.identify(&b, c.run, q.Build.PullRequest); s.isOf(&b, q.Build) {
				b.Pipeline = q.Build.Pipeline
				own = append(own, b)
			}
		}
	}
	enough := 0
	var ofRun []made
	for i := heads; i < len(candidates) && enough < q.Window; i++ {
		c := candidates[i]
		t.count(results[i])
		for _, b := range results[i].builds {
			s.identify(&b, c.run, "")
			b.Branch = q.BaseBranch // of a merge queue's, too
			if s.isOf(&b, q.Build) {
				ofRun = append(ofRun, made{b, isOlder(c.artifact, c.run)})
			}
		}
		if i+1 < len(candidates) && candidates[i+1].run == c.run {
			continue
		}
		for _, b := range latest(ofRun) {
			b.Pipeline = q.Build.Pipeline
			base = append(base, b)
			if b.Outcome == detect.OK {
				enough++
			}
		}
		ofRun = nil
	}
	return base, own
}

// A candidate is an artifact that may hold a record for the history.
type candidate struct {
	run      *gh.WorkflowRun
	artifact *gh.Artifact
}

// candidates are those of a run, the newest first.
func (s *Records) candidates(r *gh.WorkflowRun, artifacts []*gh.Artifact) (out []candidate) {
	for _, a := range s.ofJob(artifacts) {
		out = append(out, candidate{r, a})
	}
	slices.SortStableFunc(out, func(x, y candidate) int {
		return y.artifact.GetCreatedAt().Compare(x.artifact.GetCreatedAt().Time)
	})
	return out
}

// ofJob leaves out the records of other jobs, where names tell: where one is
// called buildregress- and the name of the pipeline that was given by hand, or else
// of the job that runs us, it is the one.
func (s *Records) ofJob(artifacts []*gh.Artifact) []*gh.Artifact {
	for _, name := range []string{s.Pipeline, s.Job} {
		var own []*gh.Artifact
		for _, a := range artifacts {
			if name != "" && strings.EqualFold(a.GetName(), "buildregress-"+name) {
				own = append(own, a)
			}
		}
		if len(own) > 0 {
			return own
		}
	}
	return artifacts
}

// readAll reads the candidates, several at a time and in order, until a window
// full of the base's is read, or a limit ends it.
func (s *Records) readAll(ctx context.Context, q fetch.Query, candidates []candidate, heads int, t *tally) []result {
	var unknown []*gh.Artifact
	for _, c := range candidates {
		if _, known := s.read[c.artifact.GetID()]; !known {
			unknown = append(unknown, c.artifact)
		}
	}
	kept, err := s.kept(ctx, "artifacts", idsOf(unknown))
	if err != nil {
		t.shelf = err
	}
	progress := newProgress(len(candidates), heads, q.Window, func(i int) bool {
		return i+1 == len(candidates) || candidates[i+1].run != candidates[i].run
	})
	results := make([]result, len(candidates))
	s.eachTold(len(candidates), func(i int) bool {
		a := candidates[i].artifact
		r, known := s.read[a.GetID()] // nobody writes to it while they are read
		if !known {
			r = s.result(ctx, a, kept)
		}
		results[i] = r
		if spent(r.err) {
			return false
		}
		n := 0
		for _, b := range r.builds {
			s.identify(&b, candidates[i].run, "")
			if b.Outcome == detect.OK && s.isOf(&b, q.Build) && !isOlder(a, candidates[i].run) {
				n++
			}
		}
		return !progress.done(i, n)
	})
	for i, c := range candidates {
		if r := results[i]; r.builds != nil || errors.Is(r.err, errNoRecord) {
			s.read[c.artifact.GetID()] = r
		}
	}
	t.shelf = cmp.Or(t.shelf, s.trouble)
	return results
}

// isOf tells whether b is a build of what the other builds, the one to be judged.
// A name that was given by hand is in no record, and some records know none:
// then it is that of which half the steps are the same.
func (s *Records) isOf(b, judged *detect.Build) bool {
	if b.Pipeline == judged.Pipeline {
		return true
	}
	if b.Pipeline != "" && s.Pipeline == "" {
		// Records name the repository that they were checked out of: a fork's says
		// the fork's.
		what, own := strings.CutPrefix(b.Pipeline, b.Repository+" ")
		other, forked := strings.CutPrefix(judged.Pipeline, judged.Repository+" ")
		return own && forked && what == other
	}
	return 2*sharedKeys(b, judged) >= max(len(b.Steps), len(judged.Steps))
}

// sharedKeys counts the steps that two builds have in common.
func sharedKeys(a, b *detect.Build) (n int) {
	keys := map[string]int{}
	for _, step := range a.Steps {
		keys[step.Key]++
	}
	for _, step := range b.Steps {
		if keys[step.Key] > 0 {
			keys[step.Key]--
			n++
		}
	}
	return n
}
