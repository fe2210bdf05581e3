// Package fetch gets builds from where they are recorded: each kind of source is
// a package below it. This one holds what they share.
package fetch

import (
	"context"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
)

// A Source finds the builds that are to be judged where they are recorded.
type Source interface {
	// Builds are those that w asks for, each once. What could not be read beside
	// them is a problem; an error means that there is none of them.
	Builds(ctx context.Context, w Selector) (builds []timeline.Build, problems []error, err error)
}

// A HistorySource knows what a build is judged against. What it could not have of it
// stands in the notes of the History.
type HistorySource interface {
	History(ctx context.Context, q Query) (*detect.History, error)
	// Pipelines are those it holds builds of, the most built first; nil where it
	// cannot tell.
	Pipelines(ctx context.Context) ([]Pipeline, error)
}

// A Pipeline is one of which a history holds builds.
type Pipeline struct {
	Name   string
	Builds int
}

// A Selector says which builds are to be judged. A source that holds one or few may
// do with less of it. The zero value asks for the newest, or all of a file's.
type Selector struct {
	Ref      string // of a record, or a target; "" for any
	TraceID  string // in hex
	RunID    string // of the CI run, OpenTelemetry's cicd.pipeline.run.id
	Revision string
	// All asks for every build that a source holds, as far as it looks back, where
	// nothing else names one; a server is else asked for the newest alone.
	All bool
}

// IsNamed tells whether w names builds, and does not leave it to the source.
func (w *Selector) IsNamed() bool {
	return w.Ref != "" || w.TraceID != "" || w.RunID != "" || w.Revision != ""
}
