package traces

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/buildkit"
)

// A trace arrives in parts, and nobody says which is the last. It is asked for again
// until it has what ends a build, and has not changed for as long as tracers take to
// send more. Where the build is not named, an older one may be all that has arrived:
// for a few seconds it is not taken.

// How long a trace must not have changed to count as arrived. Tracers send every
// five seconds what they have; only a daemon that tells of the end has sent all.
const (
	stillWhole = time.Second
	stillEnded = 6 * time.Second
	longAgo    = 20 * time.Second // since the end of a build whose trace is not waited for
)

// How long is waited.
const (
	pause  = time.Second      // between two looks at what is still arriving
	appear = 30 * time.Second // for a trace of which nothing has arrived
	fresh  = 7 * time.Second  // for the build that was just made, where an older one is there
	quiet  = time.Minute      // for more of a trace that has no end
)

// waitComplete looks for what is wanted until it is there and whole. implicit tells that
// nobody asked for it by name: it is the build that was just made.
func (s *Source) waitComplete(ctx context.Context, wants []fetch.Selector, implicit bool) ([]*summary, []error, error) {
	defer s.statusf("")
	began := s.Now()
	until := deadline(ctx, began)
	changed := map[string]change{}
	most := appear
	if !until.IsZero() {
		most = min(most, until.Sub(began))
	}
	told := false
	tell := func(format string, args ...any) {
		if !told && s.Missing != nil {
			s.Missing(fmt.Sprintf(format, args...))
		}
		told = true
	}
	for {
		tooEarly := implicit && s.Now().Sub(began) < fresh
		found, err := s.poll(ctx, wants, tooEarly)
		now := s.Now()
		switch {
		case errors.Is(err, ErrNoTrace):
			if now.Sub(began) >= most {
				return nil, nil, &ServerError{s.Name, fmt.Errorf("no trace of the build: looked for %s, for %s", describe(wants, s.Services), now.Sub(began).Round(time.Second)), hintNotFound}
			}
			tell("for %s, %s at most: nothing of it is there yet", describe(wants, s.Services), most.Round(time.Second))
			s.statusf("%s of %s: no trace yet of %s", now.Sub(began).Round(time.Second), most.Round(time.Second), describe(wants, s.Services))
		case err != nil:
			return nil, nil, err
		default:
			wait := incomplete(found, changed, now)
			late := !until.IsZero() && !now.Before(until)
			if wait == nil && tooEarly && !late && isOld(found, wants, began) {
				s.statusf("the newest build has ended %s ago: is there one that has not arrived?", now.Sub(found[0].end).Round(time.Second))
				break
			}
			if wait == nil {
				return found, nil, nil
			}
			still := now.Sub(changed[wait.id].at)
			if wait.state == buildkit.Open && (late || still >= quiet) {
				return nil, nil, &ServerError{s.Name, fmt.Errorf("trace %s has no end: %d spans came, the last %s ago", wait.id, wait.spans, still.Round(time.Second)), hintNotEnded}
			}
			if late {
				return found, []error{&ServerError{s.Name, fmt.Errorf("trace %s was still growing when it was judged: steps may lack", wait.id), ""}}, nil
			}
			if wait.state == buildkit.Open {
				tell("for the end of trace %s, until nothing of it has come for %s: %d spans so far", wait.id, quiet, wait.spans)
			}
			s.statusf("%s: %d spans so far of trace %s", now.Sub(began).Round(time.Second), wait.spans, wait.id)
		}
		if err := s.Sleep(ctx, pause); err != nil {
			return nil, nil, err
		}
	}
}

// isOld tells whether what was found, the newest first, may have been there before
// the build that is meant: it had ended long before that was looked for, and is
// not it by name.
func isOld(found []*summary, wants []fetch.Selector, began time.Time) bool {
	newest := found[0]
	return newest.id != wants[0].TraceID && began.Sub(newest.end) > longAgo
}

// A change is when a trace last had another number of spans.
type change struct {
	spans int
	at    time.Time
}

// incomplete returns a trace that has to be waited for, nil if none has.
func incomplete(found []*summary, changed map[string]change, now time.Time) *summary {
	var wait *summary
	for _, t := range found {
		last, seen := changed[t.id]
		if !seen || last.spans != t.spans {
			last = change{t.spans, now}
			changed[t.id] = last
		}
		still := now.Sub(last.at)
		switch {
		case t.rootless: // it may come in an hour, when the run ends
		case t.state != buildkit.Open && now.Sub(t.end) > longAgo && t.end.Before(now),
			t.state == buildkit.Whole && still >= stillWhole,
			(t.state == buildkit.Ended || t.state == buildkit.Foreign) && still >= stillEnded:
		default:
			wait = t
		}
	}
	return wait
}

// deadline is when looking must end so that time is left to find a history, the
// zero time if ctx has none.
func deadline(ctx context.Context, now time.Time) time.Time {
	end, ok := ctx.Deadline()
	if !ok {
		return time.Time{}
	}
	return end.Add(-end.Sub(now) / 4)
}

func (s *Source) statusf(format string, args ...any) {
	if s.Waiting != nil {
		s.Waiting(fmt.Sprintf(format, args...))
	}
}

// describe says what is looked for.
func describe(wants []fetch.Selector, services []string) string {
	var parts []string
	for _, w := range wants {
		switch {
		case w.TraceID != "":
			parts = append(parts, "trace "+w.TraceID)
		case w.RunID != "":
			parts = append(parts, attributeRun+"="+w.RunID)
		case w.Revision != "":
			parts = append(parts, attributeRevision+"="+w.Revision)
		default:
			parts = append(parts, "any build of the last day")
		}
	}
	return strings.Join(parts, ", or ") + " of service " + strings.Join(services, " or ")
}
