package fetch

import (
	"context"
	"time"
)

// Plausible tells whether a build or a step can have begun at t: from 1971 to 2200,
// each of which nanoseconds since 1970 can tell. In 1970 are the clocks that were
// never set, and the times that a zero stands for.
func Plausible(t time.Time) bool {
	y := t.UTC().Year()
	return 1971 <= y && y <= 2200
}

// PlausibleOrZero is t in UTC, or the zero time, which is none, if no build can
// have had it.
func PlausibleOrZero(t time.Time) time.Time {
	if !Plausible(t) {
		return time.Time{}
	}
	return t.UTC()
}

// Sleep waits for as long as d, or until ctx ends, which is its error.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
