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
		f, fetches := newFetches(b), 0
		for _, k := range b.Order {
			s := &b.Steps[k]
			if s.State != timeline.Executed || b.of[k] < 0 || s.Index == 0 {
				continue
			}
			tool, _ := f.index(k)
			if tool == "" {
				continue
			}
			if fetches++; fetches > maxFetches {
				return nil // no author wrote that
			}
			base := f.base(k)
			if base < 0 || f.hasIndex(k, tool) {
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

// maxFetches is how many steps of a build may fetch an index: the steps before each are looked
// at.
const maxFetches = 100

// A fetches knows what the steps of a build fetch, and which image they are made from.
type fetches struct {
	*advised
	at      map[standing]int
	indexes map[int]indexed
	bases   map[int]int
}

// A standing is where a step stands in its stage.
type standing struct {
	stage, platform string
	index, count    int
}

type indexed struct {
	tool   string
	isLeft bool
}

func newFetches(b *advised) *fetches {
	f := &fetches{advised: b, at: map[standing]int{}, indexes: map[int]indexed{}, bases: map[int]int{}}
	for k := range b.Steps {
		s := &b.Steps[k]
		at := standing{s.Stage, s.Platform, s.Index, s.Count}
		if _, known := f.at[at]; !known {
			f.at[at] = k
		}
	}
	return f
}

// index is the package manager whose index a step fetches, and whether it leaves that.
func (f *fetches) index(k int) (tool string, isLeft bool) {
	known, ok := f.indexes[k]
	if !ok {
		known.tool, known.isLeft = dockerfile.Index(instructionOf(&f.Steps[k]))
		f.indexes[k] = known
	}
	return known.tool, known.isLeft
}

// hasIndex tells whether a step before this one left the index for it: to fetch that again
// takes little.
func (f *fetches) hasIndex(k int, tool string) (has bool) {
	f.Ancestors(k, func(at int) bool {
		left, isLeft := f.index(at)
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
func (f *fetches) base(k int) int {
	var passed []int
	base := -1
	for range f.Steps {
		if known, ok := f.bases[k]; ok {
			base = known
			break
		}
		passed = append(passed, k)
		if dockerfile.IsImage(dockerfile.ParseName(f.Steps[k].Name).Text) {
			base = k
			break
		}
		before := f.before(k)
		if before < 0 {
			break
		}
		k = before
	}
	for _, at := range passed {
		f.bases[at] = base
	}
	return base
}

// before is the step before one in its stage, or the last one of the stage that this is made
// from; -1 if that is not plain.
func (f *fetches) before(k int) int {
	s := &f.Steps[k]
	if s.Index > 1 {
		if at, ok := f.at[standing{s.Stage, s.Platform, s.Index - 1, s.Count}]; ok {
			return at
		}
		return -1
	}
	before := -1
	for _, in := range f.Inputs[k] {
		if x := &f.Steps[in]; x.Index > 0 {
			if before >= 0 && before != in {
				return -1 // one of the two is copied from
			}
			before = in
		}
	}
	return before
}
