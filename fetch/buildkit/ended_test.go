package buildkit

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// at is a time of a build, in seconds.
func at(seconds float64) time.Time { return t0.Add(time.Duration(seconds * float64(time.Second))) }

// ran is a vertex that worked from one second to another.
func ran(name string, from, to float64, inputs ...string) Vertex {
	return Vertex{Digest: name, Name: name, Inputs: inputs, Started: at(from), Completed: at(to)}
}

func begun(name string, from float64) Vertex {
	return Vertex{Digest: name, Name: name, Started: at(from)}
}

func broken(v Vertex, message string) Vertex {
	v.Error = message
	return v
}

// How a build ended is what became of it, and not what happened on its way.
func TestHowABuildEnded(t *testing.T) {
	const (
		cancelled = "context canceled"
		denied    = "failed to load cache key: denied"
	)
	export := ran("exporting to image", 8, 9)
	for _, tt := range []struct {
		name     string
		messages []Vertex
		damaged  string
		meta     Metadata
		want     string // outcome and error
		steps    string // that have failed, and how
	}{
		{
			name:     "cancelled, then run through",
			messages: []Vertex{broken(ran("RUN a", 1, 2), cancelled), ran("RUN a", 3, 4), export},
			want:     "ok ",
		},
		{
			name:     "failed, then run through",
			messages: []Vertex{begun("RUN a", 1), broken(ran("RUN a", 1, 2), denied), begun("RUN a", 3), ran("RUN a", 3, 4)},
			want:     "ok ",
		},
		{
			name:     "failed, then run, told the other way round",
			messages: []Vertex{ran("RUN a", 3, 4), broken(ran("RUN a", 1, 2), denied), export},
			want:     "ok ",
		},
		{
			name:     "run, then failed for another",
			messages: []Vertex{ran("RUN a", 1, 2), broken(ran("RUN a", 3, 4), denied)},
			want:     "failed " + denied, steps: "RUN a failed: " + denied,
		},
		{
			name:     "a late word on the beginning of what failed",
			messages: []Vertex{broken(ran("RUN a", 1, 2), denied), begun("RUN a", 1)},
			want:     "failed " + denied, steps: "RUN a failed: " + denied,
		},
		{
			name:     "cancelled, begun again, and cut",
			messages: []Vertex{broken(ran("RUN a", 1, 2), cancelled), begun("RUN a", 3)},
			want:     "cancelled " + brokeOffError + "; it was at RUN a", steps: "RUN a interrupted: did not end",
		},
		{
			name:     "not needed after all",
			messages: []Vertex{broken(ran("[internal] load metadata for docker.io/library/b", 1, 2), denied), ran("RUN a", 3, 4), export},
			want:     "ok ", steps: "[internal] load metadata for docker.io/library/b failed: " + denied,
		},
		{
			name:     "called off, not needed",
			messages: []Vertex{ran("RUN a", 1, 4), broken(ran("[internal] load build context", 1, 2), cancelled), export},
			want:     "ok ", steps: "[internal] load build context interrupted: did not end: " + cancelled,
		},
		{
			name:     "the builder says that it failed",
			messages: []Vertex{broken(ran("RUN b", 1, 2), denied), ran("RUN a", 3, 4), export},
			meta:     Metadata{Error: denied},
			want:     "failed " + denied, steps: "RUN b failed: " + denied,
		},
		{
			name:     "failed after another export",
			messages: []Vertex{ran("exporting to oci image format", 3, 4), broken(ran("exporting to image", 5, 6), denied)},
			want:     "failed " + denied, steps: "exporting to image failed: " + denied,
		},
		{
			name: "one of two nodes failed",
			messages: []Vertex{
				{Digest: "1", Name: "[internal] load build definition from Dockerfile", Started: at(0), Completed: at(1)},
				{Digest: "2", Name: "[internal] load build definition from Dockerfile", Started: at(0), Completed: at(1)},
				broken(ran("RUN a", 1, 2), denied), export,
			},
			want: "failed " + denied, steps: "RUN a failed: " + denied,
		},
		{
			name:     "the end of one is lost, which the exporter waited for",
			messages: []Vertex{begun("RUN a", 1), export},
			want:     "ok ", steps: "RUN a interrupted: " + lostEnd,
		},
		{
			name:     "the end of one is lost, which another waited for",
			messages: []Vertex{begun("RUN a", 1), ran("RUN b", 2, 3, "RUN a")},
			want:     "ok ", steps: "RUN a interrupted: " + lostEnd,
		},
		{
			name:     "the end of the last is damaged",
			messages: []Vertex{ran("RUN a", 1, 2), begun("exporting to image", 3)}, damaged: `"name":"exporting to image"`,
			want: "ok ", steps: "exporting to image interrupted: " + lostEnd,
		},
		{
			name:     "the end of another is damaged",
			messages: []Vertex{ran("RUN a", 1, 2), begun("exporting to image", 3)}, damaged: `"name":"RUN a"`,
			want: "cancelled " + brokeOffError + "; it was at exporting to image", steps: "exporting to image interrupted: did not end",
		},
		{
			name:     "cut in the export of the cache",
			messages: []Vertex{ran("RUN a", 1, 2), export, begun("exporting cache to registry", 9)},
			want:     "cancelled " + brokeOffError + "; it was at exporting cache to registry", steps: "exporting cache to registry interrupted: did not end",
		},
		{
			name:     "announced, and not needed",
			messages: []Vertex{{Digest: "x", Name: "RUN x"}, ran("RUN a", 1, 2), export},
			want:     "ok ",
		},
		{
			name:     "cut before the steps were announced",
			messages: []Vertex{ran("[internal] load build definition from Dockerfile", 0, 1), ran("[internal] load metadata for docker.io/library/a", 1, 2)},
			want:     "cancelled " + brokeOffError + "; no step had begun",
		},
		{
			name:     "a record tells how it ended",
			messages: []Vertex{ran("[internal] load build definition from Dockerfile", 0, 1)}, meta: Metadata{Ended: true},
			want: "ok ",
		},
		{
			name:     "announced, and cut",
			messages: []Vertex{{Digest: "x", Name: "RUN x"}, ran("RUN a", 1, 2)},
			want:     "cancelled " + brokeOffError + "; it was at RUN x",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var p Progress
			for _, m := range tt.messages {
				if err := p.Vertex(m); err != nil {
					t.Fatal(err)
				}
			}
			if tt.damaged != "" {
				p.Damaged([]byte(tt.damaged))
			}
			b, _ := p.Build(tt.meta)
			var steps []string
			for _, s := range b.Steps {
				if s.State.HasNoResult() {
					steps = append(steps, fmt.Sprintf("%s %v: %s", s.Name, s.State, s.Error))
				}
			}
			if got := fmt.Sprintf("%v %s", b.Outcome, b.Error); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if got := strings.Join(steps, ", "); got != tt.steps {
				t.Errorf("failed are %q, want %q", got, tt.steps)
			}
		})
	}
}

