package detect

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// This file holds what other tools were seen to get wrong.

// The same steps on another processor are 13 % slower, and on whose machine a build
// landed is known to nobody. None of its steps has changed.
func TestAnotherProcessor(t *testing.T) {
	processors := []float64{1, 1.07, 1.13}
	on := func(which []float64) *History {
		return mainHistory(30, func(_ int, rng *rand.Rand) []stepSpec { return thirty(rng, which[rng.IntN(len(which))]) })
	}
	rng := rand.New(rand.NewPCG(51, 52))
	for name, h := range map[string]*History{"seen before": on(processors), "never seen before": on(processors[:1])} {
		for n := range 10 {
			b := newBuild("pr", 100+n, thirty(rng, 1.13)...)
			r := Judge(&b, h, defaults)
			if len(flagged(&r)) > 0 || r.Counts[StatusFaster] > 0 || r.Verdict == Regressed {
				t.Errorf("%s, build %d: %v, flagged %q, %v", name, n, r.Verdict, flagged(&r), r.Counts)
			}
		}
	}
}

// A line for another package drops seven steps out of the cache: that is one finding,
// at the first of them.
func TestImageRebuild(t *testing.T) {
	chain := func(rng *rand.Rand, state timeline.State) []stepSpec {
		s := thirty(rng, 1)
		for i := range 7 {
			spec := stepSpec{Name: fmt.Sprintf("[tools %d/7] RUN apt-get install -y tool%c", i+1, 'a'+i), State: state}
			if state == timeline.Executed {
				spec.Took = noisy(rng, seconds(float64(20+10*i)), .05)
			}
			if i > 0 {
				spec.Inputs = []string{s[len(s)-1].Name}
			}
			s = append(s, spec)
		}
		return append(s, hit("[certs 1/1] RUN update-ca-certificates"))
	}
	h := mainHistory(30, func(_ int, rng *rand.Rand) []stepSpec { return chain(rng, timeline.Cached) })
	b := newBuild("pr", 100, chain(rand.New(rand.NewPCG(5, 5)), timeline.Executed)...)
	r := Judge(&b, h, defaults)
	if len(r.Cache.Losses) != 1 || r.Cache.Losses[0].Step != "[tools] RUN apt-get install -y toola" || len(r.Cache.Losses[0].Dragged) != 6 {
		t.Errorf("losses %+v", r.Cache.Losses)
	}
	if r.Counts[StatusCacheLost] != 1 || len(flagged(&r)) > 0 || r.Verdict != Pass {
		t.Errorf("%v, flagged %q, %v", r.Verdict, flagged(&r), r.Counts)
	}
	edited := newBuild("pr", 100, rename(chain(rand.New(rand.NewPCG(5, 5)), timeline.Executed), "[tools 1/7] RUN apt-get install -y toola", "[tools 1/7] RUN apt-get install -y toola jq")...)
	r = Judge(&edited, h, defaults)
	if len(r.Cache.Losses) != 1 || !r.Cache.Losses[0].Expected || r.Cache.Losses[0].Finding() || r.Verdict != Pass {
		t.Errorf("of an edited line: %+v, %v", r.Cache.Losses, r.Verdict)
	}
}

// A few slow builds of main that went by are no trend and no change of level, and
// what follows is as it was.
func TestBlipsOnTheBaseBranch(t *testing.T) {
	rng := rand.New(rand.NewPCG(61, 62))
	quiet := func(n int) (out []time.Duration) { // newest first
		for range n {
			out = append(out, noisy(rng, seconds(25), .02))
		}
		return out
	}
	in := func(s ...float64) (out []time.Duration) {
		for _, x := range s {
			out = append(out, seconds(x))
		}
		return out
	}
	for _, tt := range []struct {
		name    string
		history []time.Duration
	}{
		{"25, 33, 34, then 25", slices.Concat(in(34, 33), quiet(20))},
		{"25, 33, 34, 25, then 25", slices.Concat(in(25, 34, 33), quiet(20))},
		{"a spike", slices.Concat(in(100), quiet(20))},
		{"a spike, three builds ago", slices.Concat(quiet(2), in(100), quiet(20))},
		{"two spikes, some builds ago", slices.Concat(quiet(4), in(90, 100), quiet(20))},
		{"one fast build", slices.Concat(in(12), quiet(20))},
	} {
		h := historyOf(tt.history)
		b := newBuild("main", 100, ran(only, seconds(25)))
		r := Judge(&b, h, defaults)
		s := stepOf(t, &r, only)
		if s.Status != StatusSame || s.Cut != "" || len(s.Notes) > 0 || r.Verdict != Pass || s.Usual.D() < seconds(24) || s.Usual.D() > seconds(26) {
			t.Errorf("%s: %v (%v), usually %v, cut %q, notes %q", tt.name, s.Status, r.Verdict, s.Usual, s.Cut, s.Notes)
		}
	}
}

// The second push to a pull request is compared with main, not with the first one: a
// slowdown does not hide the same slowdown.
func TestSecondPush(t *testing.T) {
	h := appHistory(20)
	for n := range 4 {
		b := edit("pr", 100+n, slow(compile, 4))
		r := Judge(&b, h, defaults)
		if s := stepOf(t, &r, compile); s.Status != StatusSlower || s.Usual.D() > seconds(70) || slices.Contains(r.Baseline.IDs, "pr-100") {
			t.Errorf("push %d: %v, usually %v, compared with %q", n+1, s.Status, s.Usual, r.Baseline.IDs)
		}
		h.Branch = slices.Insert(h.Branch, 0, b)
	}
}

