package course

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/advice"
	"github.com/buildregress/buildregress/detect/timeline"
)

// Where it would pay to work, and why levels changed, is told by a few whole builds of a course
// that was followed: they are read again.

// A Reader reads whole builds of a course again: those of Course.Builds from first to last, oldest
// first.
type Reader func(first, last int) ([]timeline.Build, error)

// Again is the Reader of builds that Follow told the course of.
func Again(builds []timeline.Build) Reader {
	oldest := slices.Clone(builds)
	slices.SortStableFunc(oldest, newerFirst)
	slices.Reverse(oldest)
	return func(first, last int) ([]timeline.Build, error) { return oldest[first : last+1], nil }
}

// newest are the builds from first to last, newest first.
func (r Reader) newest(first, last int) ([]timeline.Build, error) {
	oldest, err := r(first, last)
	list := slices.Clone(oldest)
	slices.Reverse(list)
	return list, err
}

// Advising says what else there is to know of where it would pay to work.
type Advising struct {
	Dismiss []advice.Dismissal
	// Others reads the builds of the pipeline on other branches that began from then until then.
	// It may be nil: then there are none. They are not known where they are too many.
	Others func(from, to time.Time) (builds []timeline.Build, known bool, err error)
	// Changed tells which files the build made from them changed, as of Explain. It may be nil.
	Changed func(*timeline.Build) detect.Changed
}

// Advise tells where it would pay to work; and of what became faster, what the builds before
// had promised.
func (c *Course) Advise(read Reader, o *Advising) error {
	n := min(len(c.Builds), RecentBuilds)
	if levels := c.WallClock.Levels; len(levels) > 1 { // what was before the last change is past
		n = min(n, len(c.Builds)-c.WallClock.Points[levels[len(levels)-1].Point].Build)
	}
	if n == 0 {
		return nil
	}
	newest, err := read.newest(len(c.Builds)-n, len(c.Builds)-1)
	if err != nil {
		return err
	}
	var failed error
	terms := advice.Terms{MinDelta: c.Thresholds.MinDelta.D(), PerWeek: c.perWeek(), Dismiss: o.Dismiss}
	if o.Others != nil {
		terms.Others = func(from, to time.Time) ([]timeline.Build, bool) {
			others, known, err := o.Others(from, to)
			failed = errors.Join(failed, err)
			return others, known && err == nil
		}
	}
	if o.Changed != nil {
		terms.Changed = func(before, after *timeline.Build) ([]string, bool) {
			if detect.IsDirty(before) || detect.IsDirty(after) {
				return nil, false
			}
			return detect.ChangedBetween(before, after, o.Changed(after))
		}
	}
	c.Advice = advice.OfBuilds(newest, &terms)
	return errors.Join(c.promise(read, &terms), failed)
}

// mostPromises is how often it is looked at what had been promised: the newest changes.
const mostPromises = 5

// promise fills in what had been promised where something became faster.
func (c *Course) promise(read Reader, terms *advice.Terms) error {
	type change struct{ after, build int } // as of a Shift
	changes := map[change][]*Shift{}
	of := map[*Shift]*Step{}
	gather := func(t *Track, step *Step) {
		for i := range t.Shifts {
			if s := &t.Shifts[i]; s.Delta() < 0 {
				changes[change{s.After, s.Build}], of[s] = append(changes[change{s.After, s.Build}], s), step
			}
		}
	}
	gather(&c.WallClock, nil)
	for i := range c.Steps {
		gather(&c.Steps[i].Track, &c.Steps[i])
	}
	newest := slices.SortedFunc(maps.Keys(changes), func(a, b change) int { return cmp.Or(cmp.Compare(b.build, a.build), cmp.Compare(b.after, a.after)) })
	for _, at := range newest[:min(len(newest), mostPromises)] {
		from, to := c.levelsAround(at.after, at.build)
		if at.after >= at.build {
			continue
		}
		before, err := read.newest(from, at.after)
		if err != nil {
			return err
		}
		after, err := read.newest(at.build, to-1)
		if err != nil {
			return err
		}
		promised, followed := advice.Kept(after, before, terms)
		for _, s := range changes[at] {
			if step := of[s]; step == nil {
				s.Promised = promised
			} else if i := slices.IndexFunc(followed, func(x advice.Advice) bool { return slices.Contains(x.Steps, step.Key) }); i >= 0 {
				s.Promised = followed[i].Saves
			}
		}
	}
	return nil
}

// levelsAround are the builds of the whole build's levels around a change between two builds: the
// first one before it, and the one behind the last one after it, of no more than Advise takes.
func (c *Course) levelsAround(after, build int) (from, to int) {
	from, to = 0, len(c.Builds)
	for i := range c.WallClock.Shifts {
		s := &c.WallClock.Shifts[i]
		if s.Build <= after {
			from = max(from, s.Build)
		}
		if s.Build > build {
			to = min(to, s.Build)
		}
	}
	return max(from, after+1-RecentBuilds), min(to, build+RecentBuilds)
}

// perWeek is how many builds a week has lately, 0 if that is not known.
func (c *Course) perWeek() float64 {
	const week, weeks = 7 * 24 * time.Hour, 4
	if len(c.Builds) == 0 {
		return 0
	}
	last := c.Builds[len(c.Builds)-1].Start
	span := min(last.Sub(c.Builds[0].Start), weeks*week)
	if span < week || c.Builds[0].Start.IsZero() {
		return 0
	}
	n := 0
	for i := range c.Builds {
		if last.Sub(c.Builds[i].Start) < span {
			n++
		}
	}
	return float64(n) / (float64(span) / float64(week))
}

// Explain fills in the causes of the shifts of the steps. changed tells which files the build
// made from them changed; it is asked for a few pairs of revisions, and may be nil.
func (c *Course) Explain(read Reader, changed func(*timeline.Build) detect.Changed) error {
	for i := range c.Steps {
		for k := range c.Steps[i].Shifts {
			s := &c.Steps[i].Shifts[k]
			if s.After >= s.Build {
				continue
			}
			older, err := read(max(0, s.After-detect.MaxLookedBack+1), s.After)
			if err != nil {
				return err
			}
			now, err := read(s.Build, s.Build)
			if err != nil {
				return err
			}
			s.Causes = detect.ExplainShift(append(slices.Clone(older), now...), c.Steps[i].Key, s.Was, s.Delta(), changed)
		}
	}
	return nil
}
