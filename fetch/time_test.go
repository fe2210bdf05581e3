package fetch_test

import (
	"testing"
	"time"

	"github.com/buildregress/buildregress/fetch"
)

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
