package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect"
)

// Markdown is for comments and check runs, which are limited in size: what people miss least
// is left out first, and that it was is said.

// maxMarkdown is the largest size in bytes. GitHub takes 65,536 characters in a
// comment, and 65,535 in a check run.
const maxMarkdown = 65_000

// Widths of names in Markdown, in cells.
const (
	maxSentenceName = 100
	maxCellName     = 60
)

// Markdown writes a report as a comment on a pull request holds it: the verdict,
// what to do, and the rest folded. It is never longer than GitHub takes: the
// lists of steps go first, findings last, and what was left out is said.
func Markdown(w io.Writer, r *detect.Report, in Code) error {
	_, err := io.WriteString(w, MarkdownWithin(r, in, maxMarkdown))
	return err
}

// MarkdownWithin is a report in Markdown of at most so many bytes, as long as
// they are some thousands.
func MarkdownWithin(r *detect.Report, in Code, limit int) string {
	v := viewOf(r)
	head := "### " + inline(v.title()) + "\n\n"
	return head + v.bodyWithin(in, limit-len(head)-len(signature)) + signature
}

// title is the verdict on all builds.
func (v *view) title() line {
	if len(v.headline) > 0 {
		return v.headline
	}
	return v.results[0].headline
}

// bodyWithin is what follows the title, in Markdown of at most so many bytes.
func (v *view) bodyWithin(in Code, limit int) string {
	var text string
	for _, room := range []limits{{1000, 100, 20}, {300, 100, 20}, {100, 50, 20}, {30, 30, 10}, {0, 20, 5}, {0, 5, 0}} {
		if text = v.body(in, room, len(v.results)); len(text) <= limit {
			return text
		}
	}
	for n := len(v.results) - 1; n > 0 && len(text) > limit; n /= 2 {
		text = v.body(in, limits{0, 5, 0}, n)
	}
	return text
}

// A limits is how much of each kind is written of one build.
type limits struct{ rows, lines, log int }

// body writes the first n results.
func (v *view) body(in Code, limit limits, n int) string {
	m := &markdownWriter{limit: limit}
	for i := range v.results[:n] {
		m.pages = in.of(v.results[i].build)
		if len(v.headline) > 0 {
			m.heading("#### ", lineOf(code(v.results[i].pipeline)))
			m.paragraph("**" + inline(v.results[i].headline) + "**")
		}
		m.result(&v.results[i])
	}
	if left := len(v.results) - n; left > 0 {
		m.paragraph(Count(left, "more build") + " left out here: a comment is limited in size. See the JSON report.")
	}
	m.pages = pages{}
	m.list(v.notes)
	return m.String()
}

// signature says who speaks, and where it is told how.
const signature = signatureStart + "(https://github.com/buildregress/buildregress) · [how it judges](https://github.com/buildregress/buildregress/blob/main/docs/judgement.md) · [settings](https://github.com/buildregress/buildregress/blob/main/docs/configuration.md)</sub>\n"

const signatureStart = "<sub>[buildregress]"

// A markdownWriter writes blocks, each followed by an empty line.
type markdownWriter struct {
	strings.Builder
	pages
	limit limits
}

func (m *markdownWriter) result(v *resultView) {
	if f := v.failure; f != nil {
		if len(f.reason) > 0 {
			m.paragraph(m.inline(f.reason))
		}
		if log := f.log[max(0, len(f.log)-m.limit.log):]; len(log) > 0 {
			m.WriteString(fenced(log) + "\n")
		}
	}
	m.list(v.findings)
	if len(v.findings) > 0 && len(v.suspects) > 0 {
		m.paragraph(notProven)
	}
	m.list(v.suspects)
	for _, l := range []line{v.next, v.history} {
		if len(l) > 0 {
			m.paragraph("**" + m.inline(l) + "**")
		}
	}
	m.list(v.notices)
	m.lines(v.facts...)
	if v.verdict == detect.Unjudged {
		m.waterfall(v)
	} else {
		m.table(v.rows, v.accepting)
	}
	m.lines(v.coverage, v.baseline)
}

// notProven stands above the suspects where there are findings as well.
const notProven = "Not proven:"

// waterfall shows what there is to see of a build without a judgement: where
// its time went, as Text has it.
func (m *markdownWriter) waterfall(v *resultView) {
	const width, rows = 64, 15 // of a phone held sideways
	if m.limit.rows == 0 {
		return
	}
	var b strings.Builder
	out := bufio.NewWriter(&b)
	(&textWriter{out: out, TextOptions: TextOptions{Width: width}, rows: rows}).table(v)
	_ = out.Flush() // a Builder takes everything
	if text := strings.Trim(b.String(), "\n"); text != "" {
		m.WriteString(fenced(strings.Split(text, "\n")) + "\n")
	}
}

