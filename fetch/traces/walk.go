package traces

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/buildkit"
)

// A walk goes back in time through what a question finds, in windows, until there
// is enough. No server promises an order or to send the newest: only of a window
// whose answer is smaller than the limit is everything known. Each window is made
// as large as the ones before say that it must be.
type walk struct {
	o              *Source
	q              Question
	newest, oldest time.Time
	first          time.Duration // of the first window; 0 is an hour
	aim            int           // traces that will do; 0 is unknown
	take           func(*summary)
	enough         func() bool
	own            string // the trace of the build that is judged, "" if there is none
	afresh         bool   // nothing is kept of it: what is found may yet be growing

	seen   map[string]bool
	got    int       // traces taken, that of the build itself left out
	opened time.Time // start of the first trace that had not ended, or zero
	longer time.Duration
	found  []fetch.Hit
	cut    bool // a window had more traces than can be asked for
}

const (
	firstWindow = time.Hour
	leastWindow = time.Second
	widest      = 32 // times the window before, if that held some
	blind       = 4  // times, if it held none
)

// run walks. What was taken before an error holds.
func (w *walk) run(ctx context.Context) error {
	w.seen = map[string]bool{}
	kept, err := w.kept(ctx)
	if err != nil {
		return err
	}
	bounds := w.o.server.Bounds()
	if bounds.Limit > 0 {
		w.q.Limit = min(w.q.Limit, bounds.Limit)
	}
	window := w.first
	if window == 0 {
		window = firstWindow
	}
	to, shrunk := w.newest, false
	for to.After(w.oldest) && !w.enough() {
		if kept.covers(to) {
			if to, err = w.takeKept(ctx, kept, to); err != nil {
				return err
			}
			continue
		}
		if bounds.Range > 0 {
			window = min(window, bounds.Range)
		}
		from := to.Add(-window)
		if from.Before(w.oldest) {
			from = w.oldest
		}
		if kept.covers(kept.to) && kept.to.Before(to) && kept.to.After(from) {
			from = kept.to
		}
		n, err := w.window(ctx, from, to)
		var limit *LimitError
		switch {
		case errors.As(err, &limit) && w.q.Limit > 1: // as search_depth of Jaeger's
			w.q.Limit /= 2
			continue
		case err != nil:
			return err
		case n >= w.q.Limit && to.Sub(from) > leastWindow:
			window = max(leastWindow, to.Sub(from)/4)
			shrunk = true
			continue
		case n >= w.q.Limit:
			w.cut = true
		}
		to = from
		window = w.next(window, w.newest.Sub(to), shrunk)
	}
	w.keep(kept, to)
	return nil
}

// next is how large the next window should be, after all until now found w.got in
// a time.
func (w *walk) next(window, searched time.Duration, shrunk bool) time.Duration {
	most := widest * window
	if shrunk {
		most = 2 * window
	}
	if w.got == 0 || w.aim == 0 {
		return min(most, blind*window)
	}
	const more = 1.15 // as builds do not come evenly
	missing := max(1, w.aim-w.got)
	return max(window/4, leastWindow, min(most, time.Duration(more*float64(missing)*float64(searched)/float64(w.got))))
}

