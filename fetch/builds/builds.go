// Package builds reads and writes builds files: JSON Lines, one build a line.
//
// It is the format in which any other tool can hand over builds, and in which
// builds are kept outside of a store; it loses nothing that a Build holds. Only
// a build's id or start, and the name and duration_seconds of its steps, have
// to be there. Fields that are not known are ignored.
package builds

import (
	"time"

	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
)

// What a builds file may hold. What lies behind the bounds on all of it is left
// out, with an error.
const (
	MaxLine    = 64 << 20  // bytes
	MaxSteps   = 20_000    // of a build
	MaxBuilds  = 100_000   // of a file
	MaxEntries = 1_000_000 // of a file, see Entries
	MaxName    = 2 << 10   // bytes of a name, a key or any other such text
	MaxTime    = 366 * 24 * time.Hour

	// MaxResolution is the coarsest clock. A build that claims a coarser one would
	// make every difference in the builds that it is compared with look like chance.
	MaxResolution = time.Minute
)

// Entries is how many steps, inputs of them and lines of log a build holds: most
// of the memory that it takes.
func Entries(b *timeline.Build) int {
	n := len(b.Steps) + len(b.Log)
	for i := range b.Steps {
		n += len(b.Steps[i].Inputs)
	}
	return n
}

// A build is a line of the file.
type build struct {
	ID       string `json:"id,omitempty"`
	Pipeline string `json:"pipeline,omitempty"`
	Image    string `json:"image,omitempty"`
	origin
	Start      *time.Time        `json:"start,omitempty"`
	Duration   *timeline.Seconds `json:"duration_seconds,omitempty"`
	Outcome    timeline.Outcome  `json:"outcome"`
	Error      string            `json:"error,omitempty"`
	Log        []string          `json:"log,omitempty"`
	Resolution timeline.Seconds  `json:"resolution_seconds"`
	TraceID    string            `json:"trace_id,omitempty"`
	Target     string            `json:"target,omitempty"`
	Content    string            `json:"content,omitempty"`
	Partial    bool              `json:"partial,omitempty"`
	Within     *timeline.Within  `json:"within,omitempty"`
	Reader     int               `json:"reader,omitempty"`
	Facts      *timeline.Facts   `json:"facts,omitempty"`
	Machine    *timeline.Machine `json:"machine,omitempty"`
	Steps      []step            `json:"steps"`
}

// An origin is a detect.Origin of which only what is known is written.
type origin struct {
	Repository  string `json:"repository,omitempty"`
	Revision    string `json:"revision,omitempty"`
	Branch      string `json:"branch,omitempty"`
	PullRequest string `json:"pull_request,omitempty"`
	URL         string `json:"url,omitempty"`
	Runner      string `json:"runner,omitempty"`
}

// A step is a step of a build. What stands in its name need not stand beside it.
type step struct {
	Name     string               `json:"name"`
	Duration *timeline.Seconds    `json:"duration_seconds"`
	Start    *time.Time           `json:"start,omitempty"`
	State    timeline.State       `json:"state"`
	ID       string               `json:"id,omitempty"`
	Key      *string              `json:"key,omitempty"`
	Platform *string              `json:"platform,omitempty"`
	Stage    *string              `json:"stage,omitempty"`
	Index    *int                 `json:"index,omitempty"`
	Count    *int                 `json:"count,omitempty"`
	Inputs   []string             `json:"inputs,omitempty"`
	Source   *dockerfile.Position `json:"source,omitempty"`
	Bytes    int64                `json:"bytes,omitempty"`
	Error    string               `json:"error,omitempty"`
	Rule     int                  `json:"rule,omitempty"`
	Body     string               `json:"body,omitempty"`
	Text     string               `json:"text,omitempty"`
	Facts    *timeline.StepFacts  `json:"facts,omitempty"`
	Usage    *timeline.Usage      `json:"usage,omitempty"`
}
