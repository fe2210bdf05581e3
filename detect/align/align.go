// Package align follows steps through builds: which step of an older build is which of a newer
// one, after edits and insertions and among equals.
package align

import (
	"cmp"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect/parallel"
	"github.com/buildregress/buildregress/detect/timeline"
)

// Which step of an older build is which of a newer one? Steps with the same key are the
// same step. A key that is new may be an instruction that was edited: it continues the step
// of the same stage and the same instruction that disappeared when it came and whose words
// are most similar (by their longest common subsequence). Pairs are matched greedily, the
// most similar first, one to one. Equal keys within one build are told apart in equals.go.

// A Track is one step followed through the builds: at first all steps of one key
// (and of one slot among equals), later also what that step was called before it
// was edited.
type Track struct {
	TrackID
	stage       string   // platform and stage: a step never leaves it
	instruction string   // its first word, such as RUN: a step never becomes another instruction; all of what writes
	named       bool     // the stage has a name: positions of unnamed ones tell nothing
	text        []string // the key's words
	bag         []string // the same, ascending
	index       int      // of "i/n" where it was seen last
	count       int
	First       int // oldest build of the history in which it occurs: larger is older
	last        int // newest one; -1 is the build under judgement
	Older       *Track
	// continued tells that a newer track of the history goes on from this one.
	continued bool
}

// A TrackID names a track: a key, which of the equal ones, and by which rule.
type TrackID struct {
	Key  string
	Slot int
	rule int // see Step.Rule
}

// An Alignment says for every step of every build which track it is on.
type Alignment struct {
	newer      map[*Track]*Track // what continues a track, see latest
	tracks     map[TrackID]*Track
	order      []*Track              // the same, as they came up
	references map[string]*reference // of each stage
	shapes     []*Shape              // of the builds, as they came up
	Base       []*Shape              // of each build of the history
	Sparse     []*Shape              // of each sparse build
	// partial tells that some builds are traces: what is absent there may be cached.
	partial bool
}

// Align lays the steps of a history, newest build first, onto tracks. Of the sparse
// builds, which are older, only some steps are left: they are laid onto tracks
// too, but do not tell what came and went.
func Align(history, sparse []timeline.Build) *Alignment {
	a := New()
	// Most builds have the shape of the one after them.
	repeats := make([]bool, len(history))
	parallel.For(max(0, len(history)-1), parallel.Enough, func(i int) {
		repeats[i+1] = alike(&history[i], &history[i+1], true)
	})
	for i := range history {
		a.add(&history[i], repeats[i])
	}
	return a.Finish(sparse)
}

// New is the alignment of a history whose builds are added one by one.
func New() *Alignment {
	return &Alignment{newer: map[*Track]*Track{}, tracks: map[TrackID]*Track{}, references: map[string]*reference{}}
}

// Add adds a build of the history, which is older than those before. Only builds are kept that
// are the first of their shape.
func (a *Alignment) Add(build *timeline.Build) {
	n := len(a.Base)
	a.add(build, n > 0 && a.Base[n-1].is(build))
}

func (a *Alignment) add(build *timeline.Build, repeats bool) {
	var s *Shape
	if repeats {
		s = a.Base[len(a.Base)-1]
	} else {
		known := len(a.shapes)
		if s = a.shapeOf(build); len(a.shapes) > known {
			a.keepReference(s)
		}
	}
	a.Base = append(a.Base, s)
	a.partial = a.partial || build.Partial
}

// Finish lays the steps of all builds that were added onto tracks, and those of sparse ones.
func (a *Alignment) Finish(sparse []timeline.Build) *Alignment {
	for i, s := range a.Base {
		a.lay(s, i)
	}
	whole := a.order
	for i := range sparse {
		s := a.shapeOf(&sparse[i])
		a.Sparse = append(a.Sparse, s)
		a.lay(s, len(a.Base)+i)
	}
	for _, s := range a.shapes {
		for _, t := range s.Tracks {
			t.First = max(t.First, s.oldest)
		}
	}
	for newer, older := range a.continuations(whole, whole) {
		newer.Older, older.continued = older, true
		a.newer[older] = newer
	}
	a.order = whole
	return a
}

