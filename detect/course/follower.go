package course

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/advice"
	"github.com/buildregress/buildregress/detect/align"
	"github.com/buildregress/buildregress/detect/parallel"
	"github.com/buildregress/buildregress/detect/timeline"
)

// A history of ten thousand builds is followed as it is read, newest build first: of each
// build a few numbers a step are kept, and the steps themselves only of builds that are the
// first of their shape. Which step is which is known when all builds were seen.

// A Follower tells the course of builds that it is given one after the other.
type Follower struct {
	thresholds detect.Thresholds
	pipeline   string
	alignment  *align.Alignment
	builds     []Build // newest first
	samples    [][]sample
	names      []string // of steps, and at which place each stands
	nameAt     map[string]int32
	// salted are all builds, where stages may hold words of one build alone: these are
	// known when all were seen.
	salted  []timeline.Build
	isFirst bool
}

// A sample is what a step was in one build.
type sample struct {
	took, onPath timeline.Seconds // onPath is its part of the critical path
	execution    timeline.Execution
	name         int32 // in Follower.names
	state        int8
}

// NewFollower returns one that has seen nothing.
func NewFollower(t detect.Thresholds) *Follower {
	return &Follower{thresholds: t.OrDefaults(), alignment: align.New(), nameAt: map[string]int32{}, isFirst: true}
}

// Add takes in builds that succeeded, newest first, all of them older than those before. Where
// there are two at least, the first call has two. They are not changed, and not kept.
func (f *Follower) Add(newest []timeline.Build) {
	if len(newest) == 0 {
		return
	}
	if f.isFirst {
		f.isFirst, f.pipeline = false, newest[0].Pipeline
		if align.MayHaveSalt(newest) {
			f.salted = []timeline.Build{}
		}
	}
	if f.salted != nil {
		f.salted = append(f.salted, newest...)
		return
	}
	f.add(newest)
}

func (f *Follower) add(newest []timeline.Build) {
	onPath := make([][]timeline.Seconds, len(newest))
	parallel.For(len(newest), parallel.Enough, func(i int) { onPath[i] = timeline.OnPath(&newest[i]) })
	for i := range newest {
		b := &newest[i]
		f.alignment.Add(b)
		f.builds = append(f.builds, infoOf(b))
		samples := make([]sample, len(b.Steps))
		for k := range b.Steps {
			s := &b.Steps[k]
			samples[k] = sample{timeline.Seconds(max(s.Duration, 0)), onPath[i][k], timeline.ExecutionOf(s), f.name(s.Name), int8(s.State)}
		}
		f.samples = append(f.samples, samples)
	}
}

func (f *Follower) name(text string) int32 {
	at, ok := f.nameAt[text]
	if !ok {
		at = int32(len(f.names))
		f.names, f.nameAt[text] = append(f.names, text), at
	}
	return at
}

func infoOf(b *timeline.Build) Build {
	out := Build{ID: b.ID, Revision: b.Revision, URL: b.URL, Start: b.Start, Duration: timeline.Seconds(max(b.Duration, 0))}
	for i := range b.Steps {
		switch s := &b.Steps[i]; {
		case s.State == timeline.Cached:
			out.Cached++
		case s.State == timeline.Executed && !s.IsWait():
			out.Executed++
		}
	}
	return out
}

