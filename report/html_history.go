package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect/course"
)

// HistoryHTML writes histories as a page.
func HistoryHTML(w io.Writer, h *course.Report, o HistoryOptions) error {
	return historyPage(h, o).write(w)
}

func historyPage(h *course.Report, o HistoryOptions) *htmlPage {
	v := historyViewOf(h, o)
	p := &htmlPage{Title: "History of builds"}
	if len(v.pipelines) > 1 {
		overview := htmlSection{Headline: spans(lineOf(Count(len(v.pipelines), "pipeline")))}
		var lines [][]htmlSpan
		for i := range v.pipelines {
			c := &v.pipelines[i]
			lines = append(lines, append([]htmlSpan{{Text: cmp.Or(c.pipeline, "(no name)"), To: fmt.Sprintf("#p%d", i), Code: true}}, spans(lineOf(" "+c.wall+" ", lowered(c.headline)))...))
		}
		overview.Lists = []htmlList{{"", lines}}
		p.Sections = append(p.Sections, overview)
	}
	for i := range v.pipelines {
		s := courseSection(&v.pipelines[i], i)
		if len(v.pipelines) > 1 {
			s.Headline = append(spans(lineOf(code(v.pipelines[i].pipeline), ": ")), s.Headline...)
		}
		p.Sections = append(p.Sections, s)
	}
	if len(v.notes) > 0 || len(p.Sections) == 0 {
		p.Sections = append(p.Sections, htmlSection{Headline: spans(lineOf("Notes")), Lists: listOfLines("", v.notes)})
	}
	return p
}

// courseSection is the part of a page about the pipeline of that place.
func courseSection(v *courseView, place int) htmlSection {
	s := htmlSection{ID: fmt.Sprintf("p%d", place), Headline: spans(v.headline), Intro: spansOf(v.period)}
	c := v.course
	track := map[*course.Step]int{nil: 0}
	for i := range v.steps {
		track[v.steps[i].step] = i + 1
	}
	numbered := map[*course.Step][]shiftTold{}
	for _, n := range slices.Concat(v.slower, v.faster) {
		numbered[n.step] = append(numbered[n.step], n)
	}
	drawnAs := func(step *course.Step, t *course.Track) *htmlTrack {
		out := trackOf(v, drawn{t, step}, track[step], numbered[step])
		if out != nil {
			out.ID = fmt.Sprintf("p%dt%d", place, out.Track)
		}
		return out
	}
	all := slices.Concat(v.slower, v.faster)
	marked := withLargest(numbered[nil], all)
	numbered[nil] = marked
	if s.Track = drawnAs(nil, &c.WallClock); s.Track != nil {
		t := s.Track
		t.Title, t.Twin.Label = "How long the builds took", "How long the builds took, in numbers"
		dots := "has 90 % of them but for single builds that took half as long again, which are dots"
		if len(c.WallClock.Points) <= allDots {
			dots = "has most of them, and each dot is a build"
		}
		t.Caption = fmt.Sprintf("The line is the median of groups of about %s, the band %s.", Count(max(len(c.Builds)/groupCount(len(c.Builds), chartGroups), 1), "build"), dots)
		switch {
		case len(marked) < len(all):
			t.Caption += fmt.Sprintf(" Numbered lines stand at the largest %d of %d lasting changes; the others are in the charts of their steps.", len(marked), len(all))
		case len(all) > 0:
			t.Caption += " A numbered line stands at each lasting change, a thin one where it is one step's."
		}
		if len(t.Cache) > 0 {
			t.Caption += " The darker the strip below, the more was found in the cache."
		}
	}
	t := htmlTable{Title: "Steps", Label: "Steps over the builds", Steps: true, Head: heads("Step|name", "Now|n", "Share|n", "Cached|n wide", "Change|t", "Over the builds|track")}
	isDrawn := map[*course.Step]bool{nil: s.Track != nil}
	for i := range v.steps {
		r := &v.steps[i]
		class := "t"
		switch {
		case strings.HasPrefix(r.change, "▲"):
			class += " bad"
		case strings.HasPrefix(r.change, "▼"):
			class += " good"
		}
		chart := drawnAs(r.step, &r.step.Track)
		if chart != nil {
			chart.Twin.Label, isDrawn[r.step] = cut(r.name, 60)+", in numbers", true
		}
		t.Rows = append(t.Rows, htmlRow{Cells: []htmlCell{
			{Text: r.name, Class: "name", Code: true},
			{Text: r.now, Class: "n"},
			{Text: r.share, Class: "n"},
			{Text: r.cached, Class: "n wide"},
			{Text: r.change, Class: class},
			{Class: "track", Track: chart},
		}})
	}
	numberedLines := func(title string, shifts []shiftTold) (list []htmlList) {
		var lines [][]htmlSpan
		for _, n := range shifts {
			number := htmlSpan{Text: fmt.Sprint(n.number), Number: true}
			if isDrawn[n.step] {
				number.To = fmt.Sprintf("#p%dt%d", place, track[n.step])
			}
			lines = append(lines, append([]htmlSpan{number, {Text: " "}}, spans(n.line)...))
		}
		if len(lines) > 0 {
			list = []htmlList{{title, lines}}
		}
		return list
	}
	s.Lists = append(numberedLines("Slower", v.slower), numberedLines("Faster", v.faster)...)
	s.Lists = append(s.Lists, listOfLines(adviceTitle, v.advice)...)
	s.Lists = append(s.Lists, listOfLines("", v.notes)...)
	if len(t.Rows) > 0 {
		s.Tables = append(s.Tables, t)
	}
	if len(c.Builds) > 0 {
		s.Tables = append(s.Tables, buildsTable(c))
	}
	if v.left > 0 {
		s.Outro = append(s.Outro, spans(lineOf("Left out: ", Count(v.left, "more step"), " of less than "+percent(leastShare)+" of the wall clock, without change, or gone.")))
	}
	if s.Track != nil {
		s.Data = dataOf(v)
	}
	return s
}

