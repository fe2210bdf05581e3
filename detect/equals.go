package detect

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
)

// Steps of one stage may share a key: "RUN <<EOT (set -ex...)" twice, or "RUN npm
// ci" in two stages that have no names. What tells them apart is where they stand
// among the others: each build's stage is matched with the fullest one that the history
// has of it, by the longest common subsequence with the fewest gaps. A match that its
// neighbours do not hold is ambiguous, and the step is not judged.

// A sequence is a stage in order, each step with its slot among those of its key.
type sequence []member

type member struct {
	trackID
	index, count int // of "i/n"
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

// keepFullest keeps the stages of a shape that are fuller than those known.
func (a *alignment) keepFullest(shape *shape) {
	for stage, indices := range shape.stages {
		if len(indices) <= len(a.fullest[stage]) {
			continue
		}
		seq, slots := make(sequence, len(indices)), map[string]int{}
		for i, at := range indices {
			s := &shape.build.Steps[at]
			seq[i] = member{trackID{s.Key, slots[s.Key]}, s.Index, s.Count}
			if shape.equals { // else all are 0
				slots[s.Key]++
			}
		}
		a.fullest[stage] = seq
		delete(a.equals, stage)
		if shape.equals {
			a.equals[stage] = seq.equals()
		}
	}
}

// identify returns the track of each step of a build, which has the stages; equals tells
// whether steps share a key. Ambiguous holds the indices of those that could be another of
// several equal ones as well.
func (a *alignment) identify(build *Build, stages map[string][]int, equals bool) (ids []trackID, ambiguous map[int]bool) {
	ids, ambiguous = make([]trackID, len(build.Steps)), map[int]bool{}
	for i := range ids {
		ids[i].key = build.Steps[i].Key
	}
	for stage, indices := range stages {
		known := a.equals[stage]
		if !equals && len(known) == 0 {
			continue
		}
		keys, own := make([]trackID, len(indices)), map[string]int{}
		for i, at := range indices {
			keys[i] = trackID{ids[at].key, own[ids[at].key]}
			own[keys[i].key]++
		}
		if len(known) > 0 || len(own) < len(indices) {
			a.fullest[stage].assignSlots(build, indices, keys, own, known, ambiguous)
		}
		for i, at := range indices {
			ids[at] = keys[i]
		}
	}
	return ids, ambiguous
}

// equals counts the steps of each key that several share.
func (q sequence) equals() map[string]int {
	n := map[string]int{}
	for i := range q {
		n[q[i].key]++
	}
	for key, count := range n {
		if count < 2 {
			delete(n, key)
		}
	}
	return n
}

// assignSlots gives the steps at indices, whose keys and ranks are in ids, the slots of the
// steps of the full stage that they are.
func (q sequence) assignSlots(build *Build, indices []int, ids []trackID, own, known map[string]int, ambiguous map[int]bool) {
	match := q.match(build, indices, ids)
	extra := map[string]int{} // slots beyond the known ones
	for i := range ids {
		key := ids[i].key
		if own[key] < 2 && known[key] == 0 {
			continue
		}
		if j := match[i]; j >= 0 {
			ids[i].slot = q[j].slot
			if own[key] != max(known[key], 1) && !q.certain(build, indices, match, i) {
				ambiguous[indices[i]] = true
			}
			continue
		}
		ids[i].slot = max(known[key], 1) + extra[key]
		extra[key]++
	}
}

// maxSequenceCells bounds the table of match.
const maxSequenceCells = 4_000_000

// match returns for each of the steps the index in q of the step that it is, -1
// for none: the longest common subsequence of both, and among the longest one
// with the fewest gaps. A stage of the same length keeps its positions.
func (q sequence) match(build *Build, indices []int, ids []trackID) []int {
	n, m := len(ids), len(q)
	match := make([]int, n)
	for i := range match {
		match[i] = -1
	}
	if n*m == 0 || n*m > maxSequenceCells {
		return match
	}
	equal := func(i, j int) bool {
		s := &build.Steps[indices[i]]
		if s.Stage != "" && s.Index > 0 && s.Count == q[j].count && s.Index != q[j].index {
			return false
		}
		return ids[i].key == q[j].key
	}
	// best[i][j] is the score of the first i steps against the first j, joined[i][j]
	// of those in which the last of both match.
	best, joined := make([][]int32, n+1), make([][]int32, n+1)
	for i := range best {
		best[i], joined[i] = make([]int32, m+1), make([]int32, m+1)
	}
	for i := 1; i <= n; i++ {
		for j := 1; j <= m; j++ {
			best[i][j] = max(best[i-1][j], best[i][j-1])
			if equal(i-1, j-1) {
				joined[i][j] = best[i-1][j-1] + 2
				if joined[i-1][j-1] > 0 {
					joined[i][j] = max(joined[i][j], joined[i-1][j-1]+3)
				}
				best[i][j] = max(best[i][j], joined[i][j])
			}
		}
	}
	for i, j, follow := n, m, false; i > 0 && j > 0; {
		switch {
		case follow || joined[i][j] > 0 && joined[i][j] == best[i][j]:
			match[i-1] = j - 1
			follow = joined[i-1][j-1] > 0 && joined[i][j] == joined[i-1][j-1]+3
			i, j = i-1, j-1
		case best[i-1][j] >= best[i][j-1]:
			i--
		default:
			j--
		}
	}
	return match
}

// certain tells whether a match is held by its neighbourhood: by a step of another
// key beside it that matches beside it, or by an end of the stage on both sides.
func (q sequence) certain(build *Build, indices []int, match []int, i int) bool {
	j := match[i]
	if s := &build.Steps[indices[i]]; s.Stage != "" && s.Count > 0 && s.Count == q[j].count {
		return true
	}
	if i == 0 && j == 0 || i == len(match)-1 && j == len(q)-1 {
		return true
	}
	before := i > 0 && match[i-1] == j-1 && j > 0 && q[j-1].key != q[j].key
	after := i+1 < len(match) && match[i+1] == j+1 && q[j+1].key != q[j].key
	return before || after
}
