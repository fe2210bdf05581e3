package detect

import (
	"math"
	"slices"
)

// How often would an unchanged step look as slow as this? In theory as often as its
// history says; in practice histories drift, and their tails are heavier than a few
// values show. So the error of believing what one build or a run of builds says was
// measured on real, unchanged durations, and is read off two lines, one for each.
// Benjamini and Hochberg's q then accounts for the number of steps.

// A line gives the error that a score stands for, as powers of ten. Scores ascend and
// errors fall; below the first point the error is 1, beyond the last it goes on falling
// as it did before.
type line []struct{ score, log10 float64 }

var (
	// oneLine is for a single build, by the negative logarithm to base 10 of the
	// probability that its history gives to values as large, less chargeShort.
	oneLine = line{{0.3, -0.3}, {1.25, -1.7}, {1.65, -2}, {2.2, -2.301}, {2.9, -2.523}, {3.6, -2.824}, {4.7, -3.15}}
	// runLine is for several builds, by runScore.
	runLine = line{{0, 0}, {3, -1}, {5, -1.7}, {6, -2}, {6.7, -2.301}, {7.1, -2.523}, {7.7, -2.824}, {8.4, -3.155}}
)

// power is by how many powers of ten the error at a score lies below 1.
func (l line) power(score float64) float64 {
	i, _ := slices.BinarySearchFunc(l, score, func(p struct{ score, log10 float64 }, s float64) int {
		if p.score < s {
			return -1
		}
		return 1
	})
	if i == 0 {
		return 0
	}
	i = min(i, len(l)-1)
	a, b := l[i-1], l[i]
	return -(a.log10 + (b.log10-a.log10)*(score-a.score)/(b.score-a.score))
}

// chargeShort, over the values of the history, is what a short one's score is too large by:
// the fewer values there are, the less of the tail they show.
const chargeShort = 2.5

// A branch is looked at again with each of its builds. What that adds to the error is
// charged as powers of ten.
const (
	// chargeRun is that of a run of several builds: there is more than one.
	chargeRun = 0.3
	// chargeLate is that of builds that are not the whole branch, alone or together: a
	// branch has many chances to look slow from some later build on, and one to look so
	// from its first.
	chargeLate = 0.8
	// chargeRolling is that of a run of the newest of a long branch, each of which was
	// looked at by itself: runs overlap.
	chargeRolling = 0.5
)

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
