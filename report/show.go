package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/describe"
	"github.com/buildregress/buildregress/detect/timeline"
)

// One build, shown: how long it took and why, when each step ran, what was transferred. The
// words and their order are decided once, in the view that all formats share.

// A shownView is what people read of one build.
type shownView struct {
	headline  line
	failure   *failure
	sentences []line // where the time went
	stages    []stageView
	total     timeline.Seconds // length of the time axis
	timed     bool             // the source knows when steps began
	transfers []transfer
	used      []used
	made      []line // what it was made of, and by what
	advice    []line // where it would have paid
	notes     []line
	about     line
}

// A stageView is the steps of one stage, in the order of their start; those found in the
// cache are counted.
type stageView struct {
	name   string // clean
	steps  []shownStep
	cached int
}

// A shownStep is a row of the waterfall.
type shownStep struct {
	name            string // clean
	source          string // "Dockerfile:12", clean
	state           string // what became of it, "" where it ran
	critical, isBad bool
	start, took     timeline.Seconds
	slack           timeline.Seconds
	share           float64 // of the build's duration, on the critical path
}

// A transfer is a step that moved bytes.
type transfer struct {
	name  string // clean
	bytes string
	took  string
	rate  string // "" where it took no time
}

func shownViewOf(d *describe.Description) shownView {
	r := d.Result()
	n := newNames(r)
	v := shownView{failure: failureOf(r), notes: noteLines(d.Notes), total: d.Build.Duration, about: aboutBuild(&d.Build)}
	v.headline = lineOf("It took ", d.Build.Duration.String())
	switch {
	case d.Build.Outcome == timeline.Cancelled:
		v.headline = lineOf("Cancelled after ", d.Build.Duration.String())
	case d.Build.Outcome == timeline.Failed && d.Build.FailedStep != "":
		v.headline = lineOf("Failed after ", d.Build.Duration.String(), " at ", code(n.ofName(d.Build.FailedStep)))
	case d.Build.Outcome == timeline.Failed:
		v.headline = lineOf("Failed after ", d.Build.Duration.String())
	}
	v.headline = lineOf(v.headline, ": ", Count(d.Executed, "step"), fmt.Sprintf(" ran, %d cached", d.Cached))
	v.sentences = pathSentences(d, n)
	keys := map[string]string{} // by the name that is shown; "" where several steps have it
	for i := range d.Steps {
		name := n.ofName(d.Steps[i].Name)
		if key, known := keys[name]; known && key != d.Steps[i].Key {
			keys[name] = ""
		} else {
			keys[name] = d.Steps[i].Key
		}
	}
	v.advice = adviceLines(d.Advice, true, func(key, name string) string {
		if shown := n.ofName(name); keys[shown] != "" {
			return shown
		}
		return key
	})
	share := map[int]float64{}
	for _, p := range d.Path {
		share[p.Step] += p.Share
	}
	at := map[string]int{}
	for _, i := range byStart(d.Steps) {
		s := &d.Steps[i]
		v.total, v.timed = max(v.total, s.Start+s.Duration), v.timed || s.Start > 0
		key := s.Platform + " " + s.Stage
		k, known := at[key]
		if !known {
			k, at[key] = len(v.stages), len(v.stages)
			v.stages = append(v.stages, stageView{name: cmp.Or(strings.TrimSpace(Clean(key)), "(no stage)")})
		}
		if s.State == timeline.Cached && s.Duration < timeline.Seconds(1e9) {
			v.stages[k].cached++
			continue
		}
		row := shownStep{
			name: Clean(n.ofName(s.Name)), critical: s.Critical, start: s.Start, took: s.Duration, slack: s.Slack, share: share[i],
			isBad: s.State.HasNoResult(), state: stateWord(s.State),
		}
		if s.Source.File != "" && s.Source.Line > 0 {
			row.source = Clean(fmt.Sprintf("%s:%d", s.Source.File, s.Source.Line))
		}
		v.stages[k].steps = append(v.stages[k].steps, row)
	}
	v.transfers = transfersOf(d, n)
	v.used, v.made = usedBy(d, n), madeOf(d)
	return v
}

