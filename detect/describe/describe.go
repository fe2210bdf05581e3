// Package describe tells what one build shows by itself: where its time went, and what could
// have taken longer at no cost. Nothing is judged.
package describe

import (
	"slices"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/advice"
	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
)

// A Description is one build, told. It is written as JSON, with times in seconds.
type Description struct {
	SchemaVersion int              `json:"schema_version"`
	Build         detect.BuildInfo `json:"build"`
	Cached        int              `json:"cached"`   // steps
	Executed      int              `json:"executed"` // steps, but for waits
	// Path is the critical path in order of time. Its parts sum to the build's duration,
	// unless the source does not say when steps began: then it is empty.
	Path   []timeline.PathPart `json:"critical_path"`
	Steps  []Step              `json:"steps"`            // as the build has them
	Advice []advice.Advice     `json:"advice,omitempty"` // where it would have paid; see advice.OfBuild
	// Facts are what it was made of, and Machine what was measured of its machine: nil where
	// that is not known.
	Facts   *timeline.Facts   `json:"facts,omitempty"`
	Machine *timeline.Machine `json:"machine,omitempty"`
	Notes   []detect.Note     `json:"notes"`
}

// A Step is a step of a build.
type Step struct {
	Key       string              `json:"key"`
	Name      string              `json:"name"`
	Stage     string              `json:"stage"`
	Platform  string              `json:"platform"`
	State     timeline.State      `json:"state"`
	Critical  bool                `json:"critical"`
	Start     timeline.Seconds    `json:"start_seconds"` // after the start of the build; below 0 if another build had begun it
	Duration  timeline.Seconds    `json:"duration_seconds"`
	Slack     timeline.Seconds    `json:"slack_seconds"`   // how much longer it could have taken and cost nothing
	Bytes     int64               `json:"bytes,omitempty"` // that it moved, where the source tells
	BytesRate float64             `json:"bytes_per_second,omitempty"`
	WaitsFor  []int               `json:"waits_for,omitempty"` // indices of the steps that it waited for, where the source tells
	Source    dockerfile.Position `json:"source"`
	Error     string              `json:"error,omitempty"`
	Facts     *timeline.StepFacts `json:"facts,omitempty"` // what it was told to do
	Usage     *timeline.Usage     `json:"usage,omitempty"` // what it used of the machine
}

// Result is as much of a result as a description holds: unjudged.
func (d *Description) Result() *detect.Result {
	r := &detect.Result{Build: d.Build, Cache: detect.CacheInfo{Cached: d.Cached, Executed: d.Executed}, Notes: d.Notes}
	for i := range d.Steps {
		s := &d.Steps[i]
		r.Steps = append(r.Steps, detect.StepResult{
			Key: s.Key, Name: s.Name, Stage: s.Stage, Platform: s.Platform, State: s.State, Critical: s.Critical,
			Start: s.Start, Current: s.Duration, Slack: s.Slack, Bytes: s.Bytes, WaitsFor: s.WaitsFor, Source: s.Source,
		})
	}
	return r
}

// Of tells of one build. It does not change it.
func Of(build *timeline.Build) *Description {
	d := &Description{SchemaVersion: detect.SchemaVersion, Build: detect.InfoOf(build), Path: []timeline.PathPart{}, Facts: build.Facts, Machine: build.Machine, Steps: make([]Step, len(build.Steps)), Notes: []detect.Note{}}
	// That a step failed or was stopped ends the build, and its path, no less than that
	// it is done.
	ran := *build
	ran.Steps = slices.Clone(build.Steps)
	for i := range ran.Steps {
		if ran.Steps[i].State.HasNoResult() {
			ran.Steps[i].State = timeline.Executed
		}
	}
	g := timeline.NewGraph(&ran)
	slack := g.Slack(build.Start.Add(build.Duration))
	for i := range build.Steps {
		s, out := &build.Steps[i], &d.Steps[i]
		*out = Step{
			Key: s.Key, Name: s.Name, Stage: s.Stage, Platform: s.Platform, State: s.State,
			Duration: timeline.Seconds(max(s.Duration, 0)), Slack: timeline.Seconds(slack[i]), Bytes: s.Bytes, Source: s.Source, Error: s.Error, Facts: s.Facts, Usage: s.Usage,
		}
		if !s.Start.IsZero() {
			out.Start = timeline.Seconds(max(-s.Duration, s.Start.Sub(build.Start)))
		}
		if s.Bytes > 0 && s.Duration > 0 {
			out.BytesRate = float64(s.Bytes) / s.Duration.Seconds()
		}
		if g.Linked {
			out.WaitsFor = slices.Clone(g.Inputs[i])
		}
		switch {
		case s.State == timeline.Cached:
			d.Cached++
		case s.State != timeline.NeverStarted && !s.IsWait():
			d.Executed++
		}
	}
	path := g.CriticalPath()
	for _, i := range path {
		d.Steps[i].Critical, d.Steps[i].Slack = true, 0
	}
	if parts := g.PathParts(path, build); len(parts) > 0 {
		d.Path = parts
	}
	d.saves(&ran)
	return d
}

// saves tells of the large parts of the path what they were worth if they took no time.
func (d *Description) saves(build *timeline.Build) {
	const least = 0.01 // of the build's duration
	s := timeline.NewSchedule(build)
	for i := range d.Path {
		if p := &d.Path[i]; s != nil && p.Step >= 0 && p.Share >= least {
			p.Saves = timeline.Seconds(s.Without(p.Step))
		}
	}
}
