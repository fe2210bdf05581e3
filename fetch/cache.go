package fetch

import (
	"context"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// A Cache keeps what was fetched from a server and never changes there, so that
// it is not fetched again. Several processes may use one.
type Cache interface {
	// Get is what was put under those of the ids, by id. What holds no build was
	// kept as such: its list is empty, and there is one.
	Get(ctx context.Context, source string, ids []string) (map[string]Cached, error)
	// Put puts builds under the id that the source (a URL without credentials)
	// gives what holds them.
	Put(ctx context.Context, source, id string, builds []timeline.Build) error
}

// Cached is what a cache holds under one id.
type Cached struct {
	Builds []timeline.Build
	// Old tells that another version put it there, which may have read it by other
	// rules: what is still on the server is read anew.
	Old bool
}

// A SearchCache keeps what was found on servers that answer a question about a span of
// time with all that they hold: a later one asks for what is newer. Several
// processes may use one.
type SearchCache interface {
	// Range is the span of time about which everything is kept that the
	// question found; zero times if there is none.
	Range(ctx context.Context, source, question string) (from, to time.Time, err error)
	// Hits is what was kept of it that began before that time, the newest first,
	// at most limit.
	Hits(ctx context.Context, source, question string, before time.Time, limit int) ([]Hit, error)
	// Leftovers is what was once found from then to then, of which is not known whether
	// the question finds it still: by another version, which may have read it by other
	// rules, or before the span of time that is kept.
	Leftovers(ctx context.Context, source, question string, from, to time.Time) ([]Hit, error)
	// Save keeps what searches found, all of them or none.
	Save(ctx context.Context, source string, searches []Search) error
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
	Builds []timeline.Build // may be none
}
