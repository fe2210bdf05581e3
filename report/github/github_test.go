package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/report"
	"github.com/buildregress/buildregress/testdata/githubtest"
)

var began = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// clock tells a moment after the builds.
func clock() time.Time { return began.Add(time.Hour) }

// serve returns who posts to a GitHub with a token, and how long he was asked to wait.
func serve(t *testing.T, s *githubtest.Server, token string) (*Poster, *[]time.Duration) {
	t.Helper()
	return posterTo(t, s.URL, token, http.DefaultTransport)
}

func posterTo(t *testing.T, address, token string, transport http.RoundTripper) (*Poster, *[]time.Duration) {
	t.Helper()
	base, err := url.Parse(address + "/")
	if err != nil {
		t.Fatal(err)
	}
	c := github.NewClient(&http.Client{Transport: transport}).WithAuthToken(token)
	c.BaseURL = base
	owner, repo, _ := strings.Cut(githubtest.Repository, "/")
	var waits []time.Duration
	return &Poster{Client: c, Owner: owner, Repo: repo, Now: clock, Wait: func(ctx context.Context, d time.Duration) error {
		waits = append(waits, d)
		return ctx.Err()
	}}, &waits
}

// finding is that builds of pipelines, of one bake, are slower.
func finding(pipelines ...string) report.Comment { return saying("slower", pipelines...) }

func saying(text string, pipelines ...string) report.Comment {
	return report.Comment{Group: "ci", Create: true, Parts: []report.Part{{
		Pipelines: pipelines, Began: began, Verdict: detect.Regressed, Title: text, Line: strings.Join(pipelines, "+") + " " + text, Body: "about " + text + "\n\n",
	}}}
}

// quiet is what makes no comment.
func quiet(c report.Comment) report.Comment {
	c.Create = false
	return c
}

// since is a comment on a build that began so much later.
func since(c report.Comment, later time.Duration) report.Comment {
	c.Parts = slices.Clone(c.Parts)
	c.Parts[0].Began = c.Parts[0].Began.Add(later)
	return c
}

// old is what a comment looks like that another process has made.
func old(c report.Comment) string { return c.Join(maxComment) }

var lines = regexp.MustCompile(`(?m)^<(?:details><summary|p)>(.*?)<`)

// bodies are the comments on pull request 7: of each its title, or the lines of several
// parts.
func bodies(s *githubtest.Server) (list []string) {
	for _, c := range s.Comments {
		if c.Number != 7 {
			continue
		}
		body := c.Body
		if first, rest, found := strings.Cut(body, " -->\n### "); found && strings.HasPrefix(first, "<!-- buildregress ") {
			body, _, _ = strings.Cut(rest, "\n")
			if all := lines.FindAllStringSubmatch(rest, -1); len(all) > 0 {
				var texts []string
				for _, m := range all {
					texts = append(texts, m[1])
				}
				body = strings.Join(texts, ", ")
			}
		}
		list = append(list, c.User.Login+": "+body)
	}
	return list
}

