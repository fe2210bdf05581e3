package report

import (
	"fmt"
	"io"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/compare"
	"github.com/buildregress/buildregress/detect/course"
	"github.com/buildregress/buildregress/detect/describe"
)

// The tables of formats, one for each thing that is written: a new format is a row in them.

// A Format is a form in which a report is written.
type Format string

// A table has each format of a T with what writes it, the usual one first. Most have no
// options.
type table[T any] []struct {
	format Format
	write  func(io.Writer, T, TextOptions) error
}

func (t table[T]) names() (names []string) {
	for _, f := range t {
		names = append(names, string(f.format))
	}
	return names
}

func (t table[T]) writeAs(f Format, w io.Writer, value T, o TextOptions) error {
	for _, known := range t {
		if known.format == f {
			return known.write(w, value, o)
		}
	}
	return fmt.Errorf("format %q is not one of %q", string(f), t.names())
}

// bare is what writes without options.
func bare[T any](write func(io.Writer, T) error) func(io.Writer, T, TextOptions) error {
	return func(w io.Writer, value T, _ TextOptions) error { return write(w, value) }
}

var reports = table[*detect.Report]{
	{"text", Text},
	{"markdown", func(w io.Writer, r *detect.Report, o TextOptions) error { return Markdown(w, r, o.Code) }},
	{"json", bare(JSON)},
	{"junit", bare(JUnit)},
	{"html", bare(HTML)},
}

var shown = table[*describe.Description]{
	{"text", ShowText},
	{"markdown", bare(ShowMarkdown)},
	{"json", bare(ShowJSON)},
	{"html", bare(ShowHTML)},
}

var compared = table[*compare.Comparison]{
	{"text", CompareText},
	{"markdown", bare(CompareMarkdown)},
	{"json", bare(CompareJSON)},
	{"html", bare(CompareHTML)},
}

// told are the courses of pipelines, and what is told of them.
type told struct {
	*course.Report
	options HistoryOptions
}

var histories = table[told]{
	{"text", func(w io.Writer, h told, o TextOptions) error { return HistoryText(w, h.Report, h.options, o) }},
	{"markdown", bare(func(w io.Writer, h told) error { return HistoryMarkdown(w, h.Report, h.options) })},
	{"json", bare(func(w io.Writer, h told) error { return HistoryJSON(w, h.Report) })},
	{"html", bare(func(w io.Writer, h told) error { return HistoryHTML(w, h.Report, h.options) })},
	{"csv", bare(func(w io.Writer, h told) error { return HistoryCSV(w, h.Report) })},
}

// Formats are the names of the formats of a report, the usual one first.
func Formats() []string { return reports.names() }

// ShownFormats are those of one build that is shown, and of two beside each other.
func ShownFormats() []string { return shown.names() }

// HistoryFormats are those of a history.
func HistoryFormats() []string { return histories.names() }

// Write writes a report.
func (f Format) Write(w io.Writer, r *detect.Report, o TextOptions) error {
	return reports.writeAs(f, w, r, o)
}

// WriteShown writes what one build shows.
func (f Format) WriteShown(w io.Writer, d *describe.Description, o TextOptions) error {
	return shown.writeAs(f, w, d, o)
}

// WriteCompared writes two builds beside each other.
func (f Format) WriteCompared(w io.Writer, c *compare.Comparison, o TextOptions) error {
	return compared.writeAs(f, w, c, o)
}

// WriteHistory writes how pipelines behaved over their builds.
func (f Format) WriteHistory(w io.Writer, h *course.Report, o HistoryOptions, to TextOptions) error {
	return histories.writeAs(f, w, told{h, o}, to)
}
