package report

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/buildregress/buildregress/detect"
)

const commentLimit = 65_000

// later is a moment after all builds of fixtures.
var later = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)

// shop is the code that fixtures were made of.
var shop = Code{Repositories: []string{"acme/shop"}, Files: "https://github.com/acme/shop/blob/", Commits: "https://github.com/acme/shop/commit/"}

// commentOn is what is said of results, as one job says it.
func commentOn(t testing.TB, asked bool, results ...detect.Result) Comment {
	t.Helper()
	c, ok := CommentOn(reportOf(results...), CommentOptions{Code: shop, Asked: asked, Now: later, Limit: commentLimit})
	if !ok {
		t.Fatal("nothing is said")
	}
	c.Group, c.Address = "ci", "https://ci.example/runs/7"
	return c
}

// of is a result as one of another pipeline, that began so much later.
func of(r detect.Result, pipeline string, after time.Duration) detect.Result {
	r.Build.Pipeline, r.Build.Start = pipeline, r.Build.Start.Add(after)
	return r
}

var firstLine = regexp.MustCompile(`\A<!-- buildregress [0-9a-f]{16} [0-9a-f]{32} [A-Za-z0-9+/=]+ -->\n`)

// visible is a comment without its first line, which people do not see, and whose times and
// sums would hide in a golden file what changes.
func visibleIn(t testing.TB, body string) string {
	t.Helper()
	first := firstLine.FindString(body)
	if first == "" {
		t.Fatalf("it begins with no line that is hidden:\n%s", body)
	}
	between := strings.Fields(first)[3]
	return strings.ReplaceAll(strings.TrimPrefix(body, first), between, "…")
}

func TestCommentIsMadeForWhatCostsEveryBuild(t *testing.T) {
	of := func(verdicts ...detect.Verdict) *detect.Report {
		r := &detect.Report{}
		for i, v := range verdicts {
			r.Results = append(r.Results, detect.Result{Verdict: v, Build: detect.BuildInfo{Pipeline: fmt.Sprint(i), Start: epoch.Add(time.Duration(i) * time.Hour)}})
		}
		sum := detect.NewReport(r.Results, nil, nil)
		return &sum
	}
	lost := func(lasting bool) *detect.Report {
		r := of(detect.Pass)
		r.Results[0].Cache.Losses = []detect.CacheLoss{{Lasting: lasting}}
		return r
	}
	for _, test := range []struct {
		name                       string
		report                     *detect.Report
		asked                      bool
		says, creates, hasResolved bool
	}{
		{name: "regressed", report: of(detect.Regressed), says: true, creates: true},
		{name: "one of three regressed", report: of(detect.Pass, detect.Regressed, detect.Unjudged), says: true, creates: true},
		{name: "a cache lost in every build", report: lost(true), says: true, creates: true},
		{name: "a cache lost once", report: lost(false), says: true, hasResolved: true},
		{name: "unsure", report: of(detect.Unsure), says: true},
		{name: "passed", report: of(detect.Pass, detect.Pass), says: true, hasResolved: true},
		{name: "passed, and asked for", report: of(detect.Pass), asked: true, says: true, creates: true},
		{name: "not judged", report: of(detect.Unjudged)},
		{name: "one of two not judged", report: of(detect.Pass, detect.Unjudged), says: true},
		{name: "not judged, and asked for", report: of(detect.Unjudged), asked: true, says: true, creates: true},
		{name: "no build", report: of(), asked: true},
	} {
		c, ok := CommentOn(test.report, CommentOptions{Code: Code{}, Asked: test.asked, Now: later, Limit: commentLimit})
		if ok != test.says || ok && (c.Create != test.creates || strings.Contains(c.Join(commentLimit), "### Resolved") != test.hasResolved) {
			t.Errorf("%s: %v, made where there is none: %v\n%s", test.name, ok, c.Create, c.Join(commentLimit))
		}
	}
}

// A bake that is judged as one build has the place of its targets: the next one may be
// judged by each of them.
func TestCommentOfABake(t *testing.T) {
	whole := regressedResult()
	whole.Build.Pipeline, whole.Build.Targets = "shop", []string{"shop api", "shop web"}
	first := commentOn(t, false, whole).join()
	c := commentOn(t, false, of(regressedResult(), "shop api", time.Hour), of(passResult(), "shop web", time.Hour))
	text := c.Join(commentLimit, first)
	if !strings.Contains(text, "### 1 build regressed, 1 build passed\n") || strings.Count(text, "<details><summary><code>shop") != 2 {
		t.Errorf("it says\n%s", text)
	}
}

