package main

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect"
)

// projectOf makes a project of quiet steps, and of one that is all noise.
func projectOf(name string, rng *rand.Rand) (p project) {
	p.name = name
	for k := range 6 {
		s := series{name: "[job] step " + string(rune('a'+k)), noise: 0.05}
		for i := range 60 {
			took := 30 * math.Exp(0.05*rng.NormFloat64())
			if k == 5 {
				took = 2 + rng.ExpFloat64()*100
			}
			s.values = append(s.values, time.Duration(took*1e9))
			s.times = append(s.times, int64(i))
		}
		p.series = append(p.series, s)
	}
	return p
}

// Projects whose steps are quiet but for one are measured: what is unchanged is hardly ever
// called, a step five times as slow is found, and three projects are held to each other.
func TestMeasures(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	m := &measurement{n: 20, projects: []project{projectOf("a", rng), projectOf("b", rng), projectOf("c", rng)}}
	m.run(2)
	m.print()
	if got := len(m.checks); got != 2*3*6 {
		t.Errorf("%d checks, want one of each series and window", got)
	}
	if found := mean(m.shares(slowerAt(5, 1))); found < 0.7 {
		t.Errorf("×5 is found in %.2f", found)
	}
	if false5 := mean(m.shares(slowerBy(0, detect.MaxEvidence))); false5 > 0.1 {
		t.Errorf("%.2f of what is unchanged is called", false5)
	}
	measureShifts(m.projects, 2)
}
