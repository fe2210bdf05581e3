package main

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// Series that are all noisy, and of which none has a least slowdown that is found, are
// measured as far as they go.
func TestNoisySeries(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	m := &measurement{n: 20, cells: map[cell][]tally{}, scores: map[cell][][]float64{}}
	for range 3 {
		s := series{}
		for range 40 {
			s.values = append(s.values, 2+rng.ExpFloat64()*100)
		}
		m.series = append(m.series, s)
	}
	m.run(rng)
	m.print()
	if got := m.ranking(1, 10, func(s series) bool { return s.quiet }); strings.ContainsAny(got, "0123456789") {
		t.Errorf("of no series, %q is found", got)
	}
	if got := m.ranking(1, 10, func(series) bool { return true }); !strings.ContainsAny(got, "0123456789") {
		t.Errorf("of all series, %q is found", got)
	}
}
