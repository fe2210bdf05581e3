// Command measure tells how good package detect is on recorded durations:
//
//	go run ./testdata/measure [-n 8,20,50] [-seeds 40] [-raw] [-shifts] FILE…
//
// A file holds the steps (or jobs) of one project: {"series":[{"series":"name","values":[…],
// "times":[…]}]} with durations in seconds, oldest first, or a builds file. Of n+5 values in
// a row, five drawn at random are held out as the builds of a branch, so that nothing but
// chance tells them from the rest: every alarm on them is false. Multiplied by a factor,
// they are a slowdown to be found. With -raw the five newest are held out, so that real
// changes and drift are among the alarms; those that last are counted apart. What lies
// before the window is remembered as it is in a check. Each step is judged in a build with
// up to 29 others of its project at that time, by the function that check uses.
//
// Figures are means over the projects, which weigh the same, with the worst project and
// intervals of 95 % from drawing the series of each project anew. A second table holds each
// project to the limit at which the others have the false alarms that are asked for: what
// to expect of a project that no limit was chosen on.
package main

import (
	"flag"
	"log"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/level"
)

const (
	looks      = detect.MaxEvidence // builds of a branch
	buildSteps = 30                 // steps that are judged together
)

var factors = []float64{1, 1.2, 1.5, 2, 3, 5}

func main() {
	lengths := flag.String("n", "8,20,50", "values of a history")
	seeds := flag.Int("seeds", 40, "windows drawn of each series")
	raw := flag.Bool("raw", false, "hold out the newest values, not random ones")
	shifts := flag.Bool("shifts", false, "measure lasting changes of level alone")
	flag.Parse()
	projects := readAll(flag.Args())
	if *shifts {
		measureShifts(projects, *seeds)
		return
	}
	for text := range strings.SplitSeq(*lengths, ",") {
		n, err := strconv.Atoi(text)
		if least := detect.DefaultThresholds.MinHistory; err != nil || n < least || *seeds < 1 {
			log.Fatalf("want at least %d values of a history, and a window of each series", least)
		}
		m := &measurement{n: n, raw: *raw, projects: projects}
		m.run(*seeds)
		m.print()
	}
}

// A window is a history, newest first, what was held out of it, what lies before and what
// comes after.
type window struct {
	history, held, older, after []time.Duration
	quiet                       bool // under 10 % noise, and nothing above half as much again in all that was seen
}

// A check is one step judged at each look at each factor.
type check struct {
	project, series int
	quiet, lasting  bool
	p               [6][looks]float64 // error of believing that it is slower, 1 if it is not worth telling
	status          [6][looks]detect.Status
	rank            [6][looks]float64 // standard score of the rank sum alone, 0 if it is not worth telling
	rules           [6][len(rules)]float64
}

type measurement struct {
	n        int
	raw      bool
	projects []project
	checks   []check
	builds   []unchanged
	minimum  [2][2]float64 // checks and found, at the stated minimum of one and of three builds
}

// An unchanged build, and what it would have been called.
type unchanged struct {
	project         int
	slower, suspect bool
}

// run draws windows of all series and judges them.
func (m *measurement) run(seeds int) {
	var done sync.Mutex
	var wait sync.WaitGroup
	turns := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for seed := range turns {
				for p := range m.projects {
					rng := rand.New(rand.NewPCG(uint64(seed), uint64(p)))
					for _, panel := range m.panels(p, rng) {
						one := m.judge(p, panel)
						done.Lock()
						m.checks = append(m.checks, one.checks...)
						m.builds = append(m.builds, one.builds...)
						for k := range m.minimum {
							m.minimum[k][0] += one.minimum[k][0]
							m.minimum[k][1] += one.minimum[k][1]
						}
						done.Unlock()
					}
				}
			}
		})
	}
	for seed := range seeds {
		turns <- seed
	}
	close(turns)
	wait.Wait()
	slices.SortFunc(m.checks, func(a, b check) int { return (a.project-b.project)<<20 + a.series - b.series })
}

// A panel is steps of one project at one time.
type panel struct {
	series  []int
	windows []window
}

// panels shares the series of a project out to builds, each at a time of its own.
func (m *measurement) panels(p int, rng *rand.Rand) (out []panel) {
	var long []int
	after := 0
	if m.raw {
		after = looks
	}
	for i, s := range m.projects[p].series {
		if len(s.values) >= m.n+looks+after && (m.n < 50 || len(s.values) >= 2*m.n) {
			long = append(long, i)
		}
	}
	if len(long) == 0 {
		return nil
	}
	rng.Shuffle(len(long), func(i, j int) { long[i], long[j] = long[j], long[i] })
	builds := (len(long) + buildSteps - 1) / buildSteps
	for b := range builds {
		var next panel
		next.series = long[b*len(long)/builds : (b+1)*len(long)/builds]
		anchor := m.projects[p].series[next.series[rng.IntN(len(next.series))]]
		at := anchor.times[rng.IntN(len(anchor.values)-m.n-looks-after+1)]
		held := rng.Perm(m.n + looks)[:looks]
		if m.raw {
			for i := range held {
				held[i] = m.n + i
			}
		}
		for _, i := range next.series {
			s := m.projects[p].series[i]
			from, _ := slices.BinarySearch(s.times, at)
			next.windows = append(next.windows, s.window(min(from, len(s.values)-m.n-looks-after), m.n, held))
		}
		out = append(out, next)
	}
	return out
}

