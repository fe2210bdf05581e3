package detect

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/buildtest"
	"github.com/buildregress/buildregress/detect/level"
)

// A rare mode that the window does not show is remembered, by the step or by its siblings.
func TestRareModeIsRemembered(t *testing.T) {
	const window = 20
	slow := []time.Duration{seconds(480)}
	for seed := range uint64(10) {
		rng := rand.New(rand.NewPCG(61, seed))
		values := buildtest.RareMode(rng, 115+window) // the newest 20 show none
		values = append(values[:115], slices.DeleteFunc(values[115:], func(d time.Duration) bool { return d > seconds(50) })...)
		recent := slices.Clone(values[115:])
		slices.Reverse(recent)
		tail := level.TailOf(values, len(recent))
		alone := Decide([]Trial{{History: recent, New: slow}}, DefaultThresholds)[0]
		knows := Decide([]Trial{{History: recent, New: slow, Tail: tail}}, DefaultThresholds)[0]
		if alone.Status != StatusSlower || knows.Status == StatusSlower {
			t.Errorf("480 s, usually 5 s: %v by the window alone, %v (p %.3g) with what was before it", alone.Status, knows.Status, knows.P)
		}
		// A sibling that has been seen slow.
		other := slices.Clone(recent)
		other[3] = seconds(500)
		other[9] = seconds(510)
		trials := []Trial{{History: recent, New: slow, Kind: "RUN make"}, {History: other, New: recent[:1], Kind: "RUN make"}, {History: other, New: recent[:1], Kind: "RUN make"}}
		if d := Decide(trials, DefaultThresholds)[0]; d.Status == StatusSlower {
			t.Errorf("480 s, as siblings took now and then: %v (p %.3g)", d.Status, d.P)
		}
		trials[1].Kind, trials[2].Kind = "RUN test", "RUN test"
		if d := Decide(trials, DefaultThresholds)[0]; d.P > 0.02 {
			t.Errorf("480 s, and steps of another kind are as slow now and then: p %.3g", d.P)
		}
	}
}

// One noisy kind of step does not take the power of the others.
func TestNoisyKindLeavesOthersAlone(t *testing.T) {
	rng := rand.New(rand.NewPCG(63, 64))
	trials := make([]Trial, 12)
	for i := range trials {
		tr := &trials[i]
		tr.Kind = "RUN test"
		sd := .04
		if i%2 == 1 {
			tr.Kind, sd = "RUN compile", .5
		}
		for range 30 {
			tr.History = append(tr.History, seconds(60*math.Exp(sd*rng.NormFloat64())))
		}
		tr.New = tr.History[:1]
	}
	trials[0].New = []time.Duration{seconds(120)}
	if d := Decide(trials, DefaultThresholds)[0]; d.Status != StatusSlower {
		t.Errorf("a quiet step ×2 among noisy ones: %v (p %.3g)", d.Status, d.P)
	}
}
