package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestArrange(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"", ""},
		{"check", "check --"},
		{"check a", "check -- a"},
		{"check a --window 3", "check --window 3 -- a"},
		{"check --window=3 a b", "check --window=3 -- a b"},
		{"check a -window 3", "check -window 3 -- a"},
		{"check - --verbose a", "check --verbose -- - a"},
		{"check a -- --window -- b", "check -- a --window -- b"},
		{"check --branch=-- a", "check --branch=-- -- a"},
		{"check --branch -- a", "--branch needs a value"},
		{"check a --branch", "--branch needs a value"},
		{"record a -branch", "--branch needs a value"},
		{"check a --verbose", "check --verbose -- a"},
		{"check --nope a", "check --nope -- a"},
		{"check a --window 3 -h", "help check"},
		{"check a --branch -h", "check --branch -h -- a"},
		{"check -- -h", "check -- -h"},
		{"--help", "help"},
		{"--help check", "help check"},
		{"--version", "version"},
		{"--nope check", "--nope -- check"},
	} {
		args, err := arrange(strings.Fields(test.in))
		got := strings.Join(args, " ")
		if err != nil {
			got = err.Error()
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("arrange(%q):\n%s", test.in, diff)
		}
	}
}

// Help must tell of every flag that there is, and of no other.
func TestHelpTellsOfAllFlags(t *testing.T) {
	for _, c := range commands {
		text := helpOn[c.name]
		if n := strings.Count(text, "\n"); n >= 60 {
			t.Errorf("help on %s has %d lines", c.name, n)
		}
		if slices.ContainsFunc(c.options, func(o option) bool { return o.name == "trace-id" }) {
			if !strings.Contains(text, "buildregress help servers") {
				t.Errorf("help on %s does not say where servers are told of", c.name)
			}
			text += serversHelp
		}
		for _, o := range c.options {
			if !o.secret && !strings.Contains(text, "--"+o.name) {
				t.Errorf("help on %s says nothing of --%s", c.name, o.name)
			}
		}
		for line := range strings.Lines(text) {
			if len([]rune(line)) > 81 {
				t.Errorf("help on %s: line wider than 80: %s", c.name, line)
			}
			name, ok := strings.CutPrefix(strings.TrimSpace(line), "--")
			if !ok || c.name == "help" { // which has examples of other commands
				continue
			}
			name, _, _ = strings.Cut(strings.Fields(name)[0], "=")
			if _, known := takesValue(c.name)[name]; !known {
				t.Errorf("help on %s tells of --%s", c.name, name)
			}
		}
	}
}
