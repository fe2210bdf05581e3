package cli

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/internal/cli/clitest"
	"github.com/buildregress/buildregress/internal/command"
	"github.com/buildregress/buildregress/testdata/githubtest"
)

func TestPostsARegressionAndResolvesIt(t *testing.T) {
	w := newWorkflow(t)
	w.check(command.ExitVerdict, 20, slowCompile, "--output", "json="+filepath.Join(w.dir, "result.json"))
	if len(w.github.Comments) != 1 || len(w.github.Checks) != 1 {
		t.Fatalf("%d comments, %d check runs, want one of each", len(w.github.Comments), len(w.github.Checks))
	}
	comment, check := w.github.Comments[0], w.github.Checks[0]
	if comment.Number != 7 {
		t.Errorf("commented on pull request %d", comment.Number)
	}
	contains(t, "comment", comment.Body, "### Regressed: 1 step is slower", "`RUN make compile` is slower",
		"[`Dockerfile:11`](<https://github.com/shop/app/blob/"+headCommit+"/Dockerfile#L11>)", "(https://github.com/shop/app/actions/runs/12)")
	if check.HeadSHA != headCommit || check.Conclusion != "failure" || check.Name != "buildregress (app)" || check.Output.Title != "Regressed: 1 step is slower, +49 s of wall clock" {
		t.Errorf("check run %+v", check)
	}
	if len(check.Annotations) != 1 || check.Annotations[0].StartLine != 11 || check.Annotations[0].Level != "failure" {
		t.Errorf("annotations %+v", check.Annotations)
	}
	contains(t, "summary", w.file("GITHUB_STEP_SUMMARY"), "### Regressed")
	want := map[string]string{
		"verdict": "regressed", "regressions": "1", "comment-url": comment.HTMLURL, "report-json": filepath.Join(w.dir, "result.json"), "report-html": "",
	}
	if got := w.outputs(); !maps.Equal(got, want) {
		t.Errorf("outputs %v, want %v", got, want)
	}

	_, stderr := w.check(command.ExitOK, 21, nil)
	if len(w.github.Comments) != 1 {
		t.Fatalf("%d comments, want one", len(w.github.Comments))
	}
	contains(t, "comment", w.github.Comments[0].Body, "### Resolved", "Passed: no step is slower")
	if c := w.github.Checks[1]; c.Conclusion != "success" || len(c.Annotations) > 0 {
		t.Errorf("check run %+v", c)
	}
	if strings.Contains(stderr, "warning") {
		t.Errorf("all is well, and it says\n%s", stderr)
	}
}

// Images of one workflow have one comment with a line each, whether one job judges them or
// each has its own; another workflow has another.
func TestImagesOfAWorkflowShareAComment(t *testing.T) {
	w := newWorkflow(t)
	w.vars["GITHUB_WORKFLOW_REF"] = "shop/app/.github/workflows/images.yml@refs/pull/7/merge"
	named := func(list []timeline.Build, name string) []timeline.Build {
		for i := range list {
			list[i].Pipeline, list[i].ID = name, name+list[i].ID
		}
		return list
	}
	var main, some []timeline.Build
	for _, name := range []string{"web", "api", "cron"} {
		main = append(main, named(clitest.Builds(0, 10, "main", nil), name)...)
	}
	w.write("main.jsonl", main)
	job := func(code int, builds ...timeline.Build) {
		t.Helper()
		w.write("new.jsonl", builds)
		w.judge(code, 20)
	}
	some = append(named(clitest.Builds(20, 1, "x", nil), "web"), named(clitest.Builds(20, 1, "x", map[string]float64{"compile": 50}), "api")...)
	job(command.ExitVerdict, some...)
	job(command.ExitVerdict, named(clitest.Builds(20, 1, "x", slowCompile), "cron")...)
	if len(w.github.Comments) != 1 {
		t.Fatalf("%d comments, want one", len(w.github.Comments))
	}
	body := w.github.Comments[0].Body
	contains(t, "comment", body, "### 2 builds regressed, 1 build passed", "[The whole reports](https://github.com/shop/app/actions/runs/12)")
	order := []int{strings.Index(body, "<code>cron</code> <b>Regressed"), strings.Index(body, "<code>api</code> <b>Regressed"), strings.Index(body, "<code>web</code> Passed")}
	if !slices.IsSorted(order) || order[0] < 0 {
		t.Errorf("the worst is not first: %v\n%s", order, body)
	}
	w.vars["GITHUB_WORKFLOW_REF"] = "shop/app/.github/workflows/nightly.yml@refs/pull/7/merge"
	job(command.ExitVerdict, named(clitest.Builds(20, 1, "x", slowCompile), "cron")...)
	if len(w.github.Comments) != 2 {
		t.Errorf("%d comments of two workflows", len(w.github.Comments))
	}
}

