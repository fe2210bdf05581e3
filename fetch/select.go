package fetch

import (
	"cmp"
	"slices"

	"github.com/buildregress/buildregress/detect"
)

// Select makes the history that q asks for out of builds that are in memory. It
// is the definition of what a history holds; a store answers the same, and
// reads less for it.
func Select(builds []detect.Build, q Query) *detect.History {
	before := candidates(builds, q)
	h := &detect.History{BaseBranch: q.BaseBranch}

	var base []*detect.Build
	for _, b := range before {
		if q.IsBase(b) {
			base = append(base, b)
		}
	}
	base = base[:min(len(base), q.Window*SearchFactor)]
	base = OnSameRunner(&q, base, func(b *detect.Build) string { return b.Runner })
	whole := base[:min(len(base), q.Window)]
	for _, b := range whole {
		h.Base = append(h.Base, *b)
	}
	h.Rare = rare(h.Base, base[len(whole):], q)

	own := LineOf(q.Build)
	seen := map[Line]bool{own: true}
	for _, b := range before[:min(len(before), q.Window*SearchFactor)] {
		if line := LineOf(b); !q.IsBase(b) && !seen[line] && len(h.Other) < q.Window {
			seen[line] = true
			h.Other = append(h.Other, *b)
		}
	}

	if q.IsBase(q.Build) {
		return h
	}
	for _, b := range before {
		if LineOf(b) == own && len(h.Branch) < MaxBranch {
			h.Branch = append(h.Branch, *b)
		}
	}
	return h
}

// MaxBranch is how many earlier builds of a branch are evidence.
const MaxBranch = 4

// A Line is what builds follow each other on: a branch of a repository, or a
// pull request.
type Line struct{ Repository, Branch, PullRequest string }

// LineOf is the line that b is on.
func LineOf(b *detect.Build) Line { return Line{b.Repository, b.Branch, b.PullRequest} }

// candidates are the builds that can be history for q, newest first.
func candidates(builds []detect.Build, q Query) []*detect.Build {
	distinct := Distinct(builds)
	var out []*detect.Build
	for i := range distinct {
		b := &distinct[i]
		if b.Outcome == detect.OK && b.Pipeline == q.Build.Pipeline &&
			b.Start.Before(q.Build.Start) && !detect.SameBuild(b, q.Build) {
			out = append(out, b)
		}
	}
	slices.SortStableFunc(out, func(a, b *detect.Build) int {
		return cmp.Or(b.Start.Compare(a.Start), cmp.Compare(b.ID, a.ID))
	})
	return out
}

// rare searches the older builds for steps that the whole ones hold too few
// samples of, and returns what it found: builds with nothing but those steps.
func rare(whole []detect.Build, older []*detect.Build, q Query) []detect.Build {
	wanted := Wanted(whole, q)
	var out []detect.Build
	for _, b := range older {
		if b.Start.Before(q.Since()) {
			break
		}
		thin := *b
		thin.Steps = nil
		ran := map[string]bool{}
		for _, s := range b.Steps {
			if s.State == detect.Executed && wanted[s.Key] > 0 {
				ran[s.Key] = true
				thin.Steps = append(thin.Steps, s)
			}
		}
		for key := range ran {
			wanted[key]--
		}
		if len(ran) > 0 {
			out = append(out, thin)
		}
	}
	return out
}

// Wanted says for every step of q's build and of the whole builds in how many
// more builds it should be found executed, if any: a window full of them.
func Wanted(whole []detect.Build, q Query) map[string]int {
	wanted := map[string]int{}
	for _, s := range q.Build.Steps {
		wanted[s.Key] = q.Window
	}
	for i := range whole {
		for _, s := range whole[i].Steps {
			wanted[s.Key] = q.Window
		}
	}
	for i := range whole {
		ran := map[string]bool{}
		for _, s := range whole[i].Steps {
			if s.State == detect.Executed && !ran[s.Key] {
				ran[s.Key] = true
				wanted[s.Key]--
			}
		}
	}
	for key, n := range wanted {
		if n <= 0 {
			delete(wanted, key)
		}
	}
	return wanted
}
