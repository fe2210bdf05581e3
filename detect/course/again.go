package course

import (
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

// Advise tells where it would pay to work.
func (c *Course) Advise(read Reader, dismiss []advice.Dismissal) error {
	n := min(len(c.Builds), RecentBuilds)
	if levels := c.WallClock.Levels; len(levels) > 1 { // what was before the last change is past
		n = min(n, len(c.Builds)-c.WallClock.Points[levels[len(levels)-1].Point].Build)
	}
	if n == 0 {
		return nil
	}
	newest, err := read(len(c.Builds)-n, len(c.Builds)-1)
	if err != nil {
		return err
	}
	newest = slices.Clone(newest)
	slices.Reverse(newest)
	c.Advice = advice.OfBuilds(newest, &advice.Terms{MinDelta: c.Thresholds.MinDelta.D(), PerWeek: c.perWeek(), Dismiss: dismiss})
	return nil
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