func stateWord(s timeline.State) string {
	switch s {
	case timeline.Executed:
		return ""
	case timeline.NeverStarted:
		return "not run"
	case timeline.Interrupted:
		return "stopped"
	}
	return s.String()
}

// byStart are the indices of steps in the order of their start, those that never did last.
func byStart(steps []describe.Step) []int {
	order := make([]int, len(steps))
	for i := range order {
		order[i] = i
	}
	never := func(i int) int {
		if steps[i].State == timeline.NeverStarted {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(never(a), never(b)), cmp.Compare(steps[a].Start, steps[b].Start))
	})
	return order
}

// pathSentences say where the time of a build went, and what ran beside that.
func pathSentences(d *describe.Description, n *names) (lines []line) {
	const most, least = 4, 0.03
	if len(d.Path) == 0 {
		return []line{lineOf("Its source does not say when steps began: what decided how long it took is not known.")}
	}
	parts := slices.Clone(d.Path)
	slices.SortStableFunc(parts, func(a, b timeline.PathPart) int { return cmp.Compare(b.Seconds, a.Seconds) })
	var terms []line
	var others, between timeline.Seconds
	steps := 0
	for _, p := range parts {
		switch {
		case p.Step < 0:
			between += p.Seconds
		case len(terms) < most && p.Share >= least:
			s := &d.Steps[p.Step]
			term := lineOf(percent(p.Share)+" ", "in ", code(n.ofName(s.Name)), " (", p.Seconds.String())
			if s.Duration-p.Seconds > d.Build.Duration/100 { // part of it ran beside another step
				term = lineOf(term, " of its ", s.Duration.String())
			}
			if p.Share >= most*least && 2*p.Saves < p.Seconds {
				term = lineOf(term, "; without it "+p.Saves.String()+" less, as others ran beside it")
			}
			terms = append(terms, lineOf(term, ")"))
		default:
			others += p.Seconds
			steps++
		}
	}
	if steps > 0 {
		terms = append(terms, lineOf(others.String(), " in ", Count(steps, "other step")))
	}
	if between > 0 {
		terms = append(terms, lineOf(between.String(), " between steps"))
	}
	lines = append(lines, lineOf("Critical path: ", joined(terms, ", "), "."))
	var beside []line
	order := byStart(d.Steps)
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(d.Steps[b].Duration, d.Steps[a].Duration) })
	for _, i := range order {
		s := &d.Steps[i]
		if len(beside) < 3 && !s.Critical && s.Slack > 0 && float64(s.Duration) >= least*float64(d.Build.Duration) {
			beside = append(beside, lineOf(code(n.ofName(s.Name)), " (", s.Duration.String(), ", ", s.Slack.String(), " to spare)"))
		}
	}
	if len(beside) > 0 {
		lines = append(lines, lineOf("Beside it, and free: ", joined(beside, ", "), "."))
	}
	return lines
}

// transfersOf are the steps that moved bytes, most first.
func transfersOf(d *describe.Description, n *names) (list []transfer) {
	const most, least = 8, 10_000 // bytes: less takes no time
	order := byStart(d.Steps)
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(d.Steps[b].Bytes, d.Steps[a].Bytes) })
	for _, i := range order {
		s := &d.Steps[i]
		if s.Bytes < least || len(list) == most {
			break
		}
		t := transfer{name: Clean(n.ofName(s.Name)), bytes: byteCount(float64(s.Bytes)), took: s.Duration.String()}
		if s.BytesRate > 0 {
			t.rate = byteCount(s.BytesRate) + "/s"
		}
		list = append(list, t)
	}
	return list
}

// byteCount writes a number of bytes as people say it: "855 B", "1.2 MB".
func byteCount(n float64) string {
	units := []string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}
	k := 0
	for n >= 999.5 && k < len(units)-1 {
		n, k = n/1000, k+1
	}
	if k == 0 || n >= 9.95 {
		return fmt.Sprintf("%.0f %s", n, units[k])
	}
	return fmt.Sprintf("%.1f %s", n, units[k])
}

