package detect

import (
	"fmt"
	"strings"

	"github.com/buildregress/buildregress/detect/timeline"
)

// A step that ran and is usually cached has lost its cache, and so have those after it that
// ran because of it: together they are a chain, whose first step is where to look. Why it
// ran is guessed from what changed in the build: an edit, copied files, or nothing.

// cacheOf tells what became of the cache: which chains of steps ran that are
// usually cached, and why. The chains are those of info.Losses, in their order.
func cacheOf(a *arranged, g *timeline.Graph) (info CacheInfo, chains []timeline.Chain) {
	info = CacheInfo{Losses: []CacheLoss{}}
	usual, lost := 0, make([]bool, len(a.series))
	for i := range a.series {
		s := &a.series[i]
		switch s.step.State {
		case timeline.Cached:
			info.Cached++
		case timeline.Executed:
			if !s.step.IsWait() { // no cache could have spared it
				info.Executed++
			}
		}
		if s.usuallyCached() && (s.step.State == timeline.Cached || s.step.State == timeline.Executed) {
			usual++
			lost[i] = s.step.State == timeline.Executed
		}
	}
	info.Untold = info.Cached == 0 && info.Executed > 0 && usual == 0 && a.tellsNoCache()
	chains = timeline.Chains(g, lost)
	all, edited := len(chains), false
	for i := range chains {
		all += len(chains[i].Downstream)
		loss := a.loss(g, &chains[i])
		edited = edited || loss.edit
		info.Losses = append(info.Losses, loss.CacheLoss)
	}
	// A cold cache is not the loss of one step: nothing that is usually found was.
	const least = 3
	if usual >= least && all == usual && !edited {
		one := chains[0]
		for _, c := range chains[1:] {
			one.Downstream = append(append(one.Downstream, c.Root), c.Downstream...)
		}
		cold := a.loss(g, &one).CacheLoss
		cold.Cause, cold.Expected = Note{KindColdCache, "nothing that is usually cached was found in the cache"}, true
		info.Cold, info.Losses, chains = true, []CacheLoss{cold}, []timeline.Chain{one}
	}
	return info, chains
}

// An explainedLoss is a loss, and whether an edit of the Dockerfile explains it.
type explainedLoss struct {
	CacheLoss
	edit bool
}

// loss describes a chain.
func (a *arranged) loss(g *timeline.Graph, c *timeline.Chain) explainedLoss {
	s := &a.series[c.Root]
	l := CacheLoss{
		Step:    s.step.Key,
		Dragged: []string{},
		Share:   float64(s.cached) / float64(s.reached),
		Reached: s.reached,
	}
	cost := s.step.Duration
	for _, i := range c.Downstream {
		cost += a.series[i].step.Duration
		l.Dragged = append(l.Dragged, a.series[i].step.Key)
	}
	l.Cost = timeline.Seconds(cost)
	why, expected, edit := a.cause(g, c.Root)
	l.Cause, l.Expected = why, expected
	// The build before this one, on the same branch, ran it as well.
	if n := len(s.ran); n > 1 {
		l.Lasting = s.ran[n-2]
	}
	return explainedLoss{l, edit}
}

// cause says why the step ran, whether its author would expect it, and whether
// that is because the Dockerfile was edited.
func (a *arranged) cause(g *timeline.Graph, root int) (why Note, expected, edit bool) {
	s := &a.series[root]
	if s.was != nil {
		return Note{KindEdited, "the instruction was " + editNote(s.was, s.step).Text}, true, true
	}
	if s.isNew() {
		return Note{KindNewInstruction, "the instruction is new"}, true, true
	}
	changed := -1
	g.Ancestors(root, func(at int) bool {
		above := &a.series[at]
		if above.step.State == timeline.Executed && above.step.Index > 0 && (above.was != nil || above.isNew()) && changed < 0 {
			changed = at
		}
		return true
	})
	if changed >= 0 {
		what := "was edited"
		if a.series[changed].isNew() {
			what = "is new"
		}
		return Note{KindChangedAbove, fmt.Sprintf("`%s` above it %s", a.series[changed].step.Key, what)}, true, true
	}
	_, text, _ := strings.Cut(s.step.Key, "] ")
	verb, _, _ := strings.Cut(text, " ")
	switch {
	case s.unseen:
		return Note{KindFirstRun, "it never ran before, as far as traces show: it was edited, or the cache dropped it"}, true, false
	case (verb == "COPY" || verb == "ADD") && !strings.Contains(text, "--from="):
		return Note{KindCopiedFiles, "files that it copies changed"}, true, false
	case verb == "RUN" && strings.Contains(text, "--mount=type=bind") && !strings.Contains(text, ",from="):
		return Note{KindMountedFiles, "files that it mounts may have changed"}, true, false
	}
	return Note{KindUnexplained, "nothing that it is built from changed, as far as the build shows: perhaps the base image, a build argument, or the cache dropped it"}, false, false
}

// countUnseen completes the cache hits that a trace does not show: a step that is
// there for the first time, in a stage that has as many instructions as ever and
// never had another one in its place, was in the cache in all builds before.
func (a *arranged) countUnseen() {
	type position struct {
		platform, stage string
		index, count    int
	}
	partial, lengths, occupied := 0, map[position]bool{}, map[position]bool{}
	for b := range a.base {
		if a.base[b].Partial {
			partial++
		}
	}
	if partial == 0 {
		return
	}
	for b := range a.base {
		for i := range a.base[b].Steps {
			s := &a.base[b].Steps[i]
			lengths[position{s.Platform, s.Stage, 0, s.Count}] = true
			occupied[position{s.Platform, s.Stage, s.Index, s.Count}] = true
		}
	}
	for i := range a.series {
		s := &a.series[i]
		if !s.isNew() || s.step.Index == 0 {
			continue
		}
		at := position{s.step.Platform, s.step.Stage, s.step.Index, s.step.Count}
		if lengths[position{at.platform, at.stage, 0, at.count}] && !occupied[at] {
			s.reached, s.cached, s.unseen = partial, partial, true
			a.known++
		}
	}
}

// tellsNoCache tells whether nothing here is known to come out of a cache or past it: no
// step is of a Dockerfile, and none was ever cached.
func (a *arranged) tellsNoCache() bool {
	for i := range a.series {
		if s := &a.series[i]; s.cached > 0 || s.step.Count > 0 || s.step.Stage == timeline.StageInternal || s.step.Stage == timeline.StageExport {
			return false
		}
	}
	return true
}
