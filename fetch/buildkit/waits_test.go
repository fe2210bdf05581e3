package buildkit

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
)

// digest is that of the nth vertex that worked adds.
func digest(n int) string { return fmt.Sprintf("sha256:%064x", n) }

// waitsOf are the waits of a build, "name from took" each.
func waitsOf(b *timeline.Build) (list []string) {
	for i := range b.Steps {
		if s := &b.Steps[i]; s.Stage == timeline.StageWait {
			list = append(list, fmt.Sprintf("%s %.1f %.1f", s.Name, s.Start.Sub(t0).Seconds(), s.Duration.Seconds()))
		}
	}
	return list
}

func TestWaits(t *testing.T) {
	for name, test := range map[string]struct {
		add  func(p *Progress)
		want string
	}{
		"files of another stage": {func(p *Progress) {
			worked(t, p, "[build 1/2] FROM a", "", nil, 0, 1)
			worked(t, p, "[build 2/2] RUN make", "", []string{digest(1)}, 1, 5)
			worked(t, p, "[stage-1 1/1] COPY --from=build /a /b", "", []string{digest(1), digest(2)}, 8, 9)
		}, "cache key of COPY --from=build /a /b 5.0 3.0"},
		"files in a mount": {func(p *Progress) {
			worked(t, p, "[internal] load build context", "", nil, 0, 1)
			worked(t, p, "[a 1/1] RUN --mount=type=bind,target=/x make", "", []string{digest(1)}, 3, 5)
		}, "cache key of RUN --mount=type=bind,target=/x make (a) 1.0 2.0"},
		"files of a layer of its own": {func(p *Progress) { // its merging takes none
			worked(t, p, "[internal] load build context", "", nil, 0, 1)
			worked(t, p, "[a 2/2] copy --link a b", "", []string{digest(1)}, 3, 5)
			worked(t, p, "[a 2/2] LINK copy --link a b", "", []string{digest(2)}, 8, 9)
		}, "cache key of copy --link a b (a) 1.0 2.0"},
		"a download": {func(p *Progress) {
			worked(t, p, "[internal] load build definition from Dockerfile", "", nil, 0, 0.1)
			worked(t, p, "[a 1/1] ADD https://example.org/a /", "", nil, 0.4, 5)
			worked(t, p, "[a 1/1] ADD https://example.org/a /", "", []string{digest(2)}, 7, 8)
		}, "frontend before ADD https://example.org/a / 0.1 0.3, cache key of ADD https://example.org/a / (a) 5.0 2.0"},
		"no files": {func(p *Progress) { // a limit of what runs at once, or whatever else
			worked(t, p, "[a 1/3] FROM a", "", nil, 0, 1)
			worked(t, p, "[a 2/3] RUN --mount=type=cache,target=/x make", "", []string{digest(1)}, 3, 5)
			worked(t, p, "[a 3/3] WORKDIR /a", "", []string{digest(2)}, 8, 9)
		}, ""},
		"beside another stage": {func(p *Progress) {
			worked(t, p, "[a 1/2] FROM a", "", nil, 0, 1)
			worked(t, p, "[a 2/2] RUN long", "", []string{digest(1)}, 1, 100)
			worked(t, p, "[internal] load build context", "", nil, 0, 4)
			worked(t, p, "[b 1/1] COPY a b", "", []string{digest(3)}, 6, 7)
		}, "cache key of COPY a b (b) 4.0 2.0"},
		"a step that waits for none of it": {func(p *Progress) {
			worked(t, p, "[internal] load build context", "", nil, 0, 9)
			worked(t, p, "[b 1/1] COPY a b", "", []string{digest(1)}, 6, 7)
		}, ""},
		"not an instruction of a Dockerfile": {func(p *Progress) { // its client may have thought for long
			worked(t, p, "local://context", "", nil, 0, 1)
			worked(t, p, "COPY a b", "", []string{digest(1)}, 60, 61)
		}, ""},
		"what is above is not known": {func(p *Progress) { // it is another target's
			worked(t, p, "[internal] load build context", "", nil, 0, 1)
			worked(t, p, "[b 2/2] COPY a b", "", []string{digest(1), digest(99)}, 60, 61)
		}, ""},
		"the frontend's container": {func(p *Progress) {
			worked(t, p, "[internal] load build definition from Dockerfile", "", nil, 0, 0.1)
			worked(t, p, "docker-image://docker.io/docker/dockerfile:1", "", nil, 0.1, 2)
			worked(t, p, "[internal] load metadata for docker.io/library/a:1.2", "", nil, 2.5, 3)
			worked(t, p, "[a 1/2] FROM docker.io/library/a:1.2", "", nil, 3, 4)
			worked(t, p, "[a 2/2] RUN make", "", []string{digest(4)}, 6, 7)
			worked(t, p, "[auth] late", "", nil, 9, 10)
		}, "frontend before load metadata for docker.io/library/a:<version> 2.0 0.5"},
		"a context of which all is cached": {func(p *Progress) {
			worked(t, p, "[internal] load build definition from Dockerfile", "", nil, 0, 0.1)
			worked(t, p, "[internal] load build context", "", nil, 0.1, 2)
			if err := p.Vertex(Vertex{Digest: digest(3), Name: "[1/1] COPY a b", Inputs: []string{digest(2)}, Cached: true, Started: moment(5), Completed: moment(5)}); err != nil {
				t.Fatal(err)
			}
			p.vertices[digest(3)].inputs = []string{digest(2)}
			worked(t, p, "exporting to image", "", nil, 5, 6)
		}, "cache keys of the context's files 2.0 3.0"},
	} {
		var p Progress
		test.add(&p)
		b, _ := p.Build(Metadata{})
		if got := strings.Join(waitsOf(&b), ", "); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
		if err := checkWaits(&b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// checkWaits checks that what waited begins when its wait ends, and that nothing else has
// the wait for an input.
func checkWaits(b *timeline.Build) error {
	byID := map[string]*timeline.Step{}
	for i := range b.Steps {
		byID[b.Steps[i].ID] = &b.Steps[i]
	}
	for i := range b.Steps {
		for _, id := range b.Steps[i].Inputs {
			in := byID[id]
			if in == nil || in.Stage != timeline.StageWait {
				continue
			}
			if end := in.Start.Add(in.Duration); !end.Equal(b.Steps[i].Start) {
				return fmt.Errorf("%s ends at %v, %s begins at %v", in.Name, end, b.Steps[i].Name, b.Steps[i].Start)
			}
		}
	}
	return nil
}

// What another build did before this one began is no wait of it.
func TestWaitAfterAnotherBuild(t *testing.T) {
	var p Progress
	worked(t, &p, "[a 1/1] RUN make", "", nil, 0, 10)
	worked(t, &p, "[internal] load build definition from Dockerfile", "", nil, 100, 101)
	worked(t, &p, "[b 1/1] COPY --from=a /a /b", "", []string{digest(1)}, 103, 104)
	b, _ := p.Build(Metadata{Start: moment(100), End: moment(110)})
	for _, s := range b.Steps {
		if s.Stage == timeline.StageWait && s.Start.Before(moment(100)) {
			t.Errorf("%s began %v before the build", s.Name, moment(100).Sub(s.Start))
		}
	}
}

// A trace lacks what was executed for another build: there a wait is told only where what
// came before is there.
func TestWaitsOfTrace(t *testing.T) {
	span := func(n int, name string, from, to float64) Span {
		return Span{Trace: "t", ID: fmt.Sprint(n), Parent: "1", Name: name, Vertex: digest(n), Start: moment(from), End: moment(to)}
	}
	solve := Span{Trace: "t", ID: "1", Name: solveMethod, Kind: KindServer, Start: moment(0), End: moment(100)}
	context := span(2, "[internal] load build context", 1, 2)
	for name, test := range map[string]struct {
		spans []Span
		want  string
	}{
		"after a step of its stage": {[]Span{solve, context, span(3, "[a 1/2] RUN make", 2, 5), span(4, "[a 2/2] COPY a b", 7, 8)}, "cache key of COPY a b (a) 5.0 2.0"},
		"after the context":         {[]Span{solve, context, span(3, "load cache: [a 1/2] RUN make", 5, 5), span(4, "[a 2/2] COPY a b", 5, 8)}, "cache key of COPY a b (a) 2.0 3.0"},
		"of another stage":          {[]Span{solve, span(3, "[a 2/2] RUN make", 2, 5), span(4, "[stage-1 1/1] COPY --from=a a b", 7, 8)}, "cache key of COPY --from=a a b 5.0 2.0"},
		"a step is missing":         {[]Span{solve, context, span(4, "[a 2/2] COPY a b", 60, 61)}, ""},
		"after what is not above":   {[]Span{solve, context, span(3, "[b 1/1] RUN make", 2, 50), span(4, "[a 2/2] COPY a b", 60, 61)}, ""},
	} {
		list, _ := Builds(test.spans)
		if len(list) != 1 {
			t.Fatalf("%s: %d builds", name, len(list))
		}
		if got := strings.Join(waitsOf(&list[0]), ", "); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
		r := detect.Judge(&list[0], nil, detect.Policy{})
		for i := range list[0].Steps {
			if s := &list[0].Steps[i]; s.Stage == timeline.StageWait && !r.Steps[i].Critical {
				t.Errorf("%s: %s is not on the critical path", name, s.Name)
			}
			if w := r.Steps[i].WaitsFor; len(w) > 0 {
				t.Errorf("%s: %s waits for %v, and no trace tells", name, r.Steps[i].Name, w)
			}
		}
	}
}

// However many steps wait for however many, finding the waits comes to an end.
func TestWaitsAreBounded(t *testing.T) {
	var p Progress
	var inputs []string
	const n = 1000
	for i := range n { // cached, so that each is looked through
		d := fmt.Sprintf("sha256:%012x", i)
		if err := p.Vertex(Vertex{Digest: d, Name: fmt.Sprintf("[a %d/%d] RUN %d", i+1, 2*n, i), Inputs: inputs, Cached: true, Started: moment(1), Completed: moment(1)}); err != nil {
			t.Fatal(err)
		}
		inputs = append(slices.Clip(inputs), d)
	}
	for i := range n {
		v := Vertex{Digest: fmt.Sprintf("sha256:%012x", n+i), Name: fmt.Sprintf("[a %d/%d] COPY %d", n+i+1, 2*n, i), Inputs: inputs[n-200:], Started: moment(2), Completed: moment(3)}
		if err := p.Vertex(v); err != nil {
			t.Fatal(err)
		}
	}
	if b, _ := p.Build(Metadata{}); len(b.Steps) < 2*n {
		t.Errorf("%d steps", len(b.Steps))
	}
}

// A trace tells the bytes of a download by the request, which is not below its vertex.
func TestBytesOfDownload(t *testing.T) {
	id := func(n int) string { return fmt.Sprintf("%012x", n) }
	vertex := func(n int, name string, from, to float64) Span {
		return Span{Trace: "t", ID: fmt.Sprint(n), Parent: "1", Name: name, Vertex: "sha256:" + id(n), Start: moment(from), End: moment(to)}
	}
	request := Span{Trace: "t", ID: "9", Parent: "1", Name: "HTTP GET", Start: moment(1), End: moment(3)}
	for key, value := range map[string]string{"http.method": "GET", "http.url": "http://user:secret@example.org/a.tar?token=x", "http.response_content_length": "30000000"} {
		request.Set(key, value)
	}
	list, _ := Builds([]Span{
		{Trace: "t", ID: "1", Name: solveMethod, Kind: KindServer, Start: moment(0), End: moment(9)},
		request,
		vertex(2, "cache request: [2/3] ADD --chmod=1 http://example.org/a.tar /a", 1, 3), vertex(2, "[2/3] ADD --chmod=1 http://example.org/a.tar /a", 3, 3),
		vertex(3, "[2/3] ADD --chmod=1 http://example.org/a.tar /a", 4, 5), vertex(4, "[3/3] ADD http://example.org/b.tar /b", 5, 6),
	})
	got := map[string]int64{}
	for _, s := range list[0].Steps {
		got[s.ID] = s.Bytes
	}
	if want := map[string]int64{id(2): 30_000_000, id(3): 0, id(4): 0}; !maps.Equal(got, want) {
		t.Errorf("bytes %v, want %v", got, want)
	}
}
