// Package course tells how a pipeline behaved over its builds: the wall clock and each step, its
// levels, what changed them, and what that has cost or saved since. Steps are followed by the
// same rules by which a build is judged, through edits and insertions.
package course

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/advice"
	"github.com/buildregress/buildregress/detect/align"
	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/level"
	"github.com/buildregress/buildregress/detect/parallel"
	"github.com/buildregress/buildregress/detect/timeline"
)

// A Report is the courses of several pipelines. It is written as JSON, with times in seconds.
type Report struct {
	SchemaVersion int           `json:"schema_version"`
	Results       []Course      `json:"results"`
	Notes         []detect.Note `json:"notes"`
}

// A Course is the history of one pipeline on one branch.
type Course struct {
	Pipeline   string            `json:"pipeline"`
	Branch     string            `json:"branch"`
	Runner     string            `json:"runner"` // class of the machines that all ran on, "" for any
	Builds     []Build           `json:"builds"` // successful ones, oldest first
	WallClock  Track             `json:"wall_clock"`
	Steps      []Step            `json:"steps"`  // by share, then as the newest build has them
	Advice     []advice.Advice   `json:"advice"` // where it would pay to work, at most three; see Advise
	Thresholds detect.Thresholds `json:"thresholds"`
	Notes      []detect.Note     `json:"notes"`
}

// A Build is one build of a course.
type Build struct {
	ID       string           `json:"id"`
	Revision string           `json:"revision"`
	URL      string           `json:"url"`
	Start    time.Time        `json:"start"`
	Duration timeline.Seconds `json:"duration_seconds"`
	Cached   int              `json:"cached"`   // steps
	Executed int              `json:"executed"` // steps, but for waits
}

// A Track is a series of durations with its levels.
type Track struct {
	Points []Point `json:"points"` // oldest first
	Levels []Level `json:"levels"` // oldest first; none without points
	Shifts []Shift `json:"shifts"` // between them
}

// Now is the newest level, zero if there is none.
func (t *Track) Now() timeline.Seconds {
	if len(t.Levels) == 0 {
		return 0
	}
	return t.Levels[len(t.Levels)-1].Seconds
}

// A Point is one duration.
type Point struct {
	Build   int              `json:"build"` // index in Builds
	Seconds timeline.Seconds `json:"seconds"`
}

// A Level is a stretch of a track without lasting change.
type Level struct {
	Point   int              `json:"point"`  // index of its oldest point
	Points  int              `json:"points"` // how many it has
	Seconds timeline.Seconds `json:"seconds"`
}

// A Shift is a lasting change.
type Shift struct {
	Build  int              `json:"build"` // index in Builds of the first one at the new level
	After  int              `json:"after"` // index of the last one at the level before
	Before timeline.Seconds `json:"before_seconds"`
	Now    timeline.Seconds `json:"after_seconds"`
	// Builds is how many builds since then count, that one included: those in which a
	// step ran on the critical path, or would have if it had not become faster. Total is
	// what they took longer for it, or shorter where it is below 0.
	Builds int              `json:"builds"`
	Total  timeline.Seconds `json:"total_seconds"`
	Was    string           `json:"was,omitempty"` // name of the step before, where it was edited with it
	// Promised is what the advice that was followed here had said a build would be shorter,
	// 0 where there was none. See Advise.
	Promised timeline.Seconds `json:"promised_seconds,omitempty"`
	// Causes say why, as far as that is known, the surest first; see Course.Explain.
	Causes []detect.Explanation `json:"causes,omitempty"`
}

// Delta is by how much the level rose, below 0 if it fell.
func (s *Shift) Delta() timeline.Seconds { return s.Now - s.Before }

// A Step is one step over the builds.
type Step struct {
	Key      string              `json:"key"` // as the newest build that has it calls it
	Name     string              `json:"name"`
	Stage    string              `json:"stage"`
	Platform string              `json:"platform"`
	Source   dockerfile.Position `json:"source"`
	Gone     bool                `json:"gone"`  // none of the newest builds has it
	Share    float64             `json:"share"` // of the wall clock of the newest builds, on their critical path
	// Cached counts the builds that found it in the cache, of so many that Reached it.
	// Recent ones are of the newest builds.
	Cached        int `json:"cached"`
	Reached       int `json:"reached"`
	RecentCached  int `json:"recent_cached"`
	RecentReached int `json:"recent_reached"`
	Track
}

