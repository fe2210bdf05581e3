package detect

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect/level"
	"github.com/buildregress/buildregress/detect/parallel"
	"github.com/buildregress/buildregress/detect/timeline"
)

// The judgement of a build, from end to end: which builds it is compared with, whether
// it can be judged at all, and in which order what is found goes into the result. Each
// part of it has a file of its own.

// A History is what one build is judged against. All its builds are successful,
// of the build's pipeline, and began before it; each list is newest first.
type History struct {
	Source string // where it came from, for people
	// BaseBranch is the branch whose builds are the baseline.
	BaseBranch string
	// AnyBranch tells that no build of the baseline says its branch: they may be of any.
	AnyBranch bool
	// Base holds the baseline: the newest builds of the base branch itself, never of
	// pull requests, on the kind of machine that the build ran on where enough are.
	Base []timeline.Build
	// Sparse holds builds before those, of which only the executions of steps are left
	// that are rare in Base: a step that runs in one build of ten has a history too.
	Sparse []timeline.Build
	// Tails hold what is remembered of the executions of steps before all these, by the
	// key of a step that no other of its builds has. They may be missing.
	Tails map[string]level.Tail
	// Other holds the newest successful build of each other branch, to fill up
	// a baseline that is too small.
	Other []timeline.Build
	// Branch holds the earlier builds of the build's own branch (or pull
	// request), at most 4, as evidence. Empty on the base branch.
	Branch []timeline.Build
	// Notes say what of the history could not be had.
	Notes []Note
}

// Judge compares one build, which is not nil, with its history, step by step. A nil
// history is an empty one: then the build is unjudged. Neither is changed.
//
// What the history says of itself is believed: that its builds succeeded, are of the
// build's pipeline and began before it. Lists that are not newest first are put in order.
func Judge(build *timeline.Build, history *History, p Policy) Result {
	history, p.Thresholds = history.orEmpty(), p.Thresholds.OrDefaults()
	build, history = history.withoutSalt(build)
	t := p.Thresholds
	history = history.likeWithLike(build, t)
	base, branch, filled, onBase := selectBuilds(build, history, t)
	var a *arranged
	var g *timeline.Graph
	var path []int
	parallel.Do(
		func() { a = arrange(base, history.Sparse, history.Tails, branch) },
		func() {
			g = timeline.NewGraph(build)
			path = g.CriticalPath()
		},
	)
	a.onBase = onBase
	p = p.withNames(a)
	r := newResult(build, base, history, t)
	r.Baseline.Filled = filled
	var chains []timeline.Chain
	r.Cache, chains = cacheOf(a, g)
	r.Cache.Losses, chains = dropIgnored(&p, r.Cache.Losses, chains, a)
	r.Steps = make([]StepResult, len(build.Steps))
	for i := range a.series {
		r.Steps[i] = newStepResult(&a.series[i], build)
	}
	r.Notes = append(r.Notes, p.unmatched(a)...)
	if build.Outcome != timeline.OK {
		r.leaveUnjudged(reasonsOf(build.Outcome))
		r.countStatuses()
		return r
	}
	r.Notes = append(r.Notes, ignoredFailures(build)...)
	if reason := r.unjudgeable(a, t); reason != (Note{}) {
		r.leaveUnjudged(reason, reason)
		r.markPath(g, path, build)
		if r.enforceBudgets(&p, nil) {
			r.Verdict, r.Reason = Regressed, Note{}
		}
		r.countStatuses()
		return r
	}

	gauge, loads := judgeSteps(a, filled > 0, &p, &r)
	mood := gauge.newest()
	r.RunnerFactor = gauge.factor(mood).readBy(gauge, mood, a)
	r.doubtOverloaded(a)
	r.markLosses(chains)
	r.markPath(g, path, build)
	for i, at := range loads {
		r.Steps[at].Critical, r.Steps[at].Slack = r.Steps[i].Critical, r.Steps[i].Slack
	}
	a.within = r.tellOnce(g)
	r.WallClock = accountFor(build, a, g, r.Steps, loads, chains, mood, t)
	r.addEdits(a)
	r.addGone(a)
	broken := r.enforceBudgets(&p, loads)
	r.countStatuses()
	r.conclude(gauge, broken, t)
	return r
}

// newResult is a result before anything is judged.
func newResult(build *timeline.Build, base []timeline.Build, history *History, t Thresholds) Result {
	r := Result{
		Build:      InfoOf(build),
		Baseline:   BaselineInfo{Source: history.Source, Branch: history.BaseBranch, AnyBranch: history.AnyBranch, Builds: len(base), IDs: []string{}, Durations: []timeline.Seconds{}},
		Machine:    machineOf(build, base),
		Counts:     map[Status]int{},
		Thresholds: t,
		WallClock:  WallClock{Parts: []WallClockPart{}},
		Notes:      append([]Note{}, history.Notes...),
	}
	for i := range base {
		r.Baseline.IDs = append(r.Baseline.IDs, base[i].ID)
		r.Baseline.Durations = append(r.Baseline.Durations, timeline.Seconds(base[i].Duration))
	}
	r.Notes = append(r.Notes, r.Machine.notes()...)
	return r
}

