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
	"github.com/buildregress/buildregress/detect/describe"
	"github.com/buildregress/buildregress/detect/timeline"
)

// HTML is one file that asks for nothing: no picture, no script and no style but its own. It
// is whole and readable where even these are refused, as by Jenkins: then the attributes of
// the drawings speak, and what only a script can do is not offered. What may run and what may
// be loaded is said in its policy, so that a name that came through the escaping still could
// do nothing. Its words are those of the view that text has.

//go:embed html/page.css
var pageStyle string

//go:embed html/page.js
var pageScript string

//go:embed html/page.tmpl
var pageTemplate string

var page = template.Must(template.New("").Parse(pageTemplate))

// A htmlPage is a page, top to bottom.
type htmlPage struct {
	Title    string
	Sections []htmlSection
	Left     []string // what is not on it, to keep it small

	Style                 template.CSS
	Script                template.JS
	StyleHash, ScriptHash template.HTMLAttr
}

type htmlSection struct {
	ID       string // for links to it
	Headline []htmlSpan
	Tone     string // class of the headline, "" for none
	Intro    [][]htmlSpan
	Log      []string
	Lists    []htmlList
	Track    *htmlTrack
	Tables   []htmlTable
	After    []htmlList
	Outro    [][]htmlSpan
	Data     *courseData // for the script
}

type htmlSpan struct {
	Text, To string
	Code     bool
	Number   bool // of a lasting change, as its line in a chart has it
}

type htmlList struct {
	Title string
	Lines [][]htmlSpan
}

type htmlTable struct {
	Title, Label string
	Folded, Twin bool // closed at first; the numbers of a drawing
	Steps        bool // its rows are steps, and can be filtered
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
	To          string // an address
	Chart       *htmlChart
	Twin        *htmlTable // the numbers of the chart
	Track       *htmlTrack
}

// A htmlChart is a drawing, and what it shows in words.
type htmlChart struct {
	Label, Class  string
	Width, Height int
	Shapes        []htmlShape
}

// A htmlShape is a rectangle.
type htmlShape struct {
	Class      string
	X, Y, W, H float64
	Opacity    float64 // where the style is refused
}

func (p *htmlPage) write(w io.Writer) error {
	p.Style, p.Script = template.CSS(pageStyle), template.JS(pageScript)
	p.StyleHash, p.ScriptHash = hashOf(pageStyle), hashOf(pageScript)
	p.label()
	text, err := p.fitted()
	if err != nil {
		return fmt.Errorf("report as HTML: %w", err)
	}
	_, err = w.Write(text)
	return err
}

// hashOf is the hash of the very bytes between two tags, as a policy has it.
func hashOf(text string) template.HTMLAttr {
	sum := sha256.Sum256([]byte(text))
	return template.HTMLAttr("sha256-" + base64.StdEncoding.EncodeToString(sum[:]))
}

// label says of each number in a table what it is: a phone has no room for the heads. Tables
// that are called alike are told apart.
func (p *htmlPage) label() {
	seen := map[string]int{}
	unique := func(t *htmlTable) {
		if seen[t.Label]++; seen[t.Label] > 1 {
			t.Label = fmt.Sprintf("%s (%d)", t.Label, seen[t.Label])
		}
	}
	for i := range p.Sections {
		for k := range p.Sections[i].Tables {
			t := &p.Sections[i].Tables[k]
			unique(t)
			for _, row := range t.Rows {
				for k := range row.Cells {
					if c := &row.Cells[k]; k < len(t.Head) && c.Chart == nil && c.Track == nil && !c.Code && c.Text != "" {
						c.Label = t.Head[k].Text
					}
					if row.Cells[k].Twin != nil {
						unique(row.Cells[k].Twin)
					}
				}
			}
		}
	}
	p.eachTrack(func(t *htmlTrack) bool { unique(t.Twin); return true })
}

func spans(l line) (out []htmlSpan) {
	for i, s := range l {
		if s.to != "" && i > 1 && l[i-2].to != "" {
			out = append(out, htmlSpan{Text: "· "})
		}
		out = append(out, htmlSpan{Text: s.text, To: cmp.Or(s.to, s.page), Code: s.code || s.commit})
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
	t := htmlTable{Title: "Steps", Label: "Steps of the build", Steps: true, Head: heads("Step|name", "Took|n", "Usually|n", "Status|v", "When|bar", "History, this build last|trend")}
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
			trendCell(step, row.name))
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

// mostPoints is how many builds of its history are shown of a step.
const mostPoints = 49

// trendCell shows the history of a step that has one, as a drawing and in numbers.
func trendCell(s *detect.StepResult, name string) htmlCell {
	cell := htmlCell{Class: "trend", Chart: pointsChart(s)}
	if cell.Chart == nil {
		return cell
	}
	cell.Twin = &htmlTable{Title: "In numbers", Label: cut(name, 60) + ", in numbers", Folded: true, Twin: true, Head: heads("Build|t", "Took|n")}
	add := func(build, took string) {
		cell.Twin.Rows = append(cell.Twin.Rows, htmlRow{Cells: []htmlCell{{Text: build, Class: "t"}, {Text: took, Class: "n"}}})
	}
	add("this one", s.Current.String())
	for _, p := range s.History[:min(mostPoints, len(s.History))] {
		add(cut(Clean(shortRevision(p.ID)), 14), p.Seconds.String())
	}
	return cell
}

// pointsChart shows the history of a step as columns, oldest first, and the build last.
func pointsChart(s *detect.StepResult) *htmlChart {
	const most, column = mostPoints, 10
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
		Title: "When each step ran", Label: "When each step ran", Steps: true, Head: heads("Step|name", "Took|n", "Path|n", "When, 0 to "+total.String()+"|bar"),
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
	if len(v.used) > 0 {
		used := htmlTable{Title: "Used", Label: "What steps used of the machine", Head: heads("Step|name", "Took|n", "Worked|n", "Memory|n", "Waited for|v")}
		for _, x := range v.used {
			used.Rows = append(used.Rows, htmlRow{Cells: []htmlCell{{Text: x.name, Class: "name", Code: true}, {Text: x.took, Class: "n"}, {Text: x.worked, Class: "n"}, {Text: x.memory, Class: "n"}, {Text: x.waited, Class: "v"}}})
		}
		s.Tables = append(s.Tables, used)
	}
	s.Lists = listOfLines(adviceTitle, v.advice)
	s.After = append(listOfLines(madeTitle, v.made), listOfLines("", v.notes)...)
	s.Outro = spansOf(v.about)
	return s
}
