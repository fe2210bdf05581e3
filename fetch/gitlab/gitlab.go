// Package gitlab reads what GitLab keeps of the pipelines of a project: a pipeline is a
// build, each of its jobs is a step, and so is the time that a job waited for a runner.
//
// Which pipeline it was, of which commit and branch, is what GitLab says. Names of jobs
// are what a merge request makes of them.
package gitlab

import (
	"context"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/httpclient"
)

// PublicAPI is the API of gitlab.com. Others stand in CI_API_V4_URL.
const PublicAPI = "https://gitlab.com/api/v4"

// Bounds of what one check asks for.
const (
	parallel  = 4        // requests at a time
	perPage   = 100      // GitLab's most
	maxPages  = 10       // of one list
	jobPages  = 30       // of the list of all jobs of a project
	maxAnswer = 20 << 20 // bytes of one; a hundred jobs are 300 kB
	maxJobs   = 2000     // of a pipeline, looked at
	evidence  = 5        // pipelines of a merge request or branch
	// LongestWait is how long a rate limit is waited for: GitLab counts by the minute.
	LongestWait = time.Minute
)

// Options say what to look at, and how.
type Options struct {
	Project string             // its path, "group/project"
	Client  *httpclient.Client // of the API
	API     string             // its address, for the cache
	// JobToken tells that the client shows a job's token: it may read jobs, and may not
	// list pipelines.
	JobToken  bool
	Anonymous bool        // the client shows no token
	Cache     fetch.Cache // keeps what was fetched; nil for none

	// Run is the pipeline that is judged, 0 if that is not known.
	Run int64
	// Jobs is a glob of the jobs that count, "" for all.
	Jobs string
	// Pipeline replaces the name that builds have, if it is not "".
	Pipeline string
	// Normalize writes the identity of a build as it is compared. May be nil.
	Normalize func(*timeline.Build)
	// Progress is told that so many things are to be read, and returns what is to be
	// called after each of them, by several at a time, and at the end. May be nil.
	Progress func(n int) (read, done func())
	// Reserve is how long before the context's deadline to stop.
	Reserve time.Duration
}

// Source is a project's pipelines. It may be asked by one caller at a time.
type Source struct {
	Options
	// later are the keys of the steps that the pipeline which is judged has not come to
	// yet: what other pipelines tell of them has nothing to be compared with.
	later map[string]bool
	kind  string // of the pipeline that is judged
	seen  []timeline.Build
	// cacheErr is the first fault of the cache, which costs requests and no builds.
	cacheErr error
}

// Open opens a project. Nothing is asked for yet.
func Open(o Options) *Source { return &Source{Options: o} }

// Pipelines are those of the builds that were looked at.
func (s *Source) Pipelines(ctx context.Context) ([]fetch.Pipeline, error) {
	var m fetch.Memory
	for _, b := range s.seen {
		m.Add(b)
	}
	return m.Pipelines(ctx)
}

var (
	_ fetch.Source        = (*Source)(nil)
	_ fetch.HistorySource = (*Source)(nil)
)
