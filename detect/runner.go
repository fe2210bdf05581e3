package detect

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect/level"
)

// A slow machine slows all steps down by about one factor. Up to 32 of the longest steps
// each tell of it: the logarithm of their time over what is usual for them, weighted by what
// their spread and the clock let them tell, and none by more than a third. The factor is
// their weighted median, shrunk towards 1 by how much machines differ in the baseline (a
// normal prior) against its own standard error: few or coarse readings say little. A step
// is never judged by a factor that it had a part in: it is left out, and the rest asked again.

const (
	// minRunnerSteps is how many steps it takes to tell the machine's mood from theirs.
	minRunnerSteps = 5
	// leastOwn is the spread below which a step's readings are no better: machines differ
	// in more than one factor.
	leastOwn = 0.05
	// leastTau is how much machines differ at least.
	leastTau = 0.03
	// mostShare is the largest share of one reading in the weight of all.
	mostShare = 1. / 3
)

// maxRunner bounds the logarithm of a factor: no machine is 20 times as slow.
const maxRunner = 3.0

// A reading is what one step says of the machine's factor in one build.
type reading struct {
	at     int     // place of the step's series
	log    float64 // logarithm of its duration over the usual one
	sd     float64 // the step's own usual spread, and what its clock adds
	weight float64
}

// compare orders readings by what they say; all of them are numbers.
func (r reading) compare(other reading) int {
	switch {
	case r.log < other.log:
		return -1
	case r.log > other.log:
		return 1
	}
	return r.at - other.at
}

// maxRunnerSteps is how many steps are asked for the machine's mood: the longest
// ones. More would tell hardly better.
const maxRunnerSteps = 32

// A mood is how a machine was in one build, estimated from its steps.
type mood struct {
	readings []reading // by log, ascending
	own      []float64 // their sd, ascending
	estimate
	known bool
}

// An estimate is what readings come to.
type estimate struct {
	log    float64
	sd     float64 // standard error of log
	excess float64 // how much the steps disagree beyond their own noise
}

// A gauge measures machines: it knows the usual time and spread of some steps that
// are long enough to tell, and how much machines differ in the baseline.
type gauge struct {
	scales   []scale
	quietest []int     // places of the scales by their spread, ascending
	logs     []float64 // factors of the baseline builds, not shrunk, ascending
	sd       float64   // their spread
	error    float64   // their usual standard error
	tau      float64   // how much machines differ: sd without what estimating them added
	branch   []mood    // of the branch's builds, oldest first; the last is the build's own
}

// A scale is what a gauge knows of one step.
type scale struct {
	at     int     // place of its series
	usual  float64 // logarithm
	spread float64
}

func newGauge(a *arranged, resolution time.Duration, t Thresholds) *gauge {
	const usualTau = 0.1 // where the baseline does not tell
	g := &gauge{sd: usualTau, tau: usualTau}
	candidates := longest(a, t)
	// logs[c][b] is what candidate c took in build b of the baseline.
	logs := make([][]float64, len(candidates))
	for c, at := range candidates {
		s := &a.series[at]
		durations := s.newest(t.Window)
		ranked := level.RankLogs(durations, slices.Sorted(slices.Values(durations)), logOf)
		levelled := ranked.Newest
		// What a machine does to a step is told from the level that the step was on.
		found := level.FindShift(ranked, t.MinSlowdown)
		if found.Since > 0 {
			for k := found.Since; k < len(levelled); k++ {
				levelled[k] += found.By
			}
		}
		logs[c] = make([]float64, len(a.base))
		for b := range logs[c] {
			logs[c][b] = math.NaN()
		}
		for k, y := range levelled {
			if b := s.ages[k]; int(b) < len(a.base) {
				logs[c][b] = y
			}
		}
		ascending := ranked.Ascending
		if found.Since > 0 {
			ascending = levelled
			slices.Sort(ascending)
		}
		// A clock adds an error that is uniform over a grain.
		usual := level.Median(ascending)
		grain := float64(resolution) / math.Sqrt(12) / math.Exp(usual)
		g.scales = append(g.scales, scale{at, usual, math.Hypot(math.Hypot(winsorisedSD(ascending), 0.03), grain)})
		ranked.Release()
		g.quietest = append(g.quietest, c)
	}
	slices.SortFunc(g.quietest, func(x, y int) int { return cmp.Compare(g.scales[x].spread, g.scales[y].spread) })
	var m mood
	var errors []float64
	for b := range a.base {
		if g.measure(&m, func(c int) float64 { return logs[c][b] }); m.known {
			g.logs, errors = append(g.logs, m.log), append(errors, m.sd)
		}
	}
	slices.Sort(g.logs)
	slices.Sort(errors)
	if len(g.logs) >= 3 {
		g.sd = max(winsorisedSD(g.logs), leastTau)
		g.error = level.Median(errors)
		g.tau = math.Sqrt(max(leastTau*leastTau, g.sd*g.sd-g.error*g.error))
	}
	g.branch = make([]mood, len(a.branch))
	for b := range g.branch {
		g.measure(&g.branch[b], func(c int) float64 {
			if s := &a.series[g.scales[c].at]; s.ran[b] {
				return logOf(s.values[b])
			}
			return math.NaN()
		})
		g.branch[b].estimate = g.shrunk(g.branch[b].estimate)
	}
	return g
}

// logOf is the logarithm of a duration by which machines are measured.
func logOf(d time.Duration) float64 { return math.Log(float64(d) + 1) }

