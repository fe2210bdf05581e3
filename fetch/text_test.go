package fetch_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/buildregress/buildregress/fetch"
)

func TestClean(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", ""},
		{"RUN make", "RUN make"},
		{"a\xffb", "a\uFFFDb"},
		{strings.Repeat("x", 20), strings.Repeat("x", 20)},
		{strings.Repeat("x", 21), strings.Repeat("x", 17) + "…"},
		{strings.Repeat("é", 11), strings.Repeat("é", 8) + "…"}, // 17 bytes left would halve a letter
		{"password=hunter2hunter2", "password=*****"},
	} {
		if got := fetch.Clean(tt.text, 20); got != tt.want {
			t.Errorf("Clean(%q) = %q, want %q", tt.text, got, tt.want)
		}
	}
	for limit := range 30 {
		if got := fetch.Cut(strings.Repeat("é😀", 10), limit); len(got) > max(limit, len("…")) || !utf8.ValidString(got) {
			t.Errorf("cut to %d bytes it is %q", limit, got)
		}
	}
}
