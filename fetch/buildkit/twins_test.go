package buildkit

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
)

// A build that began while another one made the same shows each step once, with the time
// that it was executed in, as far as what comes after it goes.
func TestBuiltForAnother(t *testing.T) {
	var p Progress
	vertex := func(digest, name string, cached bool, from, to float64, inputs ...string) {
		t.Helper()
		for i := range inputs {
			inputs[i] = "sha256:" + inputs[i]
		}
		if err := p.Vertex(Vertex{Digest: "sha256:" + digest, Name: name, Inputs: inputs, Cached: cached, Started: moment(from), Completed: moment(to)}); err != nil {
			t.Fatal(err)
		}
	}
	const base, deps, copies = "[base 1/1] COPY busybox /bin/sh", "[deps 1/1] RUN sleep 6", "[app 1/2] COPY --from=deps /out /out"
	vertex("48ba3a000000", "[internal] load build definition from Dockerfile", false, 1.6, 1.7)
	vertex("f5194e000000", "[internal] load build context", false, 1.8, 1.9)
	vertex("021952000000", base, true, 0, 0, "fd39f3000000")
	vertex("aa62cb000000", deps, false, 0, 6.2, "021952000000")
	vertex("4513bb000000", copies, false, 6.3, 6.4, "021952000000", "aa62cb000000")
	vertex("739f70000000", base, true, 6.4, 6.4, "f5194e000000")
	vertex("d5fcc9000000", deps, true, 6.4, 6.4, "739f70000000")
	vertex("abaf3e000000", copies, true, 6.4, 6.4, "739f70000000", "d5fcc9000000")
	vertex("d3d1e7000000", "[app 2/2] RUN test", false, 6.4, 7.4, "abaf3e000000")
	// The provenance knows the vertices of this build alone.
	at := dockerfile.Position{File: "Dockerfile", Line: 4}
	b, _ := p.Build(Metadata{Instructions: map[string]Instruction{"sha256:d5fcc9000000": {Position: at}}})
	byName := map[string]timeline.Step{}
	for _, s := range b.Steps {
		if _, again := byName[s.Name]; again {
			t.Errorf("%s is there twice", s.Name)
		}
		byName[s.Name] = s
	}
	if s := byName[deps]; s.State != timeline.Executed || s.Duration != 6200*time.Millisecond || s.ID != "aa62cb000000" || !slices.Equal(s.Inputs, []string{"739f70000000"}) || s.Source != at {
		t.Errorf("what the other build executed is %+v", s)
	}
	if s := byName[base]; s.State != timeline.Cached || s.ID != "739f70000000" {
		t.Errorf("what both found is %+v", s)
	}
	if s := byName["[app 2/2] RUN test"]; !slices.Equal(s.Inputs, []string{"4513bb000000"}) {
		t.Errorf("what was executed for this build waits for %v", s.Inputs)
	}
	r := detect.Judge(&b, nil, detect.Policy{})
	for i := range r.Steps {
		if s := &r.Steps[i]; (s.Name == deps || s.Name == copies || s.Name == "[app 2/2] RUN test") && !s.Critical {
			t.Errorf("%s is not on the critical path", s.Name)
		}
	}
}

// Steps of one name that both go into the build are two, and so are an ADD's.
func TestOfOneName(t *testing.T) {
	var p Progress
	worked(t, &p, "[a 1/2] RUN same", "", []string{digest(9)}, 1, 2)
	if err := p.Vertex(Vertex{Digest: digest(2), Name: "[a 1/2] RUN same", Inputs: []string{digest(8)}, Cached: true, Started: moment(2), Completed: moment(2)}); err != nil {
		t.Fatal(err)
	}
	worked(t, &p, "[a 2/2] COPY --from=b x y", "", []string{digest(1), digest(2)}, 3, 4)
	worked(t, &p, "[c 1/1] ADD https://example.org/a /", "", nil, 1, 2)
	if err := p.Vertex(Vertex{Digest: digest(5), Name: "[c 1/1] ADD https://example.org/a /", Inputs: []string{digest(4)}, Cached: true, Started: moment(2), Completed: moment(2)}); err != nil {
		t.Fatal(err)
	}
	// What was downloaded before is cached, and yet copied anew.
	if err := p.Vertex(Vertex{Digest: digest(6), Name: "[d 1/1] ADD https://example.org/b /", Cached: true, Started: moment(2), Completed: moment(2)}); err != nil {
		t.Fatal(err)
	}
	worked(t, &p, "[d 1/1] ADD https://example.org/b /", "", []string{digest(6)}, 3, 4)
	b, _ := p.Build(Metadata{})
	var states []string
	for _, s := range b.Steps {
		states = append(states, fmt.Sprint(s.State))
	}
	if len(b.Steps) != 7 {
		t.Errorf("%d steps: %v", len(b.Steps), states)
	}
}
