// Package buildkit turns what BuildKit tells of a build into a detect.Build. It
// is the one place that knows BuildKit's names and habits.
//
// BuildKit tells of a build in two ways. Its progress (what --progress=rawjson
// prints, and what a build record keeps) lists all vertices, with their state;
// see Progress. Its traces hold spans of what ran, and of the first cache hits
// above that; see Builds. Both give the same steps, as far as they show them:
// the same keys, states, durations and ids.
package buildkit

import (
	"time"

	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/redact"
	"github.com/buildregress/buildregress/detect/timeline"
)

// What one build may hold. Real builds stay far below: a build for eight
// platforms has 330 vertices and 27,000 log lines.
const (
	MaxVertices = 20_000
	MaxInputs   = 1_000_000 // of all vertices
	MaxStatuses = 1_000_000 // layers and transfers whose bytes are counted
	MaxName     = 2 << 10   // bytes of a name, an error, or the text of a key
	MaxLogLine  = 400       // bytes
	MaxLogLines = 20
	MaxDuration = 366 * 24 * time.Hour
)

// Lasting is how long a build took, 0 where its source says a time that none can take.
func Lasting(d time.Duration) time.Duration {
	if d < 0 || d > MaxDuration {
		return 0
	}
	return d
}

// Metadata is what is known of a build besides its vertices, mostly from its
// history record. A zero field is not known.
type Metadata struct {
	Ref        string // the record's name for the build
	Trace      string // 32 hex digits
	Start, End time.Time

	// Ended tells that the fields below decide how the build ended: without it
	// an empty Error proves nothing.
	Ended     bool
	Error     string
	Cancelled bool
	FailedAt  string // digest of the vertex at which it failed
	// FailedIn is where it failed in a Dockerfile, "Dockerfile:18", if the source says so
	// of the build and not of a step.
	FailedIn string

	Repository  string            // as it stands in the record
	Revision    string            //
	Branch      string            // that was asked for
	PullRequest string            // as Branch
	Dockerfile  string            // path in the repository
	Context     string            // folder in the repository, "" for its root
	Platform    string            // that it was built for, where it was for one; "" for linux/amd64
	Target      string            // as given to build --target
	BakeTarget  string            // of several that bake built together
	Resource    map[string]string // attributes of the client's spans

	Instructions map[string]Instruction // by vertex digest
	Arguments    redact.Arguments       // of the Dockerfile, those that are secret

	// What can explain how long it took, see AddFacts.
	Facts      *timeline.Facts
	Machine    *timeline.Machine
	StepFacts  map[string]*timeline.StepFacts // by vertex digest
	Usages     map[string]*timeline.Usage     // by vertex digest
	LayerBytes map[string]int64               // of the layer that it made, by vertex digest
}

// An Instruction is where a vertex comes from.
type Instruction struct {
	Position dockerfile.Position
	Text     string // as the Dockerfile has it, variables unexpanded; "" if unknown
}