// RecentBuilds is how many of the newest builds tell how things are now.
const RecentBuilds = 50

// wholeShare is by how much less than a step the whole build has to change to be told: what
// most of one step is may be little of all.
const wholeShare = 3

// Follow tells the course of builds that succeeded, of one pipeline, in any order. They are
// not changed.
func Follow(builds []timeline.Build, t detect.Thresholds) *Course {
	t = t.OrDefaults()
	c := &Course{Builds: []Build{}, Steps: []Step{}, Advice: []advice.Advice{}, Thresholds: t, Notes: []detect.Note{}}
	newest := slices.Clone(builds)
	slices.SortStableFunc(newest, newerFirst)
	if len(newest) == 0 {
		return c
	}
	c.Pipeline = newest[0].Pipeline
	newest = align.WithoutSalt(-1, newest)[0]
	n := len(newest)
	onPath := make([][]timeline.Seconds, n) // of each step of each build, its part of the critical path
	parallel.For(n, parallel.Enough, func(i int) { onPath[i] = timeline.OnPath(&newest[i]) })

	a := align.Align(newest, nil)
	var order []*follower
	of := map[*align.Track]*follower{}
	recent := min(n, RecentBuilds)
	var recentTotal timeline.Seconds
	for i := range newest { // newest first
		b := &newest[i]
		at := n - 1 - i
		if i < recent {
			recentTotal += timeline.Seconds(b.Duration)
		}
		for k, tr := range a.Base[i].Tracks {
			tr = a.Latest(tr)
			f := of[tr]
			s := &b.Steps[k]
			if f == nil {
				f = &follower{last: -1, Step: Step{Key: s.Key, Name: s.Name, Stage: s.Stage, Platform: s.Platform, Source: s.Source, Gone: i >= recent}}
				of[tr] = f
				order = append(order, f)
			}
			if f.last == i {
				continue // a second one of the same, which nothing tells apart
			}
			f.last = i
			f.add(s, at, onPath[i][k], i < recent)
		}
	}
	parallel.For(len(order), 4, func(i int) { order[i].finish(t) })
	for i := range newest {
		c.addBuild(&newest[n-1-i])
	}
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
		s.Total = s.Delta() * timeline.Seconds(s.Builds)
	})
	for _, f := range order {
		if recentTotal > 0 {
			f.Share = float64(f.recentPath) / float64(recentTotal)
		}
		c.Steps = append(c.Steps, f.Step)
	}
	slices.SortStableFunc(c.Steps, func(a, b Step) int { return cmp.Compare(b.Share, a.Share) })
	return c
}

func newerFirst(a, b timeline.Build) int {
	return cmp.Or(b.Start.Compare(a.Start), cmp.Compare(b.ID, a.ID))
}

func (c *Course) addBuild(b *timeline.Build) {
	out := Build{ID: b.ID, Revision: b.Revision, URL: b.URL, Start: b.Start, Duration: timeline.Seconds(max(b.Duration, 0))}
	for i := range b.Steps {
		switch s := &b.Steps[i]; {
		case s.State == timeline.Cached:
			out.Cached++
		case s.State == timeline.Executed && !s.IsWait():
			out.Executed++
		}
	}
	c.Builds = append(c.Builds, out)
}

// A follower gathers the samples of one step, newest first.
type follower struct {
	Step
	last       int
	told       timeline.Executions
	names      []string // of each sample
	critical   []bool   // whether it was on the critical path
	recentPath timeline.Seconds
}

func (f *follower) add(s *timeline.Step, build int, onPath timeline.Seconds, recent bool) {
	if s.State != timeline.Executed && s.State != timeline.Cached {
		return
	}
	f.Reached++
	if recent {
		f.RecentReached++
		f.recentPath += onPath
	}
	if s.State == timeline.Cached {
		f.Cached++
		if recent {
			f.RecentCached++
		}
		return
	}
	if f.told.Repeat(s) {
		return
	}
	f.Points = append(f.Points, Point{build, timeline.Seconds(max(s.Duration, 0))})
	f.names, f.critical = append(f.names, s.Name), append(f.critical, onPath > 0)
}

