// Package report gives a result to people and machines: as text, Markdown and
// JSON, and as annotations of lines. The packages below it post it.
//
// It decides nothing: verdicts come from package detect, and what to say, in
// which order and in which words, is decided once, in the view that Text and
// Markdown share.
package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
)

// A view is a report as people read it, in order.
type view struct {
	headline line // on all builds together; empty if there is just one
	results  []resultView
	notes    []line
}

// A resultView is what people read of one build. Empty lines are left out.
type resultView struct {
	build     *detect.BuildInfo
	pipeline  string
	verdict   detect.Verdict
	headline  line
	findings  []line // dearest first
	suspects  []line // what looks like one, and is not proven
	next      line   // what to do about it
	history   line   // how much is missing until builds are judged
	failure   *failure
	notices   []line // worth knowing, nothing to do
	facts     []line // wall clock, runner, cache
	rows      []row
	total     timeline.Seconds // length of the time axis
	waterfall bool             // the source knows when steps began
	coverage  line
	baseline  line
	accepting []line // how to accept what is slower
}

// A failure is why a build failed, with the end of its log.
type failure struct {
	reason line
	log    []string // clean
}

// viewOf puts a report in words, the worst build first.
func viewOf(r *detect.Report) view {
	var v view
	for i := range r.Results {
		v.results = append(v.results, viewOfResult(&r.Results[i]))
	}
	slices.SortStableFunc(v.results, func(a, b resultView) int { return cmp.Compare(b.verdict.Severity(), a.verdict.Severity()) })
	if len(v.results) != 1 {
		v.headline = overall(r)
	}
	v.notes = noteLines(r.Notes)
	return v
}

// overall says how many builds got which verdict.
func overall(r *detect.Report) line {
	if len(r.Results) == 0 {
		return lineOf("Nothing was judged: there is no build")
	}
	var parts []string
	for _, verdict := range slices.Backward(detect.Verdicts()) {
		n := 0
		for i := range r.Results {
			if r.Results[i].Verdict == verdict {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, Count(n, "build")+" "+verdictWords[verdict])
		}
	}
	return lineOf(strings.Join(parts, ", "))
}

var verdictWords = map[detect.Verdict]string{
	detect.Regressed: "regressed",
	detect.Unsure:    "unsure",
	detect.Pass:      "passed",
	detect.Unjudged:  "not judged",
}

func viewOfResult(r *detect.Result) resultView {
	n := newNames(r)
	v := resultView{
		build:    &r.Build,
		pipeline: Clean(r.Build.Pipeline),
		verdict:  r.Verdict,
		headline: headline(r, n),
		next:     nextStep(r),
		history:  historyLine(r),
		failure:  failureOf(r),
		facts:    facts(r, n),
		coverage: coverage(r),
		baseline: baseline(r),
	}
	v.findings, v.suspects, v.notices = findings(r, n)
	v.accepting = acceptances(r, n)
	v.notices = append(v.notices, noteLines(untoldNotes(r))...)
	v.rows, v.total, v.waterfall = rows(r, n)
	return v
}

// untoldNotes are the notes on a build but for what stands under a finding already, as its
// cause.
func untoldNotes(r *detect.Result) (notes []detect.Note) {
	told := map[detect.Kind]bool{}
	for _, g := range groupsOf(r) {
		if causes := g.causes(r); len(causes) > 0 {
			told[causes[0].Kind] = true
		}
	}
	for _, n := range r.Notes {
		if n.Kind != detect.KindMachineOverloaded || !told[n.Kind] {
			notes = append(notes, n)
		}
	}
	return notes
}

func noteLines(notes []detect.Note) []line {
	var lines []line
	for _, note := range notes {
		if l := sentence(capitalized(note.Text)); len(l) > 0 {
			lines = append(lines, l)
		}
	}
	return lines
}

// capitalized makes the first letter of a note a capital, unless the note begins with a
// name: of a file, or of something that looks like one.
func capitalized(note string) string {
	word, _, _ := strings.Cut(note, " ")
	if strings.Trim(word, "abcdefghijklmnopqrstuvwxyz,") != "" {
		return note
	}
	return capitalize(note)
}

// headline is the verdict and what it rests on.
func headline(r *detect.Result, n *names) line {
	switch {
	case r.Build.Outcome == timeline.Cancelled:
		return lineOf("Not judged: the build was cancelled")
	case r.Build.Outcome == timeline.Failed && r.Build.FailedStep != "":
		return lineOf("Not judged: the build failed at ", code(n.ofName(r.Build.FailedStep)))
	case r.Build.Outcome == timeline.Failed:
		return lineOf("Not judged: the build failed")
	case r.Verdict == detect.Regressed:
		return regressedHeadline(r)
	case r.Verdict == detect.Unsure:
		if n := countOf(r, detect.StatusSuspect); n > 0 {
			return lineOf("Unsure: " + Count(n, "step") + verb(n, " looks", " look") + " slower")
		}
		return withReason("Unsure", r.Reason.Text)
	case r.Verdict == detect.Pass:
		return passedHeadline(r)
	case tooFew(r) && isAboutHistory(r.Reason):
		return lineOf("Not judged yet: too few builds to compare with")
	}
	return withReason("Not judged", r.Reason.Text)
}

