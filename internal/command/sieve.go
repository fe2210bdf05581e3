package command

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/builds"
	"github.com/buildregress/buildregress/fetch/source"
	"github.com/buildregress/buildregress/internal/ci"
)

// Of a source that holds more builds than need be in memory, a command needs the newest.

// A sieve says which are kept of such a source: so many of each pipeline, and so many of its
// base branch, of which those may hold few.
type sieve struct {
	newest int
	before time.Time    // what did not begin before it is left out; zero for nothing
	names  *ci.Resolver // tells which the base branch is
}

// isBase tells whether a build, which is not completed yet, is one of the base branch that
// others can be compared with.
func (s *sieve) isBase(b *timeline.Build) bool {
	own := *b
	s.names.Resolve(&own)
	var q fetch.Query
	q.BaseBranch, q.BaseRepository = s.names.Base(&own)
	return own.Outcome == timeline.OK && q.IsBase(&own)
}

// A crowd are the builds of a source that say one pipeline, of which some are left out.
type crowd struct {
	seen, kept int
	all, base  []*sifted
}

// sifted is a build of a crowd.
type sifted struct {
	timeline.Build
	place int // among those of the source
	lists int // of its crowd, that hold it
}

// maxSifted bounds what is kept of all pipelines together, see builds.Entries: about 150 MB.
// Where it is too much, fewer builds of each are kept.
const maxSifted = 400_000

// A sifter keeps what a sieve says, whatever the order of the builds.
type sifter struct {
	sieve
	crowds  map[string]*crowd
	seen    int
	entries int // see builds.Entries
}

// crowdOf is what the builds of a crowd have in common.
func crowdOf(b *timeline.Build) string { return b.Pipeline + "\x00" + b.Image }

// add takes a build, and drops those that are not needed any more.
func (s *sifter) add(b *timeline.Build) {
	if !s.before.IsZero() && !b.Start.Before(s.before) {
		return
	}
	if s.crowds == nil {
		s.crowds = map[string]*crowd{}
	}
	c := s.crowds[crowdOf(b)]
	if c == nil {
		c = &crowd{}
		s.crowds[crowdOf(b)] = c
	}
	s.seen++
	c.seen++
	c.kept++
	s.entries += 1 + builds.Entries(b)
	one := &sifted{*b, s.seen, 1}
	c.all = append(c.all, one)
	if s.isBase(b) {
		one.lists++
		c.base = append(c.base, one)
	}
	const spare = 100 // that are dropped at once
	if len(c.all) >= s.newest+spare || len(c.base) >= s.newest+spare {
		s.shrink(c)
	}
	for s.entries > maxSifted && s.newest > 1 {
		for _, c := range s.crowds {
			s.shrink(c)
		}
		if s.entries > maxSifted {
			s.newest -= (s.newest + 3) / 4
		}
	}
}

// shrink drops the oldest of a crowd.
func (s *sifter) shrink(c *crowd) {
	for _, list := range []*[]*sifted{&c.all, &c.base} {
		slices.SortFunc(*list, newestFirst)
		for _, b := range (*list)[min(len(*list), s.newest):] {
			if b.lists--; b.lists == 0 {
				c.kept--
				s.entries -= 1 + builds.Entries(&b.Build)
			}
		}
		clear((*list)[min(len(*list), s.newest):])
		*list = (*list)[:min(len(*list), s.newest)]
	}
}

// newestFirst compares builds of one source. Those that say no start are taken to be the
// newest, in their order.
func newestFirst(a, b *sifted) int {
	if a.Start.IsZero() != b.Start.IsZero() {
		if a.Start.IsZero() {
			return -1
		}
		return 1
	}
	return cmp.Or(b.Start.Compare(a.Start), cmp.Compare(b.place, a.place))
}

// builds are those that are left, in the order of the source.
func (s *sifter) builds() (list []timeline.Build) {
	var left []*sifted
	for _, c := range s.crowds {
		s.shrink(c)
		left = append(left, c.all...)
		for _, b := range c.base {
			if b.lists == 1 {
				left = append(left, b)
			}
		}
	}
	slices.SortFunc(left, func(a, b *sifted) int { return cmp.Compare(a.place, b.place) })
	for _, b := range left {
		list = append(list, b.Build)
	}
	return list
}

// sift reads the builds of a large source that a sieve keeps.
func sift(ctx context.Context, env *Env, from source.Source, keep sieve) (list []timeline.Build, crowds map[string]*crowd, problems []error, err error) {
	kept := sifter{sieve: keep}
	problems, err = stream(ctx, env, from, "reading builds", func(newest time.Time) {
		keep.names.Observe([]timeline.Build{{Start: newest}})
	}, func(part []timeline.Build) {
		for i := range part {
			kept.add(&part[i])
		}
	})
	return kept.builds(), kept.crowds, problems, err
}

// stream hands over the builds of a large source, part by part, after the time when the
// newest of them began.
func stream(ctx context.Context, env *Env, from source.Source, what string, begin func(newest time.Time), each func([]timeline.Build)) (problems []error, err error) {
	survey, err := from.Large.Look(ctx)
	if err != nil {
		return nil, err
	}
	begin(survey.Newest)
	bar := env.Console.Progress(what, survey.Builds)
	defer bar.Done()
	problem, err := from.Large.Stream(ctx, func(list []timeline.Build) error {
		each(list)
		bar.Add(len(list))
		return nil
	})
	if problem != nil {
		problems = []error{problem}
	}
	return problems, err
}

// latest is the later one of two times.
func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// countAll counts the builds of each pipeline in sources, those that were left out as well,
// once targets are completed.
func countAll(targets []target) map[string]int {
	counts := map[string]int{}
	known := map[*crowd]bool{}
	for i := range targets {
		t := &targets[i]
		counts[t.Pipeline]++
		if t.crowd != nil && !known[t.crowd] {
			known[t.crowd] = true
			counts[t.Pipeline] += t.crowd.seen - t.crowd.kept
		}
	}
	return counts
}
