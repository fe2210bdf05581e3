package course_test

import (
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/advice"
	"github.com/buildregress/buildregress/detect/course"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch/file"
)

// Of recorded builds, numbers that were reckoned by hand.
func TestAdviceOnRecordings(t *testing.T) {
	records, err := filepath.Glob("../../testdata/builds/alpha/dockerbuild/0[012]?.dockerbuild")
	if err != nil || len(records) != 30 {
		t.Fatalf("%d records: %v", len(records), err)
	}
	var builds []timeline.Build
	for _, path := range records {
		found, _, err := file.Open(t.Context(), path, file.Options{})
		if err != nil {
			t.Fatal(err)
		}
		builds = append(builds, found...)
	}
	c := course.Follow(builds, detect.DefaultThresholds)
	var dismissed []advice.Dismissal
	if c.Advise(course.Again(builds), &course.Advising{}); len(c.Advice) != 0 { // nothing is worth a second
		t.Errorf("%+v", c.Advice)
	}
	c.Thresholds.MinDelta = timeline.Seconds(30 * time.Millisecond)
	near := func(what string, got timeline.Seconds, want float64) {
		t.Helper()
		if math.Abs(got.D().Seconds()-want) > 0.02*want {
			t.Errorf("%s: %s, want %.3f s", what, got, want)
		}
	}
	all := func() map[string]advice.Advice {
		c.Advise(course.Again(builds), &course.Advising{Dismiss: dismissed})
		found := map[string]advice.Advice{}
		for _, x := range c.Advice {
			found[string(x.Kind)+" "+x.Names[len(x.Names)-1]] = x
			if x.PerWeek != 0 {
				t.Errorf("builds of one day say nothing of a week: %+v", x)
			}
		}
		return found
	}
	of := func(found map[string]advice.Advice, kind advice.Kind, name string) advice.Advice {
		for key, x := range found {
			if strings.HasPrefix(key, string(kind)) && strings.Contains(key, name) {
				return x
			}
		}
		t.Errorf("nothing is told of %s, but %v", name, found)
		return advice.Advice{}
	}
	found := all()
	test := of(found, advice.Step, "knobs/integration")
	near("the integration test", test.Saves, 0.588)
	near("the export", of(found, advice.Transfer, "exporting").Saves, 0.315)
	misses := of(found, advice.Misses, "COPY --from=deps /deps.ok")
	if misses.Ran != 9 || misses.Builds != 29 || len(misses.Reads) != 1 || misses.Reads[0] != "/deps.lock" || !strings.Contains(misses.Steps[0], "COPY deps.lock") {
		t.Errorf("%+v", misses)
	}
	near("with a miss", misses.With, 2.705)
	near("without", misses.Without, 1.577)
	if expected := (misses.With - misses.Without).D().Seconds() * 9 / 29; math.Abs(expected-0.35) > 0.01 || misses.Saves.D().Seconds() > expected {
		t.Errorf("a build is expected to lose %.3f s, and %s is told", expected, misses.Saves)
	}

	// What is not wanted gives its place to the next.
	dismissed = []advice.Dismissal{{Step: "*", Kind: advice.Transfer}, {Step: "*RUN *knobs/integration*"}, {Step: "*", Kind: advice.Series}}
	found = all()
	near("compiling", of(found, advice.Step, "knobs/compile").Saves, 0.233)
	near("the unit test", of(found, advice.Step, "knobs/unit").Saves, 0.184)
	dismissed = []advice.Dismissal{{Step: "*", Kind: advice.Transfer}, {Step: "*", Kind: advice.Step}}
	tests := of(all(), advice.Series, "knobs/integration")
	near("the tests beside each other", tests.Saves, 0.184)
	if math.Abs(tests.OnPath-0.395) > 0.005 {
		t.Errorf("the tests are %.1f %% of the critical path", 100*tests.OnPath)
	}
	dismissed = []advice.Dismissal{{Step: "*"}}
	if found = all(); len(found) != 0 {
		t.Errorf("%+v", found)
	}
}
