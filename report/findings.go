package report

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
)

// Findings are what somebody should look at, the dearest in wall clock first; notices are
// worth knowing and ask for nothing. Each is one line, which all formats share.

// A finding is what somebody should look at, with what it costs the build.
type finding struct {
	cost timeline.Seconds
	line line
}

// dearestFirst are the lines of findings.
func dearestFirst(all []finding) (lines []line) {
	slices.SortStableFunc(all, func(a, b finding) int { return cmp.Compare(b.cost, a.cost) })
	for _, f := range all {
		lines = append(lines, f.line)
	}
	return lines
}

// findings says what somebody should look at, what looks like it and is not proven, each
// dearest in wall clock first, and what is worth knowing and asks for nothing.
func findings(r *detect.Result, n *names) (found, suspects, notices []line) {
	if r.Build.Outcome != timeline.OK {
		return nil, nil, nil
	}
	var all, unproven []finding
	inHeadline := costInHeadline(r)
	for _, g := range groupsOf(r) {
		f := finding{g.cost(r), groupLine(r, &g, n)}
		s := &r.Steps[g.steps[0]]
		if len(g.steps) == 1 {
			f.line = withLinks(slowerLine(s, n, s == inHeadline), s)
			if isOnBase(r) && s.Status == detect.StatusSlower {
				f.line = withSentence(f.line, acceptance(s, n, cmp.Or(s.Evidence.Since, r.Build.Revision)))
			}
		}
		if s.Status == detect.StatusSuspect {
			unproven = append(unproven, f)
		} else {
			all = append(all, f)
		}
	}
	for i := range r.Steps {
		switch s := &r.Steps[i]; s.Status {
		case detect.StatusFaster:
			notices = append(notices, fasterLine(s, n))
		case detect.StatusNew:
			if s.State == timeline.Executed && s.Current >= max(r.Thresholds.MinDelta, r.Build.Duration/20) {
				notices = append(notices, lineOf(code(n.of(s)), " is new and took ", s.Current.String(), "."))
			}
		case detect.StatusUnjudged:
			if len(s.Causes) > 0 && s.Causes[0].Kind == detect.KindBuildWithin {
				notices = append(notices, lineOf(code(n.of(s)), " +", s.Delta.String(), ": ", prose(s.Causes[0].Text), "; ", prose(s.Reason.Text), "."))
			}
		}
	}
	notices = append(notices, unprovenLines(r, n)...)
	notices = append(notices, changedRules(r, n)...)
	if r.OverBudget != "" {
		all = append(all, finding{r.WallClock.Delta, sentence(capitalize(r.OverBudget))})
	}
	for i := range r.Cache.Losses {
		loss := &r.Cache.Losses[i]
		l := lineOf(cacheLoss(loss, n), causesLine(loss.Causes))
		if r.Cache.Cold {
			l = coldCache(r, loss)
		}
		if at := slices.IndexFunc(r.Steps, func(s detect.StepResult) bool { return s.Key == loss.Step }); at >= 0 {
			l = withLinks(l, &r.Steps[at])
		}
		if loss.Finding() {
			all = append(all, finding{lossCost(r, loss), l})
		} else {
			notices = append(notices, l)
		}
	}
	if l := unusualRunner(r.RunnerFactor); l != nil {
		notices = slices.Insert(notices, 0, l)
	}
	return dearestFirst(all), dearestFirst(unproven), notices
}

// costInHeadline is the step whose cost the headline tells already, as it is that of no
// other; nil if there is none.
func costInHeadline(r *detect.Result) (only *detect.StepResult) {
	if r.Verdict != detect.Regressed {
		return nil
	}
	for i := range r.Steps {
		s := &r.Steps[i]
		if s.Status != detect.StatusSlower && s.Status != detect.StatusOverBudget || s.WallClockSeconds <= 0 {
			continue
		}
		if only != nil {
			return nil
		}
		only = s
	}
	return only
}

// slowerLine tells of a step that is slower, looks slower or broke its budget; costTold
// that what it costs stands elsewhere.
func slowerLine(s *detect.StepResult, n *names, costTold bool) line {
	l := lineOf(code(n.of(s)))
	switch s.Status {
	case detect.StatusSuspect:
		l = lineOf(l, " looks slower: ")
	case detect.StatusOverBudget:
		l = lineOf(l, " is over its budget: ")
	default:
		l = lineOf(l, " is slower: ")
	}
	l = lineOf(l, measured(s))
	if !costTold {
		l = lineOf(l, wallClockCost(s))
	}
	l = lineOf(l, ".")
	if s.Reason.Text != "" && s.Status == detect.StatusOverBudget {
		l = lineOf(l, " ", sentence(capitalize(s.Reason.Text)))
	}
	if s.Evidence.Builds > 1 {
		l = lineOf(l, fmt.Sprintf(" Seen in %d of %d builds of this branch", s.Evidence.Slow, s.Evidence.Builds))
		if s.Evidence.Since != "" {
			l = lineOf(l, ", since ", commit(s.Evidence.Since))
		}
		l = lineOf(l, ".")
	}
	if s.Status == detect.StatusSuspect {
		l = lineOf(l, whyUnproven(s))
	}
	for _, note := range s.Notes[:min(len(s.Notes), maxStepNotes)] {
		l = lineOf(l, " ", sentence(capitalize(note.Text)))
	}
	l = lineOf(l, causesLine(s.Causes))
	return withPosition(l, s.Source)
}

