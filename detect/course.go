package detect

import (
	"cmp"
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect/dockerfile"
)

// How a pipeline behaved over its builds: the wall clock and each step, its levels, what
// changed them, and what that has cost or saved since. Steps are followed by the same rules
// by which a build is judged, through edits and insertions.

// Courses are those of several pipelines. They are written as JSON, with times in seconds.
type Courses struct {
	SchemaVersion int      `json:"schema_version"`
	Results       []Course `json:"results"`
	Notes         []Note   `json:"notes"`
}

// A Course is the history of one pipeline on one branch.
type Course struct {
	Pipeline   string        `json:"pipeline"`
	Branch     string        `json:"branch"`
	Runner     string        `json:"runner"` // class of the machines that all ran on, "" for any
	Builds     []CourseBuild `json:"builds"` // successful ones, oldest first
	WallClock  Track         `json:"wall_clock"`
	Steps      []StepCourse  `json:"steps"`  // by share, then as the newest build has them
	Advice     []Advice      `json:"advice"` // where it would pay to work, at most three; see Advise
	Thresholds Thresholds    `json:"thresholds"`
	Notes      []Note        `json:"notes"`
}

// A CourseBuild is one build of a course.
type CourseBuild struct {
	ID       string    `json:"id"`
	Revision string    `json:"revision"`
	URL      string    `json:"url"`
	Start    time.Time `json:"start"`
	Duration Seconds   `json:"duration_seconds"`
	Cached   int       `json:"cached"`   // steps
	Executed int       `json:"executed"` // steps, but for waits
}

// A Track is a series of durations with its levels.
type Track struct {
	Points []CoursePoint `json:"points"` // oldest first
	Levels []CourseLevel `json:"levels"` // oldest first; none without points
	Shifts []Shift       `json:"shifts"` // between them
}

// Now is the newest level, zero if there is none.
func (t *Track) Now() Seconds {
	if len(t.Levels) == 0 {
		return 0
	}
	return t.Levels[len(t.Levels)-1].Seconds
}

// A CoursePoint is one duration.
type CoursePoint struct {
	Build   int     `json:"build"` // index in Builds
	Seconds Seconds `json:"seconds"`
}

// A CourseLevel is a stretch of a track without lasting change.
type CourseLevel struct {
	Point   int     `json:"point"`  // index of its oldest point
	Points  int     `json:"points"` // how many it has
	Seconds Seconds `json:"seconds"`
}

// A Shift is a lasting change.
type Shift struct {
	Build  int     `json:"build"` // index in Builds of the first one at the new level
	After  int     `json:"after"` // index of the last one at the level before
	Before Seconds `json:"before_seconds"`
	Now    Seconds `json:"after_seconds"`
	// Builds is how many builds since then count, that one included: those in which a
	// step ran on the critical path, or would have if it had not become faster. Total is
	// what they took longer for it, or shorter where it is below 0.
	Builds int     `json:"builds"`
	Total  Seconds `json:"total_seconds"`
	Was    string  `json:"was,omitempty"` // name of the step before, where it was edited with it
	// Causes say why, as far as that is known, the surest first; see Course.Explain.
	Causes []Explanation `json:"causes,omitempty"`
}

// Delta is by how much the level rose, below 0 if it fell.
func (s *Shift) Delta() Seconds { return s.Now - s.Before }

// A StepCourse is one step over the builds.
type StepCourse struct {
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
	// CachedBuilds are the indices in Builds of those that found it in the cache, oldest first.
	CachedBuilds []int `json:"cached_builds"`
	Track
}

// RecentBuilds is how many of the newest builds tell how things are now.
const RecentBuilds = 50

// wholeShare is by how much less than a step the whole build has to change to be told: what
// most of one step is may be little of all.
const wholeShare = 3