func TestWhatIsPosted(t *testing.T) {
	for _, test := range []struct {
		name       string
		seconds    map[string]float64
		flags      []string
		prepare    func(*workflow)
		code       int
		comments   int
		conclusion string // "" for no check run
		title      string
		commands   int // in the log
	}{
		{name: "nothing to tell", conclusion: "success", title: "Passed: no step is slower"},
		{name: "nothing to tell, and it is to be told", flags: []string{"--comment", "always"}, comments: 1, conclusion: "success"},
		{name: "a suspect", seconds: map[string]float64{"compile": 31}, conclusion: "success", title: "Passed; 1 step to watch"},
		{name: "a suspect, and it fails", seconds: map[string]float64{"compile": 31}, flags: []string{"--fail-on", "unsure"}, code: command.ExitVerdict, conclusion: "failure"},
		{name: "slower", seconds: slowCompile, code: command.ExitVerdict, comments: 1, conclusion: "failure"},
		{name: "slower, and nothing fails", seconds: slowCompile, flags: []string{"--fail-on", "never"}, comments: 1, conclusion: "neutral"},
		{name: "slower, no comment", seconds: slowCompile, flags: []string{"--comment", "never"}, code: command.ExitVerdict, conclusion: "failure"},
		{name: "slower, no check run", seconds: slowCompile, flags: []string{"--check-run", "never"}, code: command.ExitVerdict, comments: 1, commands: 1},
		{name: "slower, annotated twice", seconds: slowCompile, flags: []string{"--annotations", "always"}, code: command.ExitVerdict, comments: 1, conclusion: "failure", commands: 1},
		{name: "slower, nothing posted", seconds: slowCompile, flags: []string{"--comment", "never", "--check-run", "never", "--annotations", "never"}, code: command.ExitVerdict},
		{
			name: "a first build", seconds: slowCompile, conclusion: "neutral", title: "Not judged yet: too few builds to compare with",
			prepare: func(w *workflow) { w.write("main.jsonl", clitest.Builds(0, 3, "main", nil)) },
		},
		{
			name: "on main", seconds: slowCompile, code: command.ExitVerdict, conclusion: "failure",
			prepare: func(w *workflow) {
				w.vars["GITHUB_REF"] = "refs/heads/main"
				w.event(`{"repository":{"full_name":"shop/app","default_branch":"main"}}`)
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorkflow(t)
			if test.prepare != nil {
				test.prepare(w)
			}
			_, stderr := w.check(test.code, 20, test.seconds, test.flags...)
			if n := len(w.github.Comments); n != test.comments {
				t.Errorf("%d comments, want %d", n, test.comments)
			}
			switch checks := w.github.Checks; {
			case test.conclusion == "" && len(checks) > 0:
				t.Errorf("a check run that nobody wants: %+v", checks[0])
			case test.conclusion == "":
			case len(checks) != 1:
				t.Errorf("%d check runs, want 1", len(checks))
			case checks[0].Conclusion != test.conclusion || !strings.Contains(checks[0].Output.Title, test.title):
				t.Errorf("check run %s %q, want %s %q", checks[0].Conclusion, checks[0].Output.Title, test.conclusion, test.title)
			}
			if n := strings.Count(stderr, "::error file=") + strings.Count(stderr, "::warning file="); n != test.commands {
				t.Errorf("%d commands, want %d:\n%s", n, test.commands, stderr)
			}
			contains(t, "summary", w.file("GITHUB_STEP_SUMMARY"), "###")
		})
	}
}

