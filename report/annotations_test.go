package report

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/google/go-cmp/cmp"
)

func TestAnnotations(t *testing.T) {
	r := branchEvidenceResult()
	r.Steps[4].Source = dockerfile.Position{File: "./docker/Dockerfile", Line: 3} // over its budget
	r.Steps[2].Status = detect.StatusSuspect
	r.Steps[2].Source = dockerfile.Position{File: `docker\Dockerfile`, Line: 9}
	r.Steps[5].Source = dockerfile.Position{File: "Dockerfile", Line: 30} // nothing is the matter with it
	got := Annotations(reportOf(r), true)
	want := []Annotation{
		{File: "Dockerfile", Line: 14, Level: Failure, Title: "Slower ×1.5"},
		{File: "docker/Dockerfile", Line: 3, Level: Failure, Title: "Over its budget ×5.8"},
		{File: "docker/Dockerfile", Line: 9, Level: Notice, Title: "Looks slower ×1.1"},
	}
	for i := range got {
		if strings.Contains(got[i].Message, "See `") || !strings.Contains(got[i].Message, "usually") {
			t.Errorf("message %q", got[i].Message)
		}
		got[i].Message = ""
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, a := range Annotations(reportOf(r), false) {
		if a.Level == Failure {
			t.Errorf("%s:%d is a failure, and nothing fails", a.File, a.Line)
		}
	}
}

// A failed build is annotated where it failed, with what it said last.
func TestAnnotationOfFailure(t *testing.T) {
	r := failedInLineResult()
	got := Annotations(reportOf(r), false)
	want := []Annotation{{File: "Dockerfile", Line: 12, Level: Warning, Title: "The build failed here"}}
	if len(got) != 1 || !strings.HasPrefix(got[0].Message, "The build failed.\nprocess") || !strings.HasSuffix(got[0].Message, "\nnpm error code 1") {
		t.Fatalf("%+v", got)
	}
	got[0].Message = ""
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, change := range []func(*detect.Result){
		func(r *detect.Result) { r.Steps[5].Source.Line = 0 },
		func(r *detect.Result) { r.Steps[5].Source.File = "../Dockerfile" },
		func(r *detect.Result) { r.Steps[5].State = timeline.Interrupted },
		func(r *detect.Result) { r.Build.Outcome = timeline.Cancelled },
	} {
		r := failedInLineResult()
		change(&r)
		if got := Annotations(reportOf(r), false); len(got) > 0 {
			t.Errorf("annotated: %+v", got)
		}
	}
}

func TestAnnotationsNameFilesOfTheRepositoryOnly(t *testing.T) {
	for _, file := range []string{
		"", ".", "..", "../Dockerfile", "a/../../Dockerfile", "/etc/passwd", `C:\Dockerfile`, "https://evil.example/Dockerfile",
		"Dockerfile\n::error::x", "a\x1b[2J", strings.Repeat("a", 2000), `..\x`,
	} {
		r := regressedResult()
		r.Steps[3].Source.File = file
		if got := Annotations(reportOf(r), true); len(got) > 0 {
			t.Errorf("file %q is annotated as %q", file, got[0].File)
		}
	}
}

func TestCommands(t *testing.T) {
	var b bytes.Buffer
	err := Commands(&b, []Annotation{
		{File: "a,b:c/Dockerfile", Line: 3, Level: Failure, Title: "50 %, no: 1", Message: "it took\r\n50 % longer, see: x"},
		{File: "Dockerfile", Line: 4, Level: Notice, Title: "Looks slower", Message: "m"},
	})
	want := "::error file=a%2Cb%3Ac/Dockerfile,line=3,title=50 %25%2C no%3A 1::it took%0D%0A50 %25 longer, see: x\n" +
		"::notice file=Dockerfile,line=4,title=Looks slower::m\n"
	if err != nil || b.String() != want {
		t.Errorf("%v, %s\nwant %s", err, &b, want)
	}
}

func TestCommandsAreAsManyAsGitHubTakes(t *testing.T) {
	var list []Annotation
	for i := range 40 {
		list = append(list, Annotation{File: "Dockerfile", Line: i + 1, Level: Level(i % 2), Title: "t", Message: fmt.Sprint(i)})
	}
	var b bytes.Buffer
	if err := Commands(&b, list); err != nil {
		t.Fatal(err)
	}
	for _, level := range []string{"::notice ", "::warning "} {
		if n := strings.Count(b.String(), level); n != 10 {
			t.Errorf("%d commands %q, want 10", n, level)
		}
	}
	if !strings.Contains(b.String(), "\n20 more findings not annotated") {
		t.Errorf("does not say what was left out:\n%s", &b)
	}
}

// Each line is a command of ours, however steps are named.
func FuzzCommands(f *testing.F) {
	for _, seed := range hostileSeeds {
		f.Add(seed)
	}
	command := regexp.MustCompile(`^::(notice|warning|error) file=[^,:]*,line=\d+,title=[^,:]*::[^\r\n]*$`)
	f.Fuzz(func(t *testing.T, text string) {
		r := hostileReport(text)
		for i := range r.Results {
			for j := range r.Results[i].Steps {
				r.Results[i].Steps[j].Source = dockerfile.Position{File: "Dockerfile", Line: 3}
				r.Results[i].Steps[j].Status = detect.StatusSlower
			}
		}
		var b bytes.Buffer
		if err := Commands(&b, Annotations(r, true)); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if line = strings.TrimSuffix(line, "\n"); !command.MatchString(line) && !strings.HasSuffix(line, "See the report.") {
				t.Errorf("line %q", line)
			}
		}
		if title := Headline(r); strings.ContainsAny(title, "\r\n\x1b") {
			t.Errorf("headline %q", title)
		}
	})
}

func TestMarkdownWithin(t *testing.T) {
	r := reportOf(manySteps(500))
	for _, limit := range []int{3000, 10_000, 65_000, 1 << 20} {
		text := MarkdownWithin(r, Code{}, limit)
		if len(text) > limit {
			t.Errorf("%d bytes, want at most %d", len(text), limit)
		}
		if strings.Count(text, "<details>") != strings.Count(text, "</details>") {
			t.Errorf("of %d bytes: what is folded has no end", limit)
		}
	}
	if text := MarkdownWithin(r, Code{}, 1<<20); strings.Contains(text, "left out here") {
		t.Error("something is left out where there is room for all of it")
	}
}
