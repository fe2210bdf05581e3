package detect

import (
	"slices"

	"github.com/buildregress/buildregress/detect/dockerfile"
)

// What one build shows by itself: where its time went, and what could have taken longer at
// no cost. Nothing is judged.

// A Description is one build, told. It is written as JSON, with times in seconds.
type Description struct {
	SchemaVersion int       `json:"schema_version"`
	Build         BuildInfo `json:"build"`
	Cached        int       `json:"cached"`   // steps
	Executed      int       `json:"executed"` // steps, but for waits
	// Path is the critical path in order of time. Its parts sum to the build's duration,
	// unless the source does not say when steps began: then it is empty.
	Path   []PathPart      `json:"critical_path"`
	Steps  []DescribedStep `json:"steps"`            // as the build has them
	Advice []Advice        `json:"advice,omitempty"` // where it would have paid; see AdviseOne
	Notes  []Note          `json:"notes"`
}

// A DescribedStep is a step of a build.
type DescribedStep struct {
	Key       string              `json:"key"`
	Name      string              `json:"name"`
	Stage     string              `json:"stage"`
	Platform  string              `json:"platform"`
	State     State               `json:"state"`
	Critical  bool                `json:"critical"`
	Start     Seconds             `json:"start_seconds"` // after the start of the build; below 0 if another build had begun it
	Duration  Seconds             `json:"duration_seconds"`
	Slack     Seconds             `json:"slack_seconds"`   // how much longer it could have taken and cost nothing
	Bytes     int64               `json:"bytes,omitempty"` // that it moved, where the source tells
	BytesRate float64             `json:"bytes_per_second,omitempty"`
	WaitsFor  []int               `json:"waits_for,omitempty"` // indices of the steps that it waited for, where the source tells
	Source    dockerfile.Position `json:"source"`
	Error     string              `json:"error,omitempty"`
}

// Result is as much of a result as a description holds: unjudged.
func (d *Description) Result() *Result {
	r := &Result{Build: d.Build, Cache: CacheInfo{Cached: d.Cached, Executed: d.Executed}, Notes: d.Notes}
	for i := range d.Steps {
		s := &d.Steps[i]
		r.Steps = append(r.Steps, StepResult{
			Key: s.Key, Name: s.Name, Stage: s.Stage, Platform: s.Platform, State: s.State, Critical: s.Critical,
			Start: s.Start, Current: s.Duration, Slack: s.Slack, Bytes: s.Bytes, WaitsFor: s.WaitsFor, Source: s.Source,
		})
	}
	return r
}

// Describe tells of one build. It does not change it.
func Describe(build *Build) *Description {
	d := &Description{SchemaVersion: SchemaVersion, Build: infoOf(build), Path: []PathPart{}, Steps: make([]DescribedStep, len(build.Steps)), Notes: []Note{}}
	// That a step failed or was stopped ends the build, and its path, no less than that
	// it is done.
	ran := *build
	ran.Steps = slices.Clone(build.Steps)
	for i := range ran.Steps {
		if ran.Steps[i].State.HasNoResult() {
			ran.Steps[i].State = Executed
		}
	}
	g := newGraph(&ran)
	slack := g.slack(build.Start.Add(build.Duration))
	for i := range build.Steps {
		s, out := &build.Steps[i], &d.Steps[i]
		*out = DescribedStep{
			Key: s.Key, Name: s.Name, Stage: s.Stage, Platform: s.Platform, State: s.State,
			Duration: Seconds(max(s.Duration, 0)), Slack: Seconds(slack[i]), Bytes: s.Bytes, Source: s.Source, Error: s.Error,
		}
		if !s.Start.IsZero() {
			out.Start = Seconds(max(-s.Duration, s.Start.Sub(build.Start)))
		}
		if s.Bytes > 0 && s.Duration > 0 {
			out.BytesRate = float64(s.Bytes) / s.Duration.Seconds()
		}
		if g.linked {
			out.WaitsFor = slices.Clone(g.inputs[i])
		}
		switch {
		case s.State == Cached:
			d.Cached++
		case s.State != NeverStarted && !s.isWait():
			d.Executed++
		}
	}
	path := g.criticalPath()
	for _, i := range path {
		d.Steps[i].Critical, d.Steps[i].Slack = true, 0
	}
	if parts := g.pathParts(path, build); len(parts) > 0 {
		d.Path = parts
	}
	d.saves(&ran)
	return d
}

// saves tells of the large parts of the path what they were worth if they took no time.
func (d *Description) saves(build *Build) {
	const least = 0.01 // of the build's duration
	s := scheduleOf(build)
	for i := range d.Path {
		if p := &d.Path[i]; s != nil && p.Step >= 0 && p.Share >= least {
			p.Saves = Seconds(s.without(p.Step))
		}
	}
}
