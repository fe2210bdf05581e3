package file

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/builds/buildtest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// decodeOne reads the build of a record.
func decodeOne(t *testing.T, r buildtest.Record) timeline.Build {
	t.Helper()
	if r.Ref == "" {
		r.Ref = "ref"
	}
	if r.Start.IsZero() {
		r.Start = noon
	}
	if r.Vertices == nil {
		r.Vertices = []buildtest.Vertex{{Name: "[2/2] RUN make", To: 5}}
	}
	list, warnings, err := Decode(t.Context(), "f", r.File(t))
	if err != nil || len(list) != 1 || len(warnings) > 0 {
		t.Fatalf("%d builds, %v, %v", len(list), warnings, err)
	}
	if err := buildtest.Check(&list[0]); err != nil {
		t.Error(err)
	}
	fetch.Normalize(&list[0])
	return list[0]
}

// Whatever makes another image of a repository makes another pipeline, and nothing else
// does.
func TestPipelinesOfRecords(t *testing.T) {
	sha := strings.Repeat("0a", 20)
	git := "https://github.com/acme/mono.git#" + sha
	local := func(more ...string) map[string]string {
		attributes := map[string]string{"vcs:source": "https://github.com/acme/mono.git", "vcs:revision": sha}
		for i := 0; i < len(more); i += 2 {
			attributes[more[i]] = more[i+1]
		}
		return attributes
	}
	for _, tt := range []struct {
		attributes map[string]string
		want       string
	}{
		{map[string]string{"context": git}, "acme/mono Dockerfile"},
		{map[string]string{"context": git + ":services/web"}, "acme/mono services/web/Dockerfile"},
		{map[string]string{"context": git + ":services/api", "filename": "ci/Dockerfile"}, "acme/mono services/api/ci/Dockerfile"},
		{map[string]string{"context": git, "filename": "services/web/Dockerfile", "target": "test"}, "acme/mono services/web/Dockerfile test"},
		{local("vcs:localdir:dockerfile", "services/web"), "acme/mono services/web/Dockerfile"},
		{local("vcs:localdir:dockerfile", "services/web", "vcs:localdir:context", "services"), "acme/mono services/web/Dockerfile"},
		{local("vcs:localdir:dockerfile", "services/web", "vcs:localdir:context", "."), "acme/mono services/web/Dockerfile"},
		{local("vcs:localdir:dockerfile", "docker", "vcs:localdir:context", "services/api"), "acme/mono docker/Dockerfile (services/api)"},
		{local("platform", "linux/amd64"), "acme/mono Dockerfile"},
		{local("platform", "linux/arm64", "target", "test"), "acme/mono Dockerfile linux/arm64 test"},
		{local("platform", "linux/amd64,linux/arm64"), "acme/mono Dockerfile"},
		{map[string]string{"context": "https://x.example/a.tar.gz"}, ""},
	} {
		b := decodeOne(t, buildtest.Record{Attributes: tt.attributes})
		if b.Pipeline != tt.want {
			t.Errorf("%v is of pipeline %q, want %q", tt.attributes, b.Pipeline, tt.want)
		}
		if tt.want != "" && (b.Repository != "acme/mono" || b.Revision != sha) {
			t.Errorf("%v is %s of %s", tt.attributes, b.Revision, b.Repository)
		}
	}
}

// A context that was asked for by a name is of the commit that the provenance states.
func TestRevisionOfGitContext(t *testing.T) {
	sha := strings.Repeat("0b", 20)
	const uri = "https://github.com/acme/mono.git#refs/pull/7/merge:web"
	source := map[string]any{"uri": uri, "digest": map[string]string{"sha1": sha}}
	for version, provenance := range map[string]any{
		"v0.2": map[string]any{"invocation": map[string]any{"configSource": source}},
		"v1":   map[string]any{"buildDefinition": map[string]any{"externalParameters": map[string]any{"configSource": source}}},
	} {
		b := decodeOne(t, buildtest.Record{Attributes: map[string]string{"context": uri}, Provenance: provenance})
		if b.Revision != sha || b.PullRequest != "7" || b.Branch != "" || b.Pipeline != "acme/mono web/Dockerfile" {
			t.Errorf("%s: %q of pull request %q, branch %q, pipeline %q", version, b.Revision, b.PullRequest, b.Branch, b.Pipeline)
		}
	}
	source["uri"] = "https://github.com/acme/other.git"
	b := decodeOne(t, buildtest.Record{
		Attributes: map[string]string{"context": "https://github.com/acme/mono.git#refs/heads/main"},
		Provenance: map[string]any{"invocation": map[string]any{"configSource": source}},
	})
	if b.Revision != "" || b.Branch != "main" {
		t.Errorf("%q of branch %q: another repository's commit is none of this one", b.Revision, b.Branch)
	}
}