// aboutBuild says which build it is.
func aboutBuild(b *detect.BuildInfo) line {
	l := baseline(&detect.Result{Build: detect.BuildInfo{Pipeline: b.Pipeline, Origin: b.Origin, Outcome: timeline.Failed}})
	l = l[:max(len(l)-1, 0)] // its full stop
	if b.ID != "" {
		l = lineOf(l, ", ", code(b.ID))
	}
	if start := encodableTime(b.Start); !start.IsZero() {
		l = lineOf(l, ", begun "+start.Format("2006-01-02 15:04:05")+" UTC")
	}
	return lineOf(l, ".")
}

// ShowText writes what one build shows for a terminal or a log.
func ShowText(w io.Writer, d *describe.Description, o TextOptions) error {
	out := bufio.NewWriter(w)
	t := &textWriter{out: out, TextOptions: o.withDefaults(), rows: maxRows}
	v := shownViewOf(d)
	tone := bold
	if d.Build.Outcome != timeline.OK {
		tone = bold + ";" + red
	}
	t.styled(tone, v.headline)
	t.failure(v.failure)
	for _, l := range v.sentences {
		t.line(l)
	}
	if len(v.advice) > 0 {
		t.out.WriteString("\n" + t.paint(bold, adviceTitle) + "\n")
		for _, l := range v.advice {
			t.bullet(l)
		}
	}
	t.waterfall(&v)
	if len(v.transfers) > 0 {
		rows := [][]string{{"Transferred", "", "took", ""}}
		for _, x := range v.transfers {
			rows = append(rows, []string{x.name, x.bytes, x.took, x.rate})
		}
		t.out.WriteString("\n")
		t.grid(rows)
	}
	if len(v.used) > 0 {
		rows := [][]string{{"Used", "took", "worked", "memory", "waited for"}}
		for _, x := range v.used {
			rows = append(rows, []string{x.name, x.took, x.worked, x.memory, x.waited})
		}
		t.out.WriteString("\n")
		t.grid(rows)
	}
	if len(v.made) > 0 {
		t.out.WriteString("\n" + t.paint(bold, madeTitle) + "\n")
		for _, l := range v.made {
			t.bullet(l)
		}
	}
	t.block(v.notes)
	t.out.WriteString("\n")
	t.line(v.about)
	return out.Flush()
}

func (t *textWriter) failure(f *failure) {
	if f == nil {
		return
	}
	if len(f.reason) > 0 {
		t.out.WriteString(t.wrapped(f.reason, "", "", maxTextErrors))
	}
	for _, l := range f.log {
		t.out.WriteString("  | " + l + "\n")
	}
}

// waterfall lists the steps by stage, with a bar for when each ran and dots for how much
// longer it could have.
func (t *textWriter) waterfall(v *shownView) {
	took, name := 4, minName
	for _, stage := range v.stages {
		name = max(name, cells.StringWidth(stage.name)+2)
		for i := range stage.steps {
			took = max(took, cells.StringWidth(stage.steps[i].cell()))
			name = max(name, cells.StringWidth(stage.steps[i].name)+2)
		}
	}
	const share, wish = 5, 36
	bars := min(maxBars, max(0, t.Width-took-share-min(name, wish)-6))
	if !v.timed || v.total <= 0 || bars < minBars {
		bars = 0
	}
	name = min(name, maxName+2, t.Width-took-share-bars-6)
	head := pad("Step", name) + "  " + padLeft("took", took) + "  " + padLeft("path", share)
	if bars > 0 {
		head += "  " + timeAxis(v.total, bars)
	}
	t.out.WriteString("\n" + t.paint(dim, head) + "\n")
	for _, stage := range v.stages {
		line := cut(stage.name, name)
		if stage.cached > 0 {
			line = pad(line, name) + "  " + fmt.Sprintf("%d cached", stage.cached)
		}
		t.out.WriteString(t.paint(dim, line) + "\n")
		for i := range stage.steps {
			s := &stage.steps[i]
			text := pad("  "+cut(s.name, name-2), name) + "  " + padLeft(s.cell(), took) + "  " + padLeft(s.shareCell(), share)
			if bars > 0 {
				text += "  " + s.bar(v.total, bars)
			}
			tone := style("")
			if s.isBad {
				tone = red
			}
			t.out.WriteString(t.paint(tone, strings.TrimRight(text, " ")) + "\n")
		}
	}
	if bars > 0 {
		t.line(lineOf("█ on the critical path, ░ beside it, · to spare"))
	}
}

