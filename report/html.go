package report

import (
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/course"
	"github.com/buildregress/buildregress/detect/describe"
	"github.com/buildregress/buildregress/detect/timeline"
)

// HTML is one file that asks for nothing: no script, no picture, no style but its own. It is
// whole and readable where even that is refused, as by Jenkins: then the attributes of the
// drawings speak. What it may load is said in its policy, so that a name that came through
// the escaping still could do nothing. Its words are those of the view that text has.

//go:embed html/page.css
var pageStyle string

//go:embed html/page.tmpl
var pageTemplate string

var page = template.Must(template.New("").Parse(pageTemplate))

// A htmlPage is a page, top to bottom.
type htmlPage struct {
	Title     string
	Sections  []htmlSection
	Style     template.CSS
	StyleHash template.HTMLAttr
}

type htmlSection struct {
	Headline []htmlSpan
	Tone     string // class of the headline, "" for none
	Intro    [][]htmlSpan
	Log      []string
	Lists    []htmlList
	Charts   []htmlChart
	Tables   []htmlTable
	Outro    [][]htmlSpan
}

type htmlSpan struct {
	Text, To string
	Code     bool
}

type htmlList struct {
	Title string
	Lines [][]htmlSpan
}

type htmlTable struct {
	Title, Label string
	Folded       bool
	Notes        []string
	Head         []htmlCell
	Rows         []htmlRow
}

type htmlRow struct {
	Stage, More string // a heading within the table, and Span columns wide
	Span        int
	Cells       []htmlCell
}

type htmlCell struct {
	Text, Class string
	Label       string // what its column is, said where the heads are not shown
	Code        bool
	Chart       *htmlChart
}

// A htmlChart is a drawing, and what it shows in words.
type htmlChart struct {
	Title, Label, Class string
	Caption             string // below it
	Width, Height       int
	Shapes              []htmlShape
}

// A htmlShape is a rectangle, or a line through Points.
type htmlShape struct {
	Class      string
	X, Y, W, H float64
	Opacity    float64 // where the style is refused
	Points     string
}

func (p *htmlPage) write(w io.Writer) error {
	// The hash is that of the very bytes between the tags.
	sum := sha256.Sum256([]byte(pageStyle))
	p.Style = template.CSS(pageStyle)
	p.label()
	p.StyleHash = template.HTMLAttr("sha256-" + base64.StdEncoding.EncodeToString(sum[:]))
	var b strings.Builder
	if err := page.ExecuteTemplate(&b, "page", p); err != nil {
		return fmt.Errorf("report as HTML: %w", err)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// label says of each number in a table what it is: a phone has no room for the heads.
func (p *htmlPage) label() {
	for i := range p.Sections {
		for _, t := range p.Sections[i].Tables {
			for _, row := range t.Rows {
				for k := range row.Cells {
					if c := &row.Cells[k]; k < len(t.Head) && c.Chart == nil && !c.Code && c.Text != "" {
						c.Label = t.Head[k].Text
					}
				}
			}
		}
	}
}

func spans(l line) (out []htmlSpan) {
	for i, s := range l {
		if s.to != "" && i > 1 && l[i-2].to != "" {
			out = append(out, htmlSpan{Text: "· "})
		}
		out = append(out, htmlSpan{Text: s.text, To: s.to, Code: s.code || s.commit})
	}
	return out
}

func spansOf(lines ...line) (out [][]htmlSpan) {
	for _, l := range lines {
		if len(l) > 0 {
			out = append(out, spans(l))
		}
	}
	return out
}

func listOfLines(title string, lines []line) []htmlList {
	if len(lines) == 0 {
		return nil
	}
	return []htmlList{{title, spansOf(lines...)}}
}

func heads(titles ...string) (out []htmlCell) {
	for _, t := range titles {
		text, class, _ := strings.Cut(t, "|")
		out = append(out, htmlCell{Text: text, Class: class})
	}
	return out
}

// HTML writes a report as a page.
func HTML(w io.Writer, r *detect.Report) error {
	v := viewOf(r)
	p := htmlPage{Title: "buildregress"}
	if len(v.headline) > 0 {
		p.Sections = append(p.Sections, htmlSection{Headline: spans(v.headline), Lists: listOfLines("", v.notes)})
	}
	order := make([]int, len(r.Results)) // as in the view
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(r.Results[b].Verdict.Severity(), r.Results[a].Verdict.Severity())
	})
	for i := range v.results {
		p.Sections = append(p.Sections, resultSection(&v.results[i], &r.Results[order[i]], len(v.headline) > 0))
	}
	if len(v.results) == 1 {
		p.Title = plain(v.results[0].headline, maxTextErrors)
		p.Sections[0].Lists = append(p.Sections[0].Lists, listOfLines("", v.notes)...)
	}
	return p.write(w)
}