// whyUnproven says why a suspect is none that is slower: the reason of this verdict, and
// no bound that it has passed.
func whyUnproven(s *detect.StepResult) line {
	var reasons []line
	chance := false // several conditions say that
	for i := range s.Conditions {
		c := &s.Conditions[i]
		text := unproven[c.Kind]
		if isChance := c.Kind == detect.KindSlowerP || c.Kind == detect.KindFDR; c.Met || text == "" || isChance && chance {
			continue
		} else if isChance {
			chance = true
		}
		reasons = append(reasons, lineOf(text))
	}
	var l line
	if len(reasons) > 0 {
		l = lineOf(" Not proven: ", joined(reasons, "; "), ".")
	}
	return lineOf(l, provable(s))
}

// unproven says what each condition that a suspect did not meet means.
var unproven = map[detect.Kind]string{
	detect.KindSlowerP:     "it could still be chance",
	detect.KindFDR:         "among so many steps one like it can be chance",
	detect.KindOwnHistory:  "builds of other branches fill up the history, and prove nothing",
	detect.KindCalmMachine: "the machine was overloaded",
	detect.KindFedStep:     "it did the same work, and waited for a processor",
	detect.KindMatureLevel: "the level is too young to prove anything by",
}

// provable is what would have been enough, where the step showed less; nil elsewhere.
func provable(s *detect.StepResult) line {
	one, three := atLeast(s.MinDetectable), atLeast(s.MinDetectable3)
	if one == "" || s.Ratio >= s.MinDetectable || s.Evidence.Builds > 1 {
		return nil
	}
	for i := range s.Conditions {
		if c := &s.Conditions[i]; !c.Met && (c.Kind == detect.KindOwnHistory || c.Kind == detect.KindMatureLevel) {
			return nil // nothing would
		}
	}
	l := lineOf(" One build proves ", one)
	if three != "" {
		l = lineOf(l, ", three prove ", three)
	}
	return lineOf(l, ".")
}

// acceptance is the entry of the configuration that accepts a step's level since a
// revision, ready to be pasted; nil where that is no commit.
func acceptance(s *detect.StepResult, n *names, since string) line {
	const mostName = 100
	if since = strings.TrimSuffix(since, "-dirty"); !commits.MatchString(since) {
		return nil
	}
	name := cut(Clean(n.of(s)), mostName)
	return lineOf("If it is to stay so, .buildregress.yaml says it: ",
		snippet(fmt.Sprintf(`accept: [{step: %s, since: %q, why: …}]`, strconv.Quote(name), shortRevision(since))), ".")
}

// acceptances are the entries that accept what a branch made slower, for who merges it.
func acceptances(r *detect.Result, n *names) (lines []line) {
	if r.Build.Outcome != timeline.OK || isOnBase(r) { // there it stands with the finding
		return nil
	}
	for i := range r.Steps {
		s := &r.Steps[i]
		if s.Status != detect.StatusSlower {
			continue
		}
		if l := acceptance(s, n, cmp.Or(s.Evidence.Since, r.Build.Revision)); l != nil {
			lines = append(lines, l)
		}
	}
	return lines
}

// commits are revisions that the configuration takes.
var commits = regexp.MustCompile(`^[0-9a-f]{7,64}$`)

// changedRules are notices of steps that are judged otherwise than by their whole
// history: by a level that they came to on the base branch, by one that was accepted,
// or not at all. A new level is news on the base branch, and no business of a pull
// request.
func changedRules(r *detect.Result, n *names) (notices []line) {
	onBase := isOnBase(r)
	for i := range r.Steps {
		s := &r.Steps[i]
		switch {
		case s.Status == detect.StatusSlower || s.Status == detect.StatusSuspect || s.Status == detect.StatusOverBudget:
			// Its notes stand with the finding.
		case s.Status == detect.StatusUnjudged && (s.Reason.Kind == detect.KindIgnored || s.Reason.Kind == detect.KindAccepted):
			notices = append(notices, lineOf(code(n.of(s)), ": ", sentence(s.Reason.Text)))
		case s.Cut == "" && len(s.Notes) > 0 && s.State == timeline.Executed:
			if s.Notes[0].Kind == detect.KindEdited && !followsFromEdit(s) {
				notices = append(notices, lineOf(code(n.of(s)), " was edited, and is compared with what it was before."))
			}
		case s.Cut != "":
			for _, note := range s.Notes {
				if onBase || note.Kind == detect.KindAccepted || note.Kind == detect.KindEarlierLevel {
					l := lineOf(code(n.of(s)), ": ", sentence(note.Text))
					if note.Kind == detect.KindLevelShift {
						l = withSentence(l, acceptance(s, n, s.Cut))
					}
					notices = append(notices, l)
				}
			}
		}
	}
	return notices
}