// A saved result is commented on as it is when it is judged, with a link to where its HTML
// was kept meanwhile.
func TestSavedResultIsCommentedOn(t *testing.T) {
	w := newWorkflow(t)
	result, page := filepath.Join(w.dir, "result.json"), filepath.Join(w.dir, "report.html")
	w.check(command.ExitVerdict, 20, slowCompile, "--output", "json="+result, "--output", "html="+page, "--comment", "never")
	if got := w.outputs(); got["report-html"] != page || got["comment-url"] != "" || len(w.github.Comments) > 0 {
		t.Errorf("outputs %v, %d comments", got, len(w.github.Comments))
	}
	w.run(command.ExitOK, 20, "report", "--format", "json", result)
	if len(w.github.Comments) > 0 {
		t.Error("a comment that nobody asked for")
	}
	const address = "https://github.com/shop/app/actions/runs/12/artifacts/34"
	w.run(command.ExitOK, 20, "report", "--comment", "auto", "--report-url", address, result)
	if len(w.github.Comments) != 1 || len(w.github.Checks) != 1 || w.outputs()["comment-url"] != w.github.Comments[0].HTMLURL {
		t.Fatalf("%d comments, %d check runs, outputs %v", len(w.github.Comments), len(w.github.Checks), w.outputs())
	}
	contains(t, "comment", w.github.Comments[0].Body, "### Regressed: 1 step is slower", "[This report as HTML](<"+address+">)", "[`Dockerfile:11`](<https://github.com/shop/app/blob/"+headCommit)
	_, stderr := w.run(command.ExitUsage, 20, "report", "--comment", "auto", "--report-url", "javascript:x", result)
	contains(t, "standard error", stderr, "is no address of the web")
	w.vars["GITHUB_TOKEN"] = "reader"
	w.check(command.ExitOK, 21, nil, "--output", "json="+result, "--comment", "never")
	_, stderr = w.run(command.ExitOK, 21, "report", "--comment", "always", result)
	contains(t, "standard error", stderr, "warning: no comment: ", "hint: the job needs permissions")
}

// push makes the workflow one of a push to a branch, and a build of it the next that is
// judged.
func (w *workflow) push(n int, branch, revision string, seconds map[string]float64) {
	w.t.Helper()
	w.vars["GITHUB_EVENT_NAME"], w.vars["GITHUB_REF"], w.vars["GITHUB_SHA"] = "push", "refs/heads/"+branch, revision
	w.event(`{"ref":"refs/heads/` + branch + `","repository":{"full_name":"shop/app","default_branch":"main"}}`)
	list := clitest.Builds(n, 1, branch, seconds)
	list[0].Revision = revision
	w.write("new.jsonl", list)
}

