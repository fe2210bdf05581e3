package main

import (
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat"

	"github.com/buildregress/buildregress/detect"
)

// The rules that other tools and teams judge one build by, and the test that several
// builds are compared with, Mann and Whitney's: each as a score, so that beside what a rule
// finds where it is usually set there stands what it finds at equal false alarms.

// A rule gives one build a score by its history, both in seconds, the history newest first.
type rule struct {
	name  string
	usual float64 // the score from which the rule calls it slower
	score func(history []float64, now float64) float64
}

var rules = [...]rule{
	{"twice the last build (github-action-benchmark)", 2, func(h []float64, now float64) float64 { return now / h[0] }},
	{"20 % over the mean (Bencher percentage)", 1.2, func(h []float64, now float64) float64 { return now / stat.Mean(h, nil) }},
	{"z score, 99 % (Bencher)", 2.3263, func(h []float64, now float64) float64 {
		mean, sd := stat.MeanStdDev(h, nil)
		return over(now-mean, sd)
	}},
	{"logarithms, 99 % (Bencher log_normal)", 2.3263, func(h []float64, now float64) float64 {
		mean, sd := stat.MeanStdDev(logs(h), nil)
		return over(math.Log(now)-mean, sd)
	}},
	{"interquartile range × 3 (Bencher iqr)", 3, func(h []float64, now float64) float64 {
		sorted := slices.Sorted(slices.Values(h))
		at := func(q float64) float64 { return stat.Quantile(q, stat.LinInterp, sorted, nil) }
		return over(now-at(0.5), at(0.75)-at(0.25))
	}},
	{"median absolute deviation × 3.5", 3.5, func(h []float64, now float64) float64 {
		center := middleOf(h)
		away := make([]float64, len(h))
		for i, v := range h {
			away[i] = math.Abs(v - center)
		}
		return over(0.6745*(now-center), middleOf(away))
	}},
	{"a tenth over the largest", 1.1, func(h []float64, now float64) float64 { return now / slices.Max(h) }},
	{"logarithm over the largest / hypot(sd, 0.1)", math.Inf(1), func(h []float64, now float64) float64 {
		return math.Log(now/slices.Max(h)) / math.Hypot(stat.StdDev(logs(h), nil), 0.1)
	}},
}

// over is a difference in units of a spread; a rule without a spread calls nothing.
func over(difference, spread float64) float64 {
	if spread <= 0 {
		return 0
	}
	return difference / spread
}

func logs(v []float64) []float64 {
	out := make([]float64, len(v))
	for i := range v {
		out[i] = math.Log(v[i])
	}
	return out
}

func middleOf(v []float64) float64 {
	sorted := slices.Sorted(slices.Values(v))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// byRules is the score that each rule gives a build, 0 if it is not worth telling.
func byRules(now time.Duration, history []time.Duration) (scores [len(rules)]float64) {
	if !worthTelling([]time.Duration{now}, history) {
		return scores
	}
	seconds := make([]float64, len(history))
	for i, d := range history {
		seconds[i] = max(d.Seconds(), 1e-3)
	}
	for i := range rules {
		scores[i] = rules[i].score(seconds, now.Seconds())
	}
	return scores
}

// worthTelling holds a rule to the same floors as the judgement: what is too small is
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
