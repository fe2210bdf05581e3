package detect

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A History is what one build is judged against. All its builds are successful,
// of the build's pipeline, and began before it; each list is newest first.
type History struct {
	Source string // where it came from, for people
	// BaseBranch is the branch whose builds are the baseline.
	BaseBranch string
	// Base holds the baseline: the newest builds of the base branch itself, never of
	// pull requests, on the kind of machine that the build ran on where enough are.
	Base []Build
	// Sparse holds builds before those, of which only the executions of steps are left
	// that are rare in Base: a step that runs in one build of ten has a history too.
	Sparse []Build
	// Other holds the newest successful build of each other branch, to fill up
	// a baseline that is too small.
	Other []Build
	// Branch holds the earlier builds of the build's own branch (or pull
	// request), at most 4, as evidence. Empty on the base branch.
	Branch []Build
	// Notes say what of the history could not be had.
	Notes []Note
}

// Judge compares one build, which is not nil, with its history, step by step. A nil
// history is an empty one: then the build is unjudged. Neither is changed.
//
// What the history says of itself is believed: that its builds succeeded, are of the
// build's pipeline and began before it. Lists that are not newest first are put in order.
func Judge(build *Build, history *History, p Policy) Result {
	history, p.Thresholds = history.orEmpty(), p.Thresholds.orDefaults()
	t := p.Thresholds
	base, branch, filled := selectBuilds(build, history, t)
	var a *arranged
	var g *graph
	var path []int
	together(
		func() { a = arrange(base, history.Sparse, branch) },
		func() {
			g = newGraph(build)
			path = g.criticalPath()
		},
	)
	r := Result{
		Build:      infoOf(build),
		Baseline:   BaselineInfo{Source: history.Source, Branch: history.BaseBranch, Builds: len(base), IDs: []string{}, Durations: []Seconds{}, Filled: filled},
		Counts:     map[Status]int{},
		Thresholds: t,
		WallClock:  WallClock{Parts: []WallClockPart{}},
		Notes:      append([]Note{}, history.Notes...),
	}
	var chains []lossChain
	r.Cache, chains = cacheOf(a, g)
	r.Cache.Losses, chains = dropIgnored(&p, r.Cache.Losses, chains, a)
	for i := range base {
		r.Baseline.IDs = append(r.Baseline.IDs, base[i].ID)
		r.Baseline.Durations = append(r.Baseline.Durations, Seconds(base[i].Duration))
	}
	r.Steps = make([]StepResult, len(build.Steps))
	for i := range a.series {
		r.Steps[i] = newStepResult(&a.series[i], build)
	}
	r.Notes = append(r.Notes, p.unmatched(a)...)
	if build.Outcome != OK {
		r.Cache.Losses, r.Cache.Cold = []CacheLoss{}, false
		kind, why := KindBuildFailed, "the build failed"
		if build.Outcome == Cancelled {
			kind, why = KindBuildCancelled, "the build was cancelled"
		}
		r.Reason = Note{kind, why}
		for i := range r.Steps {
			r.Steps[i].Status, r.Steps[i].Reason = StatusUnjudged, Note{kind, "the build " + build.Outcome.String()}
		}
		r.countStatuses()
		return r
	}
	if reason := r.unjudgeable(a, t); reason != (Note{}) {
		for i := range r.Steps {
			r.Steps[i].Status, r.Steps[i].Reason = StatusUnjudged, reason
		}
		r.Reason = reason
		r.Cache.Losses, r.Cache.Cold = []CacheLoss{}, false
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
	r.markLosses(chains)
	r.markPath(g, path, build)
	for i, at := range loads {
		r.Steps[at].Critical, r.Steps[at].Slack = r.Steps[i].Critical, r.Steps[i].Slack
	}
	r.WallClock = accountFor(build, a, g, r.Steps, loads, chains, mood, t)
	r.addGone(a)
	broken := r.enforceBudgets(&p, loads)
	r.countStatuses()
	r.conclude(gauge, broken, t)
	return r
}

// dropIgnored leaves out the losses at steps that the team asked to ignore.
func dropIgnored(p *Policy, losses []CacheLoss, chains []lossChain, a *arranged) ([]CacheLoss, []lossChain) {
	kept, links := []CacheLoss{}, []lossChain{}
	for i := range losses {
		if p.forStep(a.series[chains[i].root].step.Key).ignore == "" {
			kept, links = append(kept, losses[i]), append(links, chains[i])
		}
	}
	return kept, links
}

// selectBuilds picks the builds to compare with and the branch's own, oldest first.
func selectBuilds(build *Build, h *History, t Thresholds) (base []Build, branch []*Build, filled int) {
	base = h.Base
	if short := t.MinHistory - len(base); short > 0 && len(h.Other) > 0 {
		fill := h.Other[:min(len(h.Other), short)]
		base, filled = slices.Concat(base, fill), len(fill)
		slices.SortStableFunc(base, func(x, y Build) int { return y.Start.Compare(x.Start) })
	}
	evidence := h.Branch
	// The branch of a fork that is called like the base branch has builds of its own.
	onBase := build.PullRequest == "" && (build.Branch == h.BaseBranch || build.Branch == "") && len(h.Branch) == 0
	if onBase && filled == 0 {
		// On the base branch the newest builds are under suspicion themselves: if
		// they stand off from those before them, they are evidence, not the level.
		evidence = base[:min(len(base), maxEvidence-1)]
	}
	for i := len(evidence) - 1; i >= 0; i-- {
		// Another kind of machine, or another repository, says nothing of this one.
		if e := &evidence[i]; sameOrUnknown(e.Runner, build.Runner) && sameOrUnknown(e.Repository, build.Repository) {
			branch = append(branch, e)
		}
	}
	return base, append(branch, build), filled
}

func sameOrUnknown(a, b string) bool { return a == b || a == "" || b == "" }

// unjudgeable says why the whole build cannot be judged, or nothing.
func (r *Result) unjudgeable(a *arranged, t Thresholds) Note {
	switch {
	case len(r.Steps) == 0:
		return Note{KindNoSteps, "the build has no steps"}
	case len(a.base) == 0:
		return Note{KindNoHistory, fmt.Sprintf("no history: 0 of %d builds of %s", t.MinHistory, r.Baseline.Branch)}
	case 2*a.known < len(r.Steps):
		return Note{KindOtherImage, fmt.Sprintf("only %d of its %d steps occur in the baseline: this looks like another image; give --pipeline", a.known, len(r.Steps))}
	case len(a.base) < t.MinHistory:
		return Note{KindTooLittleHistory, fmt.Sprintf("too little history: %d of %d builds of %s", len(a.base), t.MinHistory, r.Baseline.Branch)}
	}
	return Note{}
}

// newStepResult tells of a step what is known without judging it.
func newStepResult(s *series, build *Build) StepResult {
	step := s.step
	r := StepResult{
		Key: step.Key, Name: step.Name, Stage: step.Stage, Platform: step.Platform,
		State: step.State, Current: Seconds(step.Duration), Source: step.Source,
		History: []Point{}, Modes: []Mode{}, Notes: []Note{}, P: 1, Q: 1,
	}
	if !step.Start.IsZero() {
		r.Start = Seconds(max(0, step.Start.Sub(build.Start)))
	}
	if s.edited != "" {
		r.Notes = append(r.Notes, Note{KindEdited, "edited; was `" + s.edited + "`"})
	}
	return r
}

// judgeSteps decides all steps that ran, together, and the loads of cached layers
// that take long enough to matter, whose places it returns by those of their steps.
// The gauge is that of the machine.
func judgeSteps(a *arranged, foreign bool, p *Policy, r *Result) (g *gauge, loads map[int]int) {
	t := p.Thresholds
	attempts, trials := make([]trialBuilder, 0, len(a.series)), make([]Trial, 0, len(a.series))
	resolution := resolutionOf(a)
	try := func(s *series, at, result int) {
		step, rule := &r.Steps[result], p.forStep(s.step.Key)
		if rule.ignore != "" {
			step.Status, step.Reason = StatusUnjudged, Note{KindIgnored, "ignored: " + rule.ignore}
			return
		}
		if s.ambiguous {
			step.Status, step.Reason = StatusUnjudged, Note{KindEqualSteps, "of several equal steps some came or went: which of them it is cannot be told"}
			return
		}
		level := a.acceptedLevel(s, rule.accept)
		if level != nil {
			step.Notes = append(step.Notes, level.note())
			if level.samples == 0 {
				step.Status, step.Reason = StatusUnjudged, level.note()
				return
			}
		}
		trial := Trial{Resolution: resolution, Foreign: foreign}
		if level != nil {
			trial.Accepted = level.samples
			s.dropEvidence(a.branch, level.begin)
		}
		if rule.Thresholds != t {
			own := rule.Thresholds
			trial.Thresholds = &own
			step.Notes = append(step.Notes, Note{KindOwnThresholds, fmt.Sprintf("by a rule of its own: at least %s and %.3g %%", rule.MinDelta, 100*rule.MinSlowdown)})
		}
		attempts, trials = append(attempts, trialBuilder{series: s, at: at, result: result}), append(trials, trial)
	}
	build := a.branch[len(a.branch)-1]
	loads = map[int]int{}
	for i := range a.series {
		s := &a.series[i]
		r.Steps[i].Status, r.Steps[i].Reason = statusOfState(s)
		if s.step.State == Executed && r.Steps[i].Status != StatusNew {
			try(s, i, i)
		}
		load := a.loads[i]
		if load != nil && max(load.step.Duration, durationMedian(load.newest(t.Window))) >= t.MinDelta.D() {
			r.Steps = append(r.Steps, newStepResult(load, build))
			loads[i] = len(r.Steps) - 1
			try(load, i, loads[i])
		}
	}
	for k := range attempts {
		attempts[k].collect(&trials[k], a, t)
	}
	// How the machine was and what the steps' levels are do not depend on each other.
	var tried *batch
	together(
		func() {
			g = newGauge(a, t)
			for k := range attempts {
				attempts[k].addRunners(&trials[k], g)
			}
		},
		func() { tried = newBatch(trials, t) },
		func() {
			for k := range attempts {
				r.Steps[attempts[k].result].setHistory(attempts[k].series, t)
			}
		},
	)
	decisions := tried.decide()
	for k := range attempts {
		try := &attempts[k]
		step := &r.Steps[try.result]
		step.Basis = basisOf(&trials[k], try.series, a.branch, try.recent, t)
		setDecision(step, try.series, &decisions[k], a.branch)
	}
	return g, loads
}

// An trialBuilder is a step put to the test.
type trialBuilder struct {
	series *series
	at     int      // place of the step whose machine's mood counts
	result int      // place of its result
	recent []*Build // evidence that is in the baseline as well
}

// collect fills the trial in, but for the machine's part.
func (try *trialBuilder) collect(trial *Trial, a *arranged, t Thresholds) {
	s := try.series
	for b := range s.ran {
		if s.ran[b] {
			if a.inBase(a.branch[b]) {
				try.recent = append(try.recent, a.branch[b])
			}
			trial.New = append(trial.New, s.values[b])
		}
	}
	trial.Recent = len(try.recent)
	trial.History = s.newestAfter(try.recent, t.Window+trial.Recent)
}

// addRunners adds the machine's part to the trial.
func (try *trialBuilder) addRunners(trial *Trial, g *gauge) {
	for b, ran := range try.series.ran {
		if ran {
			trial.Runners = append(trial.Runners, g.forStep(&g.branch[b], try.at))
		}
	}
}

// resolutionOf is what the clock of the baseline usually counts in. What one build
// says of its own is not believed: it could make itself unjudgeable.
func resolutionOf(a *arranged) time.Duration {
	var all []time.Duration
	for b := range a.base {
		all = append(all, a.base[b].Resolution)
	}
	return durationMedian(all)
}

// setDecision puts a decision into words and numbers.
func setDecision(step *StepResult, s *series, d *Decision, branch []*Build) {
	step.Status, step.Reason = d.Status, d.Reason
	step.Usual, step.Low, step.High, step.Expected = Seconds(d.Usual), Seconds(d.Low), Seconds(d.High), Seconds(d.Expected)
	step.P, step.Q, step.Evidence = d.P, d.Q, d.Evidence
	step.MinDetectable, step.MinDetectable3 = d.MinDetectable, d.MinDetectable3
	step.Modes, step.Conditions = append(step.Modes, d.Modes...), d.Conditions
	if d.Usual > 0 {
		step.Ratio = float64(step.Current) / float64(d.Usual)
	}
	if d.Status != StatusUnjudged {
		step.Delta = step.Current - step.Usual
	}
	if d.Evidence.Builds > 1 {
		step.Evidence.Since = s.revisionOf(d.Evidence.Builds, branch)
	}
	if d.Cut > 0 {
		step.Cut = s.build(d.Cut - 1).Revision
		step.Notes = append(step.Notes, Note{KindLevelShift, fmt.Sprintf("level shifted since %s: %s → %s", nameOfRevision(s.build(d.Cut-1)), Seconds(d.Before), Seconds(d.Usual))})
	}
}

// setHistory tells of the history that the step is compared with.
func (r *StepResult) setHistory(s *series, t Thresholds) {
	r.N = min(len(s.samples), t.Window)
	r.History = make([]Point, r.N)
	for k := range r.History {
		r.History[k] = s.point(k)
	}
}

// revisionOf returns the revision of the build with which the newest n values of
// the branch begin.
func (s *series) revisionOf(n int, branch []*Build) string {
	for b := len(branch) - 1; b >= 0; b-- {
		if s.ran[b] {
			if n--; n == 0 {
				return branch[b].Revision
			}
		}
	}
	return ""
}

// nameOfRevision is what people can find a build by.
func nameOfRevision(b *Build) string {
	const short = 10
	if b.Revision == "" {
		return b.Start.UTC().Format("2006-01-02 15:04")
	}
	return b.Revision[:min(len(b.Revision), short)]
}

// statusOfState is the status of a step as far as its state decides it.
func statusOfState(s *series) (Status, Note) {
	switch s.step.State {
	case Cached:
		return StatusCached, Note{}
	case StepFailed:
		return StatusUnjudged, Note{KindStepFailed, "it failed"}
	case NeverStarted:
		return StatusUnjudged, Note{KindNeverStarted, "it never started"}
	}
	if s.isNew() {
		return StatusNew, Note{}
	}
	return StatusUnjudged, Note{}
}

// markLosses gives the first step of each chain of cache losses its status. A cold
// cache is told once, of the build: its steps are marked only if it lasts.
func (r *Result) markLosses(chains []lossChain) {
	for i := range chains {
		l := &r.Cache.Losses[i]
		for _, at := range chains[i].downstream {
			if step := &r.Steps[at]; step.Status == StatusUnjudged && !byPolicy(step.Reason) {
				step.Reason = Note{KindLostUpstream, "ran because the cache was lost at " + l.Step}
			}
		}
		step := &r.Steps[chains[i].root]
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
func (r *Result) markPath(g *graph, path []int, build *Build) {
	slack := g.slack(build.Start.Add(build.Duration))
	for i := range slack {
		r.Steps[i].Slack = Seconds(slack[i])
		if g.linked {
			r.Steps[i].WaitsFor = slices.Clone(g.inputs[i])
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
			State: NeverStarted, Reason: Note{KindGone, "the newest build of the baseline had it"},
			History: []Point{}, Modes: []Mode{}, Notes: []Note{}, P: 1, Q: 1, Usual: Seconds(s.Duration),
		})
	}
}

func (r *Result) countStatuses() {
	for i := range r.Steps {
		r.Counts[r.Steps[i].Status]++
	}
}

func infoOf(b *Build) BuildInfo {
	info := BuildInfo{
		ID: b.ID, Pipeline: b.Pipeline, Origin: b.Origin, Start: b.Start, Duration: Seconds(b.Duration),
		Outcome: b.Outcome, Error: b.Error, Log: append([]string{}, b.Log...),
	}
	for i := range b.Steps {
		s := &b.Steps[i]
		if s.State != StepFailed || strings.HasPrefix(s.Stage, "cache") {
			continue
		}
		// What was only stopped when another step failed is not at fault.
		if stopped := strings.HasPrefix(s.Error, NotEnded); info.FailedStep == "" || !stopped {
			info.FailedStep = s.Name
			if !stopped {
				break
			}
		}
	}
	return info
}