// What is slower on main has a check run on its commit, and an issue where that is asked for.
func TestSlowdownOfMainReachesPeople(t *testing.T) {
	w := newWorkflow(t)
	commit := func(n int) string { return strings.Repeat(fmt.Sprintf("%02x", n), 20) }
	main := func(code, n int, seconds map[string]float64, flags ...string) string {
		t.Helper()
		w.push(n, "main", commit(n), seconds)
		_, stderr := w.judge(code, n, flags...)
		if check := w.github.Checks[len(w.github.Checks)-1]; check.HeadSHA != commit(n) || (check.Conclusion == "failure") != (code != 0) {
			t.Errorf("check run on %s: %s", check.HeadSHA, check.Conclusion)
		}
		return stderr
	}
	issues := func(want int) {
		t.Helper()
		if n := len(w.github.Issues); n != want {
			t.Fatalf("%d issues, want %d", n, want)
		}
	}
	main(command.ExitVerdict, 20, slowCompile)
	issues(0) // nobody asked for one
	main(command.ExitOK, 21, map[string]float64{"compile": 31}, "--issue", "auto")
	issues(0) // one build proves nothing
	if stderr := main(command.ExitVerdict, 22, slowCompile, "--issue", "auto"); strings.Contains(stderr, "warning") {
		t.Errorf("all is well, and it says\n%s", stderr)
	}
	issues(1)
	i := w.github.Issues[0]
	contains(t, "issue", i.Title, "Regressed: 1 step is slower, +50 s of wall clock (`app` on `main` since `1616161616`)")
	contains(t, "issue", i.Body, "### Regressed: 1 step is slower", "`RUN make compile` is slower", "](<https://github.com/shop/app/commit/1616161616>)", "(https://github.com/shop/app/actions/runs/12)")
	main(command.ExitVerdict, 23, slowCompile, "--issue", "auto")
	issues(1)
	if len(w.github.Comments) > 0 {
		t.Error("a push was commented on")
	}

	w.push(24, "x", commit(24), slowCompile)
	w.judge(command.ExitVerdict, 24, "--issue", "always")
	issues(1) // of another branch there is none
	w.vars["GITHUB_EVENT_NAME"], w.vars["GITHUB_REF"] = "pull_request", "refs/pull/7/merge"
	w.event(`{"number":7,"pull_request":{"head":{"sha":"` + headCommit + `","ref":"main","repo":{"full_name":"fork/app"}},
		"base":{"ref":"main","repo":{"full_name":"shop/app"}}},"repository":{"full_name":"shop/app","default_branch":"main"}}`)
	w.check(command.ExitVerdict, 25, slowCompile, "--issue", "always")
	issues(1) // nor of a pull request, whatever its branch is called
}

// That no issue may be opened is no error of the build.
func TestIssueThatMayNotBeOpened(t *testing.T) {
	w := newWorkflow(t)
	w.github.Fault = func(rw http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/issues") {
			return false
		}
		githubtest.Refuse(rw, http.StatusForbidden, "Resource not accessible by integration")
		return true
	}
	for _, mode := range []string{"auto", "always"} {
		w.push(20, "main", strings.Repeat("a", 40), slowCompile)
		_, stderr := w.judge(command.ExitVerdict, 20, "--issue", mode)
		contains(t, "standard error", stderr, "warning: no issue: list the issues: 403 Resource not accessible by integration", "hint: the job needs permissions: issues: write")
	}
	w.push(21, "main", strings.Repeat("b", 40), nil)
	if _, stderr := w.judge(command.ExitOK, 21, "--issue", "always"); strings.Contains(stderr, "issue") {
		t.Errorf("there is nothing to tell, and it says\n%s", stderr)
	}
}

// A token that may only read is that of a pull request from a fork: its author can do
// nothing about it.
func TestReadOnlyTokenFailsNothing(t *testing.T) {
	w := newWorkflow(t)
	w.vars["GITHUB_TOKEN"] = "reader"
	for _, mode := range []string{"auto", "always"} {
		stdout, stderr := w.check(command.ExitVerdict, 20, slowCompile, "--comment", mode, "--check-run", mode, "--format", "json")
		contains(t, "standard error", stderr,
			"warning: no comment: comment on the pull request: 403 Resource not accessible by integration",
			"warning: no check run: create the check run: 403 Resource not accessible by integration",
			"hint: the job needs permissions: pull-requests: write",
			"::error file=Dockerfile,line=11,title=Slower ×3.4::`RUN make compile` is slower")
		if strings.Contains(stdout, "::error") || strings.Count(stderr, "hint:") != 1 {
			t.Errorf("standard output\n%s\nstandard error\n%s", stdout, stderr)
		}
	}
	w.check(command.ExitOK, 21, nil, "--comment", "always")
	contains(t, "summary", w.file("GITHUB_STEP_SUMMARY"), "### Regressed", "### Passed")
	if got := w.outputs()["comment-url"]; got != "" {
		t.Errorf("comment-url %q of no comment", got)
	}
}

func TestTroubleWithGitHub(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		mode   string
		code   int
		stderr string
	}{
		{"what is asked for is a warning", http.StatusUnprocessableEntity, "auto", command.ExitOK, "warning: no comment"},
		{"what must be is an error", http.StatusUnprocessableEntity, "always", command.ExitTrouble, "error: no comment"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorkflow(t)
			w.github.Fault = func(rw http.ResponseWriter, r *http.Request) bool {
				githubtest.Refuse(rw, test.status, "no ::error::x")
				return true
			}
			stdout, stderr := w.check(test.code, 20, nil, "--comment", test.mode)
			contains(t, "standard output", stdout, "Passed: no step is slower")
			contains(t, "standard error", stderr, test.stderr, fmt.Sprint(test.status))
			if strings.Contains(stderr, "::error::") {
				t.Errorf("a command came alive:\n%s", stderr)
			}
		})
	}
}

