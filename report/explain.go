package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/stepname"
	"github.com/buildregress/buildregress/detect/timeline"
)

// An explanation tells how the judgement on a step came about: all numbers of it, and
// the conditions that package detect asked for and whether they held. It works nothing
// out anew: what it says is in the JSON report as well.

// Explain writes how the judgement on the steps came about that somebody means, see
// stepname.Find.
func Explain(w io.Writer, r *detect.Report, meant string) error {
	var out strings.Builder
	for i := range r.Results {
		for _, j := range stepname.Find(meant, r.Results[i].StepNames()) {
			(&explainer{&out, &r.Results[i], &r.Results[i].Steps[j]}).step()
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// An explainer writes the rows on one step.
type explainer struct {
	out    *strings.Builder
	result *detect.Result
	*detect.StepResult
}

func (e *explainer) row(name, format string, args ...any) {
	fmt.Fprintf(e.out, "  %-14s %s\n", name, Clean(fmt.Sprintf(format, args...)))
}

func (e *explainer) step() {
	fmt.Fprintf(e.out, "\n%s\n", Clean(e.Key))
	e.row("status", "%s", e.Status)
	if e.Reason.Text != "" {
		e.row("because", "%s", e.Reason)
	}
	e.row("state", "%s", e.State)
	e.row("now", "%s", brief(e.Current))
	if e.Bytes > 0 {
		e.row("moved", "%.3g MB", float64(e.Bytes)/1e6)
	}
	if e.N > 0 {
		e.test()
	}
	e.runner()
	if e.Evidence.Builds > 0 {
		e.row("branch", "%s", slowIn(&e.Evidence))
	}
	if e.MinDetectable > 0 {
		e.row("could show", "×%.3g in one build, ×%.3g in three", e.MinDetectable, e.MinDetectable3)
	}
	for _, m := range e.Modes {
		if len(e.Modes) == 1 {
			break // what is usual says it
		}
		e.row("mode", "%s in %.0f %% of the samples", brief(m.Seconds), 100*m.Share)
	}
	if e.condition(detect.KindEarlierLevel) != nil {
		e.row("until", "%s: the samples since do not count", e.Cut)
	} else if e.Cut != "" {
		e.row("since", "%s: the samples before do not count", e.Cut)
	}
	e.row("wall clock", "%s; slack %s; on the critical path: %t", brief(e.WallClockSeconds), brief(e.Slack), e.Critical)
	if len(e.History) > 0 {
		var points []string
		for _, p := range e.History {
			points = append(points, brief(p.Seconds))
		}
		branch := e.result.Baseline.Branch
		if e.result.Baseline.AnyBranch {
			branch = "any branch"
		}
		e.row("history", "%s (executed times in builds of %s, newest first)", strings.Join(points, " "), branch)
	}
	e.explainCauses()
	for _, note := range e.Notes {
		e.row("note", "%s", note)
	}
}

// test tells what the step is compared with, and what the test of it came to.
func (e *explainer) test() {
	e.row("usually", "%s, in %s", brief(e.Usual), Count(e.N, "sample"))
	if e.High > 0 {
		e.row("spread", "nine of ten lie between %s and %s%s", brief(e.Low), brief(e.High), e.around())
	}
	e.row("change", "%s, ×%.3g", brief(e.Delta), e.Ratio)
	if text := e.floors(); text != "" {
		e.row("floors", "%s", text)
	}
	if tested := len(e.Modes) > 0; tested {
		e.row("p", "%.3g: chance of a value as slow as this if nothing changed; slower takes at most %g, suspect %g", e.P, detect.SlowerP, detect.SuspectP)
		e.row("q", "%.3g: false discovery rate at which it counts as slower; slower takes at most %g (--fdr)", e.Q, e.result.Thresholds.FDR)
	}
	if why := e.conclusion(); why != "" {
		e.row("so", "%s", why)
	}
}

func (e *explainer) runner() {
	if f := e.result.RunnerFactor; f != nil {
		e.row("runner", "×%.3g (%.3g to %.3g, usually %.3g to %.3g) from %s: %s would be usual on it", f.Value, f.Low, f.High,
			f.UsualLow, f.UsualHigh, Count(f.Steps, "step"), brief(e.Expected))
	} else if e.N > 0 {
		e.row("runner", "no factor: too few steps that are long enough and have a history ran, to tell the machine's speed from theirs")
	}
	if load := measuredLoad(e.result.Machine); load != "" {
		e.row("machine", "%s", load)
	}
}

// around is the range in which a step usually lies, relative to what is usual.
func (e *explainer) around() string {
	if e.Usual <= 0 {
		return ""
	}
	part := func(x timeline.Seconds) string { return ratio(float64(x) / float64(e.Usual)) }
	if low := part(e.Low); low != "" {
		return " (" + low + " to " + part(e.High) + ")"
	}
	return ""
}

// condition is the one of a kind, nil if none was asked for.
func (e *explainer) condition(kind detect.Kind) *detect.Condition {
	if i := slices.IndexFunc(e.Conditions, func(c detect.Condition) bool { return c.Kind == kind }); i >= 0 {
		return &e.Conditions[i]
	}
	return nil
}

// unmet tells whether something was asked for that did not hold.
func (e *explainer) unmet(kinds ...detect.Kind) bool {
	return slices.ContainsFunc(e.Conditions, func(c detect.Condition) bool { return !c.Met && slices.Contains(kinds, c.Kind) })
}

// floors says how large a change had to be, and whether it was; "" if that was not
// asked.
func (e *explainer) floors() string {
	least, relative := e.condition(detect.KindMinDelta), e.condition(detect.KindMinSlowdown)
	if least == nil || relative == nil {
		return ""
	}
	asked := fmt.Sprintf("at least %s and %.3g %% are asked for", brief(timeline.Seconds(least.Limit*float64(time.Second))), 100*relative.Limit)
	if slices.ContainsFunc(e.Notes, func(n detect.Note) bool { return n.Kind == detect.KindOwnThresholds }) {
		asked += " by a rule of its own"
	}
	if builds := e.condition(detect.KindBuilds); builds != nil {
		asked += fmt.Sprintf(", of its newest %.0f builds together", builds.Value)
	}
	switch {
	case !least.Met && !relative.Met:
		return asked + ": it changed by less than either"
	case !least.Met:
		return asked + ": it changed by less time"
	case !relative.Met:
		return asked + ": it changed by less of its time"
	case e.unmet(detect.KindMinDeltaCleared, detect.KindMinSlowdownCleared):
		return asked + ": it changed by more, but not without the runner's factor"
	}
	return asked + ": it changed by more"
}

// missing says what keeps a suspect from being slower.
var missing = []struct {
	kind detect.Kind
	text string
}{
	{detect.KindSlowerP, "p is not low enough for slower"},
	{detect.KindFDR, "q is not, with so many steps tested"},
	{detect.KindOwnHistory, "builds of other branches fill the history up, and prove nothing"},
	{detect.KindCalmMachine, "the machine was overloaded, and may be the reason"},
	{detect.KindFedStep, "it did the same work, and waited for a processor"},
	{detect.KindMatureLevel, "the level is too young to prove anything by"},
}

// conclusion says what the conditions come to together; "" where the status does not
// come from them.
func (e *explainer) conclusion() string {
	switch e.Status {
	case detect.StatusSlower:
		return "p and q are low enough and the change is large enough" + e.bothWays() + ": slower"
	case detect.StatusSuspect:
		var parts []string
		for _, m := range missing {
			if e.unmet(m.kind) {
				parts = append(parts, m.text)
			}
		}
		return strings.Join(parts, "; ") + ": suspect"
	case detect.StatusFaster:
		return "the same test of the inverse times found it: faster"
	case detect.StatusSame:
		return e.same()
	}
	return ""
}

// bothWays is said where the machine has a factor that could have made a difference.
func (e *explainer) bothWays() string {
	if e.result.RunnerFactor == nil {
		return ""
	}
	return ", with and without the runner's factor"
}

// same says why a step that was tested, or that could not be, is the same.
func (e *explainer) same() string {
	switch mode := e.condition(detect.KindSeenMode); {
	case len(e.Conditions) == 0:
		return ""
	case e.condition(detect.KindEarlierLevel) != nil:
		return "it takes what it took before the base branch's level rose, which this one left before: same"
	case e.unmet(detect.KindLongEnough):
		return "it is too short for a change to be told, and was not tested: same"
	case e.unmet(detect.KindSuspectP, detect.KindFasterP) && mode != nil:
		return fmt.Sprintf("%.0f %% of the samples are like it: same", 100*mode.Value)
	case e.unmet(detect.KindSuspectP, detect.KindFasterP):
		return "a value like this is no surprise: same"
	case e.unmet(detect.KindMinDelta, detect.KindMinSlowdown):
		return "it would be a surprise, but the change is too small to be told: same"
	}
	return "it would be a surprise, but the change is too small to be told without the runner's factor: same"
}

// slowIn says in how many builds of a branch the step was slow.
func slowIn(e *detect.Evidence) string {
	switch {
	case e.Builds > 1:
		return fmt.Sprintf("slow in %d of its %d newest builds", e.Slow, e.Builds)
	case e.Slow > 0:
		return "slow in its newest build"
	}
	return "not slow in its newest build"
}

// brief is a duration to the millisecond.
func brief(s timeline.Seconds) string { return s.D().Round(time.Millisecond).String() }
