package detect

import (
	"math"
	"slices"
)

// How often would an unchanged step show this much evidence? In theory no more often than
// one in its odds; in practice histories drift and have heavier tails than any model. So
// the error of believing evidence was measured on real, unchanged durations, and is read
// off that line. A short history and a late start of the run are charged as penalties on
// the evidence first; Benjamini and Hochberg's q then accounts for the number of steps.

// errorOf returns the probability that the newest values of an unchanged step
// reach this evidence for a slowdown at any one look. penalty is taken off it
// before.
//
// The Bayes factor itself would bound it by 10^-value (Ville's inequality), if
// the predictive density were the truth. It is not: real histories drift, and
// their tails differ from step to step. The line is therefore the error measured
// on unchanged values of real CI durations, held out of histories of 8 to 50;
// beyond what could be measured it falls as the inequality says.
func errorOf(value, penalty float64) float64 {
	value -= penalty
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

// evidenceFor is the evidence of which errorOf is p.
func evidenceFor(p, penalty float64) float64 {
	log10 := math.Log10(p)
	last := len(errorLine) - 1
	if log10 <= errorLine[last].log10 {
		return errorLine[last].value + errorLine[last].log10 - log10 + penalty
	}
	for i := last - 1; i >= 0; i-- {
		if a, b := errorLine[i], errorLine[i+1]; log10 <= a.log10 {
			return a.value + (b.value-a.value)*(log10-a.log10)/(b.log10-a.log10) + penalty
		}
	}
	return errorLine[0].value + penalty
}

var errorLine = []struct{ value, log10 float64 }{
	{-1, 0}, {0, -1.4}, {0.45, -2}, {0.95, -2.301}, {1.37, -2.876}, {1.64, -3.3},
}

const (
	// penaltyShort is what evidence is too strong by against a history of n values,
	// times n: the fewer there are, the less of the tail they show.
	penaltyShort = 4.0
	// penaltyLate is that of a run that begins after the branch did: a branch
	// has many chances to look slow from some later build on, and one to look so
	// from its first. With it, the error of all looks at the first five builds of a
	// branch together stays below three times that of the first.
	penaltyLate = 0.5
)

// penalty is what the evidence of a run is too strong by, against n values.
func penalty(n int, late bool) float64 {
	p := penaltyShort / float64(n)
	if late {
		p += penaltyLate
	}
	return p
}

// benjaminiHochberg sets q of each judgement: the smallest false discovery rate
// at which it would be among the discoveries.
func benjaminiHochberg(family []*stepTest) {
	byP := slices.Clone(family)
	slices.SortStableFunc(byP, func(a, b *stepTest) int {
		switch {
		case a.slower.p < b.slower.p:
			return -1
		case a.slower.p > b.slower.p:
			return 1
		}
		return 0
	})
	q := 1.0
	for i, b := range slices.Backward(byP) {
		q = math.Min(q, b.slower.p*float64(len(byP))/float64(i+1))
		b.q = q
	}
}

// usualContamination is the share of unchanged values in CI that their history
// says nothing of. However clean a history is, it is believed to be at least
// leastContamination.
const (
	usualContamination = 0.04
	leastContamination = 0.01
)

// estimateContamination returns the share of values that lie far above what the
// rest of their level says, over all steps together, shrunk towards what is
// usual. One step's history is too short to tell.
func estimateContamination(family []*stepTest) float64 {
	const weight = 50.0 // values that the prior counts for
	far, all := 0.0, 0.0
	for _, j := range family {
		beyond, _ := slices.BinarySearch(j.level, j.usual+j.usual/2+1)
		far += float64(len(j.level) - beyond)
		all += float64(len(j.level))
	}
	return max(leastContamination, (usualContamination*weight+far)/(weight+all))
}
