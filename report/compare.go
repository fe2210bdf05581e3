package report

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/compare"
	"github.com/buildregress/buildregress/detect/describe"
	"github.com/buildregress/buildregress/detect/timeline"
)

// Two builds beside each other: what their difference consists of, what else is different,
// each step, and both waterfalls on one axis. The words are those of one view.

// A comparedView is what people read of two builds.
type comparedView struct {
	headline line
	account  line
	caveat   line
	changes  []line
	rows     []comparedRow
	left     int // steps that are the same in both, and not listed
	a, b     shownView
	total    timeline.Seconds // of both time axes
	notes    []line
}

// A comparedRow is a step in both builds.
type comparedRow struct {
	name, a, b, delta, path, what string // clean
}

func comparedViewOf(c *compare.Comparison) comparedView {
	v := comparedView{a: shownViewOf(c.A), b: shownViewOf(c.B), notes: noteLines(c.Notes)}
	v.total = max(v.a.total, v.b.total)
	v.a.total, v.b.total = v.total, v.total
	names := [2]*names{newNames(c.A.Result()), newNames(c.B.Result())}
	nameOf := func(s *compare.Step) string {
		if s.B >= 0 {
			return names[1].ofName(c.B.Steps[s.B].Name)
		}
		return names[0].ofName(c.A.Steps[s.A].Name)
	}
	switch {
	case c.Delta == 0:
		v.headline = lineOf("Both took ", c.B.Build.Duration.String())
	default:
		v.headline = lineOf(signed(c.Delta)+": it took ", c.B.Build.Duration.String(), ", the other one ", c.A.Build.Duration.String())
	}
	w := detect.WallClock{Usual: c.A.Build.Duration, Delta: c.Delta}
	n := *names[1]
	for i := range c.Steps {
		s := &c.Steps[i]
		if s.WallClock != 0 {
			key := fmt.Sprint(i)
			w.Parts = append(w.Parts, detect.WallClockPart{Cause: detect.CauseStep, Step: key, Seconds: s.WallClock})
			n.byKey[key] = nameOf(s)
		}
		row := comparedRow{name: Clean(nameOf(s)), a: sideCell(c.A, s.A), b: sideCell(c.B, s.B), what: whatChanged(c, s)}
		row.path, row.delta = difference(s.WallClock), difference(s.Delta)
		if row.a == row.b && row.what == "" {
			v.left++
			continue
		}
		v.rows = append(v.rows, row)
		if s.Edited {
			v.changes = append(v.changes, lineOf("Edited: ", code(names[0].ofName(c.A.Steps[s.A].Name)), " → ", code(nameOf(s)), "."))
		}
	}
	w.Parts = append(w.Parts, detect.WallClockPart{Cause: detect.CauseGap, Seconds: c.Between})
	if account := account(&w, &n); account != nil && c.Told {
		v.account = lineOf("On the critical path: ", account, ".")
	} else if !c.Told {
		v.account = lineOf("Where the difference comes from is not known: a source does not say when steps began.")
	}
	v.caveat = lineOf("Nothing is judged here: two builds prove nothing. ", code("buildregress check"), " compares with many.")
	for _, change := range c.Changes {
		v.changes = append(v.changes, lineOf(capitalize(strings.ReplaceAll(change.Kind, "_", " ")), ": ", sideOf(change.Before), " → ", sideOf(change.After), "."))
	}
	return v
}

// difference is a change of a millisecond or more, "" for a smaller one.
func difference(s timeline.Seconds) string {
	if s.D().Abs() < time.Millisecond {
		return ""
	}
	return signed(s)
}

func sideOf(text string) line {
	if Clean(text) == "" {
		return lineOf("none said")
	}
	return lineOf(code(shortRevision(text)))
}

// sideCell is what became of a step in one build.
func sideCell(d *describe.Description, at int) string {
	if at < 0 {
		return "–"
	}
	s := &d.Steps[at]
	switch {
	case s.State == timeline.Cached && s.Duration < timeline.Seconds(1e9):
		return "cached"
	case s.State == timeline.Executed || s.State == timeline.Cached:
		return s.Duration.String()
	case s.Duration > 0:
		return s.Duration.String() + ", " + stateWord(s.State)
	}
	return stateWord(s.State)
}

// whatChanged says in a word or two how a step is different, besides its time.
func whatChanged(c *compare.Comparison, s *compare.Step) string {
	switch {
	case s.A < 0:
		return "only here"
	case s.B < 0:
		return "only there"
	}
	a, b := &c.A.Steps[s.A], &c.B.Steps[s.B]
	var words []string
	if s.Edited {
		words = append(words, "edited")
	}
	switch {
	case a.State == timeline.Cached && b.State == timeline.Executed:
		words = append(words, "was cached")
	case a.State == timeline.Executed && b.State == timeline.Cached:
		words = append(words, "now cached")
	}
	if a.Bytes >= 10_000 || b.Bytes >= 10_000 {
		if x, y := byteCount(float64(a.Bytes)), byteCount(float64(b.Bytes)); x != y && a.Bytes > 0 && b.Bytes > 0 {
			words = append(words, x+" → "+y)
		}
	}
	return strings.Join(words, ", ")
}