func TestWithoutAToken(t *testing.T) {
	w := newWorkflow(t)
	w.vars["GITHUB_TOKEN"] = ""
	_, stderr := w.check(command.ExitVerdict, 20, slowCompile)
	contains(t, "standard error", stderr, "warning: no comment: GITHUB_TOKEN is not set", "::error file=Dockerfile")
	contains(t, "summary", w.file("GITHUB_STEP_SUMMARY"), "### Regressed")
	if asked := w.github.Requests(); len(asked) > 0 {
		t.Errorf("asked for %q", asked)
	}
}

// Elsewhere nothing is posted, and nothing said about it; not even on a look-alike
// that sets the same variables.
func TestNothingIsPostedElsewhere(t *testing.T) {
	for _, vars := range []map[string]string{{"GITHUB_ACTIONS": ""}, {"GITEA_ACTIONS": "true"}} {
		w := newWorkflow(t)
		maps.Copy(w.vars, vars)
		_, stderr := w.check(command.ExitVerdict, 20, slowCompile)
		if asked := w.github.Requests(); len(asked) > 0 || strings.Contains(stderr, "comment") {
			t.Errorf("%v: asked for %q, said\n%s", vars, asked, stderr)
		}
		_, stderr = w.check(command.ExitTrouble, 20, slowCompile, "--comment", "always")
		contains(t, "standard error", stderr, "error: no comment: no workflow of GitHub Actions runs this", "hint: with auto instead of always")
		w.vars["GITHUB_STEP_SUMMARY"] = ""
		_, stderr = w.check(command.ExitTrouble, 20, slowCompile, "--summary", "always")
		contains(t, "standard error", stderr, "error: no job summary: GITHUB_STEP_SUMMARY is not set")
	}
}

// After the run of a fork, the pull request is that whose head was built, and none
// that a build names.
func TestPullRequestOfAnotherRun(t *testing.T) {
	pull := githubtest.Pull{Number: 9, Base: "main", Head: "fork/app", Branch: "main", SHA: headCommit}
	moved := pull
	moved.SHA = strings.Repeat("b", 40)
	for _, test := range []struct {
		name  string
		event string
		pulls []githubtest.Pull
		want  int // pull request, 0 for none
	}{
		{"its head", "pull_request", []githubtest.Pull{moved, pull}, 9},
		{"it has moved on", "pull_request", []githubtest.Pull{moved}, 0},
		{"none", "pull_request", nil, 0},
		{"a push", "push", []githubtest.Pull{pull}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorkflow(t)
			w.github.Pulls = test.pulls
			w.event(`{"workflow_run":{"event":"` + test.event + `","head_sha":"` + headCommit + `","head_branch":"main",
				"head_repository":{"full_name":"fork/app"},"pull_requests":[]},"repository":{"default_branch":"main"}}`)
			w.vars["GITHUB_REF"] = "refs/heads/main"
			list := clitest.Builds(20, 1, "main", slowCompile)
			list[0].PullRequest, list[0].Revision = "1", headCommit // as an artifact may say
			list[0].Repository = "fork/app"
			w.write("new.jsonl", list)
			w.judge(command.ExitVerdict, 20)
			got := 0
			if len(w.github.Comments) > 0 {
				got = w.github.Comments[0].Number
			}
			if got != test.want || w.github.Checks[0].HeadSHA != headCommit {
				t.Errorf("commented on %d, want %d; check run on %s", got, test.want, w.github.Checks[0].HeadSHA)
			}
		})
	}
}