// followsFromEdit tells whether a step is what it is by what an instruction says: another
// image is edited in its FROM alone, and not in its pull as well.
func followsFromEdit(s *detect.StepResult) bool {
	return s.Stage == timeline.StagePull || s.Stage == timeline.StageUnpack || s.Stage == timeline.StageInternal
}

// isOnBase tells whether the build is one of the branch that it is compared with.
func isOnBase(r *detect.Result) bool {
	return r.Build.PullRequest == "" && r.Build.Branch == r.Baseline.Branch
}

// maxStepNotes keeps a finding to what fits on a phone; the JSON has them all.
const maxStepNotes = 3

func fasterLine(s *detect.StepResult, n *names) line {
	l := lineOf(code(n.of(s)), " is faster: ", measured(s))
	if s.WallClockSeconds < 0 {
		l = lineOf(l, "; it saves the build ", (-s.WallClockSeconds).String(), " of wall clock")
	}
	if s.Evidence.Since != "" {
		l = lineOf(l, ", since ", commit(s.Evidence.Since))
	}
	return lineOf(l, ".")
}

// measured is "61 s, usually 38–45 s (20 builds), ×1.5".
func measured(s *detect.StepResult) line {
	l := lineOf(s.Current.String())
	if u := usualRange(s); u != "" {
		l = lineOf(l, ", usually ", u, " (", Count(s.N, "build"), ")")
	}
	if x := ratio(s.Ratio); x != "" {
		l = lineOf(l, ", ", x)
	}
	return l
}

// wallClockCost is what a slow step means for the build as a whole.
func wallClockCost(s *detect.StepResult) line {
	switch {
	case s.WallClockSeconds > 0:
		return lineOf("; it costs the build ", s.WallClockSeconds.String(), " of wall clock")
	case !s.Critical && s.Slack > 0:
		return lineOf("; other steps hide it, it costs the build nothing (", s.Slack.String(), " to spare)")
	}
	return nil
}

// withPosition adds where the step stands in the Dockerfile.
func withPosition(l line, p dockerfile.Position) line {
	switch {
	case p.File == "":
		return l
	}
	return lineOf(l, " See ", place{p.File, p.Line}, ".")
}

// withSentence adds a sentence, if there is one.
func withSentence(l, sentence line) line {
	if len(sentence) == 0 {
		return l
	}
	return lineOf(l, " ", sentence)
}

// withLinks adds where people see the step and the build.
func withLinks(l line, s *detect.StepResult) line {
	if address(s.Links.Trace) != "" {
		l = lineOf(l, " ", link{"Trace", s.Links.Trace})
	}
	if address(s.Links.Compare) != "" {
		l = lineOf(l, " ", link{"Beside a usual build", s.Links.Compare})
	}
	return l
}

// cacheLoss tells of a chain of steps that usually are cached and ran.
func cacheLoss(loss *detect.CacheLoss, n *names) line {
	step := code(n.ofKey(loss.Step))
	dragged := ""
	if len(loss.Dragged) > 0 {
		dragged = " with " + Count(len(loss.Dragged), "step") + " after it"
	}
	var l line
	switch {
	case loss.Lasting:
		l = lineOf("Every build of this branch now pays ", loss.Cost.String(), ": the cache is lost again at ", step)
		if dragged != "" {
			l = lineOf(l, ",", dragged)
		}
	case loss.Expected:
		l = lineOf(step, " ran", dragged, " for ", loss.Cost.String(), " instead of coming from the cache")
		if loss.Cause.Text != "" {
			l = lineOf(l, ": ", sentence(loss.Cause.Text))
		}
		return l
	default:
		l = lineOf("Cache lost at ", step, ": it ran", dragged, " for ", loss.Cost.String())
	}
	if loss.Share > 0 && loss.Share <= 1 && !loss.Expected {
		l = lineOf(l, "; ", percent(loss.Share), " of builds find it cached")
	}
	if l = lineOf(l, "."); loss.Cause.Text != "" {
		l = lineOf(l, " Cause: ", sentence(loss.Cause.Text))
	}
	return l
}

// coldCache is the one line in place of a loss per chain.
func coldCache(r *detect.Result, loss *detect.CacheLoss) line {
	l := lineOf("Cold cache: nothing that is usually cached was found in it, and ", Count(r.Cache.Executed, "step"), " ran")
	if cost := lossCost(r, loss); cost > 0 {
		l = lineOf(l, "; it costs the build ", cost.String(), " of wall clock")
	}
	if loss.Lasting {
		return lineOf(l, ". So it was in the build before: every build of this branch pays for it.")
	}
	return lineOf(l, ". No step is blamed for it.")
}

func lastingLosses(r *detect.Result) bool {
	return slices.ContainsFunc(r.Cache.Losses, func(l detect.CacheLoss) bool { return l.Lasting })
}

// lossCost is the wall clock that a loss cost, else the time of its steps.
func lossCost(r *detect.Result, loss *detect.CacheLoss) timeline.Seconds {
	for _, p := range r.WallClock.Parts {
		if p.Cause == detect.CauseCacheLoss && p.Step == loss.Step {
			return p.Seconds
		}
	}
	return loss.Cost
}
