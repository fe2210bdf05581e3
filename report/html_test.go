package report

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
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
	"html": "lang", "head": "", "title": "", "style": "", "body": "", "main": "", "section": "id", "meta": "charset http-equiv content name",
	"h1": "class", "h2": "", "p": "class", "code": "", "b": "class", "strong": "", "pre": "tabindex", "ul": "", "li": "", "div": "class tabindex role aria-label",
	"table": "class", "thead": "", "tbody": "", "tr": "class", "th": "scope class colspan", "td": "class data-label", "span": "class", "details": "class", "summary": "",
	"a": "href rel class", "script": "type",
	"svg":  "id class width height y viewBox preserveAspectRatio role aria-label data-track data-top",
	"rect": "class x y width height fill fill-opacity",
	"path": "class d fill fill-opacity stroke stroke-width stroke-linecap vector-effect",
	"text": "class x y text-anchor font-size fill data-at",
}

var here = regexp.MustCompile(`^#p\d+(t\d+)?$`)

var hashes = regexp.MustCompile(`sha256-[^']*`)

// goldenPage compares a page but for its style and script, which stand in files of their own.
func goldenPage(t *testing.T, name, text string) {
	t.Helper()
	golden(t, "html/"+name+".html", strings.NewReplacer(pageStyle, "", pageScript, "").Replace(hashes.ReplaceAllString(text, "sha256-")))
}

// checkPage tells what a page holds that it must not: anything that runs but its own script,
// or asks for something, by itself; and what its policy would refuse.
func checkPage(t *testing.T, name, text string) (words string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	policy, style, script := "", "", ""
	var visible strings.Builder
	ids := map[string]bool{}
	for n := range root.Descendants() {
		if n.Type == html.TextNode && n.Parent.Data != "script" && n.Parent.Data != "style" {
			visible.WriteString(n.Data + " ")
		}
		if n.Type != html.ElementNode {
			continue
		}
		attributes, known := allowed[n.Data]
		if !known {
			t.Errorf("%s: an element %s", name, n.Data)
		}
		for _, a := range n.Attr {
			if !strings.Contains(" "+attributes+" ", " "+a.Key+" ") {
				t.Errorf("%s: %s has %s=%q", name, n.Data, a.Key, a.Val)
			}
			if a.Key == "href" && !strings.HasPrefix(a.Val, "https://") && !strings.HasPrefix(a.Val, "http://") && !here.MatchString(a.Val) {
				t.Errorf("%s: a link to %q", name, a.Val)
			}
			if a.Key == "content" && strings.HasPrefix(a.Val, "default-src") {
				policy = a.Val
			}
			if a.Key == "id" {
				if ids[a.Val] {
					t.Errorf("%s: id %q twice", name, a.Val)
				}
				ids[a.Val] = true
			}
		}
		switch {
		case n.Data == "style":
			style += n.FirstChild.Data
		case n.Data == "script" && attribute(n, "type") == "application/json":
			if !json.Valid([]byte(n.FirstChild.Data)) {
				t.Errorf("%s: the data are no JSON", name)
			}
		case n.Data == "script":
			script += n.FirstChild.Data
		}
	}
	hash := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	if want := "default-src 'none'; style-src " + hash(style) + "; script-src " + hash(script) + "; base-uri 'none'; form-action 'none'"; policy != want {
		t.Errorf("%s: the policy is %q, want %q", name, policy, want)
	}
	if style != pageStyle || script != pageScript {
		t.Errorf("%s: another style or script", name)
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
			goldenPage(t, "regressed", text)
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
		history := render(t, func(w io.Writer) error { return HistoryHTML(w, h, HistoryOptions{}) })
		words := checkPage(t, text, history)
		if !strings.Contains(words, "RUN b: 12 s → 30 s (+18 s) since") && !strings.Contains(words, "12 s → 30 s (+18 s)") {
			t.Errorf("the shift is not told: %s", words)
		}
		compared := render(t, func(w io.Writer) error { return CompareHTML(w, compare.Of(&builds[0], &builds[39])) })
		checkPage(t, text, compared)
		if text == "plain" {
			goldenPage(t, "history", history)
			goldenPage(t, "compare", compared)
		}
		failed := namedBuild(text, 0)
		failed.Outcome, failed.Steps[1].State = timeline.Failed, timeline.StepFailed
		for _, b := range []timeline.Build{builds[0], failed, {}} {
			d := describe.Of(&b)
			d.Notes = []detect.Note{{Text: text}}
			checkPage(t, text, render(t, func(w io.Writer) error { return ShowHTML(w, d) }))
		}
	}
}
