package report

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/glob"
)

// Explain writes how the judgement on the steps that a glob means came about: all
// numbers of it, in the words of the JSON report.
func Explain(w io.Writer, r *detect.Report, pattern string) error {
	out := bufio.NewWriter(w) // holds the first error of all writes
	found := false
	for i := range r.Results {
		for j := range r.Results[i].Steps {
			if s := &r.Results[i].Steps[j]; means(glob.Pattern(pattern), s) {
				found = true
				explainStep(out, &r.Results[i], s)
			}
		}
	}
	if !found {
		fmt.Fprintf(out, "\nno step matches %s; they are written\n", Clean(pattern))
		for i := range r.Results {
			for _, s := range r.Results[i].Steps {
				fmt.Fprintf(out, "  %s\n", Clean(s.Key))
			}
		}
	}
	return out.Flush()
}

// means tells whether a glob matches the key of a step, its name, or either without
// the "[platform stage] " in front: what people see is what they write.
func means(pattern glob.Pattern, s *detect.StepResult) bool {
	for _, text := range []string{s.Key, s.Name} {
		_, instruction, _ := strings.Cut(text, "] ")
		if pattern.Match(text) || instruction != "" && pattern.Match(instruction) {
			return true
		}
	}
	return false
}

func explainStep(out io.Writer, r *detect.Result, s *detect.StepResult) {
	row := func(name, format string, args ...any) {
		fmt.Fprintf(out, "  %-14s %s\n", name, Clean(fmt.Sprintf(format, args...)))
	}
	fmt.Fprintf(out, "\n%s\n", Clean(s.Key))
	row("status", "%s", s.Status)
	if s.Reason.Text != "" {
		row("because", "%s", s.Reason)
	}
	row("state", "%s", s.State)
	row("now", "%s", brief(s.Current))
	if s.N > 0 {
		row("usually", "%s, in %s", brief(s.Usual), Count(s.N, "sample"))
		if s.High > 0 {
			row("spread", "nine of ten lie between %s and %s%s", brief(s.Low), brief(s.High), around(s))
		}
		row("change", "%s, ×%.3g", brief(s.Delta), s.Ratio)
		row("floors", "%s", floors(r, s))
		if tested := len(s.Modes) > 0; tested {
			row("p", "%.3g: chance of a value as slow as this if nothing changed; slower takes at most %g, suspect %g", s.P, detect.SlowerP, detect.SuspectP)
			row("q", "%.3g: false discovery rate at which it counts as slower; slower takes at most %g (--fdr)", s.Q, r.Thresholds.FDR)
		}
		if why := conclusion(r, s); why != "" {
			row("so", "%s", why)
		}
	}
	if r.RunnerFactor != nil {
		row("runner", "×%.3g (%.3g to %.3g, usually %.3g to %.3g) from %s: %s would be usual on it", r.RunnerFactor.Value, r.RunnerFactor.Low, r.RunnerFactor.High,
			r.RunnerFactor.UsualLow, r.RunnerFactor.UsualHigh, Count(r.RunnerFactor.Steps, "step"), brief(s.Expected))
	} else if s.N > 0 {
		row("runner", "no factor: too few steps that are long enough and have a history ran, to tell the machine's mood from theirs")
	}
	if s.Evidence.Builds > 0 {
		row("branch", "slow in %d of its newest %s; %s", s.Evidence.Slow, Count(s.Evidence.Builds, "build"), odds(s.Evidence.Value))
	}
	if s.MinDetectable > 0 {
		row("could show", "×%.3g in one build, ×%.3g in three", s.MinDetectable, s.MinDetectable3)
	}
	for _, m := range s.Modes {
		row("mode", "%s in %.0f %% of the samples", brief(m.Seconds), 100*m.Share)
	}
	if s.Cut != "" {
		row("since", "%s: the samples before do not count", s.Cut)
	}
	row("wall clock", "%s; slack %s; on the critical path: %t", brief(s.WallClockSeconds), brief(s.Slack), s.Critical)
	if len(s.History) > 0 {
		var points []string
		for _, p := range s.History {
			points = append(points, brief(p.Seconds))
		}
		row("history", "%s (executed times in builds of %s, newest first)", strings.Join(points, " "), r.Baseline.Branch)
	}
	for _, note := range s.Notes {
		row("note", "%s", note)
	}
}

