package buildkit

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/google/go-cmp/cmp"
)

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// span makes one from "id<parent name" and the seconds it began and ended at.
func span(id, parent, name string, kind Kind, from, to float64) Span {
	at := func(s float64) time.Time { return t0.Add(time.Duration(s * float64(time.Second))) }
	return Span{Trace: "t", ID: id, Parent: parent, Name: name, Kind: kind, Start: at(from), End: at(to)}
}

func step(id, parent, name string, from, to float64) Span {
	s := span(id, parent, name, KindInternal, from, to)
	s.Vertex = "sha256:" + strings.Repeat(fmt.Sprintf("%x", name[len(name)-1]), 32)
	return s
}

func by(service string, s Span) Span {
	s.Service = service
	return s
}

func failed(s Span, message string) Span {
	s.Failed, s.Message = true, message
	return s
}

// summary is what of a build the tests below look at.
func summary(b timeline.Build) string {
	var steps []string
	for _, s := range b.Steps {
		steps = append(steps, fmt.Sprintf("%s %v %v", s.Name, s.State, s.Duration))
	}
	return fmt.Sprintf("%s %v %v: %s", b.ID, b.Outcome, b.Duration, strings.Join(steps, ", "))
}

// A trace may be asked for its builds again.
func TestBuildsOfTwice(t *testing.T) {
	trace := NewTrace("t", []Span{
		span("r", "", "build", KindInternal, 0, 9), span("s", "r", solveMethod, KindServer, 1, 8),
		step("v1", "s", "RUN a", 1, 3), step("v2", "v1", "RUN b", 3, 8),
	})
	var r Reader
	first, _ := r.BuildsOf(trace)
	again, _ := r.BuildsOf(trace)
	if len(first) != 1 || len(first[0].Steps) != 2 || !cmp.Equal(first, again) {
		t.Errorf("%+v, and again %+v", first, again)
	}
}

