package github

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	gh "github.com/google/go-github/v60/github"
	"golang.org/x/sync/errgroup"
)

// Bounds of what one check asks for. A workflow's token has 1,000 requests an
// hour, for all jobs of the repository together.
const (
	parallel     = 8        // requests at a time; a hundred are allowed
	perPage      = 100      // GitHub's most
	maxPages     = 10       // of one list
	maxArtifact  = 32 << 20 // bytes of one; records are below one MiB
	maxArtifacts = 300      // of a history, looked at
	maxOwn       = 100      // of those, from a pull request's or a branch's runs
	maxHeld      = 1 << 20  // steps of their builds; a build has some ten to some hundred
	maxRuns      = 200      // of a branch, looked at
	evidenceRuns = 5        // of a pull request
)

// Options say what to look at, and how.
type Options struct {
	Owner, Name string
	Client      *gh.Client
	Anonymous   bool             // Client shows no token
	Download    *http.Client     // for addresses that carry their own signature
	Now         func() time.Time // the clock
	Cache       fetch.Cache      // keeps what was fetched; nil for none
	Pulls       *Pulls           // of the same client; nil to find them anew

	// Workflow is the name of the file of the workflow whose runs are compared, ""
	// for all of the repository.
	Workflow string
	// Run is the run whose builds are judged, 0 if that is not known, and Event
	// what started it.
	Run   int64
	Event string
	// Job is how the job that runs us is called, and Runner its machine; both ""
	// where none does.
	Job, Runner string
	// Pipeline is that of the build to be judged, if somebody gave it a name that
	// no record knows. Then the builds that are most like it are its history.
	Pipeline string
	// Normalize writes the identity of a build as it is compared. May be nil.
	Normalize func(*timeline.Build)
	// Progress is told that so many things are to be read, and returns what is to
	// be called after each of them, by several at a time, and at the end. May be
	// nil.
	Progress func(n int) (read, done func())
	// Reserve is how long before the context's deadline to stop, so that what was
	// had until then can still be judged.
	Reserve time.Duration
}

// A source is a repository's runs.
type source struct {
	Options
	stepLimit int // steps of a list of artifacts
	// limitHistory bounds the time that may be spent on a history, limitDownload that
	// of one download.
	limitHistory, limitDownload func(context.Context) (context.Context, context.CancelFunc)

	decodeMu sync.Mutex // one at a time: a large record takes memory
	cacheMu  sync.Mutex // of what is put there
	cacheErr error      // the first
}

// set makes s a source.
func (s *source) set(o Options) {
	s.Options, s.stepLimit = o, maxHeld
	if s.Pulls == nil {
		s.Pulls = NewPulls(o.Client, o.Now)
	}
	s.limitDownload = func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithTimeout(ctx, timeout)
	}
	s.limitHistory = func(ctx context.Context) (context.Context, context.CancelFunc) {
		if deadline, ends := ctx.Deadline(); ends {
			return context.WithDeadline(ctx, deadline.Add(-o.Reserve))
		}
		return context.WithCancel(ctx)
	}
}

// fullName is what the source is called in messages.
func (s *source) fullName() string { return s.Owner + "/" + s.Name }

// canonicalName is the repository's name as its runs have it: an address may write it
// otherwise, or be that of before it was renamed.
func (s *source) canonicalName(runs []*gh.WorkflowRun) string {
	for _, r := range runs {
		if name := r.GetRepository().GetFullName(); name != "" {
			return name
		}
	}
	return s.fullName()
}

// cacheSource is under what a cache keeps what comes from here.
func (s *source) cacheSource(kind string) string {
	return s.Client.BaseURL.JoinPath("repos", strings.ToLower(s.Owner), strings.ToLower(s.Name), kind).String()
}

// forEachShown is forEach, and shows how it goes.
func (s *source) forEachShown(n int, do func(i int) bool) {
	if s.Progress == nil {
		forEach(n, do)
		return
	}
	read, done := s.Progress(n)
	defer done()
	forEach(n, func(i int) bool {
		defer read()
		return do(i)
	})
}

// forEach calls do for 0 to n-1, several at a time and in this order, until one
// returns false; those before it are called all the same. It returns when all calls
// have. If one panics, so does forEach, as a caller can only recover from what is its
// own.
func forEach(n int, do func(i int) bool) {
	var mu sync.Mutex
	end := n // what comes from there on is not called
	var broken any
	within := func(i int) bool {
		mu.Lock()
		defer mu.Unlock()
		return i < end
	}
	var group errgroup.Group
	group.SetLimit(parallel)
	for i := 0; within(i); i++ {
		group.Go(func() error {
			if !within(i) {
				return nil
			}
			goOn := false
			defer func() {
				mu.Lock()
				defer mu.Unlock()
				if cause := recover(); cause != nil {
					broken = cause
				}
				if !goOn {
					end = min(end, i)
				}
			}()
			goOn = do(i)
			return nil
		})
	}
	_ = group.Wait() // no call returns an error
	if broken != nil {
		panic(broken)
	}
}
