package fetch

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
)

// A Memory is a history of builds that are in memory. Its zero value is empty.
// A build that says no pipeline is history for any.
type Memory struct {
	recordings recordings
	// byPipeline holds the builds that can be history, newest first; nil where it
	// has to be made again.
	byPipeline map[string][]*timeline.Build
	// runs holds where each step was executed, by its key and newest first, if
	// Freeze was called since the last build came.
	runs map[string][]run
}

// A run is an execution of a step.
type run struct {
	build *timeline.Build
	step  int // its index
}

// Freeze readies the history for many questions. After it several goroutines may
// ask, until another build is added.
func (m *Memory) Freeze() {
	if m.byPipeline == nil {
		m.sort()
	}
	m.runs = map[string][]run{}
	for _, list := range m.byPipeline { // each newest first, but not all of them together
		for _, b := range list {
			for i := range b.Steps {
				if s := &b.Steps[i]; s.State == timeline.Executed {
					m.runs[s.Key] = append(m.runs[s.Key], run{b, i})
				}
			}
		}
	}
	for _, runs := range m.runs {
		slices.SortStableFunc(runs, func(x, y run) int { return newestFirst(x.build, y.build) })
	}
}

// Add adds a build, or completes the one of which it is another recording.
func (m *Memory) Add(b timeline.Build) {
	m.runs = nil
	i, isNew := m.recordings.find(&b)
	if !isNew {
		m.recordings.merge(i, &b)
		m.byPipeline = nil // start, outcome and pipeline may be others now
		return
	}
	if m.byPipeline != nil && b.Outcome == timeline.OK {
		list := m.byPipeline[b.Pipeline]
		at, _ := slices.BinarySearchFunc(list, &b, newestFirst)
		m.byPipeline[b.Pipeline] = slices.Insert(list, at, m.recordings.builds[i])
	}
}

// History finds what q's build is judged against. It never fails.
func (m *Memory) History(_ context.Context, q Query) (*detect.History, error) {
	return FindHistory(&memoryIndex{memory: m, q: q, candidates: m.candidates(q)}, q)
}

// Pipelines are those of which there are builds, the most built first.
func (m *Memory) Pipelines(context.Context) ([]Pipeline, error) {
	counts := map[string]int{}
	for _, b := range m.recordings.builds {
		counts[b.Pipeline]++
	}
	var out []Pipeline
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, Pipeline{name, counts[name]})
	}
	slices.SortStableFunc(out, func(a, b Pipeline) int { return cmp.Compare(b.Builds, a.Builds) })
	return out, nil
}

// candidates are the builds that can be history for q, newest first.
func (m *Memory) candidates(q Query) []*timeline.Build {
	if m.byPipeline == nil {
		m.sort()
	}
	list := m.byPipeline[q.Build.Pipeline]
	if anywhere := m.byPipeline[""]; q.Build.Pipeline != "" && len(anywhere) > 0 {
		list = slices.Concat(list, anywhere)
		slices.SortStableFunc(list, newestFirst)
	}
	first, _ := slices.BinarySearchFunc(list, q.Build.Start, func(b *timeline.Build, start time.Time) int {
		if b.Start.Before(start) {
			return 0
		}
		return -1
	})
	same := func(b *timeline.Build) bool { return Same(b, q.Build) }
	if list = list[first:]; !slices.ContainsFunc(list, same) {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), same)
}

func (m *Memory) sort() {
	m.byPipeline = map[string][]*timeline.Build{}
	for _, b := range m.recordings.builds {
		if b.Outcome == timeline.OK {
			m.byPipeline[b.Pipeline] = append(m.byPipeline[b.Pipeline], b)
		}
	}
	for _, list := range m.byPipeline {
		slices.SortStableFunc(list, newestFirst)
	}
}

func newestFirst(a, b *timeline.Build) int {
	return cmp.Or(b.Start.Compare(a.Start), cmp.Compare(b.ID, a.ID))
}

// A memoryIndex is the Index of one query.
type memoryIndex struct {
	memory     *Memory
	q          Query
	candidates []*timeline.Build
	runs       map[string][]run // where each step was executed, by its key; nil until asked for
}

func (x *memoryIndex) Base(limit int) ([]*timeline.Build, error) {
	return x.newest(limit, x.q.IsBase), nil
}

func (x *memoryIndex) Own(limit int) ([]*timeline.Build, error) {
	own := BranchOf(x.q.Build)
	return x.newest(limit, func(b *timeline.Build) bool { return BranchOf(b) == own }), nil
}

func (x *memoryIndex) Recent(limit int) ([]*timeline.Build, error) {
	return x.candidates[:min(len(x.candidates), limit)], nil
}

