package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/buildregress/buildregress/testdata/githubtest"
)

// The picture of a result in the README is what its first command prints.
func TestReadmeShowsWhatIsPrinted(t *testing.T) {
	data, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(data)
	between := func(from, to string) string {
		_, rest, ok := strings.Cut(readme, from)
		text, _, found := strings.Cut(rest, to)
		if !ok || !found {
			t.Fatalf("README.md has no %q … %q", from, to)
		}
		return text
	}
	picture := between("```text\n", "```\n")
	command := strings.Fields(between("<!-- run -->\n```sh\ngo run . ", "\n```\n"))
	_, printed := inProcess(t, command...)
	if !strings.HasPrefix(printed, picture) {
		t.Errorf("README.md shows\n%s\nbut buildregress %s prints\n%s", picture, strings.Join(command, " "), printed)
	}
}

// The comment in the README is what is posted about a recorded build.
func TestReadmeShowsTheComment(t *testing.T) {
	w := newWorkflow(t)
	const record = "testdata/builds/alpha/dockerbuild" // as it is shown, on every system
	var out, errs bytes.Buffer
	code := run(t.Context(), &world{
		args: []string{
			"check", record + "/044.dockerbuild", "--baseline", record, "--store", "sqlite:" + filepath.Join(w.dir, "history.db"),
			"--branch", "naps", "--pipeline", githubtest.Repository, "--min-delta", "30ms", "--min-slowdown", "10%",
		},
		env: func(name string) string { return w.vars[name] }, stdin: strings.NewReader(""), stdout: &out, stderr: &errs,
		now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC),
	})
	if code != exitVerdict || len(w.github.Comments) != 1 {
		t.Fatalf("exit code %d, %d comments\n%s", code, len(w.github.Comments), &errs)
	}
	_, comment, _ := strings.Cut(w.github.Comments[0].Body, "\n")
	var quoted strings.Builder
	for line := range strings.Lines(comment) {
		quoted.WriteString(strings.TrimRight("> "+line, " \n") + "\n")
	}
	data, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), "<!-- comment -->\n")
	shown, after, found := strings.Cut(rest, "\n\nThe comment is made when")
	if !ok || !found {
		t.Fatal("README.md has no place for the comment")
	}
	if strings.TrimSpace(shown) == strings.TrimSpace(quoted.String()) {
		return
	}
	if *update {
		text := before + "<!-- comment -->\n" + strings.TrimSpace(quoted.String()) + "\n\nThe comment is made when" + after
		if err := os.WriteFile("README.md", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("README.md shows\n%s\nbut what is posted is (go test . -run Readme -update writes it)\n%s", shown, &quoted)
}

// What README shows of YAML is YAML. Its workflows are looked at by .ci/lint.
func TestReadmeShowsYAML(t *testing.T) {
	data, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(data), "```yaml\n")
	if len(blocks) < 5 {
		t.Fatalf("%d blocks", len(blocks)-1)
	}
	for _, b := range blocks[1:] {
		text, _, _ := strings.Cut(b, "```")
		var document any
		if err := yaml.Unmarshal([]byte(text), &document); err != nil {
			t.Errorf("%v in\n%s", err, text)
		}
	}
}

// Links within README.md lead to headings, by the names that GitHub gives them.
func TestReadmeLinks(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	headings := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllSubmatch(readme, -1) {
		name := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(string(m[1])), "")
		headings[strings.ReplaceAll(name, " ", "-")] = true
	}
	links := regexp.MustCompile(`\]\(#([^)]*)\)`).FindAllSubmatch(readme, -1)
	if len(links) == 0 {
		t.Error("no link found")
	}
	for _, m := range links {
		if !headings[string(m[1])] {
			t.Errorf("README.md: no heading is called #%s", m[1])
		}
	}
}