// withReason puts a reason behind a verdict, if there is one.
func withReason(verdict, reason string) line {
	if reason = strings.TrimRight(Clean(reason), ". "); reason == "" {
		return lineOf(verdict)
	}
	return lineOf(verdict, ": ", prose(reason))
}

func regressedHeadline(r *detect.Result) line {
	var parts []string
	slower, over := countOf(r, detect.StatusSlower), countOf(r, detect.StatusOverBudget)
	if slower > 0 {
		parts = append(parts, Count(slower, "step")+verb(slower, " is", " are")+" slower")
	}
	if over > 0 {
		parts = append(parts, Count(over, "step")+verb(over, " is", " are")+" over budget")
	}
	if r.OverBudget != "" {
		parts = append(parts, "the build is over budget")
	}
	text := "Regressed"
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, ", ")
	}
	if cost := costOf(r, detect.StatusSlower, detect.StatusOverBudget); cost > 0 {
		text += ", +" + cost.String() + " of wall clock"
	}
	return lineOf(text)
}

func passedHeadline(r *detect.Result) line {
	text := "Passed: no step is slower"
	switch n := countOf(r, detect.StatusSlower); {
	case n > 0:
		text = "Passed: " + Count(n, "step") + verb(n, " is", " are") + " slower, at little cost to the build"
	case slices.ContainsFunc(r.Steps, func(s detect.StepResult) bool { return mayBeChance(r, &s) }):
		text = "Passed: no step is proven slower"
	}
	if lastingLosses(r) {
		return lineOf(text + ", but a lost cache now costs every build")
	}
	if n := countOf(r, detect.StatusSuspect); n > 0 {
		return lineOf("Passed; " + Count(n, "step") + " to watch")
	}
	if n := countOf(r, detect.StatusFaster); n > 0 {
		text += ", " + Count(n, "step") + verb(n, " is", " are") + " faster"
	}
	if !r.Cache.Cold && slices.ContainsFunc(r.Cache.Losses, isFinding) {
		text += ", but cache was lost"
	}
	return lineOf(text)
}

func isFinding(l detect.CacheLoss) bool { return l.Finding() }

// nextStep is what to do about the verdict.
func nextStep(r *detect.Result) line {
	switch {
	case r.Build.Outcome == timeline.Failed:
		return lineOf("Failed builds are not judged and never count as history.")
	case r.Build.Outcome == timeline.Cancelled:
		return nil
	case r.Verdict == detect.Regressed && countOf(r, detect.StatusSlower) > 0:
		look := lineOf("Next: look at what changed in the step or in what it fetches.")
		if cause := knownCause(r); cause != nil {
			word := "likely cause"
			if cause.Certainty == detect.Is {
				word = "cause"
			}
			look = lineOf("Next: begin with the "+word+": ", sentence(cause.Text))
		}
		if seenOnce(r) {
			look = lineOf(look, " So far it was seen in one build: re-run the job to confirm it.")
		}
		return look
	case r.Verdict == detect.Regressed && countOf(r, detect.StatusOverBudget) > 0:
		return lineOf("Next: look at what changed in the step, or raise its budget on purpose.")
	case r.Verdict == detect.Regressed:
		return lineOf("Next: look at where the time went, or raise the budget on purpose.")
	case countOf(r, detect.StatusSuspect) > 0:
		return nextStepOfSuspects(r)
	case !r.Cache.Cold && slices.ContainsFunc(r.Cache.Losses, isFinding):
		return lineOf("Next: see why the cache is missed: its key or scope, its size limit, or a step above that changes each time.")
	}
	return nil
}

// knownCause is a cause that is sure or likely, of the dearest of what is slower; nil if there
// is none.
func knownCause(r *detect.Result) *detect.Explanation {
	var dearest *group
	groups := groupsOf(r)
	for i := range groups {
		g := &groups[i]
		if r.Steps[g.steps[0]].Status == detect.StatusSlower && (dearest == nil || g.cost(r) > dearest.cost(r)) {
			dearest = g
		}
	}
	if dearest == nil {
		return nil
	}
	causes := dearest.causes(r)
	if len(causes) == 0 || causes[0].Certainty == detect.Possible {
		return nil
	}
	switch causes[0].Kind {
	case detect.KindNothingRecorded, detect.KindPhase, detect.KindMoreWork: // what became longer, and not why
		return nil
	}
	return &causes[0]
}