// finish puts the samples in order of time and finds their levels.
func (f *follower) finish(t detect.Thresholds) {
	slices.Reverse(f.Points)
	slices.Reverse(f.names)
	slices.Reverse(f.critical)
	values := make([]time.Duration, len(f.Points))
	for i, p := range f.Points {
		values[i] = p.Seconds.D()
	}
	f.level(values, t, func(after, point int, s *Shift) {
		if shortened(f.names[after]) != shortened(f.names[point]) {
			s.Was = f.names[after]
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
		s.Builds, s.Total = counted, s.Delta()*timeline.Seconds(counted)
	})
}

// shortened is a name without its number in the stage, which others can change.
func shortened(name string) string { return dockerfile.Shown(name) }

// level finds the levels of the points, whose values are given, and tells each shift, with
// the indices of the points around it.
func (t *Track) level(values []time.Duration, limits detect.Thresholds, tell func(after, point int, s *Shift)) {
	t.Levels, t.Shifts = []Level{}, []Shift{}
	if t.Points == nil {
		t.Points = []Point{}
	}
	for i, l := range level.Levels(values, limits.MinSlowdown, limits.MinDelta.D()) {
		t.Levels = append(t.Levels, Level{l.First, l.Values, timeline.Seconds(l.Median)})
		if i == 0 {
			continue
		}
		s := Shift{Build: t.Points[l.First].Build, After: t.Points[l.First-1].Build, Before: t.Levels[i-1].Seconds, Now: timeline.Seconds(l.Median)}
		tell(l.First-1, l.First, &s)
		t.Shifts = append(t.Shifts, s)
	}
}

// Advising says what else there is to know of where it would pay to work.
type Advising struct {
	Dismiss []advice.Dismissal
	Others  []timeline.Build // of the pipeline on other branches
	// Changed tells which files the build made from them changed, as of Explain. It may be nil.
	Changed func(*timeline.Build) detect.Changed
}

// Advise tells where it would pay to work, from the builds that Follow told the course of; and
// of what became faster, what the builds before had promised.
func (c *Course) Advise(builds []timeline.Build, o *Advising) {
	newest := slices.Clone(builds)
	slices.SortStableFunc(newest, newerFirst)
	n := min(len(newest), RecentBuilds)
	if levels := c.WallClock.Levels; len(levels) > 1 { // what was before the last change is past
		n = min(n, len(newest)-c.WallClock.Points[levels[len(levels)-1].Point].Build)
	}
	terms := advice.Terms{MinDelta: c.Thresholds.MinDelta.D(), PerWeek: c.perWeek(), Dismiss: o.Dismiss, Others: o.Others}
	if o.Changed != nil {
		terms.Changed = func(before, after *timeline.Build) ([]string, bool) {
			if detect.IsDirty(before) || detect.IsDirty(after) {
				return nil, false
			}
			return detect.ChangedBetween(before, after, o.Changed(after))
		}
	}
	c.Advice = advice.OfBuilds(newest[:n], &terms)
	c.promise(newest, &terms)
}

// mostPromises is how often it is looked at what had been promised: the newest changes.
const mostPromises = 5

// promise fills in what had been promised where something became faster. builds are newest
// first.
func (c *Course) promise(builds []timeline.Build, terms *advice.Terms) {
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
		n := len(builds)
		promised, followed := advice.Kept(builds[n-to:n-at.build], builds[n-1-at.after:n-from], terms)
		for _, s := range changes[at] {
			if step := of[s]; step == nil {
				s.Promised = promised
			} else if i := slices.IndexFunc(followed, func(x advice.Advice) bool { return slices.Contains(x.Steps, step.Key) }); i >= 0 {
				s.Promised = followed[i].Saves
			}
		}
	}
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

// Explain fills in the causes of the shifts of the steps of a course, which Follow made of
// these builds. changed tells which files the build made from them changed; it is asked for a
// few pairs of revisions, and may be nil.
func (c *Course) Explain(builds []timeline.Build, changed func(*timeline.Build) detect.Changed) {
	oldest := slices.Clone(builds)
	slices.SortStableFunc(oldest, func(a, b timeline.Build) int { return a.Start.Compare(b.Start) })
	at := make(map[string]int, len(oldest))
	for i := range oldest {
		at[oldest[i].ID] = i
	}
	for i := range c.Steps {
		for k := range c.Steps[i].Shifts {
			s := &c.Steps[i].Shifts[k]
			bad, ok := at[c.Builds[s.Build].ID]
			good, known := at[c.Builds[s.After].ID]
			if ok && known && good < bad {
				s.Causes = detect.ExplainShift(oldest, good, bad, c.Steps[i].Key, s.Was, s.Delta(), changed)
			}
		}
	}
}