var tones = map[detect.Verdict]string{detect.Regressed: "bad", detect.Unsure: "warn", detect.Pass: "good"}

func resultSection(v *resultView, r *detect.Result, named bool) htmlSection {
	s := htmlSection{Headline: spans(v.headline), Tone: tones[v.verdict]}
	if named {
		s.Headline = append(spans(lineOf(code(v.pipeline), ": ")), s.Headline...)
	}
	if f := v.failure; f != nil {
		s.Intro, s.Log = append(s.Intro, spansOf(f.reason)...), f.log
	}
	s.Intro = append(s.Intro, spansOf(v.next, v.history)...)
	s.Lists = append(listOfLines("", v.findings), listOfLines("Not proven", v.suspects)...)
	s.Lists = append(s.Lists, listOfLines("", v.notices)...)
	s.Lists = append(s.Lists, listOfLines("The build", v.facts)...)
	t := htmlTable{Title: "Steps", Label: "Steps of the build", Head: heads("Step|name", "Took|n", "Usually|n", "", "When|bar", "History, this build last|trend")}
	for i := range v.rows {
		row, step := &v.rows[i], &r.Steps[i]
		verdict, class := cmp.Or(verdictCell(row), row.reason), ""
		switch colorOf(row) {
		case red:
			class = "bad"
		case yellow:
			class = "warn"
		case green:
			class = "good"
		}
		name := row.name
		if row.critical {
			name += " ◆"
		}
		cells := []htmlCell{{Text: name, Class: "name", Code: true}, {Text: row.took, Class: "n"}, {Text: row.usual, Class: "n"}, {Text: verdict, Class: strings.TrimSpace("v " + class)}}
		cells = append(cells, htmlCell{Class: "bar", Chart: barChart(v.total, row.start, row.current, 0, row.critical, row.state.HasNoResult())},
			htmlCell{Class: "trend", Chart: pointsChart(step)})
		t.Rows = append(t.Rows, htmlRow{Cells: cells})
	}
	if slices.ContainsFunc(v.rows, func(r row) bool { return r.critical }) {
		t.Notes = []string{"◆ is on the critical path: what it takes longer, the build takes longer."}
	}
	if len(t.Rows) > 0 {
		s.Tables = append(s.Tables, t)
	}
	s.Outro = spansOf(v.coverage, v.baseline)
	return s
}

// barChart shows when a step ran, and with how much to spare. Nil if it took no time.
func barChart(total, start, took, slack timeline.Seconds, critical, failed bool) *htmlChart {
	if total <= 0 || took <= 0 {
		return nil
	}
	const width = 1000
	at := func(s timeline.Seconds) float64 { return min(max(float64(s)/float64(total)*width, 0), width) }
	x := min(at(start), width-4)
	class, opacity := "beside", 0.4
	switch {
	case failed:
		class, opacity = "failed", 1
	case critical:
		class, opacity = "path", 0.9
	}
	c := &htmlChart{Class: "wf", Width: width, Height: 10, Label: "from " + start.String() + " to " + (start + took).String()}
	end := max(at(start+took), x+4)
	if slack > 0 {
		c.Label += ", " + slack.String() + " to spare"
		c.Shapes = append(c.Shapes, htmlShape{Class: "spare", X: end, Y: 3, W: max(at(start+took+slack)-end, 0), H: 4, Opacity: 0.15})
	}
	c.Shapes = append(c.Shapes, htmlShape{Class: class, X: x, Y: 0, W: end - x, H: 10, Opacity: opacity})
	return c
}

// pointsChart shows the history of a step as columns, oldest first, and the build last.
func pointsChart(s *detect.StepResult) *htmlChart {
	const most, column = 49, 10
	if len(s.History) == 0 || s.State == timeline.Cached {
		return nil
	}
	var values []timeline.Seconds
	for _, p := range slices.Backward(s.History[:min(most, len(s.History))]) {
		values = append(values, p.Seconds)
	}
	values = append(values, s.Current)
	largest := slices.Max(values)
	if largest <= 0 {
		return nil
	}
	c := &htmlChart{Class: "small", Width: (most + 1) * column, Height: 100}
	c.Label = fmt.Sprintf("%s before, %s now", Count(len(values)-1, "build"), s.Current)
	first := most + 1 - len(values)
	for i, v := range values {
		class, opacity := "beside", 0.4
		if i == len(values)-1 {
			class, opacity = "path", 1
			if s.Status == detect.StatusSlower || s.Status == detect.StatusOverBudget || s.Status == detect.StatusSuspect {
				class = "new"
			}
		}
		h := max(float64(v)/float64(largest)*100, 1)
		c.Shapes = append(c.Shapes, htmlShape{Class: class, X: float64((first + i) * column), Y: 100 - h, W: column - 2, H: h, Opacity: opacity})
	}
	return c
}