// Latest is the track on which a step is now, as the newest builds of the history call it.
func (a *Alignment) Latest(t *Track) *Track {
	for range len(a.order) { // a bound: a track continues one that is older
		newer := a.newer[t]
		if newer == nil {
			break
		}
		t = newer
	}
	return t
}

// TracksOf returns the track of each step of a build that is newer than the history.
// Tracks that are new with it have no past but older. Ambiguous is what identify tells.
func (a *Alignment) TracksOf(build *timeline.Build) (tracks []*Track, ambiguous map[int]EqualGroup) {
	known := a.shapeOf(build)
	if known.Tracks != nil {
		return known.Tracks, known.ambiguous
	}
	tracks = make([]*Track, len(build.Steps))
	ids, ambiguous := a.identify(build, stagesOf(build), known.equals)
	seen, own := map[*Track]bool{}, map[TrackID]*Track{}
	var fresh []*Track
	for i, id := range ids {
		t := cmp.Or(a.tracks[id], own[id])
		if t == nil {
			t = newTrack(&build.Steps[i], id, -1)
			own[id] = t
			if _, ok := ambiguous[i]; !ok {
				fresh = append(fresh, t)
			}
		}
		seen[t], tracks[i] = true, t
	}
	if len(fresh) == 0 {
		return tracks, ambiguous
	}
	groups := map[TrackID]bool{} // what is left over of them may be any
	for _, g := range ambiguous {
		groups[g.Step] = true
	}
	var free []*Track
	for _, t := range a.order {
		if !seen[t] && !t.continued && !groups[t.Kin()] {
			free = append(free, t)
		}
	}
	b := *a
	b.partial = a.partial || build.Partial
	for newer, older := range b.continuations(fresh, free) {
		newer.Older = older
	}
	return tracks, ambiguous
}

func newTrack(s *timeline.Step, id TrackID, build int) *Track {
	_, text, _ := strings.Cut(s.Key, "] ")
	instruction, _, _ := strings.Cut(text, " ")
	if s.IsWriting() {
		instruction = text
	}
	return &Track{
		TrackID:     id,
		stage:       stageOf(s),
		instruction: instruction,
		named:       s.Stage != "",
		index:       s.Index,
		count:       s.Count,
		First:       build,
		last:        build,
	}
}

// split takes the key apart, once it is compared with another.
func (t *Track) split() {
	if t.text == nil {
		t.text = words(t.Key)
		t.bag = slices.Sorted(slices.Values(t.text))
	}
}

// lay lays the steps of a build's shape onto tracks, which is of that age.
func (a *Alignment) lay(s *Shape, age int) {
	if s.Tracks == nil {
		var ids []TrackID
		ids, s.ambiguous = a.identify(s.build, s.stages, s.equals)
		s.Tracks = make([]*Track, len(ids))
		for i, id := range ids {
			t := a.tracks[id]
			if t == nil {
				t = newTrack(&s.build.Steps[i], id, age)
				if _, ok := s.ambiguous[i]; ok {
					s.Tracks[i] = t
					continue
				}
				a.tracks[id] = t
				a.order = append(a.order, t)
			}
			s.Tracks[i] = t
		}
	}
	s.oldest = age
}

// Comparing steps that came with those that went is bounded, as a build's author
// decides how many there are: in pairs looked at, and in words compared.
const (
	maxPairs = 100_000
	maxCells = 20_000_000
)

