package console

import (
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/buildregress/buildregress/detect/redact"
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

// What has the form of a credential is cut out of any message; words that only sound
// like one are ours.
func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"/etc/passwd: permission denied":                     "/etc/passwd: permission denied",
		"not allowed by the token: GitHub wants a valid one": "not allowed by the token: GitHub wants a valid one",
		"a server that wants basic authentication":           "a server that wants basic authentication",
		"asked with ghp_0123456789abcdefABCD":                "asked with *****",
	} {
		if got := Printable(text); got != want {
			t.Errorf("Printable(%q) = %q, want %q", text, got, want)
		}
	}
}

// No sentence of ours is masked: foreign text is, where it enters.
func TestOwnSentences(t *testing.T) {
	seen := 0
	walk := func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || strings.Contains(filepath.ToSlash(path), "/redact/") {
			return err
		}
		source, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(source, func(n ast.Node) bool {
			literal, ok := n.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(literal.Value)
			if err != nil || !strings.Contains(text, " ") {
				return true
			}
			seen++
			if got := redact.Shapes(text); got != text {
				t.Errorf("%s: %q is written %q", path, text, got)
			}
			return true
		})
		return nil
	}
	for _, folder := range []string{"../../internal", "../../fetch", "../../report", "../../detect"} {
		if err := filepath.WalkDir(folder, walk); err != nil {
			t.Fatal(err)
		}
	}
	if seen < 500 {
		t.Errorf("only %d sentences were found", seen)
	}
}

// What is waited for is a line wherever no spinner shows it.
func TestWaiting(t *testing.T) {
	for _, test := range []struct {
		terminal, verbose bool
		want              string
	}{
		{false, false, "buildregress: waiting: for a trace, 30s at most\n"},
		{true, true, "buildregress: waiting: for a trace, 30s at most\n"},
		{true, false, ""},
	} {
		var out bytes.Buffer
		(&Console{Output: Output{Writer: &out, Terminal: test.terminal}, Verbose: test.verbose}).Waiting("for a trace, 30s at most")
		if out.String() != test.want {
			t.Errorf("%+v: %q", test, out.String())
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