// CompareText writes two builds for a terminal or a log.
func CompareText(w io.Writer, c *compare.Comparison, o TextOptions) error {
	out := bufio.NewWriter(w)
	t := &textWriter{out: out, TextOptions: o.withDefaults(), rows: maxRows}
	v := comparedViewOf(c)
	t.styled(bold, v.headline)
	for _, l := range []line{v.account, v.caveat} {
		if len(l) > 0 {
			t.line(l)
		}
	}
	t.block(v.changes)
	if len(v.rows) > 0 {
		rows := [][]string{{"Step", "here", "path", "there", "longer by", ""}}
		for _, r := range v.rows[:min(len(v.rows), t.rows)] {
			rows = append(rows, []string{r.name, r.b, r.path, r.a, r.delta, r.what})
		}
		t.out.WriteString("\n")
		t.grid(withoutEmpty(rows))
		if left := len(v.rows) - t.rows; left > 0 {
			t.line(lineOf("… and ", Count(left, "step"), " that differ less."))
		}
	}
	for _, side := range []struct {
		title string
		view  *shownView
	}{{"Here: ", &v.b}, {"There: ", &v.a}} {
		t.out.WriteString("\n")
		t.line(lineOf(side.title, lowered(side.view.about)))
		t.waterfall(side.view)
	}
	t.block(v.notes)
	return out.Flush()
}

// CompareMarkdown writes two builds as Markdown.
func CompareMarkdown(w io.Writer, c *compare.Comparison) error {
	v := comparedViewOf(c)
	m := &markdownWriter{limit: limits{lines: 100}}
	m.heading("### ", v.headline)
	m.lines(v.account, v.caveat)
	m.list(v.changes)
	if len(v.rows) > 0 {
		m.WriteString("| Step | Here | There | Longer by | On the critical path | |\n|:--|--:|--:|--:|--:|:--|\n")
		for _, r := range v.rows {
			m.printf("| %s | %s | %s | %s | %s | %s |\n", inCell(codeSpan(r.name, maxCellName)), unbroken(r.b), unbroken(r.a), unbroken(r.delta), unbroken(r.path), inCell(escapeMarkdown(r.what)))
		}
		m.WriteString("\n")
	}
	m.lines(lineOf("Here: ", lowered(v.b.about)), lineOf("There: ", lowered(v.a.about)))
	m.list(v.notes)
	_, err := io.WriteString(w, m.String())
	return err
}

// CompareJSON writes two builds for machines.
func CompareJSON(w io.Writer, c *compare.Comparison) error {
	d := *c
	d.A, d.B = encodableDescription(c.A), encodableDescription(c.B)
	d.Steps, d.Changes, d.Notes = list(c.Steps), list(c.Changes), list(c.Notes)
	return encode(w, &d, "comparison")
}

// CompareHTML writes two builds as a page.
func CompareHTML(w io.Writer, c *compare.Comparison) error {
	v := comparedViewOf(c)
	which := []line{lineOf("Here: ", lowered(v.b.about)), lineOf("There: ", lowered(v.a.about))}
	s := htmlSection{Headline: spans(v.headline), Intro: spansOf(append(which, v.account, v.caveat)...), Lists: append(listOfLines("What else is different", v.changes), listOfLines("", v.notes)...)}
	t := htmlTable{Title: "Steps that differ", Label: "Steps that differ", Steps: true, Head: heads("Step|name", "Here|n", "There|n", "Longer by|n", "On the critical path|n", "What changed|v")}
	for _, r := range v.rows {
		t.Rows = append(t.Rows, htmlRow{Cells: []htmlCell{
			{Text: r.name, Class: "name", Code: true}, {Text: r.b, Class: "n"}, {Text: r.a, Class: "n"}, {Text: r.delta, Class: "n"}, {Text: r.path, Class: "n"}, {Text: r.what, Class: "v"},
		}})
	}
	if !slices.ContainsFunc(v.rows, func(r comparedRow) bool { return r.what != "" }) {
		t.Head = t.Head[:len(t.Head)-1]
		for i := range t.Rows {
			t.Rows[i].Cells = t.Rows[i].Cells[:len(t.Head)]
		}
	}
	if len(t.Rows) > 0 {
		s.Tables = append(s.Tables, t)
	}
	here, there := shownSection(&v.b, v.total), shownSection(&v.a, v.total)
	here.Headline, here.Outro = spans(lineOf("Here: ", lowered(v.b.headline))), nil
	there.Headline, there.Outro = spans(lineOf("There: ", lowered(v.a.headline))), nil
	for _, side := range []struct {
		name   string
		tables []htmlTable
	}{{"here", here.Tables}, {"there", there.Tables}} {
		for i := range side.tables {
			side.tables[i].Label += ", " + side.name
		}
	}
	p := htmlPage{Title: "Two builds: " + plain(v.headline, maxTextErrors), Sections: []htmlSection{s, here, there}}
	return p.write(w)
}
