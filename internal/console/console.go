// Package console tells people, on standard error, what is no result: errors,
// warnings, what is being done, and how far it is.
package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/buildregress/buildregress/detect/redact"
	"github.com/buildregress/buildregress/report"
)

// An Output is a stream that may be a terminal.
type Output struct {
	io.Writer
	Terminal bool
	Width    int // of the terminal in columns, 0 if unknown
}

// A Console writes to standard error. Text may come from anywhere, see Printable.
type Console struct {
	Output
	Verbose bool // debug lines are written, too
}

// Error writes an error, each line of several as a line of its own; those that are
// indented are a list that belongs to the one before.
func (c *Console) Error(err error) {
	for line := range strings.Lines(err.Error()) {
		if item, isItem := strings.CutPrefix(line, "  "); isItem {
			fmt.Fprintf(c.Writer, "buildregress: error:   %s\n", Printable(item))
			continue
		}
		c.write("error", line)
	}
}

// Warn writes a warning.
func (c *Console) Warn(text string) { c.write("warning", text) }

// WarnOf writes an error as a warning, with what people can do about it.
func (c *Console) WarnOf(err error) {
	c.Warn(err.Error())
	if hint := HintOf(err); hint != "" {
		c.Hint(hint)
	}
}

// Hint writes what people can do about the error or warning before it.
func (c *Console) Hint(text string) { c.write("hint", text) }

// Debugf writes what only --verbose asks for.
func (c *Console) Debugf(format string, args ...any) {
	if c.Verbose {
		c.write("debug", fmt.Sprintf(format, args...))
	}
}

// Waiting writes what is waited for, and how long at most: a line where no Spinner shows
// it, so that nobody takes it for hanging.
func (c *Console) Waiting(text string) {
	if c.progressOutput() == io.Discard {
		c.write("waiting", text)
	}
}

func (c *Console) write(kind, text string) {
	fmt.Fprintf(c.Writer, "buildregress: %s: %s\n", kind, Printable(text))
}

// Printable is a message as one line that neither a terminal nor a CI system obeys.
//
// Note: what is foreign in a message was masked where it entered: in a whole sentence
// "allowed by the token: GitHub wants" reads as a secret. What is a credential by its
// form alone is cut out here as well.
func Printable(text string) string { return report.Clean(redact.Shapes(text)) }

// HintOf is what people can do about err, "" if they know as much as we do. Errors say it
// themselves, by a method Hint.
func HintOf(err error) string {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) && hinted.Hint() != "" {
		return hinted.Hint()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return HintTimeout
	}
	return ""
}

// HintTimeout says how work gets more time.
const HintTimeout = "--timeout allows for more time; 0 is as long as it takes"