// longest returns the places of the series that tell of a machine.
func longest(a *arranged, t Thresholds) (places []int) {
	for i := range a.series {
		if s := &a.series[i]; len(s.samples) >= t.MinHistory && s.step.TellsOfMachine() {
			places = append(places, i)
		}
	}
	slices.SortFunc(places, func(x, y int) int {
		return cmp.Or(-cmp.Compare(a.series[x].samples[0], a.series[y].samples[0]), cmp.Compare(x, y))
	})
	kept := places[:0]
	for _, i := range places {
		if len(kept) == maxRunnerSteps {
			break
		}
		if usual := durationMedian(a.series[i].newest(t.Window)); usual > 0 && usual >= t.MinDelta.D() {
			kept = append(kept, i)
		}
	}
	return kept
}

// newest is the machine's mood in the build under judgement.
func (g *gauge) newest() *mood { return &g.branch[len(g.branch)-1] }

// measure estimates a mood from the logarithms of the steps that ran; log is NaN
// for the others. What m was before is overwritten.
func (g *gauge) measure(m *mood, log func(c int) float64) {
	*m = mood{readings: slices.Grow(m.readings[:0], len(g.scales)), own: slices.Grow(m.own[:0], len(g.scales))}
	for c, s := range g.scales {
		if y := log(c); !math.IsNaN(y) {
			m.readings = append(m.readings, reading{
				at: s.at, log: y - s.usual, sd: s.spread, weight: 1 / (s.spread*s.spread + leastOwn*leastOwn),
			})
		}
	}
	if len(m.readings) < minRunnerSteps {
		return
	}
	slices.SortFunc(m.readings, reading.compare)
	for _, c := range g.quietest {
		if !math.IsNaN(log(c)) {
			m.own = append(m.own, g.scales[c].spread)
		}
	}
	m.known = true
	m.estimate = summarise(m.readings, level.Median(m.own))
}

// summarise is the weighted median of readings, by log, ascending; its standard error; and
// the disagreement of the steps beyond their own noise, whose median is own.
func summarise(readings []reading, own float64) (e estimate) {
	total, squares, largest := 0.0, 0.0, 0.0
	for i := range readings {
		total += readings[i].weight
		largest = max(largest, readings[i].weight)
	}
	// One long step among short ones is not to be the machine.
	most := largest
	if largest > mostShare*total {
		most = mostShare / (1 - mostShare) * (total - largest)
	}
	total = 0
	for i := range readings {
		w := min(readings[i].weight, most)
		total, squares = total+w, squares+w*w
	}
	sum := 0.0
	for i := range readings {
		sum += min(readings[i].weight, most)
		if sum >= total/2 {
			e.log = readings[i].log
			if sum == total/2 && i+1 < len(readings) {
				e.log = (e.log + readings[i+1].log) / 2
			}
			break
		}
	}
	e.log = max(-maxRunner, min(e.log, maxRunner))
	around := deviation(readings, e.log)
	independent := total * total / squares
	// 1.25 makes the error of a mean that of a median of normal values.
	e.sd = 1.25 * max(around/math.Sqrt(independent), 1/math.Sqrt(total))
	e.excess = math.Sqrt(max(0, around*around-own*own))
	return e
}

// shrunk is the posterior of an estimate under a normal prior, how machines usually differ;
// but a machine that is surely outside of that is believed to be there.
func (g *gauge) shrunk(e estimate) estimate {
	tau := max(g.tau, math.Abs(e.log)-2*e.sd)
	e.log *= tau * tau / (tau*tau + e.sd*e.sd)
	e.sd *= tau / math.Hypot(e.sd, tau)
	return e
}

// deviation is the median absolute deviation of ascending readings from a center
// among them, made consistent for normal values: those below and those above it
// are merged by their distance up to the middle.
func deviation(readings []reading, center float64) float64 {
	n := len(readings)
	above, _ := slices.BinarySearchFunc(readings, center, func(r reading, y float64) int { return cmp.Compare(r.log, y) })
	below := above - 1
	d, before := 0.0, 0.0
	for range n/2 + 1 {
		before = d
		if below < 0 || above < n && readings[above].log-center <= center-readings[below].log {
			d = readings[above].log - center
			above++
		} else {
			d = center - readings[below].log
			below--
		}
	}
	if n%2 == 0 {
		d = (before + d) / 2
	}
	return 1.4826 * d
}

// forStep returns the factor by which the step at place i is judged: estimated
// from the other steps. The zero reading if they are too few.
func (g *gauge) forStep(m *mood, i int) RunnerReading {
	if !m.known {
		return RunnerReading{}
	}
	e := m.estimate
	if at := slices.IndexFunc(m.readings, func(r reading) bool { return r.at == i }); at >= 0 {
		own, _ := slices.BinarySearch(m.own, m.readings[at].sd)
		e = g.shrunk(summarise(without(m.readings, at), level.Median(without(m.own, own))))
	}
	return RunnerReading{Ln: e.log, SD: math.Hypot(e.sd, e.excess)}
}

// without is a copy of a list that leaves out one place.
func without[T any](list []T, at int) []T {
	out := make([]T, 0, len(list))
	return append(append(out, list[:at]...), list[at+1:]...)
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
		center = level.Median(g.logs)
	}
	return &RunnerFactor{
		Value: math.Exp(m.log),
		Low:   math.Exp(m.log - 1.96*m.sd), High: math.Exp(m.log + 1.96*m.sd),
		UsualLow: math.Exp(center - half), UsualHigh: math.Exp(center + half),
		Steps: len(m.readings),
	}
}