// After a change that was accepted, slowdowns are found as before once there are as
// many builds as a judgement takes, though the times from before are three times
// as long.
func TestPowerAfterAcceptance(t *testing.T) {
	accept := Policy{Thresholds: DefaultThresholds, Accept: []Acceptance{{Step: "*make compile*", Since: "main0030", Why: "less is compiled"}}}
	for _, by := range []float64{1. / 3, 3} {
		h := mainHistory(30+DefaultThresholds.MinHistory, func(n int, rng *rand.Rand) []stepSpec {
			if s := app(rng); n < 30 {
				return s
			} else {
				return slow(compile, by)(s)
			}
		})
		b := edit("pr", 100, slow(compile, 3*by))
		r := Judge(&b, h, accept)
		wantStatus(t, stepOf(t, &r, compile), StatusSlower)
		b = edit("pr", 101, slow(compile, by))
		r = Judge(&b, h, accept)
		wantStatus(t, stepOf(t, &r, compile), StatusSame)
	}
}

// On main, builds of several kinds of machine follow each other. Only those of one
// kind are evidence of it.
func TestEvidenceOnMixedRunners(t *testing.T) {
	const n = 24
	history := func(since int) *History {
		h := mainHistory(n, func(i int, rng *rand.Rand) []stepSpec {
			if i%2 == 1 && i >= since {
				return slow(compile, 3)(app(rng))
			}
			return app(rng)
		})
		for i := range h.Base { // newest first: number n-1, n-2 …
			h.Base[i].Runner = []string{"Linux/ARM64", "Linux/X64"}[i%2]
		}
		return h
	}
	tests := []struct {
		name     string
		since    int // builds on ARM64 are slower
		runner   string
		by       float64
		want     []Status
		evidence int
	}{
		{"two builds on ARM64 before this one", n - 3, "Linux/ARM64", 3, []Status{StatusSlower}, 3},
		{"the same, and it was fixed", n - 3, "Linux/ARM64", 1, []Status{StatusSame}, 1},
		{"the other kind is as ever", n - 3, "Linux/X64", 1, []Status{StatusSame}, 1},
		{"the other kind is slower for the first time", n - 3, "Linux/X64", 8, []Status{StatusSlower, StatusSuspect}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := edit("main", n, slow(compile, tt.by))
			b.Runner = tt.runner
			r := Judge(&b, history(tt.since), defaults)
			s := stepOf(t, &r, compile)
			wantStatus(t, s, tt.want...)
			if s.Evidence.Builds != tt.evidence {
				t.Errorf("evidence of %d builds, want %d", s.Evidence.Builds, tt.evidence)
			}
			if s.Usual.D() < seconds(54) || s.Usual.D() > seconds(66) {
				t.Errorf("usually %v, want about a minute", s.Usual)
			}
		})
	}
}

// Loading a cached layer is on the critical path if its step is, and a budget that
// both break is broken once, by what took the time.
func TestLoadOnTheCriticalPath(t *testing.T) {
	const from, work, load = "[base 1/1] FROM big", "[build 1/1] RUN work", "load cache: [base 1/1] FROM big"
	steps := func(rng *rand.Rand, took, beside float64) []stepSpec {
		base := hit(from)
		base.Took = noisy(rng, seconds(took), .03)
		return []stepSpec{
			base,
			ran(work, noisy(rng, seconds(20), .03), from),
			ran("[docs 1/1] RUN docs", noisy(rng, seconds(beside), .03)),
			ran("exporting to image", noisy(rng, seconds(2), .03), work, "[docs 1/1] RUN docs"),
		}
	}
	judge := func(took, beside float64, p Policy) Result {
		h := mainHistory(20, func(_ int, rng *rand.Rand) []stepSpec { return steps(rng, 5, beside) })
		b := newBuild("pr", 100, steps(rand.New(rand.NewPCG(5, 6)), took, beside)...)
		return Judge(&b, h, p)
	}
	r := judge(60, 3, defaults)
	l, s := stepOf(t, &r, load), stepOf(t, &r, from)
	wantStatus(t, l, StatusSlower)
	if !l.Critical || l.Slack != 0 || l.Critical != s.Critical || r.Verdict != Regressed || l.WallClockSeconds.D() < seconds(50) {
		t.Errorf("on the path: critical %v (the step itself %v), slack %v, costs %v; %v", l.Critical, s.Critical, l.Slack, l.WallClockSeconds, r.Verdict)
	}
	if s.WallClockSeconds != 0 {
		t.Errorf("the cached step itself costs %v", s.WallClockSeconds)
	}
	r = judge(60, 300, defaults)
	if l := stepOf(t, &r, load); l.Critical || l.Slack.D() < seconds(150) || r.Verdict != Pass {
		t.Errorf("beside the path: critical %v, slack %v; %v", l.Critical, l.Slack, r.Verdict)
	}

	budget := defaults
	budget.Rules = []Rule{{Step: "*FROM big", Max: timeline.Seconds(seconds(30))}}
	r = judge(60, 3, budget)
	if l, s := stepOf(t, &r, load), stepOf(t, &r, from); r.Counts[StatusOverBudget] != 1 || l.Status != StatusOverBudget || s.Status != StatusCached || r.Verdict != Regressed {
		t.Errorf("over the budget: load %v, step %v, %v; %v", l.Status, s.Status, r.Counts, r.Verdict)
	}
	r = judge(5, 3, budget)
	if r.Counts[StatusOverBudget] != 0 || r.Verdict != Pass {
		t.Errorf("within the budget: %v; %v", r.Counts, r.Verdict)
	}
	// With less than is worth telling there is no load of its own: the step has the budget.
	budget.MinDelta = timeline.Seconds(seconds(100))
	r = judge(60, 3, budget)
	if s := stepOf(t, &r, from); r.Counts[StatusOverBudget] != 1 || s.Status != StatusOverBudget {
		t.Errorf("without a load: %v, %v", s.Status, r.Counts)
	}
}
