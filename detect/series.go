package detect

import (
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/align"
	"github.com/buildregress/buildregress/detect/level"
	"github.com/buildregress/buildregress/detect/timeline"
)

// Builds become numbers here. Each step of the build under judgement is one series: its
// samples, which are its durations where the history executed it, and its values in the
// builds of the branch, which are the evidence. A cached step is no sample of its
// instruction, but the time it takes to load its layer is a series of its own. Steps that
// run rarely take samples of sparse builds, from before the baseline.

// A series is one step through history and evidence: what judgement is made of.
type series struct {
	step *timeline.Step   // in the build under judgement
	past []*timeline.Step // in each build of the history, newest first; nil where it is not
	was  *timeline.Step   // in the newest of these, if its author edited it since

	// samples are what it took where it was executed in the history, newest first;
	// ages are the indices of these builds in builds, which all series share.
	samples []time.Duration
	ages    []int32
	builds  []*timeline.Build

	tail level.Tail // what is remembered of its samples before these

	reached   int              // baseline builds that reached the step
	cached    int              // … and found it in the cache
	ambiguous bool             // it could be another of several equal steps as well
	group     align.EqualGroup // which those are
	learns    bool             // the whole baseline was read before the step's rule, see learning
	unseen    bool             // it was in the cache whenever it was reached, and no trace showed it

	// values of the step in the branch's builds, this one last; ran[i] tells
	// whether it ran in build i.
	values []time.Duration
	ran    []bool

	// cut is how many samples there are since the level shifted, 0 if it never did; before
	// is what was usual until then, or of a step that is behind, which is compared with
	// that, what is usual since.
	cut    int
	before time.Duration
	behind bool
}

// sample adds an execution of the step in the build of that age.
func (s *series) sample(age int, d time.Duration) {
	s.samples, s.ages = append(s.samples, d), append(s.ages, int32(age))
}

// build is that of sample k.
func (s *series) build(k int) *timeline.Build { return s.builds[s.ages[k]] }

// An arranged is a build and all that it is judged against, laid onto tracks.
type arranged struct {
	base   []timeline.Build
	sparse []timeline.Build  // older ones, of which only some executions are left
	branch []*timeline.Build // evidence, oldest first; the last is the build under judgement
	onBase bool              // that build is of the base branch itself
	series []series          // of the steps of that build, in their order
	// loads holds a series for each of its cached steps, by their index: the time
	// that it takes to load a layer is a step of its own, no sample of the
	// instruction.
	loads map[int]*series
	gone  []*timeline.Step // steps that the newest whole baseline build had and this one has not
	// groups are the equal steps that cannot be told apart, by what they usually take
	// together.
	groups map[align.EqualGroup]time.Duration
	// indices are the places in series that the steps of each build of base have, -1 for
	// none.
	indices [][]int
	known   int          // steps that occur in the baseline
	within  map[int]bool // parts that are told of the step around them, see tellOnce
}

// keysOnce are the keys that one step alone has.
func keysOnce(b *timeline.Build) map[string]bool {
	once := make(map[string]bool, len(b.Steps))
	for i := range b.Steps {
		key := b.Steps[i].Key
		_, known := once[key]
		once[key] = !known
	}
	return once
}

// arrange follows each step of the last of branch back through the others. tails are what
// is remembered of the steps beyond these, by their keys.
func arrange(base, sparse []timeline.Build, tails map[string]level.Tail, branch []*timeline.Build) *arranged {
	a := &arranged{base: base, sparse: sparse, branch: branch, loads: map[int]*series{}}
	alignment := align.Align(base, sparse)
	build := branch[len(branch)-1]
	a.series = make([]series, len(build.Steps))
	builds := make([]*timeline.Build, 0, len(base)+len(sparse))
	for i := range base {
		builds = append(builds, &base[i])
	}
	for i := range sparse {
		builds = append(builds, &sparse[i])
	}

	// at[t] is the index of the series that track t belongs to.
	at := map[*align.Track]int{}
	once := keysOnce(build)
	tracks, ambiguous := alignment.TracksOf(build)
	for i, t := range tracks {
		s := &a.series[i]
		_, s.ambiguous = ambiguous[i]
		s.step, s.builds = &build.Steps[i], builds
		if once[s.step.Key] {
			s.tail = tails[s.step.Key]
		}
		s.learns = len(base) > 0 && a.older(s.step) == len(base)
		if s.step.State == timeline.Cached {
			a.loads[i] = &series{step: loadOf(s.step), builds: builds, learns: s.learns}
		}
		if t.First >= 0 || t.Older != nil || s.ambiguous || s.learns {
			a.known++
		}
		at[t] = i
	}
	// What steps were before they were edited, where no other step is it.
	for i, t := range tracks {
		for t = t.Older; t != nil; t = t.Older {
			if _, taken := at[t]; !taken {
				at[t] = i
			}
		}
	}
	told := a.readBaseline(alignment, at)
	a.readGroups(alignment, ambiguous)
	a.readSparse(alignment, at, told)
	a.readEvidence(alignment, at)
	for i := range a.series {
		a.series[i].was = a.series[i].editedFrom(0)
	}
	a.countUnseen()
	return a
}

