package buildkit

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// moment is so many seconds after the beginning.
func moment(s float64) time.Time { return t0.Add(time.Duration(s * float64(time.Second))) }

// worked adds a vertex that worked in these intervals, of two ends each.
func worked(t *testing.T, p *Progress, name, message string, inputs []string, ends ...float64) {
	t.Helper()
	v := Vertex{Digest: "sha256:" + fmt.Sprintf("%064x", len(p.order)+1), Name: name, Inputs: inputs}
	for i := 0; i < len(ends); i += 2 {
		v.Started, v.Completed, v.Error = moment(ends[i]), moment(ends[i+1]), ""
		if i == 0 && len(ends) > 2 {
			v.Error = message
		}
		if err := p.Vertex(v); err != nil {
			t.Fatal(err)
		}
	}
}

// Every kind of work has a rule, with its reason.
func TestRulesOfTime(t *testing.T) {
	for w := execution; w <= ofClient; w++ {
		if rules[w].why == "" {
			t.Errorf("no rule for work %d", w)
		}
	}
	for name, want := range map[string]work{
		"[a 1/3] FROM docker.io/library/node:20": imageSource, "docker-image://docker.io/docker/dockerfile:1": imageSource,
		"[context base] docker-image://alpine": imageSource, "oci-layout://x@sha256:0": ociSource, "[context base] OCI load from client": ociSource,
		"https://example.org/a.tar.gz": httpSource, "[1/3] ADD --checksum=x https://example.org/a /": httpSource,
		"[1/3] ADD https://example.org/a.git#v1 /": gitFetch, "[internal] load git source https://example.org/a.git#main": gitFetch,
		"https://example.org/a.git#main": gitFetch, "[internal] load build context": localSource, "[context dir] load from client": localSource,
		"[internal] load metadata for node:20": metadata, "[auth] library/node:pull token for registry-1.docker.io": metadata,
		"importing cache manifest from a": cacheImporting, "exporting cache to registry": cacheExporting, "exporting to image": exporting,
		"[1/1] RUN make": execution, "[1/1] COPY a b": fileOperation, "merging manifest list a:b": ofClient,
	} {
		info := stepInfoOf(name, "")
		if got := workOf(&info, false, false); got != want {
			t.Errorf("%s is work %d, want %d", name, got, want)
		}
	}
	info := stepInfoOf("[1/3] ADD https://example.org/a /", "")
	if got := workOf(&info, true, false); got != fileOperation {
		t.Errorf("what copies a download is work %d", got)
	}
}

func TestIntervals(t *testing.T) {
	input := []string{"sha256:" + strings.Repeat("0", 63) + "1"}
	for _, tt := range []struct {
		name, message string
		inputs        []string
		ends          []float64
		want          time.Duration
	}{
		{"https://example.org/a.tar.gz", "", nil, []float64{1, 8, 8.1, 8.2}, 7100 * time.Millisecond},
		{"[internal] load git source https://example.org/a.git", "", nil, []float64{1, 4, 4, 5}, 4 * time.Second},
		{"[internal] load build context", "", nil, []float64{1, 4, 1, 4, 3, 5}, 4 * time.Second}, // told twice, and at once
		{"[1/2] FROM a", "", nil, []float64{1, 2, 20, 28, 28, 28.5}, 9500 * time.Millisecond},    // when a step needed it
		{"[1/2] FROM a", "timed out", nil, []float64{1, 2, 20, 28}, 9 * time.Second},             // tried again
		{"[2/2] RUN make", "context canceled", input, []float64{1, 2, 3, 8}, 5 * time.Second},    // called off with another build
		{"[2/2] COPY a b", "", input, []float64{3, 8}, 5 * time.Second},
	} {
		var p Progress
		worked(t, &p, "[internal] load build definition from Dockerfile", "", nil, 0, 0.5)
		worked(t, &p, tt.name, tt.message, tt.inputs, tt.ends...)
		b, _ := p.Build(Metadata{})
		for _, s := range b.Steps {
			if s.Name == tt.name && s.Duration.Round(time.Millisecond) != tt.want {
				t.Errorf("%s %v took %v, want %v", tt.name, tt.ends, s.Duration, tt.want)
			}
		}
	}
}

