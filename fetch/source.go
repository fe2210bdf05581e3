// Package fetch gets builds from where they are recorded: each kind of origin is
// a package below it. This one holds what they share.
package fetch

import (
	"fmt"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/redact"
)

// ErrNoBuilds is returned where a source is readable and holds no build.
var ErrNoBuilds = ErrorWithHint("no build in it",
	"give a .dockerbuild record, a progress log (docker buildx build --progress=rawjson), an OTLP or Jaeger trace, or a builds file")

// A DecodeError says which input could not be read, and where in it.
type DecodeError struct {
	Name   string // file, and member of an archive, as "a.zip/b.dockerbuild"
	Offset int64  // byte at which it went wrong, -1 if unknown
	Err    error
}

// Error masks name and error each by itself: "passwd: cut off" is no password.
func (e *DecodeError) Error() string {
	name, text := redact.Text(e.Name), redact.Text(e.Err.Error())
	if e.Offset < 0 {
		return fmt.Sprintf("%s: %s", name, text)
	}
	return fmt.Sprintf("%s: at byte %d: %s", name, e.Offset, text)
}

func (e *DecodeError) Unwrap() error { return e.Err }

// A Query asks for what one build is judged against.
type Query struct {
	Build          *detect.Build // the build to be judged: it and all that did not start before it are left out
	BaseBranch     string
	BaseRepository string // "" accepts any repository; a fork's main is not main
	Window         int    // newest builds wanted whole; for rarer steps SearchFactor times as many are searched
	Lookback       time.Duration
	// Enough is how many base builds on the kind of machine that Build ran on
	// make a baseline by themselves. 0 compares whatever they ran on.
	Enough int
}

// A Pipeline is one of which a history holds builds.
type Pipeline struct {
	Name   string
	Builds int
}

// IsBase tells whether b is a build of the base branch itself. One that says
// no branch counts as such: a laptop's build belongs to no pull request.
func (q *Query) IsBase(b *detect.Build) bool {
	return b.PullRequest == "" &&
		(b.Branch == q.BaseBranch || b.Branch == "") &&
		(q.BaseRepository == "" || b.Repository == "" || b.Repository == q.BaseRepository)
}

// Since is the start of the oldest build that is searched for rare steps; the
// zero time if there is no such bound.
func (q *Query) Since() time.Time {
	if q.Lookback <= 0 {
		return time.Time{}
	}
	return q.Build.Start.Add(-q.Lookback)
}
