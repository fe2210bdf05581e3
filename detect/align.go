package detect

import (
	"cmp"
	"slices"
	"strings"
)

// A track is one step followed through the builds: at first all steps of one key
// (and of one slot among equals), later also what that step was called before it
// was edited.
type track struct {
	room  string // platform, stage and instruction: a step never leaves it
	key   string
	text  []string // the key's words
	index int      // of "i/n" where it was seen last
	count int
	first int // oldest build of the history in which it occurs: larger is older
	last  int // newest one; -1 is the build under judgement
	older *track
}

// A trackID names a track: a key, and which of the equal ones.
type trackID struct {
	key  string
	slot int
}

// An alignment says for every step of every build which track it is on.
type alignment struct {
	tracks map[trackID]*track
	layout map[string][]int // of steps that share a key: their indices where most were seen
	counts map[string]int   // … and the n of their "i/n" there
}

// align lays the steps of a history, newest build first, onto tracks.
func align(history []Build) *alignment {
	a := &alignment{tracks: map[trackID]*track{}, layout: map[string][]int{}, counts: map[string]int{}}
	for i := range history {
		a.learnLayout(&history[i])
	}
	for i := range history {
		a.add(&history[i], i)
	}
	a.link(nil)
	return a
}

// with returns a copy of the alignment that also holds a newer build.
func (a *alignment) with(build *Build) *alignment {
	b := &alignment{tracks: make(map[trackID]*track, len(a.tracks)+8), layout: a.layout, counts: a.counts}
	for id, t := range a.tracks {
		b.tracks[id] = t
	}
	seen := map[*track]bool{}
	var fresh []*track
	for i, id := range b.identify(build) {
		t := b.tracks[id]
		if t == nil {
			t = newTrack(&build.Steps[i], -1)
			b.tracks[id] = t
			fresh = append(fresh, t)
		}
		seen[t] = true
	}
	if len(fresh) > 0 {
		b.linkTo(fresh, func(t *track) bool { return !seen[t] && t.first >= 0 })
	}
	return b
}

func newTrack(s *Step, build int) *track {
	verb, _, _ := strings.Cut(s.Key[strings.IndexByte(s.Key, ']')+1:], "=")
	fields := strings.Fields(verb)
	if len(fields) > 0 {
		verb = fields[0]
	}
	return &track{
		room:  s.Platform + "\x00" + s.Stage + "\x00" + verb,
		key:   s.Key,
		text:  words(s.Key),
		index: s.Index,
		count: s.Count,
		first: build,
		last:  build,
	}
}

// learnLayout remembers where steps that share a key stand, from the build that
// shows most of them: a trace does not show those that were cached.
func (a *alignment) learnLayout(build *Build) {
	equal := map[string][]int{}
	for i := range build.Steps {
		if s := &build.Steps[i]; s.Index > 0 {
			equal[s.Key] = append(equal[s.Key], s.Index)
			if len(equal[s.Key]) > len(a.layout[s.Key]) {
				a.counts[s.Key] = s.Count
			}
		}
	}
	for key, indices := range equal {
		if len(indices) > len(a.layout[key]) {
			slices.Sort(indices)
			a.layout[key] = indices
		}
	}
}

// identify returns the track of each step of a build. Steps of one key are told
// apart by their position where the stage has as many instructions as when all
// of them were seen, else by their order.
func (a *alignment) identify(build *Build) []trackID {
	ids := make([]trackID, len(build.Steps))
	equal := map[string][]int{}
	for i := range build.Steps {
		ids[i].key = build.Steps[i].Key
		equal[ids[i].key] = append(equal[ids[i].key], i)
	}
	for key, steps := range equal {
		layout := a.layout[key]
		if len(steps) == 1 && len(layout) < 2 {
			continue
		}
		slices.SortStableFunc(steps, func(x, y int) int { return cmp.Compare(build.Steps[x].Index, build.Steps[y].Index) })
		taken := map[int]bool{}
		for rank, i := range steps {
			slot := rank
			if s := &build.Steps[i]; s.Count == a.counts[key] && len(steps) < len(layout) {
				if at := slices.Index(layout, s.Index); at >= 0 {
					slot = at
				}
			}
			for taken[slot] {
				slot++
			}
			taken[slot] = true
			ids[i].slot = slot
		}
	}
	return ids
}

func (a *alignment) add(build *Build, age int) {
	for i, id := range a.identify(build) {
		t := a.tracks[id]
		if t == nil {
			t = newTrack(&build.Steps[i], age)
			a.tracks[id] = t
		}
		t.first = age
	}
}

// link joins tracks of the history that took each other's place: the one ended
// before the other began.
func (a *alignment) link(_ []*track) {
	var all []*track
	for _, t := range a.tracks {
		all = append(all, t)
	}
	a.linkTo(all, func(*track) bool { return true })
}

// maxPairs bounds the work of comparing steps that came with those that went.
const maxPairs = 50_000

// linkTo finds for each of the newer tracks the one that it continues, among
// those that are free: in the same room, gone before the newer one came, and
// alike. The likest pairs go first; a track continues one and is continued once.
func (a *alignment) linkTo(newer []*track, free func(*track) bool) {
	rooms := map[string][]*track{}
	for _, t := range a.tracks {
		if free(t) {
			rooms[t.room] = append(rooms[t.room], t)
		}
	}
	type pair struct {
		newer, older *track
		score        float64
	}
	var pairs []pair
	budget := maxPairs
	for _, n := range newer {
		for _, o := range rooms[n.room] {
			if o == n || o.last <= n.first {
				continue
			}
			if budget--; budget < 0 {
				break
			}
			if score := likeness(n, o); score > 0 {
				pairs = append(pairs, pair{n, o, score})
			}
		}
	}
	slices.SortFunc(pairs, func(x, y pair) int {
		return cmp.Or(
			-cmp.Compare(x.score, y.score),
			cmp.Compare(x.older.last, y.older.last), // what was seen longest
			cmp.Compare(x.newer.key, y.newer.key),
			cmp.Compare(x.older.key, y.older.key),
			cmp.Compare(x.newer.index, y.newer.index),
			cmp.Compare(x.older.index, y.older.index),
		)
	})
	continued := map[*track]bool{}
	for _, p := range pairs {
		if p.newer.older == nil && !continued[p.older] {
			p.newer.older, continued[p.older] = p.older, true
		}
	}
}

// likeness of two steps in [0,1], 0 for steps that cannot be the same one. In a
// stage with as many instructions as before, another position is another step,
// and the same position needs less likeness.
func likeness(a, b *track) float64 {
	least := 0.6
	if a.count > 0 && a.count == b.count && !strings.Contains(a.room, "\x00\x00") {
		if a.index != b.index {
			return 0
		}
		least = 0.3
	}
	score := overlap(a.text, b.text)
	if score < least {
		return 0
	}
	return score
}

// words of a key, at which a person would compare two instructions.
func words(key string) []string {
	const most = 200
	w := strings.FieldsFunc(key, func(r rune) bool { return strings.ContainsRune(" \t=,;:&|()\"'/", r) })
	return w[:min(len(w), most)]
}

// overlap is twice the length of the longest common subsequence, over the lengths
// of both.
func overlap(a, b []string) float64 {
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
