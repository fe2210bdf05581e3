package report

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/compare"
	"github.com/buildregress/buildregress/detect/course"
	"github.com/buildregress/buildregress/detect/describe"
	"github.com/buildregress/buildregress/detect/timeline"
	"golang.org/x/net/html"
)

// hostileTexts try to leave the place where they stand.
var hostileTexts = []string{
	`</title></style><script>alert(1)</script><img src=x onerror=alert(1)>`,
	`"><svg onload=alert(1)>`, `' style='x' onmouseover='alert(1)`, `javascript:alert(1)`, `{{.}}<!--`, `]]>&lt;script&gt;`,
}

// allowed are the elements that pages are made of, with the attributes that each may have.
var allowed = map[string]string{
	"html": "lang", "head": "", "title": "", "style": "", "body": "", "main": "", "section": "", "meta": "charset http-equiv content name",
	"h1": "class", "h2": "", "p": "class", "code": "", "pre": "tabindex", "ul": "", "li": "", "div": "class tabindex role aria-label",
	"table": "", "thead": "", "tbody": "", "tr": "class", "th": "scope class colspan", "td": "class data-label", "span": "class", "details": "", "summary": "",
	"a":   "href rel",
	"svg": "class viewBox preserveAspectRatio role aria-label", "rect": "class x y width height fill fill-opacity",
	"polyline": "class points fill stroke stroke-width vector-effect",
}

// checkPage tells what a page holds that it must not: anything that runs, or asks for
// something, by itself; and what its policy would refuse.
func checkPage(t *testing.T, name, text string) (words string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	policy, style := "", ""
	var visible strings.Builder
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.TextNode {
			visible.WriteString(n.Data + " ")
		}
		if n.Type == html.ElementNode {
			attributes, known := allowed[n.Data]
			if !known {
				t.Errorf("%s: an element %s", name, n.Data)
			}
			for _, a := range n.Attr {
				if !strings.Contains(" "+attributes+" ", " "+a.Key+" ") {
					t.Errorf("%s: %s has %s=%q", name, n.Data, a.Key, a.Val)
				}
				if a.Key == "href" && !strings.HasPrefix(a.Val, "https://") && !strings.HasPrefix(a.Val, "http://") {
					t.Errorf("%s: a link to %q", name, a.Val)
				}
				if a.Key == "content" && strings.HasPrefix(a.Val, "default-src") {
					policy = a.Val
				}
			}
			if n.Data == "style" && n.FirstChild != nil {
				style = n.FirstChild.Data
			}
		}
		for c := range n.ChildNodes() {
			walk(c)
		}
	}
	walk(root)
	sum := sha256.Sum256([]byte(style))
	if want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "';"; !strings.HasPrefix(policy, want) {
		t.Errorf("%s: the policy is %q, want %q first", name, policy, want)
	}
	if strings.Contains(style, "url(") || strings.Contains(style, "@import") {
		t.Errorf("%s: the style asks for something", name)
	}
	return visible.String()
}

// Every report is a page that asks for nothing and in which names are text.
func TestHTMLIsInert(t *testing.T) {
	all := fixtures()
	for _, text := range hostileTexts {
		all = append(all, fixture{"hostile " + text, hostileReport(text)})
	}
	for _, f := range all {
		text := render(t, func(w io.Writer) error { return HTML(w, f.report) })
		words := checkPage(t, f.name, text)
		if strings.HasPrefix(f.name, "hostile <") && !strings.Contains(words, "<script>alert(1)</script>") {
			t.Errorf("%s: the name is not shown", f.name)
		}
		if f.name == "regressed" {
			golden(t, "html/regressed.html", text)
			for _, want := range []string{"Regressed: 1 step is slower", "RUN npm ci ◆", "slower ×1.5", "39–46 s", "builds before, 61 s now"} {
				if !strings.Contains(words+text, want) {
					t.Errorf("the page does not say %q", want)
				}
			}
		}
	}
}

// namedBuild is a build all of whose texts are one.
func namedBuild(text string, at int) timeline.Build {
	start := time.Date(2026, 1, 1, 0, at, 0, 0, time.UTC)
	b := timeline.Build{
		ID: fmt.Sprint(text, at), Pipeline: text, Start: start, Duration: 20 * time.Second, Error: text, Log: []string{text},
		Origin: timeline.Origin{Repository: text, Revision: text, Branch: text, PullRequest: text, URL: text, Runner: text},
		Steps: []timeline.Step{
			{Key: "[a] RUN " + text, Name: "[a 1/2] RUN " + text, Stage: text, Index: 1, Count: 2, Start: start, Duration: 8 * time.Second, Bytes: 1 << 20},
			{Key: "[a] RUN b", Name: "[a 2/2] RUN b", Stage: "a", Index: 2, Count: 2, Start: start.Add(8 * time.Second), Duration: 12 * time.Second, Error: text},
		},
	}
	if at > 20 {
		b.Steps[1].Duration, b.Duration = 30*time.Second, 38*time.Second
	}
	return b
}

// So are single builds and histories, failed ones too.
func TestOtherPagesAreInert(t *testing.T) {
	for _, text := range append(hostileTexts, "plain") {
		var builds []timeline.Build
		for i := range 40 {
			builds = append(builds, namedBuild(text, i))
		}
		h := &course.Report{Results: []course.Course{*course.Follow(builds, detect.Thresholds{})}, Notes: []detect.Note{{Text: text}}}
		if n := len(h.Results[0].WallClock.Shifts); n != 1 {
			t.Fatalf("%d shifts", n)
		}
		words := checkPage(t, text, render(t, func(w io.Writer) error { return HistoryHTML(w, h, HistoryOptions{}) }))
		if !strings.Contains(words, "RUN b: 12 s → 30 s (+18 s) since") && !strings.Contains(words, "12 s → 30 s (+18 s)") {
			t.Errorf("the shift is not told: %s", words)
		}
		checkPage(t, text, render(t, func(w io.Writer) error { return CompareHTML(w, compare.Of(&builds[0], &builds[39])) }))
		failed := namedBuild(text, 0)
		failed.Outcome, failed.Steps[1].State = timeline.Failed, timeline.StepFailed
		for _, b := range []timeline.Build{builds[0], failed, {}} {
			d := describe.Of(&b)
			d.Notes = []detect.Note{{Text: text}}
			checkPage(t, text, render(t, func(w io.Writer) error { return ShowHTML(w, d) }))
		}
	}
}
