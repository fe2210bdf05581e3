package cli

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// An actionFile is what action.yml says.
type actionFile struct {
	Inputs map[string]struct {
		Description, Default string
		Required             bool
	}
	Outputs map[string]struct{ Description, Value string }
	Runs    struct {
		Using string
		Steps []struct {
			ID, If, Uses, Run, Shell string
			Env                      map[string]string
		}
	}
}

func readAction(t *testing.T) (a actionFile) {
	t.Helper()
	data, err := os.ReadFile("../../action.yml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// Flags that the action has no inputs for are set in the environment of its step: how a
// server of traces is reached, and what a log has no use for.
func hasInput(o option) bool { return !o.section.noInput && !o.noInput }

// inputsOf are the inputs of the action that the table of options asks for, and how they
// are handed over: in the environment, where nothing in them is a script. They have no
// defaults, which would go before the configuration file.
func inputsOf(options []option) (inputs, env string) {
	for _, o := range options {
		if !hasInput(o) {
			continue
		}
		about := cmp.Or(o.input, strings.ReplaceAll(o.help, "\n", " "))
		about = strings.ToUpper(about[:1]) + about[1:]
		if o.fallback != "" && !strings.Contains(about, "Default ") {
			about += ". Default " + o.fallback
		}
		inputs += fmt.Sprintf("  %s:\n    description: %s\n", o.name, about)
		env += fmt.Sprintf("        %[2]s: ${{ inputs.%[1]s || env.%[2]s }}\n", o.name, variable(o.name))
	}
	return inputs, env
}

// The action has an input for each flag of check, as the table of options has it.
func TestActionHasAnInputForEachFlag(t *testing.T) {
	data, err := os.ReadFile("../../action.yml")
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "# Options of check, as go test ./internal/cli -update writes them.\n", "# End of the options.\n"
	text := string(data)
	inputs, env := inputsOf(optionsOf(onCheck))
	want := text
	for indent, block := range map[string]string{"  ": inputs, "        ": env} {
		before, rest, ok := strings.Cut(want, "\n"+indent+begin)
		_, after, found := strings.Cut(rest, indent+end)
		if !ok || !found {
			t.Fatalf("action.yml has no place for the options, indented by %d", len(indent))
		}
		want = before + "\n" + indent + begin + block + indent + end + after
	}
	if *update && want != text {
		if err := os.WriteFile("../../action.yml", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if diff := gocmp.Diff(want, text); diff != "" {
		t.Errorf("action.yml (-want +got):\n%s", diff)
	}
}

// What the action takes and gives besides has a description.
func TestActionInputsAndOutputs(t *testing.T) {
	a := readAction(t)
	for name, in := range a.Inputs {
		if in.Description == "" || in.Required {
			t.Errorf("input %s is to have a description, and not to be required", name)
		}
	}
	for _, name := range []string{"verdict", "regressions", "report-json", "report-html"} {
		if got := a.Outputs[name].Value; got != "${{ steps.check.outputs."+name+" }}" {
			t.Errorf("output %s is %q", name, got)
		}
	}
	// Where the report as HTML is kept, the comment follows.
	if got := a.Outputs["comment-url"].Value; got != "${{ steps.comment.outputs.comment-url || steps.check.outputs.comment-url }}" {
		t.Errorf("output comment-url is %q", got)
	}
}

// pinned is an action named by a commit, with the version that it is.
var pinned = regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)

// No script of ours is put together from what others say, and no action of others
// can change under us.
func TestActionsAndWorkflowsAreSafe(t *testing.T) {
	files, err := filepath.Glob("../../.github/workflows/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(files, "../../action.yml") {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		inRun, indent := false, 0
		for i, line := range strings.Split(string(data), "\n") {
			text := strings.TrimLeft(line, " ")
			depth := len(line) - len(text)
			text = strings.TrimPrefix(text, "- ")
			if inRun && text != "" && depth <= indent {
				inRun = false
			}
			if strings.HasPrefix(text, "run:") {
				inRun, indent = true, depth
			}
			if inRun && strings.Contains(text, "${{") {
				t.Errorf("%s:%d: an expression within a script: %s", name, i+1, text)
			}
			if uses, ok := strings.CutPrefix(text, "uses: "); ok && uses != "./" && !pinned.MatchString(uses) {
				t.Errorf("%s:%d: %q is not pinned", name, i+1, uses)
			}
		}
	}
}

// bash runs a script of the action, and returns what it printed, what outputs it
// set, and its exit code.
func bash(t *testing.T, script string, vars map[string]string) (log string, outputs map[string]string, code int) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "output")
	if err := os.WriteFile(out, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	path, err := filepath.Abs(filepath.Join("../../.github/action", script))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bash", filepath.ToSlash(path))
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "GITHUB_OUTPUT="+out)
	for k, v := range vars {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	printed, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	outputs = map[string]string{}
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		outputs[name] = value
	}
	return string(printed), outputs, code
}

// refused is the content of a file that is not given out.
const refused = "come again later"

// releases is a server with the repository acme/tool, whose release v1.2.3 is of the
// commit that it returns, as the tag v1 is; v1.3.0 is of the next.
func releases(t *testing.T, files map[string]string) (address, commit, next string) {
	t.Helper()
	dir := t.TempDir()
	git := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.com", "-C", dir}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "-q", "-b", "main")
	git("commit", "-q", "--allow-empty", "-m", "one")
	commit = git("rev-parse", "HEAD")
	for _, tag := range []string{"v1.2.2", "v1.2.3"} {
		git("tag", "-a", "-m", "with a message", tag)
	}
	git("tag", "v1")
	git("commit", "-q", "--allow-empty", "-m", "two")
	next = git("rev-parse", "HEAD")
	git("tag", "v1.3.0")
	git("commit", "-q", "--allow-empty", "-m", "three")
	git("update-server-info")
	mux := http.NewServeMux()
	mux.Handle("/acme/tool/", http.StripPrefix("/acme/tool/", http.FileServer(http.Dir(filepath.Join(dir, ".git")))))
	mux.HandleFunc("/acme/tool/releases/download/v1.2.3/{file}", func(w http.ResponseWriter, r *http.Request) {
		content, ok := files[r.PathValue("file")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if content == refused {
			w.WriteHeader(http.StatusForbidden)
		}
		fmt.Fprint(w, content)
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL, commit, next
}

func TestActionInstalls(t *testing.T) {
	sum := func(content string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(content))) }
	binaries := map[string]string{}
	sums := ""
	for _, name := range []string{"buildregress_linux_amd64", "buildregress_linux_arm64", "buildregress_darwin_arm64", "buildregress_windows_amd64.exe"} {
		binaries[name] = "#!/bin/sh\necho " + name + "\n"
		sums += sum(binaries[name]) + "  " + name + "\n"
	}
	with := func(more map[string]string) map[string]string {
		files := map[string]string{"checksums.txt": sums}
		for _, m := range []map[string]string{binaries, more} {
			maps.Copy(files, m)
		}
		return files
	}
	const source = "source"
	for _, test := range []struct {
		name, os, arch, ref string
		files               map[string]string
		code                int
		gh                  string // what gh exits with, "" for none of it
		want                string // name of the binary, or source
		says                string
	}{
		{name: "a release", os: "Linux", arch: "X64", ref: "v1.2.3", want: "buildregress_linux_amd64"},
		{name: "ARM", os: "Linux", arch: "ARM64", ref: "v1.2.3", want: "buildregress_linux_arm64"},
		{name: "macOS", os: "macOS", arch: "ARM64", ref: "v1.2.3", want: "buildregress_darwin_arm64"},
		{name: "Windows", os: "Windows", arch: "X64", ref: "v1.2.3", want: "buildregress_windows_amd64.exe"},
		{name: "the tag that moves", os: "Linux", arch: "X64", ref: "v1", want: "buildregress_linux_amd64", says: "buildregress v1.2.3"},
		{name: "a commit that was released", os: "Linux", arch: "X64", ref: "COMMIT", want: "buildregress_linux_amd64", says: "buildregress v1.2.3"},
		{name: "a commit whose release has nothing", os: "Linux", arch: "X64", ref: "NEXT", want: source},
		{name: "a commit that was not released", os: "Linux", arch: "X64", ref: strings.Repeat("0", 40), want: source},
		{name: "a branch", os: "Linux", arch: "X64", ref: "main", want: source},
		{name: "no release for it", os: "macOS", arch: "X64", ref: "v1.2.3", want: source},
		{name: "no ref", os: "Linux", arch: "X64", want: source},
		{name: "a processor of which we know nothing", os: "Linux", arch: "S390X", ref: "v1.2.3", want: source},
		{name: "a system of which we know nothing", os: "Plan9", arch: "X64", ref: "v1.2.3", code: 1, says: "runners of the system 'Plan9'"},
		{name: "a release that gh knows", os: "Linux", arch: "X64", ref: "v1.2.3", gh: "0", want: "buildregress_linux_amd64"},
		{name: "a release that gh does not know", os: "Linux", arch: "X64", ref: "v1.2.3", gh: "1", want: source, says: "could not verify where"},
		{
			name: "changed since", os: "Linux", arch: "X64", ref: "v1.2.3", code: 1, says: "it is not used",
			files: with(map[string]string{"buildregress_linux_amd64": "echo owned"}),
		},
		{
			name: "no checksums", os: "Linux", arch: "X64", ref: "v1.2.3", code: 1, says: "has no checksums.txt",
			files: binaries,
		},
		{
			name: "no checksums now", os: "Linux", arch: "X64", ref: "v1.2.3", want: source, says: "could not be downloaded",
			files: with(map[string]string{"checksums.txt": refused}),
		},
		{
			name: "checksums as Windows writes them", os: "Linux", arch: "X64", ref: "v1.2.3", want: "buildregress_linux_amd64",
			files: with(map[string]string{"checksums.txt": strings.ToUpper(sum(binaries["buildregress_linux_amd64"])) + " *buildregress_linux_amd64\r\n"}),
		},
		{
			name: "not among the checksums", os: "Linux", arch: "X64", ref: "v1.2.3", code: 1, says: "does not name buildregress_linux_amd64 once",
			files: with(map[string]string{"checksums.txt": "no checksum\n"}),
		},
		{
			name: "twice among the checksums", os: "Linux", arch: "X64", ref: "v1.2.3", code: 1, says: "does not name buildregress_linux_amd64 once",
			files: with(map[string]string{"checksums.txt": sums + sums}),
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.files == nil {
				test.files = with(nil)
			}
			address, commit, next := releases(t, test.files)
			ref := strings.NewReplacer("COMMIT", commit, "NEXT", next).Replace(test.ref)
			vars := map[string]string{
				"RUNNER_OS": test.os, "RUNNER_ARCH": test.arch, "RUNNER_TEMP": t.TempDir(), "ACTION_PATH": root,
				"ACTION_REF": ref, "ACTION_REPOSITORY": "acme/tool", "GITHUB_SERVER_URL": address,
			}
			if test.gh != "" {
				vars["GH_TOKEN"], vars["PATH"] = "secret", answering(t, test.gh)+string(os.PathListSeparator)+os.Getenv("PATH")
			}
			log, outputs, code := bash(t, "install.bash", vars)
			if code != test.code || !strings.Contains(log, test.says) {
				t.Fatalf("exit code %d, want %d and %q:\n%s", code, test.code, test.says, log)
			}
			switch data, err := os.ReadFile(outputs["binary"]); {
			case test.want == "" || test.want == source:
				if err == nil {
					t.Errorf("there is a binary: %s", data)
				}
				if test.want == source && (outputs["from"] != source || outputs["go"] != "") {
					t.Errorf("outputs %v", outputs)
				}
			case string(data) != binaries[test.want]:
				t.Errorf("binary %q, %v, want %s\n%s", data, err, test.want, log)
			}
		})
	}
}

// answering is a folder with a gh that is asked about a file of acme/tool, and exits so.
func answering(t *testing.T, code string) string {
	t.Helper()
	dir := t.TempDir()
	script := "#!/bin/sh\n[ \"$3\" != --help ] || exit 0\n[ \"$1 $2 $4 $5\" = 'attestation verify --repo acme/tool' ] && [ -s \"$3\" ] || exit 9\nexit " + code + "\n"
	if err := os.WriteFile(filepath.Join(dir, "gh"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Where the runner does not say what the action is, its folder does.
func TestActionKnowsItselfByItsFolder(t *testing.T) {
	address, commit, _ := releases(t, nil)
	path := filepath.Join(t.TempDir(), "_actions", "acme", "tool", commit)
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	log, outputs, code := bash(t, "install.bash", map[string]string{
		"RUNNER_OS": "Linux", "RUNNER_ARCH": "X64", "RUNNER_TEMP": t.TempDir(), "ACTION_PATH": path, "GITHUB_SERVER_URL": address,
	})
	if code != 0 || outputs["from"] != "source" || !strings.Contains(log, "no release of acme/tool for "+commit) {
		t.Errorf("exit code %d, outputs %v\n%s", code, outputs, log)
	}
}

func TestActionChecks(t *testing.T) {
	for _, test := range []struct {
		name     string
		vars     map[string]string
		exits    int // what buildregress does
		code     int
		source   string // as it was called with; FOLDER stands for a temporary one
		baseline string
		store    string
		own      bool // the source is its own baseline
		says     string
	}{
		{name: "nothing said", source: "buildx:", baseline: "github://acme/shop", store: "sqlite:HISTORY/history.db"},
		{name: "metadata", vars: map[string]string{"METADATA": `{"buildx.build.ref":"b/n/r$(id)"}`}, source: "buildx:@FOLDER/metadata.json", baseline: "github://acme/shop"},
		{name: "metadata of a build that was skipped", vars: map[string]string{"METADATA": " \n"}, source: "buildx:"},
		{name: "after another run", vars: map[string]string{"GITHUB_EVENT_NAME": "workflow_run"}, source: "github://acme/shop", own: true},
		{name: "a source", vars: map[string]string{"SOURCE": "--a b; $(id)", "METADATA": "{}"}, source: "--a b; $(id)", baseline: "github://acme/shop"},
		{name: "a server of traces", vars: map[string]string{"SOURCE": "jaeger+https://traces.example"}, source: "jaeger+https://traces.example", own: true},
		{name: "times of steps", vars: map[string]string{"SOURCE": "github-steps://acme/shop"}, source: "github-steps://acme/shop", own: true},
		{name: "a store", vars: map[string]string{"BUILDREGRESS_STORE": "postgres://x"}, source: "buildx:", store: "postgres://x"},
		{name: "a baseline", vars: map[string]string{"BUILDREGRESS_BASELINE": "main.jsonl"}, source: "buildx:", baseline: "main.jsonl"},
		{name: "regressed", exits: 1, code: 1, source: "buildx:"},
		{name: "wrong input", exits: 2, code: 2, source: "buildx:"},
		{name: "trouble", exits: 3, source: "buildx:", says: "::warning title=buildregress::the build could not be judged"},
		{name: "trouble that counts", exits: 3, code: 3, vars: map[string]string{"FAIL_ON_ERROR": "true"}, source: "buildx:"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			binary := filepath.Join(dir, "buildregress")
			fake := "#!/usr/bin/env bash\nprintf '%s|' \"$@\" \"$BUILDREGRESS_BASELINE\" \"$BUILDREGRESS_STORE\" \"$BUILDREGRESS_OUTPUT\"\nif [[ $3 == buildx:@* ]]; then cat \"${3#buildx:@}\"; fi\nexit " + fmt.Sprint(test.exits) + "\n"
			if err := os.WriteFile(binary, []byte(fake), 0o755); err != nil {
				t.Fatal(err)
			}
			vars := map[string]string{
				"BINARY": binary, "HISTORY": "HISTORY", "SOURCE": "", "METADATA": "", "FAIL_ON_ERROR": "false", "GITHUB_REPOSITORY": "acme/shop",
				"GITHUB_EVENT_NAME": "push", "RUNNER_TEMP": filepath.ToSlash(dir), "BUILDREGRESS_BASELINE": "", "BUILDREGRESS_STORE": "", "BUILDREGRESS_OUTPUT": "markdown=x.md",
			}
			maps.Copy(vars, test.vars)
			log, _, code := bash(t, "check.bash", vars)
			log = regexp.MustCompile(regexp.QuoteMeta(filepath.ToSlash(dir))+`/buildregress-\w+`).ReplaceAllString(log, "FOLDER")
			if code != test.code || !strings.Contains(log, test.says) {
				t.Errorf("exit code %d, want %d and %q:\n%s", code, test.code, test.says, log)
			}
			got := strings.Split(log, "|")
			if len(got) < 6 || got[2] != test.source || got[5] != "markdown=x.md\njson=FOLDER/report.json" ||
				test.baseline != "" && got[3] != test.baseline || test.store != "" && got[4] != test.store {
				t.Errorf("called with %q", got)
			}
			if (test.own || test.vars["BUILDREGRESS_STORE"] != "") && got[3] != "" {
				t.Errorf("with a store or a server of its own, the baseline is %q", got[3])
			}
			if metadata := test.vars["METADATA"]; strings.HasPrefix(test.source, "buildx:@") && !strings.HasSuffix(log, metadata) {
				t.Errorf("the metadata is not handed over as it is:\n%s", log)
			}
		})
	}
}

// The report as HTML is written beside the other, and the comment left to the step that
// comes when it is kept.
func TestActionKeepsTheReportAsHTML(t *testing.T) {
	dir := t.TempDir()
	binary := filepath.Join(dir, "buildregress")
	fake := "#!/usr/bin/env bash\nprintf '%s|' \"$*\" \"${BUILDREGRESS_OUTPUT:-}\" \"${BUILDREGRESS_COMMENT:-}\"\nexit \"${EXITS:-0}\"\n"
	if err := os.WriteFile(binary, []byte(fake), 0o755); err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{
		"BINARY": binary, "HISTORY": "HISTORY", "SOURCE": "", "METADATA": "", "FAIL_ON_ERROR": "false", "GITHUB_REPOSITORY": "acme/shop", "GITHUB_JOB": "image",
		"RUNNER_TEMP": filepath.ToSlash(dir), "BUILDREGRESS_BASELINE": "", "BUILDREGRESS_STORE": "", "BUILDREGRESS_OUTPUT": "", "BUILDREGRESS_COMMENT": "always", "REPORT_HTML": "true",
	}
	names := map[string]bool{}
	for range 2 { // in one job
		log, outputs, code := bash(t, "check.bash", vars)
		got := strings.Split(log, "|")
		if code != 0 || len(got) < 3 || !regexp.MustCompile(`\njson=\S+/report.json\nhtml=\S+/report.html$`).MatchString(got[1]) || got[2] != "never" {
			t.Errorf("exit code %d, called with %q", code, got)
		}
		name := outputs["report-name"]
		if !regexp.MustCompile(`^build-report-image-\w{6}$`).MatchString(name) || names[name] {
			t.Errorf("the artifact is called %q", name)
		}
		names[name] = true
	}
	vars["REPORT_HTML"] = "false"
	if log, outputs, _ := bash(t, "check.bash", vars); strings.Contains(log, "report.html") || !strings.Contains(log, "|always|") || outputs["report-name"] != "" {
		t.Errorf("not asked for, called with %q", log)
	}

	for _, test := range []struct {
		name, page, mode, exits, failOnError string
		code                                 int
		call, says                           string
	}{
		{name: "kept", page: "https://github.com/a/1", call: "report --comment auto --report-url https://github.com/a/1 -- r.json"},
		{name: "not kept", mode: "always", call: "report --comment always -- r.json"},
		{name: "not posted", exits: "3", call: "report --comment auto -- r.json", says: "::warning title=buildregress::the comment could not be posted"},
		{name: "not posted, which counts", exits: "3", failOnError: "true", code: 3, call: "report --comment auto -- r.json"},
	} {
		called := filepath.Join(t.TempDir(), "called")
		fake := "#!/usr/bin/env bash\nprintf '%s' \"$*\" >'" + filepath.ToSlash(called) + "'\nexit \"${EXITS:-0}\"\n"
		if err := os.WriteFile(binary, []byte(fake), 0o755); err != nil {
			t.Fatal(err)
		}
		log, _, code := bash(t, "comment.bash", map[string]string{
			"BINARY": binary, "REPORT": "r.json", "PAGE": test.page, "FAIL_ON_ERROR": cmp.Or(test.failOnError, "false"), "BUILDREGRESS_COMMENT": test.mode, "EXITS": test.exits,
		})
		call, err := os.ReadFile(called)
		if code != test.code || string(call) != test.call || err != nil || !strings.Contains(log, test.says) {
			t.Errorf("%s: exit code %d, called with %q, %v\n%s", test.name, code, call, err, log)
		}
	}
}

func TestActionWithoutABinaryJudgesNothing(t *testing.T) {
	log, _, code := bash(t, "check.bash", map[string]string{"BINARY": filepath.Join(t.TempDir(), "none"), "RUNNER_TEMP": t.TempDir()})
	if code != 0 || log != "" {
		t.Errorf("exit code %d\n%s", code, log)
	}
	dir := t.TempDir() // holds no Go module
	for failOn, want := range map[string]int{"false": 0, "true": 1} {
		log, _, code = bash(t, "build.bash", map[string]string{"ACTION_PATH": dir, "BINARY": filepath.Join(dir, "x"), "FAIL_ON_ERROR": failOn})
		if code != want || !strings.Contains(log, "could not be built from source") {
			t.Errorf("fail-on-error %s: exit code %d\n%s", failOn, code, log)
		}
	}
}
