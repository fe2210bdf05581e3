package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/buildregress/buildregress/detect"
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
			if err := Markdown(&markdown, &r); err != nil {
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
