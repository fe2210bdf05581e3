package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch/builds"
)

// A project is what was built again and again.
type project struct {
	name   string
	series []series
}

// A series is a step of it, oldest value first.
type series struct {
	name       string // its key
	values     []time.Duration
	times      []int64 // that order values of several series; none before another
	resolution time.Duration
	noise      float64 // usual relative spread within 20 values in a row
}

func readAll(paths []string) (all []project) {
	for _, path := range paths {
		p := project{name: strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))}
		for _, s := range readFile(path) {
			const most = 500 // the newest: older ones are of another project by now
			first := max(0, len(s.values)-most)
			s.values, s.times = s.values[first:], s.times[first:]
			if len(s.values) == 0 || middle(s.values) < 2*time.Second {
				continue
			}
			s.noise = noiseOf(s.values)
			p.series = append(p.series, s)
		}
		if len(p.series) > 0 {
			all = append(all, p)
		}
		fmt.Printf("%s: %d series\n", p.name, len(p.series))
	}
	if len(all) == 0 {
		log.Fatal("no series is long enough")
	}
	return all
}

// readFile reads series of seconds, or the executed steps of a builds file.
func readFile(path string) (all []series) {
	data, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	var file struct {
		Series []struct {
			Series string    `json:"series"`
			Group  string    `json:"group"`
			Step   string    `json:"step"`
			Values []float64 `json:"values"`
			Times  []int64   `json:"times"`
		} `json:"series"`
	}
	if err := json.Unmarshal(data, &file); err == nil && file.Series != nil {
		for _, s := range file.Series {
			group, step := s.Group, s.Step
			if step == "" {
				group, step = "", s.Series
				if at := strings.LastIndex(s.Series, " / "); at >= 0 {
					group, step = s.Series[:at], s.Series[at+3:]
				}
			}
			all = append(all, seriesOf(fmt.Sprintf("[%s] %s", group, step), s.Values, s.Times))
		}
		return all
	}
	recorded, err := builds.Decode(bytes.NewReader(data), path)
	if err != nil {
		log.Fatal(err)
	}
	slices.SortStableFunc(recorded, func(a, b timeline.Build) int { return a.Start.Compare(b.Start) })
	at := map[string]int{}
	for _, b := range recorded {
		for _, s := range b.Steps {
			if b.Outcome != timeline.OK || s.State != timeline.Executed {
				continue
			}
			i, known := at[s.Key]
			if !known {
				i = len(all)
				at[s.Key] = i
				all = append(all, series{name: s.Key, resolution: b.Resolution})
			}
			all[i].values = append(all[i].values, s.Duration)
			all[i].times = append(all[i].times, b.Start.UnixNano())
		}
	}
	return all
}

// seriesOf puts seconds in order of their times, and tells the clock that they were
// measured by.
func seriesOf(name string, values []float64, times []int64) series {
	s := series{name: name, resolution: time.Second}
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	if len(times) == len(values) {
		slices.SortStableFunc(order, func(a, b int) int { return int(times[a] - times[b]) })
	}
	for _, i := range order {
		s.values = append(s.values, time.Duration(values[i]*1e9))
		at := int64(i)
		if len(times) == len(values) {
			at = times[i]
		}
		s.times = append(s.times, at)
		if values[i] != math.Trunc(values[i]) {
			s.resolution = 0
		}
	}
	return s
}

func noiseOf(v []time.Duration) float64 {
	var all []time.Duration
	wide := min(20, len(v))
	const unit = 1e6
	for i := 0; i+wide <= len(v); i += 10 {
		w := v[i : i+wide]
		m := middle(w)
		d := make([]time.Duration, len(w))
		for k := range w {
			d[k] = (w[k] - m).Abs()
		}
		all = append(all, time.Duration(unit*1.4826*float64(middle(d))/float64(max(m, 1))))
	}
	return float64(middle(all)) / unit
}
