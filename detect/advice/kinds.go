package advice

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// What there is to advise, kind by kind: steps that took no time, several of them together,
// steps in series, lost caches. Each is measured by a replay of the builds.

// onPaths are the steps on the critical path of any build.
func (a *adviser) onPaths() []int {
	on := map[int]bool{}
	for i := range a.builds {
		for k, d := range a.builds[i].onPath {
			if id := a.builds[i].of[k]; d > 0 && id >= 0 {
				on[id] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(on))
}

// singles are what each step by itself is worth, and what each build had been shorter.
func (a *adviser) singles() (all []Advice, saves map[int][]time.Duration) {
	saves = map[int][]time.Duration{}
	least := a.least()
	for _, id := range a.onPaths() {
		var most time.Duration // that it can save
		for i := range a.builds {
			if k, ok := a.builds[i].at[id]; ok {
				most += a.builds[i].Steps[k].Duration / time.Duration(len(a.builds))
			}
		}
		if most < least {
			continue
		}
		saved := make([]time.Duration, len(a.builds))
		kind := Step
		for i := range a.builds {
			b := &a.builds[i]
			k, ok := b.at[id]
			if !ok || b.Steps[k].IsWait() && !b.Steps[k].IsQueue() {
				continue
			}
			kind = kindOf(&b.Steps[k])
			if b.Steps[k].State == timeline.Executed && b.onPath[k] > 0 {
				saved[i] = b.Without(k)
			}
		}
		saves[id] = saved
		if x, ok := a.advice(kind, []int{id}, saved); ok {
			all = append(all, x)
		}
	}
	return all, saves
}

// kindOf says what kind of work a step is, by its stage and what it moved.
func kindOf(s *timeline.Step) Kind {
	switch {
	case s.Index == 0 && s.Count == 0 && s.Stage == timeline.StageInternal && s.Bytes > 0:
		return Context
	case s.IsWriting() || s.Bytes > 0:
		return Transfer
	}
	return Step
}

// togethers are what steps are worth together that gain little alone, as they run beside
// each other.
func (a *adviser) togethers(saves map[int][]time.Duration) (all []Advice) {
	told := map[string]bool{}
	for _, id := range slices.Sorted(maps.Keys(saves)) {
		var onPath, whole, alone time.Duration
		for i := range a.builds {
			b := &a.builds[i]
			whole += b.build.Duration
			if k, ok := b.at[id]; ok && !b.Steps[k].IsWait() {
				onPath += b.onPath[k].D()
				alone += saves[id][i]
			}
		}
		// Most of its time the build would not be shorter for it.
		if float64(onPath) < MinShare*float64(whole) || gainsLittle*alone > onPath {
			continue
		}
		set := []int{id}
		var found *Advice
		for len(set) < maxTogether {
			next := a.remaining(set)
			if next < 0 {
				break
			}
			set = append(set, next)
			if x, ok := a.together(set); ok && (found == nil || x.Saves.D()/time.Duration(len(set)) > found.Saves.D()/time.Duration(len(found.Steps))) {
				found = &x
			}
		}
		if found == nil {
			continue
		}
		key := slices.Sorted(slices.Values(found.Steps))
		if name := strings.Join(key, "\n"); !told[name] {
			told[name] = true
			all = append(all, *found)
		}
	}
	return all
}

// remaining is the step that would decide most often when builds end if these took no time.
func (a *adviser) remaining(ids []int) int {
	votes := map[int]int{}
	for i := range a.builds {
		b := &a.builds[i]
		free := map[int]bool{}
		for _, id := range ids {
			if k, ok := b.at[id]; ok {
				free[k] = true
			}
		}
		if next := b.Schedule.Remaining(free); next >= 0 && b.of[next] >= 0 && !slices.Contains(ids, b.of[next]) {
			votes[b.of[next]]++
		}
	}
	best := -1
	for _, id := range slices.Sorted(maps.Keys(votes)) {
		if best < 0 || votes[id] > votes[best] {
			best = id
		}
	}
	return best
}

// together is what these steps are worth together, if that is several times what each of
// them is.
func (a *adviser) together(ids []int) (Advice, bool) {
	saved := make([]time.Duration, len(a.builds))
	alone := make([]timeline.Seconds, len(ids))
	for i := range a.builds {
		b := &a.builds[i]
		var steps []int
		for n, id := range ids {
			if k, ok := b.at[id]; ok && b.Steps[k].State == timeline.Executed {
				steps = append(steps, k)
				alone[n] += timeline.Seconds(b.Without(k)) / timeline.Seconds(len(a.builds))
			}
		}
		saved[i] = b.Without(steps...)
	}
	x, ok := a.advice(Together, ids, saved)
	x.Alone = alone
	return x, ok && x.Saves > gainsLittle*slices.Max(alone)
}

// inSeries are pairs of instructions of one stage of which one waits for the other, though
// each reads something else of the build context, and each takes long. Whether the second
// needs what the first one leaves behind nobody knows but its author.
func (a *adviser) inSeries() (all []Advice) {
	type pair struct{ first, second int }
	found := map[pair][][2]int{} // of each build: the two steps
	most := map[pair]time.Duration{}
	var order []pair
	for i := range a.builds {
		b := &a.builds[i]
		for _, k := range b.Order {
			for _, p := range b.Waits[k] {
				of := pair{b.of[p], b.of[k]}
				if !b.mayBeApart(p, k) || of.first < 0 || of.second < 0 {
					continue
				}
				if found[of] == nil {
					found[of] = make([][2]int, len(a.builds))
					order = append(order, of)
				}
				found[of][i] = [2]int{p, k}
				most[of] += min(b.Steps[p].Duration, b.Steps[k].Duration) / time.Duration(len(a.builds))
			}
		}
	}
	for _, of := range order {
		if most[of] < a.least() {
			continue
		}
		saved := make([]time.Duration, len(a.builds))
		for i, at := range found[of] {
			if at[0] != at[1] {
				saved[i] = a.builds[i].Abreast(at[0], at[1])
			}
		}
		if x, ok := a.advice(Series, []int{of.first, of.second}, saved); ok {
			all = append(all, x)
		}
	}
	// One pair is enough, the later of two that are worth about the same: what comes
	// last is needed least.
	slices.SortStableFunc(all, func(x, y Advice) int { return cmp.Compare(y.Saves, x.Saves) })
	const alike = 0.9
	if len(all) > 1 {
		best := 0
		for i := range all {
			if float64(all[i].Saves) >= alike*float64(all[0].Saves) && all[i].Steps[0] == all[best].Steps[1] {
				best = i
			}
		}
		all = all[best : best+1]
	}
	return all
}

// mayBeApart tells of two steps of one stage, of which the second waited for the first,
// whether each reads paths of the build context of its own.
func (b *advised) mayBeApart(first, second int) bool {
	x, y := &b.Steps[first], &b.Steps[second]
	if x.State != timeline.Executed || y.State != timeline.Executed || x.Stage != y.Stage || x.Platform != y.Platform || x.Index == 0 || y.Index != x.Index+1 {
		return false
	}
	if !runs(x) || !runs(y) {
		return false // files that are copied are there to be used
	}
	return x.Facts != nil && y.Facts != nil && len(x.Facts.Reads) > 0 && len(y.Facts.Reads) > 0 && apartPaths(x.Facts.Reads, y.Facts.Reads)
}

// runs tells whether a step of a Dockerfile executes something.
func runs(s *timeline.Step) bool {
	_, text, _ := strings.Cut(s.Key, "] ")
	return strings.HasPrefix(text, "RUN ")
}

// apartPaths tells whether no path is, or lies within, one of the other ones.
func apartPaths(a, b []string) bool {
	within := func(path, folder string) bool {
		folder = strings.TrimSuffix(folder, "/")
		return path == folder || strings.HasPrefix(path, folder+"/")
	}
	for _, x := range a {
		for _, y := range b {
			if within(x, y) || within(y, x) {
				return false
			}
		}
	}
	return true
}

// misses are what it costs that steps are now and then not found in the cache, by the first
// one that was not: what invalidates it drags the others along.
func (a *adviser) misses() (all []Advice) {
	cached, ran := map[int]int{}, map[int]int{}
	for i := range a.builds {
		b := &a.builds[i]
		for id, k := range b.at {
			switch b.Steps[k].State {
			case timeline.Cached:
				cached[id]++
			case timeline.Executed:
				ran[id]++
			}
		}
	}
	chains := map[int][][]int{} // by the first step: of each build, the steps that ran for it
	for i := range a.builds {
		b := &a.builds[i]
		// A step that is found in the cache as often as not could have been.
		missed := func(k int) bool {
			id := b.of[k]
			return id >= 0 && b.Steps[k].State == timeline.Executed && cached[id] >= max(ran[id], minMisses)
		}
		lost := make([]bool, len(b.Steps))
		for k := range lost {
			lost[k] = missed(k)
		}
		for _, c := range timeline.Chains(b.Graph, lost) {
			id := b.of[c.Root]
			if chains[id] == nil {
				chains[id] = make([][]int, len(a.builds))
			}
			chains[id][i] = append(c.Downstream, c.Root)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(chains)) {
		saved := make([]time.Duration, len(a.builds))
		dragged := map[int]time.Duration{}
		for i, chain := range chains[id] {
			b := &a.builds[i]
			saved[i] = b.Without(chain...)
			for _, k := range chain {
				dragged[b.of[k]] += b.Steps[k].Duration
			}
		}
		delete(dragged, id)
		// The one that invalidates, then what costs most.
		order := slices.SortedFunc(maps.Keys(dragged), func(x, y int) int {
			return cmp.Or(cmp.Compare(dragged[y], dragged[x]), cmp.Compare(x, y))
		})
		x, ok := a.advice(Misses, append([]int{id}, order[:min(len(order), 2)]...), saved)
		if a.measure(&x, id, chains[id]); ok && x.Saves.D() >= a.minDelta && x.Share >= MinShare {
			all = append(all, x)
		}
	}
	return all
}

// measure tells how long builds took with and without a miss that begins with that step,
// and promises no more than by how much these differ. A build in which another one dragged
// it along is neither.
func (a *adviser) measure(x *Advice, id int, chains [][]int) {
	var with, without []time.Duration
	for i := range a.builds {
		b := &a.builds[i]
		k, ok := b.at[id]
		switch {
		case !ok:
		case len(chains[i]) > 0:
			with = append(with, b.build.Duration)
			if f := b.Steps[k].Facts; f != nil {
				x.Reads = f.Reads
			}
		case b.Steps[k].State == timeline.Cached:
			without = append(without, b.build.Duration)
		}
	}
	x.Ran, x.Builds = len(with), len(with)+len(without)
	if len(with) < minMisses || len(without) < minMisses {
		x.Saves = 0
		return
	}
	middle := func(values []time.Duration) timeline.Seconds {
		slices.Sort(values)
		return timeline.Seconds((values[(len(values)-1)/2] + values[len(values)/2]) / 2)
	}
	x.With, x.Without = middle(with), middle(without)
	if measured := max((x.With-x.Without)*timeline.Seconds(x.Ran)/timeline.Seconds(x.Builds), 0); measured < x.Saves {
		scale := float64(measured) / float64(x.Saves)
		x.Saves, x.Share, x.PerWeek = measured, x.Share*scale, timeline.Seconds(float64(x.PerWeek)*scale)
	}
}