func post(t *testing.T, p *Poster, c report.Comment) string {
	t.Helper()
	address, err := p.Comment(t.Context(), 7, c)
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func wantBodies(t *testing.T, s *githubtest.Server, want ...string) {
	t.Helper()
	if got := bodies(s); !slices.Equal(got, want) {
		t.Errorf("comments are %q, want %q", got, want)
	}
}

const bot = "github-actions[bot]: "

func TestCommentIsMadeOnceAndEdited(t *testing.T) {
	s := githubtest.New(t, clock)
	p, _ := serve(t, s, "writer")
	if address := post(t, p, quiet(finding("app"))); address != "" {
		t.Errorf("address %q of no comment", address)
	}
	wantBodies(t, s)
	first := post(t, p, finding("app"))
	p, _ = serve(t, s, "writer") // another process
	resolved := since(quiet(saying("resolved", "app")), time.Hour)
	if second := post(t, p, resolved); second != first || first == "" {
		t.Errorf("addresses %q and %q, want one", first, second)
	}
	wantBodies(t, s, bot+"resolved")
	edits := s.Comments[0].Edits
	p, waits := serve(t, s, "writer")
	post(t, p, resolved)
	if s.Comments[0].Edits != edits || len(*waits) > 0 {
		t.Errorf("what says the same already was edited, or waited for %v", *waits)
	}
}

func TestPipelinesShareAComment(t *testing.T) {
	s := githubtest.New(t, clock)
	p, _ := serve(t, s, "writer")
	post(t, p, finding("web"))
	first := s.Comments[0].Body
	post(t, p, saying("other", "api", "worker"))
	wantBodies(t, s, bot+"api+worker other, web slower")
	if body := s.Comments[0].Body; !strings.Contains(body, "### 2 builds regressed\n") || !strings.Contains(body, "about slower") || !strings.Contains(body, "about other") {
		t.Errorf("the comment says\n%s", body)
	}
	// A target more is the same bake.
	post(t, p, saying("three", "api", "worker", "cron"))
	wantBodies(t, s, bot+"api+worker+cron three, web slower")
	// Another workflow has its own.
	other := finding("web")
	other.Group = "nightly"
	post(t, p, other)
	if len(s.Comments) != 2 || strings.HasPrefix(s.Comments[1].Body, first[:40]) {
		t.Errorf("comments are %q", bodies(s))
	}
}

func TestCommentOfAnotherPageIsFound(t *testing.T) {
	s := githubtest.New(t, clock)
	s.PerPage = 3
	for i := range 10 {
		s.AddComment(7, "octocat", fmt.Sprint("comment ", i))
	}
	p, _ := serve(t, s, "writer")
	post(t, p, finding("app"))
	post(t, p, saying("again", "app"))
	if got := bodies(s); len(got) != 11 || got[10] != bot+"again" {
		t.Errorf("comments are %q", got)
	}
}

func TestMarkerOfAnotherAuthorIsNotOurs(t *testing.T) {
	for _, test := range []struct {
		name, token, author string
		graphQL, ours       bool
	}{
		{"a person's", "writer", "mallory", false, false},
		{"another bot's", "writer", "echo[bot]", false, false},
		{"another bot's, with GraphQL", "writer", "echo[bot]", true, false},
		{"that of nobody", "writer", "", false, false},
		{"the workflow's own", "writer", "github-actions[bot]", false, true},
		{"a person's own", "person", "octocat", false, true},
		{"the workflow's, seen by a person", "person", "github-actions[bot]", false, false},
		{"an app's own", "app", "builder[bot]", true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := githubtest.New(t, clock)
			s.GraphQL = test.graphQL
			s.AddComment(7, test.author, old(saying("old", "app")))
			p, _ := serve(t, s, test.token)
			post(t, p, saying("new", "app"))
			if ours := s.Comments[0].Edits == 1; ours != test.ours || len(s.Comments) == 1 != test.ours {
				t.Errorf("comments are %q, edited: %v, want %v", bodies(s), ours, test.ours)
			}
		})
	}
}

// A marker within a text is a quotation.
func TestMarkerStandsAtTheStart(t *testing.T) {
	s := githubtest.New(t, clock)
	s.AddComment(7, "github-actions[bot]", "> "+old(finding("app")))
	p, _ := serve(t, s, "writer")
	post(t, p, finding("app"))
	if len(s.Comments) != 2 || s.Comments[0].Edits != 0 {
		t.Errorf("comments are %q", bodies(s))
	}
}

func TestAppThatDoesNotKnowItselfLeavesOneComment(t *testing.T) {
	s := githubtest.New(t, clock)
	for i := range 3 {
		p, _ := serve(t, s, "app")
		post(t, p, saying(fmt.Sprint("push ", i), "app"))
	}
	wantBodies(t, s, "builder[bot]: push 2")
}

func TestDeletedCommentIsMadeAnew(t *testing.T) {
	for _, create := range []bool{true, false} {
		s := githubtest.New(t, clock)
		s.AddComment(7, "github-actions[bot]", old(saying("old", "app")))
		s.Fault = func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPatch {
				s.Comments = nil
			}
			return false
		}
		p, _ := serve(t, s, "writer")
		c := finding("app")
		c.Create = create
		post(t, p, c)
		if create {
			wantBodies(t, s, bot+"slower")
		} else {
			wantBodies(t, s)
		}
	}
}

