package backtest

import (
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
)

// An Injection tells how often a slowdown was found that was put into builds of the
// base branch: each case is a step of one build, slowed down in it and in the next
// builds in which it ran as well, as if these were the first builds of a branch.
type Injection struct {
	Factor   float64 `json:"factor"`
	Possible int     `json:"possible_cases"` // steps of builds that were judged, and would be slower by enough to be told
	Cases    int     `json:"cases"`          // of these, cases that were tried
	Seed     uint64  `json:"seed"`           // by which they were drawn; 0 if all were tried
	Looks    []Look  `json:"looks"`          // at the first, the second and the third build
}

// A Look is what the cases came to at one build of their branch.
type Look struct {
	Builds    int     `json:"builds"`    // of the branch so far
	Cases     int     `json:"cases"`     // with so many builds in which the step ran
	Slower    int     `json:"slower"`    // in which the step was called slower
	Suspect   int     `json:"suspect"`   // … or suspect
	Regressed int     `json:"regressed"` // in which the build was
	Found     float64 `json:"found"`     // Slower / Cases, set by Merge
}

// Add adds a case: the result of the build, and the index of the slowed step in it.
func (l *Look) Add(r *detect.Result, step int) {
	l.Cases++
	switch r.Steps[step].Status {
	case detect.StatusSlower:
		l.Slower++
	case detect.StatusSuspect:
		l.Suspect++
	}
	if r.Verdict == detect.Regressed {
		l.Regressed++
	}
}

// Merge adds what other cases came to at the same build.
func (l *Look) Merge(o *Look) {
	l.Cases += o.Cases
	l.Slower += o.Slower
	l.Suspect += o.Suspect
	l.Regressed += o.Regressed
	if l.Cases > 0 {
		l.Found = float64(l.Slower) / float64(l.Cases)
	}
}

// Injectable tells whether the step, slowed down by a factor, would be slower by
// enough to be told: else nothing can be learnt from doing so.
func (c *Check) Injectable(factor float64) bool {
	by := float64(c.Current) * (factor - 1)
	return c.Index >= 0 && c.Tested && by >= float64(c.MinDelta) && factor-1 >= c.MinSlowdown
}

// longest is what a slowed step takes at most.
const longest = 100 * 365 * 24 * time.Hour

// SlowDown returns the build as it would have been if its step number i had taken
// factor times as long, factor being at least 1: what waited for that step, by itself
// or through others, begins later by the difference, and the build ends as much later
// as its last step does. b itself stays as it is.
func SlowDown(b *timeline.Build, i int, factor float64) timeline.Build {
	out := *b
	out.Steps = slices.Clone(b.Steps)
	slow := &out.Steps[i]
	slow.Duration = time.Duration(min(float64(slow.Duration)*factor, float64(longest)))
	delta := slow.Duration - b.Steps[i].Duration

	downstream, timed := b.Downstream(i), false
	last, ended := b.Start, b.Start // end of the last step, before and after
	for k := range out.Steps {
		s, was := &out.Steps[k], &b.Steps[k]
		timed = timed || !s.Start.IsZero()
		last = later(last, was.Start.Add(was.Duration))
		if downstream[k] {
			s.Start = s.Start.Add(delta)
		}
		ended = later(ended, s.Start.Add(s.Duration))
	}
	if b.Duration > 0 {
		if !timed { // one step after the other, for all that is known
			out.Duration += delta
		} else {
			out.Duration += ended.Sub(last)
		}
	}
	return out
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
