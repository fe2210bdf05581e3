package course_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/buildtest"
	"github.com/buildregress/buildregress/detect/course"
	"github.com/buildregress/buildregress/detect/timeline"
)

// In which pieces builds are read does not matter, nor in which order they were known: not of
// builds whose steps come and go, and not where each names its stages by a word of its own.
func TestPiecesMakeTheSameCourse(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for n := range 40 {
		shapes := []timeline.Build{buildtest.Random(r, 0), buildtest.Random(r, 0)}
		var oldest []timeline.Build
		for i := range 20 + r.IntN(60) {
			b := shapes[min(r.IntN(8), 1)]
			b.ID, b.Start, b.Steps = fmt.Sprint(i), buildtest.Epoch.Add(time.Duration(i)*time.Hour), slices.Clone(b.Steps)
			for k := range b.Steps {
				s := &b.Steps[k]
				s.Start, s.Duration = b.Start, time.Duration(float64(s.Duration)*(1+float64(i/30)))
				if n%2 == 1 {
					was := s.Stage
					s.Stage = fmt.Sprint(was, " ", i)
					s.Key = strings.Replace(s.Key, was+"]", s.Stage+"]", 1)
				}
			}
			oldest = append(oldest, b)
		}
		newest := slices.Clone(oldest)
		slices.Reverse(newest)
		want := course.Follow(newest, detect.DefaultThresholds)
		if n%2 == 1 && len(want.Steps) > len(shapes[0].Steps)+len(shapes[1].Steps) {
			t.Errorf("history %d: %d steps of two builds that have %d and %d", n, len(want.Steps), len(shapes[0].Steps), len(shapes[1].Steps))
		}
		for i := range want.Steps {
			s := &want.Steps[i]
			ran := func(b int) bool {
				return slices.ContainsFunc(s.Points, func(p course.Point) bool { return p.Build == b })
			}
			if len(s.CachedBuilds) != s.Cached || !slices.IsSorted(s.CachedBuilds) || slices.ContainsFunc(s.CachedBuilds, ran) {
				t.Errorf("history %d: %d builds found a step in the cache, in %v", n, s.Cached, s.CachedBuilds)
			}
		}
		if got := course.Follow(oldest, detect.DefaultThresholds); !reflect.DeepEqual(got, want) {
			t.Errorf("history %d is another one in another order", n)
		}
		f := course.NewFollower(detect.DefaultThresholds)
		for rest := newest; len(rest) > 0; {
			size := min(2+r.IntN(9), len(rest))
			f.Add(rest[:size])
			rest = rest[size:]
		}
		if got := f.Course(); !reflect.DeepEqual(got, want) {
			t.Errorf("history %d is another one in pieces", n)
		}
	}
}