func (c Comment) join(bodies ...string) string { return c.Join(commentLimit, bodies...) }

func TestGoldenComments(t *testing.T) {
	slow, fine, lost, unsure := regressedResult(), passResult(), cacheLossResult(), suspectResult()
	for name, body := range map[string]string{
		"one":      commentOn(t, false, slow).join(),
		"resolved": commentOn(t, false, fine).join(commentOn(t, false, slow).join()),
		"several": commentOn(t, false, of(fine, "shop/docs", 0)).join(
			commentOn(t, false, of(slow, "shop/web", 0)).join(
				commentOn(t, false, of(unsure, "shop/api", 0)).join(
					commentOn(t, false, of(lost, "shop/worker", 0)).join()))),
	} {
		golden(t, "comment/"+name+".md", visibleIn(t, body))
	}
}

// However many jobs post, and in whichever order: what the comment says is the same, and of
// one job it is its report.
func TestCommentOfManyJobs(t *testing.T) {
	var jobs []Comment
	for i := range 20 {
		r := passResult()
		switch {
		case i%7 == 3:
			r = regressedResult()
			r.Steps[3].WallClockSeconds += sec(float64(i))
		case i%7 == 5:
			r = suspectResult()
		}
		jobs = append(jobs, commentOn(t, false, of(r, fmt.Sprintf("shop/image-%02d", i), 0)))
	}
	join := func(order []int) (body string) {
		for _, i := range order {
			body = jobs[i].join(body)
		}
		return body
	}
	order := make([]int, len(jobs))
	for i := range order {
		order[i] = i
	}
	want := join(order)
	slices.Reverse(order)
	if diff := cmp.Diff(want, join(order)); diff != "" {
		t.Errorf("in another order (-want +got): %s", diff)
	}
	lines := regexp.MustCompile(`(?m)^<details><summary><code>(shop/image-\d+)</code> (?:<b>)?(\w+)`).FindAllStringSubmatch(want, -1)
	var got []string
	for _, m := range lines {
		got = append(got, m[1]+" "+m[2])
	}
	worst := []string{"shop/image-17 Regressed", "shop/image-10 Regressed", "shop/image-03 Regressed", "shop/image-05 Unsure", "shop/image-12 Unsure", "shop/image-19 Unsure", "shop/image-00 Passed"}
	if len(got) != 20 || !slices.Equal(got[:7], worst) {
		t.Errorf("lines are %q", got)
	}
	if len(want) > commentLimit {
		t.Errorf("%d bytes", len(want))
	}
	for i := range jobs {
		if !jobs[i].Stands(want) {
			t.Errorf("job %d does not find itself", i)
		}
	}
	// Each has its newest word; an older one has none.
	resolved := commentOn(t, false, of(passResult(), "shop/image-17", time.Hour))
	text := resolved.join(want)
	if resolved.Stands(want) || !strings.Contains(text, "<code>shop/image-17</code> Passed") || !strings.Contains(text, "### 2 builds regressed, 3 builds unsure, 15 builds passed\n") {
		t.Errorf("it says\n%s", text)
	}
	if again := jobs[17].join(text); again != text || !jobs[17].Stands(text) {
		t.Errorf("an older build has the last word:\n%s", again)
	}
	// What is not judged leaves what was said.
	unjudged := commentOn(t, false, of(noHistoryResult(), "shop/image-10", time.Hour), of(passResult(), "shop/image-17", time.Hour))
	if got := unjudged.join(text); !strings.Contains(got, "<code>shop/image-10</code> <b>Regressed") {
		t.Errorf("it says\n%s", got)
	}
}

