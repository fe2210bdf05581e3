package align

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strconv"

	"github.com/buildregress/buildregress/detect/timeline"
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
	TrackID
	body         string
	index, count int // of "i/n"
}

// A form is a step as it is told from its equals: by its body too, where that is known.
type form struct {
	TrackID
	body string
}

func formOf(s *timeline.Step) form { return form{IDOf(s), s.Body} }

func (m *member) form() form { return form{m.Kin(), m.body} }

// A reference is what a stage of other builds is laid beside.
type reference struct {
	sequence
	equals map[TrackID]int // the steps that several are, slots left out, and how many
	whole  bool            // the build was: nothing is missing
}

// An EqualGroup are equal steps of which some came or went: those of the reference's
// slots from one to before another.
type EqualGroup struct {
	Step     TrackID // slot left out
	From, To int
}

// IDOf names the track of a step that has no equal.
func IDOf(s *timeline.Step) TrackID { return TrackID{Key: s.Key, rule: s.Rule} }

// Kin is what equal steps share.
func (t TrackID) Kin() TrackID {
	t.Slot = 0
	return t
}

// stageOf groups the steps of a build, by platform and stage. Unnamed stages are
// one group, as their numbers change when a stage is added.
func stageOf(s *timeline.Step) string { return s.Platform + "\x00" + s.Stage }

// stagesOf lists the indices of a build's steps by stage, in order.
func stagesOf(build *timeline.Build) map[string][]int {
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
func stageNumber(s *timeline.Step) int {
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
func (a *Alignment) keepReference(shape *Shape) {
	for stage, indices := range shape.stages {
		known, whole := a.references[stage], !shape.build.Partial
		if known != nil && (known.whole || len(indices) < len(known.sequence) || !whole && len(indices) == len(known.sequence)) {
			continue
		}
		seq, slots := make(sequence, len(indices)), map[TrackID]int{}
		for i, at := range indices {
			s := &shape.build.Steps[at]
			seq[i] = member{IDOf(s), s.Body, s.Index, s.Count}
			if shape.equals { // else all are 0
				seq[i].Slot = slots[IDOf(s)]
				slots[IDOf(s)]++
			}
		}
		maps.DeleteFunc(slots, func(_ TrackID, n int) bool { return n < 2 })
		a.references[stage] = &reference{seq, slots, whole}
	}
}

// identify returns the track of each step of a build, which has the stages; equals tells
// whether steps share a key. Ambiguous holds the indices of those that could be another of
// several equal ones as well: their tracks are theirs alone.
func (a *Alignment) identify(build *timeline.Build, stages map[string][]int, equals bool) (ids []TrackID, ambiguous map[int]EqualGroup) {
	ids, ambiguous = make([]TrackID, len(build.Steps)), map[int]EqualGroup{}
	for i := range ids {
		ids[i] = IDOf(&build.Steps[i])
	}
	for stage, indices := range stages {
		r := a.references[stage]
		if r == nil {
			r = &reference{}
		}
		if !equals && len(r.equals) == 0 {
			continue
		}
		own := map[TrackID]int{}
		for _, at := range indices {
			own[ids[at]]++
		}
		if len(r.equals) > 0 || len(own) < len(indices) {
			l := laid{reference: r, build: build, indices: indices, ids: ids, own: own, fresh: map[TrackID]int{}, ambiguous: ambiguous}
			l.assignSlots()
		}
	}
	return ids, ambiguous
}

// haveBodies tells whether the bodies of all such steps of the reference are known.
func (r *reference) haveBodies(of TrackID) bool {
	return !slices.ContainsFunc(r.sequence, func(m member) bool { return m.Kin() == of && m.body == "" })
}
