package main

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect"
)

// explain writes how the judgement on the steps that a glob means came about: all
// numbers of it, in the words of the JSON report.
func explain(w io.Writer, r *detect.Report, glob string) error {
	out := bufio.NewWriter(w) // holds the first error of all writes
	found := false
	for i := range r.Results {
		for j := range r.Results[i].Steps {
			if s := &r.Results[i].Steps[j]; means(detect.Glob(glob), s) {
				found = true
				explainStep(out, &r.Results[i], s)
			}
		}
	}
	if !found {
		fmt.Fprintf(out, "\nno step matches %s; they are written\n", printable(glob))
		for i := range r.Results {
			for _, s := range r.Results[i].Steps {
				fmt.Fprintf(out, "  %s\n", printable(s.Key))
			}
		}
	}
	return out.Flush()
}

// means tells whether a glob matches the key of a step, its name, or either without
// the "[platform stage] " in front: what people see is what they write.
func means(glob detect.Glob, s *detect.StepResult) bool {
	for _, text := range []string{s.Key, s.Name} {
		_, instruction, _ := strings.Cut(text, "] ")
		if glob.Match(text) || instruction != "" && glob.Match(instruction) {
			return true
		}
	}
	return false
}

func explainStep(out io.Writer, r *detect.Result, s *detect.StepResult) {
	row := func(name, format string, args ...any) {
		fmt.Fprintf(out, "  %-14s %s\n", name, printable(fmt.Sprintf(format, args...)))
	}
	fmt.Fprintf(out, "\n%s\n", printable(s.Key))
	row("status", "%s", s.Status)
	if s.Reason != "" {
		row("because", "%s", s.Reason)
	}
	row("state", "%s", s.State)
	row("now", "%s", brief(s.Current))
	if s.N > 0 {
		row("usually", "%s, between %s and %s, in %s", brief(s.Usual), brief(s.Low), brief(s.High), count(s.N, "sample"))
		row("change", "%s, ×%.3g; at least %s and %.3g %% are asked for", brief(s.Delta), s.Ratio, brief(r.Thresholds.MinDelta), 100*r.Thresholds.MinSlowdown)
		row("p", "%.3g: chance of a value as slow as this if nothing changed; slower takes at most %g, suspect %g", s.P, detect.SlowerP, detect.SuspectP)
		row("q", "%.3g: false discovery rate at which it counts as slower; slower takes at most %g (--fdr)", s.Q, r.Thresholds.FDR)
	}
	if r.RunnerFactor != nil {
		row("runner", "×%.3g (%.3g to %.3g) from %s: %s would be usual on it", r.RunnerFactor.Value, r.RunnerFactor.Low, r.RunnerFactor.High, count(r.RunnerFactor.Steps, "step"), brief(s.Expected))
	}
	if s.Evidence.Builds > 0 {
		row("branch", "slow in %d of its newest %s; %s", s.Evidence.Slow, count(s.Evidence.Builds, "build"), odds(s.Evidence.Value))
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
		row("history", "%s (newest first)", strings.Join(points, " "))
	}
	for _, note := range s.Notes {
		row("note", "%s", note)
	}
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
