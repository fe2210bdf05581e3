package detect

import (
	"math"
	"slices"
)

// errorOf returns the probability that the newest k values of an unchanged step
// reach this evidence for a slowdown at any one look, against a history of n.
//
// The Bayes factor itself would bound it by 10^-value (Ville's inequality), if
// the predictive density were the truth. It is not: real histories drift, and
// their tails differ from step to step. The line is therefore the error measured
// on unchanged values of real CI durations, held out of histories of 8 to 50;
// beyond what could be measured it falls as the inequality says.
func errorOf(value float64, k, n int) float64 {
	value -= penalty(k, n)
	last := len(errorLine) - 1
	if value >= errorLine[last].value {
		return math.Pow(10, errorLine[last].log10-(value-errorLine[last].value))
	}
	for i := last - 1; i >= 0; i-- {
		if a, b := errorLine[i], errorLine[i+1]; value >= a.value {
			return math.Pow(10, a.log10+(b.log10-a.log10)*(value-a.value)/(b.value-a.value))
		}
	}
	return 1
}

// evidenceFor is the evidence at which errorOf is p.
func evidenceFor(p float64, k, n int) float64 {
	log10 := math.Log10(p)
	last := len(errorLine) - 1
	if log10 <= errorLine[last].log10 {
		return errorLine[last].value + errorLine[last].log10 - log10 + penalty(k, n)
	}
	for i := last - 1; i >= 0; i-- {
		if a, b := errorLine[i], errorLine[i+1]; log10 <= a.log10 {
			return a.value + (b.value-a.value)*(log10-a.log10)/(b.log10-a.log10) + penalty(k, n)
		}
	}
	return errorLine[0].value + penalty(k, n)
}

// penalty is what evidence is too strong by: that of a longer run, which had more
// chances to begin, and that against a short history.
func penalty(k, n int) float64 {
	return 0.2*float64(k-1) + 4/float64(n) - 4.0/50
}

var errorLine = []struct{ value, log10 float64 }{
	{-1, 0}, {0, -1.3}, {0.5, -2}, {1, -2.3}, {1.5, -2.83}, {1.85, -3.2},
}

// benjaminiHochberg sets q of each judgement: the smallest false discovery rate
// at which it would be among the discoveries.
func benjaminiHochberg(family []*judgement) {
	byP := slices.Clone(family)
	slices.SortStableFunc(byP, func(a, b *judgement) int {
		switch {
		case a.slower.p < b.slower.p:
			return -1
		case a.slower.p > b.slower.p:
			return 1
		}
		return 0
	})
	q := 1.0
	for i := len(byP) - 1; i >= 0; i-- {
		q = math.Min(q, byP[i].slower.p*float64(len(byP))/float64(i+1))
		byP[i].q = q
	}
}

// usualContamination is the share of unchanged values in CI that their history
// says nothing of.
const usualContamination = 0.04

// estimateContamination returns the share of values that lie far above what the
// rest of their level says, over all steps together, shrunk towards what is
// usual. One step's history is too short to tell.
func estimateContamination(family []*judgement) float64 {
	const weight = 50.0 // values that the prior counts for
	far, all := 0.0, 0.0
	for _, j := range family {
		level := j.level()
		limit := 3 * durationMedian(level) / 2
		for _, v := range level {
			if v > limit {
				far++
			}
		}
		all += float64(len(level))
	}
	return (usualContamination*weight + far) / (weight + all)
}
