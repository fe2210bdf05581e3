package file

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch/builds/buildtest"
)

// uncovered is how much of a build's time no step on its critical path was going on.
func uncovered(b *timeline.Build) time.Duration {
	r := detect.Judge(b, nil, detect.Policy{})
	type interval struct{ from, to time.Duration }
	var on []interval
	for i := range b.Steps {
		if s := &b.Steps[i]; r.Steps[i].Critical {
			from := s.Start.Sub(b.Start)
			on = append(on, interval{max(0, from), min(b.Duration, from+s.Duration)})
		}
	}
	slices.SortFunc(on, func(x, y interval) int { return int(x.from - y.from) })
	free, at := time.Duration(0), time.Duration(0)
	for _, i := range on {
		free += max(0, i.from-at)
		at = max(at, i.to)
	}
	return free + max(0, b.Duration-at)
}

// TestWaitedForIsAStep checks that hardly any of what a build waited for is no step.
//
// Note: of targets that share steps, one has them only.
func TestWaitedForIsAStep(t *testing.T) {
	const least, share = 100 * time.Millisecond, 20
	paths, err := filepath.Glob(filepath.Join(buildtest.Recordings, "*", "*", "*.*"))
	if err != nil || len(paths) < 100 {
		t.Fatalf("%d recordings, %v", len(paths), err)
	}
	for _, path := range paths {
		name, _ := filepath.Rel(buildtest.Recordings, path)
		list := open(t, name)
		for _, b := range list {
			if b.Target != "" && b.Partial {
				continue // steps of it stand in the builds of the bake's other targets until it is judged
			}
			if free := uncovered(&b); b.Outcome == timeline.OK && free > max(least, b.Duration/share) {
				t.Errorf("%s: %v of %v of build %s is no step on the critical path", name, free, b.Duration, b.ID)
			}
		}
	}
}

// TestLargestPartOfRecordings checks that what has no name is never the largest part of the
// account of a difference, whatever the build is compared with.
func TestLargestPartOfRecordings(t *testing.T) {
	for _, format := range []string{"dockerbuild", "rawjson", "otlp", "jaeger"} {
		for _, set := range []string{"alpha", "beta"} {
			paths, _ := filepath.Glob(filepath.Join(buildtest.Recordings, set, format, "*.*"))
			h := &detect.History{BaseBranch: "main"}
			var all []timeline.Build
			for _, path := range paths {
				name, _ := filepath.Rel(buildtest.Recordings, path)
				for _, b := range open(t, name) {
					if b.Outcome == timeline.OK {
						all = append(all, b)
					}
				}
			}
			slices.SortStableFunc(all, func(x, y timeline.Build) int { return y.Start.Compare(x.Start) })
			for i := range all {
				for _, h.Base = range [][]timeline.Build{all[i+1:], all[i+1 : min(i+9, len(all))]} {
					for _, least := range []time.Duration{30 * time.Millisecond, time.Second} {
						b := &all[i]
						r := detect.Judge(b, h, detect.Policy{Thresholds: detect.Thresholds{MinDelta: timeline.Seconds(least), MinHistory: 3}})
						var sum, nameless, largest time.Duration
						for _, p := range r.WallClock.Parts {
							sum += p.Seconds.D()
							if p.Cause == detect.CauseOther || p.Cause == detect.CauseRest {
								nameless = max(nameless, p.Seconds.D().Abs())
							} else {
								largest = max(largest, p.Seconds.D().Abs())
							}
						}
						if len(r.WallClock.Parts) > 0 && (sum != r.WallClock.Delta.D() || nameless > largest && nameless > time.Millisecond) {
							t.Errorf("%s %s %s beside %d builds: %v of %v without a name: %+v", set, format, b.ID, len(h.Base), nameless, r.WallClock.Delta.D(), r.WallClock.Parts)
						}
					}
				}
			}
		}
	}
}