// window cuts n+5 values, of which those at the indices held are held out.
func (s *series) window(at, n int, held []int) (w window) {
	for _, i := range held {
		w.held = append(w.held, s.values[at+i])
	}
	for i := n + looks - 1; i >= 0; i-- {
		if !slices.Contains(held, i) {
			w.history = append(w.history, s.values[at+i])
		}
	}
	w.older = s.values[max(0, at-level.TailReach):at]
	w.after = s.values[at+n+looks : min(len(s.values), at+n+2*looks)]
	seen := slices.Concat(w.older, w.history)
	w.quiet = s.noise < 0.1 && slices.Max(seen) <= middle(seen)*3/2
	return w
}

func (w *window) trial(s *series, builds int, factor float64) detect.Trial {
	values := slices.Clone(w.history)
	slices.Reverse(values)
	t := detect.Trial{
		History: w.history, Kind: dockerfile.Kind(s.name), Resolution: s.resolution,
		Tail: level.TailOf(slices.Concat(w.older, values), len(values)),
	}
	for _, v := range w.held[:builds] {
		t.New = append(t.New, time.Duration(float64(v)*factor))
	}
	return t
}

// judge judges each step of a panel at each factor, among the others unchanged.
func (m *measurement) judge(p int, next panel) (one measurement) {
	steps := m.projects[p].series
	for k := range next.windows {
		w := &next.windows[k]
		c := check{project: p, series: next.series[k], quiet: w.quiet}
		usual := middle(w.history)
		if later := middle(w.after) - usual; len(w.after) > 2 {
			c.lasting = later >= time.Second && float64(later) >= 0.15*float64(usual)
		}
		one.checks = append(one.checks, c)
	}
	for builds := 1; builds <= looks; builds++ {
		trials := make([]detect.Trial, len(next.windows))
		for k := range trials {
			trials[k] = next.windows[k].trial(&steps[next.series[k]], builds, 1)
		}
		same := detect.Decide(trials, detect.DefaultThresholds)
		if builds == 1 && len(trials) >= buildSteps/2 {
			one.builds = append(one.builds, unchanged{
				project: p,
				slower:  slices.ContainsFunc(same, func(d detect.Decision) bool { return d.Status == detect.StatusSlower }),
				suspect: slices.ContainsFunc(same, func(d detect.Decision) bool { return d.Status == detect.StatusSuspect }),
			})
		}
		for k := range trials {
			one.checks[k].note(0, builds-1, &same[k], &trials[k])
			if builds == 1 {
				one.countMinimum(trials, k, &next.windows[k], &steps[next.series[k]], &same[k])
			}
		}
		for f, factor := range factors[1:] {
			slowed := make([]detect.Trial, len(trials))
			for k := range slowed {
				slowed[k] = next.windows[k].trial(&steps[next.series[k]], builds, factor)
			}
			all := detect.Decide(slowed, detect.DefaultThresholds)
			for k := range slowed {
				d := all[k]
				// Among others that are slower as well a step is held to less by the false
				// discovery rate: where that could have decided, it is judged among the others unchanged.
				if d.Q > detect.DefaultThresholds.FDR/float64(len(trials)) && d.Status != detect.StatusSame {
					among := slices.Clone(trials)
					among[k] = slowed[k]
					d = detect.Decide(among, detect.DefaultThresholds)[k]
				}
				one.checks[k].note(f+1, builds-1, &d, &slowed[k])
			}
		}
	}
	return one
}

// note keeps what became of the step at a factor and a look.
func (c *check) note(factor, look int, d *detect.Decision, t *detect.Trial) {
	c.status[factor][look], c.p[factor][look] = d.Status, 1
	if d.Reportable {
		c.p[factor][look] = d.P
	}
	if look == 0 {
		c.rules[factor] = byRules(t.New[0], t.History)
	}
	if worthTelling(t.New, t.History) {
		c.rank[factor][look] = mannWhitney(t.New, t.History)
	}
}

// countMinimum judges the step at the slowdown that is said to be found.
func (m *measurement) countMinimum(trials []detect.Trial, k int, w *window, s *series, d *detect.Decision) {
	unslowed := trials[k]
	for i, ratio := range []float64{d.MinDetectable, d.MinDetectable3} {
		if ratio == 0 {
			continue
		}
		trials[k] = w.trial(s, 2*i+1, ratio)
		m.minimum[i][0]++
		if detect.Decide(trials, detect.DefaultThresholds)[k].Status == detect.StatusSlower {
			m.minimum[i][1]++
		}
	}
	trials[k] = unslowed
}

func middle(v []time.Duration) time.Duration {
	if len(v) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(v))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}
