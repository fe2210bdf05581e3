package detect

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// pulls is a history of builds that pull their image in about so long.
func pulls(took time.Duration) *History {
	rng := rand.New(rand.NewPCG(3, 4))
	h := &History{BaseBranch: "main"}
	for n := range 20 {
		h.Base = append([]timeline.Build{withPull("main", n, noisy(rng, took, 0.05))}, h.Base...)
	}
	return h
}

// A base image that is pulled slower is one finding, of the pull, and costs once.
func TestPullIsToldOnce(t *testing.T) {
	for _, test := range []struct {
		usual, now float64
		status     Status
	}{{3, 40, StatusSlower}, {40, 3, StatusFaster}} {
		b := withPull("pr", 100, seconds(test.now))
		r := Judge(&b, pulls(seconds(test.usual)), defaults)
		pull, from := stepOf(t, &r, "pull base:1"), stepOf(t, &r, "[1/3] FROM base:1")
		if pull.Status != test.status || from.Status != StatusUnjudged || from.Reason.Kind != KindToldOnce || r.Counts[test.status] != 1 {
			t.Errorf("%v s of %v s: the pull is %v, FROM %v (%v), counts %v", test.now, test.usual, pull.Status, from.Status, from.Reason, r.Counts)
		}
		var told timeline.Seconds
		for _, p := range r.WallClock.Parts {
			if p.Cause == CauseStep {
				told += p.Seconds
			}
		}
		if all := seconds(test.now - test.usual); (told.D() - all).Abs() > seconds(2) {
			t.Errorf("%v of %v are accounted for by steps", told.D(), all)
		}
	}
}

// What the step does besides its parts is a finding of its own.
func TestSlowerBesidesItsPull(t *testing.T) {
	b := withPull("pr", 100, seconds(3))
	from := &b.Steps[1]
	from.Duration += seconds(30)
	b.Duration += seconds(30)
	for i := 2; i < 4; i++ {
		b.Steps[i].Start = b.Steps[i].Start.Add(seconds(30))
	}
	r := Judge(&b, pulls(seconds(3)), defaults)
	if s := stepOf(t, &r, "[1/3] FROM base:1"); s.Status != StatusSlower || r.Verdict != Regressed {
		t.Errorf("FROM is %v, the build %v", s.Status, r.Verdict)
	}
}

// Where the whole proves what its part does not, it is the one that is told, with the cost
// of both.
func TestWholeProvesItsPart(t *testing.T) {
	b := withPull("pr", 100, seconds(40))
	h := pulls(seconds(3))
	r := Judge(&b, h, defaults)
	g := timeline.NewGraph(&b)
	from, pull := 1, 4
	r.Steps[from].Status, r.Steps[pull].Status = StatusSlower, StatusSuspect
	within := r.tellOnce(g)
	if !within[pull] || r.Steps[pull].Status != StatusUnjudged || r.Steps[from].Status != StatusSlower {
		t.Errorf("%v: FROM is %v, the pull %v", within, r.Steps[from].Status, r.Steps[pull].Status)
	}
	a := arrange(h.Base, nil, nil, []*timeline.Build{&b})
	a.within = within
	w := accountFor(&b, a, g, r.Steps, map[int]int{}, nil, &mood{}, r.Thresholds)
	if cost := r.Steps[from].WallClockSeconds.D(); cost < seconds(35) || w.Parts[0].Step != r.Steps[from].Key {
		t.Errorf("FROM costs %v, the account is %+v", cost, w.Parts)
	}
}
