package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/dockerfile"
)

// Findings lead to the trace and to the comparison, in every format; an address
// that could do more than that leads nowhere.
func TestLinks(t *testing.T) {
	const trace, compare = "https://jaeger.example/trace/0a?uiFind=7f", "https://jaeger.example/trace/0b...0a?cohort=0b&cohort=0a"
	for _, test := range []struct {
		name           string
		trace, compare string
		shown          []string
	}{
		{"both", trace, compare, []string{trace, compare}},
		{"none", "", "", nil},
		{"script", "javascript:alert(1)", "https://x.example/)[a](b", nil},
		{"markup", "https://x.example/><b>", "https://x.example/::error::x", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			step := detect.StepResult{Key: "RUN a", Name: "RUN a", Status: detect.StatusSlower, Current: 2}
			step.Links.Trace, step.Links.Compare = test.trace, test.compare
			r := detect.Report{Verdict: detect.Regressed, Results: []detect.Result{{Verdict: detect.Regressed, Steps: []detect.StepResult{step}}}}
			var text, markdown bytes.Buffer
			if err := Text(&text, &r, TextOptions{}); err != nil {
				t.Fatal(err)
			}
			if err := Markdown(&markdown, &r, Code{}); err != nil {
				t.Fatal(err)
			}
			for _, url := range test.shown {
				if !strings.Contains(text.String(), url) {
					t.Errorf("text does not lead to %s:\n%s", url, &text)
				}
				if !strings.Contains(markdown.String(), "](<"+url+">)") {
					t.Errorf("Markdown does not lead to %s:\n%s", url, &markdown)
				}
			}
			if n := strings.Count(markdown.String(), "](<"); n != len(test.shown) {
				t.Errorf("%d links, want %d:\n%s", n, len(test.shown), &markdown)
			}
		})
	}
}

// Markdown leads to the line of the Dockerfile and to the revisions, at the revision that was
// judged: where the build is one of the repository that the CI system builds.
func TestMarkdownLeadsToTheCode(t *testing.T) {
	const rev = "3f9c2ab41d0e8857c1f0a9b2d3e4f50617283940"
	markdown := func(in Code, change func(*detect.Result)) string {
		r := steeredResult()
		r.Steps[3].Source = dockerfile.Position{File: "images/web/Dockerfile", Line: 16}
		r.Steps[3].Causes = []detect.Explanation{{Kind: detect.KindCopiedFiles, Certainty: detect.Likely, Text: "`src/main.go` changed in `9ab3c2f`, and this step reads it"}}
		change(&r)
		return MarkdownWithin(reportOf(r), in, 65_000)
	}
	nothing := func(*detect.Result) {}
	text := markdown(shop, nothing)
	for _, want := range []string{
		"See [`images/web/Dockerfile:16`](<https://github.com/acme/shop/blob/" + rev + "/images/web/Dockerfile#L16>).",
		" changed in [9ab3c2f](<https://github.com/acme/shop/commit/9ab3c2f>), and",
		"since [3f9c2ab41d](<https://github.com/acme/shop/commit/3f9c2ab41d>)",
		"level shifted since [77b0c2ab41](<https://github.com/acme/shop/commit/77b0c2ab41>): 8s",
		" at [3f9c2ab41d](<",
		"**Next: begin with the likely cause: `src/main.go` changed in [9ab3c2f](<https://github.com/acme/shop/commit/9ab3c2f>), and this step reads it.**",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it lacks %q:\n%s", want, text)
		}
	}
	gitlab := Code{Repositories: []string{"Acme/Shop"}, Files: "https://gitlab.example/acme/shop/-/blob/", Commits: "https://gitlab.example/acme/shop/-/commit/"}
	if text := markdown(gitlab, nothing); !strings.Contains(text, "](<https://gitlab.example/acme/shop/-/blob/"+rev+"/images/web/Dockerfile#L16>)") {
		t.Errorf("GitLab is not led to:\n%s", text)
	}
	for name, change := range map[string]func(*detect.Result){
		"another repository":    func(r *detect.Result) { r.Build.Repository = "eve/shop" },
		"no repository":         func(r *detect.Result) { r.Build.Repository = "" },
		"uncommitted changes":   func(r *detect.Result) { r.Build.Revision += "-dirty" },
		"no commit":             func(r *detect.Result) { r.Build.Revision = "../../evil" },
		"a file outside":        func(r *detect.Result) { r.Steps[3].Source.File = "../Dockerfile" },
		"a file with a command": func(r *detect.Result) { r.Steps[3].Source.File = "a::error::b" },
	} {
		if text := markdown(shop, change); strings.Contains(text, "acme/shop/blob/") {
			t.Errorf("%s: a link to a file:\n%s", name, text)
		}
	}
	odd := markdown(shop, func(r *detect.Result) { r.Steps[3].Source.File = "a b)](x)/#`<Dockerfile" })
	if want := "/blob/" + rev + "/a%20b%29%5D%28x%29/%23%60%3CDockerfile#L16>)"; !strings.Contains(odd, want) && strings.Contains(odd, "/blob/") {
		t.Errorf("a file of an odd name:\n%s", odd)
	}
}
