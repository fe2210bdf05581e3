// Command measure tells how good package detect is on recorded durations:
//
//	go run ./testdata/measure [-n 20] [-seeds 20] [-rounded] [-raw] FILE…
//
// A file holds the steps (or jobs) of one project: {"series":[{"values":[…]}]}
// with durations in seconds, oldest first, or a builds file. Of n+5 values in a
// row, five drawn at random are held out as the builds of a branch, so that
// nothing but chance tells them from the rest: every alarm on them is false.
// Multiplied by a factor, they are a slowdown to be found. With -raw the five
// newest are held out, so that real changes and drift are among the alarms. Each
// step is judged in a build with up to 29 others of its project, by the function
// that check uses. Figures are means over the series; rates of false alarms also
// over the projects. Intervals of 95 % come from drawing series anew.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/fetch/builds"
)

const (
	looks      = 5  // builds of a branch
	buildSteps = 30 // steps that are judged together
)

var factors = []float64{1, 1.2, 1.5, 2, 3, 5}

type series struct {
	project int
	values  []float64
	quiet   bool // under 10 % noise
}

func main() {
	n := flag.Int("n", 20, "values of a history")
	seeds := flag.Int("seeds", 20, "windows drawn of each series")
	rounded := flag.Bool("rounded", false, "round to whole seconds")
	raw := flag.Bool("raw", false, "hold out the newest values, not random ones")
	flag.Parse()
	if least := detect.DefaultThresholds.MinHistory; *n < least || *seeds < 1 {
		log.Fatalf("want at least %d values of a history, and a window of each series", least)
	}
	all := read(flag.Args(), *n, *rounded)
	if len(all) == 0 {
		log.Fatal("no series is long enough")
	}
	m := &measurement{n: *n, raw: *raw, series: all, cells: map[cell][]tally{}, scores: map[cell][][]float64{}, resolution: map[bool]time.Duration{true: time.Second}[*rounded]}
	for seed := range *seeds {
		m.run(rand.New(rand.NewPCG(uint64(seed), 1)))
	}
	m.print()
}

func read(paths []string, n int, rounded bool) (all []series) {
	for project, path := range paths {
		kept := 0
		for _, v := range readFile(path) {
			v = v[max(0, len(v)-500):]
			if rounded {
				for i := range v {
					v[i] = math.Round(v[i])
				}
			}
			if len(v) < n+looks || median(v) < 2 {
				continue
			}
			all = append(all, series{project, v, noise(v) < 0.1})
			kept++
		}
		fmt.Printf("%s: %d series\n", filepath.Base(path), kept)
	}
	return all
}