func TestBuilds(t *testing.T) {
	capabilities := []Span{
		span("c", "r", "load buildkit capabilities", KindInternal, 0, 1),
		span("c1", "c", solveMethod, KindClient, 0, 1), span("c2", "c1", solveMethod, KindServer, 0, 1),
	}
	with := func(more ...Span) []Span { return append(append([]Span{}, capabilities...), more...) }
	for _, tt := range []struct {
		name  string
		spans []Span
		want  []string
	}{
		{"none", []Span{span("a", "", "GET /", KindServer, 0, 1)}, nil},
		{"capabilities alone", capabilities, nil},
		{
			"one", with(
				span("s1", "b", solveMethod, KindClient, 1, 9), span("s2", "s1", solveMethod, KindServer, 1, 9),
				step("v1", "s2", "cache request: [1/2] FROM a", 1, 1), step("v2", "s2", "load cache: [2/2] RUN b", 1, 2),
				step("v3", "s2", "RUN c", 2, 5), step("v4", "s2", "cache request: RUN c", 1, 2),
				span("h", "s2", "create history record", KindInternal, 8, 9),
			),
			[]string{"t-s2 ok 7s: [1/2] FROM a cached 0s, [2/2] RUN b cached 1s, RUN c executed 3s"},
		},
		{
			"two in one trace", with(
				span("x", "r", "bake", KindInternal, 0, 9), span("xa", "x", "api", KindInternal, 0, 9), span("xb", "x", "web", KindInternal, 0, 9),
				span("a1", "xa", solveMethod, KindClient, 1, 8), span("a2", "a1", solveMethod, KindServer, 1, 8), step("a3", "a2", "RUN a", 1, 8),
				span("b1", "xb", solveMethod, KindClient, 2, 9), span("b2", "b1", solveMethod, KindServer, 2, 9), step("b3", "b2", "RUN b", 2, 9),
				// The frontend's calls lie beside the solve.
				span("f", "xb", "moby.buildkit.v1.frontend.LLBBridge/Solve", KindServer, 2, 3), step("b4", "f", "load c", 2, 3),
			),
			[]string{"t-a2 ok 7s: RUN a executed 7s", "t-b2 ok 7s: RUN b executed 7s, load c executed 1s"},
		},
		{
			"the client's spans alone",
			[]Span{span("s1", "b", solveMethod, KindClient, 0, 9), step("v", "s1", "RUN a", 1, 2)},
			[]string{"t-s1 ok 9s: RUN a executed 1s"},
		},
		{
			"no solve",
			[]Span{step("v", "gone", "RUN a", 1, 2), step("w", "gone", "RUN b", 2, 4)},
			[]string{"t-v ok 3s: RUN a executed 1s, RUN b executed 2s"},
		},
		{
			"remote parents",
			[]Span{
				span("s", "gone", solveMethod, KindServer, 0, 9), step("v", "s", "RUN a", 1, 2), step("w", "lost", "load b", 0.5, 1),
			},
			[]string{"t-s ok 9s: load b executed 500ms, RUN a executed 1s"},
		},
		{
			"copies",
			[]Span{
				span("s", "", solveMethod, KindServer, 0, 9), step("v", "s", "RUN a", 1, 2), step("v", "s", "RUN a", 1, 2),
				failed(step("v", "s", "RUN a", 1, 2), "exit code: 1"),
			},
			[]string{"t-s failed 9s: RUN a failed 1s"},
		},
		{
			"errors that are none",
			[]Span{
				span("s", "", solveMethod, KindServer, 0, 9), step("v", "s", "RUN a", 1, 2),
				failed(span("x", "s", "moby.filesync.v1.FileSend/DiffCopy", KindClient, 1, 2), "context canceled"),
			},
			[]string{"t-s ok 9s: RUN a executed 1s"},
		},
		{
			"exporter fails",
			[]Span{
				span("s", "", solveMethod, KindServer, 0, 9), step("v", "s", "RUN a", 1, 2),
				failed(span("x", "s", "exporting to image", KindInternal, 2, 3), "denied"),
			},
			[]string{"t-s failed 9s: RUN a executed 1s, exporting to image failed 1s"},
		},
		{
			"a vertex that failed, and was not needed",
			[]Span{
				span("s", "", solveMethod, KindServer, 0, 9), failed(step("w", "s", "load b", 1, 2), "denied"), step("v", "s", "RUN a", 1, 4),
				span("x", "s", "exporting to image", KindInternal, 4, 5),
			},
			[]string{"t-s ok 9s: load b failed 1s, RUN a executed 3s, exporting to image executed 1s"},
		},
		{
			"a vertex that failed after another export",
			[]Span{
				span("s", "", solveMethod, KindServer, 0, 9), failed(step("v", "s", "RUN a", 4, 8), "denied"), span("x", "s", "exporting to image", KindInternal, 2, 3),
			},
			[]string{"t-s failed 9s: exporting to image executed 1s, RUN a failed 4s"},
		},
		{
			"a vertex that failed, and the call",
			[]Span{
				failed(span("s", "", solveMethod, KindServer, 0, 9), "denied"), failed(step("v", "s", "RUN a", 1, 2), "denied"), span("x", "s", "exporting to image", KindInternal, 4, 5),
			},
			[]string{"t-s failed 9s: RUN a failed 1s, exporting to image executed 1s"},
		},
		{
			"a vertex that failed, and then ran through",
			[]Span{
				span("s", "", solveMethod, KindServer, 0, 9), failed(step("v", "s", "RUN a", 1, 2), "context canceled"), step("w", "s", "RUN a", 3, 5),
			},
			[]string{"t-s ok 9s: RUN a executed 2s"},
		},
		{
			"an application's export",
			[]Span{span("s", "", "GET /report", KindServer, 0, 9), by("shop", span("x", "s", "exporting to pdf", KindInternal, 2, 3))},
			nil,
		},
		{
			"another builder's export",
			[]Span{by("dagger", span("s", "", "dagger call build", KindInternal, 0, 9)), by("dagger", span("x", "s", "exporting to image", KindInternal, 2, 3))},
			nil,
		},
		{
			"an application's export beside a build",
			[]Span{
				by("ci", span("j", "", "job", KindInternal, 0, 20)), by("ci", span("p", "s", "exporting to pdf", KindInternal, 2, 3)),
				by("buildkitd", span("s", "j", solveMethod, KindServer, 0, 9)), by("buildkitd", step("v", "s", "RUN a", 1, 2)), by("buildkitd", span("x", "s", "exporting to image", KindInternal, 4, 5)),
			},
			[]string{"t-s ok 9s: RUN a executed 1s, exporting to image executed 1s"},
		},
		{
			"BuildKit's service alone",
			[]Span{by("dockerd", span("x", "gone", "exporting to image", KindInternal, 4, 5))},
			[]string{"t-x ok 1s: exporting to image executed 1s"},
		},
		{
			"a daemon with a name of its own",
			[]Span{by("pool-3", step("v", "gone", "RUN a", 1, 2)), by("pool-3", span("x", "gone", "exporting to image", KindInternal, 4, 5))},
			[]string{"t-v ok 4s: RUN a executed 1s, exporting to image executed 1s"},
		},
		{
			"a loop of parents",
			[]Span{
				span("s", "v", solveMethod, KindServer, 0, 9), step("v", "w", "RUN a", 1, 2), step("w", "s", "RUN b", 1, 2), span("self", "self", "x", KindInternal, 0, 1),
			},
			[]string{"t-s ok 9s: RUN a executed 1s, RUN b executed 1s"},
		},
		{
			"clock going backwards",
			[]Span{span("s", "", solveMethod, KindServer, 9, 0), step("v", "s", "RUN a", 2, 1)},
			[]string{"t-s ok 0s: RUN a executed 0s"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			builds, _ := Builds(tt.spans)
			var got []string
			for _, b := range builds {
				got = append(got, summary(b))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The corner of a graph is no vertex of a build.
func TestVertexAttribute(t *testing.T) {
	for value, want := range map[string]bool{
		"sha256:0aba639170099baee1b5916bf449d6cb5dc33cc72fce875bf8c50fe6a4eb763d": true,
		"sha512:0a": true, "17": false, "a:1": false, "sha256:": false, "sha256:top left": false, "": false,
	} {
		var s Span
		if s.Set("vertex", value); (s.Vertex != "") != want {
			t.Errorf("%q: vertex %q", value, s.Vertex)
		}
	}
}

func TestCodeOfCall(t *testing.T) {
	for value, want := range map[string]int{"OK": 0, "0": 0, "": 0, "CANCELLED": 1, "INVALID_ARGUMENT": 2, "13": 13} {
		var s Span
		if s.Set("rpc.response.status_code", value); s.Code != want {
			t.Errorf("%q: code %d, want %d", value, s.Code, want)
		}
	}
}

func TestNoBuild(t *testing.T) {
	var spans []Span
	for i := range 24 {
		spans = append(spans, by("shop", span(fmt.Sprint(i), "r", "SELECT", KindClient, 0, 1)))
	}
	spans = append(spans, by("shop", span("r", "", "POST /cart", KindServer, 0, 1)), by("shop", span("r", "", "POST /cart", KindServer, 0, 1)))
	for want, list := range map[string][]Span{
		"25 spans by service `shop`, root `POST /cart`; no BuildKit build in it": spans,
		"1 span, root `a'b`; no BuildKit build in it":                            {span("1", "gone", "a`b", KindUnknown, 0, 1)},
		"5 spans by service `b`, `a`, `c` and 1 more, root `x`; no BuildKit build in it": {
			by("a", span("1", "", "x", KindUnknown, 0, 1)), by("b", span("2", "1", "x", KindUnknown, 0, 1)), by("b", span("3", "1", "x", KindUnknown, 0, 1)),
			by("c", span("4", "1", "x", KindUnknown, 0, 1)), by("d", span("5", "1", "x", KindUnknown, 0, 1)),
		},
	} {
		if got := NoBuild(list); got.Error() != want || !errors.Is(got, fetch.ErrNoBuilds) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}

// TestPush checks that layers fetched for an export are no push, and that a
// question for another repository is none either.
func TestPush(t *testing.T) {
	request := func(id, method, url string, from, to float64) Span {
		s := span(id, "x", "HTTP "+method, KindClient, from, to)
		s.Method, s.URL = method, url
		return s
	}
	builds, _ := Builds([]Span{
		span("s", "", solveMethod, KindServer, 0, 20), step("v", "s", "RUN a", 0, 1), span("x", "s", "exporting to image", KindInternal, 1, 11),
		request("1", "GET", "r/v2/base/blobs/sha256:1", 2, 3), request("2", "HEAD", "r/v2/base/manifests/1", 3, 4),
		request("3", "HEAD", "r/v2/app/blobs/sha256:2", 5, 6), request("4", "POST", "r/v2/app/blobs/uploads/", 6, 7),
		request("5", "PUT", "r/v2/app/manifests/1", 8, 9),
	})
	const want = "t-s ok 20s: RUN a executed 1s, exporting to image executed 6s, pushing r/app executed 4s"
	if got := summary(builds[0]); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestBounds(t *testing.T) {
	var p Progress
	for i := range MaxVertices {
		if err := p.Vertex(Vertex{Digest: fmt.Sprintf("sha256:%064x", i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Vertex(Vertex{Digest: "one more"}); err == nil {
		t.Error("no bound on vertices")
	}
	p = Progress{}
	_ = p.Vertex(Vertex{Digest: "v", Name: "RUN a", Error: "exit code: 1"})
	for i := range 100_000 {
		p.Log(Log{Vertex: "v", Data: fmt.Appendf(nil, "\x1b[1mline\x1b[0m %d\rover %d\r\n", i, i)})
	}
	b, _ := p.Build(Metadata{Ref: "r"})
	if n := len(b.Log); n != MaxLogLines || b.Log[n-1] != "over 99999" {
		t.Errorf("%d lines, the last %q", n, b.Log[n-1])
	}
}