// What is too long for a comment goes: reports before lines, and those of the best builds
// before the others.
func TestCommentIsBounded(t *testing.T) {
	big := func(i int) Comment { // more than a third of what a comment may be
		r := of(manySteps(250), fmt.Sprintf("image-%03d", i), 0)
		r.Steps[5].WallClockSeconds += sec(float64(100 - i))
		return commentOn(t, false, r)
	}
	small := func(i int) Comment { return commentOn(t, false, of(passResult(), fmt.Sprintf("image-%03d", i), 0)) }
	three := big(0).join(big(2).join(big(1).join()))
	sixty := three
	for i := range 57 {
		sixty = small(i + 3).join(sixty)
	}
	var all Comment // of one job with many builds
	for i := range 300 {
		all.Parts = append(all.Parts, small(i+3).Parts...)
	}
	all.Group = "ci"
	most := all.join(three)
	for _, test := range []struct {
		body  string
		lines int
		says  string
	}{
		{three, 3, "The report on 1 build is left out here: a comment is limited in size"},
		{sixty, 60, "builds are left out here: a comment is limited in size"},
		{most, -1, "more builds left out here: a comment is limited in size"},
	} {
		if len(test.body) > commentLimit {
			t.Fatalf("%d bytes", len(test.body))
		}
		lines := strings.Count(test.body, "<code>image-")
		if lines != test.lines && (test.lines >= 0 || lines < 150) {
			t.Errorf("%d lines, want %d", lines, test.lines)
		}
		if !strings.Contains(test.body, test.says) || strings.Index(test.body, "<code>image-000</code> <b>Regressed") != strings.Index(test.body, "<code>image-") {
			t.Errorf("it says\n%.3000s\n…\n%s", test.body, test.body[len(test.body)-800:])
		}
		if first := big(0); !first.Stands(test.body) {
			t.Error("the worst is not found")
		}
	}
}

// What people or programs make of a comment is read without trouble, and what is sound in it
// stays.
func TestDamagedCommentIsRead(t *testing.T) {
	slow, fine := commentOn(t, false, of(regressedResult(), "web", 0)), commentOn(t, false, of(suspectResult(), "api", 0))
	both := fine.join(slow.join())
	first := firstLine.FindString(both)
	for name, test := range map[string]struct {
		body  string
		lines int // of web and api, after api has posted again
	}{
		"as it was":              {both, 2},
		"lines of the web":       {strings.ReplaceAll(both, "\n", "\r\n"), 2},
		"the first line alone":   {first, 2},
		"a quotation":            {"> " + both, 0},
		"no first line":          {strings.TrimPrefix(both, first), 0},
		"cut":                    {both[:len(first)-30], 0},
		"another group":          {strings.Replace(both, first[:34], "<!-- buildregress 0123456789abcdef ", 1), 0},
		"nothing in it":          {first[:67] + "W10= -->\n", 0},
		"a line with a line end": {first[:67] + "W3siayI6WyIwMTIzNDU2Nzg5YWJjZGVmIl0sImIiOjEsInYiOiJwYXNzIiwidCI6ImEiLCJsIjoiYVxuYiJ9XQ== -->\n", 0},
	} {
		text := fine.join(test.body)
		if lines := strings.Count(text, "<code>web</code>") + strings.Count(text, "<code>api</code>"); lines != test.lines {
			t.Errorf("%s: %d lines, want %d\n%s", name, lines, test.lines, text)
		}
		if again := fine.join(text); again != text {
			t.Errorf("%s: it is not the same when it is said again: %s", name, cmp.Diff(text, again))
		}
	}
}

// Nothing in a name comes alive in a comment of several jobs, nor changes what is read back.
func FuzzCommentStaysDead(f *testing.F) {
	for _, seed := range hostileSeeds {
		f.Add(seed)
	}
	render := func(t testing.TB, text string) string {
		c, _ := CommentOn(hostileReport(text), CommentOptions{Code: Code{}, Asked: true, Now: later, Limit: commentLimit})
		c.Group = text
		other, _ := CommentOn(reportOf(passOf("other")), CommentOptions{Code: Code{}, Asked: true, Now: later, Limit: commentLimit})
		other.Group = text
		body := other.join(c.Join(commentLimit))
		if again := c.Join(commentLimit, body); again != body {
			t.Errorf("%q is not read back: %s", text, cmp.Diff(body, again))
		}
		return body
	}
	harmless, _ := liveHTML(f, firstLine.ReplaceAllString(render(f, "RUN x"), ""))
	tags := func(all []string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(tag string) bool { return strings.HasPrefix(tag, "<!--") })
	}
	f.Fuzz(func(t *testing.T, text string) {
		body := render(t, text)
		if len(body) > commentLimit {
			t.Errorf("%d bytes", len(body))
		}
		if Clean(text) == "" {
			return // what is absent is left out, with its line
		}
		got, live := liveHTML(t, firstLine.ReplaceAllString(body, ""))
		if diff := cmp.Diff(tags(harmless), tags(got)); diff != "" {
			t.Errorf("%q changes the structure: %s", text, diff)
		}
		if found := reference.FindString(revision.ReplaceAllString(live, "$1 ")); found != "" {
			t.Errorf("%q makes a live %q", text, found)
		}
	})
}
