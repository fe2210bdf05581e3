package report

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect/course"
	"github.com/buildregress/buildregress/detect/timeline"
)

// Charts have at most that many groups, and tables that many.
const (
	chartGroups = 180
	twinGroups  = 60
	fewGroups   = 12 // of five builds each; where there are more, of ten or more
)

// groupCount is into how many groups so many builds are parted.
func groupCount(builds, most int) int {
	return max(min(max(builds/10, min(builds/5, fewGroups)), most), 1)
}

// A drawn is what is drawn of a course: the wall clock, or a step.
type drawn struct {
	*course.Track
	step *course.Step // nil of the wall clock
}

// A trackGroup is what was in the builds from first until before end.
type trackGroup struct {
	first, end        int
	values            []timeline.Seconds // sorted
	cached, reached   int                // steps of all builds, or builds that reached the step
	slow              int                // single builds that took far longer than the others
	low, median, high timeline.Seconds   // 5th, 50th and 95th percentile of the others
}

// summarize finds the percentiles of the values. A tenth of them, or one, that took half as
// long again as the median are single slow builds; where there are more, they are how it is.
func (g *trackGroup) summarize() {
	slices.Sort(g.values)
	v := g.values
	if len(v) == 0 {
		return
	}
	g.median = (v[(len(v)-1)/2] + v[len(v)/2]) / 2
	usual, _ := slices.BinarySearchFunc(v, g.median, func(x, m timeline.Seconds) int {
		if 2*x > 3*m {
			return 1
		}
		return -1
	})
	if slow := len(v) - usual; slow <= max(len(v)/10, 1) && len(v) >= 3 {
		g.slow, v = slow, v[:usual]
	}
	at := func(q float64) timeline.Seconds { return v[int(q*float64(len(v)-1)+0.5)] }
	g.low, g.high = at(0.05), at(0.95)
}

// groupsOfBuilds parts the builds of a course in groups of about equal numbers, none of which
// has builds of two levels.
func groupsOfBuilds(c *course.Course, d drawn, most int) []trackGroup {
	n := len(c.Builds)
	ends := []int{n} // of levels, newest first
	for _, s := range slices.Backward(d.Shifts) {
		if s.Build > 0 && s.Build < ends[len(ends)-1] && len(ends) <= most/3 {
			ends = append(ends, s.Build)
		}
	}
	slices.Reverse(ends)
	count := groupCount(n, most-len(ends)+1)
	var groups []trackGroup
	first := 0
	for _, end := range ends {
		length := end - first
		k := min(max((length*count+n/2)/max(n, 1), 1), max(length, 1))
		for i := range k {
			groups = append(groups, trackGroup{first: first + i*length/k, end: first + (i+1)*length/k})
		}
		first = end
	}
	of := make([]int, n)
	for i := range groups {
		g := &groups[i]
		for b := g.first; b < g.end; b++ {
			of[b] = i
			if d.step == nil {
				g.cached += c.Builds[b].Cached
				g.reached += c.Builds[b].Cached + c.Builds[b].Executed
			}
		}
	}
	for _, p := range d.Points {
		g := &groups[of[p.Build]]
		g.values = append(g.values, p.Seconds)
		if d.step != nil {
			g.reached++
		}
	}
	if d.step != nil {
		for _, b := range d.step.CachedBuilds {
			groups[of[b]].cached++
			groups[of[b]].reached++
		}
	}
	for i := range groups {
		groups[i].summarize()
	}
	return groups
}

// allDots is of how many builds each is drawn.
const allDots = 150

// dotsOf are the builds that are drawn one by one: all of a short history, and of a longer one
// the single slow ones. It says where these are too many.
func dotsOf(d drawn, groups []trackGroup) (dots []course.Point, told string) {
	const most = 60
	if len(d.Points) <= allDots {
		return d.Points, ""
	}
	g := 0
	for _, p := range d.Points {
		for p.Build >= groups[g].end {
			g++
		}
		if groups[g].slow > 0 && 2*p.Seconds > 3*groups[g].median {
			dots = append(dots, p)
		}
	}
	n := len(dots)
	if n <= most {
		return dots, ""
	}
	slices.SortStableFunc(dots, func(a, b course.Point) int { return cmp.Compare(b.Seconds, a.Seconds) })
	dots = dots[:most]
	slices.SortFunc(dots, func(a, b course.Point) int { return cmp.Compare(a.Build, b.Build) })
	return dots, fmt.Sprintf("Dots are the slowest %d of %d single slow builds.", most, n)
}

// when is the day of a build, or, of a history of few days, its time.
func when(c *course.Course, build int) string {
	const few = 72 * time.Hour
	at := encodableTime(c.Builds[build].Start)
	switch first, last := c.Builds[0].Start, c.Builds[len(c.Builds)-1].Start; {
	case at.IsZero():
		return fmt.Sprintf("build %d", build+1)
	case last.Sub(first) < few:
		return at.Format("2006-01-02 15:04")
	}
	return day(at)
}

// twinOf tells a drawing in numbers.
func twinOf(c *course.Course, groups []trackGroup) *htmlTable {
	t := &htmlTable{Title: "In numbers", Folded: true, Twin: true, Head: heads("Builds|t", "Since|t", "Median|n", "5–95 %|n", "Slow|n", "Cached|n")}
	for i := range groups {
		g := &groups[i]
		cells := []htmlCell{{Text: fmt.Sprintf("%d–%d", g.first+1, g.end), Class: "t"}, {Text: when(c, g.first), Class: "t"}, {Text: "–", Class: "n"}, {Class: "n"}, {Class: "n"}, {Class: "n"}}
		if len(g.values) > 0 {
			cells[2].Text = g.median.String()
			cells[3].Text = between(g.low, g.high)
		}
		if g.slow > 0 {
			cells[4].Text = fmt.Sprint(g.slow)
		}
		if g.reached > 0 {
			cells[5].Text = percent(float64(g.cached) / float64(g.reached))
		}
		t.Rows = append(t.Rows, htmlRow{Cells: cells})
	}
	return t
}