// Layers that are fetched at once count once, with all of their bytes.
func TestPull(t *testing.T) {
	var p Progress
	worked(t, &p, "[linux/arm64 a 1/2] FROM reg:5000/base:1@sha256:"+strings.Repeat("0a", 32), "", nil, 1, 1.1, 2, 7, 7, 8)
	for _, s := range []Status{
		{ID: "resolve reg:5000/base:1", Started: moment(1), Completed: moment(1.1)},
		{ID: "sha256:01", Current: 30, Started: moment(2), Completed: moment(6)},
		{ID: "sha256:02", Current: 12, Started: moment(3), Completed: moment(7)},
		{ID: "extracting sha256:01", Started: moment(6), Completed: moment(7)},
		{ID: "extracting sha256:02", Started: moment(7), Completed: moment(8)},
	} {
		s.Vertex, s.Timestamp = p.order[0].digest, s.Completed
		p.Status(s)
	}
	b, _ := p.Build(Metadata{})
	got := map[string]string{}
	for _, s := range b.Steps {
		got[s.Key] = fmt.Sprintf("%s %v %d", s.Name, s.Duration.Round(time.Millisecond), s.Bytes)
	}
	for key, want := range map[string]string{
		"[linux/arm64 pull] pull reg:5000/base":     "pull reg:5000/base:1 5s 42",
		"[linux/arm64 unpack] unpack reg:5000/base": "unpack reg:5000/base:1 2s 0",
	} {
		if got[key] != want {
			t.Errorf("%s is %q, want %q in %v", key, got[key], want, got)
		}
	}
	if s := b.Steps[0]; s.Duration.Round(time.Millisecond) != 6100*time.Millisecond || len(s.Inputs) != 2 {
		t.Errorf("FROM took %v and has the parts %q", s.Duration, s.Inputs)
	}
}

// An image that was there is cached, however long the registry took to tell its digest.
func TestResolvedOnly(t *testing.T) {
	var p Progress
	worked(t, &p, "[1/2] FROM docker.io/library/a:1", "", nil, 1, 1.15)
	p.Status(Status{ID: "resolve docker.io/library/a:1", Vertex: p.order[0].digest, Started: moment(1), Completed: moment(1.15), Timestamp: moment(1.15)})
	b, _ := p.Build(Metadata{})
	if len(b.Steps) != 1 || b.Steps[0].State != timeline.Cached {
		t.Errorf("%+v", b.Steps)
	}
}

// A step that ran for one target and was found by the next has run, and was cached by
// former rules.
func TestRanThenFound(t *testing.T) {
	var p Progress
	worked(t, &p, "[2/2] RUN make", "", []string{"sha256:" + strings.Repeat("0", 63) + "2"}, 1, 5)
	if err := p.Vertex(Vertex{Digest: p.order[0].digest, Name: p.order[0].name, Cached: true, Started: moment(6), Completed: moment(6)}); err != nil {
		t.Fatal(err)
	}
	b, _ := p.Build(Metadata{})
	if s := b.Steps[0]; s.State != timeline.Executed || s.Duration != 4*time.Second || s.Rule != 1 {
		t.Errorf("%+v", s)
	}
}

