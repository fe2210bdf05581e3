package report

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/course"
	"github.com/buildregress/buildregress/detect/timeline"
)

// The history of pipelines, for people: what changed for good and what that has cost or
// saved since, then each step. The words and their order are decided once, in the view that
// all formats share.

// HistoryOptions say what of a history is shown.
type HistoryOptions struct {
	All bool // steps that take little of the wall clock, too
}

// A historyView is what people read of several pipelines, the worst first.
type historyView struct {
	pipelines []courseView
	notes     []line
}

// A courseView is what people read of one pipeline.
type courseView struct {
	course   *course.Course
	pipeline string // clean
	headline line
	period   line        // how many builds, of which branch, from when to when
	wall     string      // sparkline of the wall clock
	slower   []shiftTold // lasting changes, newest first
	faster   []shiftTold
	advice   []line // where it would pay to work
	steps    []courseRow
	left     int // steps that are not shown
	notes    []line
}

// A shiftTold is a lasting change. Those of a course are numbered, the oldest first.
type shiftTold struct {
	shift  *course.Shift
	step   *course.Step // nil of the whole build
	number int
	line   line
}

func linesOf(shifts []shiftTold) (lines []line) {
	for _, s := range shifts {
		lines = append(lines, s.line)
	}
	return lines
}

// A courseRow is a step in the list of all steps.
type courseRow struct {
	step   *course.Step
	name   string // clean
	trend  string // sparkline
	now    string
	share  string
	cached string // how often it was found in the cache lately
	change string // its newest lasting change
}

func historyViewOf(h *course.Report, o HistoryOptions) historyView {
	v := historyView{notes: noteLines(h.Notes)}
	order := make([]int, len(h.Results))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(lostLately(&h.Results[b]), lostLately(&h.Results[a])) })
	for _, i := range order {
		v.pipelines = append(v.pipelines, courseViewOf(&h.Results[i], o))
	}
	return v
}

// lostLately is by how much the newest lasting change made builds slower.
func lostLately(c *course.Course) timeline.Seconds {
	if n := len(c.WallClock.Shifts); n > 0 {
		return c.WallClock.Shifts[n-1].Delta()
	}
	return 0
}

const leastShare = 0.02 // of the wall clock, of a step that is listed by itself

func courseViewOf(c *course.Course, o HistoryOptions) courseView {
	v := courseView{course: c, pipeline: Clean(c.Pipeline), notes: noteLines(c.Notes)}
	n := courseNames(c)
	v.headline = lineOf("Usually ", c.WallClock.Now().String())
	switch shifts := c.WallClock.Shifts; {
	case len(c.Builds) == 0:
		v.headline = lineOf("No build is known")
		return v
	case len(c.WallClock.Points) == 0:
		v.headline = lineOf("How long the builds took is not known")
	case len(shifts) > 0:
		s := &shifts[len(shifts)-1]
		v.headline = lineOf(v.headline, ", was "+s.Before.String()+": "+signed(s.Delta()), " since ", buildWords(c, s.Build))
	default:
		v.headline = lineOf(v.headline, ": no lasting change")
	}
	first, last := c.Builds[0].Start, c.Builds[len(c.Builds)-1].Start
	v.period = lineOf(code(c.Pipeline), " on ", code(cmp.Or(c.Branch, "any branch")), ": ", Count(len(c.Builds), "build"), ", "+day(first)+" to "+day(last))
	if c.Runner != "" {
		v.period = lineOf(v.period, ", on ", code(c.Runner))
	}
	v.period = lineOf(v.period, ".")
	v.wall = sparkline(&c.WallClock)
	var all []shiftTold
	add := func(what line, step *course.Step, s *course.Shift) {
		all = append(all, shiftTold{shift: s, step: step, line: shiftLine(c, what, s)})
	}
	for i := range c.WallClock.Shifts {
		add(lineOf("The whole build"), nil, &c.WallClock.Shifts[i])
	}
	for i := range c.Steps {
		s := &c.Steps[i]
		for k := range s.Shifts {
			add(lineOf(code(n[s])), s, &s.Shifts[k])
		}
		if !o.All && (s.Share < leastShare && len(s.Shifts) == 0 || s.Gone) {
			v.left++
			continue
		}
		v.steps = append(v.steps, courseRowOf(c, s, n[s]))
	}
	called := map[string]string{}
	for s, name := range n {
		called[s.Key] = name
	}
	v.advice = adviceLines(c.Advice, false, func(key, name string) string { return cmp.Or(called[key], instruction(name), key) })
	slices.SortStableFunc(all, func(a, b shiftTold) int {
		return cmp.Or(cmp.Compare(b.shift.Build, a.shift.Build), cmp.Compare(cost(b.shift), cost(a.shift)))
	})
	for i, t := range all {
		t.number = len(all) - i
		if t.shift.Delta() > 0 {
			v.slower = append(v.slower, t)
		} else {
			v.faster = append(v.faster, t)
		}
	}
	return v
}

