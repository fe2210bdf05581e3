package detect

import (
	"strings"
	"testing"
)

func TestGlob(t *testing.T) {
	for _, test := range []struct {
		glob, text string
		want       bool
	}{
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"*", "[linux/amd64 b] RUN x && y", true},
		{"*RUN*", "[b] RUN x", true},
		{"[b] RUN ?", "[b] RUN x", true},
		{"[b] RUN ?", "[b] RUN ü", true},
		{"[b] RUN ?", "[b] RUN xy", false},
		{"RUN", "RUN x", false},
		{"a*b*c", "a/b b/bc", true},
		{"a*b*c", "a/b b/bcd", false},
		{"\\*", "\\x", true},
		{"[a-z]", "b", false},
		{strings.Repeat("*a", 40) + "b", strings.Repeat("a", 5000), false}, // soon
	} {
		if got := Glob(test.glob).Match(test.text); got != test.want {
			t.Errorf("Glob(%q).Match(%.40q) = %t", test.glob, test.text, got)
		}
	}
}
