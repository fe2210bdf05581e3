package command

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/backtest"
	"github.com/buildregress/buildregress/detect/timeline"
)

const (
	// maxCases is how many steps are slowed down; of more, so many are drawn. Shares
	// are then known to 3 percentage points (95 %).
	maxCases = 1000
	caseSeed = 1
	// maxLooks is how many builds of a branch a slowdown is looked for in.
	maxLooks = 3
	// searchedLooks is how many builds are searched for those in which the step ran.
	searchedLooks = 10
	// injectedBranch is no branch of anybody's: git allows no space in a name.
	injectedBranch = "slowed down"
)

// A slowCase is a step of a build that is slowed down.
type slowCase struct {
	at    int // of the build
	place int // of the step in it
}

// inject slows steps of the base branch's builds down, one in each case, and tells
// how often that is found. replays are those of all builds of the pipeline.
func (r *replayer) inject(ctx context.Context, pipeline string, replays []backtest.Replay) (*backtest.Injection, error) {
	builds := r.of[pipeline]
	cases, base := r.slowCases(builds, replays)
	out := &backtest.Injection{Factor: r.options.Inject, Possible: len(cases)}
	if len(cases) > r.maxCases {
		out.Seed = caseSeed
		rng := rand.New(rand.NewPCG(caseSeed, 0))
		rng.Shuffle(len(cases), func(i, j int) { cases[i], cases[j] = cases[j], cases[i] })
		cases = cases[:r.maxCases]
		slices.SortFunc(cases, func(a, b slowCase) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.place, b.place)) })
	}
	out.Cases = len(cases)
	looks := make([][maxLooks]backtest.Look, len(cases))
	bar := r.env.Console.Progress("slowing down steps of "+pipeline, len(cases))
	err := inParallel(ctx, len(cases), func(i int) error {
		defer bar.Add(1)
		return r.look(ctx, builds, base, cases[i], &looks[i])
	})
	bar.Done()
	if err != nil {
		return nil, err
	}
	out.Looks = make([]backtest.Look, maxLooks)
	for k := range out.Looks {
		out.Looks[k].Builds = k + 1
		for i := range looks {
			out.Looks[k].Merge(&looks[i][k])
		}
	}
	return out, nil
}

// slowCases are the steps of base builds that were checked and may be slowed down by
// enough to be told, and the places of all base builds that succeeded.
func (r *replayer) slowCases(builds []timeline.Build, replays []backtest.Replay) (cases []slowCase, base []int) {
	for i := range builds {
		q := r.query(&builds[i])
		if builds[i].Outcome != timeline.OK || !q.IsBase(&builds[i]) {
			continue
		}
		base = append(base, i)
		for k := range replays[i].Checks {
			if c := &replays[i].Checks[k]; c.Injectable(r.options.Inject) {
				cases = append(cases, slowCase{i, c.Index})
			}
		}
	}
	return cases, base
}

// look judges the build of a case, and the next base builds in which the step ran, as
// the first builds of a branch that began before them.
func (r *replayer) look(ctx context.Context, builds []timeline.Build, base []int, c slowCase, looks *[maxLooks]backtest.Look) error {
	first, _ := slices.BinarySearch(base, c.at)
	key, rank := builds[c.at].Steps[c.place].Key, rankOf(&builds[c.at], c.place)
	var branch []timeline.Build // newest first
	for n := 0; n < searchedLooks && first+n < len(base) && len(branch) < maxLooks; n++ {
		b := &builds[base[first+n]]
		place := placeOf(b, key, rank)
		if place < 0 {
			continue
		}
		slowed := backtest.SlowDown(b, place, r.options.Inject)
		slowed.Branch = injectedBranch
		// What the builds of the branch are compared with was there before the first.
		asked := slowed
		asked.Start = builds[c.at].Start
		q := r.query(b)
		q.Build = &asked
		h, err := r.memory.History(ctx, q)
		if err != nil {
			return err
		}
		h.Branch = branch
		result := detect.Judge(&slowed, h, r.options.Policy)
		looks[len(branch)].Add(&result, place)
		branch = slices.Insert(slices.Clone(branch), 0, slowed)
	}
	return nil
}

// rankOf tells which of the steps with its key a step is.
func rankOf(b *timeline.Build, place int) (rank int) {
	for i := range b.Steps[:place] {
		if b.Steps[i].Key == b.Steps[place].Key {
			rank++
		}
	}
	return rank
}

// placeOf is the place of the step with a key and a rank, if it ran; else -1.
func placeOf(b *timeline.Build, key string, rank int) int {
	for i := range b.Steps {
		if b.Steps[i].Key != key {
			continue
		}
		if rank == 0 {
			if b.Steps[i].State == timeline.Executed {
				return i
			}
			return -1
		}
		rank--
	}
	return -1
}
