package detect

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// shiftedHistory is 40 builds of main, of which the newest are slower or faster in
// all the steps that change says.
func shiftedHistory(since int, change func([]stepSpec) []stepSpec) *History {
	return mainHistory(40, func(n int, rng *rand.Rand) []stepSpec {
		if s := app(rng); n < 40-since {
			return s
		} else {
			return change(s)
		}
	})
}

func times2(by float64) func([]stepSpec) []stepSpec {
	return func(s []stepSpec) []stepSpec {
		for i := range s {
			s[i].Took = time.Duration(float64(s[i].Took) * by)
		}
		return s
	}
}

// judgeBranch judges the last of n equal builds of a branch.
func judgeBranch(h *History, n int, change func([]stepSpec) []stepSpec, p Policy) Result {
	p.Thresholds = DefaultThresholds
	for i := range n - 1 {
		h.Branch = append([]timeline.Build{edit("pr", 100+i, change)}, h.Branch...)
	}
	b := edit("pr", 100+n, change)
	return Judge(&b, h, p)
}

// A slowdown costs what it is above the level that it is judged by.
func TestRegressionAfterASpeedUp(t *testing.T) {
	r := judgeBranch(shiftedHistory(12, slow(compile, 1./3)), 3, slow(compile, 2./3), Policy{})
	if s := stepOf(t, &r, compile); s.Status != StatusSlower || s.WallClockSeconds.D() < seconds(15) || r.Verdict != Regressed {
		t.Errorf("20 s to 40 s: %v, costs %v, build %v", s.Status, s.WallClockSeconds, r.Verdict)
	}
}

// What changed for all steps at once is their level, not the mood of a machine, and
// hides nothing that comes after.
func TestSlowdownAfterACommonShift(t *testing.T) {
	for _, by := range []float64{0.5, 1.45, 2} { // and beyond what was usual before
		r := judgeBranch(shiftedHistory(18, times2(by)), 3, func(s []stepSpec) []stepSpec { return slow(compile, 3)(times2(by)(s)) }, Policy{})
		if s := stepOf(t, &r, compile); s.Status != StatusSlower || r.RunnerFactor.Unusual() {
			t.Errorf("all ×%g since 18 builds, then one ×3: %v (p %.4f), factor %+v", by, s.Status, s.P, r.RunnerFactor)
		}
	}
}

func TestShiftAfterAcceptance(t *testing.T) {
	h := shiftedHistory(12, slow(compile, 2))
	accept := Policy{Thresholds: DefaultThresholds, Accept: []Acceptance{{Step: "*make compile*", Since: h.Base[30].Revision, Why: "more is compiled"}}}
	b := edit("main", 41, slow(compile, 2))
	if r := Judge(&b, h, accept); r.Verdict != Pass {
		t.Errorf("the level since 12 builds: %v", r.Verdict)
	}
	r := judgeBranch(shiftedHistory(12, slow(compile, 1./3)), 3, slow(compile, 2./3), accept)
	if s := stepOf(t, &r, compile); s.Status != StatusSlower {
		t.Errorf("slower than the level after the acceptance: %v, usually %v", s.Status, s.Usual)
	}
}

// A small window does not let the builds under judgement be their own level.
func TestSmallWindowOnTheBaseBranch(t *testing.T) {
	p := defaults
	p.Window = 10
	for n := 30; n < 34; n++ {
		h := mainHistory(n, func(n int, rng *rand.Rand) []stepSpec {
			if s := app(rng); n < 30 {
				return s
			} else {
				return slow(compile, 3)(s)
			}
		})
		h.Base = h.Base[:14]
		b := edit("main", n, slow(compile, 3))
		r := Judge(&b, h, p)
		if s := stepOf(t, &r, compile); s.Status != StatusSlower && s.Status != StatusSuspect {
			t.Errorf("build %d after the slowdown: %v, usually %v", n-30, s.Status, s.Usual)
		}
	}
}

// On a clock of whole seconds, steps overlap; what was waited for still counts.
func TestCriticalPathOnACoarseClock(t *testing.T) {
	whole := func(b timeline.Build) timeline.Build {
		b.Resolution = time.Second
		for i := range b.Steps {
			s := &b.Steps[i]
			end := s.Start.Add(s.Duration).Truncate(time.Second).Add(time.Second)
			s.Start = s.Start.Truncate(time.Second)
			s.Duration = end.Sub(s.Start)
		}
		return b
	}
	h := appHistory(20)
	for i := range h.Base {
		h.Base[i] = whole(h.Base[i])
	}
	b := whole(edit("pr", 100, slow(compile, 4)))
	r := Judge(&b, h, defaults)
	if s := stepOf(t, &r, compile); !s.Critical || r.Verdict != Regressed {
		t.Errorf("critical %v, %v", s.Critical, r.Verdict)
	}
}

