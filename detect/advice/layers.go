package advice

import (
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
)

// A layer that is written and pushed again though it is the same: what is copied out of a stage
// that was found in the cache, behind a step that ran. Before that step, or as a copy that asks
// for nothing before it (COPY --link), it were found in the cache itself.

// layers are what it is worth that such a copy is not made again: its own time, and its share of
// the bytes of what exports and pushes them.
func (a *adviser) layers() (all []Advice) {
	for id := range a.steps {
		saved := make([]time.Duration, len(a.builds))
		ran, again := 0, 0
		var bytes float64
		writers := map[int]bool{}
		for i := range a.builds {
			b := &a.builds[i]
			k, ok := b.at[id]
			if !ok || b.Steps[k].State != timeline.Executed {
				continue
			}
			ran++
			if !b.copiesAgain(k) {
				continue
			}
			layer := b.Steps[k].Usage.Layer
			less := map[int]time.Duration{k: b.Steps[k].Duration}
			for _, w := range b.writers(layer) {
				less[w] = time.Duration(float64(b.Steps[w].Duration) * float64(layer) / float64(b.Steps[w].Bytes))
				writers[b.of[w]] = true
			}
			if len(less) == 1 {
				continue
			}
			again++
			bytes += float64(layer)
			saved[i] = b.Shorter(less)
		}
		if again == 0 || 2*again < ran {
			continue
		}
		ids := []int{id}
		for w := range a.steps {
			if writers[w] {
				ids = append(ids, w)
			}
		}
		if x, ok := a.advice(Layers, ids, saved); ok {
			x.Ran, x.Unneeded, x.Bytes = ran, again, int64(bytes/float64(again))
			all = append(all, x)
		}
	}
	return all
}

// copiesAgain tells whether a step copied what was found in the cache, because a step before it
// in its stage ran.
func (b *advised) copiesAgain(k int) bool {
	s := &b.Steps[k]
	text := dockerfile.ParseName(s.Name).Text
	if s.Index < 2 || s.Usage == nil || s.Usage.Layer < timeline.MinLayer ||
		!strings.HasPrefix(text, "COPY ") || !strings.Contains(text, "--from=") || strings.Contains(text, "--link") {
		return false
	}
	before, sources := false, 0
	for _, in := range b.Inputs[k] {
		x := &b.Steps[in]
		switch {
		case x.Index == s.Index-1 && x.Count == s.Count && x.Stage == s.Stage && x.Platform == s.Platform:
			before = x.State == timeline.Executed
		case x.State != timeline.Cached || x.Index == 0:
			return false // it may be another one
		default:
			sources++
		}
	}
	return before && sources > 0
}

// writers are the steps that export and push the layers of a build, those that did at least so
// many bytes; none where the result goes elsewhere than to a registry: there it is written whole.
func (b *advised) writers(least int64) []int {
	isPush := func(s timeline.Step) bool { return s.Stage == timeline.StagePush && s.Count == 0 }
	if !slices.ContainsFunc(b.Steps, isPush) {
		return nil
	}
	var found []int
	for _, w := range b.Order {
		s := &b.Steps[w]
		isExport := s.Stage == timeline.StageExport && s.Count == 0 && strings.HasPrefix(dockerfile.ParseName(s.Name).Text, "exporting to image")
		if s.State == timeline.Executed && (isPush(*s) || isExport) && s.Bytes >= least && b.of[w] >= 0 {
			found = append(found, w)
		}
	}
	return found
}