// ShowHTML writes what one build shows as a page.
func ShowHTML(w io.Writer, d *describe.Description) error {
	v := shownViewOf(d)
	p := htmlPage{Title: plain(v.headline, maxTextErrors), Sections: []htmlSection{shownSection(&v, v.total)}}
	return p.write(w)
}

// shownSection shows one build on a time axis of that length.
func shownSection(v *shownView, total timeline.Seconds) htmlSection {
	s := htmlSection{Headline: spans(v.headline)}
	if f := v.failure; f != nil {
		s.Tone = "bad"
		s.Intro, s.Log = append(s.Intro, spansOf(f.reason)...), f.log
	}
	s.Intro = append(s.Intro, spansOf(v.sentences...)...)
	t := htmlTable{
		Title: "When each step ran", Label: "When each step ran", Head: heads("Step|name", "Took|n", "Path|n", "0 to "+total.String()+"|bar"),
		Notes: []string{"Path: the share of the build's time that the step decided, being on its critical path. Bars: when it ran, from 0 to " + total.String() + "."},
	}
	for _, stage := range v.stages {
		row := htmlRow{Stage: stage.name, Span: len(t.Head)}
		if stage.cached > 0 {
			row.More = fmt.Sprintf("%d cached", stage.cached)
		}
		t.Rows = append(t.Rows, row)
		for i := range stage.steps {
			step := &stage.steps[i]
			name := step.name
			if step.critical {
				name += " ◆"
			}
			class := "name"
			if step.isBad {
				class += " bad"
			}
			t.Rows = append(t.Rows, htmlRow{Cells: []htmlCell{
				{Text: name, Class: class, Code: true},
				{Text: step.cell(), Class: "n"},
				{Text: step.shareCell(), Class: "n"},
				{Class: "bar", Chart: barChart(total, step.start, step.took, step.slack, step.critical, step.isBad)},
			}})
		}
	}
	s.Tables = append(s.Tables, t)
	if len(v.transfers) > 0 {
		moved := htmlTable{Title: "Transferred", Label: "What was transferred", Head: heads("Step|name", "Bytes|n", "Took|n", "Speed|n")}
		for _, x := range v.transfers {
			moved.Rows = append(moved.Rows, htmlRow{Cells: []htmlCell{{Text: x.name, Class: "name", Code: true}, {Text: x.bytes, Class: "n"}, {Text: x.took, Class: "n"}, {Text: x.rate, Class: "n"}}})
		}
		s.Tables = append(s.Tables, moved)
	}
	s.Lists = append(listOfLines(adviceTitle, v.advice), listOfLines("", v.notes)...)
	s.Outro = spansOf(v.about)
	return s
}

// HistoryHTML writes histories as a page.
func HistoryHTML(w io.Writer, h *course.Report, o HistoryOptions) error {
	v := historyViewOf(h, o)
	p := htmlPage{Title: "History of builds"}
	for i := range v.pipelines {
		p.Sections = append(p.Sections, courseSection(&v.pipelines[i]))
	}
	if len(v.notes) > 0 || len(p.Sections) == 0 {
		p.Sections = append(p.Sections, htmlSection{Headline: spans(lineOf("Notes")), Lists: listOfLines("", v.notes)})
	}
	return p.write(w)
}

func courseSection(v *courseView) htmlSection {
	s := htmlSection{Headline: spans(v.headline), Intro: spansOf(v.period)}
	s.Lists = append(listOfLines("Slower", v.slower), listOfLines("Faster", v.faster)...)
	s.Lists = append(s.Lists, listOfLines(adviceTitle, v.advice)...)
	s.Lists = append(s.Lists, listOfLines("", v.notes)...)
	c := v.course
	if chart := trackChart(c, &c.WallClock, "chart"); chart != nil {
		chart.Title = "How long the builds took"
		chart.Caption = fmt.Sprintf("From 0 to %s, from %s to %s: the median, and around it 90 %% of the builds. A line stands at each lasting change.",
			highest(c.WallClock.Points), day(c.Builds[0].Start), day(c.Builds[len(c.Builds)-1].Start))
		s.Charts = append(s.Charts, *chart)
	}
	t := htmlTable{Title: "Steps", Label: "Steps over the builds", Head: heads("Step|name", "Now|n", "Share|n", "Cached|n wide", "Change|t", "Over the builds|bar")}
	for i := range v.steps {
		r := &v.steps[i]
		class := "t"
		switch {
		case strings.HasPrefix(r.change, "▲"):
			class += " bad"
		case strings.HasPrefix(r.change, "▼"):
			class += " good"
		}
		t.Rows = append(t.Rows, htmlRow{Cells: []htmlCell{
			{Text: r.name, Class: "name", Code: true},
			{Text: r.now, Class: "n"},
			{Text: r.share, Class: "n"},
			{Text: r.cached, Class: "n wide"},
			{Text: r.change, Class: class},
			{Class: "bar", Chart: trackChart(c, &r.step.Track, "small")},
		}})
	}
	if len(t.Rows) > 0 {
		s.Tables = append(s.Tables, t)
	}
	if len(c.Builds) > 0 {
		s.Tables = append(s.Tables, buildsTable(c))
	}
	if v.left > 0 {
		s.Outro = append(s.Outro, spans(lineOf("Left out: ", Count(v.left, "more step"), " of less than "+percent(leastShare)+" of the wall clock, without change, or gone.")))
	}
	return s
}

