package course_test

import (
	"math"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/advice"
	"github.com/buildregress/buildregress/detect/buildtest"
	"github.com/buildregress/buildregress/detect/course"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch/file"
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
		followed.Advise(course.Again(builds), &course.Advising{})
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
		followed.Advise(course.Again(builds), &course.Advising{})
		for _, s := range followed.WallClock.Shifts {
			if s.Promised != 0 {
				t.Errorf("%s: %+v", name, s)
			}
		}
	}
}

// Of 28 builds of BuildKit v0.25.2 that were recorded, each with another src, the first 13 of
//
//	FROM rootfs
//	COPY src /src
//	COPY --from=deps /blob /deps/blob
//
// and the others with the two copies the other way round: the layer of 40 MB was the same in all
// of them, but for the first.
func TestPromiseOfRecordings(t *testing.T) {
	builds, _, err := file.Open(t.Context(), "testdata/layers.jsonl", file.Options{})
	if err != nil || len(builds) != 28 {
		t.Fatalf("%d builds: %v", len(builds), err)
	}
	near := func(what string, got timeline.Seconds, want float64) {
		t.Helper()
		if math.Abs(got.D().Seconds()-want) > 0.05*want {
			t.Errorf("%s: %s, want %.2f s", what, got, want)
		}
	}
	before := course.Follow(builds[:13], detect.DefaultThresholds)
	before.Advise(course.Again(builds[:13]), &course.Advising{})
	if len(before.Advice) == 0 || before.Advice[0].Kind != advice.Layers || before.Advice[0].Bytes/1000 != 40012 || before.Advice[0].Unneeded < 11 {
		t.Fatalf("%+v", before.Advice)
	}
	near("the layer", before.Advice[0].Saves, 1.55)

	c := course.Follow(builds, detect.DefaultThresholds)
	c.Advise(course.Again(builds), &course.Advising{})
	if len(c.WallClock.Shifts) != 1 {
		t.Fatalf("%+v", c.WallClock.Shifts)
	}
	s := &c.WallClock.Shifts[0]
	near("promised", s.Promised, 1.44)
	near("saved", -s.Delta(), 1.57)
	for _, x := range c.Advice {
		if x.Kind == advice.Layers {
			t.Errorf("it was mended, and is told: %+v", x)
		}
	}
}
