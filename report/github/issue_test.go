package github

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/report"
	"github.com/buildregress/buildregress/testdata/githubtest"
)

// slower is the issue on a step that is slower on main, at a revision.
func slower(t *testing.T, step, revision string) report.Issue {
	t.Helper()
	r := detect.Result{Verdict: detect.Regressed, Build: detect.BuildInfo{Pipeline: "app", Origin: timeline.Origin{Branch: "main", Revision: revision}}}
	r.Steps = []detect.StepResult{{Key: step, Name: step, Status: detect.StatusSlower, Current: 2, Usual: 1}}
	list := report.IssuesOn(&detect.Report{Verdict: detect.Regressed, Results: []detect.Result{r}}, report.Code{}, "main", "", maxComment)
	if len(list) != 1 {
		t.Fatalf("%d issues", len(list))
	}
	return list[0]
}

func open(t *testing.T, s *githubtest.Server, i report.Issue) string {
	t.Helper()
	p, _ := serve(t, s, "writer")
	address, err := p.Issue(t.Context(), i)
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func TestIssueIsOpenedOnce(t *testing.T) {
	s := githubtest.New(t, clock)
	first := open(t, s, slower(t, "RUN a", "r1"))
	if len(s.Issues) != 1 || first != s.Issues[0].HTMLURL || s.Issues[0].State != "open" {
		t.Fatalf("%d issues, address %q", len(s.Issues), first)
	}
	for _, revision := range []string{"r1", "r2", "r2"} {
		if again := open(t, s, slower(t, "RUN a", revision)); again != first || len(s.Issues) != 1 {
			t.Fatalf("%s: %d issues, address %q", revision, len(s.Issues), again)
		}
	}
	if s.Issues[0].Edits != 1 {
		t.Errorf("%d edits, want one for another revision", s.Issues[0].Edits)
	}
	// A person closes it: it stays closed, and the same is not told again.
	s.Issues[0].State = "closed"
	if open(t, s, slower(t, "RUN a", "r2")); len(s.Issues) != 1 || s.Issues[0].State != "closed" {
		t.Errorf("%d issues, the first is %s", len(s.Issues), s.Issues[0].State)
	}
	open(t, s, slower(t, "RUN a", "r9"))
	open(t, s, slower(t, "RUN b", "r9"))
	if len(s.Issues) != 3 {
		t.Errorf("%d issues, want one more of a later slowdown, and one of another step", len(s.Issues))
	}
}

// What others write does not count, whatever it says.
func TestIssueOfAnotherAuthorIsNotOurs(t *testing.T) {
	s := githubtest.New(t, clock)
	mine := slower(t, "RUN a", "r1")
	p, _ := serve(t, s, "person")
	if _, err := p.Issue(t.Context(), mine); err != nil {
		t.Fatal(err)
	}
	if open(t, s, mine); len(s.Issues) != 2 {
		t.Errorf("%d issues", len(s.Issues))
	}
}

func TestIssueWhoseAnswerWasLostIsNotOpenedTwice(t *testing.T) {
	s := githubtest.New(t, clock)
	i := slower(t, "RUN a", "r1")
	s.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/issues") || len(s.Issues) > 0 {
			return false
		}
		lost := &githubtest.Issue{Number: 5, Title: i.Title, Body: i.WithMark(), State: "open", HTMLURL: "https://github.com/shop/app/issues/5"}
		lost.User.Login = "github-actions[bot]"
		s.Issues = append(s.Issues, lost)
		githubtest.Refuse(w, http.StatusBadGateway, "Bad Gateway")
		return true
	}
	if address := open(t, s, i); address != "https://github.com/shop/app/issues/5" || len(s.Issues) != 1 {
		t.Errorf("%d issues, address %q", len(s.Issues), address)
	}
}

// Two jobs find the same at once: both have looked before one opens an issue.
func TestIssuesOpenedAtOnce(t *testing.T) {
	s := githubtest.New(t, clock)
	listed := new(sync.WaitGroup)
	listed.Add(2)
	var all sync.WaitGroup
	for range 2 {
		p, _ := posterTo(t, s.URL, "writer", &barrier{listed: listed})
		all.Go(func() {
			if _, err := p.Issue(t.Context(), slower(t, "RUN a", "r1")); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if len(s.Issues) != 2 || s.Issues[0].State != "open" || s.Issues[1].State != "closed" || s.Issues[1].StateReason != "not_planned" {
		t.Errorf("issues %+v", s.Issues)
	}
}

// A barrier lets the first POST of an issue through once all others are at theirs.
type barrier struct {
	listed *sync.WaitGroup
	once   sync.Once
}

func (b *barrier) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/issues") {
		b.once.Do(func() {
			b.listed.Done()
			b.listed.Wait()
		})
	}
	return http.DefaultTransport.RoundTrip(r)
}