// Follow tells the course of builds that succeeded, of one pipeline, in any order. They are
// not changed.
func Follow(builds []Build, t Thresholds) *Course {
	t = t.orDefaults()
	c := &Course{Builds: []CourseBuild{}, Steps: []StepCourse{}, Advice: []Advice{}, Thresholds: t, Notes: []Note{}}
	newest := slices.Clone(builds)
	slices.SortStableFunc(newest, func(a, b Build) int { return cmp.Or(b.Start.Compare(a.Start), cmp.Compare(b.ID, a.ID)) })
	if len(newest) == 0 {
		return c
	}
	c.Pipeline = newest[0].Pipeline
	last, rest := withoutSalt(&newest[0], &History{Base: newest[1:]})
	newest = append([]Build{*last}, rest.Base...)
	n := len(newest)
	onPath := make([][]Seconds, n) // of each step of each build, its part of the critical path
	inParallel(n, enough, func(i int) { onPath[i] = pathOf(&newest[i]) })

	a := align(newest, nil)
	newer := map[*track]*track{}
	for _, tr := range a.order {
		if tr.older != nil {
			newer[tr.older] = tr
		}
	}
	var order []*follower
	of := map[*track]*follower{}
	recent := min(n, RecentBuilds)
	var recentTotal Seconds
	for i := range newest { // newest first
		b := &newest[i]
		at := n - 1 - i
		if i < recent {
			recentTotal += Seconds(b.Duration)
		}
		for k, tr := range a.base[i].tracks {
			for range len(a.order) {
				if newer[tr] == nil {
					break
				}
				tr = newer[tr]
			}
			f := of[tr]
			s := &b.Steps[k]
			if f == nil {
				f = &follower{last: -1, StepCourse: StepCourse{Key: s.Key, Name: s.Name, Stage: s.Stage, Platform: s.Platform, Source: s.Source, Gone: i >= recent}}
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
	inParallel(len(order), 4, func(i int) { order[i].finish(t) })
	for i := range newest {
		c.addBuild(&newest[n-1-i])
	}
	var values []time.Duration
	for i := range c.Builds {
		if d := c.Builds[i].Duration; d > 0 {
			c.WallClock.Points = append(c.WallClock.Points, CoursePoint{i, d})
			values = append(values, d.D())
		}
	}
	whole := t
	whole.MinSlowdown /= wholeShare
	c.WallClock.level(values, whole, func(after, point int, s *Shift) {
		s.Builds = len(values) - point
		s.Total = s.Delta() * Seconds(s.Builds)
	})
	for _, f := range order {
		if recentTotal > 0 {
			f.Share = float64(f.recentPath) / float64(recentTotal)
		}
		c.Steps = append(c.Steps, f.StepCourse)
	}
	slices.SortStableFunc(c.Steps, func(a, b StepCourse) int { return cmp.Compare(b.Share, a.Share) })
	return c
}

func (c *Course) addBuild(b *Build) {
	out := CourseBuild{ID: b.ID, Revision: b.Revision, URL: b.URL, Start: b.Start, Duration: Seconds(max(b.Duration, 0))}
	for i := range b.Steps {
		switch s := &b.Steps[i]; {
		case s.State == Cached:
			out.Cached++
		case s.State == Executed && !s.isWait():
			out.Executed++
		}
	}
	c.Builds = append(c.Builds, out)
}

// pathOf is what each step of a build adds to its critical path.
func pathOf(b *Build) []Seconds {
	parts := make([]Seconds, len(b.Steps))
	g := newGraph(b)
	for _, p := range g.pathParts(g.criticalPath(), b) {
		if p.Step >= 0 {
			parts[p.Step] += p.Seconds
		}
	}
	return parts
}

// A follower gathers the samples of one step, newest first.
type follower struct {
	StepCourse
	last       int
	told       Executions
	names      []string // of each sample
	critical   []bool   // whether it was on the critical path
	recentPath Seconds
}

func (f *follower) add(s *Step, build int, onPath Seconds, recent bool) {
	if s.State != Executed && s.State != Cached {
		return
	}
	f.Reached++
	if recent {
		f.RecentReached++
		f.recentPath += onPath
	}
	if s.State == Cached {
		f.Cached++
		f.CachedBuilds = append(f.CachedBuilds, build)
		if recent {
			f.RecentCached++
		}
		return
	}
	if f.told.Repeat(s) {
		return
	}
	f.Points = append(f.Points, CoursePoint{build, Seconds(max(s.Duration, 0))})
	f.names, f.critical = append(f.names, s.Name), append(f.critical, onPath > 0)
}

// finish puts the samples in order of time and finds their levels.
func (f *follower) finish(t Thresholds) {
	slices.Reverse(f.Points)
	slices.Reverse(f.CachedBuilds)
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
		s.Builds, s.Total = counted, s.Delta()*Seconds(counted)
	})
}

// shortened is a name without its number in the stage, which others can change.
func shortened(name string) string { return dockerfile.Shown(name) }

// level finds the levels of the points, whose values are given, and tells each shift, with
// the indices of the points around it.
func (t *Track) level(values []time.Duration, limits Thresholds, tell func(after, point int, s *Shift)) {
	t.Levels, t.Shifts = []CourseLevel{}, []Shift{}
	if t.Points == nil {
		t.Points = []CoursePoint{}
	}
	for i, l := range Levels(values, limits) {
		t.Levels = append(t.Levels, CourseLevel{l.First, l.Values, Seconds(l.Median)})
		if i == 0 {
			continue
		}
		s := Shift{Build: t.Points[l.First].Build, After: t.Points[l.First-1].Build, Before: t.Levels[i-1].Seconds, Now: Seconds(l.Median)}
		tell(l.First-1, l.First, &s)
		t.Shifts = append(t.Shifts, s)
	}
}
