// Package traces finds builds in a server that stores traces, such as Jaeger or
// Tempo: the one to be judged, which may still be arriving, and those it is judged
// against. How a server is asked is the matter of packages beside this one.
package traces

import (
	"context"
	"time"

	"github.com/buildregress/buildregress/fetch/attribute"
	"github.com/buildregress/buildregress/fetch/buildkit"
)

// A Server stores traces.
type Server interface {
	// Trace returns the spans of a trace, an error that is ErrNoTrace where the
	// server has none of this id (32 digits of hex in lower case).
	Trace(ctx context.Context, id string) ([]buildkit.Span, error)
	// Search calls take with the traces that the server holds to match q, in no
	// order, and tells how many it named. The server may name others, and more or
	// fewer than it should: the caller looks at each again. Where it fails in the
	// middle, what was taken holds.
	Search(ctx context.Context, q Question, take func(id string, spans []buildkit.Span) error) (n int, err error)
	// Bounds are those of one search.
	Bounds() Bounds
}

// Bounds are what a server takes in one question; 0 is no bound.
type Bounds struct {
	Range time.Duration // from first to last
	Limit int           // traces
}

// A Question asks for traces with a span that meets all of it.
type Question struct {
	Service  string
	Tags     map[string]string // attributes of the span or its resource
	From, To time.Time         // in which the span begins
	Limit    int               // traces at most; above 0
	// Has tells of a trace that it need not be sent: the caller knows what is in
	// it. Servers that send traces with the answer do not ask.
	Has func(id string) bool
	// Warn is told of a trace that is there and cannot be had.
	Warn func(error)
}

// The attributes by which builds are found.
const (
	attributeRun      = "cicd.pipeline.run.id"
	attributePipeline = "cicd.pipeline.name"
	attributeBranch   = "vcs.ref.head.name"
	attributeRevision = "vcs.ref.head.revision"
)

// FilterAttributes are the attributes by which answers are filtered, tags being those that
// were asked for in addition. Servers keep them with the spans.
func FilterAttributes(tags map[string]string) buildkit.AttributeSet {
	extra := buildkit.AttributeSet{attributeRun: true, attributePipeline: true, attributeBranch: true, attributeRevision: true}
	for _, fact := range []attribute.Fact{attribute.RunID, attribute.Pipeline, attribute.Branch, attribute.Revision} {
		for _, key := range attribute.Aliases[fact] {
			extra[key] = true
		}
	}
	for key := range tags {
		extra[key] = true
	}
	return extra
}
