package cli

import (
	"slices"
	"strings"
	"testing"
)

// Help tells of every flag that there is, on lines of 80 columns.
func TestHelpTellsOfAllFlags(t *testing.T) {
	for _, c := range commands() {
		text := helpOn(c.name)
		if n := strings.Count(text, "\n"); n >= 60 {
			t.Errorf("help on %s has %d lines", c.name, n)
		}
		taken := optionsOf(c.taker)
		if slices.ContainsFunc(taken, func(o option) bool { return o.name == "trace-id" }) {
			if !strings.Contains(text, "buildregress help servers") {
				t.Errorf("help on %s does not say where servers are told of", c.name)
			}
			text += serversHelp()
		}
		for _, o := range taken {
			if !o.secret && !strings.Contains(text, "--"+o.name) {
				t.Errorf("help on %s says nothing of --%s", c.name, o.name)
			}
		}
		for line := range strings.Lines(text) {
			if len([]rune(line)) > 81 {
				t.Errorf("help on %s: line wider than 80: %s", c.name, line)
			}
		}
	}
	if helpOn("nothing") != "" {
		t.Error("help on nothing")
	}
}
