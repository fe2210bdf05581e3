package report

import (
	"fmt"
	"io"

	"github.com/buildregress/buildregress/detect"
)

// The one table of formats: a new one is a row in it.

// A Format is a form in which a report is written.
type Format string

// writers has each format with what writes it; Formats names them.
var writers = []struct {
	format Format
	write  func(io.Writer, *detect.Report, TextOptions) error
}{
	{"text", Text},
	{"markdown", func(w io.Writer, r *detect.Report, _ TextOptions) error { return Markdown(w, r) }},
	{"json", func(w io.Writer, r *detect.Report, _ TextOptions) error { return JSON(w, r) }},
	{"junit", func(w io.Writer, r *detect.Report, _ TextOptions) error { return JUnit(w, r) }},
	{"html", func(w io.Writer, r *detect.Report, _ TextOptions) error { return HTML(w, r) }},
}

// WriteShown writes what one build shows.
func (f Format) WriteShown(w io.Writer, d *detect.Description, o TextOptions) error {
	switch f {
	case "text":
		return ShowText(w, d, o)
	case "markdown":
		return ShowMarkdown(w, d)
	case "json":
		return ShowJSON(w, d)
	case "html":
		return ShowHTML(w, d)
	}
	return unknownFormat(f, ShownFormats())
}

// WriteHistory writes how pipelines behaved over their builds.
func (f Format) WriteHistory(w io.Writer, h *detect.Courses, o HistoryOptions, to TextOptions) error {
	switch f {
	case "text":
		return HistoryText(w, h, o, to)
	case "markdown":
		return HistoryMarkdown(w, h, o)
	case "json":
		return HistoryJSON(w, h)
	case "html":
		return HistoryHTML(w, h, o)
	case "csv":
		return HistoryCSV(w, h)
	}
	return unknownFormat(f, HistoryFormats())
}

// HistoryFormats are the names of the formats of a history.
func HistoryFormats() []string { return append(ShownFormats(), "csv") }

// WriteCompared writes two builds beside each other.
func (f Format) WriteCompared(w io.Writer, c *detect.Comparison, o TextOptions) error {
	switch f {
	case "text":
		return CompareText(w, c, o)
	case "markdown":
		return CompareMarkdown(w, c)
	case "json":
		return CompareJSON(w, c)
	case "html":
		return CompareHTML(w, c)
	}
	return unknownFormat(f, ShownFormats())
}

// ShownFormats are the names of the formats of one build, and of two.
func ShownFormats() []string { return []string{"text", "markdown", "json", "html"} }

// Formats are the names of all formats, the usual one first.
func Formats() (names []string) {
	for _, f := range writers {
		names = append(names, string(f.format))
	}
	return names
}

// Write writes a report. Only text has options.
func (f Format) Write(w io.Writer, r *detect.Report, o TextOptions) error {
	for _, known := range writers {
		if known.format == f {
			return known.write(w, r, o)
		}
	}
	return unknownFormat(f, Formats())
}

func unknownFormat(f Format, known []string) error {
	return fmt.Errorf("format %q is not one of %q", string(f), known)
}
