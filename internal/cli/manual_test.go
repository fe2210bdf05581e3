package cli

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/buildregress/buildregress/internal/cli/clitest"
	"github.com/buildregress/buildregress/internal/command"
	"github.com/buildregress/buildregress/internal/console"
	"github.com/buildregress/buildregress/testdata/githubtest"
)

// pageOf is the text of a page of the manual, and README is one. The test goes on in the
// folder that the manual speaks of.
func pageOf(t *testing.T, path string) string {
	t.Helper()
	t.Chdir(root)
	data, err := os.ReadFile(filepath.FromSlash(path))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// The picture of a result in the README is what its first command prints.
func TestReadmeShowsWhatIsPrinted(t *testing.T) {
	readme := pageOf(t, "README.md")
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
	readme := pageOf(t, "README.md")
	w := newWorkflow(t)
	const record = "testdata/builds/alpha/dockerbuild" // as it is shown, on every system
	var out, errs bytes.Buffer
	now := clitest.NewClock(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	code := Run(t.Context(), Process{
		Args: []string{
			"check", record + "/044.dockerbuild", "--baseline", record, "--store", "sqlite:" + filepath.Join(w.dir, "history.db"),
			"--branch", "naps", "--pipeline", githubtest.Repository, "--min-delta", "30ms", "--min-slowdown", "10%",
		},
		Getenv: func(name string) string { return w.vars[name] }, Stdin: strings.NewReader(""), Stdout: console.Output{Writer: &out}, Stderr: console.Output{Writer: &errs},
		Clock: now.Now, Sleep: now.Sleep,
	})
	if code != command.ExitVerdict || len(w.github.Comments) != 1 {
		t.Fatalf("exit code %d, %d comments\n%s", code, len(w.github.Comments), &errs)
	}
	_, comment, _ := strings.Cut(w.github.Comments[0].Body, "\n")
	var quoted strings.Builder
	for line := range strings.Lines(comment) {
		quoted.WriteString(strings.TrimRight("> "+line, " \n") + "\n")
	}
	before, rest, ok := strings.Cut(readme, "<!-- comment -->\n")
	shown := quotation.FindString(rest)
	if !ok || shown == "" {
		t.Fatal("README.md has no place for the comment")
	}
	if strings.TrimSpace(shown) == strings.TrimSpace(quoted.String()) {
		return
	}
	if *update {
		text := before + "<!-- comment -->\n" + strings.TrimSpace(quoted.String()) + "\n" + rest[len(shown):]
		if err := os.WriteFile("README.md", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("README.md shows\n%s\nbut what is posted is (go test ./internal/cli -run Readme -update writes it)\n%s", shown, &quoted)
}

// quotation is what a text begins with that is quoted.
var quotation = regexp.MustCompile(`\A(?:>[^\n]*\n)+`)

// helpOnFlags is what the help says of flags: on all commands that are named, and on
// servers.
func helpOnFlags(t *testing.T, commands ...string) string {
	t.Helper()
	var all strings.Builder
	for _, topic := range append(commands, "servers") {
		_, text := inProcess(t, "help", topic)
		all.WriteString(text)
	}
	return all.String()
}

var (
	anyFlag    = regexp.MustCompile(`--[a-z][a-z-]*`)
	helpFlag   = regexp.MustCompile(`(?m)^  (--[a-z][a-z-]*)`)
	invocation = regexp.MustCompile(`(?:buildregress|go run \.) (check|record|backtest|compare|history|show|prune|report)\b([^|;'\x60\n]*)`)
	codeOfFlag = regexp.MustCompile("`(--[a-z][a-z-]*)")
)

// The flags that the manual shows are flags of the command that it shows them with.
func TestDocsShowFlagsThatExist(t *testing.T) {
	t.Chdir(root)
	paths, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	// As the builder's own flags are shown.
	foreign := []string{"--progress", "--driver-opt"}
	anyCommand := helpOnFlags(t, "check", "record", "backtest", "compare", "history", "show", "prune", "report")
	invocations := 0
	for _, path := range append(paths, "README.md", "CONTRIBUTING.md") {
		page := pageOf(t, path)
		for _, m := range invocation.FindAllStringSubmatch(page, -1) {
			invocations++
			known := anyFlag.FindAllString(helpOnFlags(t, m[1]), -1)
			for _, f := range anyFlag.FindAllString(m[2], -1) {
				if !slices.Contains(known, f) {
					t.Errorf("%s: %s has no flag %s", path, m[1], f)
				}
			}
		}
		for _, m := range codeOfFlag.FindAllStringSubmatch(page, -1) {
			if !slices.Contains(foreign, m[1]) && !slices.Contains(anyFlag.FindAllString(anyCommand, -1), m[1]) {
				t.Errorf("%s: no command has a flag %s", path, m[1])
			}
		}
	}
	if invocations < 15 {
		t.Errorf("%d commands found", invocations)
	}
}

// docs/configuration.md lists every flag, and marks those that the file may hold.
func TestDocsListEveryFlag(t *testing.T) {
	_, table, _ := strings.Cut(pageOf(t, "docs/configuration.md"), "## All options\n")
	table, file, _ := strings.Cut(table, "## The file\n")
	for _, m := range helpFlag.FindAllStringSubmatch(helpOnFlags(t, "check", "record", "backtest", "compare", "history", "show", "prune", "report"), -1) {
		if !strings.Contains(table, "`"+m[1]+"`") {
			t.Errorf("docs/configuration.md does not list %s", m[1])
		}
	}
	var marked []string
	for _, m := range regexp.MustCompile("(?m)^\\| `--([a-z-]+)` \\| [^|]* \\| yes \\|").FindAllStringSubmatch(table, -1) {
		marked = append(marked, m[1])
	}
	_, example, _ := strings.Cut(file, "```yaml\n")
	example, _, _ = strings.Cut(example, "```")
	var shown map[string]any
	if err := yaml.Unmarshal([]byte(example), &shown); err != nil {
		t.Fatal(err)
	}
	slices.Sort(marked)
	if keys := slices.Sorted(maps.Keys(shown)); len(keys) == 0 || !slices.Equal(marked, keys) {
		t.Errorf("the table marks %q as keys of the file, and its example has %q", marked, keys)
	}
}

// What the manual shows of .buildregress.yaml is taken: fenced blocks that follow a
// line "<!-- config -->".
func TestDocsShowConfigurationThatIsTaken(t *testing.T) {
	blocks := regexp.MustCompile("(?ms)^<!-- config -->\n```yaml\n(.*?)^```$").FindAllStringSubmatch(pageOf(t, "docs/configuration.md"), -1)
	if len(blocks) < 2 {
		t.Fatalf("%d blocks", len(blocks))
	}
	for _, m := range blocks {
		path := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(path, []byte(m[1]), 0o644); err != nil {
			t.Fatal(err)
		}
		const records = "testdata/builds/alpha/dockerbuild"
		inProcess(t, "check", records+"/044.dockerbuild", "--baseline", records, "--config", path)
	}
}
