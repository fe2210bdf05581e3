package detect

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
)

// withPull makes builds of an image that is pulled, in which the pull is a part of FROM.
func withPull(branch string, n int, pull time.Duration) timeline.Build {
	b := newBuild(
		branch, n,
		ran("[internal] load metadata for base:1", seconds(0.2)),
		ran("[1/3] FROM base:1", pull+seconds(0.4), "[internal] load metadata for base:1"),
		ran("[2/3] COPY . .", seconds(0.5), "[1/3] FROM base:1"),
		ran("[3/3] RUN make", seconds(20), "[2/3] COPY . ."),
	)
	from := &b.Steps[1]
	from.Inputs = append(from.Inputs, "pull")
	b.Steps = append(b.Steps, timeline.Step{
		ID: "pull", Name: "pull base:1", Key: dockerfile.Key("", timeline.StagePull, "pull base"), Stage: timeline.StagePull,
		Start: from.Start.Add(seconds(0.1)), Duration: pull,
	})
	return b
}

// What a part of a step took is told of the part, once.
func TestAccountOfParts(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	h := &History{BaseBranch: "main"}
	for n := range 20 {
		h.Base = append([]timeline.Build{withPull("main", n, noisy(rng, seconds(3), 0.05))}, h.Base...)
	}
	b := withPull("pr", 100, seconds(40))
	r := Judge(&b, h, defaults)
	pull, from := stepOf(t, &r, "pull base:1"), stepOf(t, &r, "[1/3] FROM base:1")
	if pull.Status != StatusSlower || !pull.Critical || pull.WallClockSeconds.D() < seconds(36) {
		t.Errorf("the pull is %v, critical %v, costs %v", pull.Status, pull.Critical, pull.WallClockSeconds.D())
	}
	if from.WallClockSeconds.D().Abs() > seconds(0.5) || !from.Critical {
		t.Errorf("FROM costs %v beside its pull, critical %v", from.WallClockSeconds.D(), from.Critical)
	}
	if first := r.WallClock.Parts[0]; r.Verdict != Regressed || first.Step != pull.Key {
		t.Errorf("%v: the account begins with %+v", r.Verdict, first)
	}
	if last := r.WallClock.Parts[len(r.WallClock.Parts)-1]; last.Seconds.D().Abs() > seconds(0.5) {
		t.Errorf("rest %v", last.Seconds.D())
	}
}

// An image that most builds found, and a few pulled, is no saving beside what the pull of
// this build took.
func TestAccountOfRarePulls(t *testing.T) {
	for _, pulls := range []int{2, 7} {
		rng := rand.New(rand.NewPCG(5, uint64(pulls)))
		h := &History{BaseBranch: "main"}
		for n := range 20 {
			pulled := n%10 == 3 || pulls == 7 && n%4 == 1
			took := -seconds(0.4) // nothing, of all of FROM
			if pulled {
				took = noisy(rng, seconds(30), 0.05)
			}
			past := withPull("main", n, took)
			if !pulled {
				past.Steps = past.Steps[:len(past.Steps)-1]
				from := &past.Steps[1]
				from.State, from.Duration, from.Inputs = timeline.Cached, 0, from.Inputs[:1]
			}
			h.Base = append([]timeline.Build{past}, h.Base...)
		}
		b := withPull("pr", 100, seconds(31))
		r := Judge(&b, h, defaults)
		for _, part := range r.WallClock.Parts {
			if part.Seconds.D() < -seconds(2) {
				t.Errorf("%d pulls: %+v saves", pulls, part)
			}
		}
		from := stepOf(t, &r, "[1/3] FROM base:1")
		if from.WallClockSeconds.D().Abs() > seconds(1) {
			t.Errorf("%d pulls: FROM costs %v beside its pull", pulls, from.WallClockSeconds.D())
		}
	}
}

// A stage that is called "pull" has no part in this.
func TestStageCalledPull(t *testing.T) {
	b := newBuild("main", 1, ran("[pull 1/2] FROM a", seconds(1)), ran("[pull 2/2] RUN b", seconds(2), "[pull 1/2] FROM a"))
	if g := timeline.NewGraph(&b); !g.Linked || len(g.Parts[1]) > 0 || len(g.CriticalPath()) != 2 {
		t.Errorf("linked %v, parts %v, path %v", g.Linked, g.Parts, g.CriticalPath())
	}
}

// After a level has shifted, the account compares with the level that the steps are
// judged by.
func TestAccountAfterShift(t *testing.T) {
	h := mainHistory(30, func(n int, rng *rand.Rand) []stepSpec {
		took := seconds(20)
		if n >= 22 {
			took = seconds(35)
		}
		return []stepSpec{ran("[1/2] COPY . .", seconds(1)), ran("[2/2] RUN make", noisy(rng, took, 0.01), "[1/2] COPY . .")}
	})
	b := newBuild("pr", 100, ran("[1/2] COPY . .", seconds(1)), ran("[2/2] RUN make", seconds(35), "[1/2] COPY . ."))
	r := Judge(&b, h, defaults)
	if s := stepOf(t, &r, "[2/2] RUN make"); s.Cut == "" {
		t.Fatal("the level of make did not shift")
	}
	if r.WallClock.Delta.D().Abs() > seconds(1) {
		t.Errorf("%v of wall clock too many, %+v", r.WallClock.Delta.D(), r.WallClock.Parts)
	}
}

// Many small differences are named before they are the largest part.
func TestAccountNamesSmall(t *testing.T) {
	names := []string{"[1/6] RUN a", "[2/6] RUN b", "[3/6] RUN c", "[4/6] RUN d", "[5/6] RUN e", "[6/6] RUN f"}
	chain := func(took time.Duration) (list []stepSpec) {
		for i, name := range names {
			list = append(list, ran(name, took+time.Duration(i)*time.Millisecond, names[max(0, i-1)]))
		}
		return list
	}
	h := mainHistory(20, func(int, *rand.Rand) []stepSpec { return chain(seconds(5)) })
	b := newBuild("pr", 100, chain(seconds(5.9))...)
	r := Judge(&b, h, Policy{Thresholds: Thresholds{MinDelta: timeline.Seconds(2 * time.Second)}})
	other, largest := time.Duration(0), time.Duration(0)
	for _, p := range r.WallClock.Parts {
		if p.Cause == CauseOther {
			other = p.Seconds.D().Abs()
		} else {
			largest = max(largest, p.Seconds.D().Abs())
		}
	}
	if other > largest {
		t.Errorf("other steps are the largest part: %+v", r.WallClock.Parts)
	}
}

// What another build did before this one began is no cost of this one.
func TestAccountOfSharedStep(t *testing.T) {
	h := mainHistory(20, func(_ int, rng *rand.Rand) []stepSpec {
		return []stepSpec{ran("[1/1] RUN make", noisy(rng, seconds(10), 0.02))}
	})
	b := newBuild("pr", 100, ran("[1/1] RUN make", seconds(40)))
	b.Start, b.Duration = b.Start.Add(seconds(30)), seconds(10)
	r := Judge(&b, h, defaults)
	if s := stepOf(t, &r, "[1/1] RUN make"); s.WallClockSeconds.D() > seconds(1) || r.Verdict == Regressed {
		t.Errorf("%v: costs %v of a build of 10 s", r.Verdict, s.WallClockSeconds.D())
	}
}
