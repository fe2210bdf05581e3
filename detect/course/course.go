// Package course tells how a pipeline behaved over its builds: the wall clock and each step, its
// levels, what changed them, and what that has cost or saved since. Steps are followed by the
// same rules by which a build is judged, through edits and insertions.
package course

import (
	"cmp"
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/advice"
	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/level"
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
func Follow(builds []timeline.Build, t detect.Thresholds) *Course {
	newest := slices.Clone(builds)
	slices.SortStableFunc(newest, newerFirst)
	f := NewFollower(t)
	f.Add(newest)
	return f.Course()
}

// newerFirst is the order of builds, newest first.
func newerFirst(a, b timeline.Build) int {
	return cmp.Or(b.Start.Compare(a.Start), cmp.Compare(b.ID, a.ID))
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