func (x *memoryIndex) newest(limit int, is func(*timeline.Build) bool) []*timeline.Build {
	out := make([]*timeline.Build, 0, min(limit, len(x.candidates)))
	for _, b := range x.candidates {
		if len(out) == limit {
			break
		}
		if is(b) {
			out = append(out, b)
		}
	}
	return out
}

func (x *memoryIndex) IsBase(b *timeline.Build) bool { return x.q.IsBase(b) }

func (*memoryIndex) BranchOf(b *timeline.Build) Branch { return BranchOf(b) }

func (*memoryIndex) RunnerOf(b *timeline.Build) string { return b.Runner }

func (*memoryIndex) StartedBefore(b *timeline.Build, t time.Time) bool { return b.Start.Before(t) }

func (*memoryIndex) Read(of []*timeline.Build) ([]timeline.Build, error) {
	if len(of) == 0 {
		return nil, nil
	}
	builds := make([]timeline.Build, len(of))
	for i, b := range of {
		builds[i] = *b
	}
	return builds, nil
}

func (x *memoryIndex) ReadBare(of []*timeline.Build) ([]timeline.Build, error) {
	builds, err := x.Read(of)
	for i := range builds {
		builds[i].Steps = nil
	}
	return builds, err
}

// Samples looks at the steps that are missing alone if the memory is frozen, and at
// all steps of the candidates if not.
func (x *memoryIndex) Samples(of []*timeline.Build, missing map[string]int) (out []Sample, err error) {
	if x.memory.runs == nil {
		for i, b := range of {
			for k := range b.Steps {
				if s := &b.Steps[k]; s.State == timeline.Executed && missing[s.Key] > 0 {
					out = append(out, Sample{i, s, k})
				}
			}
		}
		return out, nil
	}
	indexes := make(map[*timeline.Build]int, len(of)) // from 1
	for i, b := range of {
		indexes[b] = i + 1
	}
	for key, left := range missing {
		runs, last := x.memory.runs[key], 0
		var told timeline.Executions
		from, _ := slices.BinarySearchFunc(runs, of[0], func(r run, b *timeline.Build) int { return newestFirst(r.build, b) })
		for _, r := range runs[from:] {
			i := indexes[r.build]
			if i == 0 {
				continue
			}
			if i != last && !told.Repeat(&r.build.Steps[r.step]) {
				if left == 0 {
					break
				}
				left--
				last = i
			}
			out = append(out, Sample{i - 1, &r.build.Steps[r.step], r.step})
		}
	}
	return out, nil
}

// Durations look at the runs of the step alone if the memory is frozen, and at all steps
// of the candidates if not.
func (x *memoryIndex) Durations(key string, limit int) (out []time.Duration, err error) {
	if len(x.candidates) == 0 {
		return nil, nil
	}
	var found []run
	for _, r := range x.runsOf(key) {
		// All that began together are told apart by their steps.
		if n := len(found); n >= limit && !r.build.Start.Equal(found[n-1].build.Start) {
			break
		}
		if x.isCandidate(r.build) && x.q.IsBase(r.build) {
			found = append(found, r)
		}
	}
	stepOf := func(r run) *timeline.Step { return &r.build.Steps[r.step] }
	slices.SortStableFunc(found, func(a, b run) int {
		return cmp.Or(b.build.Start.Compare(a.build.Start), stepOf(b).Start.Compare(stepOf(a).Start), cmp.Compare(stepOf(b).Duration, stepOf(a).Duration))
	})
	found = slices.CompactFunc(found[:min(len(found), limit)], func(a, b run) bool {
		return !stepOf(a).Start.IsZero() && stepOf(a).Start.Equal(stepOf(b).Start) && stepOf(a).Duration == stepOf(b).Duration
	})
	for _, r := range found {
		out = append(out, stepOf(r).Duration)
	}
	return out, nil
}

// runsOf are where the step was executed in the candidates, and perhaps elsewhere, newest
// first.
func (x *memoryIndex) runsOf(key string) []run {
	if x.memory.runs != nil {
		runs := x.memory.runs[key]
		from, _ := slices.BinarySearchFunc(runs, x.candidates[0], func(r run, b *timeline.Build) int { return newestFirst(r.build, b) })
		return runs[from:]
	}
	if x.runs == nil {
		x.runs = map[string][]run{}
		for _, b := range x.candidates {
			for k := range b.Steps {
				if s := &b.Steps[k]; s.State == timeline.Executed {
					x.runs[s.Key] = append(x.runs[s.Key], run{b, k})
				}
			}
		}
	}
	return x.runs[key]
}

// isCandidate tells whether the build is among the candidates.
func (x *memoryIndex) isCandidate(b *timeline.Build) bool {
	at, found := slices.BinarySearchFunc(x.candidates, b, newestFirst)
	return found && x.candidates[at] == b
}
