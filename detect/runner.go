package detect

import (
	"cmp"
	"math"
	"slices"
)

// minRunnerSteps is how many steps it takes to tell the machine's mood from
// theirs.
const minRunnerSteps = 5

// maxRunner bounds the logarithm of a factor: no machine is 20 times as slow.
const maxRunner = 3.0

// A reading is what one step says of the machine's factor in one build.
type reading struct {
	at     int     // place of the step's series
	log    float64 // logarithm of its duration over the usual one
	sd     float64 // the step's own usual spread
	weight float64
}

// A mood is how a machine was in one build, estimated from all of its steps.
type mood struct {
	readings []reading
	log      float64 // shrunk towards 0
	sd       float64 // standard error of log
	spread   float64 // how much the steps disagree beyond their own noise
	known    bool
}

// A gauge measures machines: it knows the usual time and spread of each step that
// is long enough to tell, and how much machines differ in the baseline.
type gauge struct {
	usual  map[int]float64 // logarithm, by place of the series
	spread map[int]float64
	logs   []float64 // factors of the baseline builds, ascending
	sd     float64   // their spread
}

func newGauge(a *arranged, t Thresholds) *gauge {
	g := &gauge{usual: map[int]float64{}, spread: map[int]float64{}, sd: 0.1}
	byBuild := map[*Build]map[int]float64{}
	for i := range a.series {
		s := &a.series[i]
		history := s.durations(t.Window)
		if len(history) < t.MinHistory || durationMedian(history) < t.MinDelta.D() || durationMedian(history) == 0 {
			continue
		}
		logs := make([]float64, len(history))
		for k, d := range history {
			logs[k] = math.Log(float64(d + 1))
		}
		// What a machine does to a step is told from the level that the step was on.
		if level := findShift(logs, t, usualContamination, 0); level.since > 0 {
			for k := level.since; k < len(logs); k++ {
				logs[k] += level.by
			}
		}
		for k, y := range logs {
			build := s.samples[k].build
			if byBuild[build] == nil {
				byBuild[build] = map[int]float64{}
			}
			byBuild[build][i] = y
		}
		slices.Sort(logs)
		g.usual[i] = median(logs)
		g.spread[i] = math.Hypot(winsorisedSD(logs), 0.03)
	}
	for b := range a.base {
		if m := g.measure(byBuild[&a.base[b]]); m.known {
			g.logs = append(g.logs, m.log)
		}
	}
	slices.Sort(g.logs)
	if len(g.logs) >= 3 {
		g.sd = max(winsorisedSD(g.logs), 0.03)
	}
	return g
}

// of returns the machine's mood in build b of the branch.
func (g *gauge) of(a *arranged, b int) mood {
	logs := map[int]float64{}
	for i := range g.usual {
		if s := &a.series[i]; s.ran[b] {
			logs[i] = math.Log(float64(s.values[b] + 1))
		}
	}
	return g.measure(logs)
}

// measure estimates a mood from the logarithms of the steps that ran.
func (g *gauge) measure(logs map[int]float64) mood {
	var m mood
	for i, y := range logs {
		m.readings = append(m.readings, reading{
			at: i, log: y - g.usual[i], sd: g.spread[i],
			weight: 1 / (g.spread[i]*g.spread[i] + 0.05*0.05),
		})
	}
	if len(m.readings) < minRunnerSteps {
		return m
	}
	slices.SortFunc(m.readings, func(x, y reading) int {
		return cmp.Or(cmp.Compare(x.log, y.log), cmp.Compare(x.at, y.at))
	})
	m.known = true
	m.log, m.sd, m.spread = g.summarise(m.readings)
	return m
}

// summarise returns the weighted median of the readings, shrunk by how much
// machines usually differ; its standard error then; and the disagreement of the steps
// beyond their own noise.
func (g *gauge) summarise(readings []reading) (log, sd, excess float64) {
	total := 0.0
	for _, r := range readings {
		total += r.weight
	}
	sum := 0.0
	for i, r := range readings {
		sum += r.weight
		if sum >= total/2 {
			log = r.log
			if sum == total/2 && i+1 < len(readings) {
				log = (log + readings[i+1].log) / 2
			}
			break
		}
	}
	residuals, own := make([]float64, len(readings)), make([]float64, len(readings))
	for i, r := range readings {
		residuals[i], own[i] = r.log, r.sd
	}
	slices.Sort(own)
	around := spread(residuals, log)
	sd = 1.25 * max(around, median(own)) / math.Sqrt(float64(len(readings)))
	excess = math.Sqrt(max(0, around*around-median(own)*median(own)))
	// Posterior of a normal whose prior is how machines usually differ; but a
	// machine seen far outside the usual range is believed to be there.
	log = max(-maxRunner, min(log, maxRunner))
	tau := max(g.sd, math.Abs(log)/2)
	return log * tau * tau / (tau*tau + sd*sd), sd * tau / math.Hypot(sd, tau), excess
}

// maxOwn is the number of readings up to which a step is kept out of the
// estimate that it is judged by; among more it hardly counts.
const maxOwn = 300

// forStep returns the factor by which the step at place i is judged: estimated
// from the other steps. The zero Runner if they are too few.
func (g *gauge) forStep(m *mood, i int) Runner {
	if !m.known {
		return Runner{}
	}
	log, sd, excess := m.log, m.sd, m.spread
	if at := slices.IndexFunc(m.readings, func(r reading) bool { return r.at == i }); at >= 0 && len(m.readings) <= maxOwn {
		log, sd, excess = g.summarise(slices.Concat(m.readings[:at], m.readings[at+1:]))
	}
	return Runner{Log: log, SD: math.Hypot(sd, excess)}
}

// factor is what a report tells of the mood; nil if it is not known.
func (g *gauge) factor(m *mood) *RunnerFactor {
	if !m.known {
		return nil
	}
	// The usual range is never narrower than 5 %: a few quiet builds do not make
	// the next one unusual.
	center, half := 0.0, max(1.96*g.sd, 0.05)
	if len(g.logs) > 0 {
		center = median(g.logs)
	}
	return &RunnerFactor{
		Value: math.Exp(m.log),
		Low:   math.Exp(m.log - 1.96*m.sd), High: math.Exp(m.log + 1.96*m.sd),
		UsualLow: math.Exp(center - half), UsualHigh: math.Exp(center + half),
		Steps: len(m.readings),
	}
}
