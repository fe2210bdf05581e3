package detect

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// Steps of one stage may share a key: "RUN <<EOT (set -ex...)" twice, or "RUN npm
// ci" in two stages that have no names. What tells them apart is where they stand
// among the steps that have no equal: each build's stage is laid beside the newest one
// that the history has of it. Where as many equal steps stand between two such steps as
// before, they are the same in order. Where one came or went, nothing tells which: none
// of them is judged, and what they took together is compared.

// A sequence is a stage in order, each step with its slot among those of its key.
type sequence []member

type member struct {
	trackID
	body         string
	index, count int // of "i/n"
}

// A form is a step as it is told from its equals: by its body too, where that is known.
type form struct {
	trackID
	body string
}

func formOf(s *Step) form { return form{idOf(s), s.Body} }

func (m *member) form() form { return form{m.kin(), m.body} }

// A reference is what a stage of other builds is laid beside.
type reference struct {
	sequence
	equals map[trackID]int // the steps that several are, slots left out, and how many
	whole  bool            // the build was: nothing is missing
}

// An equalGroup are equal steps of which some came or went: those of the reference's
// slots from one to before another.
type equalGroup struct {
	step     trackID // slot left out
	from, to int
}

func idOf(s *Step) trackID { return trackID{key: s.Key, rule: s.Rule} }

// kin is what equal steps share.
func (t trackID) kin() trackID {
	t.slot = 0
	return t
}

// stageOf groups the steps of a build, by platform and stage. Unnamed stages are
// one group, as their numbers change when a stage is added.
func stageOf(s *Step) string { return s.Platform + "\x00" + s.Stage }

// stagesOf lists the indices of a build's steps by stage, in order.
func stagesOf(build *Build) map[string][]int {
	out := map[string][]int{}
	for i := range build.Steps {
		at := stageOf(&build.Steps[i])
		out[at] = append(out[at], i)
	}
	numbers := map[int]int{} // of unnamed stages
	for i := range build.Steps {
		if n := stageNumber(&build.Steps[i]); n > 0 {
			numbers[i] = n
		}
	}
	for _, indices := range out {
		slices.SortStableFunc(indices, func(x, y int) int {
			a, b := &build.Steps[x], &build.Steps[y]
			return cmp.Or(
				cmp.Compare(numbers[x], numbers[y]), cmp.Compare(a.Index, b.Index),
				cmp.Compare(a.Source.Line, b.Source.Line), cmp.Compare(a.Name, b.Name),
			)
		})
	}
	return out
}

var numbered = regexp.MustCompile(`^\[(?:[^\]]* )?stage-(\d{1,6}) `)

// stageNumber is N of a step in an unnamed stage "stage-N", 0 of any other.
func stageNumber(s *Step) int {
	if s.Stage != "" || s.Index == 0 {
		return 0
	}
	m := numbered.FindStringSubmatch(s.Name)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(m[1])
	return n
}

// keepReference keeps the stages of a shape that are to be laid beside those of others:
// the newest of a whole build, else the fullest.
func (a *alignment) keepReference(shape *shape) {
	for stage, indices := range shape.stages {
		known, whole := a.references[stage], !shape.build.Partial
		if known != nil && (known.whole || len(indices) < len(known.sequence) || !whole && len(indices) == len(known.sequence)) {
			continue
		}
		seq, slots := make(sequence, len(indices)), map[trackID]int{}
		for i, at := range indices {
			s := &shape.build.Steps[at]
			seq[i] = member{idOf(s), s.Body, s.Index, s.Count}
			if shape.equals { // else all are 0
				seq[i].slot = slots[idOf(s)]
				slots[idOf(s)]++
			}
		}
		maps.DeleteFunc(slots, func(_ trackID, n int) bool { return n < 2 })
		a.references[stage] = &reference{seq, slots, whole}
	}
}

// identify returns the track of each step of a build, which has the stages; equals tells
// whether steps share a key. Ambiguous holds the indices of those that could be another of
// several equal ones as well: their tracks are theirs alone.
func (a *alignment) identify(build *Build, stages map[string][]int, equals bool) (ids []trackID, ambiguous map[int]equalGroup) {
	ids, ambiguous = make([]trackID, len(build.Steps)), map[int]equalGroup{}
	for i := range ids {
		ids[i] = idOf(&build.Steps[i])
	}
	for stage, indices := range stages {
		r := a.references[stage]
		if r == nil {
			r = &reference{}
		}
		if !equals && len(r.equals) == 0 {
			continue
		}
		own := map[trackID]int{}
		for _, at := range indices {
			own[ids[at]]++
		}
		if len(r.equals) > 0 || len(own) < len(indices) {
			l := laid{reference: r, build: build, indices: indices, ids: ids, own: own, fresh: map[trackID]int{}, ambiguous: ambiguous}
			l.assignSlots()
		}
	}
	return ids, ambiguous
}