// readBaseline collects samples and cache hits of each series.
func (a *arranged) readBaseline(alignment *align.Alignment, at map[*align.Track]int) (told []timeline.Executions) {
	wholeSeen := false
	seen := make([]int, len(a.series)) // number of the last build that had the step
	told = make([]timeline.Executions, len(a.series))
	for i := range a.series { // the build under judgement is no history of its own
		told[i].Repeat(a.series[i].step)
	}
	// Most steps were executed in most builds: there is room for all of them at once,
	// of which a series has used so much.
	n, used := len(a.base), make([]int, len(a.series))
	samples, ages := make([]time.Duration, n*len(a.series)), make([]int32, n*len(a.series))
	past := make([]*timeline.Step, n*len(a.series))
	for i := range a.series {
		a.series[i].past = past[n*i : n*(i+1) : n*(i+1)]
	}
	for b := range a.base {
		build, shape := &a.base[b], alignment.Base[b]
		a.indices = append(a.indices, shape.IndicesIn(at))
		for i, index := range a.indices[b] {
			step := &build.Steps[i]
			if index < 0 {
				// Another version may have called it by another name.
				if !step.IsPart() && !step.IsWait() && !build.Partial && !wholeSeen && build.Reader == a.branch[len(a.branch)-1].Reader {
					a.gone = append(a.gone, step)
				}
				continue
			}
			if seen[index] == b+1 {
				continue
			}
			seen[index] = b + 1
			a.series[index].past[b] = step
			switch step.State {
			case timeline.Executed:
				if told[index].Repeat(step) {
					continue
				}
				room := n*index + used[index]
				samples[room], ages[room] = step.Duration, int32(b)
				used[index]++
			case timeline.Cached:
				a.series[index].cached++
				if load := a.loads[index]; load != nil {
					load.reached++
					load.sample(b, step.Duration)
				}
			}
		}
		wholeSeen = wholeSeen || !build.Partial
		if build.Partial {
			a.readUnseen(build, func(index int) bool { return seen[index] == b+1 })
		}
	}
	for i := range a.series {
		s, from, end := &a.series[i], n*i, n*i+used[i]
		s.samples, s.ages = samples[from:end:n*(i+1)], ages[from:end:n*(i+1)]
		s.reached = used[i] + s.cached
	}
	return told
}

// readSparse collects the samples of steps that the baseline holds too few of. What
// is left of these builds does not tell how often a step was cached.
func (a *arranged) readSparse(alignment *align.Alignment, at map[*align.Track]int, told []timeline.Executions) {
	seen := make([]int, len(a.series))
	for b := range a.sparse {
		build, shape := &a.sparse[b], alignment.Sparse[b]
		for i, index := range shape.IndicesIn(at) {
			if index >= 0 && seen[index] != b+1 && build.Steps[i].State == timeline.Executed {
				seen[index] = b + 1
				if told[index].Repeat(&build.Steps[i]) {
					continue
				}
				a.series[index].sample(len(a.base)+b, build.Steps[i].Duration)
				a.series[index].past = append(a.series[index].past, &build.Steps[i])
			}
		}
	}
}

// readUnseen counts the cache hits that a trace does not show: a step below one
// that the build reached in the same stage, as long as before, was in the cache.
func (a *arranged) readUnseen(build *timeline.Build, seen func(index int) bool) {
	type stage struct {
		platform, name string
		count          int
	}
	reached := map[stage]int{}
	for i := range build.Steps {
		s := &build.Steps[i]
		at := stage{s.Platform, s.Stage, s.Count}
		reached[at] = max(reached[at], s.Index)
	}
	for i := range a.series {
		s := &a.series[i]
		if at := (stage{s.step.Platform, s.step.Stage, s.step.Count}); s.step.Index > 0 && !seen(i) && s.step.Index < reached[at] {
			s.cached++
		}
	}
}

