package fetch

// What a build is judged against, and the only definition of it. The builds of the
// base branch count, newest first: a window of them whole, on the same kind of
// machine alone where enough are. Those before the window, up to SearchFactor
// windows back, lend no more than the steps that ran too seldom within it. Beside
// them stand the newest build of each other branch, and the newest few of its own.

import (
	"cmp"
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/level"
	"github.com/buildregress/buildregress/detect/timeline"
)

// MaxBranch is how many earlier builds of a branch are evidence, beside the one that is
// judged.
const MaxBranch = detect.MaxEvidence - 1

// SearchFactor bounds the search for sparse steps: no more than so many windows
// of builds are looked at, however long the history is.
const SearchFactor = 10

// An Index is how a source finds the candidates of one query without reading them
// all: the successful builds of its pipeline that began before its build, that
// build itself left out. B is a candidate as the index knows it, and L tells its
// Branch from others. Lists are newest first, by start and then by id.
type Index[B any, L comparable] interface {
	// Base, Own and Recent are the newest candidates of the base branch, of the
	// branch of the query's build, and of any; at most limit.
	Base(limit int) ([]B, error)
	Own(limit int) ([]B, error)
	Recent(limit int) ([]B, error)

	IsBase(B) bool // see Query.IsBase
	BranchOf(B) L
	RunnerOf(B) string
	StartedBefore(B, time.Time) bool

	// Read reads candidates whole, ReadBare without their steps.
	Read([]B) ([]timeline.Build, error)
	ReadBare([]B) ([]timeline.Build, error)
	// Samples are executed steps of the candidates, in any order: of each key in
	// missing those in the newest missing[key] candidates that executed it, or more.
	Samples(of []B, missing map[string]int) ([]Sample, error)
	// Durations are what a step took where it was executed in the newest builds of the
	// base branch, on whatever machine, newest first; at most limit. What several builds
	// tell of one execution is one.
	Durations(key string, limit int) ([]time.Duration, error)
}

// A Sample is an execution of a step.
type Sample struct {
	Build int // index of its build among the candidates that were asked for
	Step  *timeline.Step
	Order int // of the step in its build
}

// FindHistory finds in an index what q's build is judged against.
func FindHistory[B any, L comparable](x Index[B, L], q Query) (*detect.History, error) {
	h := &detect.History{BaseBranch: q.BaseBranch}
	base, err := x.Base(q.Window * SearchFactor)
	if err != nil {
		return nil, err
	}
	alike := onSameRunner(x, base, q)
	whole := min(len(alike), q.Window)
	if h.Base, err = x.Read(alike[:whole]); err != nil {
		return nil, err
	}
	if h.Sparse, err = findSparse(x, h.Base, alike[whole:], q); err != nil {
		return nil, err
	}
	if len(base) > q.Window { // else nothing lies before the window
		if h.Tails, err = findTails(x, q); err != nil {
			return nil, err
		}
	}
	h.Branch, h.Other, err = findBeside(x, q)
	return h, err
}

// findTails finds what is remembered of the steps of q's build beyond the window.
func findTails[B any, L comparable](x Index[B, L], q Query) (map[string]level.Tail, error) {
	tails := map[string]level.Tail{}
	for i := range q.Build.Steps {
		key := q.Build.Steps[i].Key
		if _, known := tails[key]; known || key == "" {
			continue
		}
		durations, err := x.Durations(key, q.Window+level.TailReach)
		if err != nil {
			return nil, err
		}
		slices.Reverse(durations)
		tails[key] = level.TailOf(durations, q.Window)
	}
	return tails, nil
}

// onSameRunner returns those of the builds that ran on the kind of machine that q's
// build ran on, if they are enough; else all of them.
func onSameRunner[B any, L comparable](x Index[B, L], builds []B, q Query) []B {
	if q.Build.Runner == "" || q.Enough == 0 {
		return builds
	}
	var same []B
	for _, b := range builds {
		if x.RunnerOf(b) == q.Build.Runner {
			same = append(same, b)
		}
	}
	if len(same) < q.Enough {
		return builds
	}
	return same
}

