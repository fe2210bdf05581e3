package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/redact"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/buildkit"
	"github.com/buildregress/buildregress/fetch/buildx"
	"github.com/buildregress/buildregress/fetch/source"
	"github.com/buildregress/buildregress/fetch/store"
	"github.com/buildregress/buildregress/internal/ci"
	"github.com/buildregress/buildregress/internal/console"
	"github.com/buildregress/buildregress/report"
)

// A builder keeps the records of its builds for some days, whoever asks for them. Where
// the store holds less than a window, those of them that it does not hold are history as
// well: nobody who has built for a week wants to begin with nothing.

// keptTime is how long the records of a builder may keep a check waiting. Fifty of large
// builds take some seconds.
const keptTime = 20 * time.Second

// kept are the builds of which a builder still has records.
type kept struct {
	env     *Env
	address string // the SOURCE of them
	// pipeline is the name that was given, "" for none.
	pipeline string
	store    *store.Store // nil where it is no part of the history
	// names completes them by what is true of all that is built here. Flags are about the
	// build to be judged.
	names *ci.Resolver

	isRead bool
	builds []timeline.Build // of the pipelines that they say themselves
	told   bool             // how they can be kept for longer
}

// history are those of one image with b that q asks for.
func (k *kept) history(ctx context.Context, b *target, q fetch.Query) (*detect.History, []detect.Note, error) {
	var notes []detect.Note
	if !k.isRead {
		k.isRead = true
		var err error
		if notes, err = k.read(ctx); err != nil {
			return nil, nil, err
		}
	}
	own := b.Build
	own.Pipeline = b.said
	var same []timeline.Build
	for i := range k.builds {
		if k.isOf(&k.builds[i], &own, b.Pipeline) {
			same = append(same, k.builds[i])
			same[len(same)-1].Pipeline = b.Pipeline
		}
	}
	held := make([]bool, len(same))
	if k.store != nil {
		var err error
		if held, err = k.store.Holds(ctx, same); err != nil {
			return nil, nil, err
		}
	}
	var memory fetch.Memory
	for i := range same {
		if !held[i] {
			memory.Add(same[i])
		}
	}
	k.env.Console.Debugf("%s: %d builds, %d of them of this image", k.address, len(k.builds), len(same))
	h, err := memory.History(ctx, q)
	return h, notes, err
}

// isOf tells whether b is of one image with the build to be judged, own as it says itself,
// which is called by a name. Who asks to be compared with these builds may judge a log,
// which says less.
func (k *kept) isOf(b, own *timeline.Build, name string) bool {
	return buildkit.OfOneImage(b, own) || k.store == nil && (b.Pipeline == name || own.Pipeline == "" && buildkit.LooksAlike(b, own))
}

// read reads what the builder has. That it has nothing, or does not say it, is no error:
// the build to be judged is there.
func (k *kept) read(ctx context.Context) (notes []detect.Note, err error) {
	limit := keptTime
	if end, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(end)/2)
	}
	inner, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	from, err := k.env.Open(k.address, nil)
	if err != nil {
		return nil, err
	}
	builds, notes, err := readBuilds(inner, k.env, from, fetch.Selector{})
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, source.ErrInterrupted):
		return nil, err
	case err != nil && k.store == nil: // it was asked for
		return nil, err
	case errors.Is(err, buildx.ErrNoRecord):
		return nil, nil
	case inner.Err() != nil && err != nil:
		return []detect.Note{k.unread(fmt.Errorf("nothing came within %v", limit.Round(time.Second)))}, nil
	case err != nil:
		return []detect.Note{k.unread(err)}, nil
	}
	k.names.Observe(builds)
	for i := range builds {
		said := saidPipeline(&builds[i])
		k.names.Resolve(&builds[i])
		builds[i].Pipeline = said
	}
	k.builds = builds
	return notes, nil
}

// unread tells that the records could not be read, and why.
func (k *kept) unread(err error) detect.Note {
	text := fmt.Sprintf("%s is no part of the history: %v", redact.Text(k.address), err)
	k.env.Console.Warn(text)
	return detect.Note{Kind: detect.KindHistory, Text: console.Printable(text)}
}

// saidPipeline is the pipeline that a build says itself, as it is compared.
func saidPipeline(b *timeline.Build) string {
	own := *b
	fetch.Normalize(&own)
	return own.Pipeline
}

// withKept adds to a history what the builder has of it, and says so.
func (c *checker) withKept(ctx context.Context, b *target, q fetch.Query, past *detect.History) (joined *detect.History, from string, err error) {
	from = c.history.name
	if c.kept == nil || b.Outcome != timeline.OK || len(past.Base) >= q.Window {
		return past, from, nil
	}
	more, notes, err := c.kept.history(ctx, b, q)
	if err != nil {
		return nil, "", err
	}
	c.notes = append(c.notes, notes...)
	n := len(more.Base) + len(more.Branch) + len(more.Other)
	if n == 0 {
		return past, from, nil
	}
	if c.kept.store != nil {
		if len(past.Base)+len(past.Branch)+len(past.Other) == 0 {
			from = c.kept.address
		} else {
			from += " and " + c.kept.address
		}
		c.note(detect.KindBuilderRecord, "%s", c.kept.tell(n, more, q))
	}
	return fetch.Join(past, more, q), from, nil
}

// tell says that n builds are records of the builder, and how they can be kept.
func (k *kept) tell(n int, h *detect.History, q fetch.Query) string {
	command := "buildregress record '" + redact.Text(k.address) + "'"
	if k.pipeline != "" {
		command = fmt.Sprintf("buildregress record --pipeline %q '%s'", redact.Text(k.pipeline), redact.Text(k.address))
	}
	if !k.told {
		k.told = true
		k.env.Console.Hint(command + " keeps what the history has from the builder, which drops its records in time")
	}
	nowhere := 0
	for i := range h.Base {
		if h.Base[i].Branch == "" {
			nowhere++
		}
	}
	text := fmt.Sprintf("the history has %s out of the local builder's earlier records, which it drops in time: `%s` keeps them", report.Count(n, "build"), command)
	if nowhere > 0 {
		text += fmt.Sprintf(". Nothing says the branch of %s: counted as builds of `%s`", report.Count(nowhere, "such build"), q.BaseBranch)
	}
	return text
}
