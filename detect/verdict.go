package detect

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// The verdict on a build follows from its steps: it regressed if a budget is broken or what
// is slower costs the build enough; it is unsure if what is suspect would, together with
// that, or if the machine may have hidden or feigned a change; and it passed if something
// could be judged. A step that costs the build nothing fails it not, proven or suspect.

// conclude decides the verdict on the build.
func (r *Result) conclude(g *gauge, overBudget bool, t Thresholds) {
	judged := 0
	for _, s := range []Status{StatusSlower, StatusSuspect, StatusSame, StatusFaster, StatusOverBudget} {
		judged += r.Counts[s]
	}
	verdict, reason := r.byFindings(overBudget, t)
	switch {
	case verdict != Unjudged:
		r.Verdict, r.Reason = verdict, reason
	case disputed(g, g.newest()):
		r.Verdict = Unsure
		r.Reason = Note{KindRunnerOrChange, "most steps were slower by one factor, and some not at all: a slow runner, or a change that many steps feel; re-run the job to tell"}
	case slowRunners(g) >= 3:
		r.Verdict = Unsure
		r.Reason = Note{KindSlowRunnerAgain, "the runner was slower than usual in three consecutive builds of this branch"}
	case judged == 0 && r.Cache.Executed > 0 && r.ignored() == r.Cache.Executed:
		r.Reason = Note{KindIgnored, "all steps that ran are ignored"}
		if n := len(r.Steps); n == r.Cache.Executed {
			r.Reason.Text = fmt.Sprintf("all %d steps are ignored", n)
		}
	case judged == 0 && r.Cache.Executed > 0:
		r.Reason = Note{KindNothingJudged, "no step that ran has enough history"}
	default:
		r.Verdict = Pass
	}
}

// byFindings is what the findings make of the build: Regressed or Unsure, Unjudged if they
// cost it too little, or there are none.
func (r *Result) byFindings(overBudget bool, t Thresholds) (Verdict, Note) {
	var cost, suspected time.Duration
	for i := range r.Steps {
		switch s := &r.Steps[i]; s.Status {
		case StatusSlower:
			cost += max(0, s.WallClockSeconds.D())
		case StatusSuspect:
			suspected += max(0, s.WallClockSeconds.D())
		}
	}
	least := max(t.MinDelta.D(), r.WallClock.Usual.D()/100)
	switch {
	case overBudget || r.Counts[StatusSlower] > 0 && cost >= least:
		return Regressed, Note{}
	case r.Counts[StatusSuspect] > 0 && cost+suspected >= least:
		return Unsure, Note{KindUnconfirmed, "one build cannot prove it: re-run the job to confirm"}
	}
	return Unjudged, Note{}
}

// ignored counts the steps that ran and that the policy asks to ignore.
func (r *Result) ignored() (n int) {
	for i := range r.Steps {
		if s := &r.Steps[i]; s.State == timeline.Executed && s.Reason.Kind == KindIgnored {
			n++
		}
	}
	return n
}

// disputed tells whether the machine looks much slower than usual by most steps,
// while others were as fast as ever: then a change to most steps would be taken
// for the machine's mood.
func disputed(g *gauge, m *mood) bool {
	f := g.factor(m)
	if !f.Unusual() || f.Value < 1 {
		return false
	}
	const share, asEver = 0.2, 0.1
	n := 0
	for _, r := range m.readings {
		if math.Abs(r.log) <= asEver*m.log+r.sd/2 && r.log < m.log/4 {
			n++
		}
	}
	return float64(n) >= share*float64(len(m.readings))
}

// slowRunners counts the newest builds of the branch, in a row, whose machine was
// slower than it usually is.
func slowRunners(g *gauge) int {
	n := 0
	for n < len(g.branch) {
		f := g.factor(&g.branch[len(g.branch)-1-n])
		if !f.Unusual() || f.Value < 1 {
			break
		}
		n++
	}
	return n
}

// NewReport is the report on several results. failOn holds the verdicts, statuses
// and "never" for which the exit code is 1.
func NewReport(results []Result, failOn []string, notes []Note) Report {
	rep := Report{SchemaVersion: SchemaVersion, FailOn: append([]string{}, failOn...), Results: results, Notes: append([]Note{}, notes...)}
	for i := range results {
		r := &results[i]
		if r.Verdict.Severity() > rep.Verdict.Severity() || i == 0 {
			rep.Verdict = r.Verdict
		}
		if r.Fails(failOn) {
			rep.ExitCode = 1
		}
	}
	return rep
}

// Verdicts are all verdicts, in the order of what they ask of people.
func Verdicts() []Verdict { return []Verdict{Pass, Unjudged, Unsure, Regressed} }

// Severity is the place of v among Verdicts: the larger, the worse.
func (v Verdict) Severity() int { return slices.Index(Verdicts(), v) }

// Fails tells whether the result is named in failOn. A cache loss fails only if
// it is one that somebody should look at.
func (r *Result) Fails(failOn []string) bool {
	for _, on := range failOn {
		switch on {
		case "never":
		case Unsure.String(): // or worse
			if r.Verdict.Severity() >= Unsure.Severity() {
				return true
			}
		case StatusCacheLost.String():
			for i := range r.Cache.Losses {
				if r.Cache.Losses[i].Finding() {
					return true
				}
			}
		case r.Verdict.String():
			return true
		default:
			if r.OverBudget != "" && on == StatusOverBudget.String() {
				return true
			}
			for status, n := range r.Counts {
				if n > 0 && status.String() == on {
					return true
				}
			}
		}
	}
	return false
}
