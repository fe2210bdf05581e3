package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// How long something took over the builds, drawn: the median of groups of builds and the band
// around it, single slow builds as dots, a numbered line at each lasting change, and below a
// strip that is the darker the more was found in the cache. Without a style the attributes
// speak; a table tells the same in numbers.

// A htmlTrack is such a drawing. Across, it is as wide as its place; its unit is one build.
type htmlTrack struct {
	ID, Label string
	Track     int // 0 for the wall clock, else 1 + the place of the step
	Small     bool
	Builds    int
	Top       int64 // milliseconds at the upper edge
	From, To  string

	Height, Plot, Strip, StripHeight, Below int // pixels: of all, of the plot, where the strip begins, where the words below stand
	Grid                                    []htmlMark
	Paths, Cache                            []htmlPath
	Numbers                                 []htmlMark

	Title, Caption string
	Twin           *htmlTable
}

// plotTop is where plots begin, below the numbers, in pixels.
const plotTop = 16

// A htmlPath is a line or an area.
type htmlPath struct {
	Class, D     string
	Fill, Stroke float64 // opacity and width; 0 for none
	Round        bool
}

// A htmlMark is a word that stands somewhere.
type htmlMark struct {
	Text, Anchor, Class string
	X                   string // of the width
	Y                   int    // pixels
	At                  int    // build
}

// trackOf draws how long something took. Nil if that is not known of any build.
func trackOf(v *courseView, d drawn, track int, numbers []shiftTold) *htmlTrack {
	c := v.course
	if len(d.Points) == 0 {
		return nil
	}
	groups := groupsOfBuilds(c, d, chartGroups)
	top := float64(topOf(d, groups))
	if top <= 0 {
		return nil
	}
	t := &htmlTrack{Track: track, Small: d.step != nil, Builds: len(c.Builds), Top: int64(math.Ceil(top / 1e6)), Height: 204, Plot: 140, Strip: 162, StripHeight: 9, Below: 190}
	digits := 1
	if t.Small {
		t.Height, t.Plot, t.Strip, t.StripHeight, t.Below, digits = 72, 44, 63, 5, 0, 0
	}
	y := func(s timeline.Seconds) string {
		const room = 4 // above, for dots
		return strconv.FormatFloat(math.Round((100-min(float64(s)/top, 1)*(100-room))*math.Pow10(digits))/math.Pow10(digits), 'f', -1, 64)
	}
	for _, at := range ticks(timeline.Seconds(top)) {
		if text := y(at); !t.Small {
			t.Paths = append(t.Paths, htmlPath{Class: "grid", D: fmt.Sprintf("M0 %sH%d", text, t.Builds), Stroke: 0.3})
			place, _ := strconv.ParseFloat(text, 64) // written above
			t.Grid = append(t.Grid, htmlMark{Text: at.String(), X: "0", Y: plotTop + int(place*float64(t.Plot)/100) - 3})
		}
	}
	t.Paths = append(t.Paths, htmlPath{Class: "band", D: band(groups, y), Fill: 0.2}, htmlPath{Class: "median", D: median(groups, y), Stroke: 2})
	dots, told := dotsOf(d, groups)
	if len(dots) > 0 {
		var b strings.Builder
		for _, p := range dots {
			fmt.Fprintf(&b, "M%d.5 %sh0", p.Build, y(p.Seconds))
		}
		t.Paths = append(t.Paths, htmlPath{Class: "dots", D: b.String(), Stroke: 4, Round: true})
	}
	for _, n := range numbers {
		class, width := "mark", 1.5
		if n.shift.Delta() < 0 {
			class += " better"
		}
		if n.step != d.step { // a step's, in the chart of the whole build
			class, width = class+" part", 0.7
		}
		t.Paths = append(t.Paths, htmlPath{Class: class, D: fmt.Sprintf("M%d 0V100", n.shift.Build), Stroke: width})
	}
	t.Numbers = marksOf(numbers, t.Builds, t.Small)
	t.Cache = strip(groups)
	t.From, t.To = when(c, 0), when(c, len(c.Builds)-1)
	t.Label = fmt.Sprintf("%s, usually %s now", Count(len(d.Points), "build"), d.Now())
	for i := range d.Shifts {
		s := &d.Shifts[i]
		t.Label += fmt.Sprintf("; %s to %s since %s", s.Before, s.Now, plain(buildWords(c, s.Build), maxTextName))
	}
	t.Twin = twinOf(c, groupsOfBuilds(c, d, twinGroups))
	if told != "" {
		t.Twin.Notes = append(t.Twin.Notes, told)
	}
	return t
}

