package traces

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/buildkit"
)

// A backfill goes back in time through what a question finds, in windows, until
// there is enough. No server promises an order or to send the newest: only of a
// window whose answer is smaller than the limit is everything known. Each window is
// made as large as the ones before say that it must be.
type backfill struct {
	source         *Source
	question       Question
	newest, oldest time.Time
	initial        time.Duration // length of the first window; 0 is an hour
	target         int           // traces that will do; 0 is unknown
	take           func(*summary)
	enough         func() bool
	ownTrace       string // of the build that is judged, "" if there is none
	uncached       bool   // nothing is kept of it: what is found may yet be growing

	seen      map[string]bool
	taken     int       // traces, that of the build itself left out
	firstOpen time.Time // start of the first trace that had not ended, or zero
	longest   time.Duration
	hits      []fetch.Hit
	truncated bool // a window had more traces than can be asked for
}

const (
	firstWindow = time.Hour
	minWindow   = time.Second
	growMost    = 32 // times the window before, if that held some
	growEmpty   = 4  // times, if it held none
)

// run goes back. What was taken before an error holds.
func (f *backfill) run(ctx context.Context) error {
	f.seen = map[string]bool{}
	cached, err := f.cachedRange(ctx)
	if err != nil {
		return err
	}
	bounds := f.source.server.Bounds()
	if bounds.Limit > 0 {
		f.question.Limit = min(f.question.Limit, bounds.Limit)
	}
	window := f.initial
	if window == 0 {
		window = firstWindow
	}
	to, shrunk := f.newest, false
	for to.After(f.oldest) && !f.enough() {
		if cached.covers(to) {
			if to, err = f.takeCached(ctx, cached, to); err != nil {
				return err
			}
			continue
		}
		if bounds.Range > 0 {
			window = min(window, bounds.Range)
		}
		from := to.Add(-window)
		if from.Before(f.oldest) {
			from = f.oldest
		}
		if cached.covers(cached.to) && cached.to.Before(to) && cached.to.After(from) {
			from = cached.to
		}
		n, err := f.window(ctx, from, to)
		var limit *LimitError
		switch {
		case errors.As(err, &limit) && f.question.Limit > 1: // as search_depth of Jaeger's
			f.question.Limit /= 2
			continue
		case err != nil:
			return err
		case n >= f.question.Limit && to.Sub(from) > minWindow:
			window = max(minWindow, to.Sub(from)/4)
			shrunk = true
			continue
		case n >= f.question.Limit:
			f.truncated = true
		default:
			f.takeLeftovers(ctx, from, to)
		}
		to = from
		window = f.nextWindow(window, f.newest.Sub(to), shrunk)
	}
	f.save(cached, to)
	return nil
}

// nextWindow is how large the next window should be, after all until now found f.taken in
// a time.
func (f *backfill) nextWindow(window, searched time.Duration, shrunk bool) time.Duration {
	most := growMost * window
	if shrunk {
		most = 2 * window
	}
	if f.taken == 0 || f.target == 0 {
		return min(most, growEmpty*window)
	}
	const more = 1.15 // as builds do not come evenly
	missing := max(1, f.target-f.taken)
	return max(window/4, minWindow, min(most, time.Duration(more*float64(missing)*float64(searched)/float64(f.taken))))
}

// window asks about one window, and tells how many traces the server named.
func (f *backfill) window(ctx context.Context, from, to time.Time) (int, error) {
	q := f.question
	q.From, q.To = from, to
	q.Has = func(id string) bool { return f.seen[id] }
	q.Warn = func(err error) { f.source.note("left out: %v", err) }
	most := 1000 + 10*q.Limit // some servers send more than they are asked for
	inAnswer, split := map[string]bool{}, map[string]bool{}
	var found []*summary
	n, err := f.source.server.Search(ctx, q, func(id string, spans []buildkit.Span) error {
		if inAnswer[id] { // it came in pieces
			split[id] = true
			return ctx.Err()
		}
		if len(inAnswer) == most {
			return fmt.Errorf("the answer has more than %d traces, of %d that were asked for", most, q.Limit)
		}
		inAnswer[id] = true
		if t := f.consider(id, spans, q); t != nil {
			found = append(found, t)
		}
		return ctx.Err()
	})
	for _, t := range found {
		if !split[t.id] {
			f.accept(t)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(split)) {
		if err != nil {
			break
		}
		var spans []buildkit.Span
		switch spans, err = f.source.server.Trace(ctx, id); {
		case errors.Is(err, ErrNoTrace): // it is gone by now
			err = nil
		case err == nil:
			if t := f.consider(id, spans, q); t != nil {
				f.accept(t)
			}
		}
	}
	return n, err
}

// consider makes a summary of a trace, nil if it is not what q asks for or was
// accepted before.
func (f *backfill) consider(id string, spans []buildkit.Span, q Question) *summary {
	if f.seen[id] || !matches(id, spans, q) {
		return nil
	}
	t := f.source.summarize(id, spans, []string{q.Service})
	if !t.inTime(q.From, q.To) || t.start.After(f.newest) {
		return nil
	}
	return &t
}

// accept takes a trace.
func (f *backfill) accept(t *summary) {
	f.seen[t.id] = true
	f.longest = max(f.longest, t.end.Sub(t.start))
	if t.state == buildkit.Open && f.source.Now().Sub(t.end) < abandoned && (f.firstOpen.IsZero() || t.start.Before(f.firstOpen)) {
		f.firstOpen = t.start
	}
	hit := fetch.Hit{ID: t.id, Start: t.start}
	if t.state != buildkit.Open {
		hit.Builds = t.builds
	}
	f.hits = append(f.hits, hit)
	if t.id != f.ownTrace {
		f.taken++
	}
	f.take(t)
}

// abandoned is how long after its last span a trace without an end is one that
// will not have one.
const abandoned = 24 * time.Hour