// A build whose clock is wrong, or that says none, has the last word only until
// the next.
func TestCommentOfABuildOfNoRealTime(t *testing.T) {
	for name, start := range map[string]time.Time{"to come": clitest.Start.Add(60 * time.Hour), "unknown": {}} {
		t.Run(name, func(t *testing.T) {
			w := newWorkflow(t)
			odd := func(n int, seconds map[string]float64) {
				list := clitest.Builds(n, 1, "x", seconds)
				list[0].Start = start
				w.write("new.jsonl", list)
			}
			said := func(want string) {
				t.Helper()
				if len(w.github.Comments) != 1 || !strings.Contains(w.github.Comments[0].Body, want) {
					t.Errorf("comments %+v, want one with %q", w.github.Comments, want)
				}
			}
			odd(20, slowCompile)
			w.judge(command.ExitVerdict, 20)
			said("Regressed")
			w.check(command.ExitOK, 21, nil)
			said("Resolved")
			w.check(command.ExitVerdict, 22, slowCompile)
			said("Regressed")
			odd(23, nil)
			w.judge(command.ExitOK, 23)
			said("Resolved")
		})
	}
}

func TestSummaryIsAddedToWhatIsThere(t *testing.T) {
	w := newWorkflow(t)
	path := w.vars["GITHUB_STEP_SUMMARY"]
	for size, want := range map[int]string{100: "### Passed", (1 << 20) - 200: "", (1 << 20) + 10: ""} {
		if err := os.WriteFile(path, bytes.Repeat([]byte{'x'}, size), 0o644); err != nil {
			t.Fatal(err)
		}
		_, stderr := w.check(command.ExitOK, 20, nil)
		got := w.file("GITHUB_STEP_SUMMARY")
		if !strings.HasPrefix(got, strings.Repeat("x", size)) || !strings.Contains(got, want) || len(got) > max((1<<20), size) {
			t.Errorf("%d bytes there: %d bytes in the end", size, len(got))
		}
		if said := strings.Contains(stderr, "no job summary"); said != (want == "") {
			t.Errorf("%d bytes there: standard error\n%s", size, stderr)
		}
	}
}

// Limits hold for the largest of reports, and for names that are all markup.
func TestPostsAreWithinGitHubsLimits(t *testing.T) {
	w := newWorkflow(t)
	var main []timeline.Build
	for i := range 10 {
		main = append(main, wide(i, "main", 1))
	}
	w.write("main.jsonl", main)
	w.write("new.jsonl", []timeline.Build{wide(20, "x", 4)})
	_, stderr := w.judge(command.ExitVerdict, 20)
	if strings.Contains(stderr, "warning: no ") || len(w.github.Comments) != 1 || len(w.github.Checks) != 1 {
		t.Fatalf("%d comments, %d check runs\n%s", len(w.github.Comments), len(w.github.Checks), stderr)
	}
	if got := w.github.Checks[0].Batches; !slices.Equal(got, []int{50, 50, 30}) {
		t.Errorf("annotations came in %v", got)
	}
	contains(t, "comment", w.github.Comments[0].Body, "left out here")
}

// wide is a build of three hundred steps beside each other, the first 130 so
// many times as slow as they usually are.
func wide(n int, branch string, factor float64) timeline.Build {
	b := timeline.Build{
		ID: fmt.Sprint(branch, n), Pipeline: "app", Origin: timeline.Origin{Branch: branch}, Start: clitest.Start.Add(time.Duration(n) * time.Hour),
	}
	for i := range 300 {
		stage := fmt.Sprint("build", i) // steps of one stage would be one finding
		text := fmt.Sprintf("RUN make target-%c%c | <b>*%s*</b>", 'a'+i/26, 'a'+i%26, strings.Repeat("@&`", 40))
		f := 1.0
		if i < 130 { // if most are slower, it is the runner
			f = factor
		}
		d := time.Duration(float64(10+i%7)*f*1e9) + time.Duration((n*7+i*5)%11)*10*time.Millisecond
		b.Steps = append(b.Steps, timeline.Step{
			Key: dockerfile.Key("", stage, text), Name: text, Stage: stage, Start: b.Start, Duration: d,
			Source: dockerfile.Position{File: "Dockerfile", Line: i + 1},
		})
		b.Duration = max(b.Duration, d)
	}
	return b
}

