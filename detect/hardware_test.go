package detect

import (
	"strings"
	"testing"

	"github.com/buildregress/buildregress/detect/timeline"
)

// A build is compared with those on machines like its own, where these are enough.
func TestLikeWithLike(t *testing.T) {
	small, large := watched(.2, 2, 8e9), watched(.2, 4, 16e9)
	for _, test := range []struct {
		name  string
		small int // builds on small machines, which take twice as long
		now   *timeline.Machine
		took  float64
		want  Status
		base  int
	}{
		{"as usual on a small one", 15, small, 2, StatusSame, 15},
		{"slower than on small ones", 15, small, 6, StatusSlower, 15},
		{"as usual on a large one", 15, large, 1, StatusSame, 15},
		{"too few like it", 5, small, 1, StatusSame, 30},
		{"its machine is not known", 15, nil, 1, StatusSame, 30},
		{"a few others", 2, large, 3, StatusSlower, 28},
		{"measured a little differently", 2, watched(.2, 3.7, 16.2e9), 3, StatusSlower, 28},
		{"known without measuring", 2, &timeline.Machine{CPUs: 4, Memory: 16e9}, 3, StatusSlower, 28},
		{"hardly watched", 0, &timeline.Machine{Window: 2e8, CPUs: 1.1, Memory: 16e9}, 3, StatusSlower, 30},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := appHistory(30)
			for i := range h.Base {
				b := &h.Base[i]
				b.Machine = large
				if i%2 == 0 && i/2 < test.small {
					b.Machine = small
					for k := range b.Steps {
						b.Steps[k].Duration *= 2
					}
				}
			}
			b := edit("x", 100, slow(compile, test.took))
			b.Machine = test.now
			r := Judge(&b, h, defaults)
			if s := stepOf(t, &r, compile); s.Status != test.want && !(test.want == StatusSame && s.Status == StatusSuspect && test.base == 30) {
				t.Errorf("the step is %v, want %v", s.Status, test.want)
			}
			if r.Baseline.Builds != test.base {
				t.Errorf("compared with %d builds, want %d", r.Baseline.Builds, test.base)
			}
			told := false
			for _, n := range r.Notes {
				told = told || strings.HasPrefix(n.Text, "compared with the builds on machines like its own")
			}
			if told != (test.base < 30) {
				t.Errorf("told %v: %v", told, r.Notes)
			}
		})
	}
}

// A step that did the same work and waited for a processor is no more than suspect, unless
// builds before it were as slow and did not wait.
func TestStarvedStep(t *testing.T) {
	for _, test := range []struct {
		name   string
		used   *timeline.Usage
		before []*timeline.Usage // of as slow builds of the branch
		want   Status
	}{
		{"it waited", used(42, 95), nil, StatusSuspect},
		{"and so it did before", used(42, 95), []*timeline.Usage{used(41, 95)}, StatusSuspect},
		{"but not before", used(42, 95), []*timeline.Usage{used(41, 3), used(41, 2)}, StatusSlower},
		{"a little", used(42, 20), nil, StatusSlower},
		{"it did more as well", used(120, 95), nil, StatusSlower},
		{"not measured", nil, nil, StatusSlower},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := usedHistory()
			build := func(n int, u *timeline.Usage) timeline.Build {
				b := edit("x", n, slow(compile, 3))
				for i := range b.Steps {
					if b.Steps[i].Name == compile {
						b.Steps[i].Usage = u
					}
				}
				return b
			}
			for i, u := range test.before {
				h.Branch = append(h.Branch, build(99-i, u))
			}
			b := build(100, test.used)
			r := Judge(&b, h, defaults)
			s := stepOf(t, &r, compile)
			if s.Status != test.want {
				t.Errorf("the step is %v, want %v", s.Status, test.want)
			}
			if told := s.Conditions[len(s.Conditions)-1].Kind == KindFedStep; told != (test.want == StatusSuspect) {
				t.Errorf("conditions %+v", s.Conditions)
			}
		})
	}
}