// reasonsOf say why a build is not judged that did not succeed, and why its steps are
// not.
func reasonsOf(o timeline.Outcome) (build, step Note) {
	if o == timeline.Cancelled {
		return Note{KindBuildCancelled, "the build was cancelled"}, Note{KindBuildCancelled, "the build was cancelled"}
	}
	return Note{KindBuildFailed, "the build failed"}, Note{KindBuildFailed, "the build failed"}
}

// leaveUnjudged judges nothing of the build: not its steps, and not its cache.
func (r *Result) leaveUnjudged(build, step Note) {
	r.Reason = build
	for i := range r.Steps {
		r.Steps[i].Status, r.Steps[i].Reason = StatusUnjudged, step
	}
	r.Cache.Losses, r.Cache.Cold = []CacheLoss{}, false
}

// dropIgnored leaves out the losses at steps that the team asked to ignore.
func dropIgnored(p *Policy, losses []CacheLoss, chains []timeline.Chain, a *arranged) ([]CacheLoss, []timeline.Chain) {
	kept, links := []CacheLoss{}, []timeline.Chain{}
	for i := range losses {
		if p.forStep(a.series[chains[i].Root].step.Key).ignore == "" {
			kept, links = append(kept, losses[i]), append(links, chains[i])
		}
	}
	return kept, links
}

// selectBuilds picks the builds to compare with and the branch's own, oldest first.
func selectBuilds(build *timeline.Build, h *History, t Thresholds) (base []timeline.Build, branch []*timeline.Build, filled int, onBase bool) {
	base = h.Base
	if short := t.MinHistory - len(base); short > 0 && len(h.Other) > 0 {
		fill := h.Other[:min(len(h.Other), short)]
		base, filled = slices.Concat(base, fill), len(fill)
		slices.SortStableFunc(base, func(x, y timeline.Build) int { return y.Start.Compare(x.Start) })
	}
	evidence := h.Branch
	// The branch of a fork that is called like the base branch has builds of its own.
	onBase = build.PullRequest == "" && (build.Branch == h.BaseBranch || build.Branch == "") && len(h.Branch) == 0
	if onBase && filled == 0 {
		// On the base branch the newest builds are under suspicion themselves: if
		// they stand off from those before them, they are evidence, not the level.
		evidence = base[:min(len(base), MaxEvidence-1)]
	}
	for i := len(evidence) - 1; i >= 0; i-- {
		// Another kind of machine, or another repository, says nothing of this one.
		if e := &evidence[i]; sameOrUnknown(e.Runner, build.Runner) && sameOrUnknown(e.Repository, build.Repository) {
			branch = append(branch, e)
		}
	}
	return base, append(branch, build), filled, onBase
}

func sameOrUnknown(a, b string) bool { return a == b || a == "" || b == "" }

// unjudgeable says why the whole build cannot be judged, or nothing.
func (r *Result) unjudgeable(a *arranged, t Thresholds) Note {
	base := cmp.Or(r.Baseline.Branch, "the base branch")
	if r.Baseline.AnyBranch {
		base = "any branch"
	}
	switch {
	case len(r.Steps) == 0:
		return Note{KindNoSteps, "the build has no steps"}
	case len(a.base) == 0:
		return Note{KindNoHistory, fmt.Sprintf("no history: 0 of %d builds of %s", t.MinHistory, base)}
	case 2*a.known < len(r.Steps):
		return Note{KindOtherImage, fmt.Sprintf("only %d of its %d steps occur in the baseline: this looks like another image; give --pipeline", a.known, len(r.Steps))}
	case len(a.base) < t.MinHistory:
		return Note{KindTooLittleHistory, fmt.Sprintf("too little history: %d of %d builds of %s", len(a.base), t.MinHistory, base)}
	}
	return Note{}
}

// newStepResult tells of a step what is known without judging it.
func newStepResult(s *series, build *timeline.Build) StepResult {
	step := s.step
	r := StepResult{
		Key: step.Key, Name: step.Name, Stage: step.Stage, Platform: step.Platform,
		State: step.State, Current: timeline.Seconds(step.Duration), Bytes: step.Bytes, Source: step.Source,
		History: []Point{}, Modes: []Mode{}, Notes: []Note{}, P: 1, Q: 1,
	}
	if !step.Start.IsZero() {
		r.Start = timeline.Seconds(max(-step.Duration, step.Start.Sub(build.Start)))
	}
	if s.was != nil {
		r.Notes, r.Was = append(r.Notes, editNote(s.was, step)), s.was.Name
	}
	return r
}