// What steps are called comes from the pull request, and into everything posted.
func TestNamesComeAliveNowhere(t *testing.T) {
	w := newWorkflow(t)
	hostile := func(n int, branch string, seconds map[string]float64) []timeline.Build {
		list := clitest.Builds(n, 1, branch, seconds)
		for i := range list[0].Steps {
			s := &list[0].Steps[i]
			s.Name = strings.Replace(s.Name, "make", "make @octocat #1 <img src=x> [x](https://evil.example) %0A::error::x ##[error]", 1)
			s.Name += " ghp_0123456789abcdef0123456789abcdef0123\n::set-output name=verdict::pass\nend-"
			s.Key = s.Name
			s.Source = dockerfile.Position{File: "Dockerfile", Line: 1 + i}
		}
		list[0].Pipeline = "app\n::error::x\nverdict=pass<!-- -->"
		return list
	}
	var main []timeline.Build
	for i := range 10 {
		main = append(main, hostile(i, "main", nil)...)
	}
	w.write("main.jsonl", main)
	w.write("new.jsonl", hostile(20, "x", slowCompile))
	_, stderr := w.judge(command.ExitVerdict, 20, "--annotations", "always")
	check := w.github.Checks[0]
	everything := w.github.Comments[0].Body + check.Name + check.Output.Title + check.Output.Summary + check.Annotations[0].Message +
		w.file("GITHUB_STEP_SUMMARY") + w.file("GITHUB_OUTPUT") + stderr
	for _, bad := range []string{"ghp_0123456789", "\n::set-output", "\n::error::", "\nverdict=pass", "##[error]"} {
		if strings.Contains(everything, bad) {
			t.Errorf("%q stands in what was posted:\n%s", bad, everything)
		}
	}
	commands := 0
	for line := range strings.Lines(stderr) {
		if strings.HasPrefix(line, "::") {
			commands++
		}
	}
	if got := w.outputs(); commands != 1 || got["verdict"] != "regressed" || strings.Contains(check.Name, "\n") {
		t.Errorf("%d commands, outputs %v, check run %q", commands, got, check.Name)
	}
}

// Whoever posts too much is told how long to wait, and does.
func TestPostingWaitsAsAskedTo(t *testing.T) {
	w := newWorkflow(t)
	refused := map[string]bool{}
	var over, early atomic.Bool
	w.github.Fault = func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost || r.URL.Path == "/graphql" {
			return false
		}
		if refused[r.URL.Path] {
			early.Store(early.Load() || !over.Load())
			return false
		}
		refused[r.URL.Path] = true
		over.Store(false)
		time.AfterFunc(900*time.Millisecond, func() { over.Store(true) })
		rw.Header().Set("Retry-After", "1")
		status := http.StatusTooManyRequests
		if strings.HasSuffix(r.URL.Path, "/check-runs") { // the other way to say it
			status = http.StatusForbidden
		}
		githubtest.Refuse(rw, status, "You have exceeded a secondary rate limit.")
		return true
	}
	w.check(command.ExitVerdict, 20, slowCompile)
	if len(w.github.Comments) != 1 || len(w.github.Checks) != 1 || early.Load() {
		t.Errorf("%d comments, %d check runs, asked again too early: %v", len(w.github.Comments), len(w.github.Checks), early.Load())
	}
}

// What would take longer than there is time for is not waited for, and the verdict
// stands.
func TestPostingDoesNotOutlastTheTimeout(t *testing.T) {
	w := newWorkflow(t)
	w.github.Fault = func(rw http.ResponseWriter, r *http.Request) bool {
		rw.Header().Set("Retry-After", "3600")
		githubtest.Refuse(rw, http.StatusTooManyRequests, "slow down")
		return true
	}
	waited := time.AfterFunc(30*time.Second, func() { t.Error("it is waited for") })
	defer waited.Stop()
	stdout, stderr := w.check(command.ExitVerdict, 20, slowCompile, "--timeout", "1m")
	contains(t, "standard output", stdout, "Regressed")
	contains(t, "standard error", stderr, "warning: no comment", "429", "::error file=Dockerfile")
}
