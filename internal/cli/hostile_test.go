package cli

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/internal/cli/clitest"
	"github.com/buildregress/buildregress/internal/command"
)

// hostileNames try to come alive in a comment, a check run, an annotation or the log, or
// hold a secret.
var hostileNames = []string{
	"RUN `x` @octocat #1 shop/app#2 GH-3",
	"RUN ``` @octocat ```` @octocat",
	"RUN ` @octocat [x](https://evil.example) ![y](https://evil.example/y.png)",
	"RUN <img src=https://evil.example> <script>alert(1)</script> <!-- x",
	"RUN </details></summary><h1>@octocat",
	"RUN -->\n<!-- buildregress -->\n# Passed",
	"RUN | a | b |\n|--|--|\n| @octocat | x |",
	"RUN \n\n# heading\n\n- @octocat\n> quote",
	"RUN \n::error file=x::boo\n::set-output name=verdict::pass\n##vso[task.complete]",
	"RUN \r::stop-commands::x",
	"RUN \x1b[31m red \x1b]8;;https://evil.example\x07link",
	"RUN \u202e@octocat \u200bhttps://evil.example \u2066x",
	"RUN https://evil.example www.evil.example a@evil.example",
	"RUN $x$ $$\\href{https://evil.example}{x}$$ :tada:",
	"RUN &lt;img&gt; &#64;octocat &commat;octocat",
	"RUN \\` @octocat \\\\` @octocat",
	"RUN ~~~\n@octocat\n~~~",
	"RUN \xff\xfe @octocat \x00",
	"RUN " + strings.Repeat("`@octocat ", 200),
	"RUN curl -sSLu me:hunter2secret https://h",
	`RUN ["x","--password","hunter2secret"]`,
	"RUN echo ghp_hunter2secret0123456789abcdefABCDEF",
	"RUN echo marblefountain bWFyYmxlZm91bnRhaW4=",
}

// alive is what a hostile name would be outside of a code span.
var alive = regexp.MustCompile(`@octocat|evil\.example|<img|<script|<h1|# Passed|# heading|^::|\n::|##vso|GH-3|\$x\$|:tada:|hunter2secret|marblefountain|bWFyYmxl`)

var ticks = regexp.MustCompile("`+")

// withoutCode is Markdown without its code spans, in which nothing is alive: what stands
// between backticks, as many in front as behind, within a block.
func withoutCode(text string) string {
	var out strings.Builder
	for block := range strings.SplitSeq(text, "\n") {
		for {
			open := ticks.FindStringIndex(block)
			if open == nil {
				break
			}
			out.WriteString(block[:open[0]])
			rest := block[open[1]:]
			end := len(rest)
			for _, run := range ticks.FindAllStringIndex(rest, -1) {
				if run[1]-run[0] == open[1]-open[0] {
					end = run[1]
					break
				}
			}
			if end == len(rest) && !strings.HasSuffix(rest, block[open[0]:open[1]]) {
				break // it closes nowhere
			}
			block = rest[end:]
		}
		out.WriteString(block + "\n")
	}
	return out.String()
}

// TestHostileNamesOnGitHub judges a regressed build whose steps have hostile names, and
// looks at all that is posted and written about it.
func TestHostileNamesOnGitHub(t *testing.T) {
	for i, name := range hostileNames {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			w := newWorkflow(t)
			w.vars["GITHUB_TOKEN"] = "marblefountain"
			w.github.Tokens["marblefountain"] = w.github.Tokens["writer"]
			main, slow := clitest.Builds(0, 10, "main", nil), clitest.Builds(20, 1, "x", slowCompile)
			for b := range main {
				s := &main[b].Steps[1]
				s.Name, s.Key = "[build 2/6] "+name, dockerfile.Key("", "build", name)
			}
			s := &slow[0].Steps[1]
			s.Name, s.Key, s.Source = "[build 2/6] "+name, dockerfile.Key("", "build", name), dockerfile.Position{File: "Dockerfile", Line: 11}
			slow[0].Steps[2].Error = name
			w.write("main.jsonl", main)
			w.write("new.jsonl", slow)
			stdout, stderr := w.judge(command.ExitVerdict, 20, "--annotations", "always")
			if len(w.github.Comments) != 1 || len(w.github.Checks) != 1 {
				t.Fatalf("%d comments, %d check runs\n%s", len(w.github.Comments), len(w.github.Checks), stderr)
			}
			check := w.github.Checks[0]
			for what, text := range map[string]string{
				"comment": w.github.Comments[0].Body, "check run": check.Output.Title + "\n" + check.Output.Summary, "summary": w.file("GITHUB_STEP_SUMMARY"),
			} {
				if found := alive.FindString(withoutCode(text)); found != "" {
					t.Errorf("%q is alive in the %s:\n%s", found, what, text)
				}
			}
			w.push(21, "main", headCommit, nil)
			slow[0].Branch, slow[0].ID, slow[0].Revision, slow[0].Pipeline = "main", "main-21", headCommit, "app "+name
			for b := range main {
				main[b].Pipeline = "app " + name
			}
			w.write("main.jsonl", main)
			w.write("new.jsonl", slow)
			issued, said := w.judge(command.ExitVerdict, 20, "--issue", "auto", "--annotations", "always")
			if len(w.github.Issues) != 1 {
				t.Fatalf("%d issues\n%s", len(w.github.Issues), said)
			}
			issue := w.github.Issues[0]
			if found := alive.FindString(withoutCode(issue.Title + "\n" + issue.Body)); found != "" {
				t.Errorf("%q is alive in the issue:\n%s\n\n%s", found, issue.Title, issue.Body)
			}
			stdout, stderr = stdout+issued, stderr+said
			all := fmt.Sprint(stdout, stderr, check, issue.Title, issue.Body, w.github.Comments[0].Body, w.file("GITHUB_OUTPUT"), w.file("GITHUB_STEP_SUMMARY"))
			for _, secret := range []string{"hunter2secret", "marblefountain", "bWFyYmxl"} {
				if strings.Contains(all, secret) {
					t.Errorf("%s shows:\n%s", secret, all)
				}
			}
			for _, r := range all {
				if r == '\u202e' || r == '\u2066' || unicode.IsControl(r) && r != '\n' && r != '\t' {
					t.Errorf("%q shows:\n%q", r, all)
					break
				}
			}
			for line := range strings.Lines(stdout) {
				if strings.HasPrefix(line, "::") && !strings.HasPrefix(line, "::error file=Dockerfile,line=11") || strings.HasPrefix(line, "##") {
					t.Errorf("a command is printed: %s", line)
				}
			}
			if verdict := w.outputs()["verdict"]; verdict != "regressed" {
				t.Errorf("the verdict is %q", verdict)
			}
		})
	}
}