// A target of a bake that had not begun when another was cut or failed was called off.
// One that shares all of its steps with another has ended with it.
func TestTargetWithoutWork(t *testing.T) {
	definitions := []Vertex{
		ran("[api internal] load build definition from Dockerfile", 0, 1),
		ran("[web internal] load build definition from Dockerfile", 0, 1),
	}
	for name, tt := range map[string]struct {
		api  Vertex
		want timeline.Outcome
	}{
		"cut":    {begun("[api 2/2] RUN a", 1), timeline.Cancelled},
		"failed": {broken(ran("[api 2/2] RUN a", 1, 2), "exit code: 1"), timeline.Cancelled},
		"shared": {ran("[api 2/2] RUN a", 1, 2), timeline.OK},
	} {
		var p Progress
		for _, v := range append(definitions[:2:2], tt.api) {
			if err := p.Vertex(v); err != nil {
				t.Fatal(err)
			}
		}
		builds, _ := p.Builds(Metadata{})
		if len(builds) != 2 || builds[1].Outcome != tt.want {
			t.Errorf("%s: %+v", name, builds)
		}
	}
}

// What is told of an export in parts is not judged where a part may be missing.
func TestDamagedParts(t *testing.T) {
	digest := func(c string) string { return "sha256:" + strings.Repeat(c, 64) }
	for damaged, want := range map[string]timeline.State{
		"":                                      timeline.Executed,
		`"vertex":"` + digest("a"):              timeline.Executed,
		`"vertex":"` + digest("e"):              timeline.Interrupted,
		`"id":"pushing layers","vertex":"sha25`: timeline.Interrupted,
	} {
		var p Progress
		for _, v := range []Vertex{
			{Digest: digest("a"), Name: "RUN a", Started: at(1), Completed: at(2)},
			{Digest: digest("e"), Name: "exporting to image", Started: at(2), Completed: at(9)},
		} {
			if err := p.Vertex(v); err != nil {
				t.Fatal(err)
			}
		}
		p.Status(Status{ID: "pushing layers", Vertex: digest("e"), Started: at(4), Completed: at(8)})
		if damaged != "" {
			p.Damaged([]byte(damaged))
		}
		b, _ := p.Build(Metadata{})
		states := map[string]timeline.State{}
		for _, s := range b.Steps {
			states[s.Name] = s.State
		}
		if b.Outcome != timeline.OK || states["RUN a"] != timeline.Executed || states["exporting to image"] != want || states["pushing to registry"] != want {
			t.Errorf("%q: %v, steps %v, want export and push %v", damaged, b.Outcome, states, want)
		}
	}
}