// cost is by how much a level changed, either way.
func cost(s *course.Shift) timeline.Seconds { return max(s.Delta(), -s.Delta()) }

// courseNames are the steps' names: their instructions, as long as these are no other's.
func courseNames(c *course.Course) map[*course.Step]string {
	shared := map[string]int{}
	for i := range c.Steps {
		shared[instruction(c.Steps[i].Name)]++
	}
	names := map[*course.Step]string{}
	for i := range c.Steps {
		s := &c.Steps[i]
		if names[s] = instruction(s.Name); names[s] == "" || shared[names[s]] > 1 {
			names[s] = s.Key
		}
	}
	return names
}

// shiftLine is "`RUN npm ci`: 21 s → 39 s (+18 s) since `3f9c2ab41d` of 2026-11-12; 11 m 24 s
// lost in 38 builds."
func shiftLine(c *course.Course, what line, s *course.Shift) line {
	l := lineOf(what, ": "+s.Before.String()+" → "+s.Now.String()+" ("+signed(s.Delta())+") since ", buildWords(c, s.Build))
	switch {
	case s.Builds == 0:
		l = lineOf(l, "; beside the critical path, the builds took no longer or shorter for it")
	case s.Total > 0:
		l = lineOf(l, "; "+s.Total.String()+" lost in "+Count(s.Builds, "build"))
	default:
		l = lineOf(l, "; "+(-s.Total).String()+" saved in "+Count(s.Builds, "build"))
	}
	if s.Promised > 0 && s.Delta() < 0 {
		l = lineOf(l, "; promised "+s.Promised.String()+" a build, saved "+(-s.Delta()).String())
	}
	if s.Was != "" {
		l = lineOf(l, "; edited then, it was ", code(instruction(s.Was)))
	}
	return lineOf(l, ".", causesLine(s.Causes))
}

// buildWords name a build by its revision and date.
func buildWords(c *course.Course, at int) line {
	b := &c.Builds[at]
	name := lineOf(code(shortRevision(cmp.Or(b.Revision, b.ID))))
	name[0].page = address(b.URL)
	if start := encodableTime(b.Start); !start.IsZero() {
		return lineOf(name, " of "+day(start))
	}
	return name
}

func signed(s timeline.Seconds) string {
	if s < 0 {
		return s.String()
	}
	return "+" + s.String()
}

func courseRowOf(c *course.Course, s *course.Step, name string) courseRow {
	r := courseRow{step: s, name: Clean(name), trend: sparkline(&s.Track), share: percent(s.Share)}
	if len(s.Levels) > 0 {
		r.now = s.Now().String()
	}
	if s.Share < 0.005 {
		r.share = "–"
	}
	if s.RecentReached > 0 && s.Cached > 0 {
		r.cached = percent(float64(s.RecentCached) / float64(s.RecentReached))
	}
	if n := len(s.Shifts); n > 0 {
		mark := "▲"
		if s.Shifts[n-1].Delta() < 0 {
			mark = "▼"
		}
		b := &c.Builds[s.Shifts[n-1].Build]
		r.change = mark + " " + cut(Clean(shortRevision(cmp.Or(b.Revision, b.ID))), 10) + " " + signed(s.Shifts[n-1].Delta())
	}
	if s.Gone {
		r.change = "gone"
	}
	return r
}

