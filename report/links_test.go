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
		name  string
		links detect.Links
		shown []string
	}{
		{"both", detect.Links{Trace: trace, Compare: compare}, []string{trace, compare}},
		{"none", detect.Links{}, nil},
		{"script", detect.Links{Trace: "javascript:alert(1)", Compare: "https://x.example/)[a](b"}, nil},
		{"markup", detect.Links{Trace: "https://x.example/><b>", Compare: "https://x.example/::error::x"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := detect.Report{Verdict: detect.Regressed, Results: []detect.Result{{
				Verdict: detect.Regressed,
				Steps:   []detect.StepResult{{Key: "RUN a", Name: "RUN a", Status: detect.StatusSlower, Current: 2, Links: test.links}},
			}}}
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