// buildsTable lists the newest builds, so that what the chart shows can be read and copied.
func buildsTable(c *course.Course) htmlTable {
	const most = 500
	t := htmlTable{
		Title: fmt.Sprintf("The builds, newest first (%d of %d)", min(most, len(c.Builds)), len(c.Builds)), Label: "Builds", Folded: true,
		Head: heads("Started (UTC)|t", "Revision", "Took|n", "Ran|n", "Cached|n"),
	}
	for i, b := range slices.Backward(c.Builds) {
		if len(c.Builds)-i > most {
			break
		}
		start := ""
		if at := encodableTime(b.Start); !at.IsZero() {
			start = at.Format("2006-01-02 15:04")
		}
		t.Rows = append(t.Rows, htmlRow{Cells: []htmlCell{
			{Text: start, Class: "t"},
			{Text: Clean(cmp.Or(shortRevision(b.Revision), b.ID)), Code: true},
			{Text: b.Duration.String(), Class: "n"},
			{Text: fmt.Sprint(b.Executed), Class: "n"},
			{Text: fmt.Sprint(b.Cached), Class: "n"},
		}})
	}
	return t
}

// highest is the top of a chart: the 98th percentile, as single builds may be very slow.
func highest(points []course.Point) timeline.Seconds {
	var values []timeline.Seconds
	for _, p := range points {
		values = append(values, p.Seconds)
	}
	slices.Sort(values)
	return values[(len(values)-1)*98/100]
}

// trackChart draws a track over the builds: the band from the 5th to the 95th percentile
// and the median of groups of builds, with a line at each lasting change. Nil if it has no
// point.
func trackChart(c *course.Course, t *course.Track, class string) *htmlChart {
	const width, height, groups = 1000, 100, 60
	n := min(groups, len(t.Points))
	if n == 0 || len(c.Builds) == 0 {
		return nil
	}
	type group struct{ x, low, middle, high float64 }
	var all []group
	largest := float64(highest(t.Points))
	for i := range n {
		part := t.Points[i*len(t.Points)/n : (i+1)*len(t.Points)/n]
		var values []float64
		for _, p := range part {
			values = append(values, float64(p.Seconds))
		}
		slices.Sort(values)
		at := func(q float64) float64 { return values[int(q*float64(len(values)-1)+0.5)] }
		all = append(all, group{float64(part[len(part)/2].Build), at(0.05), (at(0.5) + values[(len(values)-1)/2]) / 2, at(0.95)})
	}
	if largest <= 0 {
		return nil
	}
	x := func(build float64) float64 { return (build + 0.5) / float64(len(c.Builds)) * width }
	y := func(v float64) float64 { return height - min(v/largest, 1)*(height-4) }
	out := &htmlChart{Class: class, Width: width, Height: height}
	out.Label = fmt.Sprintf("%s, usually %s now", Count(len(t.Points), "build"), t.Now())
	w := float64(width) / float64(n)
	var points []string
	for _, g := range all {
		out.Shapes = append(out.Shapes, htmlShape{Class: "band", X: max(x(g.x)-w/2, 0), Y: y(g.high), W: w, H: max(y(g.low)-y(g.high), 0.5), Opacity: 0.2})
		points = append(points, fmt.Sprintf("%.1f,%.1f", x(g.x), y(g.middle)))
	}
	if len(points) == 1 {
		points = append(points, fmt.Sprintf("%.1f,%.1f", x(all[0].x)+w/2, y(all[0].middle)))
	}
	out.Shapes = append(out.Shapes, htmlShape{Class: "median", Points: strings.Join(points, " ")})
	for i := range t.Shifts {
		s := &t.Shifts[i]
		class := "mark"
		if s.Delta() < 0 {
			class += " better"
		}
		at := float64(s.Build) / float64(len(c.Builds)) * width
		out.Shapes = append(out.Shapes, htmlShape{Class: class, Points: fmt.Sprintf("%.1f,0 %.1f,%d", at, at, height)})
		out.Label += fmt.Sprintf("; %s to %s since %s", s.Before, s.Now, plain(buildWords(c, s.Build), maxTextName))
	}
	return out
}
