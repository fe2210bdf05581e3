package advice

import (
	"cmp"
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
)

// An index of packages that several steps fetch, each for itself. How long that takes no source
// tells; but it takes none of them longer than all that the quickest of them does.

// A fetching is a package manager, and the image that the stages are made from which fetch its
// index: that of another image may be another one.
type fetching struct{ tool, image, platform string }

// indexes are what it is worth that each index is fetched once.
func (a *adviser) indexes() (all []Advice) {
	found := map[fetching][][]int{} // of each build, the steps
	var order []fetching
	for i := range a.builds {
		b := &a.builds[i]
		for _, k := range b.Order {
			s := &b.Steps[k]
			if s.State != timeline.Executed || b.of[k] < 0 || s.Index == 0 {
				continue
			}
			tool, _ := dockerfile.Index(instructionOf(s))
			if tool == "" || b.hasIndex(k, tool) {
				continue
			}
			base := b.base(k)
			if base < 0 {
				continue
			}
			of := fetching{tool, dockerfile.ParseName(b.Steps[base].Name).Text, s.Platform}
			if found[of] == nil {
				found[of] = make([][]int, len(a.builds))
				order = append(order, of)
			}
			found[of][i] = append(found[of][i], k)
		}
	}
	for _, of := range order {
		saved := make([]time.Duration, len(a.builds))
		took := map[int]time.Duration{}
		for i, steps := range found[of] {
			if len(steps) < 2 {
				continue
			}
			b := &a.builds[i]
			quickest := b.Steps[steps[0]].Duration
			for _, k := range steps {
				quickest = min(quickest, b.Steps[k].Duration)
				took[b.of[k]] += b.Steps[k].Duration
			}
			less := map[int]time.Duration{}
			for _, k := range steps[1:] {
				less[k] = quickest
			}
			saved[i] = b.Shorter(less)
		}
		ids := make([]int, 0, len(took))
		for id := range took {
			ids = append(ids, id)
		}
		slices.SortFunc(ids, func(x, y int) int { return cmp.Or(cmp.Compare(took[y], took[x]), cmp.Compare(x, y)) })
		if x, ok := a.advice(Indexes, ids, saved); ok {
			x.Tool = of.tool
			all = append(all, x)
		}
	}
	return all
}

// hasIndex tells whether a step before this one left the index for it: to fetch that again
// takes little.
func (b *advised) hasIndex(k int, tool string) (has bool) {
	b.Ancestors(k, func(at int) bool {
		left, isLeft := dockerfile.Index(instructionOf(&b.Steps[at]))
		has = has || left == tool && isLeft
		return !has
	})
	return has
}

// instructionOf is the instruction of a step, as its author wrote it where that is known.
func instructionOf(s *timeline.Step) string {
	if s.Text != "" {
		return s.Text
	}
	return dockerfile.ParseName(s.Name).Text
}

// base is the step that fetches the image from which the stage of a step is made, through the
// stages that it is made from; -1 if that is not plain.
func (b *advised) base(k int) int {
	for range b.Steps {
		s := &b.Steps[k]
		if dockerfile.IsImage(dockerfile.ParseName(s.Name).Text) {
			return k
		}
		before := -1
		if s.Index > 1 {
			before = slices.IndexFunc(b.Steps, func(x timeline.Step) bool {
				return x.Index == s.Index-1 && x.Count == s.Count && x.Stage == s.Stage && x.Platform == s.Platform
			})
		} else {
			for _, in := range b.Inputs[k] {
				if x := &b.Steps[in]; x.Index > 0 {
					if before >= 0 && before != in {
						return -1 // one of the two is copied from
					}
					before = in
				}
			}
		}
		if before < 0 {
			return -1
		}
		k = before
	}
	return -1
}