// A laid is a stage of a build, beside the reference of it.
type laid struct {
	*reference
	build     *Build
	indices   []int           // of its steps, in order
	ids       []trackID       // by index
	own       map[trackID]int // how many steps there are of each
	fresh     map[trackID]int // of these, the new ones that have a slot
	ambiguous map[int]equalGroup
}

// isGroup tells whether several steps are equal, here or in the reference.
func (l *laid) isGroup(of trackID) bool { return l.own[of] > 1 || l.equals[of] > 1 }

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
		l.ids[index].slot = m.slot
		from, at = anchor[0]+1, anchor[1]+1
	}
	l.assignBetween(l.indices[from:], l.sequence[at:])
}

// keepsPositions tells whether each step is at the position that it has in the reference,
// as far as they show: the stage is as long as it was, and none of those at another
// position has an equal or was in the stage before. One that was edited may stand there.
func (l *laid) keepsPositions() bool {
	at, known, bodies := map[int]*member{}, map[trackID]bool{}, map[form]bool{}
	for i := range l.sequence {
		m := &l.sequence[i]
		if at[m.index] != nil || m.index == 0 || m.count != l.sequence[0].count {
			return false
		}
		at[m.index], known[m.kin()], bodies[m.form()] = m, true, true
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
		case was.kin() != l.ids[i]:
			if known[l.ids[i]] || l.isGroup(l.ids[i]) || l.isGroup(was.kin()) {
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
		slots[m.index] = m.slot
	}
	for _, i := range l.indices {
		l.ids[i].slot = slots[l.build.Steps[i].Index]
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
		if ok && !twice[f] && own[f] == 1 && (f.body != "" || !l.isGroup(f.trackID)) {
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
	here := map[trackID]int{}
	for _, at := range indices {
		here[l.ids[at]]++
	}
	slots := map[trackID][]int{}
	for _, m := range between {
		slots[m.kin()] = append(slots[m.kin()], m.slot)
	}
	rank := map[trackID]int{}
	for _, at := range indices {
		of := l.ids[at]
		if !l.isGroup(of) {
			continue
		}
		switch known := slots[of]; {
		case l.isNew(of), len(known) == 0 && l.build.Steps[at].Body != "" && l.haveBodies(of):
			// Those that come and go together with as many of them are the same.
			l.ids[at].slot = l.own[of]<<16 + l.fresh[of]
			l.fresh[of]++
			continue
		case len(known) == here[of]:
			l.ids[at].slot = known[rank[of]]
		default:
			group := equalGroup{step: of}
			if len(known) > 0 {
				group.from, group.to = known[0], known[len(known)-1]+1
			}
			l.ids[at].slot = -1 - at
			l.ambiguous[at] = group
		}
		rank[of]++
	}
}

// isNew tells whether the reference has no such step.
func (r *reference) isNew(of trackID) bool {
	return !slices.ContainsFunc(r.sequence, func(m member) bool { return m.kin() == of })
}

// readGroups finds what the equal steps took together that nothing tells apart in the
// build under judgement: in the middle of those builds in which something does.
func (a *arranged) readGroups(alignment *alignment, ambiguous map[int]equalGroup) {
	if len(ambiguous) == 0 {
		return
	}
	taken := map[equalGroup][]time.Duration{}
	for _, g := range ambiguous {
		taken[g] = nil
	}
	for b := range a.base {
		shape := alignment.base[b]
		for g := range taken {
			sum, found := time.Duration(0), false
			for i, t := range shape.tracks {
				if t.kin() == g.step && g.from <= t.slot && t.slot < g.to {
					found = true
					if s := &a.base[b].Steps[i]; s.State == Executed {
						sum += s.Duration
					}
				}
			}
			if found {
				taken[g] = append(taken[g], sum)
			}
		}
	}
	a.groups = map[equalGroup]time.Duration{}
	for g, all := range taken {
		a.groups[g] = durationMedian(all)
	}
	for i, g := range ambiguous {
		a.series[i].group = g
	}
	a.gone = slices.DeleteFunc(a.gone, func(s *Step) bool {
		for g := range taken {
			if idOf(s) == g.step {
				return true
			}
		}
		return false
	})
}

// haveBodies tells whether the bodies of all such steps of the reference are known.
func (r *reference) haveBodies(of trackID) bool {
	return !slices.ContainsFunc(r.sequence, func(m member) bool { return m.kin() == of && m.body == "" })
}