// cell is how long a step took, or what became of it.
func (s *shownStep) cell() string {
	if s.state != "" && s.took <= 0 {
		return s.state
	}
	return s.took.String()
}

// shareCell is the part of the build's duration that a step decided.
func (s *shownStep) shareCell() string {
	switch {
	case !s.critical:
		return ""
	case s.share < 0.005:
		return "<1 %"
	}
	return percent(s.share)
}

// bar shows when a step ran, and how much longer it could have.
func (s *shownStep) bar(total timeline.Seconds, width int) string {
	r := row{start: s.start, current: s.took, state: timeline.Executed}
	mark := "█"
	if !s.critical {
		mark = "░"
	}
	text := bar(&r, total, width, mark)
	if text == "" || s.slack <= 0 {
		return text
	}
	end := min(width, int(math.Round(float64(s.start+s.took+s.slack)/float64(total)*float64(width))))
	return text + strings.Repeat("·", max(0, end-cells.StringWidth(text)))
}

// ShowMarkdown writes what one build shows as Markdown.
func ShowMarkdown(w io.Writer, d *describe.Description) error {
	v := shownViewOf(d)
	m := &markdownWriter{}
	m.heading("### ", v.headline)
	if f := v.failure; f != nil {
		if len(f.reason) > 0 {
			m.paragraph(inline(f.reason))
		}
		if len(f.log) > 0 {
			m.WriteString(fenced(f.log) + "\n")
		}
	}
	m.lines(v.sentences...)
	if len(v.advice) > 0 {
		m.paragraph("**" + adviceTitle + "**")
		m.list(v.advice)
	}
	var b strings.Builder
	out := bufio.NewWriter(&b)
	(&textWriter{out: out, TextOptions: TextOptions{Width: 100}}).waterfall(&v)
	_ = out.Flush() // a Builder takes everything
	m.WriteString(fenced(strings.Split(strings.Trim(b.String(), "\n"), "\n")) + "\n")
	if len(v.transfers) > 0 {
		m.WriteString("| Transferred | | Took | |\n|:--|--:|--:|--:|\n")
		for _, x := range v.transfers {
			m.printf("| %s | %s | %s | %s |\n", inCell(codeSpan(x.name, maxCellName)), unbroken(x.bytes), unbroken(x.took), unbroken(x.rate))
		}
		m.WriteString("\n")
	}
	if len(v.used) > 0 {
		m.WriteString("| Used | Took | Worked | Memory | Waited for |\n|:--|--:|--:|--:|:--|\n")
		for _, x := range v.used {
			m.printf("| %s | %s | %s | %s | %s |\n", inCell(codeSpan(x.name, maxCellName)), unbroken(x.took), unbroken(x.worked), unbroken(x.memory), unbroken(x.waited))
		}
		m.WriteString("\n")
	}
	if len(v.made) > 0 {
		m.paragraph("**" + madeTitle + "**")
		m.list(v.made)
	}
	m.list(v.notes)
	m.lines(v.about)
	_, err := io.WriteString(w, m.String())
	return err
}

// ShowJSON writes a description for machines.
func ShowJSON(w io.Writer, d *describe.Description) error {
	return encode(w, encodableDescription(d), "description")
}

func encodableDescription(d *describe.Description) *describe.Description {
	c := *d
	c.Build.Start, c.Build.Log = encodableTime(d.Build.Start), list(d.Build.Log)
	c.Path, c.Steps, c.Notes = list(d.Path), list(d.Steps), list(d.Notes)
	c.Advice = encodableAdvice(d.Advice)
	for i := range c.Steps {
		c.Steps[i].BytesRate = finite(c.Steps[i].BytesRate, 0)
	}
	return &c
}