// readEvidence collects the values of each series in the builds of the branch.
func (a *arranged) readEvidence(alignment *align.Alignment, at map[*align.Track]int) {
	last := len(a.branch) - 1
	n := last + 1
	values, ran := make([]time.Duration, n*len(a.series)), make([]bool, n*len(a.series))
	for i := range a.series {
		a.series[i].values, a.series[i].ran = values[n*i:n*(i+1)], ran[n*i:n*(i+1)]
		if load := a.loads[i]; load != nil {
			load.values, load.ran = make([]time.Duration, last+1), make([]bool, last+1)
		}
	}
	told := make([]timeline.Executions, len(a.series))
	for b, build := range slices.Backward(a.branch) {
		var tracks []*align.Track
		if b < last {
			tracks, _ = alignment.TracksOf(build)
		}
		inBase := a.inBase(build)
		for i := range build.Steps {
			index := i
			if b < last {
				var ok bool
				if index, ok = seriesIndex(tracks[i], at); !ok {
					continue
				}
			}
			s := &a.series[index]
			if build.Steps[i].State == timeline.Cached {
				s = a.loads[index]
			}
			// What the baseline does not count as a run of this step is no evidence either.
			if s != nil && inBase && !s.sampled(build) {
				continue
			}
			if build.Steps[i].State == timeline.Executed && told[index].Repeat(&build.Steps[i]) {
				continue
			}
			if s != nil && !s.ran[b] && (build.Steps[i].State == timeline.Executed || build.Steps[i].State == timeline.Cached) {
				s.values[b], s.ran[b] = build.Steps[i].Duration, true
			}
		}
	}
}

// seriesIndex returns the index of the series that the track, or what it was before,
// belongs to.
func seriesIndex(t *align.Track, at map[*align.Track]int) (int, bool) {
	for ; t != nil; t = t.Older {
		if index, ok := at[t]; ok {
			return index, true
		}
	}
	return 0, false
}

// loadOf is the step of loading what a cached step left behind.
func loadOf(s *timeline.Step) *timeline.Step {
	load := *s
	bracket := strings.IndexByte(s.Key, ']') + 1
	load.Key = s.Key[:bracket] + " load cache:" + s.Key[bracket:]
	load.Name = "load cache: " + s.Name
	return &load
}

// newerThanBranch counts the newest samples of builds that began after the first known
// build of the branch; -1 on the base branch.
func (a *arranged) newerThanBranch(s *series) (n int) {
	if a.onBase {
		return -1
	}
	for n < len(s.samples) && s.build(n).Start.After(a.branch[0].Start) {
		n++
	}
	return n
}

// inBase tells whether a build of the branch is one of the baseline as well.
func (a *arranged) inBase(b *timeline.Build) bool {
	for i := range a.base[:min(len(a.base), MaxEvidence)] {
		if &a.base[i] == b {
			return true
		}
	}
	return false
}

// sampled tells whether the step has a sample of a build that is among the newest of
// the baseline.
func (s *series) sampled(b *timeline.Build) bool {
	for k := range min(len(s.samples), MaxEvidence) {
		if s.build(k) == b {
			return true
		}
	}
	return false
}

// dropEvidence leaves out the values of the branch's builds that began before an instant,
// but for the one under judgement: they are no evidence, and do not tell of the machine.
func (s *series) dropEvidence(branch []*timeline.Build, before time.Time) {
	for b, build := range branch[:len(branch)-1] {
		if build.Start.Before(before) {
			s.values[b], s.ran[b] = 0, false
		}
	}
}

// newest returns the newest samples, at most n. They are not the caller's.
func (s *series) newest(n int) []time.Duration { return s.samples[:min(len(s.samples), n)] }

// newestAfter returns the newest samples, at most n, those of the given builds first:
// builds on other machines may stand between them. They are not the caller's.
func (s *series) newestAfter(builds []*timeline.Build, n int) []time.Duration {
	d := s.newest(n)
	if len(builds) == 0 {
		return d
	}
	d = slices.Clone(d)
	first := 0
	for i := range d {
		if first < len(builds) && slices.Contains(builds, s.build(i)) {
			copy(d[first+1:i+1], d[first:i])
			d[first] = s.samples[i]
			first++
		}
	}
	return d
}

// isNew tells whether no build of the history is known to have had the step.
func (s *series) isNew() bool {
	return s.reached == 0 && len(s.samples) == 0 && !s.ambiguous && !s.learns
}

// usuallyCached tells whether the step is one whose run is news: it was cached in
// at least 80 % of the baseline builds that reached it.
func (s *series) usuallyCached() bool {
	const share = 0.8
	return s.reached >= 3 && float64(s.cached) >= share*float64(s.reached)
}
