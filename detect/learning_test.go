package detect

import (
	"math/rand/v2"
	"testing"

	"github.com/buildregress/buildregress/detect/timeline"
)

// What an older version wrote by another rule is no sample, makes no step new, and is not
// missed; all else is compared as ever.
func TestOlderReaders(t *testing.T) {
	const from, run, pull = "[b 1/2] FROM alpine", "[b 2/2] RUN make", "pull alpine"
	history := func(newer int) *History {
		h := mainHistory(20, func(n int, rng *rand.Rand) []stepSpec {
			if n >= 20-newer {
				return []stepSpec{ran(from, seconds(8)), ran(pull, seconds(8)), ran(run, noisy(rng, seconds(20), .03))}
			}
			return []stepSpec{ran(from, seconds(.011)), ran("[export] exporting to cache", seconds(5)), ran(run, noisy(rng, seconds(20), .03))}
		})
		for i := range h.Base[:newer] { // newest first
			h.Base[i].Reader = timeline.ReaderVersion
			h.Base[i].Steps[0].Rule, h.Base[i].Steps[1].Rule = 1, 1
		}
		return h
	}
	judge := func(h *History, took ...float64) *Result {
		b := newBuild("pr", 100, ran(from, seconds(took[0])), ran(pull, seconds(took[1])), ran(run, seconds(took[2])))
		b.Reader, b.Steps[0].Rule, b.Steps[1].Rule = timeline.ReaderVersion, 1, 1
		return new(Judge(&b, h, defaults))
	}
	r := judge(history(0), 8, 8, 20)
	for _, name := range []string{from, pull} {
		if s := stepOf(t, r, name); s.Status != StatusUnjudged || s.Reason.Kind != KindOtherReader {
			t.Errorf("%s is %v: %v; want it to learn anew", name, s.Status, s.Reason)
		}
	}
	wantStatus(t, stepOf(t, r, run), StatusSame)
	if r.Verdict != Pass || r.Counts[StatusGone] > 0 {
		t.Errorf("%v (%v), %v", r.Verdict, r.Reason, r.Counts)
	}
	for _, p := range r.WallClock.Parts {
		if p.Step != "" && (p.Step != "[b] RUN make" || p.Seconds.D().Abs() > seconds(0.05)) {
			t.Errorf("the account blames %s: %v", p.Step, p.Seconds)
		}
	}
	wantStatus(t, stepOf(t, judge(history(0), 8, 8, 60), run), StatusSlower)

	r = judge(history(2), 8, 8, 20)
	if s := stepOf(t, r, from); s.Status != StatusUnjudged || len(s.Notes) != 1 || s.Notes[0].Kind != KindOtherReader {
		t.Errorf("by two samples %s is %v: %v, %v", from, s.Status, s.Reason, s.Notes)
	}
	r = judge(history(12), 80, 8, 20)
	wantStatus(t, stepOf(t, r, from), StatusSlower)
	if s := stepOf(t, r, from); len(s.Notes) > 0 || s.N != 12 {
		t.Errorf("by %d samples it is told %v", s.N, s.Notes)
	}
}

// A step of another rule continues none that was edited.
func TestOlderReadersAreNotContinued(t *testing.T) {
	h := mainHistory(20, func(int, *rand.Rand) []stepSpec {
		return []stepSpec{ran("[b 1/2] RUN <<EOT (set -ex...)", seconds(5)), ran("[b 2/2] RUN make", seconds(9))}
	})
	b := newBuild("pr", 100, ran("[b 1/2] RUN <<EOT (set -ex...) make all", seconds(50)), ran("[b 2/2] RUN make", seconds(9)))
	b.Reader, b.Steps[0].Rule = 1, 1
	r := Judge(&b, h, defaults)
	if s := &r.Steps[0]; s.Status != StatusUnjudged || s.Reason.Kind != KindOtherReader {
		t.Errorf("%v: %v, %v", s.Status, s.Reason, s.Notes)
	}
}
