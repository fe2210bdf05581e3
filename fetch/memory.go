package fetch

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect"
)

// A Memory is a history of builds that are in memory. Its zero value is empty.
// A build that says no pipeline is history for any.
type Memory struct {
	recordings recordings
	// of holds by pipeline the builds that can be history, newest first; nothing
	// where it has to be made again.
	of map[string][]*detect.Build
	// runs holds where each step ran, by its key and newest first, if Settle was
	// called since the last build came.
	runs map[string][]run
}

// A run is an execution of a step.
type run struct {
	build *detect.Build
	place int // of the step in it
}

// Freeze readies the history for many questions. After it several goroutines may
// ask, until another build is added.
func (m *Memory) Freeze() {
	if m.of == nil {
		m.sort()
	}
	m.runs = map[string][]run{}
	for _, list := range m.of { // each newest first, but not all of them together
		for _, b := range list {
			for i := range b.Steps {
				if s := &b.Steps[i]; s.State == detect.Executed {
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
func (m *Memory) Add(b detect.Build) {
	m.runs = nil
	at, isNew := m.recordings.find(&b)
	if !isNew {
		m.recordings.merge(at, &b)
		m.of = nil // start, outcome and pipeline may be others now
		return
	}
	if m.of != nil && b.Outcome == detect.OK {
		list := m.of[b.Pipeline]
		place, _ := slices.BinarySearchFunc(list, &b, newestFirst)
		m.of[b.Pipeline] = slices.Insert(list, place, m.recordings.builds[at])
	}
}

// History finds what q's build is judged against. It never fails.
func (m *Memory) History(_ context.Context, q Query) (*detect.History, error) {
	return m.find(q), nil
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

func (m *Memory) find(q Query) *detect.History {
	before := m.before(q)
	h := &detect.History{BaseBranch: q.BaseBranch}

	var base []*detect.Build
	for _, b := range before {
		if len(base) == q.Window*SearchFactor {
			break
		}
		if q.IsBase(b) {
			base = append(base, b)
		}
	}
	base = OnSameRunner(&q, base, func(b *detect.Build) string { return b.Runner })
	whole := base[:min(len(base), q.Window)]
	for _, b := range whole {
		h.Base = append(h.Base, *b)
	}
	if m.runs == nil {
		h.Sparse = rare(h.Base, base[len(whole):], q)
	} else {
		h.Sparse = m.rare(h.Base, base[len(whole):], q)
	}

	own := BranchOf(q.Build)
	seen := map[Branch]bool{own: true}
	for _, b := range before[:min(len(before), q.Window*SearchFactor)] {
		if line := BranchOf(b); !q.IsBase(b) && !seen[line] && len(h.Other) < q.Window {
			seen[line] = true
			h.Other = append(h.Other, *b)
		}
	}
	if q.IsBase(q.Build) {
		return h
	}
	for _, b := range before {
		if len(h.Branch) == MaxBranch {
			break
		}
		if BranchOf(b) == own {
			h.Branch = append(h.Branch, *b)
		}
	}
	return h
}

// before are the builds that can be history for q, newest first.
func (m *Memory) before(q Query) []*detect.Build {
	if m.of == nil {
		m.sort()
	}
	candidates := m.of[q.Build.Pipeline]
	if anywhere := m.of[""]; q.Build.Pipeline != "" && len(anywhere) > 0 {
		candidates = slices.Concat(candidates, anywhere)
		slices.SortStableFunc(candidates, newestFirst)
	}
	first, _ := slices.BinarySearchFunc(candidates, q.Build.Start, func(b *detect.Build, start time.Time) int {
		if b.Start.Before(start) {
			return 0
		}
		return -1
	})
	same := func(b *detect.Build) bool { return Same(b, q.Build) }
	if candidates = candidates[first:]; !slices.ContainsFunc(candidates, same) {
		return candidates
	}
	return slices.DeleteFunc(slices.Clone(candidates), same)
}

func (m *Memory) sort() {
	m.of = map[string][]*detect.Build{}
	for _, b := range m.recordings.builds {
		if b.Outcome == detect.OK {
			m.of[b.Pipeline] = append(m.of[b.Pipeline], b)
		}
	}
	for _, list := range m.of {
		slices.SortStableFunc(list, newestFirst)
	}
}

func newestFirst(a, b *detect.Build) int {
	return cmp.Or(b.Start.Compare(a.Start), cmp.Compare(b.ID, a.ID))
}

// rare finds what the function rare does, and looks at no steps but those.
func (m *Memory) rare(whole []detect.Build, older []*detect.Build, q Query) (out []detect.Build) {
	if len(older) == 0 {
		return nil
	}
	ranks := make(map[*detect.Build]int, len(older)) // from 1
	for i, b := range older {
		if b.Start.Before(q.Since()) {
			break
		}
		ranks[b] = i + 1
	}
	places := make([][]int, len(older)) // of the steps that are kept of each
	for key, left := range MissingSamples(whole, q) {
		runs, last := m.runs[key], 0
		from, _ := slices.BinarySearchFunc(runs, older[0], func(r run, b *detect.Build) int { return newestFirst(r.build, b) })
		for _, r := range runs[from:] {
			rank := ranks[r.build]
			if rank == 0 {
				continue
			}
			if rank != last {
				if left == 0 {
					break
				}
				left--
				last = rank
			}
			places[rank-1] = append(places[rank-1], r.place)
		}
	}
	for i, kept := range places {
		if len(kept) == 0 {
			continue
		}
		slices.Sort(kept)
		thin := *older[i]
		thin.Steps = make([]detect.Step, len(kept))
		for k, place := range kept {
			thin.Steps[k] = older[i].Steps[place]
		}
		out = append(out, thin)
	}
	return out
}
