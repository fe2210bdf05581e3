package fetch

import (
	"context"
	"time"

	"github.com/buildregress/buildregress/detect"
)

// A Source finds the builds that are to be judged in an origin.
type Source interface {
	// Builds are those that w asks for, each once. What could not be read beside
	// them is a problem; an error means that there is none of them.
	Builds(ctx context.Context, w Selector) (builds []detect.Build, problems []error, err error)
}

// A HistorySource knows what a build is judged against. What it could not have of it
// stands in the notes of the History.
type HistorySource interface {
	History(ctx context.Context, q Query) (*detect.History, error)
	// Pipelines are those it holds builds of, the most built first; nil where it
	// cannot tell.
	Pipelines(ctx context.Context) ([]Pipeline, error)
}

// Selector says which builds are to be judged. An origin that holds one or few may
// do with less of it. The zero value asks for the newest, or all of a file's.
type Selector struct {
	Ref      string // of a record, or a target; "" for any
	TraceID  string // in hex
	RunID    string // of the CI run, OpenTelemetry's cicd.pipeline.run.id
	Revision string
}

// A Cache keeps what was fetched from a server and never changes there, so that
// it is not fetched again. Several processes may use one.
type Cache interface {
	// Get are the builds that were put under those of the ids, by id. What holds
	// no build was kept as such: its list is empty, and there is one.
	Get(ctx context.Context, origin string, ids []string) (map[string][]detect.Build, error)
	// Put puts builds under the id that the origin (a URL without credentials)
	// gives what holds them.
	Put(ctx context.Context, origin, id string, builds []detect.Build) error
}

// SearchCache keep what was found on servers that answer a question about a span of
// time with all that they hold: a later one asks for what is newer. Several
// processes may use them.
type SearchCache interface {
	// Range is the span of time about which everything is kept that the
	// question found; zero times if there is none.
	Range(ctx context.Context, origin, question string) (from, to time.Time, err error)
	// Hits is what was kept of it that began before that time, the newest first,
	// at most limit.
	Hits(ctx context.Context, origin, question string, before time.Time, limit int) ([]Hit, error)
	// Save keeps what searches found, all of them or none.
	Save(ctx context.Context, origin string, searches []Search) error
}

// A Search is a question that was asked about a span of time, all of it, and what
// it found, each once.
type Search struct {
	Question string
	From, To time.Time
	Hits     []Hit
}

// Hit is what a search found: something that holds builds.
type Hit struct {
	ID     string
	Start  time.Time
	Builds []detect.Build // may be none
}
