package builds

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
)

// Encode writes builds, a line each, in which nothing comes alive on a terminal
// or in the log of a CI.
func Encode(w io.Writer, list []timeline.Build) error { return new(Encoder).Encode(w, list) }

// An Encoder writes builds again and again. It reads the names that are in many of
// them once.
type Encoder struct{ names map[string]dockerfile.Name }

// maxNames bounds the names that are remembered.
const maxNames = 10_000

// Encode writes builds, a line each.
func (e *Encoder) Encode(w io.Writer, list []timeline.Build) error {
	var line bytes.Buffer
	j := json.NewEncoder(&line)
	j.SetEscapeHTML(false)
	for i := range list {
		line.Reset()
		err := j.Encode(e.build(&list[i]))
		if err == nil {
			_, err = w.Write(escape(line.Bytes()))
		}
		if err != nil {
			return fmt.Errorf("write build %s: %w", list[i].ID, err)
		}
	}
	return nil
}

// name is what the name of a step says.
func (e *Encoder) name(of string) dockerfile.Name {
	n, known := e.names[of]
	if known {
		return n
	}
	n = dockerfile.ParseName(of)
	if e.names == nil {
		e.names = map[string]dockerfile.Name{}
	}
	if len(e.names) < maxNames {
		e.names[of] = n
	}
	return n
}

func (e *Encoder) build(b *timeline.Build) build {
	duration := timeline.Seconds(b.Duration)
	out := build{
		ID: b.ID, Pipeline: b.Pipeline, Image: b.Image, origin: origin(b.Origin), Start: given(b.Start), Duration: &duration,
		Outcome: b.Outcome, Error: b.Error, Log: b.Log, Resolution: timeline.Seconds(b.Resolution),
		TraceID: b.Trace, Target: b.Target, Content: b.Content, Partial: b.Partial, Within: b.Within, Reader: b.Reader, Facts: b.Facts, Machine: b.Machine, Steps: make([]step, len(b.Steps)),
	}
	for i := range b.Steps {
		out.Steps[i] = e.step(&b.Steps[i])
	}
	return out
}

// step writes only what Decode would not find in the name.
func (e *Encoder) step(s *timeline.Step) step {
	duration := timeline.Seconds(s.Duration)
	out := step{
		Name: s.Name, Duration: &duration, Start: given(s.Start), State: s.State, ID: s.ID, Key: &s.Key,
		Inputs: s.Inputs, Bytes: s.Bytes, Error: s.Error, Rule: s.Rule, Body: s.Body, Text: s.Text, Facts: s.Facts, Usage: s.Usage,
	}
	name := e.name(s.Name)
	if s.Platform != name.Platform {
		out.Platform = &s.Platform
	}
	if s.Stage != name.Stage {
		out.Stage = &s.Stage
	}
	if s.Index != name.Index {
		out.Index = &s.Index
	}
	if s.Count != name.Count {
		out.Count = &s.Count
	}
	if s.Source != (dockerfile.Position{}) {
		out.Source = &s.Source
	}
	return out
}

func given(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
