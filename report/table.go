package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
)

// The list of steps as text: columns that fit the width, and bars that show when each ran.

// The columns of the list of steps, in the order in which they are left out
// where they do not fit: first the bars, then what is usual, then the change.
const (
	minName = 16
	maxName = 48
	minBars = 12
	maxBars = 40
	maxRows = 25 // a log is scrolled: more than this hides the verdict above it
)

// columns are the widths of the list, 0 for a column that is left out.
type columns struct {
	name, took, usual, verdict, bars int
}

// table lists the steps in the order of the build, with a bar for when each ran.
func (t *textWriter) table(v *resultView) {
	// Steps that are gone took no place in this build, and are counted below.
	here := slices.DeleteFunc(slices.Clone(v.rows), func(r row) bool { return r.status == detect.StatusGone })
	shown, left := mostNotable(here, t.rows)
	if len(shown) == 0 {
		return
	}
	c := t.columns(shown, v.waterfall && v.total > 0)
	head := pad("Step", c.name) + "  " + padLeft("took", c.took)
	if c.usual > 0 {
		head += "  " + padLeft("usually", c.usual)
	}
	if c.verdict > 0 {
		head += "  " + pad("", c.verdict)
	}
	if c.bars > 0 {
		head += "  " + timeAxis(v.total, c.bars)
	}
	t.out.WriteString("\n" + t.paint(dim, strings.TrimRight(head, " ")) + "\n")
	path := slices.ContainsFunc(shown, func(r row) bool { return r.critical })
	for i := range shown {
		mark := "█"
		if path && !shown[i].critical {
			mark = "░"
		}
		t.row(&shown[i], c, v.total, mark)
	}
	if left > 0 {
		t.line(lineOf("… and ", Count(left, "step"), " that took less or were cached."))
	}
	if c.bars > 0 && path {
		t.line(lineOf("█ on the critical path, ░ beside it"))
	}
}

func (t *textWriter) row(r *row, c columns, total timeline.Seconds, mark string) {
	parts := []string{pad(cut(r.name, c.name), c.name), padLeft(r.took, c.took)}
	if c.usual > 0 {
		parts = append(parts, padLeft(r.usual, c.usual))
	}
	if c.verdict > 0 {
		parts = append(parts, pad(verdictCell(r), c.verdict))
	}
	text := strings.Join(parts, "  ")
	if c.bars > 0 {
		text += "  " + bar(r, total, c.bars, mark)
	}
	t.out.WriteString(t.paint(colorOf(r), strings.TrimRight(text, " ")) + "\n")
}

// columns gives each column what its cells need, and the name and the bars what
// is left.
func (t *textWriter) columns(rows []row, bars bool) columns {
	c := columns{took: 4}
	widest := 4
	for i := range rows {
		r := &rows[i]
		widest = max(widest, cells.StringWidth(r.name))
		c.took = max(c.took, cells.StringWidth(r.took))
		c.verdict = max(c.verdict, cells.StringWidth(verdictCell(r)))
		if r.usual != "" {
			c.usual = max(c.usual, cells.StringWidth(r.usual), len("usually"))
		}
	}
	widest = min(widest, maxName)
	free := t.Width - c.took - 2
	if free-c.verdict-2 < minName {
		c.verdict = 0
	}
	free -= gap(c.verdict)
	if free-c.usual-2 < minName {
		c.usual = 0
	}
	free -= gap(c.usual)
	if wish := min(widest, 28); bars && free-wish-2 >= minBars {
		c.bars = min(free-max(wish, min(widest, free-2-24))-2, maxBars)
		free -= c.bars + 2
	}
	c.name = min(widest, free)
	return c
}

// verdictCell is the verdict on a step, if it says more than the other columns do.
func verdictCell(r *row) string {
	if r.state.HasNoResult() {
		if r.stopped {
			return "stopped"
		}
		return "failed"
	}
	switch r.status {
	case detect.StatusSame, detect.StatusCached, detect.StatusUnjudged:
		return ""
	}
	return r.verdict
}

// gap is a column with the space beside it.
func gap(width int) int {
	if width == 0 {
		return 0
	}
	return width + 2
}

// mostNotable leaves at most n rows, in their order: first those with something
// to tell, then the longest.
func mostNotable(all []row, n int) (shown []row, left int) {
	if len(all) <= n {
		return all, 0
	}
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(weight(&all[b]), weight(&all[a])), cmp.Compare(all[b].current, all[a].current))
	})
	order = order[:n]
	slices.Sort(order)
	for _, i := range order {
		shown = append(shown, all[i])
	}
	return shown, len(all) - n
}

func weight(r *row) int {
	switch {
	case r.status == detect.StatusSlower, r.status == detect.StatusOverBudget, r.state.HasNoResult():
		return 3
	case r.status == detect.StatusSuspect, r.status == detect.StatusCacheLost, r.status == detect.StatusFaster:
		return 2
	case r.state == timeline.Executed && r.status != detect.StatusGone:
		return 1
	}
	return 0
}

// bar shows when a step ran: "  ███".
func bar(r *row, total timeline.Seconds, width int, mark string) string {
	if r.current <= 0 || r.state == timeline.Cached && r.current.D() < time.Second {
		return ""
	}
	column := func(at timeline.Seconds) int {
		return int(math.Round(float64(at) / float64(total) * float64(width)))
	}
	from := min(max(column(r.start), 0), width-1)
	length := min(max(column(r.start+r.current)-from, 1), width-from)
	return strings.Repeat(" ", from) + strings.Repeat(mark, length)
}

// timeAxis is "0 …… 142 s" above the bars.
func timeAxis(total timeline.Seconds, width int) string {
	end := total.String()
	return "0" + fmt.Sprintf("%*s", max(width-1, 0), end)
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-cells.StringWidth(text)))
}

func padLeft(text string, width int) string {
	return strings.Repeat(" ", max(0, width-cells.StringWidth(text))) + text
}
