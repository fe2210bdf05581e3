package level

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// stretch is n values about seconds that vary by a share.
func stretch(rng *rand.Rand, n int, seconds, share float64) (out []time.Duration) {
	for range n {
		out = append(out, time.Duration(seconds*math.Exp(share*rng.NormFloat64())*1e9))
	}
	return out
}

// Small changes, as the whole build has them.
const (
	minSlowdown = 0.05
	minDelta    = time.Second
)

// Each change is found where it came, whichever way it went, a bump between two as well;
// and single slow values are none.
func TestLevelsAreFound(t *testing.T) {
	type part struct {
		n       int
		seconds float64
	}
	for name, parts := range map[string][]part{
		"one":                 {{60, 40}},
		"slower":              {{40, 40}, {30, 60}},
		"faster":              {{40, 44}, {30, 21}},
		"a bump":              {{100, 40}, {20, 80}, {100, 40}},
		"stairs":              {{50, 20}, {50, 30}, {50, 45}, {50, 70}, {50, 100}},
		"short stairs":        {{21, 93}, {8, 69}, {8, 44}, {8, 14}, {8, 52}},
		"improved, then lost": {{40, 90}, {60, 50}, {12, 90}},
		"down, down, up":      {{20, 211}, {20, 181}, {20, 157}, {20, 132}, {15, 155}},
		"small, long":         {{400, 100}, {400, 120}},
		"a year":              {{3000, 60}, {2000, 80}, {40, 160}, {3000, 50}},
	} {
		for seed := range uint64(10) {
			rng := rand.New(rand.NewPCG(seed, 1))
			var values []time.Duration
			for _, p := range parts {
				values = append(values, stretch(rng, p.n, p.seconds, 0.06)...)
			}
			for i := 20; i < len(values); i += 47 {
				values[i] *= 4
			}
			levels := Levels(values, minSlowdown, minDelta)
			if len(levels) != len(parts) {
				t.Errorf("%s, seed %d: %d levels, want %d: %v", name, seed, len(levels), len(parts), levels)
				continue
			}
			first := 0
			for i, l := range levels {
				if off := l.First - first; off < -6 || off > 6 {
					t.Errorf("%s, seed %d: level %d begins at %d, want %d", name, seed, i, l.First, first)
				}
				if ratio := l.Median.Seconds() / parts[i].seconds; ratio < 0.9 || ratio > 1.1 {
					t.Errorf("%s, seed %d: level %d is at %s, want %v s", name, seed, i, l.Median, parts[i].seconds)
				}
				first += parts[i].n
			}
		}
	}
}

// Unchanged series have one level, however long they are; and so have those that take
// turns between two modes.
func TestLevelsOfUnchangedSeries(t *testing.T) {
	found, series := 0, 0
	for _, n := range []int{1, 12, 13, 30, 100, 1000} {
		for seed := range uint64(60) {
			rng := rand.New(rand.NewPCG(seed, uint64(n)))
			values := stretch(rng, n, 40, 0.15)
			modes := stretch(rng, n, 40, 0.05)
			for i := range modes {
				if rng.Float64() < 0.3 {
					modes[i] *= 3
				}
			}
			for _, v := range [][]time.Duration{values, modes} {
				series++
				levels := Levels(v, minSlowdown, minDelta)
				found += len(levels) - 1
				sum := 0
				for _, l := range levels {
					if l.First != sum {
						t.Fatalf("levels leave values out: %v", levels)
					}
					sum += l.Values
				}
				if sum != n {
					t.Fatalf("%d of %d values", sum, n)
				}
			}
		}
	}
	if found > series/100 {
		t.Errorf("%d changes in %d unchanged series", found, series)
	}
	if Levels(nil, 0, 0) != nil {
		t.Error("a level of nothing")
	}
}