// continuations matches each of the newer tracks with the one among the older that it
// continues: of the same stage and instruction, last seen before the newer one came, and
// similar. The most similar pairs are matched first, one to one.
//
// In a stage that grew by k instructions, k of the new ones were inserted, and only the
// others can continue anything. In traces not even that is known, as what is absent there
// may be in the cache.
func (a *Alignment) continuations(newer, older []*Track) map[*Track]*Track {
	type group struct{ stage, instruction string }
	groups := map[group][]*Track{}
	for _, t := range older {
		at := group{t.stage, t.instruction}
		groups[at] = append(groups[at], t)
	}
	type arrival struct {
		stage string
		First int
	}
	arrived := map[arrival]int{}
	for _, n := range newer {
		arrived[arrival{n.stage, n.First}]++
	}
	type pair struct {
		newer, Older *Track
		score        float64
	}
	var pairs []pair
	looked, cells := 0, 0
	for _, n := range newer {
		for _, o := range groups[group{n.stage, n.instruction}] {
			if looked++; looked > maxPairs || cells > maxCells {
				break
			}
			if o == n || o.rule != n.rule || o.last <= n.First || a.partial && n.named && n.count > o.count {
				continue
			}
			n.split()
			o.split()
			if !maybeSimilar(n, o) {
				continue
			}
			cells += len(n.text) * len(o.text)
			if score := similarity(n.text, o.text); score >= minSimilarity(n, o) {
				pairs = append(pairs, pair{n, o, score})
			}
		}
	}
	slices.SortStableFunc(pairs, func(x, y pair) int {
		return cmp.Or(
			-cmp.Compare(x.score, y.score),
			cmp.Compare(x.Older.last, y.Older.last), // what was seen most lately
			cmp.Compare(x.newer.Key, y.newer.Key), cmp.Compare(x.newer.Slot, y.newer.Slot),
			cmp.Compare(x.Older.Key, y.Older.Key), cmp.Compare(x.Older.Slot, y.Older.Slot),
		)
	})
	found, taken := map[*Track]*Track{}, map[*Track]bool{}
	for _, p := range pairs {
		with := arrival{p.newer.stage, p.newer.First}
		inserted := 0
		if p.newer.named {
			inserted = max(0, p.newer.count-p.Older.count)
		}
		if found[p.newer] == nil && !taken[p.Older] && arrived[with] > inserted {
			found[p.newer], taken[p.Older] = p.Older, true
			arrived[with]--
		}
	}
	return found
}

// minSimilarity is how similar two steps must be, in [0,1], to be one that was edited. In
// a stage with as many instructions as before, the same position needs less.
func minSimilarity(a, b *Track) float64 {
	if a.samePosition(b) {
		return 0.3
	}
	return 0.6
}

func (t *Track) samePosition(o *Track) bool {
	return t.named && t.count > 0 && t.count == o.count && t.index == o.index
}

// maybeSimilar rules out pairs that cannot be one step, cheaply: those at different
// positions of a stage that did not change its length, and those that share too
// few words in whatever order.
func maybeSimilar(a, b *Track) bool {
	if a.named && a.count > 0 && a.count == b.count && a.index != b.index {
		return false
	}
	common := 0
	for i, j := 0, 0; i < len(a.bag) && j < len(b.bag); {
		switch strings.Compare(a.bag[i], b.bag[j]) {
		case 0:
			common++
			i++
			j++
		case -1:
			i++
		default:
			j++
		}
	}
	return 2*float64(common) >= minSimilarity(a, b)*float64(len(a.bag)+len(b.bag))
}

// words of a key, at which a person would compare two instructions.
func words(key string) []string {
	const most = 200
	w := strings.FieldsFunc(key, func(r rune) bool { return strings.ContainsRune(" \t=,;:&|()\"'/", r) })
	return w[:min(len(w), most)]
}

// similarity is twice the length of the longest common subsequence over the lengths of
// both (the Sørensen–Dice coefficient), in [0,1].
func similarity(a, b []string) float64 {
	if len(a)+len(b) == 0 {
		return 1
	}
	row := make([]int, len(b)+1)
	for _, x := range a {
		diagonal := 0
		for j, y := range b {
			above := row[j+1]
			if x == y {
				row[j+1] = diagonal + 1
			} else {
				row[j+1] = max(above, row[j])
			}
			diagonal = above
		}
	}
	return 2 * float64(row[len(b)]) / float64(len(a)+len(b))
}
