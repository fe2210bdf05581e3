package detect

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/buildregress/buildregress/detect/timeline"
)

// A word in front of the steps that is another one in each build does not keep them from
// having a history; a stage that is new is new.
func TestSalts(t *testing.T) {
	for _, test := range []struct {
		what  string
		stage func(build int) string // the last is 20
		want  Status
	}{
		{"a word beside the target", func(n int) string { return fmt.Sprintf("+build k%dzQ", 7919*n) }, StatusSlower},
		{"a word alone", func(n int) string { return fmt.Sprintf("k%dzQ", 7919*n) }, StatusSlower},
		{"a number", func(n int) string { return fmt.Sprintf("build %d", 1840+n) }, StatusSlower},
		{"a stage that was renamed", func(n int) string { return map[bool]string{true: "newer", false: "older"}[n == 20] }, StatusNew},
		{"a stage of some builds", func(n int) string {
			if n%2 == 0 {
				return fmt.Sprintf("k%dzQ", n)
			}
			return "build"
		}, StatusNew},
	} {
		steps := func(n int, took float64) []stepSpec {
			stage := test.stage(n)
			return []stepSpec{
				ran("[internal] load build context", seconds(3)), ran("exporting to image", seconds(3)),
				ran("["+stage+"] RUN make", seconds(took)), ran("["+stage+"] RUN test", seconds(9)),
			}
		}
		h := mainHistory(20, func(n int, rng *rand.Rand) []stepSpec { return steps(n, 6+rng.Float64()/5) })
		h.Sparse = []timeline.Build{newBuild("main", -1, ran("exporting to image", seconds(3)))}
		b := newBuild("pr", 100, steps(20, 26)...)
		name, key := b.Steps[2].Name, b.Steps[2].Key
		r := Judge(&b, h, defaults)
		if s := stepOf(t, &r, name); s.Status != test.want || test.want == StatusSlower && s.N != 20 {
			t.Errorf("%s: %v by %d samples, want %v", test.what, s.Status, s.N, test.want)
		}
		if b.Steps[2].Key != key || h.Base[0].Steps[2].Stage != test.stage(19) {
			t.Errorf("%s: what was given is changed", test.what)
		}
	}
}
