package detect

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/glob"
	"github.com/buildregress/buildregress/detect/stepname"
	"github.com/buildregress/buildregress/detect/timeline"
)

// What a team asks of its builds: thresholds, and for some steps thresholds of their own,
// budgets, levels that are accepted on purpose, or not to be judged. Budgets hold whatever
// a step's history says.

// A Policy is what a team asks of its builds. The zero Policy asks for nothing of its
// own: builds are judged by DefaultThresholds.
type Policy struct {
	Thresholds
	Max    timeline.Seconds // hard budget of the whole build, 0 for none
	Rules  []Rule           // of several that match a step, a later one overrides an earlier one
	Accept []Acceptance
}

// A Rule is what is asked of the steps that it matches.
type Rule struct {
	Step        glob.Pattern
	MinSlowdown float64          // instead of Thresholds.MinSlowdown, 0 to leave it
	MinDelta    timeline.Seconds // instead of Thresholds.MinDelta, 0 to leave it
	Max         timeline.Seconds // hard budget of the step, 0 for none
	Ignore      string           // why it is not judged, "" to judge it
	From        string           // where the rule stands, for people

	named []string // keys of the steps that Step is a name of, where it is no glob on a key
}

func (r *Rule) matches(key string) bool { return r.Step.Match(key) || slices.Contains(r.named, key) }

// An Acceptance starts a new level of the steps that it matches on purpose.
type Acceptance struct {
	Step  glob.Pattern
	Since string // the first revision of the new level, at least 7 digits of it
	Why   string
	From  string // where it stands, for people

	named []string // as Rule has it
}

func (e *Acceptance) matches(key string) bool {
	return e.Step.Match(key) || slices.Contains(e.named, key)
}

// A stepPolicy is what holds for one step.
type stepPolicy struct {
	Thresholds
	max    timeline.Seconds
	ignore string
	accept *Acceptance
}

// forStep gathers what the policy says of a step.
func (p *Policy) forStep(key string) stepPolicy {
	r := stepPolicy{Thresholds: p.Thresholds}
	for i := range p.Rules {
		rule := &p.Rules[i]
		if !rule.matches(key) {
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
		if p.Accept[i].matches(key) {
			r.accept = &p.Accept[i]
		}
	}
	return r
}

// withNames is the policy with the steps of these builds that it names otherwise than by a
// glob on their keys: as a report does.
func (p Policy) withNames(a *arranged) Policy {
	if len(p.Rules)+len(p.Accept) == 0 {
		return p
	}
	steps := a.names()
	named := func(g glob.Pattern) []string {
		if slices.ContainsFunc(steps, func(s stepname.Name) bool { return g.Match(s.Key) }) {
			return nil
		}
		return stepname.Keys(string(g), steps)
	}
	p.Rules, p.Accept = slices.Clone(p.Rules), slices.Clone(p.Accept)
	for i := range p.Rules {
		p.Rules[i].named = named(p.Rules[i].Step)
	}
	for i := range p.Accept {
		p.Accept[i].named = named(p.Accept[i].Step)
	}
	return p
}

// names are those of all steps of the builds compared, each key once, as the newest build
// that has it calls it.
func (a *arranged) names() (steps []stepname.Name) {
	seen := map[string]bool{}
	add := func(b *timeline.Build) {
		for i := range b.Steps {
			if s := &b.Steps[i]; !seen[s.Key] {
				seen[s.Key] = true
				steps = append(steps, stepname.Name{Key: s.Key, Name: s.Name})
			}
		}
	}
	for _, b := range slices.Backward(a.branch) {
		add(b)
	}
	for i := range a.base {
		add(&a.base[i])
	}
	return steps
}

// unmatched lists the entries of the policy that match no step of the build or its
// baseline: a step was renamed, or the glob is wrong.
func (p *Policy) unmatched(a *arranged) (notes []Note) {
	if len(p.Rules)+len(p.Accept) == 0 {
		return nil
	}
	steps := a.names()
	used := func(matches func(key string) bool) bool {
		return slices.ContainsFunc(steps, func(s stepname.Name) bool { return matches(s.Key) })
	}
	note := func(from, format string, args ...any) {
		notes = append(notes, Note{KindUnmatched, from + ": " + fmt.Sprintf(format, args...)})
	}
	for i := range p.Rules {
		if !used(p.Rules[i].matches) {
			note(p.Rules[i].From, "no step matches `%s`", p.Rules[i].Step)
		}
	}
	for i := range p.Accept {
		e := &p.Accept[i]
		if !used(e.matches) {
			note(e.From, "no step matches `%s`", e.Step)
		} else if !slices.ContainsFunc(a.base, func(b timeline.Build) bool { return e.begins(&b) }) &&
			!slices.ContainsFunc(a.branch, func(b *timeline.Build) bool { return e.begins(b) }) {
			note(e.From, "none of the builds compared is of revision `%s`", e.Since)
		}
	}
	return notes
}

// begins tells whether the accepted level begins with b.
func (e *Acceptance) begins(b *timeline.Build) bool {
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
	if slices.ContainsFunc(a.branch, func(b *timeline.Build) bool { return e.begins(b) }) {
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
		if limit == 0 || s.State != timeline.Executed && s.State != timeline.Cached || s.Current <= limit {
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
