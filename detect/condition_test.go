package detect

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// unmet are the kinds of the conditions that were not.
func unmet(conditions []Condition) map[Kind]bool {
	kinds := map[Kind]bool{}
	for _, c := range conditions {
		if !c.Met {
			kinds[c.Kind] = true
		}
	}
	return kinds
}

func TestConditions(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	quiet := make([]time.Duration, 20)
	for i := range quiet {
		quiet[i] = noisy(rng, seconds(40), .04)
	}
	slowRunner := []RunnerReading{{Ln: 1.1, SD: .02}}
	size := []Kind{KindMinDelta, KindMinSlowdown}
	usual := append(slices.Clone(size), KindSuspectP, KindSlowerP, KindFDR, KindOwnHistory, KindMatureLevel)
	cleared := slices.Insert(slices.Clone(usual), 2, KindMinDeltaCleared, KindMinSlowdownCleared)
	for _, tt := range []struct {
		name  string
		trial Trial
		want  Status
		asked []Kind
		unmet []Kind
	}{
		{"slower", Trial{History: quiet, New: times(1, 400)}, StatusSlower, usual, nil},
		{"slower in three builds", Trial{History: quiet, New: times(3, 60)}, StatusSlower, append([]Kind{KindBuilds}, usual...), nil},
		{"slower than other branches", Trial{History: quiet, New: times(1, 400), Foreign: true}, StatusSuspect, usual, []Kind{KindOwnHistory}},
		{"slower than a new level", Trial{History: slices.Concat(times(5, 80), times(20, 20)), New: times(1, 800)}, StatusSuspect, usual, []Kind{KindMatureLevel}},
		{"as the machine", Trial{History: quiet, New: times(1, 120), Runners: slowRunner}, StatusSame, cleared, []Kind{KindMinDeltaCleared, KindMinSlowdownCleared, KindSuspectP, KindSlowerP, KindFDR}},
		{"the same", Trial{History: quiet, New: times(1, 40.5)}, StatusSame, usual, []Kind{KindMinDelta, KindMinSlowdown, KindSuspectP, KindSlowerP, KindFDR}},
		{"faster", Trial{History: quiet, New: times(1, 4)}, StatusFaster, append(slices.Clone(size), KindFasterP), nil},
		{"a little faster", Trial{History: quiet, New: times(1, 38)}, StatusSame, append(slices.Clone(size), KindFasterP), []Kind{KindMinSlowdown, KindFasterP}},
		{"a mode seen before", Trial{History: mixed(times(15, 7), times(5, 945)), New: times(1, 945)}, StatusSame, append(slices.Clone(usual), KindSeenMode), []Kind{KindSuspectP, KindSlowerP, KindFDR}},
		{"too short", Trial{History: times(20, .1), New: times(1, .9)}, StatusSame, append([]Kind{KindLongEnough}, size...), []Kind{KindLongEnough, KindMinDelta}},
		{"no history", Trial{New: times(1, 9)}, StatusUnjudged, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := Decide([]Trial{tt.trial}, DefaultThresholds)[0]
			var asked []Kind
			for _, c := range d.Conditions {
				asked = append(asked, c.Kind)
			}
			want := map[Kind]bool{}
			for _, k := range tt.unmet {
				want[k] = true
			}
			if d.Status != tt.want || !slices.Equal(asked, tt.asked) || !maps.Equal(unmet(d.Conditions), want) {
				t.Errorf("%v, %+v; want %v, asked %v, of which unmet %v", d.Status, d.Conditions, tt.want, tt.asked, tt.unmet)
			}
		})
	}
}

// The status follows from the conditions, whatever the trial.
func TestStatusFollowsFromConditions(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 40 {
		for _, d := range Decide(randomTrials(rng, 30), DefaultThresholds) {
			without := func(kinds ...Kind) bool {
				return allMet(slices.DeleteFunc(slices.Clone(d.Conditions), func(c Condition) bool { return slices.Contains(kinds, c.Kind) }))
			}
			ok := false
			switch d.Status {
			case StatusSlower, StatusFaster:
				ok = allMet(d.Conditions)
			case StatusSuspect:
				ok = !allMet(d.Conditions) && without(KindSlowerP, KindFDR, KindOwnHistory, KindMatureLevel)
			case StatusSame:
				ok = !without(KindSlowerP, KindFDR, KindOwnHistory, KindMatureLevel)
			case StatusUnjudged:
				ok = len(d.Conditions) == 0
			}
			if !ok {
				t.Fatalf("%v by %+v", d.Status, d.Conditions)
			}
		}
	}
}
