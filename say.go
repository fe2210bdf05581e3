package main

import (
	"fmt"
	"strings"

	"github.com/buildregress/buildregress/detect/redact"
	"github.com/buildregress/buildregress/report"
)

// say writes one line to standard error. Text may come from anywhere, see printable.
func (w *world) say(kind, text string) {
	fmt.Fprintf(w.stderr, "buildregress: %s: %s\n", kind, printable(text))
}

// debug says what only --verbose asks for.
func (w *world) debug(format string, args ...any) {
	if w.verbose {
		w.say("debug", fmt.Sprintf(format, args...))
	}
}

// printable is text as one line that neither a terminal nor a CI system obeys,
// credentials masked.
//
// Note: messages are written "NAME: what is wrong". Name and rest are masked each
// by itself, as together "/etc/passwd: permission denied" reads as a password.
func printable(text string) string {
	name, rest, both := strings.Cut(text, ": ")
	text = redact.Text(name)
	if both {
		text += ": " + redact.Text(rest)
	}
	return report.Clean(text)
}
