package align

import (
	"cmp"
	"slices"

	"github.com/buildregress/buildregress/detect/timeline"
)

// A stage of a build is laid beside the reference of it: by positions where those are the
// same, else between steps that have no equal.

// A laid is a stage of a build, beside the reference of it.
type laid struct {
	*reference
	build     *timeline.Build
	indices   []int           // of its steps, in order
	ids       []TrackID       // by index
	own       map[TrackID]int // how many steps there are of each
	fresh     map[TrackID]int // of these, the new ones that have a slot
	ambiguous map[int]EqualGroup
}

// isGroup tells whether several steps are equal, here or in the reference.
func (l *laid) isGroup(of TrackID) bool { return l.own[of] > 1 || l.equals[of] > 1 }

// assignSlots gives the equal steps the slots of those of the reference that they are.
func (l *laid) assignSlots() {
	if l.keepsPositions() {
		l.assignPositions()
		return
	}
	from, at := 0, 0
	for _, anchor := range l.anchors() {
		index, m := l.indices[anchor[0]], l.sequence[anchor[1]]
		l.assignBetween(l.indices[from:anchor[0]], l.sequence[at:anchor[1]])
		l.ids[index].Slot = m.Slot
		from, at = anchor[0]+1, anchor[1]+1
	}
	l.assignBetween(l.indices[from:], l.sequence[at:])
}

// keepsPositions tells whether each step is at the position that it has in the reference,
// as far as they show: the stage is as long as it was, and none of those at another
// position has an equal or was in the stage before. One that was edited may stand there.
func (l *laid) keepsPositions() bool {
	at, known, bodies := map[int]*member{}, map[TrackID]bool{}, map[form]bool{}
	for i := range l.sequence {
		m := &l.sequence[i]
		if at[m.index] != nil || m.index == 0 || m.count != l.sequence[0].count {
			return false
		}
		at[m.index], known[m.Kin()], bodies[m.form()] = m, true, true
	}
	seen := map[int]bool{}
	for _, i := range l.indices {
		s := &l.build.Steps[i]
		if seen[s.Index] || s.Index == 0 || len(l.sequence) == 0 || s.Count != l.sequence[0].count {
			return false
		}
		seen[s.Index] = true
		was := at[s.Index]
		switch {
		case was == nil:
			if known[l.ids[i]] || l.isGroup(l.ids[i]) {
				return false
			}
		case was.Kin() != l.ids[i]:
			if known[l.ids[i]] || l.isGroup(l.ids[i]) || l.isGroup(was.Kin()) {
				return false
			}
		case s.Body != was.body && s.Body != "" && bodies[formOf(s)]:
			return false
		}
	}
	return true
}

func (l *laid) assignPositions() {
	slots := map[int]int{}
	for _, m := range l.sequence {
		slots[m.index] = m.Slot
	}
	for _, i := range l.indices {
		l.ids[i].Slot = slots[l.build.Steps[i].Index]
	}
}

// anchors pairs the steps that have no equal, here nor in the reference, or none of their
// body, and stand in the same order in both: as many as can be. They are places in indices
// and in the sequence.
func (l *laid) anchors() [][2]int {
	at, twice := map[form]int{}, map[form]bool{}
	for j := range l.sequence {
		f := l.sequence[j].form()
		_, known := at[f]
		at[f], twice[f] = j, known
	}
	own := map[form]int{}
	for _, index := range l.indices {
		own[formOf(&l.build.Steps[index])]++
	}
	var pairs [][2]int
	for i, index := range l.indices {
		f := formOf(&l.build.Steps[index])
		j, ok := at[f]
		if ok && !twice[f] && own[f] == 1 && (f.body != "" || !l.isGroup(f.TrackID)) {
			pairs = append(pairs, [2]int{i, j})
		}
	}
	return longestAscending(pairs)
}

// longestAscending returns the longest subsequence of pairs whose second numbers ascend.
func longestAscending(pairs [][2]int) [][2]int {
	var ends []int // of the best of each length: index of its last pair
	before := make([]int, len(pairs))
	for i, p := range pairs {
		n, _ := slices.BinarySearchFunc(ends, p[1], func(end, second int) int { return cmp.Compare(pairs[end][1], second) })
		before[i] = -1
		if n > 0 {
			before[i] = ends[n-1]
		}
		ends = append(ends[:n], append([]int{i}, ends[min(n+1, len(ends)):]...)...)
	}
	out := make([][2]int, len(ends))
	if len(ends) == 0 {
		return out
	}
	i := ends[len(ends)-1]
	for n := len(ends) - 1; n >= 0; n-- {
		out[n], i = pairs[i], before[i]
	}
	return out
}

// assignBetween gives slots to the equal steps between two places of a stage at which no
// equal step stands.
func (l *laid) assignBetween(indices []int, between sequence) {
	here := map[TrackID]int{}
	for _, at := range indices {
		here[l.ids[at]]++
	}
	slots := map[TrackID][]int{}
	for _, m := range between {
		slots[m.Kin()] = append(slots[m.Kin()], m.Slot)
	}
	rank := map[TrackID]int{}
	for _, at := range indices {
		of := l.ids[at]
		if !l.isGroup(of) {
			continue
		}
		switch known := slots[of]; {
		case l.isNew(of), len(known) == 0 && l.build.Steps[at].Body != "" && l.haveBodies(of):
			// Those that come and go together with as many of them are the same.
			l.ids[at].Slot = l.own[of]<<16 + l.fresh[of]
			l.fresh[of]++
			continue
		case len(known) == here[of]:
			l.ids[at].Slot = known[rank[of]]
		default:
			group := EqualGroup{Step: of}
			if len(known) > 0 {
				group.From, group.To = known[0], known[len(known)-1]+1
			}
			l.ids[at].Slot = -1 - at
			l.ambiguous[at] = group
		}
		rank[of]++
	}
}

// isNew tells whether the reference has no such step.
func (r *reference) isNew(of TrackID) bool {
	return !slices.ContainsFunc(r.sequence, func(m member) bool { return m.Kin() == of })
}