// readFile reads series of seconds, or the executed steps of a builds file.
func readFile(path string) (all [][]float64) {
	data, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	var file struct {
		Series []struct {
			Values []float64 `json:"values"`
		} `json:"series"`
	}
	if err := json.Unmarshal(data, &file); err == nil && file.Series != nil {
		for _, s := range file.Series {
			all = append(all, s.Values)
		}
		return all
	}
	recorded, err := builds.Decode(bytes.NewReader(data), path)
	if err != nil {
		log.Fatal(err)
	}
	slices.SortStableFunc(recorded, func(a, b detect.Build) int { return a.Start.Compare(b.Start) })
	at := map[string]int{}
	for _, b := range recorded {
		for _, s := range b.Steps {
			if b.Outcome != detect.OK || s.State != detect.Executed {
				continue
			}
			i, known := at[s.Key]
			if !known {
				i = len(all)
				at[s.Key] = i
				all = append(all, nil)
			}
			all[i] = append(all[i], s.Duration.Seconds())
		}
	}
	return all
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// noise is the usual relative spread within 20 values in a row.
func noise(v []float64) float64 {
	var all []float64
	wide := min(20, len(v))
	for i := 0; i+wide <= len(v); i += 10 {
		w := v[i : i+wide]
		m := median(w)
		d := make([]float64, len(w))
		for k := range w {
			d[k] = math.Abs(w[k] - m)
		}
		all = append(all, 1.4826*median(d)/m)
	}
	return median(all)
}

// A cell is one figure: a factor at a number of builds.
type cell struct {
	factor float64
	builds int
}

// A tally counts the checks of one series.
type tally struct{ checks, slower, loud, everSlower float64 }

type measurement struct {
	n          int
	raw        bool
	series     []series
	cells      map[cell][]tally     // by series
	scores     map[cell][][]float64 // p of each check, by series
	builds     [3]float64           // unchanged builds; that end regressed; unsure
	minimum    [2]tally             // at the stated minimum of one and of three builds
	resolution time.Duration
}

// A window is a history, newest first, and what was held out of it.
type window struct{ history, held []time.Duration }

func (m *measurement) draw(rng *rand.Rand, s *series) (w window) {
	at := rng.IntN(len(s.values) - m.n - looks + 1)
	out := map[int]bool{}
	held := rng.Perm(m.n + looks)[:looks]
	if m.raw {
		for i := range held {
			held[i] = m.n + i
		}
	}
	for _, i := range held {
		out[i] = true
		w.held = append(w.held, time.Duration(s.values[at+i]*1e9))
	}
	for i := m.n + looks - 1; i >= 0; i-- {
		if !out[i] {
			w.history = append(w.history, time.Duration(s.values[at+i]*1e9))
		}
	}
	return w
}

func (m *measurement) trial(w window, builds int, factor float64) detect.Trial {
	t := detect.Trial{History: w.history, Resolution: m.resolution}
	for _, v := range w.held[:builds] {
		t.New = append(t.New, time.Duration(float64(v)*factor))
	}
	return t
}

// run draws a window of each series and judges each of them.
func (m *measurement) run(rng *rand.Rand) {
	windows := make([]window, len(m.series))
	for i := range m.series {
		windows[i] = m.draw(rng, &m.series[i])
	}
	for i := range m.series {
		var others []int
		for _, k := range rng.Perm(len(m.series)) {
			if k != i && m.series[k].project == m.series[i].project && len(others) < buildSteps-1 {
				others = append(others, k)
			}
		}
		for _, factor := range factors {
			ever := false
			for builds := 1; builds <= looks; builds++ {
				trials := []detect.Trial{m.trial(windows[i], builds, factor)}
				for _, k := range others {
					trials = append(trials, m.trial(windows[k], builds, 1))
				}
				decisions := detect.Decide(trials, detect.DefaultThresholds)
				ever = ever || decisions[0].Status == detect.StatusSlower
				m.count(i, cell{factor, builds}, &decisions[0], ever)
				if factor == 1 && builds == 1 {
					m.countBuild(decisions)
					m.countMinimum(i, windows[i], trials, &decisions[0])
				}
			}
		}
	}
}

func (m *measurement) count(i int, c cell, d *detect.Decision, ever bool) {
	if m.cells[c] == nil {
		m.cells[c], m.scores[c] = make([]tally, len(m.series)), make([][]float64, len(m.series))
	}
	t := &m.cells[c][i]
	t.checks++
	if d.Status == detect.StatusSlower {
		t.slower++
	}
	if d.Status == detect.StatusSlower || d.Status == detect.StatusSuspect {
		t.loud++
	}
	if ever {
		t.everSlower++
	}
	m.scores[c][i] = append(m.scores[c][i], score(d))
}

// score ranks checks: what is too small to be told is never found.
func score(d *detect.Decision) float64 {
	if !d.Reportable {
		return 1
	}
	return d.P
}

func (m *measurement) countBuild(decisions []detect.Decision) {
	if len(decisions) < buildSteps {
		return
	}
	m.builds[0]++
	slower := slices.ContainsFunc(decisions, func(d detect.Decision) bool { return d.Status == detect.StatusSlower })
	suspect := slices.ContainsFunc(decisions, func(d detect.Decision) bool { return d.Status == detect.StatusSuspect })
	switch {
	case slower:
		m.builds[1]++
	case suspect:
		m.builds[2]++
	}
}

// countMinimum judges the step at the slowdown that is said to be found.
func (m *measurement) countMinimum(i int, w window, trials []detect.Trial, d *detect.Decision) {
	for k, ratio := range []float64{d.MinDetectable, d.MinDetectable3} {
		if ratio == 0 {
			continue
		}
		changed := slices.Clone(trials)
		changed[0] = m.trial(w, 2*k+1, ratio)
		m.minimum[k].checks++
		if detect.Decide(changed, detect.DefaultThresholds)[0].Status == detect.StatusSlower {
			m.minimum[k].slower++
		}
	}
}
