package report

import (
	"bufio"
	"io"
	"regexp"
	"strings"

	"github.com/buildregress/buildregress/detect"
)

// Text is for a terminal or the log of a CI job: lines broken between words, and colours
// where they are understood.

// TextOptions say what the place can show that a report is printed to.
type TextOptions struct {
	Width int  // in cells of a terminal; 0 is 80, narrower than 40 is 40
	Color bool // ANSI colours are understood
	Code  Code // where Markdown leads to
}

// withDefaults has a width that can be written to.
func (o TextOptions) withDefaults() TextOptions {
	if o.Width == 0 {
		o.Width = usualWidth
	}
	o.Width = max(o.Width, narrowest)
	return o
}

const (
	usualWidth    = 80
	narrowest     = 40
	maxTextName   = 70 // of a name within a sentence
	maxTextErrors = 300
)

// Text writes a report for a terminal or the log of a CI job. Every line is
// plain but for the colours asked for: nothing in a name can move the cursor or
// be taken for a command by the CI system that shows it.
func Text(w io.Writer, r *detect.Report, o TextOptions) error {
	out := bufio.NewWriter(w)
	t := &textWriter{out: out, TextOptions: o.withDefaults(), rows: maxRows}
	t.report(viewOf(r))
	return out.Flush() // holds the first error of all writes
}

// A textWriter lays out a view in lines of at most Width cells, where words
// allow it.
type textWriter struct {
	out *bufio.Writer
	TextOptions
	rows int // at most, in the list of steps
}

func (t *textWriter) report(v view) {
	if len(v.headline) > 0 {
		t.styled(bold, v.headline)
	}
	for i := range v.results {
		if i > 0 || len(v.headline) > 0 {
			t.out.WriteString("\n")
		}
		if len(v.headline) > 0 {
			t.styled(bold, lineOf("== ", code(v.results[i].pipeline)))
		}
		t.result(&v.results[i])
	}
	t.block(v.notes)
}

func (t *textWriter) result(v *resultView) {
	t.styled(toneOf(v.verdict), v.headline)
	t.failure(v.failure)
	for _, l := range v.findings {
		t.bullet(l)
	}
	if len(v.findings) > 0 && len(v.suspects) > 0 {
		t.line(lineOf(notProven))
	}
	for _, l := range v.suspects {
		t.bullet(l)
	}
	if len(v.next) > 0 {
		t.line(v.next)
	}
	if len(v.history) > 0 {
		t.line(v.history)
	}
	t.block(v.notices)
	t.out.WriteString("\n")
	for _, l := range v.facts {
		t.line(l)
	}
	t.table(v)
	t.out.WriteString("\n")
	for _, l := range []line{v.coverage, v.baseline} {
		if len(l) > 0 {
			t.line(l)
		}
	}
}

// block is a list with an empty line above it.
func (t *textWriter) block(lines []line) {
	if len(lines) > 0 {
		t.out.WriteString("\n")
	}
	for _, l := range lines {
		t.bullet(l)
	}
}

func (t *textWriter) line(l line)   { t.out.WriteString(t.wrapped(l, "", "", maxTextName)) }
func (t *textWriter) bullet(l line) { t.out.WriteString(t.wrapped(l, "- ", "  ", maxTextName)) }

func (t *textWriter) styled(s style, l line) {
	for text := range strings.Lines(t.wrapped(l, "", "", maxTextName)) {
		t.out.WriteString(t.paint(s, strings.TrimSuffix(text, "\n")) + "\n")
	}
}

// beforeUnit is where a line must not break: "61 s" is one word. No clean text
// has the character that stands in for that space.
var beforeUnit = regexp.MustCompile(`(\d) ((?:s|ms|m|h|%)(?:\W|$))`)

const noBreak = "\x00"

// lineBreak is a word that no clean text has: an address begins a line, from which it can
// be taken whole.
const lineBreak = "\x01"

// wrapped breaks a line between words: first stands before its first line, and
// indent before the others. A word that is longer than the width stays whole: it
// could not be copied otherwise.
func (t *textWriter) wrapped(l line, first, indent string, nameWidth int) string {
	var b strings.Builder
	b.WriteString(first)
	column, empty := len(first), true
	if nameWidth <= maxTextName { // a name stands in one line, an error may go over several
		nameWidth = min(nameWidth, t.Width-len(indent)-2)
	}
	text := beforeUnit.ReplaceAllString(plain(l, nameWidth), "$1"+noBreak+"$2")
	text = strings.ReplaceAll(text, "≥ ", "≥"+noBreak)
	for word := range strings.FieldsSeq(text) {
		word = strings.ReplaceAll(word, noBreak, " ")
		width := cells.StringWidth(word)
		switch {
		case word == lineBreak:
			b.WriteString("\n" + indent)
			column, empty = len(indent), true
			continue
		case empty:
			empty = false
		case column+1+width > t.Width:
			b.WriteString("\n" + indent)
			column = len(indent)
		default:
			b.WriteString(" ")
			column++
		}
		b.WriteString(word)
		column += width
	}
	return b.String() + "\n"
}

// plain writes a line with its code between backticks.
func plain(l line, nameWidth int) string {
	var b strings.Builder
	for _, s := range l {
		switch {
		case s.to != "":
			b.WriteString(lineBreak + " " + s.text + ": " + s.to)
		case s.whole:
			b.WriteString("`" + s.text + "`")
		case s.code, s.commit:
			b.WriteString("`" + cut(s.text, nameWidth) + "`")
		default:
			b.WriteString(s.text)
		}
	}
	return b.String()
}

// A style is an ANSI colour, or "".
type style string

const (
	bold   style = "1"
	dim    style = "2"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
)

// paint colours text within one line: CI logs start each line anew.
func (t *textWriter) paint(s style, text string) string {
	if !t.Color || s == "" || strings.TrimSpace(text) == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

func toneOf(v detect.Verdict) style {
	switch v {
	case detect.Regressed:
		return bold + ";" + red
	case detect.Unsure:
		return bold + ";" + yellow
	case detect.Pass:
		return bold + ";" + green
	}
	return bold
}

func colorOf(r *row) style {
	if r.state.HasNoResult() {
		return red
	}
	switch r.status {
	case detect.StatusSlower, detect.StatusOverBudget:
		return red
	case detect.StatusSuspect, detect.StatusCacheLost:
		return yellow
	case detect.StatusFaster:
		return green
	case detect.StatusCached, detect.StatusGone:
		return dim
	}
	return ""
}
