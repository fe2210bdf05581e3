package github

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	gh "github.com/google/go-github/v60/github"
)

// A candidate is an artifact that may hold a record for the history.
type candidate struct {
	run      *gh.WorkflowRun
	artifact *gh.Artifact
}

// candidates are those of a run, the newest first.
func (s *Records) candidates(r *gh.WorkflowRun, artifacts []*gh.Artifact) (out []candidate) {
	for _, a := range s.ofOwnJob(artifacts) {
		out = append(out, candidate{r, a})
	}
	slices.SortStableFunc(out, func(x, y candidate) int {
		return y.artifact.GetCreatedAt().Compare(x.artifact.GetCreatedAt().Time)
	})
	return out
}

// builds reads the records of the runs: those of the base branch until there are
// enough, and those of the build's own.
func (s *Records) builds(ctx context.Context, q fetch.Query, l listing, stats *readStats) (base, own []timeline.Build) {
	var candidates []candidate
	for _, r := range l.head {
		candidates = append(candidates, s.candidates(r, l.artifacts[r.GetID()])...)
	}
	// They are read first, and are not to take the place of the base's: a run may
	// have hundreds.
	if more := len(candidates) - maxOwn; more > 0 {
		stats.left += more
		candidates = candidates[:maxOwn]
	}
	heads := len(candidates)
	stats.runs = len(l.base)
	for _, r := range l.base {
		candidates = append(candidates, s.candidates(r, l.artifacts[r.GetID()])...)
	}
	stats.none = len(candidates) == heads
	if len(candidates) > maxArtifacts {
		stats.left += len(candidates) - maxArtifacts
		candidates = candidates[:maxArtifacts]
	}
	results := s.readAll(ctx, q, candidates, heads, stats)
	for i, c := range candidates[:heads] {
		stats.count(results[i])
		for _, b := range results[i].builds {
			if s.identify(&b, c.run, q.Build.PullRequest); s.matches(&b, q.Build) {
				b.Pipeline = q.Build.Pipeline
				own = append(own, b)
			}
		}
	}
	enough := 0
	var ofRun []attemptBuild
	for i := heads; i < len(candidates) && enough < q.Window; i++ {
		c := candidates[i]
		stats.count(results[i])
		for _, b := range results[i].builds {
			s.identify(&b, c.run, "")
			b.Branch = q.BaseBranch // of a merge queue's, too
			if s.matches(&b, q.Build) {
				ofRun = append(ofRun, attemptBuild{b, isOlder(c.artifact, c.run)})
			}
		}
		if i+1 < len(candidates) && candidates[i+1].run == c.run {
			continue
		}
		for _, b := range latest(ofRun) {
			b.Pipeline = q.Build.Pipeline
			base = append(base, b)
			if b.Outcome == timeline.OK {
				enough++
			}
		}
		ofRun = nil
	}
	return base, own
}

// readAll reads the candidates, several at a time and in order, until a window
// full of the base's is read, or a limit ends it.
func (s *Records) readAll(ctx context.Context, q fetch.Query, candidates []candidate, heads int, stats *readStats) []result {
	var unknown []*gh.Artifact
	for _, c := range candidates {
		if _, known := s.read[c.artifact.GetID()]; !known {
			unknown = append(unknown, c.artifact)
		}
	}
	cached, err := s.cached(ctx, "artifacts", idsOf(unknown))
	if err != nil {
		stats.cache = err
	}
	gate := newReadGate(len(candidates), heads, q.Window, func(i int) bool {
		return i+1 == len(candidates) || candidates[i+1].run != candidates[i].run
	})
	results := make([]result, len(candidates))
	var own, base stepBudget // what a pull request leaves is to cost the base nothing
	s.forEachShown(len(candidates), func(i int) bool {
		a, budget := candidates[i].artifact, &base
		if i < heads {
			budget = &own
		}
		r, known := s.read[a.GetID()] // nobody writes to it while they are read
		if !known {
			r = s.result(ctx, a, cached, budget)
		}
		results[i] = r
		if isExhausted(r.err) {
			return false
		}
		n := 0
		for _, b := range r.builds {
			s.identify(&b, candidates[i].run, "")
			if b.Outcome == timeline.OK && s.matches(&b, q.Build) && !isOlder(a, candidates[i].run) {
				n++
			}
		}
		return !gate.done(i, n)
	})
	for i, c := range candidates {
		if r := results[i]; r.builds != nil || errors.Is(r.err, errNoRecord) {
			s.read[c.artifact.GetID()] = r
		}
	}
	stats.cache = cmp.Or(stats.cache, s.cacheErr)
	return results
}

// A result is what was found in an artifact.
type result struct {
	builds   []timeline.Build
	warnings []error
	err      error
}

// result reads an artifact, whose steps are to be within a budget.
func (s *Records) result(ctx context.Context, a *gh.Artifact, cached map[string]fetch.Cached, budget *stepBudget) result {
	builds, warnings, err := s.source.read(ctx, a, cached)
	if budget.take(builds) > s.stepLimit {
		return result{err: errTooMany}
	}
	return result{builds, warnings, err}
}

// A stepBudget bounds what is held of artifacts that belong together: each may be the
// largest that there can be.
type stepBudget struct{ taken atomic.Int64 }

// take takes the steps of builds, and returns how many are taken in all. Where that
// is too many, it stays so: what comes after would be there by chance.
func (b *stepBudget) take(builds []timeline.Build) int {
	n := 0
	for i := range builds {
		n += 1 + len(builds[i].Steps)
	}
	return int(b.taken.Add(int64(n)))
}

func idsOf(artifacts []*gh.Artifact) (ids []string) {
	for _, a := range artifacts {
		ids = append(ids, strconv.FormatInt(a.GetID(), 10))
	}
	return ids
}
