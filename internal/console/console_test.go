package console

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// A message is one line whatever it says, and tells no secret.
func TestConsole(t *testing.T) {
	var out bytes.Buffer
	c := &Console{Output: Output{Writer: &out}}
	c.Error(errors.New("a.log: cut off\nb.log: \x1b[31mred\r\n::error::x"))
	c.Warn("https://u:hunter2@h/x: refused")
	c.Hint("try again")
	c.Debugf("%d builds", 3)
	want := `buildregress: error: a.log: cut off
buildregress: error: b.log: red
buildregress: error: `
	if got := out.String(); !strings.HasPrefix(got, want) || strings.Contains(got, "\n::error") || strings.Contains(got, "hunter2") ||
		!strings.HasSuffix(got, "buildregress: hint: try again\n") {
		t.Errorf("%s", got)
	}
	out.Reset()
	c.Verbose = true
	if c.Debugf("%d builds", 3); out.String() != "buildregress: debug: 3 builds\n" {
		t.Errorf("%q", out.String())
	}
}

// The name of a file that reads like one of a secret hides nothing behind it.
func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"/etc/passwd: permission denied": "/etc/passwd: permission denied",
		"a password=hunter2secret":       "a password=*****",
	} {
		if got := Printable(text); got != want {
			t.Errorf("Printable(%q) = %q, want %q", text, got, want)
		}
	}
}

// Progress is shown where standard error is a terminal and nothing else goes to it, and
// leaves nothing behind.
func TestProgress(t *testing.T) {
	for _, test := range []struct{ terminal, verbose, shown bool }{{false, false, false}, {true, true, false}, {true, false, true}} {
		var out bytes.Buffer
		c := &Console{Output: Output{Writer: &out, Terminal: test.terminal}, Verbose: test.verbose}
		bar := c.Progress("reading a\x1b[31m", 3)
		bar.Add(1)
		bar.Done()
		s := c.Spinner()
		s.Show("waiting for a trace")
		s.Show("")
		s.Show("")
		got := out.String()
		if test.verbose {
			if got != "buildregress: debug: waiting for a trace\n" {
				t.Errorf("verbose: %q", got)
			}
			continue
		}
		if shown := strings.Contains(got, "reading a") && strings.Contains(got, "waiting for a trace"); shown != test.shown || !test.shown && got != "" {
			t.Errorf("%+v: %q", test, got)
		}
		if test.shown && (!strings.HasSuffix(got, "\r") || strings.Contains(got, "\x1b[31m")) {
			t.Errorf("left behind: %q", got)
		}
	}
}
