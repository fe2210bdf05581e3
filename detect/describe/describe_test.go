package describe_test

import (
	"path/filepath"
	"testing"

	"github.com/buildregress/buildregress/detect/describe"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch/file"
)

// Of every recorded build the parts of the critical path add up to its duration, each is
// the time of its step or less, and a step on the path has no slack.
func TestPathAddsUp(t *testing.T) {
	records, err := filepath.Glob("../../testdata/builds/*/dockerbuild/*.dockerbuild")
	if err != nil || len(records) < 50 {
		t.Fatalf("%d records: %v", len(records), err)
	}
	for _, path := range records {
		builds, _, err := file.Open(t.Context(), path, file.Options{})
		if err != nil {
			continue // one that is damaged on purpose
		}
		for i := range builds {
			d := describe.Of(&builds[i])
			var sum timeline.Seconds
			for _, p := range d.Path {
				if sum += p.Seconds; p.Step >= 0 && (p.Seconds > d.Steps[p.Step].Duration || !d.Steps[p.Step].Critical || d.Steps[p.Step].Slack != 0) {
					t.Errorf("%s: %s of `%s`, which took %s", path, p.Seconds, d.Steps[p.Step].Name, d.Steps[p.Step].Duration)
				}
			}
			if len(d.Path) > 0 && sum != d.Build.Duration {
				t.Errorf("%s: the path adds up to %s, and it took %s", path, sum, d.Build.Duration)
			}
			if len(d.Path) == 0 && builds[i].Outcome == timeline.OK && len(builds[i].Steps) > 3 {
				t.Errorf("%s: no critical path", path)
			}
		}
	}
}
