package detect

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// withQueue makes runs of a pipeline with one long step among short ones, on a clock of
// whole seconds.
func withQueue(branch string, n int, rng *rand.Rand, queue time.Duration, slower float64) timeline.Build {
	whole := func(d time.Duration) time.Duration { return d.Round(time.Second) }
	b := newBuild(
		branch, n,
		ran("waiting for a runner", whole(queue)),
		ran("set up", whole(noisy(rng, seconds(20), 0.3)), "waiting for a runner"),
		ran("checkout", whole(noisy(rng, seconds(2), 0.1)), "set up"),
		ran("restore", whole(noisy(rng, seconds(3), 0.1)), "checkout"),
		ran("make test", whole(time.Duration(slower*float64(noisy(rng, seconds(75), 0.04)))), "restore"),
		ran("upload", whole(noisy(rng, seconds(4), 0.1)), "make test"),
	)
	b.Resolution, b.Trace = time.Second, b.ID
	for i := range b.Steps {
		s := &b.Steps[i]
		s.Stage, s.Key = "test (1.26)", "[test (1.26)] "+s.Name
	}
	b.Steps[0].Stage, b.Steps[1].Stage = timeline.StageQueue, timeline.StageSetup
	return b
}

// Whatever a job waits for a machine: no verdict and no runner's factor comes of it, its
// cost is told, and that it is unusual is a status that may be failed on.
func TestQueueIsNobodysWork(t *testing.T) {
	const many = 40
	found, alarms := 0, 0
	for seed := range uint64(many) {
		rng := rand.New(rand.NewPCG(seed, 1))
		h := &History{BaseBranch: "main"}
		for n := range 30 {
			h.Base = append([]timeline.Build{withQueue("main", n, rng, seconds(2+8*rng.Float64()), 1)}, h.Base...)
		}
		b := withQueue("pr", 100, rng, seconds(120), 1)
		r := Judge(&b, h, defaults)
		if r.Verdict == Regressed {
			alarms++
		}
		queue := stepOf(t, &r, "waiting for a runner")
		if queue.Status != StatusWaiting || !queue.Critical || queue.WallClockSeconds.D() < seconds(100) || len(queue.History) != 30 {
			t.Errorf("seed %d: %v, critical %v, cost %v, %d before it", seed, queue.Status, queue.Critical, queue.WallClockSeconds, len(queue.History))
		}
		if r.Fails([]string{Regressed.String()}) && r.Verdict != Regressed || !r.Fails([]string{StatusWaiting.String()}) {
			t.Errorf("seed %d: it fails by %v", seed, r.Counts)
		}
		if r.RunnerFactor != nil {
			t.Errorf("seed %d: a factor out of %d steps", seed, r.RunnerFactor.Steps)
		}
		if !r.Cache.Untold {
			t.Errorf("seed %d: the cache is told of", seed)
		}
		slow := withQueue("pr", 100, rng, seconds(5), 1.6)
		r = Judge(&slow, h, defaults)
		if status := stepOf(t, &r, "make test").Status; status == StatusSlower || status == StatusSuspect {
			found++
		}
	}
	if alarms > 1 || found < many {
		t.Errorf("of %d runs %d are false alarms, and %d of those that are slower are found", many, alarms, found)
	}
}

// What jobs waited is one part of the account, whichever of them it was, and none of it is
// the machine's.
func TestQueueIsOnePart(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	h := &History{BaseBranch: "main"}
	for n := range 30 {
		h.Base = append([]timeline.Build{withQueue("main", n, rng, seconds(4), 1)}, h.Base...)
	}
	b := withQueue("pr", 100, rng, seconds(64), 1)
	r := Judge(&b, h, defaults)
	var sum, queue timeline.Seconds
	for _, p := range r.WallClock.Parts {
		sum += p.Seconds
		if p.Cause == CauseQueue {
			queue += p.Seconds
		}
		if p.Step == b.Steps[0].Key {
			t.Errorf("the wait is told as %+v", p)
		}
	}
	if queue.D() != seconds(60) || sum != r.WallClock.Delta {
		t.Errorf("%v in the queue of %v: %+v", queue, r.WallClock.Delta, r.WallClock.Parts)
	}
}