// statusOfState is the status of a step as far as its state decides it.
func statusOfState(s *series) (Status, Note) {
	switch s.step.State {
	case timeline.Cached:
		return StatusCached, Note{}
	case timeline.StepFailed:
		return StatusUnjudged, Note{KindStepFailed, "failed"}
	case timeline.Interrupted:
		return StatusUnjudged, Note{KindInterrupted, "did not end"}
	case timeline.NeverStarted:
		return StatusUnjudged, Note{KindNeverStarted, "it never started"}
	}
	if s.isNew() && !s.step.IsWait() { // a wait is there where it took long enough
		return StatusNew, Note{}
	}
	return StatusUnjudged, Note{}
}

// markLosses gives the first step of each chain of cache losses its status. A cold
// cache is reported once, of the build: its steps are marked only if it lasts.
func (r *Result) markLosses(chains []timeline.Chain) {
	for i := range chains {
		l := &r.Cache.Losses[i]
		for _, at := range chains[i].Downstream {
			if step := &r.Steps[at]; step.Status == StatusUnjudged && !byPolicy(step.Reason) {
				step.Reason = Note{KindLostUpstream, "ran because the cache was lost at " + l.Step}
			}
		}
		step := &r.Steps[chains[i].Root]
		if step.Status != StatusSlower && step.Status != StatusSuspect && !byPolicy(step.Reason) && (!r.Cache.Cold || l.Lasting) {
			step.Status, step.Reason = StatusCacheLost, l.Cause
		}
	}
}

// byPolicy tells whether a step is unjudged because the team asked for it.
func byPolicy(reason Note) bool {
	return reason.Kind == KindIgnored || reason.Kind == KindAccepted
}

// markPath tells which steps decided how long the build took.
func (r *Result) markPath(g *timeline.Graph, path []int, build *timeline.Build) {
	slack := g.Slack(build.Start.Add(build.Duration))
	for i := range slack {
		r.Steps[i].Slack = timeline.Seconds(slack[i])
		if g.Linked {
			r.Steps[i].WaitsFor = slices.Clone(g.Inputs[i])
		}
	}
	for _, i := range path {
		r.Steps[i].Critical = true
		r.Steps[i].Slack = 0
	}
}

// addGone lists what the baseline had and this build has no longer. A trace does
// not tell: what is absent from it may be cached.
func (r *Result) addGone(a *arranged) {
	if a.branch[len(a.branch)-1].Partial {
		return
	}
	for _, s := range a.gone {
		r.Steps = append(r.Steps, StepResult{
			Key: s.Key, Name: s.Name, Stage: s.Stage, Platform: s.Platform, Status: StatusGone,
			State: timeline.NeverStarted, Reason: Note{KindGone, "the newest build of the baseline had it"},
			History: []Point{}, Modes: []Mode{}, Notes: []Note{}, P: 1, Q: 1, Usual: timeline.Seconds(s.Duration),
		})
	}
}

func (r *Result) countStatuses() {
	for i := range r.Steps {
		r.Counts[r.Steps[i].Status]++
	}
}

// InfoOf is what results tell of a build itself.
func InfoOf(b *timeline.Build) BuildInfo {
	info := BuildInfo{
		ID: b.ID, Pipeline: b.Pipeline, Origin: b.Origin, Within: b.Within, Trace: b.Trace, Start: b.Start, Duration: timeline.Seconds(b.Duration), Resolution: timeline.Seconds(b.Resolution),
		Outcome: b.Outcome, Error: b.Error, Log: append([]string{}, b.Log...),
	}
	info.FailedStep = failedStep(b)
	return info
}

// ignoredFailures tell of what failed in a build that ended well. A cache that is not there
// to be read is usual; one that is not written is missed by the builds to come.
func ignoredFailures(b *timeline.Build) (notes []Note) {
	for i := range b.Steps {
		if s := &b.Steps[i]; s.State == timeline.StepFailed && s.Stage == timeline.StageCacheExport {
			notes = append(notes, Note{KindFailureIgnored, "`" + s.Name + "` failed, and the builder went on: later builds may miss what it would have kept"})
		}
	}
	return notes
}

// failedStep is the name of the step at which the build failed, or was when it ended, ""
// if it was at none.
func failedStep(b *timeline.Build) string {
	interrupted, cache := "", ""
	for i := range b.Steps {
		s := &b.Steps[i]
		switch {
		case !s.State.HasNoResult():
		case strings.HasPrefix(s.Stage, "cache"):
			// Builders may ignore that, and not one that is the only thing that failed.
			if s.State == timeline.StepFailed && s.Stage == timeline.StageCacheExport && b.Outcome == timeline.Failed && cache == "" {
				cache = s.Name
			}
		case s.State == timeline.StepFailed:
			return s.Name
		case interrupted == "":
			// What was only stopped when another step failed is not at fault.
			interrupted = s.Name
		}
	}
	return cmp.Or(interrupted, cache)
}