func TestEditConflictIsTriedAgain(t *testing.T) {
	s := githubtest.New(t, clock)
	s.AddComment(7, "github-actions[bot]", old(saying("old", "app")))
	s.Fault = once(http.MethodPatch, func(w http.ResponseWriter) { githubtest.Refuse(w, http.StatusConflict, "Conflict") })
	p, _ := serve(t, s, "writer")
	post(t, p, finding("app"))
	wantBodies(t, s, bot+"slower")
}

// once is a fault in the first request of a method.
func once(method string, fault func(http.ResponseWriter)) func(http.ResponseWriter, *http.Request) bool {
	done := false
	return func(w http.ResponseWriter, r *http.Request) bool {
		if done || r.Method != method {
			return false
		}
		done = true
		fault(w)
		return true
	}
}

// What began later has the last word, however late the other comes.
func TestOlderBuildDoesNotOverwrite(t *testing.T) {
	s := githubtest.New(t, clock)
	p, _ := serve(t, s, "writer")
	post(t, p, since(saying("newer", "app"), time.Minute))
	post(t, p, finding("app"))
	wantBodies(t, s, bot+"newer")
}

// GitHub made the comment, and its answer got lost.
func TestCommentWhoseAnswerWasLostIsNotMadeTwice(t *testing.T) {
	s := githubtest.New(t, clock)
	s.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/comments") || len(s.Comments) > 0 {
			return false
		}
		s.AddComment(7, "github-actions[bot]", old(finding("app")))
		githubtest.Refuse(w, http.StatusBadGateway, "Bad Gateway")
		return true
	}
	p, _ := serve(t, s, "writer")
	if address := post(t, p, finding("app")); address != s.Comments[0].HTMLURL {
		t.Errorf("address %q, want %q", address, s.Comments[0].HTMLURL)
	}
	wantBodies(t, s, bot+"slower")
}

func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		name, token string
		status      int
		want        string
	}{
		{"token that may only read", "reader", 0, "comment on the pull request: 403 Resource not accessible by integration"},
		{"no token that is known", "stolen", 0, "list the comments on the pull request: 401 Bad credentials"},
		{"no such repository", "writer", http.StatusNotFound, "list the comments on the pull request: 404 no TOKEN=*****"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := githubtest.New(t, clock)
			if test.status != 0 {
				s.Fault = once(http.MethodGet, func(w http.ResponseWriter) { githubtest.Refuse(w, test.status, "no TOKEN=hunter2secret") })
			}
			p, waits := serve(t, s, test.token)
			_, err := p.Comment(t.Context(), 7, finding("app"))
			e := new(Error)
			if !errors.As(err, &e) || !e.Refused() || err.Error() != test.want {
				t.Errorf("%v, want %q", err, test.want)
			}
			if len(*waits) > 0 {
				t.Errorf("waited for %v", *waits)
			}
		})
	}
}

func TestWhatFailedInPassingIsTriedAgain(t *testing.T) {
	for _, test := range []struct {
		method string
		post   func(*Poster) error
	}{
		{http.MethodPost, func(p *Poster) error { _, err := p.Comment(t.Context(), 7, finding("app")); return err }},
		{http.MethodPatch, func(p *Poster) error { _, err := p.Comment(t.Context(), 8, finding("app")); return err }},
		{http.MethodPost, func(p *Poster) error { _, err := p.CheckRun(t.Context(), check(1)); return err }},
	} {
		s := githubtest.New(t, clock)
		s.AddComment(8, "github-actions[bot]", old(saying("old", "app")))
		s.Fault = once(test.method, func(w http.ResponseWriter) { githubtest.Refuse(w, http.StatusBadGateway, "Bad Gateway") })
		p, waits := serve(t, s, "writer")
		p.login = "github-actions[bot]"
		if err := test.post(p); err != nil || len(*waits) == 0 || (*waits)[0] < time.Second {
			t.Errorf("%s: %v, waited for %v", test.method, err, *waits)
		}
	}
}

func TestGivesUp(t *testing.T) {
	for status, wantWaits := range map[int]int{http.StatusInternalServerError: tries - 1, http.StatusTooManyRequests: 0, http.StatusUnprocessableEntity: 0} {
		s := githubtest.New(t, clock)
		s.Fault = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodGet {
				return false
			}
			githubtest.Refuse(w, status, "no")
			return true
		}
		p, waits := serve(t, s, "writer")
		_, err := p.Comment(t.Context(), 7, finding("app"))
		e := new(Error)
		if !errors.As(err, &e) || e.Refused() || e.Status != status || len(*waits) != wantWaits {
			t.Errorf("%v after waits of %v", err, *waits)
		}
	}
}