// Only what begins a build begins the next.
func TestIsNext(t *testing.T) {
	const definition, bake = "[internal] load build definition from Dockerfile", "[internal] load local bake definitions"
	frontend := []Vertex{ran("1", 0, 1), ran("resolve image config for docker-image://docker.io/docker/dockerfile:1", 1, 2)}
	frontend[0].Name = definition
	whole := append(frontend[:1:1], ran("[1/1] RUN a", 1, 2))
	running := append(frontend[:1:1], begun("[1/1] RUN a", 1))
	baked := []Vertex{{Digest: "b", Name: bake, Started: at(0), Completed: at(1)}, {Digest: "1", Name: "[api internal] load build definition from Dockerfile", Started: at(1), Completed: at(2)}, ran("[api 1/1] RUN a", 2, 3)}
	for _, tt := range []struct {
		name    string
		before  []Vertex
		between Between
		then    string
		want    bool
	}{
		{"the first", nil, Text, definition, false},
		{"an old frontend loads it twice", frontend, Nothing, definition, false},
		{"again, after a step", whole, Nothing, definition, true},
		{"another file, after a step", whole, Nothing, "[internal] load build definition from test.Dockerfile", true},
		{"a context from git, after a step", whole, Nothing, "[internal] load git source https://github.com/acme/shop.git", true},
		{"a context from git, in front of a step", frontend, Nothing, "[internal] load git source https://github.com/acme/shop.git", false},
		{"a step", whole, Text, "[2/2] RUN b", false},
		{"another node", running, Nothing, definition, false},
		{"cut, and a command", running, Text, definition, true},
		{"a check, and a command", frontend[:1], Text, definition, true},
		{"the builder's error", running, EndOfAll, "[2/2] RUN b", true},
		{"a bake", whole, Nothing, bake, true},
		{"a bake after a bake", baked, Nothing, bake, true},
		{"a target that waits for another", baked, Text, "[web internal] load build definition from Dockerfile", false},
		{"the target again", baked, Nothing, "[api internal] load build definition from Dockerfile", true},
		{"a build after a bake", baked, Nothing, definition, true},
		{"the remote file of the same bake", baked[:1], Nothing, "[internal] load remote bake definition", false},
	} {
		var p Progress
		for _, v := range tt.before {
			if err := p.Vertex(v); err != nil {
				t.Fatal(err)
			}
		}
		if got := p.IsNext(Vertex{Digest: "new", Name: tt.then}, tt.between); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
