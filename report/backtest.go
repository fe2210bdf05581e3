package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/backtest"
)

// A backtest is written as text and JSON, under the rules of a report.

// maxStopped is how many of the builds that would have been stopped are listed for
// people, the newest.
const maxStopped = 40

// BacktestJSON writes a backtest for machines, as JSON writes a report.
func BacktestJSON(w io.Writer, b *backtest.Report) error {
	c := *b
	c.FailOn, c.Notes, c.Results = list(c.FailOn), list(c.Notes), list(c.Results)
	for i := range c.Results {
		r := &c.Results[i]
		r.First, r.Last = encodableTime(r.First), encodableTime(r.Last)
		r.Reasons, r.Stopped, r.Steps = list(r.Reasons), list(r.Stopped), list(r.Steps)
		if r.Injection != nil {
			j := *r.Injection
			j.Looks, r.Injection = list(j.Looks), &j
		}
		for k := range r.Stopped {
			s := &r.Stopped[k]
			s.Start, s.Steps = encodableTime(s.Start), list(s.Steps)
			for n := range s.Steps {
				s.Steps[n].Ratio = finite(s.Steps[n].Ratio, 0)
			}
		}
	}
	return encode(w, &c, "backtest")
}

// BacktestText writes a backtest for a terminal or the log of a CI job, under the
// rules of Text.
func BacktestText(w io.Writer, b *backtest.Report, o TextOptions) error {
	out := bufio.NewWriter(w)
	t := &textWriter{out: out, TextOptions: o.withDefaults(), rows: maxRows}
	for i := range b.Results {
		if i > 0 {
			out.WriteString("\n")
		}
		t.backtest(&b.Results[i], b.FailOn)
	}
	var notes []line
	for _, n := range b.Notes {
		notes = append(notes, sentence(n.Text))
	}
	t.block(notes)
	return out.Flush() // holds the first error of all writes
}

func (t *textWriter) backtest(r *backtest.Result, failOn []string) {
	t.styled(bold, lineOf(code(r.Pipeline), fmt.Sprintf(": %s replayed, %s to %s", Count(r.Builds, "build"), day(r.First), day(r.Last))))
	if r.Judged > 0 {
		t.line(lineOf(fmt.Sprintf("Judged %s: %d regressed (%s), %d unsure (%s).", Count(r.Judged, "build"),
			r.Verdicts[detect.Regressed], share(r.RegressedShare), r.Verdicts[detect.Unsure], share(r.UnsureShare))))
	}
	if not := r.Builds - r.Judged; not > 0 {
		var reasons []string
		for _, reason := range r.Reasons {
			text := fmt.Sprintf("%d: %s", reason.Builds, reason.Reason)
			if len(r.Reasons) == 1 {
				text = reason.Reason.Text
			}
			reasons = append(reasons, text)
		}
		t.line(lineOf(fmt.Sprintf("Not judged: %s (", Count(not, "build")), prose(strings.Join(reasons, "; ")), ")."))
	}
	if r.Checks > 0 {
		t.line(lineOf(fmt.Sprintf("Of %s, called slower %s, suspect %s, faster %s.", Count(r.Checks, "step-check"),
			calls(r.Calls.Slower, r.Rates.Slower), calls(r.Calls.Suspect, r.Rates.Suspect), calls(r.Calls.Faster, r.Rates.Faster))))
	}
	t.stopped(r, failOn)
	t.couldShow(r)
	t.injection(r.Injection)
}

// stopped lists the builds that would have been stopped, newest first.
func (t *textWriter) stopped(r *backtest.Result, failOn []string) {
	t.out.WriteString("\n")
	on := strings.Join(failOn, ", ")
	if len(r.Stopped) == 0 {
		t.line(lineOf(fmt.Sprintf("No build would have been stopped (--fail-on %s).", on)))
		return
	}
	t.line(lineOf(fmt.Sprintf("%s would have been stopped (--fail-on %s):", Count(len(r.Stopped), "build"), on)))
	for i := len(r.Stopped) - 1; i >= max(0, len(r.Stopped)-maxStopped); i-- {
		t.bullet(stoppedLine(&r.Stopped[i]))
	}
	if more := len(r.Stopped) - maxStopped; more > 0 {
		t.line(lineOf(fmt.Sprintf("… and %s before these; --format json lists all.", Count(more, "build"))))
	}
}

func stoppedLine(b *backtest.StoppedBuild) line {
	l := lineOf(b.Start.UTC().Format("2006-01-02 15:04"), " ")
	if b.Revision != "" {
		l = lineOf(l, code(shortRevision(b.Revision)), " ")
	}
	switch {
	case b.PullRequest != "":
		l = lineOf(l, "of pull request ", code(b.PullRequest), " ")
	case b.Branch != "":
		l = lineOf(l, "on ", code(b.Branch), " ")
	}
	l = lineOf(l, "(", code(b.ID), "): ")
	var why []line
	if b.OverBudget != "" {
		why = append(why, prose(b.OverBudget))
	}
	for _, s := range b.Steps {
		one := lineOf(code(s.Name), " ", s.Status.String())
		if s.Ratio > 0 {
			one = lineOf(one, fmt.Sprintf(" %s (%s, usually %s)", ratio(s.Ratio), s.Current, s.Usual))
		}
		why = append(why, one)
	}
	if len(why) == 0 {
		why = append(why, lineOf(b.Verdict.String()))
	}
	return lineOf(l, joined(why, "; "))
}

