package compare_test

import (
	"fmt"
	"testing"

	"github.com/buildregress/buildregress/detect/compare"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch/file"
)

// Of any two recorded builds each step stands in one row, and the rows add up to the
// difference of their durations; the other way round, to its opposite.
func TestComparisonsAddUp(t *testing.T) {
	var builds []timeline.Build
	for _, i := range []int{0, 1, 3, 44, 45, 46} {
		found, _, err := file.Open(t.Context(), fmt.Sprintf("../../testdata/builds/alpha/dockerbuild/%03d.dockerbuild", i), file.Options{})
		if err != nil {
			t.Fatal(err)
		}
		builds = append(builds, found...)
	}
	for i := range builds {
		for k := range builds {
			c := compare.Of(&builds[i], &builds[k])
			sum := c.Between
			seen := [2]map[int]bool{{}, {}}
			for _, s := range c.Steps {
				sum += s.WallClock
				for side, at := range []int{s.A, s.B} {
					if at >= 0 && seen[side][at] {
						t.Errorf("%d and %d: step %d stands in two rows", i, k, at)
					}
					seen[side][at] = true
				}
				if i == k && (s.A != s.B || s.Delta != 0 || s.WallClock != 0 || s.Edited) {
					t.Errorf("%d with itself: %+v", i, s)
				}
			}
			delete(seen[0], -1)
			delete(seen[1], -1)
			if len(seen[0]) != len(builds[i].Steps) || len(seen[1]) != len(builds[k].Steps) {
				t.Errorf("%d and %d: steps are left out", i, k)
			}
			if !c.Told || sum != c.Delta || c.Delta != timeline.Seconds(builds[k].Duration-builds[i].Duration) {
				t.Errorf("%d and %d: %s of %s is told", i, k, sum, c.Delta)
			}
		}
	}
}
