package command

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/buildx"
	"github.com/buildregress/buildregress/fetch/source"
)

// A trace tells times alone. The builder that made it keeps a record of the same build for a
// while: where that is at hand, what it says of the build is joined to the trace's, so that it
// can be told why a step is slower.

const (
	// joinTime is how long the local builder may keep a check of traces waiting.
	joinTime = 5 * time.Second
	// maxJoined bounds the builds of one check whose records are sought one by one.
	maxJoined = 10
)

// joinRecords joins records of the local builder to targets that have none, as far as they
// were just made. That there is no such builder is no trouble.
func joinRecords(ctx context.Context, env *Env, targets []target) {
	ctx, stop := context.WithTimeout(ctx, joinTime)
	defer stop()
	var builder source.Source
	asked := 0
	for i := range targets {
		t := &targets[i]
		if t.Facts != nil || t.Trace == "" || !t.justMade || t.Outcome != timeline.OK || !hasInstructions(&t.Build) || asked == maxJoined {
			continue
		}
		if asked++; asked == 1 {
			var err error
			if builder, err = env.Open(source.LocalBuilder, nil); err != nil || builder.Traced == nil {
				return
			}
		}
		record, err := builder.Traced(ctx, t.Trace, t.Start)
		switch {
		case err != nil:
			if !errors.Is(err, buildx.ErrNoCommand) {
				env.Console.Debugf("no record of %s: %v", t.ID, err)
			}
			return
		case record != nil && fetch.JoinFacts(&t.Build, record):
			env.Console.Debugf("%s: joined with record %s of the local builder", t.ID, record.ID)
		}
	}
}

// A joiner joins the records of the local builder to a history of traces, which it reads
// once.
type joiner struct {
	env    *Env
	isRead bool
	of     map[string]*timeline.Build // by trace
}

// history is the one that a build with findings is explained by, with what the local
// builder knows of it: only if the build's own record was there, and the history has none.
func (j *joiner) history(ctx context.Context, r *detect.Result, b *timeline.Build, h *detect.History) *detect.History {
	known := func(list []timeline.Build) bool {
		return slices.ContainsFunc(list, func(b timeline.Build) bool { return b.Facts != nil })
	}
	if h == nil || b.Facts == nil || !b.Partial || known(h.Base) || known(h.Branch) || !hasFindings(r) {
		return h
	}
	if !j.isRead {
		j.isRead = true
		j.read(ctx)
	}
	if len(j.of) == 0 {
		return h
	}
	join := func(list []timeline.Build) []timeline.Build {
		list = slices.Clone(list)
		for i := range list {
			if record := j.of[list[i].Trace]; record != nil && list[i].Trace != "" {
				fetch.JoinFacts(&list[i], record)
			}
		}
		return list
	}
	out := *h
	out.Base, out.Branch = join(h.Base), join(h.Branch)
	return &out
}

// read reads all records that the builder keeps.
func (j *joiner) read(ctx context.Context) {
	ctx, stop := context.WithTimeout(ctx, joinTime)
	defer stop()
	from, err := j.env.Open(source.LocalBuilder+"*", nil)
	if err != nil {
		return
	}
	builds, _, err := from.Builds(ctx, fetch.Selector{})
	if err != nil {
		j.env.Console.Debugf("no records of the history: %v", err)
	}
	j.of = make(map[string]*timeline.Build, len(builds))
	for i := range builds {
		if b := &builds[i]; b.Trace != "" {
			j.of[b.Trace] = b
		}
	}
}

// hasFindings tells whether there is anything of which people ask why.
func hasFindings(r *detect.Result) bool {
	return len(r.Cache.Losses) > 0 || slices.ContainsFunc(r.Steps, func(s detect.StepResult) bool {
		return s.Status == detect.StatusSlower || s.Status == detect.StatusSuspect || s.Status == detect.StatusOverBudget
	})
}

// hasInstructions tells whether a build is one of a Dockerfile: no other has a record.
func hasInstructions(b *timeline.Build) bool {
	for i := range b.Steps {
		if b.Steps[i].Count > 0 {
			return true
		}
	}
	return false
}