// findBeside reads the newest builds of the branch of q's build, and the newest one
// of each branch that is neither that nor the base.
func findBeside[B any, L comparable](x Index[B, L], q Query) (own, other []timeline.Build, err error) {
	seen := map[L]bool{}
	if !q.IsBase(q.Build) {
		list, err := x.Own(MaxBranch)
		if err != nil {
			return nil, nil, err
		}
		if own, err = x.Read(list); err != nil {
			return nil, nil, err
		}
		if len(list) > 0 {
			seen[x.BranchOf(list[0])] = true
		}
	}
	recent, err := x.Recent(q.Window * SearchFactor)
	if err != nil {
		return nil, nil, err
	}
	var found []B
	for _, b := range recent {
		if x.IsBase(b) || len(found) == q.Window {
			continue
		}
		if branch := x.BranchOf(b); !seen[branch] {
			seen[branch] = true
			found = append(found, b)
		}
	}
	other, err = x.Read(found)
	return own, other, err
}

// findSparse searches the older builds for steps that the whole ones hold too few
// samples of, and returns what it found: builds with nothing but those steps.
func findSparse[B any, L comparable](x Index[B, L], whole []timeline.Build, older []B, q Query) ([]timeline.Build, error) {
	since := q.Since()
	if end := slices.IndexFunc(older, func(b B) bool { return x.StartedBefore(b, since) }); end >= 0 {
		older = older[:end]
	}
	missing := missingSamples(whole, q)
	if len(older) == 0 || len(missing) == 0 {
		return nil, nil
	}
	samples, err := x.Samples(older, missing)
	if err != nil {
		return nil, err
	}
	var lenders []B
	var lent [][]Sample
	for i, steps := range newestSamples(samples, len(older), missing) {
		if len(steps) > 0 {
			lenders = append(lenders, older[i])
			lent = append(lent, steps)
		}
	}
	builds, err := x.ReadBare(lenders)
	if err != nil {
		return nil, err
	}
	for i := range builds {
		builds[i].Steps = make([]timeline.Step, len(lent[i]))
		for k, s := range lent[i] {
			builds[i].Steps[k] = *s.Step
		}
	}
	return builds, nil
}

// newestSamples keeps of each key the samples in the newest missing[key] of so many
// builds, and returns them by build, in order.
func newestSamples(samples []Sample, builds int, missing map[string]int) [][]Sample {
	type need struct {
		left, last int // last is the build that was counted last, from 1
		told       timeline.Executions
	}
	needs := make(map[string]*need, len(missing))
	for key, n := range missing {
		needs[key] = &need{left: n}
	}
	sizes := make([]int, builds)
	for i := range samples {
		sizes[samples[i].Build]++
	}
	of, room := make([][]Sample, builds), make([]Sample, len(samples))
	for i, size := range sizes {
		of[i], room = room[:0:size], room[size:]
	}
	for _, s := range samples {
		of[s.Build] = append(of[s.Build], s)
	}
	for i, found := range of {
		slices.SortFunc(found, func(a, b Sample) int { return cmp.Compare(a.Order, b.Order) })
		of[i] = slices.DeleteFunc(found, func(s Sample) bool {
			n := needs[s.Step.Key]
			if n == nil {
				return true
			}
			if n.last != i+1 && !n.told.Repeat(s.Step) {
				n.last = i + 1
				n.left--
			}
			return n.left < 0
		})
	}
	return of
}

// missingSamples says for every step of q's build and of the whole builds in how
// many more builds it should be found executed, if any: a window full of them.
func missingSamples(whole []timeline.Build, q Query) map[string]int {
	type need struct {
		left, ranIn int // ranIn is the last build counted, from 1
		told        timeline.Executions
	}
	needs := make(map[string]*need, 2*len(q.Build.Steps))
	of := func(key string) *need {
		n := needs[key]
		if n == nil {
			n = &need{left: q.Window}
			needs[key] = n
		}
		return n
	}
	for i := range q.Build.Steps {
		of(q.Build.Steps[i].Key)
	}
	for i := range whole {
		for k := range whole[i].Steps {
			s := &whole[i].Steps[k]
			if n := of(s.Key); s.State == timeline.Executed && n.ranIn != i+1 && !n.told.Repeat(s) {
				n.ranIn = i + 1
				n.left--
			}
		}
	}
	missing := map[string]int{}
	for key, n := range needs {
		if n.left > 0 {
			missing[key] = n.left
		}
	}
	return missing
}
