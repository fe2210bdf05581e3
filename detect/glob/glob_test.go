package glob

import (
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	for _, test := range []struct {
		pattern, text string
		want          bool
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
		if got := Pattern(test.pattern).Match(test.text); got != test.want {
			t.Errorf("Pattern(%q).Match(%.40q) = %t", test.pattern, test.text, got)
		}
	}
}