// The bodies of heredocs come from the Dockerfile in the provenance.
func TestBodiesOfRecords(t *testing.T) {
	const text = "FROM alpine\nRUN <<EOT\nset -ex\nmake a\nEOT\nRUN <<EOT\nset -ex\nmake b\nEOT\nRUN make c\n"
	vertices := []buildtest.Vertex{
		{Name: "[2/4] RUN <<EOT (set -ex...)", Salt: "a", To: 1},
		{Name: "[3/4] RUN <<EOT (set -ex...)", Salt: "b", From: 1, To: 2},
		{Name: "[4/4] RUN make c", From: 2, To: 3},
	}
	mapping, locations := map[string]string{}, map[string]any{}
	for i, lines := range [][2]int{{2, 5}, {6, 9}, {10, 10}} {
		step := string(rune('x' + i))
		mapping[vertices[i].Digest()] = step
		at := map[string]any{"start": map[string]int{"line": lines[0]}, "end": map[string]int{"line": lines[1]}}
		locations[step] = map[string]any{"locations": []any{map[string]any{"ranges": []any{at}}}}
	}
	b := decodeOne(t, buildtest.Record{Vertices: vertices, Provenance: map[string]any{
		"buildConfig": map[string]any{"digestMapping": mapping},
		"metadata": map[string]any{"https://mobyproject.org/buildkit@v1#metadata": map[string]any{"source": map[string]any{
			"locations": locations,
			"infos":     []any{map[string]string{"filename": "Dockerfile", "data": base64.StdEncoding.EncodeToString([]byte(text))}},
		}}},
	}})
	first, second, third := &b.Steps[0], &b.Steps[1], &b.Steps[2]
	if first.Key != second.Key || first.Body == "" || second.Body == "" || first.Body == second.Body || third.Body != "" {
		t.Errorf("bodies %q, %q and %q, keys %q and %q", first.Body, second.Body, third.Body, first.Key, second.Key)
	}
	if first.Text != "RUN <<EOT set -ex make a EOT" || second.Text != "RUN <<EOT set -ex make b EOT" || third.Text != "" {
		t.Errorf("texts %q, %q and %q", first.Text, second.Text, third.Text)
	}
	if first.Source.Line != 2 || second.Source.Line != 6 {
		t.Errorf("lines %d and %d", first.Source.Line, second.Source.Line)
	}
}

// A cache that could not be written is no failure where the build went on.
func TestIgnoredCacheExport(t *testing.T) {
	b := decodeOne(t, buildtest.Record{Vertices: []buildtest.Vertex{
		{Name: "[2/2] RUN make", To: 5},
		{Name: "exporting to image", From: 5, To: 6},
		{Name: "exporting to GitHub Actions Cache", From: 6, To: 9, Error: "maximum timeout reached"},
	}})
	last := b.Steps[len(b.Steps)-1]
	if b.Outcome != timeline.OK || last.State != timeline.StepFailed || last.Stage != "cache export" {
		t.Errorf("%v: %v; the export of the cache is %v, stage %q", b.Outcome, b.Error, last.State, last.Stage)
	}
}

// The records of two nodes have one ref.
func TestNodes(t *testing.T) {
	node := func(platform string, took float64) buildtest.Record {
		return buildtest.Record{
			Ref: "ref", Start: noon, Attributes: map[string]string{"vcs:source": "https://github.com/acme/app", "platform": platform},
			Vertices: []buildtest.Vertex{{Name: "[2/2] RUN make", Salt: platform, To: took}},
		}
	}
	a, b := node("linux/amd64", 5), node("linux/arm64", 9)
	list, _, err := Decode(t.Context(), "f", zipOf(map[string][]byte{"a": a.File(t), "b": b.File(t)}))
	if err != nil {
		t.Fatal(err)
	}
	list, clashes := fetch.Distinct(list)
	if len(list) != 2 || len(clashes) != 0 || list[0].Pipeline == list[1].Pipeline {
		t.Errorf("%d builds, %v", len(list), clashes)
	}
}

// Of a build in a repository that has no remote, it is known what was built.
func TestImageOfNoRepository(t *testing.T) {
	for _, tt := range []struct {
		attributes map[string]string
		image      string
	}{
		{map[string]string{}, "Dockerfile"},
		{map[string]string{"filename": "Dockerfile.api", "target": "test"}, "Dockerfile.api test"},
		{map[string]string{"vcs:localdir:dockerfile": "docker", "vcs:localdir:context": "services/api", "platform": "linux/arm64"}, "docker/Dockerfile (services/api) linux/arm64"},
	} {
		if b := decodeOne(t, buildtest.Record{Attributes: tt.attributes}); b.Pipeline != "" || b.Image != tt.image {
			t.Errorf("%v: pipeline %q, image %q; want %q", tt.attributes, b.Pipeline, b.Image, tt.image)
		}
	}
	b := decodeOne(t, buildtest.Record{Attributes: map[string]string{"vcs:source": "https://github.com/acme/shop.git", "target": "test"}})
	if b.Pipeline != "acme/shop Dockerfile test" || b.Image != "" {
		t.Errorf("pipeline %q, image %q", b.Pipeline, b.Image)
	}
}
