package cli

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/internal/cli/clitest"
	"github.com/buildregress/buildregress/testdata/githubtest"
	gh "github.com/google/go-github/v60/github"
)

// commitOf is the revision of build number n.
func commitOf(n int) string { return fmt.Sprintf("%040x", n) }

// withReads gives builds commits, and steps of which compiling reads src.
func withReads(list []timeline.Build, repository string) []timeline.Build {
	for i := range list {
		b := &list[i]
		b.Revision, b.Repository, b.Facts = commitOf(int(b.Start.Sub(clitest.Start).Hours())), repository, &timeline.Facts{Text: "t"}
		for k := range b.Steps {
			b.Steps[k].Facts = &timeline.StepFacts{Op: "o"}
			if strings.HasSuffix(b.Steps[k].Name, "compile") {
				b.Steps[k].Facts.Reads = []string{"/src"}
			}
		}
	}
	return list
}

// Where the checkout lacks the commits, as that of a workflow does, GitHub says which files
// changed; of a fork's, it alone does.
func TestChangedFilesOfGitHub(t *testing.T) {
	files := func(names ...string) (list []*gh.CommitFile) {
		for _, name := range names {
			list = append(list, &gh.CommitFile{Filename: &name})
		}
		return list
	}
	const likely = "Likely: `src/slow.go` changed in `" + "0000000" + "`, and this step reads it."
	for _, test := range []struct {
		name       string
		repository string
		comparison *githubtest.Comparison
		token      string
		says       string
	}{
		{"ahead", "shop/app", &githubtest.Comparison{Status: "ahead", Files: files("docs/x.md", "src/slow.go")}, "writer", likely},
		{"a fork's", "fork/app", &githubtest.Comparison{Status: "diverged", Files: files("src/slow.go")}, "reader", likely},
		{"renamed", "shop/app", &githubtest.Comparison{Status: "ahead", Files: []*gh.CommitFile{{Filename: new("docs/x"), PreviousFilename: new("src/slow.go")}}}, "writer", likely},
		{"nothing that it reads", "shop/app", &githubtest.Comparison{Status: "ahead", Files: files("docs/x.md")}, "writer", "Nothing that the records hold has changed"},
		{"the older one", "shop/app", &githubtest.Comparison{Status: "behind"}, "writer", "which files changed is not known"},
		{"too many", "shop/app", &githubtest.Comparison{Status: "ahead", Files: files(strings.Fields(strings.Repeat("src/slow.go ", 300))...)}, "writer", "which files changed is not known"},
		{"not there", "shop/app", nil, "writer", "which files changed is not known"},
		{"no token", "shop/app", &githubtest.Comparison{Status: "ahead", Files: files("src/slow.go")}, "", "which files changed is not known"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorkflow(t)
			w.event(`{"number":7,"pull_request":{"head":{"sha":"` + commitOf(20) + `","ref":"x","repo":{"full_name":"` + test.repository + `"}},
				"base":{"ref":"main","repo":{"full_name":"shop/app"}}},"repository":{"full_name":"shop/app","default_branch":"main"}}`)
			w.vars["GITHUB_TOKEN"] = test.token
			if test.comparison != nil {
				w.github.Comparisons = map[[2]string]githubtest.Comparison{{commitOf(9), commitOf(20)}: *test.comparison}
			}
			w.write("main.jsonl", withReads(clitest.Builds(0, 10, "main", nil), "shop/app"))
			w.write("new.jsonl", withReads(clitest.Builds(20, 1, "x", map[string]float64{"compile": 60}), test.repository))
			out, _ := w.judge(1, 20, "--comment", "never", "--check-run", "never", "--summary", "never")
			if text := strings.Join(strings.Fields(out), " "); !strings.Contains(text, test.says) {
				t.Errorf("it says\n%s\nwant %q", out, test.says)
			}
			compare := regexp.MustCompile(`^GET /repos/shop/app/compare/[0-9a-f]{40}\.\.\.[0-9a-f]{40}\?`)
			asked := 0
			for _, request := range w.github.Requests() {
				if compare.MatchString(request) {
					asked++
				}
			}
			if asked > 10 || (asked > 0) != (test.token != "") {
				t.Errorf("GitHub was asked %d times", asked)
			}
		})
	}
}

// A GitHub that fails is not asked again, and the report is as without it.
func TestChangedFilesOfGitHubThatFails(t *testing.T) {
	w := newWorkflow(t)
	asked := 0
	w.github.Fault = func(rw http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/compare/") {
			return false
		}
		asked++
		githubtest.Refuse(rw, http.StatusUnprocessableEntity, "no")
		return true
	}
	w.write("main.jsonl", withReads(clitest.Builds(0, 10, "main", nil), "shop/app"))
	w.write("new.jsonl", withReads(clitest.Builds(20, 1, "x", map[string]float64{"compile": 60}), "shop/app"))
	out, _ := w.judge(1, 20, "--comment", "never", "--check-run", "never", "--summary", "never")
	if text := strings.Join(strings.Fields(out), " "); asked != 1 || !strings.Contains(text, "which files changed is not known (it reads `src`)") {
		t.Errorf("asked %d times; it says\n%s", asked, out)
	}
}