// sparkline draws a track as medians of equal numbers of its points, from 0 to the largest.
func sparkline(t *course.Track) string {
	const width = 12
	heights := []rune("▁▂▃▄▅▆▇█")
	medians := medians(t.Points, width)
	largest := timeline.Seconds(0)
	for _, m := range medians {
		largest = max(largest, m)
	}
	var b strings.Builder
	for _, m := range medians {
		k := 0
		if largest > 0 {
			k = int(math.Round(float64(m) / float64(largest) * float64(len(heights)-1)))
		}
		b.WriteRune(heights[min(max(k, 0), len(heights)-1)])
	}
	return b.String()
}

// medians are those of at most n groups of points, in order, as equal in number as can be.
func medians(points []course.Point, n int) (out []timeline.Seconds) {
	n = min(n, len(points))
	for i := range n {
		var group []timeline.Seconds
		for _, p := range points[i*len(points)/n : (i+1)*len(points)/n] {
			group = append(group, p.Seconds)
		}
		slices.Sort(group)
		out = append(out, (group[(len(group)-1)/2]+group[len(group)/2])/2)
	}
	return out
}

// HistoryText writes histories for a terminal or a log: of several pipelines a line each,
// unless all is asked for.
func HistoryText(w io.Writer, h *course.Report, o HistoryOptions, to TextOptions) error {
	out := bufio.NewWriter(w)
	t := &textWriter{out: out, TextOptions: to.withDefaults(), rows: maxRows}
	v := historyViewOf(h, o)
	if len(v.pipelines) > 1 && !o.All {
		for i := range v.pipelines {
			p := &v.pipelines[i]
			t.bullet(lineOf(code(p.pipeline), " "+p.wall+" ", lowered(p.headline)))
		}
		t.line(lineOf("\n--pipeline NAME shows one of them whole, and --all all."))
	} else {
		for i := range v.pipelines {
			if i > 0 {
				out.WriteString("\n")
			}
			t.course(&v.pipelines[i])
		}
	}
	t.block(v.notes)
	return out.Flush()
}

// lowered is a line that goes on within a sentence.
func lowered(l line) line {
	l = slices.Clone(l)
	if len(l) > 0 && !l[0].code && l[0].text != "" {
		l[0].text = strings.ToLower(l[0].text[:1]) + l[0].text[1:]
	}
	return l
}

func (t *textWriter) course(v *courseView) {
	t.styled(bold, v.headline)
	if len(v.period) > 0 {
		t.line(v.period)
	}
	for _, list := range []struct {
		title string
		lines []line
		tone  style
	}{{"Slower", linesOf(v.slower), red}, {"Faster", linesOf(v.faster), green}, {adviceTitle, v.advice, bold}} {
		if len(list.lines) > 0 {
			t.out.WriteString("\n" + t.paint(list.tone, list.title) + "\n")
			for _, l := range list.lines {
				t.bullet(l)
			}
		}
	}
	if len(v.steps) > 0 {
		// Where they do not fit, what is cached is left out first, and then the trend.
		rows := [][]string{{"Step", "now", "cached", "trend", "share", "change"}, {"the whole build", v.course.WallClock.Now().String(), "", v.wall, "", ""}}
		for _, r := range v.steps {
			rows = append(rows, []string{r.name, r.now, r.cached, r.trend, r.share, r.change})
		}
		t.out.WriteString("\n")
		t.grid(withoutEmpty(rows))
	}
	if v.left > 0 {
		t.line(lineOf("… and ", Count(v.left, "more step"), " of less than "+percent(leastShare)+" of the wall clock, without change, or gone (--all)."))
	}
	t.block(v.notes)
}

// withoutEmpty leaves out columns that hold nothing below their title.
func withoutEmpty(rows [][]string) [][]string {
	for c := len(rows[0]) - 1; c > 0; c-- {
		if slices.ContainsFunc(rows[1:], func(r []string) bool { return r[c] != "" }) {
			continue
		}
		for i := range rows {
			rows[i] = slices.Delete(rows[i], c, c+1)
		}
	}
	return rows
}