// seenOnce tells whether all that is slower was seen in a single build.
func seenOnce(r *detect.Result) bool {
	for i := range r.Steps {
		if s := &r.Steps[i]; s.Status == detect.StatusSlower && s.Evidence.Builds > 1 {
			return false
		}
	}
	return true
}

func nextStepOfSuspects(r *detect.Result) line {
	for i := range r.Steps {
		if s := &r.Steps[i]; s.Status == detect.StatusSuspect && s.Evidence.Builds > 1 {
			return lineOf("Next: re-run the job to confirm; it is not proven yet.")
		}
	}
	return lineOf("One build cannot prove it: re-run the job to confirm.")
}

// tooFew tells whether history is what is missing.
func tooFew(r *detect.Result) bool {
	return r.Build.Outcome == timeline.OK && r.Verdict == detect.Unjudged && r.Baseline.Builds < r.Thresholds.MinHistory
}

// isAboutHistory tells whether a reason says no more than that there is too little
// history, or nothing at all.
func isAboutHistory(reason detect.Note) bool {
	switch reason.Kind {
	case detect.KindNoHistory, detect.KindTooLittleHistory:
		return true
	}
	return reason == detect.Note{}
}

func historyLine(r *detect.Result) line {
	if !tooFew(r) {
		return nil
	}
	branch := branchCompared(r)
	if branch == nil {
		branch = lineOf("the base branch")
	}
	missing := Count(r.Thresholds.MinHistory-r.Baseline.Builds, "more build")
	return lineOf(fmt.Sprintf("History: %d of %d builds", r.Baseline.Builds, r.Thresholds.MinHistory), "; judged from about ", missing, " of ", branch, ".")
}

func failureOf(r *detect.Result) *failure {
	if r.Build.Outcome == timeline.OK {
		return nil
	}
	f := &failure{}
	if Clean(r.Build.Error) != "" {
		f.reason = lineOf("Error: ", code(r.Build.Error))
	}
	if s := failedStep(r); s != nil && s.Source.File != "" {
		if len(f.reason) > 0 {
			f.reason = lineOf(f.reason, ".")
		}
		f.reason = withPosition(f.reason, s.Source)
	}
	for _, l := range r.Build.Log[max(0, len(r.Build.Log)-maxLog):] {
		f.log = append(f.log, cut(Clean(l), maxLogWidth))
	}
	return f
}

// failedStep is the step at which the build failed, nil if none is known.
func failedStep(r *detect.Result) *detect.StepResult {
	at := slices.IndexFunc(r.Steps, func(s detect.StepResult) bool {
		return s.State == timeline.StepFailed && s.Name == r.Build.FailedStep
	})
	if at < 0 || r.Build.Outcome != timeline.Failed {
		return nil
	}
	return &r.Steps[at]
}

// More of a log than this is looked at in the log itself.
const (
	maxLog      = 20
	maxLogWidth = 200
)

// baseline says which build this is, and what it was compared with.
func baseline(r *detect.Result) line {
	l := lineOf("Build")
	if r.Build.Pipeline != "" {
		l = lineOf(l, " of ", code(r.Build.Pipeline))
	}
	if r.Build.Branch != "" {
		l = lineOf(l, " on ", code(r.Build.Branch))
	}
	if r.Build.PullRequest != "" {
		l = lineOf(l, ", pull request ", code(r.Build.PullRequest))
	}
	if r.Build.Revision != "" {
		l = lineOf(l, " at ", commit(r.Build.Revision))
	}
	if r.Build.Runner != "" {
		l = lineOf(l, " on ", code(r.Build.Runner))
	}
	if r.Build.Outcome != timeline.OK {
		return lineOf(l, ".")
	}
	if r.Verdict == detect.Unjudged {
		l = lineOf(l, "; its history: ")
	} else {
		l = lineOf(l, "; compared with ")
	}
	l = lineOf(l, Count(r.Baseline.Builds, "build"))
	if branch := branchCompared(r); branch != nil {
		l = lineOf(l, " of ", branch)
	}
	if r.Baseline.Filled > 0 {
		l = lineOf(l, fmt.Sprintf(" (%d of them of other branches)", r.Baseline.Filled))
	}
	if r.Baseline.Source != "" {
		l = lineOf(l, " from ", code(r.Baseline.Source))
	}
	return lineOf(l, ".")
}

// branchCompared is the branch whose builds the build was compared with, nil if it is not
// known.
func branchCompared(r *detect.Result) line {
	switch {
	case r.Baseline.AnyBranch:
		return lineOf("any branch")
	case r.Baseline.Branch != "":
		return lineOf(code(r.Baseline.Branch))
	}
	return nil
}

// shortRevision leaves what tells commits apart; other revisions stay whole.
func shortRevision(revision string) string {
	if len(revision) == 40 && strings.Trim(revision, "0123456789abcdef") == "" {
		return revision[:10]
	}
	return revision
}