// window asks about one window, and tells how many traces the server named.
func (w *walk) window(ctx context.Context, from, to time.Time) (int, error) {
	q := w.q
	q.From, q.To = from, to
	q.Has = func(id string) bool { return w.seen[id] }
	q.Warn = func(err error) { w.o.note("left out: %v", err) }
	most := 1000 + 10*q.Limit // some servers send more than they are asked for
	here, torn := map[string]bool{}, map[string]bool{}
	var found []*summary
	n, err := w.o.server.Search(ctx, q, func(id string, spans []buildkit.Span) error {
		if here[id] { // it came in pieces
			torn[id] = true
			return ctx.Err()
		}
		if len(here) == most {
			return fmt.Errorf("the answer has more than %d traces, of %d that were asked for", most, q.Limit)
		}
		here[id] = true
		if t := w.consider(id, spans, q); t != nil {
			found = append(found, t)
		}
		return ctx.Err()
	})
	for _, t := range found {
		if !torn[t.id] {
			w.accept(t)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(torn)) {
		if err != nil {
			break
		}
		var spans []buildkit.Span
		switch spans, err = w.o.server.Trace(ctx, id); {
		case errors.Is(err, ErrNoTrace): // it is gone by now
			err = nil
		case err == nil:
			if t := w.consider(id, spans, q); t != nil {
				w.accept(t)
			}
		}
	}
	return n, err
}

// consider makes a summary of a trace, nil if it is not what q asks for or was
// accepted before.
func (w *walk) consider(id string, spans []buildkit.Span, q Question) *summary {
	if w.seen[id] || !matches(id, spans, q) {
		return nil
	}
	t := w.o.summarise(id, spans, []string{q.Service})
	if !t.inTime(q.From, q.To) || t.start.After(w.newest) {
		return nil
	}
	return &t
}

// accept takes a trace.
func (w *walk) accept(t *summary) {
	w.seen[t.id] = true
	w.longer = max(w.longer, t.end.Sub(t.start))
	if t.state == buildkit.Open && w.o.Now().Sub(t.end) < abandoned && (w.opened.IsZero() || t.start.Before(w.opened)) {
		w.opened = t.start
	}
	kept := fetch.Hit{ID: t.id, Start: t.start}
	if t.state != buildkit.Open {
		kept.Builds = t.builds
	}
	w.found = append(w.found, kept)
	if t.id != w.own {
		w.got++
	}
	w.take(t)
}

// settled is how long ago must be what was searched for good: until then, traces of
// that time may yet arrive.
const settled = 10 * time.Minute

// abandoned is how long after its last span a trace without an end is one that
// will not have one.
const abandoned = 24 * time.Hour

// question is how the search is called where it is kept.
func (w *walk) question() string {
	b, _ := json.Marshal(struct { // strings always marshal
		Service string
		Tags    map[string]string
		Tenant  string `json:",omitempty"`
	}{w.q.Service, w.q.Tags, w.o.Tenant})
	return string(b)
}

// covered is the span of time that was searched before.
type covered struct{ from, to time.Time }

func (c covered) covers(t time.Time) bool { return t.After(c.from) && !t.After(c.to) }

func (w *walk) kept(ctx context.Context) (c covered, err error) {
	if w.o.Cache == nil || w.afresh {
		return c, nil
	}
	c.from, c.to, err = w.o.Cache.Range(ctx, w.o.Name, w.question())
	if err != nil { // what keeps nothing is slow, no more
		w.o.say("nothing kept: %v", err)
		return covered{}, ctx.Err()
	}
	if c.to.After(w.o.Now()) {
		// Whoever kept it was ahead of the time: when it was searched is unknown.
		return covered{}, nil
	}
	return c, nil
}

// takeKept takes what was kept of the time before to, and returns where to go on.
func (w *walk) takeKept(ctx context.Context, c covered, to time.Time) (time.Time, error) {
	const page = 100
	for !w.enough() {
		list, err := w.o.Cache.Hits(ctx, w.o.Name, w.question(), to, page)
		if err != nil {
			return to, err
		}
		for _, f := range list {
			if f.Start.Before(w.oldest) {
				return w.oldest, nil
			}
			if !w.enough() && !w.seen[f.ID] {
				w.seen[f.ID] = true
				w.got++
				w.take(&summary{id: f.ID, start: f.Start, builds: f.Builds, state: buildkit.Whole})
			}
			to = f.Start
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

// keep has what was found kept. The newest is not searched for good yet: traces
// arrive when their builds end.
func (w *walk) keep(c covered, reached time.Time) {
	if w.o.Cache == nil || w.afresh || w.cut {
		return
	}
	until := w.o.Now().Add(-max(settled, 2*w.longer))
	if w.newest.Before(until) {
		until = w.newest
	}
	if !w.opened.IsZero() && w.opened.Before(until) {
		until = w.opened
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
	found := slices.DeleteFunc(w.found, func(f fetch.Hit) bool { return !f.Start.Before(until) })
	w.o.unkept = append(w.o.unkept, fetch.Search{Question: w.question(), From: from, To: until, Hits: found})
}

// A LimitError is a server's answer to a question for more traces than it gives.
type LimitError struct{ Err error }

func (e *LimitError) Error() string { return fmt.Sprintf("too many traces asked for: %v", e.Err) }
func (e *LimitError) Unwrap() error { return e.Err }
