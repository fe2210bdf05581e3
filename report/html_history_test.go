package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/course"
	"github.com/buildregress/buildregress/detect/timeline"
)

// yearOf is a course of a year: so many builds a day, so many steps, some of them mostly
// cached, each changed for good in another month.
func yearOf(perDay, steps int) *course.Course {
	rng := rand.New(rand.NewPCG(3, 65))
	n := 365 * perDay
	c := &course.Course{Pipeline: "acme/shop", Branch: "main"}
	start := time.Date(2025, 12, 1, 0, 0, 0, 0, time.UTC)
	took := make([]timeline.Seconds, n)
	noise := func() float64 { return math.Exp(0.1 * rng.NormFloat64()) }
	seconds := func(f float64) timeline.Seconds { return timeline.Seconds(math.Round(f*1e3) * 1e6) }
	for k := range steps {
		name := fmt.Sprintf("[build %d/%d] RUN make -j8 --silent part-%d all", k+1, steps, k)
		s := course.Step{Key: name, Name: name, Stage: "build", Share: 1 / float64(steps), Reached: n}
		usual, changed := 2+rng.ExpFloat64()*10, n
		if k%4 == 0 {
			changed = n * (k + 1) / (steps + 1)
		}
		point := 0
		for i := range n {
			if k%5 == 0 && rng.IntN(3) > 0 {
				s.CachedBuilds = append(s.CachedBuilds, i)
				continue
			}
			level := usual
			if i >= changed {
				level *= 1.5
			} else {
				point++
			}
			d := seconds(level * noise())
			took[i] += d
			s.Points = append(s.Points, course.Point{Build: i, Seconds: d})
		}
		s.Cached = len(s.CachedBuilds)
		s.Levels = []course.Level{{Points: point, Seconds: seconds(usual)}}
		if changed < n {
			s.Levels = append(s.Levels, course.Level{Point: point, Points: len(s.Points) - point, Seconds: seconds(1.5 * usual)})
			s.Shifts = []course.Shift{{Build: changed, After: changed - 1, Before: seconds(usual), Now: seconds(1.5 * usual), Builds: n - changed, Total: seconds(usual / 2 * float64(n-changed))}}
		}
		c.Steps = append(c.Steps, s)
	}
	for i := range n {
		c.Builds = append(c.Builds, course.Build{
			ID: fmt.Sprint(i), Revision: fmt.Sprintf("%016x%016x%08x", rng.Uint64(), rng.Uint64(), rng.Uint32()), URL: fmt.Sprintf("https://github.com/acme/shop/actions/runs/%d", 11_000_000_000+rng.IntN(1e9)),
			Start: start.Add(time.Duration(i) * 24 * time.Hour / time.Duration(perDay)), Duration: took[i], Executed: steps, Cached: i % 7,
		})
		c.WallClock.Points = append(c.WallClock.Points, course.Point{Build: i, Seconds: took[i]})
	}
	c.WallClock.Levels = []course.Level{{Points: n, Seconds: took[n/2]}}
	return c
}