// topOf is the upper edge of a chart: nearly all points lie below it, and all levels.
func topOf(d drawn, groups []trackGroup) timeline.Seconds {
	var values []timeline.Seconds
	for _, p := range d.Points {
		values = append(values, p.Seconds)
	}
	slices.Sort(values)
	top := values[(len(values)-1)*98/100]
	for _, l := range d.Levels {
		top = max(top, l.Seconds)
	}
	for i := range groups {
		top = max(top, groups[i].median)
	}
	return top + top/20
}

// ticks are two to four round times up to top.
func ticks(top timeline.Seconds) (at []timeline.Seconds) {
	unit := time.Millisecond
	for _, d := range []time.Duration{1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 10e3, 20e3, 30e3, 60e3, 120e3, 300e3, 600e3, 1200e3, 1800e3, 3600e3, 7200e3, 18000e3, 36000e3, 86400e3} {
		if unit = d * time.Millisecond; top.D()/unit <= 4 {
			break
		}
	}
	for k := time.Duration(1); k*unit <= top.D() && k <= 4; k++ {
		at = append(at, timeline.Seconds(k*unit))
	}
	return at
}

// band is the area between the percentiles.
func band(groups []trackGroup, y func(timeline.Seconds) string) string {
	var b strings.Builder
	for i := 0; i < len(groups); i++ {
		first := i
		for i < len(groups) && len(groups[i].values) > 0 {
			i++
		}
		if i == first {
			continue
		}
		fmt.Fprintf(&b, "M%d %s", groups[first].first, y(groups[first].high))
		last := ""
		for k := first; k < i; k++ {
			last = acrossAt(&b, y(groups[k].high), last, groups[k].end)
		}
		last = ""
		for k := i - 1; k >= first; k-- {
			last = acrossAt(&b, y(groups[k].low), last, groups[k].first)
		}
		b.WriteByte('Z')
	}
	return b.String()
}

// acrossAt goes to a height, if it is another one than the last, and then across.
func acrossAt(b *strings.Builder, to, last string, x int) string {
	if to != last {
		b.WriteString("V" + to)
	}
	fmt.Fprintf(b, "H%d", x)
	return to
}

func median(groups []trackGroup, y func(timeline.Seconds) string) string {
	var b strings.Builder
	drawing, last := false, ""
	for i := range groups {
		g := &groups[i]
		if len(g.values) == 0 {
			drawing = false
			continue
		}
		at := y(g.median)
		if !drawing {
			fmt.Fprintf(&b, "M%d %s", g.first, at)
			drawing, last = true, at
		}
		last = acrossAt(&b, at, last, g.end)
	}
	return b.String()
}

// strip has an area for each fifth of what was found in the cache; nothing for none.
func strip(groups []trackGroup) (paths []htmlPath) {
	const shades = 5
	areas := make([]strings.Builder, shades+1)
	shadeOf := func(g *trackGroup) int {
		if g.reached == 0 {
			return 0
		}
		return int(math.Ceil(float64(g.cached) / float64(g.reached) * shades))
	}
	for i := 0; i < len(groups); {
		first, shade := i, shadeOf(&groups[i])
		for i < len(groups) && shadeOf(&groups[i]) == shade {
			i++
		}
		if shade > 0 {
			fmt.Fprintf(&areas[shade], "M%d 0H%dV1H%dZ", groups[first].first, groups[i-1].end, groups[first].first)
		}
	}
	for shade := 1; shade <= shades; shade++ {
		if d := areas[shade].String(); d != "" {
			paths = append(paths, htmlPath{Class: "cache", D: d, Fill: float64(shade) * 0.16})
		}
	}
	return paths
}

// marksOf are the numbers of lasting changes above their lines; those that would lie on each
// other are one.
func marksOf(numbers []shiftTold, builds int, small bool) (marks []htmlMark) {
	width := 3.5 // of a number, in percent of a narrow window
	if small {
		width = 9
	}
	numbers = slices.Clone(numbers)
	slices.SortFunc(numbers, func(a, b shiftTold) int { return cmp.Compare(a.number, b.number) })
	end := -width // of the last one
	for _, n := range numbers {
		arrow := "▲"
		if n.shift.Delta() < 0 {
			arrow = "▼"
		}
		x := float64(n.shift.Build) / float64(builds) * 100
		text := fmt.Sprintf("%s%d", arrow, n.number)
		if x-width/2 < end && len(marks) > 0 {
			marks[len(marks)-1].Text += " " + text
			end += width / 2 // it grows to either side
			continue
		}
		m := htmlMark{Text: text, Anchor: "middle", X: strconv.FormatFloat(x, 'f', 1, 64) + "%", Y: plotTop - 4, At: n.shift.Build}
		end = x + width/2
		switch {
		case x < width:
			m.Anchor, end = "start", x+width
		case x > 100-width:
			m.Anchor = "end"
		}
		marks = append(marks, m)
	}
	return marks
}
