package traces

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/buildkit"
)

// What a search has found is kept with the span of time that it covers, so that a
// later one asks the server only about what is newer. The end of that span is put
// before all that may yet change: traces arrive when their builds end.

// settled is how long ago must be what was searched for good: until then, traces of
// that time may yet arrive.
const settled = 10 * time.Minute

// cacheKey is how the search is called where it is kept.
func (f *backfill) cacheKey() string {
	b, _ := json.Marshal(struct { // strings always marshal
		Service string
		Tags    map[string]string
		Tenant  string `json:",omitempty"`
	}{f.question.Service, f.question.Tags, f.source.Tenant})
	return string(b)
}

// A timeRange is the span of time that was searched before.
type timeRange struct{ from, to time.Time }

func (c timeRange) covers(t time.Time) bool { return t.After(c.from) && !t.After(c.to) }

func (f *backfill) cachedRange(ctx context.Context) (c timeRange, err error) {
	if f.source.Cache == nil || f.uncached {
		return c, nil
	}
	c.from, c.to, err = f.source.Cache.Range(ctx, f.source.Name, f.cacheKey())
	if err != nil { // what keeps nothing is slow, no more
		f.source.statusf("nothing kept: %v", err)
		return timeRange{}, ctx.Err()
	}
	if c.to.After(f.source.Now()) {
		// Whoever kept it was ahead of the time: when it was searched is unknown.
		return timeRange{}, nil
	}
	return c, nil
}

// takeCached takes what was kept of the time before to, and returns where to go on.
func (f *backfill) takeCached(ctx context.Context, c timeRange, to time.Time) (time.Time, error) {
	const page = 100
	for !f.enough() {
		list, err := f.source.Cache.Hits(ctx, f.source.Name, f.cacheKey(), to, page)
		if err != nil {
			return to, err
		}
		for _, hit := range list {
			if hit.Start.Before(f.oldest) {
				return f.oldest, nil
			}
			if !f.seen[hit.ID] { // more than enough: what is older than that tells of rare times
				f.seen[hit.ID] = true
				f.taken++
				f.take(&summary{id: hit.ID, start: hit.Start, builds: hit.Builds, state: buildkit.Whole})
			}
			to = hit.Start
		}
		if len(list) < page {
			return c.from, nil
		}
	}
	if to.Before(c.from) {
		return c.from, nil
	}
	return to, nil
}

// takeLeftovers takes what was found in a window at some time, and is no longer on the
// server, which has told all that it holds of it. Another version may have read it: its
// builds say which.
func (f *backfill) takeLeftovers(ctx context.Context, from, to time.Time) {
	if f.source.Cache == nil || f.uncached {
		return
	}
	list, err := f.source.Cache.Leftovers(ctx, f.source.Name, f.cacheKey(), from, to)
	if err != nil { // see cachedRange
		f.source.statusf("nothing kept: %v", err)
		return
	}
	for _, hit := range list {
		if !f.seen[hit.ID] {
			f.seen[hit.ID] = true
			f.taken++
			f.hits = append(f.hits, hit)
			f.take(&summary{id: hit.ID, start: hit.Start, builds: hit.Builds, state: buildkit.Whole})
		}
	}
}

// save has what was found kept. The newest is not searched for good yet: traces
// arrive when their builds end.
func (f *backfill) save(c timeRange, reached time.Time) {
	if f.source.Cache == nil || f.uncached || f.truncated {
		return
	}
	until := f.source.Now().Add(-max(settled, 2*f.longest))
	if f.newest.Before(until) {
		until = f.newest
	}
	if !f.firstOpen.IsZero() && f.firstOpen.Before(until) {
		until = f.firstOpen
	}
	from := reached
	if !c.to.IsZero() {
		switch {
		case until.Before(c.from): // older builds than are kept
			return
		case !reached.After(c.to): // it joins what is kept
			if c.from.Before(from) {
				from = c.from
			}
			if c.to.After(until) {
				until = c.to
			}
		}
	}
	if !from.Before(until) || from.Equal(c.from) && until.Equal(c.to) {
		return
	}
	found := slices.DeleteFunc(f.hits, func(hit fetch.Hit) bool { return !hit.Start.Before(until) })
	f.source.unsaved = append(f.source.unsaved, fetch.Search{Question: f.cacheKey(), From: from, To: until, Hits: found})
}