// couldShow lists from which slowdown on each step would have been called.
func (t *textWriter) couldShow(r *backtest.Result) {
	if len(r.Steps) == 0 {
		return
	}
	// Those that were called first, then the longest.
	order := slices.Clone(r.Steps)
	loud := func(s *backtest.StepRecord) int { return min(1, s.Calls.Slower+s.Calls.Suspect) }
	slices.SortStableFunc(order, func(x, y backtest.StepRecord) int { return cmp.Compare(loud(&y), loud(&x)) })
	shown := map[string]bool{}
	for i := range order[:min(len(order), t.rows)] {
		shown[order[i].Key] = true
	}
	rows := [][]string{{"Step", "usually", "checks", "slower", "suspect", "in one build", "in three"}}
	for i := range r.Steps {
		if s := &r.Steps[i]; shown[s.Key] {
			rows = append(rows, []string{
				Clean(s.Name), s.Usual.String(), fmt.Sprint(s.Checks), fmt.Sprint(s.Calls.Slower), fmt.Sprint(s.Calls.Suspect),
				cmp.Or(atLeast(s.MinDetectable), "–"), cmp.Or(atLeast(s.MinDetectable3), "–"),
			})
		}
	}
	t.out.WriteString("\n")
	t.grid(rows)
	if left := len(r.Steps) - len(shown); left > 0 {
		t.line(lineOf("… and ", Count(left, "more step"), "; --format json lists all."))
	}
	t.line(lineOf("In one build, in three: the slowdown that would have been called in four of five cases (median over the builds)."))
}

// grid writes rows whose first column is as wide as the others let it be, and whose
// others are numbers. Columns that do not fit are left out, the third first.
func (t *textWriter) grid(rows [][]string) {
	for width, out := 0, 2; ; {
		width = 0
		for c := 1; c < len(rows[0]); c++ {
			width += 2 + columnWidth(rows, c)
		}
		widest := min(columnWidth(rows, 0), maxName)
		if t.Width-width >= min(widest, 2*minName) || len(rows[0]) <= 3 {
			name := max(minName, min(t.Width-width, widest))
			for i, r := range rows {
				text := pad(cut(r[0], name), name)
				for c := 1; c < len(r); c++ {
					text += "  " + padLeft(r[c], columnWidth(rows, c))
				}
				if i == 0 {
					text = t.paint(dim, text)
				}
				t.out.WriteString(strings.TrimRight(text, " ") + "\n")
			}
			return
		}
		for i := range rows {
			rows[i] = slices.Delete(slices.Clone(rows[i]), out, out+1)
		}
	}
}

func columnWidth(rows [][]string, c int) (width int) {
	for _, r := range rows {
		width = max(width, cells.StringWidth(r[c]))
	}
	return width
}

// injection tells how often an injected slowdown was found.
func (t *textWriter) injection(j *backtest.Injection) {
	if j == nil {
		return
	}
	t.out.WriteString("\n")
	if j.Cases == 0 {
		t.line(lineOf(fmt.Sprintf("No step was long enough, and judged, to be slowed down ×%.3g.", j.Factor)))
		return
	}
	drawn := "each step of each build of the base branch that was judged and is long enough, in turn"
	if j.Seed != 0 {
		drawn = fmt.Sprintf("drawn of %d with seed %d: steps of builds of the base branch that were judged and are long enough", j.Possible, j.Seed)
	}
	t.line(lineOf(fmt.Sprintf("Slowed down ×%.3g in %s (%s), the step was called:", j.Factor, Count(j.Cases, "case"), drawn)))
	for _, l := range j.Looks {
		if l.Cases == 0 {
			continue
		}
		nth := []string{"first", "second", "third"}[l.Builds-1]
		of := func(n int) string { return share(float64(n) / float64(l.Cases)) }
		t.bullet(lineOf(fmt.Sprintf("at the %s build of a branch: slower in %s, suspect in %s; the build regressed in %s (%s)",
			nth, of(l.Slower), of(l.Suspect), of(l.Regressed), Count(l.Cases, "case"))))
	}
}

// day is the date of an instant.
func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// share writes a share to a tenth of a percent: "0.4 %".
func share(s float64) string { return strconv.FormatFloat(100*s, 'f', 1, 64) + " %" }

// calls writes how often something was called, and of 1,000 checks.
func calls(n int, rate float64) string {
	return fmt.Sprintf("%d (%.1f of 1,000)", n, rate)
}