// What cannot be edited, however often it is tried, is an error and not a comment.
func TestCommentThatCannotBeEdited(t *testing.T) {
	for _, status := range []int{http.StatusConflict, http.StatusNotFound, http.StatusBadGateway, http.StatusForbidden} {
		s := githubtest.New(t, clock)
		s.AddComment(7, "github-actions[bot]", old(saying("old", "app")))
		s.Fault = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPatch {
				return false
			}
			githubtest.Refuse(w, status, "no")
			return true
		}
		p, _ := serve(t, s, "writer")
		address, err := p.Comment(t.Context(), 7, finding("app"))
		if e := new(Error); !errors.As(err, &e) || e.Status != status || address != "" {
			t.Errorf("%d: address %q, %v", status, address, err)
		}
		wantBodies(t, s, bot+"old")
	}
}

func TestErrorsNameNoAddress(t *testing.T) {
	p, _ := posterTo(t, "http://127.0.0.1:1", "secret", http.DefaultTransport)
	_, err := p.Comment(t.Context(), 7, finding("app"))
	if err == nil || strings.Contains(err.Error(), "http") {
		t.Errorf("%v", err)
	}
}

func annotations(n int) (list []report.Annotation) {
	for i := range n {
		list = append(list, report.Annotation{File: "Dockerfile", Line: i + 1, Level: report.Level(i % 3), Title: "Slower", Message: fmt.Sprint("step ", i)})
	}
	return list
}

func check(n int) report.CheckRun {
	return report.CheckRun{
		Name: "buildregress (app)", Commit: strings.Repeat("a", 40), Conclusion: report.ConclusionFailure, Title: "Regressed", Summary: "### Regressed",
		Address: "https://github.com/shop/app/actions/runs/1", Began: began, Annotations: annotations(n),
	}
}

func TestCheckRunBatches(t *testing.T) {
	for n, want := range map[int][]int{0: {0}, 50: {50}, 51: {50, 1}, 120: {50, 50, 20}, 9999: {50, 50, 50, 50, 50}} {
		s := githubtest.New(t, clock)
		p, _ := serve(t, s, "writer")
		address, err := p.CheckRun(t.Context(), check(n))
		if err != nil || len(s.Checks) != 1 {
			t.Fatalf("%d annotations: %d check runs, %v", n, len(s.Checks), err)
		}
		c := s.Checks[0]
		if !slices.Equal(c.Batches, want) || address != c.HTMLURL || c.Status != "completed" || c.Conclusion != "failure" {
			t.Errorf("%d annotations came in %v, want %v: %+v", n, c.Batches, want, c)
		}
		if said := strings.Contains(c.Output.Summary, "9749 more findings"); said != (n == 9999) {
			t.Errorf("%d annotations: summary %q", n, c.Output.Summary)
		}
		for i, a := range c.Annotations {
			if a.Message != fmt.Sprint("step ", i) {
				t.Errorf("annotation %d is %q", i, a.Message)
			}
		}
	}
}

func TestCheckRunWithoutItsAnnotations(t *testing.T) {
	s := githubtest.New(t, clock)
	p, _ := serve(t, s, "writer")
	c := check(3)
	c.Annotations[1].Line = 0
	address, err := p.CheckRun(t.Context(), c)
	if part := new(report.PartError); !errors.As(err, &part) || address == "" || len(s.Checks) != 1 || len(s.Checks[0].Annotations) != 0 {
		t.Errorf("%q, %v, %d check runs", address, err, len(s.Checks))
	}
	s.Fault = once(http.MethodPatch, func(w http.ResponseWriter) { githubtest.Refuse(w, http.StatusNotFound, "gone") })
	address, err = p.CheckRun(t.Context(), check(60))
	if part := new(report.PartError); !errors.As(err, &part) || address == "" || len(s.Checks[1].Annotations) != 50 {
		t.Errorf("%q, %v", address, err)
	}
}
