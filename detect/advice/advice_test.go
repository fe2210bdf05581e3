package advice

import (
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/buildtest"
)

// Savings that few builds have, or those of one half alone, do not hold, however large they
// are on average.
func TestSavingsHold(t *testing.T) {
	a := &adviser{minDelta: time.Second}
	for i := range 20 {
		b := buildtest.New("main", i, buildtest.Ran("[a 1/1] RUN a", 30*time.Second))
		a.builds = append(a.builds, advised{build: &b})
	}
	for name, c := range map[string]struct {
		saved func(i int) time.Duration
		want  bool
	}{
		"in each":        {func(int) time.Duration { return 10 * time.Second }, true},
		"in the newer":   {func(i int) time.Duration { return time.Duration(i/10) * 20 * time.Second }, false},
		"in the older":   {func(i int) time.Duration { return time.Duration(1-i/10) * 20 * time.Second }, false},
		"in two of them": {func(i int) time.Duration { return time.Duration((19-i%10*2)/19) * 20 * time.Second }, false},
	} {
		saved, few := make([]time.Duration, 20), 0
		for i := range saved {
			if saved[i] = c.saved(i); saved[i] > 0 {
				few++
			}
		}
		if mean, ok := a.holds(saved); ok != c.want || mean < a.least() {
			t.Errorf("%s (%d builds): %s on average, told %v, want %v", name, few, mean, ok, c.want)
		}
	}
}
