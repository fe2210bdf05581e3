package detect

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// cacheOf tells what became of the cache: which chains of steps ran that are
// usually cached, and why.
func cacheOf(a *arranged, g *graph) CacheInfo {
	info := CacheInfo{Losses: []CacheLoss{}}
	usual, lost := 0, map[int]bool{}
	for i := range a.series {
		s := &a.series[i]
		switch s.step.State {
		case Cached:
			info.Cached++
		case Executed:
			info.Executed++
		}
		if s.usuallyCached() && (s.step.State == Cached || s.step.State == Executed) {
			usual++
			lost[i] = s.step.State == Executed
		}
	}
	for i, is := range lost {
		if !is {
			delete(lost, i)
		}
	}
	roots := chains(a, g, lost)
	unexplained := false
	for _, root := range slices.Sorted(maps.Keys(roots)) {
		loss := a.loss(g, root, roots[root])
		unexplained = unexplained || !loss.Expected
		info.Losses = append(info.Losses, loss)
	}
	// A cold cache is not the loss of one step: all that is usually found was not,
	// and what the author changed does not explain it.
	const least = 3
	if usual >= least && len(lost) == usual && unexplained {
		info.Cold, info.Losses = true, []CacheLoss{}
	}
	return info
}

// chains gathers lost steps below the first one of each chain: the lost step with
// no other lost step above it.
func chains(a *arranged, g *graph, lost map[int]bool) map[int][]int {
	roots := map[int][]int{}
	for i := range a.series {
		if !lost[i] {
			continue
		}
		root := i
		g.ancestors(i, func(at int) bool {
			if !lost[at] {
				return true
			}
			if before(&a.series[at], &a.series[root]) {
				root = at
			}
			return true
		})
		dragged := roots[root]
		if root != i {
			dragged = append(dragged, i)
		}
		roots[root] = dragged
	}
	return roots
}

// before orders steps by when they began, then by their place in the stage.
func before(x, y *series) bool {
	if !x.step.Start.Equal(y.step.Start) {
		return x.step.Start.Before(y.step.Start)
	}
	return x.step.Index < y.step.Index
}

// loss describes the chain below root.
func (a *arranged) loss(g *graph, root int, dragged []int) CacheLoss {
	s := &a.series[root]
	l := CacheLoss{
		Step:    s.step.Key,
		Dragged: []string{},
		Share:   float64(s.cached) / float64(s.reached),
	}
	cost := s.step.Duration
	for _, i := range dragged {
		cost += a.series[i].step.Duration
		l.Dragged = append(l.Dragged, a.series[i].step.Key)
	}
	l.Cost = Seconds(cost)
	l.Cause, l.Expected = a.cause(g, root)
	// The build before this one, on the same branch, ran it as well.
	if n := len(s.ran); n > 1 {
		l.Lasting = s.ran[n-2]
	}
	return l
}

// cause says why the step ran, and whether its author would expect it.
func (a *arranged) cause(g *graph, root int) (why string, expected bool) {
	s := &a.series[root]
	if s.edited != "" {
		return "the instruction was edited", true
	}
	if len(s.samples) == 0 && s.reached == 0 {
		return "the instruction is new", true
	}
	changed := -1
	g.ancestors(root, func(at int) bool {
		above := &a.series[at]
		if above.step.State == Executed && above.step.Index > 0 && (above.edited != "" || above.reached == 0) && changed < 0 {
			changed = at
		}
		return true
	})
	if changed >= 0 {
		what := "was edited"
		if a.series[changed].reached == 0 {
			what = "is new"
		}
		return fmt.Sprintf("`%s` above it %s", a.series[changed].step.Key, what), true
	}
	_, text, _ := strings.Cut(s.step.Key, "] ")
	verb, _, _ := strings.Cut(text, " ")
	switch {
	case (verb == "COPY" || verb == "ADD") && !strings.Contains(text, "--from="):
		return "files that it copies changed", true
	case verb == "RUN" && strings.Contains(text, "--mount=type=bind") && !strings.Contains(text, ",from="):
		return "files that it mounts may have changed", true
	}
	return "nothing that it is built from changed, as far as the build shows: perhaps the base image, a build argument, or the cache dropped it", false
}

// countUnseen completes the cache hits that a trace does not show: a step that is
// there for the first time, in a stage that has as many instructions as ever and
// never had another one in its place, was in the cache in all builds before.
func (a *arranged) countUnseen() {
	type place struct {
		platform, stage string
		index, count    int
	}
	partial, lengths, occupied := 0, map[place]bool{}, map[place]bool{}
	for b := range a.base {
		if a.base[b].Partial {
			partial++
		}
		for i := range a.base[b].Steps {
			s := &a.base[b].Steps[i]
			lengths[place{s.Platform, s.Stage, 0, s.Count}] = true
			occupied[place{s.Platform, s.Stage, s.Index, s.Count}] = true
		}
	}
	for i := range a.series {
		s := &a.series[i]
		if s.reached > 0 || s.step.Index == 0 || partial == 0 {
			continue
		}
		at := place{s.step.Platform, s.step.Stage, s.step.Index, s.step.Count}
		if lengths[place{at.platform, at.stage, 0, at.count}] && !occupied[at] {
			s.reached, s.cached = partial, partial
			a.known++
		}
	}
}