// A year of thirty builds a day with forty steps is a page of no more than 1.5 MB, and all of
// it is on it.
func TestYearIsSmall(t *testing.T) {
	const most = 1_500_000
	page := render(t, func(w io.Writer) error {
		return HistoryHTML(w, &course.Report{Results: []course.Course{*yearOf(30, 40)}}, HistoryOptions{})
	})
	t.Logf("%d bytes", len(page))
	if len(page) > most {
		t.Errorf("%d bytes, want no more than %d", len(page), most)
	}
	if strings.Contains(page, "Left out, to keep") {
		t.Error("something is left out")
	}
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	charts, twins := 0, 0
	for n := range root.Descendants() {
		switch {
		case n.Data == "svg" && attribute(n, "class") == "track":
			charts++
		case n.Data == "details" && attribute(n, "class") == "twin":
			rows := 0
			for d := range n.Descendants() {
				if d.Data == "tr" {
					rows++
				}
			}
			if twins++; rows > 1+twinGroups || rows < twinGroups-4 {
				t.Errorf("a table of %d rows", rows)
			}
		}
	}
	if charts != 41 || twins != 41 {
		t.Errorf("%d charts, %d tables, want 41 of each", charts, twins)
	}
	data := dataIn(t, root)
	told := 0
	for _, stretch := range data.Told {
		told += stretch[1] - stretch[0] + 1
	}
	if len(data.Took) != 365*30 || told != len(data.Tracks[1].Took) || told < newestTold+9*2*toldAround || told > mostTold {
		t.Errorf("%d builds, %d of them told", len(data.Took), told)
	}
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// dataIn is what the script of a page is told.
func dataIn(t *testing.T, root *html.Node) (data courseData) {
	t.Helper()
	for n := range root.Descendants() {
		if n.Data == "script" && attribute(n, "type") == "application/json" {
			if err := json.Unmarshal([]byte(n.FirstChild.Data), &data); err != nil {
				t.Fatal(err)
			}
			return data
		}
	}
	t.Fatal("no data")
	return data
}

func several(n int, c *course.Course) *course.Report {
	h := &course.Report{}
	for range n {
		h.Results = append(h.Results, *c)
	}
	return h
}

// A page that is too large loses one thing after the other, what is missed least first, and
// says what.
func TestPagesFit(t *testing.T) {
	c := yearOf(2, 12)
	for i := range 120 {
		c.Notes = append(c.Notes, detect.Note{Text: fmt.Sprintf("note %d", i)})
	}
	h := several(4, c)
	for i := range h.Results[0].Steps { // those of all four
		s := &h.Results[0].Steps[i]
		s.Name = strings.Repeat("<&\"'", 100) + s.Name
		s.Key = s.Name
	}
	var before, told string
	for most := 1 << 30; ; most = len(before) - 1 {
		p := historyPage(h, HistoryOptions{})
		p.complete()
		text, err := p.fitted(most)
		if errors.Is(err, errTooLarge) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > most {
			t.Errorf("%d bytes, want no more than %d", len(text), most)
		}
		before, told = string(text), strings.Join(p.Left, "; ")
		if words := checkPage(t, told, before); told != "" && !strings.Contains(words, told+".") {
			t.Errorf("it does not say %q", told)
		}
	}
	at := 0
	for _, part := range []string{"behind the charts", "below the charts", "the charts of steps", "first 100 of each table", "first 100 of each list", "first 20 of each table", "first 10 of each list", "the last 2 of 5 sections", "the last 1 of 3 sections", "the last 1 of 2 sections"} {
		k := strings.Index(told[at:], part)
		if k < 0 {
			t.Fatalf("%q is not said in its place: %s", part, told)
		}
		at += k
	}
}

// No page is larger than 5 MB.
func TestPagesAreBounded(t *testing.T) {
	page := render(t, func(w io.Writer) error { return HistoryHTML(w, several(60, yearOf(1, 1)), HistoryOptions{}) })
	if len(page) > maxPage || len(page) < maxPage/4 || !strings.Contains(page, "Left out, to keep this page below 5 MB:") || !strings.Contains(page, `id="p59t0"`) {
		t.Errorf("%d bytes", len(page))
	}
}

// What a chart shows stands below it in numbers: of groups of builds, the median, most of
// them, and how many were found in the cache.
func TestTwins(t *testing.T) {
	c := yearOf(1, 1)
	c.Steps[0].Points, c.Steps[0].CachedBuilds = nil, nil
	for i := range c.Builds {
		if i%2 == 0 {
			c.Steps[0].CachedBuilds = append(c.Steps[0].CachedBuilds, i)
		} else {
			c.Steps[0].Points = append(c.Steps[0].Points, course.Point{Build: i, Seconds: timeline.Seconds(10e9 + int64(i%10)*1e9)})
		}
	}
	c.Steps[0].Levels = []course.Level{{Points: len(c.Steps[0].Points), Seconds: 15e9}}
	c.Steps[0].Shifts = nil
	v := courseViewOf(c, HistoryOptions{})
	d := drawn{&c.Steps[0].Track, &c.Steps[0]}
	groups := groupsOfBuilds(c, d, twinGroups)
	n := 0
	for i := range groups {
		g := &groups[i]
		if g.first != n || g.reached != g.end-g.first || g.cached+len(g.values) != g.reached {
			t.Errorf("group %d of builds %d to %d: %d cached and %d of %d", i, g.first, g.end, g.cached, len(g.values), g.reached)
		}
		n = g.end
	}
	if n != len(c.Builds) || len(groups) != 36 {
		t.Errorf("%d groups of %d builds", len(groups), n)
	}
	// A group has builds of one level.
	changed := *d.Track
	changed.Shifts = []course.Shift{{Build: 7}, {Build: 8}, {Build: 203}, {Build: 364}}
	groups = groupsOfBuilds(c, drawn{&changed, d.step}, twinGroups)
	for _, s := range changed.Shifts {
		if !slices.ContainsFunc(groups, func(g trackGroup) bool { return g.first == s.Build }) {
			t.Errorf("no group begins at build %d", s.Build)
		}
	}
	for i := range groups {
		if g := &groups[i]; g.end <= g.first || i > 0 && g.first != groups[i-1].end {
			t.Errorf("group %d has the builds from %d until %d", i, g.first, g.end)
		}
	}
	if len(groups) > twinGroups || groups[len(groups)-1].end != 365 {
		t.Errorf("%d groups until build %d", len(groups), groups[len(groups)-1].end)
	}
	row := trackOf(&v, d, 1, nil).Twin.Rows[0].Cells
	var texts []string
	for _, cell := range row {
		texts = append(texts, cell.Text)
	}
	if got := strings.Join(texts, " | "); got != "1–10 | 2025-12-01 | 15 s | 11–19 s |  | 50 %" {
		t.Errorf("the first row is %q", got)
	}
}

// Of a long history the slow single builds are dots, and where there are many, it is said
// which.
func TestDots(t *testing.T) {
	c := yearOf(2, 1)
	s := &c.Steps[0]
	s.Points, s.CachedBuilds, s.Shifts = nil, nil, nil
	slow := map[int]bool{17: true, 300: true, 701: true}
	for i := range c.Builds {
		d := timeline.Seconds(10e9)
		if slow[i] {
			d = 19e9
		}
		s.Points = append(s.Points, course.Point{Build: i, Seconds: d})
	}
	d := drawn{&s.Track, s}
	groups := groupsOfBuilds(c, d, twinGroups)
	dots, told := dotsOf(d, groups)
	if len(dots) != 3 || !slow[dots[0].Build] || !slow[dots[1].Build] || !slow[dots[2].Build] || strings.Contains(told, "slowest") {
		t.Errorf("dots at %v, %q", dots, told)
	}
	row := 0
	for i := range groups {
		row += groups[i].slow
	}
	if row != 3 {
		t.Errorf("%d slow builds in groups, want 3", row)
	}
	for i := range s.Points {
		if i%11 == 0 {
			s.Points[i].Seconds = 18e9 + timeline.Seconds(i)*1e6
		}
	}
	groups = groupsOfBuilds(c, d, 6)
	if dots, told = dotsOf(d, groups); len(dots) != 60 || told != "Dots are the slowest 60 of 70 single slow builds." {
		t.Errorf("%d dots, %q", len(dots), told)
	}
	// What is no exception is in the band.
	for i := range s.Points {
		if i%3 == 0 {
			s.Points[i].Seconds = 18e9
		}
	}
	groups = groupsOfBuilds(c, d, 6)
	if dots, _ = dotsOf(d, groups); len(dots) != 0 || groups[0].high < 18e9 {
		t.Errorf("%d dots, the band ends at %s", len(dots), groups[0].high)
	}
}