// table lists the steps, folded: those with something to tell first, then the longest. What
// was cached, or is too short to be told of, is counted.
func (m *markdownWriter) table(rows []row, accepting []line) {
	if len(rows) == 0 {
		return
	}
	listed, small := listedRows(rows)
	shown, left := mostNotable(listed, m.limit.rows)
	if len(shown) == 0 {
		m.paragraph(fmt.Sprintf("The list of %s is left out here: a comment is limited in size. See the JSON report.", Count(len(rows), "step")))
		return
	}
	m.printf("<details><summary>%s</summary>\n\n", capitalize(Count(len(rows), "step")))
	m.WriteString("| Step | Took | Usually | | Noticed from, in one build / three |\n|:--|--:|--:|:--|:--|\n")
	for i := range shown {
		r := &shown[i]
		name := codeSpan(r.name, maxCellName)
		if r.critical {
			name += " ◆"
		}
		verdict := inCell(m.inline(prose(cut(cmp.Or(r.reason, r.verdict), maxCellName))))
		if weight(r) > 1 {
			verdict = "**" + verdict + "**"
		}
		m.printf("| %s | %s | %s | %s | %s |\n", inCell(name), unbroken(inCell(escapeMarkdown(r.took))), unbroken(r.usual), verdict, r.detectable)
	}
	m.WriteString("\n")
	if left > 0 {
		m.paragraph(fmt.Sprintf("%s left out here: a comment is limited in size. See the JSON report.", Count(left, "step")))
	}
	if small > 0 {
		m.paragraph(Count(small, "step") + " not listed: cached, or too short for a change to be told.")
	}
	legend := lineOf("◆ is on the critical path: what it takes longer, the build takes longer.")
	m.paragraph(m.inline(joined(slices.Concat([]line{legend}, accepting), " ")))
	m.WriteString("</details>\n\n")
}

// listedRows are the rows that are worth a line of their own, in the order in which people
// ask for them, and how many others there are; all of them where none is.
func listedRows(rows []row) (listed []row, small int) {
	for i := range rows {
		r := &rows[i]
		if r.short && (r.status == detect.StatusCached || r.status == detect.StatusSame) {
			small++
			continue
		}
		listed = append(listed, *r)
	}
	if len(listed) == 0 {
		listed, small = slices.Clone(rows), 0
	}
	slices.SortStableFunc(listed, func(a, b row) int {
		return cmp.Or(cmp.Compare(weight(&b), weight(&a)), cmp.Compare(b.effect, a.effect), cmp.Compare(b.current, a.current))
	})
	return listed, small
}

// unbroken keeps the number and the unit of a cell in one line.
func unbroken(cell string) string { return strings.ReplaceAll(cell, " ", "\u00a0") }

func (m *markdownWriter) printf(format string, args ...any) {
	m.WriteString(fmt.Sprintf(format, args...))
}

func (m *markdownWriter) heading(mark string, l line) {
	m.WriteString(mark + m.inline(l) + "\n\n")
}

func (m *markdownWriter) paragraph(text string) {
	m.WriteString(text + "\n\n")
}

// lines is a paragraph in which each line stands alone.
func (m *markdownWriter) lines(lines ...line) {
	var texts []string
	for _, l := range lines {
		if len(l) > 0 {
			texts = append(texts, m.inline(l))
		}
	}
	m.paragraph(strings.Join(texts, "<br>\n"))
}

func (m *markdownWriter) list(lines []line) {
	if len(lines) == 0 {
		return
	}
	for i, l := range lines {
		if i == m.limit.lines {
			m.printf("- %d more are left out here: see the JSON report.\n", len(lines)-i)
			break
		}
		m.WriteString("- " + m.inline(l) + "\n")
	}
	m.WriteString("\n")
}

// blockStart is what would begin a list or a heading at the start of a line.
// Other marks are escaped wherever they stand.
var blockStart = regexp.MustCompile(`^(\d*)([-+=.)])`)

// inline writes a line of the view, in which places and revisions lead nowhere.
func inline(l line) string { return pages{}.inline(l) }

// inline writes a line of the view.
func (p pages) inline(l line) string {
	var b strings.Builder
	for i, s := range l {
		switch {
		case s.to != "":
			if i > 1 && l[i-2].to != "" {
				b.WriteString("· ")
			}
			b.WriteString("[" + escapeMarkdown(s.text) + "](<" + s.to + ">)")
		case (s.commit || s.named) && p.commit(s.text) != "":
			b.WriteString("[" + s.text + "](<" + p.commit(s.text) + ">)")
		case s.commit, s.named:
			b.WriteString(s.text)
		case s.file != "" && p.line(s) != "":
			b.WriteString("[" + codeSpan(s.text, maxSentenceName) + "](<" + p.line(s) + ">)")
		case s.whole:
			b.WriteString(codeSpan(s.text, maxClean))
		case s.code:
			b.WriteString(codeSpan(s.text, maxSentenceName))
		case i == 0:
			b.WriteString(blockStart.ReplaceAllString(escapeMarkdown(s.text), `$1\$2`))
		default:
			b.WriteString(escapeMarkdown(s.text))
		}
	}
	return b.String()
}