// What ended before the build began is another build's work.
func TestSharedWithEarlierBuild(t *testing.T) {
	var p Progress
	input := []string{"sha256:" + strings.Repeat("0", 63) + "1"}
	worked(t, &p, "[internal] load build definition from Dockerfile", "", nil, 100, 101)
	worked(t, &p, "[1/2] RUN before", "", input, 10, 90)
	worked(t, &p, "[2/2] RUN across", "", input, 90, 130)
	for _, m := range []Metadata{{}, {Start: moment(100), End: moment(140)}} {
		b, _ := p.Build(m)
		if !b.Start.Equal(moment(100)) {
			t.Errorf("the build began at %v", b.Start)
		}
		for _, s := range b.Steps {
			switch s.Name {
			case "[1/2] RUN before":
				if s.State != timeline.Cached || s.Duration != 0 {
					t.Errorf("what was done before is %v, took %v", s.State, s.Duration)
				}
			case "[2/2] RUN across":
				if s.State != timeline.Executed || s.Duration != 40*time.Second {
					t.Errorf("what was going on is %v, took %v", s.State, s.Duration)
				}
			}
		}
	}
}

// A build that waits for what another one has begun is told of that one's vertices as
// well: it has begun when it read its own context, and their steps are its own, once.
func TestSharedWithBuildAtOnce(t *testing.T) {
	const image, copied, added = "[base 1/1] FROM a", "[2/4] COPY --from=base / /", "[3/4] ADD https://example.org/a /"
	for _, m := range []Metadata{{}, {Start: moment(100), End: moment(107)}} {
		var p Progress
		digests := map[string]string{}
		vertex := func(id, name string, cached bool, inputs []string, ends ...float64) {
			var needs []string
			for _, input := range inputs {
				needs = append(needs, "sha256:"+input)
			}
			v := Vertex{Digest: "sha256:" + id, Name: name, Cached: cached, Inputs: needs}
			if len(ends) > 0 {
				v.Started, v.Completed = moment(ends[0]), moment(ends[1])
			}
			if err := p.Vertex(v); err != nil {
				t.Fatal(err)
			}
			digests[id] = v.Digest
		}
		vertex("01", "[internal] load git source https://example.org/a.git#main", false, nil, 100, 101)
		vertex("02", image, false, nil, 97, 98)
		p.Status(Status{ID: "sha256:ab", Vertex: digests["02"], Current: 5, Started: moment(97), Completed: moment(97.5), Timestamp: moment(97.5)})
		vertex("03", copied, false, []string{"01", "02"})
		vertex("04", added, false, nil, 97, 105) // the download
		vertex("05", added, false, []string{"03", "04"})
		vertex("06", "[4/4] RUN make", false, []string{"05"})
		vertex("13", copied, false, []string{"11", "02"}, 98, 99)    // of the other one, whose context is 11
		vertex("15", added, false, []string{"13", "04"}, 105, 105.5) // as well
		vertex("03", copied, true, nil, 105.5, 105.5)
		vertex("05", added, true, nil, 105.5, 105.5)
		vertex("06", "[4/4] RUN make", false, nil, 105.5, 106)
		vertex("07", "exporting to image", false, nil, 106, 107)
		b, _ := p.Build(m)
		if !b.Start.Equal(moment(100)) || b.Duration != 7*time.Second {
			t.Errorf("began at %v, took %v", b.Start, b.Duration)
		}
		var got []string
		for _, s := range b.Steps {
			if s.Count > 0 || s.Stage == pullStage {
				got = append(got, fmt.Sprintf("%s %v %v", s.Name, s.State, s.Duration))
			}
		}
		slices.Sort(got)
		want := []string{"[2/4] COPY --from=base / / cached 0s", "[3/4] ADD https://example.org/a / executed 500ms", "[3/4] ADD https://example.org/a / executed 8s", "[4/4] RUN make executed 500ms", "[base 1/1] FROM a cached 0s"}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestClientSteps(t *testing.T) {
	var p Progress
	worked(t, &p, "[internal] load build definition from Dockerfile", "", nil, 0, 0.5)
	worked(t, &p, "merging manifest list reg/app:v1", "", nil, 1, 4)
	worked(t, &p, "resolving provenance for metadata file", "", nil, 4, 4.01)
	b, _ := p.Build(Metadata{})
	if len(b.Steps) != 2 || b.Steps[1].Key != "[client] merging manifest list" || b.Duration != 4*time.Second {
		t.Errorf("%v: %+v", b.Duration, b.Steps)
	}
}
