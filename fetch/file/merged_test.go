package file

import (
	"slices"
	"testing"

	"github.com/buildregress/buildregress/detect/timeline"
)

// Two targets whose contexts hold the same are built once: BuildKit finds the vertices of
// the one to be those of the other, and leaves them as they were. They are no more steps.
func TestMergedTargets(t *testing.T) {
	for _, path := range []string{"bake/dockerbuild/merged.dockerbuild", "bake/rawjson/merged.jsonl.gz"} {
		list := open(t, path)
		if len(list) != 2 {
			t.Fatalf("%s: %d builds, want 2", path, len(list))
		}
		for _, b := range list {
			seen := map[string]bool{}
			for i := range b.Steps {
				s := &b.Steps[i]
				if s.State == timeline.NeverStarted || seen[s.Name] {
					t.Errorf("%s of %s: %q is %v, or told twice", path, b.Pipeline, s.Name, s.State)
				}
				seen[s.Name] = true
			}
			waits := slices.DeleteFunc(slices.Clone(b.Steps), func(s timeline.Step) bool { return s.Stage != timeline.StageWait })
			if n := len(b.Steps) - len(waits); n != 7 || b.Outcome != timeline.OK {
				t.Errorf("%s of %s: %d steps that are no waits, %v; want 7", path, b.Pipeline, n, b.Outcome)
			}
		}
	}
}