func TestZeroOnACoarseClock(t *testing.T) {
	d := Decide([]Trial{{History: times(20, 0), New: times(3, 60), Resolution: time.Second}}, DefaultThresholds)[0]
	if d.Status != StatusSlower {
		t.Errorf("0 s, then a minute, three times: %v (p %.4f)", d.Status, d.P)
	}
}

// Whatever the numbers are, the result can be written.
func TestResultOfAbsurdTimes(t *testing.T) {
	year := 365 * 24 * 3600.0
	h := appHistory(30)
	b := edit("pr", 100, func(s []stepSpec) []stepSpec {
		for i := range s {
			s[i].Took = seconds(year)
		}
		return s
	})
	h.Base[0].Steps[5].Duration = seconds(year)
	r := Judge(&b, h, defaults)
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
}

func TestIgnoredStepLosesNoCache(t *testing.T) {
	h := appHistory(20)
	b := edit("pr", 100, misses("[deps 2/3] RUN npm ci"))
	r := Judge(&b, h, Policy{Thresholds: DefaultThresholds, Rules: []Rule{{Step: "*npm ci*", Ignore: "flaky mirror"}}})
	if s := stepOf(t, &r, "[deps 2/3] RUN npm ci"); s.Status != StatusUnjudged || len(r.Cache.Losses) > 0 {
		t.Errorf("%v, %q, losses %+v", s.Status, s.Reason, r.Cache.Losses)
	}
}

// No duration that the type can hold makes a judgement fail or its numbers useless.
func TestLongestDurations(t *testing.T) {
	const longest = math.MaxInt64
	long := []time.Duration{longest}
	for name, trial := range map[string]Trial{
		"new":       {History: times(20, 10), New: long},
		"always":    {History: slices.Repeat(long, 20), New: long},
		"sometimes": {History: mixed(times(17, 10), slices.Repeat(long, 3)), New: long},
		"before":    {History: slices.Repeat(long, 20), New: times(1, 10)},
	} {
		for _, minDelta := range []timeline.Seconds{0, timeline.Seconds(time.Second), longest} {
			limits := DefaultThresholds
			limits.MinDelta = minDelta
			trials := []Trial{trial, {History: times(20, 1e6), New: times(1, 1e6)}}
			for _, d := range Decide(trials, limits) {
				for _, f := range []float64{d.P, d.Q, d.Evidence.Value, d.MinDetectable, d.MinDetectable3} {
					if math.IsNaN(f) || math.IsInf(f, 0) {
						t.Errorf("%s, at least %v: %+v", name, minDelta, d)
					}
				}
			}
		}
	}
	// A step that always takes a century is no sign that histories tell nothing.
	century := []time.Duration{100 * 365 * 24 * time.Hour}
	alone := Decide([]Trial{{History: slices.Repeat(century, 20), New: century}, {History: times(20, 10), New: times(1, 30)}}, DefaultThresholds)
	beside := Decide([]Trial{{History: times(20, 1e6), New: times(1, 1e6)}, {History: times(20, 10), New: times(1, 30)}}, DefaultThresholds)
	if alone[1].P != beside[1].P {
		t.Errorf("beside a long step p is %v, else %v", alone[1].P, beside[1].P)
	}
}

// A branch that left main before its level rose is compared with the level of its time; one
// that is really faster, or that is main, with that of now.
func TestBranchBehindMain(t *testing.T) {
	h := shiftedHistory(15, slow(compile, 3))
	behind := func(s *StepResult) bool {
		return slices.ContainsFunc(s.Notes, func(n Note) bool { return n.Kind == KindEarlierLevel })
	}
	for _, test := range []struct {
		name   string
		branch string
		now    float64
		want   Status
		behind bool
	}{
		{"as before", "pr", 1, StatusSame, true},
		{"faster than ever", "pr", 0.4, StatusFaster, false},
		{"as now", "pr", 3, StatusSame, false},
		{"main itself", "main", 1, StatusFaster, false},
	} {
		b := edit(test.branch, 100, slow(compile, test.now))
		r := Judge(&b, h, defaults)
		s := stepOf(t, &r, compile)
		if s.Status != test.want || behind(s) != test.behind {
			t.Errorf("%s: %v, notes %q; want %v", test.name, s.Status, s.Notes, test.want)
		}
		if !test.behind {
			continue
		}
		if s.Usual.D() > seconds(70) || s.Low > s.Current || s.High < s.Current || s.Expected > 2*s.Usual {
			t.Errorf("%s: %v, usually %v (%v to %v), expected %v", test.name, s.Current, s.Usual, s.Low, s.High, s.Expected)
		}
		if d := r.WallClock.Delta.D(); d.Abs() > seconds(20) {
			t.Errorf("%s: the build is said to differ by %v from the usual: %+v", test.name, d, r.WallClock)
		}
	}
}
