package buildkit

import (
	"strings"
	"testing"

	"github.com/buildregress/buildregress/detect/timeline"
)

func TestParseGitContext(t *testing.T) {
	sha := strings.Repeat("0a", 20)
	const shop = "https://github.com/acme/shop"
	for context, want := range map[string]GitContext{
		shop + ".git":                                {Repository: shop},
		shop + ".git#" + sha:                         {Repository: shop, Revision: sha},
		shop + ".git#" + sha + ":services/web":       {Repository: shop, Revision: sha, Folder: "services/web"},
		shop + ".git#:web/":                          {Repository: shop, Folder: "web"},
		shop + ".git#main:./web/../api":              {Repository: shop, Folder: "api"},
		shop + ".git#main:../../etc":                 {Repository: shop, Folder: "etc"},
		shop + ".git#refs/heads/a/b":                 {Repository: shop, Branch: "a/b"},
		shop + ".git#refs/pull/7/merge:web":          {Repository: shop, PullRequest: "7", Folder: "web"},
		shop + ".git#refs/tags/v1":                   {Repository: shop},
		shop + ".git?branch=dev&subdir=web":          {Repository: shop, Branch: "dev", Folder: "web"},
		shop + ".git?ref=refs/heads/x&commit=" + sha: {Repository: shop, Branch: "x", Revision: sha},
		"https://u:secret@git.example/g/s/r.git#x":   {Repository: "https://git.example/g/s/r"},
		"git@github.com:acme/shop.git#" + sha:        {Repository: shop, Revision: sha},
		"ssh://git@github.com/acme/shop.git":         {Repository: shop},
		"git://git.example/r#" + sha + ":a":          {Repository: "https://git.example/r", Revision: sha, Folder: "a"},
		"github.com/acme/shop#" + sha:                {Repository: shop, Revision: sha},
	} {
		if got, ok := ParseGitContext(context); !ok || got != want {
			t.Errorf("%s: %+v, %v; want %+v", context, got, ok, want)
		}
	}
	for _, context := range []string{"", ".", "services/web", "/home/me/shop.git", "-", "https://x.example/a.tar.gz", "https://x.example/a.tar.gz#b.git", "local", "a:b", "C:\\src"} {
		if got, ok := ParseGitContext(context); ok {
			t.Errorf("%q is the repository %+v", context, got)
		}
	}
}

func FuzzParseGitContext(f *testing.F) {
	f.Add("https://github.com/acme/shop.git?branch=%zz#refs/pull/7/merge:services/web")
	f.Add("git@github.com:acme/shop.git#:..")
	f.Fuzz(func(t *testing.T, context string) {
		g, ok := ParseGitContext(context)
		if ok && (g.Repository == "" || strings.HasPrefix(g.Folder, "/") || g.Folder == ".." || strings.HasPrefix(g.Folder, "../")) {
			t.Errorf("%q: %+v", context, g)
		}
		if !ok && g != (GitContext{}) {
			t.Errorf("%q is none, and is %+v", context, g)
		}
	})
}

// A progress log shows the context in the name of the vertex that loads it.
func TestGitContextOfProgress(t *testing.T) {
	sha := strings.Repeat("0a", 20)
	build := func(names ...string) timeline.Build {
		var p Progress
		for i, name := range names {
			if err := p.Vertex(Vertex{Digest: strings.Repeat("0", i+1), Name: name, Started: t0, Completed: t0.Add(1)}); err != nil {
				t.Fatal(err)
			}
		}
		b, _ := p.Build(Metadata{})
		return b
	}
	const one = "[internal] load git source https://github.com/acme/shop.git#"
	if b := build(one+sha, "[1/1] RUN make"); b.Repository != "https://github.com/acme/shop" || b.Revision != sha || b.Pipeline != "" {
		t.Errorf("%q at %q, pipeline %q", b.Repository, b.Revision, b.Pipeline)
	}
	if b := build(one+"refs/pull/7/merge", "[1/1] RUN make"); b.PullRequest != "7" || b.Branch != "" {
		t.Errorf("pull request %q, branch %q", b.PullRequest, b.Branch)
	}
	if b := build(one+sha, "[internal] load git source https://github.com/acme/lib.git", "[1/1] RUN make"); b.Repository != "" {
		t.Errorf("of two repositories it is %q", b.Repository)
	}
}

// In a trace the client's command names it.
func TestGitContextOfTrace(t *testing.T) {
	sha := strings.Repeat("0a", 20)
	spans := []Span{
		span("r", "", "build https://github.com/acme/shop.git#"+sha+":web", KindInternal, 0, 9),
		span("s", "r", solveMethod, KindServer, 1, 8), step("v1", "s", "[1/1] RUN a", 1, 3),
	}
	list, _ := Builds(spans)
	if len(list) != 1 || list[0].Repository != "https://github.com/acme/shop" || list[0].Revision != sha || list[0].Pipeline != "" {
		t.Errorf("%+v", list)
	}
	spans[0].Resource = map[string]string{"cicd.pipeline.name": "p", "vcs.repository.url.full": "https://git.example/o/r"}
	list, _ = Builds(spans)
	if len(list) != 1 || list[0].Repository != "https://git.example/o/r" || list[0].Revision != "" || list[0].Pipeline != "p" {
		t.Errorf("the attributes say otherwise: %+v", list)
	}
}

// A cache exporter that has a span is one in a trace too, and its failure none of the build.
func TestCacheExporterOfTrace(t *testing.T) {
	list, _ := Builds([]Span{
		span("s", "", solveMethod, KindServer, 1, 8), step("v1", "s", "[1/1] RUN a", 1, 3),
		span("e", "s", "exporting to image", KindInternal, 3, 4),
		failed(span("c", "s", "exporting to GitHub Actions Cache", KindInternal, 4, 7), "maximum timeout reached"),
	})
	if len(list) != 1 {
		t.Fatalf("%d builds", len(list))
	}
	last := list[0].Steps[len(list[0].Steps)-1]
	if list[0].Outcome != timeline.OK || last.ID != cacheExportID || last.Stage != cacheExportStage || last.State != timeline.StepFailed {
		t.Errorf("%v; %+v", list[0].Outcome, last)
	}
}
