package fetch_test

import (
	"strings"
	"testing"
	"time"
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

func TestPlausible(t *testing.T) {
	for _, tt := range []struct {
		at   time.Time
		want bool
	}{
		{time.Time{}, false},
		{time.Unix(0, 0), false},
		{time.Date(1970, 12, 31, 23, 59, 59, 0, time.UTC), false},
		{time.Date(1971, 1, 1, 0, 0, 0, 0, time.UTC), true},
		{time.Date(2026, 1, 2, 0, 0, 0, 0, time.FixedZone("", 3600)), true},
		{time.Date(2200, 12, 31, 0, 0, 0, 0, time.UTC), true},
		{time.Date(2201, 1, 1, 0, 0, 0, 0, time.UTC), false},
		{time.Unix(1<<62, 0), false},
	} {
		if got := fetch.Plausible(tt.at); got != tt.want {
			t.Errorf("Plausible(%v) = %v", tt.at, got)
		}
		want := time.Time{}
		if tt.want {
			want = tt.at.UTC()
		}
		if got := fetch.PlausibleOrZero(tt.at); got != want {
			t.Errorf("PlausibleOrZero(%v) = %v, want %v", tt.at, got, want)
		}
	}
}
