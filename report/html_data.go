package report

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect/course"
	"github.com/buildregress/buildregress/detect/timeline"
)

// What the script of a page is told of a history: each build with its duration, and the
// durations of steps in the newest ones and around lasting changes. All of it is text and
// numbers within the page, which nothing runs.

// A courseData is one pipeline's.
type courseData struct {
	Pipeline string  `json:"pipeline"`
	Starts   []int64 `json:"starts"` // in seconds, after the build before; the first after 1970; 0 where not known
	Names    string  `json:"names"`  // revisions, else ids, each on a line
	Took     []int64 `json:"took"`   // milliseconds
	Cached   []int   `json:"cached"` // steps
	Ran      []int   `json:"ran"`    // steps
	// Told are the builds whose steps are told, first and last of each stretch. Links are
	// those builds' addresses, "" for none, without what all begin with.
	Told     [][2]int    `json:"told"`
	LinkRoot string      `json:"root"`
	Links    []string    `json:"links"`
	Tracks   []trackData `json:"tracks"` // the wall clock first
}

// A trackData is a chart's.
type trackData struct {
	Name   string     `json:"name"`
	Levels [][2]int64 `json:"levels"` // first build of each, and its milliseconds
	// Took is that of the builds told, in milliseconds: cachedThen or absentThen where the
	// step did not run. Nil of the wall clock.
	Took []int64 `json:"took"`
}

const (
	cachedThen = -1
	absentThen = -2
)

// Builds around a lasting change that are told, and how many are told at most.
const (
	toldAround = 25
	mostTold   = 1500
)

// maxShownName bounds the names that the script shows, in cells.
const maxShownName = 200

func dataOf(v *courseView) *courseData {
	c := v.course
	n := len(c.Builds)
	d := &courseData{Pipeline: v.pipeline, Tracks: []trackData{{Name: "The whole build", Levels: levelsOf(&c.WallClock)}}}
	told := toldBuilds(v)
	var names []string
	last := int64(0)
	for i := range c.Builds {
		b := &c.Builds[i]
		start := int64(0)
		if at := encodableTime(b.Start); !at.IsZero() {
			start = at.Unix()
		}
		d.Starts = append(d.Starts, start-last)
		last = start
		names = append(names, cut(Clean(cmp.Or(shortRevision(b.Revision), b.ID)), 40))
		d.Took = append(d.Took, milliseconds(b.Duration))
		d.Cached, d.Ran = append(d.Cached, b.Cached), append(d.Ran, b.Executed)
		if told[i] {
			d.Links = append(d.Links, address(b.URL))
			if k := len(d.Told); k > 0 && d.Told[k-1][1] == i-1 {
				d.Told[k-1][1] = i
			} else {
				d.Told = append(d.Told, [2]int{i, i})
			}
		}
	}
	d.Names = strings.Join(names, "\n")
	d.LinkRoot, d.Links = withoutRoot(d.Links)
	place := make([]int, n)
	k := 0
	for i := range place {
		place[i] = k
		if told[i] {
			k++
		}
	}
	for i := range v.steps {
		step := v.steps[i].step
		t := trackData{Name: cut(v.steps[i].name, maxShownName), Levels: levelsOf(&step.Track), Took: slices.Repeat([]int64{absentThen}, k)}
		for _, b := range step.CachedBuilds {
			if told[b] {
				t.Took[place[b]] = cachedThen
			}
		}
		for _, p := range step.Points {
			if told[p.Build] {
				t.Took[place[p.Build]] = milliseconds(p.Seconds)
			}
		}
		d.Tracks = append(d.Tracks, t)
	}
	return d
}

// toldBuilds are the newest builds and those around lasting changes, the largest first.
func toldBuilds(v *courseView) []bool {
	n := len(v.course.Builds)
	told := make([]bool, n)
	left := mostTold
	tell := func(first, end int) {
		for i := max(first, 0); i < min(end, n) && left > 0; i++ {
			if !told[i] {
				told[i] = true
				left--
			}
		}
	}
	tell(n-newestTold, n)
	shifts := slices.Concat(v.slower, v.faster)
	slices.SortStableFunc(shifts, func(a, b shiftTold) int { return cmp.Compare(cost(b.shift), cost(a.shift)) })
	for _, s := range shifts {
		tell(s.shift.Build-toldAround, s.shift.Build+toldAround)
	}
	return told
}

func levelsOf(t *course.Track) [][2]int64 {
	levels := [][2]int64{}
	for _, l := range t.Levels {
		levels = append(levels, [2]int64{int64(t.Points[l.Point].Build), milliseconds(l.Seconds)})
	}
	return levels
}

// milliseconds are rounded to four digits: nothing shows more.
func milliseconds(s timeline.Seconds) int64 {
	ms := math.Round(max(float64(s), 0) / 1e6)
	for unit := 10.0; ms >= 1000*unit; unit *= 10 {
		if ms < 10_000*unit {
			ms = math.Round(ms/unit) * unit
		}
	}
	return int64(ms)
}

// withoutRoot cuts off what all addresses begin with.
func withoutRoot(links []string) (root string, rest []string) {
	for _, l := range links {
		if l == "" {
			continue
		}
		if root == "" {
			root = l
		}
		for !strings.HasPrefix(l, root) {
			root = root[:len(root)-1]
		}
	}
	if !slices.ContainsFunc(links, func(l string) bool { return l != "" }) {
		return "", nil
	}
	for _, l := range links {
		rest = append(rest, strings.TrimPrefix(l, root))
	}
	return root, rest
}
