package detect

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// A slowdown that stays on the base branch is called, named with its revision,
// and becomes the level only while the report says so.
func TestSlowdownNeverBecomesNormalInSilence(t *testing.T) {
	const began = 30
	called, proved := 0, -1
	for n := began; n < began+30; n++ {
		h := mainHistory(n, func(n int, rng *rand.Rand) []stepSpec {
			if s := app(rng); n < began {
				return s
			} else {
				return slow(compile, 1.5)(s)
			}
		})
		b := edit("main", n, slow(compile, 1.5))
		r := Judge(&b, h, defaults)
		s := stepOf(t, &r, compile)
		shifted := len(s.Notes) > 0 && s.Notes[0].Kind == KindLevelShift && strings.HasPrefix(s.Cut, "main00")
		switch {
		case s.Status == StatusSlower:
			called++
			if proved < 0 {
				proved = n - began
			}
			if s.Evidence.Builds > 1 && s.Evidence.Since != "main0030" {
				t.Errorf("build %d: slower since %q, want main0030", n-began, s.Evidence.Since)
			}
		case s.Status == StatusSuspect:
		case shifted && s.Cut == "main0030":
		case n == began: // one build cannot prove it
		default:
			t.Errorf("build %d after the slowdown: %v, notes %q, cut %q", n-began, s.Status, s.Notes, s.Cut)
		}
		if shifted && (s.Usual.D() < seconds(80) || s.Usual.D() > seconds(100)) {
			t.Errorf("build %d: the new level is %v, want about 90 s", n-began, s.Usual.D())
		}
	}
	if proved < 0 || proved > 2 || called < 3 {
		t.Errorf("called %d times, first by build %d; want by the third", called, proved)
	}
}

func TestLevelShift(t *testing.T) {
	history := func(shifted int, by float64) *History {
		return mainHistory(40, func(n int, rng *rand.Rand) []stepSpec {
			if s := app(rng); n < 40-shifted {
				return s
			} else {
				return slow(compile, by)(s)
			}
		})
	}
	tests := []struct {
		name    string
		shifted int
		by      float64
		now     float64
		want    []Status
	}{
		{"the new level ten builds on is usual", 10, 1.5, 1.5, []Status{StatusSame}},
		{"another half on top of it is seen, once", 10, 1.5, 2.25, []Status{StatusSlower, StatusSuspect}},
		{"and three times as slow is proved", 10, 1.5, 4.5, []Status{StatusSlower}},
		{"a young level proves nothing", 6, 1.5, 9, []Status{StatusSuspect}},
		{"after an improvement its level counts", 15, 0.4, 0.4, []Status{StatusSame}},
		{"the return to the old level is no news at once", 15, 0.4, 1, []Status{StatusSame, StatusSuspect}},
		{"beyond the old level", 15, 0.4, 3, []Status{StatusSlower}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := edit("pr", 100, slow(compile, tt.now))
			r := Judge(&b, history(tt.shifted, tt.by), defaults)
			s := stepOf(t, &r, compile)
			found := false
			for _, w := range tt.want {
				found = found || s.Status == w
			}
			if !found || s.Cut == "" {
				t.Errorf("%v, usually %v, cut %q; want one of %v", s.Status, s.Usual.D(), s.Cut, tt.want)
			}
		})
	}
}

// What is no lasting change of level is not taken for one.
func TestNoShift(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 32))
	found, all := 0, 0
	for _, noise := range noises[:5] {
		for range 100 {
			tr := Trial{New: times(1, 60)}
			for n := range 50 {
				tr.History = append(tr.History, time.Duration(60e9*noise.draw(rng, n)))
			}
			all++
			if Decide([]Trial{tr}, DefaultThresholds)[0].Cut > 0 {
				found++
			}
		}
	}
	if found > all/100 {
		t.Errorf("%d of %d unchanged histories are cut", found, all)
	}
	blip := mixed(times(20, 60), nil)
	copy(blip, []time.Duration{seconds(61), seconds(80), seconds(82), seconds(79), seconds(60)})
	if d := Decide([]Trial{{History: blip, New: times(1, 60)}}, DefaultThresholds)[0]; d.Cut > 0 || d.Status != StatusSame {
		t.Errorf("a blip that went: %v, cut %d", d.Status, d.Cut)
	}
}

// One build on a fast machine does not charge the next one.
func TestOneFastOutlier(t *testing.T) {
	h := appHistory(20)
	for i := range h.Base[0].Steps {
		h.Base[0].Steps[i].Duration /= 2
	}
	b := edit("pr", 100, same)
	if r := Judge(&b, h, defaults); r.Verdict != Pass || len(flagged(&r)) > 0 {
		t.Errorf("%v, flagged %q", r.Verdict, flagged(&r))
	}
}

// A speed-up of the base branch names the build that it began with.
func TestFasterNamesItsFirstBuild(t *testing.T) {
	const n = 24
	for newest := 2; newest <= 4; newest++ {
		h := mainHistory(n, func(i int, rng *rand.Rand) []stepSpec {
			if i > n-newest {
				return slow(compile, 0.5)(app(rng))
			}
			return app(rng)
		})
		b := edit("main", n, slow(compile, 0.5))
		r := Judge(&b, h, defaults)
		s := stepOf(t, &r, compile)
		wantStatus(t, s, StatusFaster)
		if want := h.Base[newest-2].Revision; s.Evidence.Since != want {
			t.Errorf("%d builds are faster: since %s (of %d builds), want %s", newest, s.Evidence.Since, s.Evidence.Builds, want)
		}
	}
}
