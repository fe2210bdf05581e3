package detect

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/buildregress/buildregress/detect/timeline"
)

// A branch that left main before main's level shifted is on the level of its time: it is
// neither faster because main has become slower, nor slower because main has become faster.
func TestLevelOfItsTime(t *testing.T) {
	const shifted = 30 // the build of main that brought it; there are forty
	history := func(by float64) *History {
		return mainHistory(40, func(n int, rng *rand.Rand) []stepSpec {
			if s := app(rng); n < shifted {
				return s
			} else {
				return slow(compile, by)(s)
			}
		})
	}
	for _, tt := range []struct {
		name   string
		by     float64 // main's new level
		branch float64 // times the old level
		began  int     // the branch's builds, by their number
		want   []Status
		told   bool
	}{
		{"main became slower", 3, 1, 28, []Status{StatusSame}, true},
		{"main became slower, and the branch is younger", 3, 1, 100, []Status{StatusSame}, true},
		{"main became faster", 1. / 3, 1, 28, []Status{StatusSame}, true},
		{"main became slower, and the branch more so", 3, 9, 28, []Status{StatusSlower}, false},
		{"main became faster, the branch slower", 1. / 3, 3, 28, []Status{StatusSlower}, false},
		{"faster than both", 3, .2, 28, []Status{StatusFaster}, false},
		{"the branch has what main has", 3, 3, 28, []Status{StatusSame}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := history(tt.by)
			var r Result
			for i := range 3 {
				b := edit("pr", tt.began, slow(compile, tt.branch))
				b.ID = string(rune('a' + i))
				if i > 0 {
					b = edit("pr", max(41, tt.began)+i, slow(compile, tt.branch))
				}
				r = Judge(&b, h, defaults)
				h.Branch = append([]timeline.Build{b}, h.Branch...)
			}
			s := stepOf(t, &r, compile)
			wantStatus(t, s, tt.want...)
			told := false
			for _, n := range s.Notes {
				told = told || n.Kind == KindEarlierLevel && strings.Contains(n.Text, "main0030")
			}
			if told != tt.told {
				t.Errorf("%v, notes %q", s.Status, s.Notes)
			}
		})
	}
	// On main itself a return to the old level is news.
	h := history(3)
	b := edit("main", 41, same)
	var r Result
	for n := 41; n < 44; n++ {
		b = edit("main", n, same)
		r = Judge(&b, h, defaults)
		h.Base = append([]timeline.Build{b}, h.Base...)
	}
	if s := stepOf(t, &r, compile); s.Status != StatusFaster {
		t.Errorf("back on main: %v", s.Status)
	}
}
