package detect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect/timeline"
)

// A step of a pipeline's run may make a build that is judged as well: what makes a step of
// that slower makes the run's step slower. It is told of the build, which shows it best, and
// the run's step is explained by it.

// TellNested leaves one finding of each step of a run and the builds that were made within
// it. The results are all of one report.
func TellNested(results []Result) {
	for p := range results {
		run := &results[p]
		for i := range run.Steps {
			step := &run.Steps[i]
			isLonger := step.Status == StatusSame && step.Delta >= run.Thresholds.MinDelta && step.Ratio >= 1+run.Thresholds.MinSlowdown
			if step.Delta <= 0 || finds(step.Status) <= 0 && !isLonger {
				continue
			}
			var within []*Result
			for n := range results {
				if w := results[n].Build.Within; n != p && w != nil && w.Build == run.Build.ID && w.Step == step.Key {
					within = append(within, &results[n])
				}
			}
			run.tellWithin(step, within)
		}
	}
}

// tellWithin explains a step by the builds within it, if these took most of what it took
// longer, and leaves it unjudged where they tell of that.
func (r *Result) tellWithin(step *StepResult, within []*Result) {
	const most = 0.8 // of what the step took longer
	var longer timeline.Seconds
	for _, n := range within {
		if n.WallClock.Usual > 0 {
			longer += max(0, n.WallClock.Delta)
		}
	}
	if longer <= 0 || float64(longer) < most*float64(step.Delta-r.Build.Resolution) { // which may have a tick too many
		return
	}
	step.Causes = slices.Insert(step.Causes, 0, Explanation{Kind: KindBuildWithin, Certainty: Is, Text: "its " + partsWithin(within)})
	step.Causes = step.Causes[:min(len(step.Causes), maxCauses)]
	var telling []*Result
	strongest := StatusUnjudged
	for _, n := range within {
		if !n.tellsOfIt() {
			continue
		}
		telling = append(telling, n)
		for i := range n.Steps {
			if s := n.Steps[i].Status; finds(s) > 0 && strongest != StatusSlower {
				strongest = s
			}
		}
	}
	switch {
	case len(telling) == 0, finds(step.Status) <= 0 && strongest == StatusUnjudged:
	case strongest == StatusSuspect && step.Status == StatusSlower: // the step proves what the build does not
		for _, n := range telling {
			for i := range n.Steps {
				if s := &n.Steps[i]; s.Status == StatusSuspect {
					s.Status, s.Reason = StatusUnjudged, Note{KindToldOnce, "told of `" + step.Name + "`, within which the build was made"}
				}
			}
			n.weighAgain()
		}
	default:
		var names []string
		for _, n := range telling {
			names = append(names, "`"+n.Build.Pipeline+"`")
		}
		built := ", which was built within it"
		if len(names) > 1 {
			built = ", which were built within it"
		}
		step.Status, step.Reason = StatusUnjudged, Note{KindToldOnce, "told of " + strings.Join(names, " and ") + built}
		r.weighAgain()
	}
}

// tellsOfIt tells whether what was found in a build is most of what it took longer: a
// finding beside the critical path explains nothing around it.
func (r *Result) tellsOfIt() bool {
	if r.OverBudget != "" {
		return true
	}
	var told timeline.Seconds
	for i := range r.Steps {
		if s := &r.Steps[i]; finds(s.Status) > 0 {
			told += max(0, s.WallClockSeconds)
		}
	}
	for _, p := range r.WallClock.Parts {
		if p.Cause == CauseCacheLoss {
			told += max(0, p.Seconds)
		}
	}
	return told > 0 && 2*told >= r.WallClock.Delta
}

// partsWithin are the dearest parts of what some builds took longer: "`RUN make` +71 s".
func partsWithin(within []*Result) string {
	type part struct {
		text    string
		seconds timeline.Seconds
	}
	var parts []part
	for _, n := range within {
		for _, p := range n.WallClock.Parts {
			if p.Seconds <= 0 || p.Seconds*5 < n.WallClock.Delta {
				continue // a fifth is worth a word
			}
			switch p.Cause {
			case CauseStep:
				parts = append(parts, part{"`" + nameIn(p.Step) + "`", p.Seconds})
			case CauseCacheLoss:
				parts = append(parts, part{"cache loss at `" + nameIn(p.Step) + "`", p.Seconds})
			case CauseRunner:
				parts = append(parts, part{"machine", p.Seconds})
			}
		}
	}
	slices.SortStableFunc(parts, func(a, b part) int { return int(b.seconds - a.seconds) })
	if len(parts) == 0 {
		var longer timeline.Seconds
		for _, n := range within {
			longer += max(0, n.WallClock.Delta)
		}
		parts = []part{{"build", longer}}
	}
	var texts []string
	const told = 2
	for _, p := range parts[:min(len(parts), told)] {
		texts = append(texts, fmt.Sprintf("%s +%v", p.text, p.seconds))
	}
	return strings.Join(texts, ", ")
}

// nameIn is the name of a step in its key, without its stage.
func nameIn(key string) string {
	if _, name, ok := strings.Cut(key, "] "); ok {
		return name
	}
	return key
}

// weighAgain decides the verdict anew after findings were taken from the build, as far as
// its steps made it; see conclude.
func (r *Result) weighAgain() {
	clear(r.Counts)
	r.countStatuses()
	if r.Verdict != Regressed && (r.Verdict != Unsure || r.Reason.Kind != KindUnconfirmed) {
		return
	}
	r.Verdict, r.Reason = r.byFindings(r.OverBudget != "" || r.Counts[StatusOverBudget] > 0, r.Thresholds)
	if r.Verdict == Unjudged {
		r.Verdict = Pass
	}
}
