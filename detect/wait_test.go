package detect

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// withWait makes builds in which a COPY waits for its cache key.
func withWait(branch string, n int, key time.Duration) timeline.Build {
	b := newBuild(
		branch, n,
		ran("[internal] load build context", seconds(1)),
		ran("cache key of COPY . . (a)", key, "[internal] load build context"),
		ran("[a 1/2] COPY . .", seconds(2), "cache key of COPY . . (a)"),
		ran("[a 2/2] RUN make", seconds(5), "[a 1/2] COPY . ."),
	)
	b.Steps[1].Stage, b.Steps[1].Key = timeline.StageWait, "[wait] cache key of COPY . . (a)"
	return b
}

// A wait is judged from a second on, whatever else is asked for; it is told in the account,
// and is no step that a cache could have spared.
func TestWaits(t *testing.T) {
	for _, test := range []struct {
		usual, now float64
		status     Status
	}{{0.05, 0.4, StatusSame}, {1, 9, StatusSlower}} {
		rng := rand.New(rand.NewPCG(1, 2))
		h := &History{BaseBranch: "main"}
		for n := range 20 {
			h.Base = append([]timeline.Build{withWait("main", n, noisy(rng, seconds(test.usual), 0.05))}, h.Base...)
		}
		b := withWait("pr", 100, seconds(test.now))
		r := Judge(&b, h, Policy{Thresholds: Thresholds{MinDelta: timeline.Seconds(seconds(0.03)), MinSlowdown: 0.1}})
		if s := stepOf(t, &r, "cache key of COPY . . (a)"); s.Status != test.status || !s.Critical {
			t.Errorf("%v s of %v s is %v, critical %v", test.now, test.usual, s.Status, s.Critical)
		}
		if r.Cache.Executed != 3 {
			t.Errorf("%d steps ran", r.Cache.Executed)
		}
		if p := r.WallClock.Parts[0]; p.Cause != CauseStep || p.Step != "[wait] cache key of COPY . . (a)" {
			t.Errorf("the account is %+v", r.WallClock.Parts)
		}
	}
}

// A wait that no build had before is no new step.
func TestWaitIsNotNew(t *testing.T) {
	h := &History{BaseBranch: "main"}
	for n := range 10 {
		b := withWait("main", n, seconds(1))
		b.Steps = append(b.Steps[:1:1], b.Steps[2:]...)
		h.Base = append([]timeline.Build{b}, h.Base...)
	}
	b := withWait("pr", 100, seconds(1))
	r := Judge(&b, h, defaults)
	if s := stepOf(t, &r, "cache key of COPY . . (a)"); s.Status != StatusUnjudged || s.Reason.Kind != KindNoHistory || r.Counts[StatusNew] > 0 {
		t.Errorf("%v: %v; counts %v", s.Status, s.Reason, r.Counts)
	}
}

// What a build had no need to wait for is not gone: an image that it found, a key that was
// there.
func TestPartsAndWaitsAreNotGone(t *testing.T) {
	h := &History{BaseBranch: "main"}
	for n := range 10 {
		b := withPull("main", n, seconds(5))
		wait := withWait("main", n, seconds(1)).Steps[1]
		wait.Inputs = nil
		b.Steps = append(b.Steps, wait)
		h.Base = append([]timeline.Build{b}, h.Base...)
	}
	b := withPull("pr", 100, seconds(5))
	b.Steps = b.Steps[:4]
	b.Steps[1].State, b.Steps[1].Duration, b.Steps[1].Inputs = timeline.Cached, 0, nil
	if r := Judge(&b, h, defaults); r.Counts[StatusGone] > 0 {
		t.Errorf("%d steps are gone", r.Counts[StatusGone])
	}
}
