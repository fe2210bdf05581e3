package buildkit

import (
	"testing"

	"github.com/buildregress/buildregress/detect/timeline"
)

func TestOfOneImage(t *testing.T) {
	build := func(pipeline, file string, keys ...string) *timeline.Build {
		b := &timeline.Build{Pipeline: pipeline, Steps: []timeline.Step{{Key: "[internal] load build context"}, {Key: "[internal] load .dockerignore"}, {Key: "[export] exporting to image"}}}
		for i, key := range keys {
			s := timeline.Step{Key: key, Index: i + 1, Count: len(keys)}
			s.Source.File = file
			b.Steps = append(b.Steps, s)
		}
		return b
	}
	defined := func(name string, b *timeline.Build) *timeline.Build {
		b.Steps = append(b.Steps, timeline.Step{Name: "[internal] load build definition from " + name, Stage: internalStage})
		return b
	}
	partial := func(b *timeline.Build) *timeline.Build { b.Partial = true; return b }
	for _, test := range []struct {
		name string
		a, b *timeline.Build
		want bool
	}{
		{"one pipeline", build("a", "", "x"), build("a", "", "y"), true},
		{"two pipelines", build("a", "", "x"), build("b", "", "x"), false},
		{"one that says none", build("a", "", "x"), build("", "", "x"), false},
		{"the same steps", build("", "", "x", "y"), build("", "", "x", "y"), true},
		{"one edited", build("", "", "x", "y"), build("", "", "x", "z"), true},
		{"what every build does, and a base image", build("", "", "FROM x", "a", "b"), build("", "", "FROM x", "c", "d", "e"), false},
		{"one step, three times", build("", "", "x", "x", "x"), build("", "", "x", "y", "z", "z"), false},
		{"two Dockerfiles", build("", "Dockerfile", "x"), build("", "b/Dockerfile", "x"), false},
		{"one that does not say which", build("", "Dockerfile", "x"), build("", "", "x"), true},
		{"two Dockerfiles of progress logs", defined("Dockerfile", build("", "", "x")), defined("b.Dockerfile", build("", "", "x")), false},
		{"one that is not whole", partial(build("", "", "c")), build("", "", "a", "b", "c"), true},
		{"another that is not whole", partial(build("", "", "d")), build("", "", "a", "b", "c"), false},
		{"no instructions", build("", ""), build("", ""), true},
	} {
		if got := OfOneImage(test.a, test.b); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
		if got := OfOneImage(test.b, test.a); got != test.want {
			t.Errorf("%s, the other way round: %v", test.name, got)
		}
	}
}
