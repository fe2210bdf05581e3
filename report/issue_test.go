package report

import (
	"strings"
	"testing"

	"github.com/buildregress/buildregress/detect"
)

// onMain is a result of a build of main in which steps are slower since revisions.
func onMain(revision string, since map[int]string) detect.Result {
	r := passResult()
	r.Verdict, r.Build.Branch, r.Build.PullRequest, r.Build.Revision = detect.Regressed, "main", "", revision
	for at, first := range since {
		s := &r.Steps[at]
		s.Status, s.Current, s.Delta, s.Ratio, s.WallClockSeconds = detect.StatusSlower, 2*s.Usual, s.Usual, 2, s.Usual
		if first != "" {
			s.Evidence = detect.Evidence{Builds: 2, Slow: 2, Since: first}
		}
	}
	return r
}

func issueOn(t *testing.T, r detect.Result) Issue {
	t.Helper()
	list := IssuesOn(reportOf(r), shop, "main", "https://ci.example/runs/7", commentLimit)
	if len(list) != 1 {
		t.Fatalf("%d issues", len(list))
	}
	return list[0]
}

const (
	first  = "1111111111111111111111111111111111111111"
	second = "2222222222222222222222222222222222222222"
	third  = "3333333333333333333333333333333333333333"
)

func TestGoldenIssue(t *testing.T) {
	i := issueOn(t, onMain(second, map[int]string{3: first}))
	golden(t, "issue.md", i.Title+"\n\n"+i.Body)
}

// A slowdown is told once: while the issue is open of whatever build, and once it is closed of
// those in which it was seen; another slowdown of the same step is told anew.
func TestSlowdownIsToldOnce(t *testing.T) {
	one := issueOn(t, onMain(first, map[int]string{3: ""}))
	told := func(i Issue, body string, open bool) (bool, string) {
		steps, after := i.Told(body, open)
		return i.IsTold(steps), after
	}
	body := one.WithMark()
	if ok, after := told(one, body, true); !ok || after != body {
		t.Errorf("it does not know itself, or changes:\n%s", after)
	}
	next := issueOn(t, onMain(second, map[int]string{3: first}))
	ok, body := told(next, body, true)
	if !ok || !strings.HasSuffix(body, one.Body) {
		t.Errorf("the next build is told as another:\n%s", body)
	}
	// The revision since which it is slower has moved on, to one that was seen.
	if ok, _ := told(issueOn(t, onMain(third, map[int]string{3: second})), body, false); !ok {
		t.Error("a slowdown whose issue was closed is told again")
	}
	if ok, after := told(issueOn(t, onMain(third, map[int]string{3: ""})), body, false); ok || after != body {
		t.Error("another slowdown of the step is not told")
	}
	if ok, _ := told(issueOn(t, onMain(third, map[int]string{3: ""})), body, true); !ok {
		t.Error("another slowdown of the step is told while the issue on it is open")
	}
	both := issueOn(t, onMain(second, map[int]string{3: first, 5: ""}))
	steps, _ := both.Told(body, true)
	if len(steps) != 1 || both.IsTold(steps) {
		t.Errorf("of two steps %q are told", steps)
	}
	renamed := onMain(second, map[int]string{3: first})
	renamed.Build.Pipeline = "other"
	if ok, _ := told(issueOn(t, renamed), body, true); ok {
		t.Error("the slowdown of another pipeline is told")
	}
	for _, odd := range []string{"", "> " + body, strings.Replace(body, "/", "", 1), strings.Replace(body, "-->", "", 1)} {
		if ok, after := told(one, odd, true); ok || after != odd {
			t.Errorf("it is told by %q", odd)
		}
	}
	for range 200 { // it does not grow without end
		next.found = append(next.found, sighting{next.found[0].step, keysOf([]string{body})[0]})
		if _, body = told(next, body, true); len(body) > len(one.Body)+maxIssueMark {
			t.Fatalf("%d bytes", len(body))
		}
	}
}

// Only what is proven on the branch itself is worth an issue.
func TestNoIssue(t *testing.T) {
	for name, change := range map[string]func(*detect.Result){
		"a suspect":           func(r *detect.Result) { *r = suspectResult(); r.Build.Branch, r.Build.PullRequest = "main", "" },
		"at little cost":      func(r *detect.Result) { r.Verdict = detect.Pass },
		"a pull request":      func(r *detect.Result) { r.Build.PullRequest = "7" },
		"another branch":      func(r *detect.Result) { r.Build.Branch = "x" },
		"no revision":         func(r *detect.Result) { r.Build.Revision = "" },
		"a budget":            func(r *detect.Result) { r.Steps[3].Status = detect.StatusOverBudget },
		"what was not judged": func(r *detect.Result) { *r = noHistoryResult(); r.Build.Branch, r.Build.PullRequest = "main", "" },
	} {
		r := onMain(first, map[int]string{3: ""})
		change(&r)
		if list := IssuesOn(reportOf(r), shop, "main", "", commentLimit); len(list) > 0 {
			t.Errorf("%s: %+v", name, list)
		}
	}
}

func FuzzIssueStaysDead(f *testing.F) {
	for _, seed := range hostileSeeds {
		f.Add(seed)
	}
	f.Add("$\\`") // which no quotation marks hold
	f.Fuzz(func(t *testing.T, text string) {
		r := hostileReport(text)
		r.Results[0].Build.PullRequest = ""
		list := IssuesOn(r, Code{}, r.Results[0].Build.Branch, "", commentLimit)
		if len(list) == 0 {
			return
		}
		i := list[0]
		if n := len([]rune(i.Title)); n > maxTitle || n == 0 || strings.ContainsAny(i.Title, "\r\n") {
			t.Errorf("title %q", i.Title)
		}
		if _, live := liveHTML(t, i.Title); strings.TrimSpace(text) == text && reference.MatchString(revision.ReplaceAllString(live, "$1 ")) {
			t.Errorf("title %q makes a live %q", i.Title, live)
		}
		if len(i.WithMark()) > commentLimit {
			t.Errorf("%d bytes", len(i.WithMark()))
		}
		_, live := liveHTML(t, strings.TrimPrefix(i.WithMark(), markOf(i.found)))
		if found := reference.FindString(revision.ReplaceAllString(live, "$1 ")); found != "" {
			t.Errorf("%q makes a live %q", text, found)
		}
		if steps, after := i.Told(i.WithMark(), true); !i.IsTold(steps) || after != i.WithMark() {
			t.Errorf("%q does not know itself", text)
		}
	})
}