// withLargest adds to the lasting changes of the whole build the largest of its steps.
func withLargest(whole, all []shiftTold) []shiftTold {
	const most = 12
	rest := slices.DeleteFunc(slices.Clone(all), func(s shiftTold) bool { return s.step == nil })
	slices.SortStableFunc(rest, func(a, b shiftTold) int { return cmp.Compare(cost(b.shift), cost(a.shift)) })
	return append(slices.Clone(whole), rest[:min(len(rest), max(most-len(whole), 0))]...)
}

// newestTold is how many of the newest builds are told one by one.
const newestTold = 500

// buildsTable lists the newest builds, so that what the chart shows can be read and copied.
func buildsTable(c *course.Course) htmlTable {
	title := fmt.Sprintf("The builds, newest first (%d)", len(c.Builds))
	if len(c.Builds) > newestTold {
		title = fmt.Sprintf("The newest %d of %d builds", newestTold, len(c.Builds))
	}
	t := htmlTable{Title: title, Label: "Builds", Folded: true, Head: heads("Started (UTC)|t", "Revision", "Took|n", "Ran|n", "Cached|n")}
	for i, b := range slices.Backward(c.Builds) {
		if len(c.Builds)-i > newestTold {
			break
		}
		start := ""
		if at := encodableTime(b.Start); !at.IsZero() {
			start = at.Format("2006-01-02 15:04")
		}
		t.Rows = append(t.Rows, htmlRow{Cells: []htmlCell{
			{Text: start, Class: "t"},
			{Text: Clean(cmp.Or(shortRevision(b.Revision), b.ID)), Code: true, To: address(b.URL)},
			{Text: b.Duration.String(), Class: "n"},
			{Text: fmt.Sprint(b.Executed), Class: "n"},
			{Text: fmt.Sprint(b.Cached), Class: "n"},
		}})
	}
	return t
}
