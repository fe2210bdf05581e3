package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
)

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
	var before, now strings.Builder
	for i, v := range values {
		out := &before
		if i == len(values)-1 {
			out = &now
		}
		fmt.Fprintf(out, "M%d 100V%.0fh%dV100Z", (first+i)*column, 100-max(float64(v)/float64(largest)*100, 1), column-2)
	}
	class := "path"
	if s.Status == detect.StatusSlower || s.Status == detect.StatusOverBudget || s.Status == detect.StatusSuspect {
		class = "new"
	}
	c.Paths = []htmlPath{{Class: "beside", D: before.String(), Fill: 0.4}, {Class: class, D: now.String(), Fill: 1}}
	return c
}
