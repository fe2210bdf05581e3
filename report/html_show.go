package report

import (
	"fmt"
	"io"

	"github.com/buildregress/buildregress/detect/describe"
	"github.com/buildregress/buildregress/detect/timeline"
)

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
