package course_test

import (
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/buildtest"
	"github.com/buildregress/buildregress/detect/course"
	"github.com/buildregress/buildregress/detect/timeline"
)

// What became faster is told with what the builds before had promised: of a step that was made
// faster, one that was left out, and one that is found in the cache since. What was not promised,
// or became faster by itself, is told with nothing.
func TestPromisesKept(t *testing.T) {
	const second = time.Second
	const install, work, pack = "[app 1/3] RUN npm ci", "[app 2/3] RUN make", "[app 3/3] RUN make pack"
	jitter := func(i int) time.Duration { return time.Duration(i*7%5) * 100 * time.Millisecond }
	run := func(name string, took time.Duration, inputs ...string) buildtest.Step {
		return buildtest.Ran(name, took, inputs...)
	}
	for name, c := range map[string]struct {
		fixed   func(i int) []buildtest.Step
		before  int
		whole   time.Duration // that is promised for the whole build
		ofSteps time.Duration // … for the step that became faster
	}{
		"made faster": {func(i int) []buildtest.Step {
			return []buildtest.Step{run(install, 5*second+jitter(i)), run(work, 20*second, install), run(pack, second, work)}
		}, 20, 30 * second, 30 * second},
		"left out": {func(i int) []buildtest.Step {
			return []buildtest.Step{run(work, 20*second+jitter(i)), run(pack, second, work)}
		}, 20, 30 * second, 0},
		"found in the cache": {func(i int) []buildtest.Step {
			return []buildtest.Step{buildtest.Hit(install), run(work, 20*second+jitter(i), install), run(pack, second, work)}
		}, 20, 30 * second, 0},
		"two at once": {func(i int) []buildtest.Step {
			return []buildtest.Step{run(install, 3*second+jitter(i)), run(work, 2*second, install), run(pack, second, work)}
		}, 20, 50 * second, 30 * second},
		"of too few builds": {func(i int) []buildtest.Step {
			return []buildtest.Step{run(install, 5*second+jitter(i)), run(work, 20*second, install), run(pack, second, work)}
		}, 9, 0, 0},
	} {
		var builds []timeline.Build
		for i := range c.before + 15 {
			steps := []buildtest.Step{run(install, 30*second+jitter(i)), run(work, 20*second, install), run(pack, second, work)}
			if i >= c.before {
				steps = c.fixed(i)
			}
			builds = append(builds, buildtest.New("main", i, steps...))
		}
		followed := course.Follow(builds, detect.DefaultThresholds)
		followed.Advise(builds, &course.Advising{})
		near := func(what string, got timeline.Seconds, want time.Duration) {
			if (got.D() - want).Abs() > second/2 {
				t.Errorf("%s: %s promised for %s, want %s", name, got, what, want)
			}
		}
		if n := len(followed.WallClock.Shifts); n != 1 {
			t.Fatalf("%s: %d changes", name, n)
		}
		near("the whole build", followed.WallClock.Shifts[0].Promised, c.whole)
		for i := range followed.Steps {
			for k := range followed.Steps[i].Shifts {
				if followed.Steps[i].Key == "[app] RUN npm ci" {
					near("the step", followed.Steps[i].Shifts[k].Promised, c.ofSteps)
				}
			}
		}
		// A change for the worse was promised by nobody.
		for i := range builds {
			builds[i].Start = buildtest.Epoch.Add(-builds[i].Start.Sub(buildtest.Epoch))
			for k := range builds[i].Steps {
				builds[i].Steps[k].Start = builds[i].Start
			}
		}
		followed = course.Follow(builds, detect.DefaultThresholds)
		followed.Advise(builds, &course.Advising{})
		for _, s := range followed.WallClock.Shifts {
			if s.Promised != 0 {
				t.Errorf("%s: %+v", name, s)
			}
		}
	}
}
