package main

import (
	"math"
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect"
)

// The test that several builds are compared with, Mann and Whitney's, by a score alone:
// what it finds at equal false alarms is what the order of the values tells by itself.

// worthTelling holds a rank test to the same floors as the judgement: what is too small is
// never found.
func worthTelling(values, history []time.Duration) bool {
	usual, sum := middle(history), 0.0
	for _, v := range values {
		sum += math.Log(max(v.Seconds(), 1e-9)) / float64(len(values))
	}
	more := time.Duration(math.Exp(sum)*1e9) - usual
	t := detect.DefaultThresholds
	return more >= t.MinDelta.D() && float64(more) >= t.MinSlowdown*float64(usual)
}

// mannWhitney is the standard score of the rank sum of values against a history, corrected
// for ties.
func mannWhitney(values, history []time.Duration) float64 {
	n, k := float64(len(history)), float64(len(values))
	u := 0.0
	for _, v := range values {
		for _, h := range history {
			switch {
			case h < v:
				u++
			case h == v:
				u += 0.5
			}
		}
	}
	all := slices.Sorted(slices.Values(slices.Concat(values, history)))
	ties := 0.0
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j] == all[i] {
			j++
		}
		t := float64(j - i)
		ties += t*t*t - t
		i = j
	}
	total := n + k
	variance := n * k / 12 * (total + 1 - ties/(total*(total-1)))
	if variance <= 0 {
		return 0
	}
	return (u - n*k/2) / math.Sqrt(variance)
}