// around is the range in which a step usually lies, relative to what is usual.
func around(s *detect.StepResult) string {
	if s.Usual <= 0 {
		return ""
	}
	part := func(x detect.Seconds) float64 { return 100 * (float64(x)/float64(s.Usual) - 1) }
	return fmt.Sprintf(" (%+.0f to %+.0f %%)", part(s.Low), part(s.High))
}

// floors says whether the change is large enough to be told.
func floors(r *detect.Result, s *detect.StepResult) string {
	least, relative := r.Thresholds.MinDelta, r.Thresholds.MinSlowdown
	for _, note := range s.Notes {
		if note.Kind == detect.KindOwnThresholds && s.Basis != nil {
			return fmt.Sprintf("at least %s and %.3g %% are asked for by a rule of its own", s.Basis.MinDelta, 100*s.Basis.MinSlowdown)
		}
	}
	asked := fmt.Sprintf("at least %s and %.3g %% are asked for: ", brief(least), 100*relative)
	if s.Evidence.Builds > 1 {
		asked = fmt.Sprintf("at least %s and %.3g %% are asked for, of the builds below together: by itself, ", brief(least), 100*relative)
	}
	if len(s.Modes) > 1 {
		asked += "from the usual of its mode, "
	}
	by := max(s.Delta, -s.Delta)
	from := min(s.Current, s.Usual)
	switch {
	case by < least && float64(by) < relative*float64(from):
		return asked + "it changed by less than either"
	case by < least:
		return asked + "it changed by less time"
	case float64(by) < relative*float64(from):
		return asked + "it changed by less of its time"
	}
	return asked + "it changed by more"
}

// conclusion says what test and floors come to together; "" where the status does
// not come from them.
func conclusion(r *detect.Result, s *detect.StepResult) string {
	likely := s.P > detect.SuspectP
	if len(s.Modes) == 0 && s.Status == detect.StatusSame {
		return "it is too short for a change to be told, and was not tested: same"
	}
	switch s.Status {
	case detect.StatusSlower:
		return "p and q are low enough and the change is large enough, with and without the runner's factor: slower"
	case detect.StatusSuspect:
		var missing []string
		if s.P > detect.SlowerP {
			missing = append(missing, "p is not low enough for slower")
		}
		if s.Q > r.Thresholds.FDR {
			missing = append(missing, "q is not, with so many steps tested")
		}
		if r.Baseline.Filled > 0 {
			missing = append(missing, "builds of other branches fill the history up, and prove nothing")
		}
		if len(missing) == 0 {
			missing = append(missing, "the level is too young to prove anything by")
		}
		return strings.Join(missing, "; ") + ": suspect"
	case detect.StatusFaster:
		return "the same test of the inverse times found it: faster"
	case detect.StatusSame:
		if m := modeOf(s); m != nil && likely && s.Delta >= r.Thresholds.MinDelta {
			return fmt.Sprintf("%.0f %% of the samples are like it: same", 100*m.Share)
		}
		if likely {
			return "a value like this is no surprise: same"
		}
		if len(s.Modes) > 1 {
			return "it would be a surprise, but the change is too small to be told from the middle of all modes as well: same"
		}
		return "it would be a surprise, but the change is too small to be told, with or without the runner's factor: same"
	}
	return ""
}

// modeOf is the mode of the step's history that this value is nearest to, if there
// are several and it is not the fastest.
func modeOf(s *detect.StepResult) *detect.Mode {
	const like = 1.25 // modes are further apart
	for i := len(s.Modes) - 1; i > 0; i-- {
		if m := &s.Modes[i]; float64(s.Current) < like*float64(m.Seconds) && float64(m.Seconds) < like*float64(s.Current) {
			return m
		}
	}
	return nil
}

// odds says in words what evidence is worth that is the logarithm of odds.
func odds(log float64) string {
	const most = 6 // more says nothing more to people
	switch {
	case log > most:
		return "together they speak for one slowdown, by more than a million to 1"
	case log > 0:
		return fmt.Sprintf("together they speak for one slowdown, by %.3g to 1", math.Pow(10, log))
	case log < -most:
		return "together they speak against a slowdown, by more than a million to 1"
	case log < 0:
		return fmt.Sprintf("together they speak against a slowdown, by %.3g to 1", math.Pow(10, -log))
	}
	return "together they speak neither for a slowdown nor against"
}

// brief is a duration to the millisecond.
func brief(s detect.Seconds) string { return s.D().Round(time.Millisecond).String() }
