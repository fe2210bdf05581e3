package detect

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/glob"
)

// What a team asks of its builds: thresholds, and for some steps thresholds of their own,
// budgets, levels that are accepted on purpose, or not to be judged. Budgets hold whatever
// a step's history says.

// A Policy is what a team asks of its builds. The zero Policy asks for nothing of its
// own: builds are judged by DefaultThresholds.
type Policy struct {
	Thresholds
	Max    Seconds // hard budget of the whole build, 0 for none
	Rules  []Rule  // of several that match a step, a later one overrides an earlier one
	Accept []Acceptance
}

// A Rule is what is asked of the steps that it matches.
type Rule struct {
	Step        glob.Pattern
	MinSlowdown float64 // instead of Thresholds.MinSlowdown, 0 to leave it
	MinDelta    Seconds // instead of Thresholds.MinDelta, 0 to leave it
	Max         Seconds // hard budget of the step, 0 for none
	Ignore      string  // why it is not judged, "" to judge it
	From        string  // where the rule stands, for people
}

// An Acceptance starts a new level of the steps that it matches on purpose.
type Acceptance struct {
	Step  glob.Pattern
	Since string // the first revision of the new level, at least 7 digits of it
	Why   string
	From  string // where it stands, for people
}

// A stepPolicy is what holds for one step.
type stepPolicy struct {
	Thresholds
	max    Seconds
	ignore string
	accept *Acceptance
}

// forStep gathers what the policy says of a step.
func (p *Policy) forStep(key string) stepPolicy {
	r := stepPolicy{Thresholds: p.Thresholds}
	for i := range p.Rules {
		rule := &p.Rules[i]
		if !rule.Step.Match(key) {
			continue
		}
		if rule.MinSlowdown > 0 {
			r.MinSlowdown = rule.MinSlowdown
		}
		if rule.MinDelta > 0 {
			r.MinDelta = rule.MinDelta
		}
		if rule.Max > 0 {
			r.max = rule.Max
		}
		if rule.Ignore != "" {
			r.ignore = rule.Ignore
		}
	}
	for i := range p.Accept {
		if p.Accept[i].Step.Match(key) {
			r.accept = &p.Accept[i]
		}
	}
	return r
}

// unmatched lists the entries of the policy that match no step of the build or its
// baseline: a step was renamed, or the glob is wrong.
func (p *Policy) unmatched(a *arranged) (notes []Note) {
	if len(p.Rules)+len(p.Accept) == 0 {
		return nil
	}
	keys := map[string]bool{}
	for _, b := range a.branch {
		for i := range b.Steps {
			keys[b.Steps[i].Key] = true
		}
	}
	for b := range a.base {
		for i := range a.base[b].Steps {
			keys[a.base[b].Steps[i].Key] = true
		}
	}
	used := func(g glob.Pattern) bool {
		for key := range keys {
			if g.Match(key) {
				return true
			}
		}
		return false
	}
	note := func(from, format string, args ...any) {
		notes = append(notes, Note{KindUnmatched, from + ": " + fmt.Sprintf(format, args...)})
	}
	for i := range p.Rules {
		if !used(p.Rules[i].Step) {
			note(p.Rules[i].From, "no step matches `%s`", p.Rules[i].Step)
		}
	}
	for i := range p.Accept {
		e := &p.Accept[i]
		if !used(e.Step) {
			note(e.From, "no step matches `%s`", e.Step)
		} else if !slices.ContainsFunc(a.base, func(b Build) bool { return e.begins(&b) }) &&
			!slices.ContainsFunc(a.branch, func(b *Build) bool { return e.begins(b) }) {
			note(e.From, "none of the builds compared is of revision `%s`", e.Since)
		}
	}
	return notes
}

// begins tells whether the accepted level begins with b.
func (e *Acceptance) begins(b *Build) bool {
	const least = 7 // digits that name a revision
	return len(e.Since) >= least && strings.HasPrefix(b.Revision, e.Since)
}

// An accepted is what an acceptance makes of a step's samples.
type accepted struct {
	entry   *Acceptance
	samples int       // of the new level in the baseline; 0 where it begins on this branch
	begin   time.Time // start of the first build of the baseline that is on it
}

// acceptedLevel applies an acceptance to a series; nil if it says nothing of the
// builds compared.
func (a *arranged) acceptedLevel(s *series, e *Acceptance) *accepted {
	if e == nil {
		return nil
	}
	for i := len(a.base) - 1; i >= 0; i-- {
		if !e.begins(&a.base[i]) {
			continue
		}
		n := 0
		for n < len(s.samples) && !s.build(n).Start.Before(a.base[i].Start) {
			n++
		}
		return &accepted{entry: e, samples: n, begin: a.base[i].Start}
	}
	if slices.ContainsFunc(a.branch, func(b *Build) bool { return e.begins(b) }) {
		return &accepted{entry: e}
	}
	return nil
}

func (x *accepted) note() Note {
	text := "accepted since " + x.entry.Since
	if x.entry.Why != "" {
		text += ": " + x.entry.Why
	}
	return Note{KindAccepted, text}
}

// enforceBudgets marks the steps that took longer than they may, whatever their
// history says, and tells whether the build or any of them did. loads holds the
// indices of loads by those of their steps: then the load is what took the time.
func (r *Result) enforceBudgets(p *Policy, loads map[int]int) (broken bool) {
	for i := range r.Steps {
		s := &r.Steps[i]
		if _, loaded := loads[i]; loaded {
			continue
		}
		limit := p.forStep(s.Key).max
		if limit == 0 || s.State != Executed && s.State != Cached || s.Current <= limit {
			continue
		}
		broken = true
		if s.Status == StatusSlower || s.Status == StatusSuspect {
			s.Notes = append(s.Notes, Note{KindAlsoSlower, "it is " + s.Status.String() + " as well"})
		}
		s.Status, s.Reason = StatusOverBudget, Note{KindBudget, fmt.Sprintf("it may take %s", limit)}
	}
	if p.Max > 0 && r.Build.Duration > p.Max {
		r.OverBudget = fmt.Sprintf("the build took %s and may take %s", r.Build.Duration, p.Max)
		broken = true
	}
	return broken
}
