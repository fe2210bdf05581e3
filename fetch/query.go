package fetch

import (
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// A Query asks for what one build is judged against.
type Query struct {
	Build          *timeline.Build // the build to be judged: it and all that did not start before it are left out
	BaseBranch     string
	BaseRepository string // "" accepts any repository; a fork's main is not main
	Window         int    // newest builds wanted whole; for rarer steps SearchFactor times as many are searched
	Lookback       time.Duration
	// Enough is how many base builds on the kind of machine that Build ran on
	// make a baseline by themselves. 0 compares whatever they ran on.
	Enough int
}

// IsBase tells whether b is a build of the base branch itself. One that says
// no branch counts as such: a laptop's build belongs to no pull request.
func (q *Query) IsBase(b *timeline.Build) bool {
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

// A Run is the run of a CI system's workflow whose builds are meant. Zero fields are
// unknown.
type Run struct {
	Repository  string // "owner/name", whose workflow it is
	ID          int64
	Workflow    string // name of the workflow's file
	Event       string // that started it
	Job, Runner string // the job that runs us, and its machine; "" for another run
}