// HistoryMarkdown writes histories as Markdown.
func HistoryMarkdown(w io.Writer, h *course.Report, o HistoryOptions) error {
	v := historyViewOf(h, o)
	m := &markdownWriter{limit: limits{rows: 1000, lines: 100}}
	for i := range v.pipelines {
		p := &v.pipelines[i]
		m.heading("### ", p.headline)
		if len(p.period) > 0 {
			m.paragraph(inline(p.period))
		}
		if len(p.slower) > 0 {
			m.paragraph("**Slower**")
			m.list(linesOf(p.slower))
		}
		if len(p.faster) > 0 {
			m.paragraph("**Faster**")
			m.list(linesOf(p.faster))
		}
		if len(p.advice) > 0 {
			m.paragraph("**" + adviceTitle + "**")
			m.list(p.advice)
		}
		if len(p.steps) > 0 {
			m.WriteString("| Step | Trend | Now | Share of the wall clock | Cached | Change |\n|:--|:--|--:|--:|--:|:--|\n")
			m.printf("| the whole build | %s | %s | | | |\n", p.wall, unbroken(p.course.WallClock.Now().String()))
			for _, r := range p.steps {
				m.printf("| %s | %s | %s | %s | %s | %s |\n", inCell(codeSpan(r.name, maxCellName)), r.trend, unbroken(r.now), unbroken(r.share), unbroken(r.cached), unbroken(inCell(escapeMarkdown(r.change))))
			}
			m.WriteString("\n")
		}
		if p.left > 0 {
			m.paragraph("… and " + Count(p.left, "more step") + " of less than " + percent(leastShare) + " of the wall clock, without change, or gone.")
		}
		m.list(p.notes)
	}
	m.list(v.notes)
	_, err := io.WriteString(w, m.String())
	return err
}

// HistoryJSON writes histories for machines.
func HistoryJSON(w io.Writer, h *course.Report) error {
	c := *h
	c.Results, c.Notes = list(h.Results), list(h.Notes)
	for i := range c.Results {
		r := &c.Results[i]
		r.Builds, r.Steps, r.Notes = list(r.Builds), list(r.Steps), list(r.Notes)
		r.Advice = encodableAdvice(r.Advice)
		r.WallClock = encodableTrack(r.WallClock)
		for k := range r.Builds {
			r.Builds[k].Start = encodableTime(r.Builds[k].Start)
		}
		for k := range r.Steps {
			r.Steps[k].Track, r.Steps[k].CachedBuilds = encodableTrack(r.Steps[k].Track), list(r.Steps[k].CachedBuilds)
		}
	}
	return encode(w, &c, "history")
}

func encodableTrack(t course.Track) course.Track {
	t.Points, t.Levels, t.Shifts = list(t.Points), list(t.Levels), list(t.Shifts)
	return t
}

// HistoryCSV writes a row for each build, whose step is empty, and for each execution of a
// step. What a spreadsheet would take for a formula is quoted.
func HistoryCSV(w io.Writer, h *course.Report) error {
	out := csv.NewWriter(w)
	rows := [][]string{{"pipeline", "branch", "start", "revision", "build", "step", "seconds"}}
	for i := range h.Results {
		c := &h.Results[i]
		row := func(p course.Point, step string) {
			b := &c.Builds[p.Build]
			rows = append(rows, []string{
				plainCell(c.Pipeline), plainCell(c.Branch), encodableTime(b.Start).Format(time.RFC3339), plainCell(b.Revision), plainCell(b.ID), plainCell(step),
				strconv.FormatFloat(p.Seconds.D().Seconds(), 'f', -1, 64),
			})
		}
		for _, p := range c.WallClock.Points {
			row(p, "")
		}
		for k := range c.Steps {
			for _, p := range c.Steps[k].Points {
				row(p, c.Steps[k].Key)
			}
		}
	}
	if err := out.WriteAll(rows); err != nil {
		return fmt.Errorf("history as CSV: %w", err)
	}
	return nil
}

// plainCell is clean text that no spreadsheet computes.
func plainCell(text string) string {
	text = Clean(text)
	if text != "" && strings.ContainsRune("=+-@'", rune(text[0])) {
		return "'" + text
	}
	return text
}