// Course is the course of all builds. Nothing can be added after it.
func (f *Follower) Course() *Course {
	if f.salted != nil {
		f.add(align.WithoutSalt(-1, f.salted)[0])
		f.salted = nil
	}
	t := f.thresholds
	c := &Course{Pipeline: f.pipeline, Builds: []Build{}, Steps: []Step{}, Advice: []advice.Advice{}, Thresholds: t, Notes: []detect.Note{}}
	n := len(f.builds)
	if n == 0 {
		return c
	}
	f.alignment.Finish(nil)
	c.Builds = f.builds
	slices.Reverse(c.Builds)
	steps, recentTotal := f.gather(c.Builds)
	f.samples = nil
	parallel.For(len(steps), 4, func(i int) { steps[i].finish(f.names, t) })
	var values []time.Duration
	for i := range c.Builds {
		if d := c.Builds[i].Duration; d > 0 {
			c.WallClock.Points = append(c.WallClock.Points, Point{i, d})
			values = append(values, d.D())
		}
	}
	whole := t
	whole.MinSlowdown /= wholeShare
	c.WallClock.level(values, whole, func(after, point int, s *Shift) {
		s.Builds = len(values) - point
		s.Total = times(s.Delta(), s.Builds)
	})
	for _, s := range steps {
		if recentTotal > 0 {
			s.Share = float64(s.recentPath) / float64(recentTotal)
		}
		c.Steps = append(c.Steps, s.Step)
	}
	slices.SortStableFunc(c.Steps, func(a, b Step) int { return cmp.Compare(b.Share, a.Share) })
	return c
}

// gather lays the samples of each step beside each other, and sums how long the newest builds
// took.
func (f *Follower) gather(oldest []Build) (steps []*followed, recentTotal timeline.Seconds) {
	n := len(oldest)
	of := map[*align.Track]*followed{}
	recent := min(n, RecentBuilds)
	for i := range n { // newest first
		at := n - 1 - i
		if i < recent {
			recentTotal += oldest[at].Duration
		}
		shape := f.alignment.Base[i]
		for k, track := range shape.Tracks {
			track = f.alignment.Latest(track)
			step := of[track]
			if step == nil {
				s := shape.Step(k)
				step = &followed{last: -1, Step: Step{Key: s.Key, Name: f.names[f.samples[i][k].name], Stage: s.Stage, Platform: s.Platform, Source: s.Source, Gone: i >= recent}}
				of[track] = step
				steps = append(steps, step)
			}
			if step.last == i {
				continue // a second one of the same, which nothing tells apart
			}
			step.last = i
			step.add(&f.samples[i][k], at, i < recent)
		}
	}
	return steps, recentTotal
}

// A followed gathers the samples of one step, newest first.
type followed struct {
	Step
	last       int
	told       timeline.Executions
	names      []int32 // of each sample
	critical   []bool  // whether it was on the critical path
	recentPath timeline.Seconds
}

func (f *followed) add(s *sample, build int, recent bool) {
	state := timeline.State(s.state)
	if state != timeline.Executed && state != timeline.Cached {
		return
	}
	f.Reached++
	if recent {
		f.RecentReached++
		f.recentPath += s.onPath
	}
	if state == timeline.Cached {
		f.Cached++
		f.CachedBuilds = append(f.CachedBuilds, build)
		if recent {
			f.RecentCached++
		}
		return
	}
	if f.told.Repeats(s.execution) {
		return
	}
	f.Points = append(f.Points, Point{build, s.took})
	f.names, f.critical = append(f.names, s.name), append(f.critical, s.onPath > 0)
}

// finish puts the samples in order of time and finds their levels.
func (f *followed) finish(names []string, t detect.Thresholds) {
	slices.Reverse(f.Points)
	slices.Reverse(f.CachedBuilds)
	slices.Reverse(f.names)
	slices.Reverse(f.critical)
	values := make([]time.Duration, len(f.Points))
	for i, p := range f.Points {
		values[i] = p.Seconds.D()
	}
	f.level(values, t, func(after, point int, s *Shift) {
		if before := names[f.names[after]]; shortened(before) != shortened(names[f.names[point]]) {
			s.Was = before
		}
		counted, before := 0, 0
		for i, is := range f.critical {
			switch {
			case is && i >= point:
				counted++
			case is:
				before++
			}
		}
		if s.Delta() < 0 { // it may have left the critical path by becoming faster
			counted = max(counted, (len(values)-point)*before/max(point, 1))
		}
		s.Builds, s.Total = counted, times(s.Delta(), counted)
	})
}

// times is n times d, or the longest time that there is.
func times(d timeline.Seconds, n int) timeline.Seconds {
	const most = math.MaxInt64 / 2
	return timeline.Seconds(max(min(float64(d)*float64(n), most), -most))
}
