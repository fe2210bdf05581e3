package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// causesDockerfile is the image of which it is asked why it is built more slowly.
const causesDockerfile = `
FROM base AS app
ARG PAUSE=0
COPY src /src
RUN --mount=type=bind,source=work/compile,target=/work sleep "$(cat /work)" && echo compiled >/app
RUN sleep 1 && sleep "$PAUSE" && echo tested >/tested
`

// usualPause is a line of the Dockerfile, and what becomes of it in the case of an edit.
const usualPause, slowPause = "RUN sleep 1 && sleep", "RUN sleep 8 && sleep"

// causesBase are builds of main that say what is usual.
const causesBase = 10

// A checkout is a repository that is built from, each time at another commit.
type checkout struct {
	*stack
	dir string
}

// commit writes files and commits them with what else changed.
func (c *checkout) commit(t *testing.T, files map[string]string) (revision string) {
	t.Helper()
	files = mergedWith(files, map[string]string{"src/main": random(8)})
	for name, text := range files {
		if err := os.MkdirAll(filepath.Join(c.dir, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(c.dir, name), text)
	}
	c.git(t, "add", ".")
	c.git(t, "commit", "-q", "-m", "a commit")
	return c.git(t, "rev-parse", "HEAD")
}

func mergedWith(files, more map[string]string) map[string]string {
	all := map[string]string{}
	for _, list := range []map[string]string{files, more} {
		maps.Copy(all, list)
	}
	return all
}

func (c *checkout) git(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(c.ctx, "git", append([]string{"-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgSign=false", "-C", c.dir}, args...)...)
	cmd.Env = append(slices.Clip(c.env), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// build builds what is checked out.
func (c *checkout) build(t *testing.T, name, branch, revision string, flags ...string) *build {
	t.Helper()
	c.builds++
	dir := filepath.Join(c.stack.dir, fmt.Sprintf("causes-%d", c.builds))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b := &build{
		plan: plan{name: name, branch: branch}, pipeline: "shop/causes", revision: revision, runID: fmt.Sprintf("causes-run-%d", c.builds), traceID: random(16),
		metadata: filepath.Join(dir, "meta.json"), progress: filepath.Join(dir, "progress.jsonl"), record: filepath.Join(dir, "record.dockerbuild"),
	}
	c.perform(t, b, append(append([]string{
		"build", "--builder", c.builder, "--progress", "rawjson", "--metadata-file", b.metadata, "--output", "type=oci,dest=" + os.DevNull,
	}, flags...), c.dir))
	return b
}

// explained is what a check tells of why steps are slower.
type explained struct {
	Results []struct {
		Verdict string
		Build   struct{ ID string }
		Steps   []struct {
			Name, Status string
			Causes       []struct{ Kind, Certainty, Text string }
		}
		Notes []note
	}
}

// check judges a build in the folder of the checkout.
func (c *checkout) check(t *testing.T, env []string, args ...string) (e explained, shown string) {
	t.Helper()
	args = append([]string{c.binary, "check", "--format", "json", "--base-branch", "main", "--min-delta", minDelta}, args...)
	for _, v := range c.stack.env { // what builds may see no git
		if own, ok := strings.CutPrefix(v, "PATH="); ok {
			env = append(slices.Clip(env), "PATH="+own+string(os.PathListSeparator)+os.Getenv("PATH"))
		}
	}
	stdout, stderr, err := c.try(c.ctx, c.dir, env, args...)
	if decoded := json.Unmarshal([]byte(stdout), &e); decoded != nil || len(e.Results) != 1 {
		t.Fatalf("%s: %v, %v\n%s", strings.Join(args, " "), err, decoded, stderr)
	}
	return e, stdout
}

// first is the first cause of the step that is slower, as "likely kind: text". Where
// whatever else runs here overloaded the machine, that comes before it, and makes what is
// likely else possible.
func (e explained) first(step string) string {
	for _, s := range e.Results[0].Steps {
		if !strings.Contains(s.Name, step) || s.Status != "slower" && s.Status != "suspect" {
			continue
		}
		overloaded := false
		for _, c := range s.Causes {
			switch {
			case c.Kind == "machine-overloaded":
				overloaded = true
			case overloaded && c.Certainty == "possible":
				return "likely " + c.Kind + ": " + c.Text
			default:
				return c.Certainty + " " + c.Kind + ": " + c.Text
			}
		}
		return "none"
	}
	return "no slower step"
}

// TestCauses makes builds that are slower for three reasons, each beside a change that is
// none, and asks every source for it.
func TestCauses(t *testing.T) {
	s := start(t)
	t.Logf("the stack: %s", s.about)
	c := &checkout{s, filepath.Join(s.dir, "repository")}
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	c.git(t, "init", "-q", "-b", "main")
	usual := map[string]string{"Dockerfile": s.base + causesDockerfile, "work/compile": "2\n", "README.md": "text\n", ".dockerignore": ".git\n*.md\n"}
	for name, content := range s.context {
		usual[name] = string(content)
	}
	records, local := s.storeFlag("causes-records"), s.storeFlag("causes-local")
	for i := range causesBase {
		b := c.build(t, fmt.Sprintf("main %d", i+1), "main", c.commit(t, usual))
		c.check(t, nil, local, "buildx:"+b.ref)
		s.run(t, s.binary, "record", records, b.record)
	}
	for i, test := range []struct {
		name  string
		files map[string]string
		flags []string
		step  string
		want  string
		text  string
		trace bool // it is called there as in records
	}{
		{"a file", map[string]string{"work/compile": "9\n", "README.md": "more\n"}, nil, "work/compile", "likely file: ", "`work/compile` changed in ", true},
		{"an edit", map[string]string{"Dockerfile": s.base + strings.Replace(causesDockerfile, usualPause, slowPause, 1), "README.md": "more\n"}, nil, "RUN sleep 8", "likely instruction: ", "`RUN sleep 1", false},
		{"an argument", map[string]string{"README.md": "more\n"}, []string{"--build-arg", "PAUSE=7"}, "RUN sleep 1", "likely argument: ", "`PAUSE`", false},
	} {
		branch := fmt.Sprintf("change-%d", i+1)
		c.git(t, "checkout", "-q", "-B", branch, "main")
		b := c.build(t, test.name, branch, c.commit(t, test.files), test.flags...)
		for _, from := range []struct {
			name string
			args []string
		}{
			{"buildx:", []string{local, "buildx:" + b.ref}},
			{"record", []string{records, b.record}},
		} {
			t.Run(test.name+"/"+from.name, func(t *testing.T) {
				e, shown := c.check(t, nil, append([]string{"--record", "never"}, from.args...)...)
				if got := e.first(test.step); !strings.HasPrefix(got, test.want) || !strings.Contains(got, test.text) || strings.Contains(shown, "README.md") {
					t.Errorf("got %q, want %s…%s…\n%s", got, test.want, test.text, shown)
				} else {
					t.Log(got)
				}
			})
		}
		if !test.trace {
			continue
		}
		// A trace tells times alone, and the builder's record of the same build the rest.
		trace := []string{"--record", "never", s.storeFlag("causes-jaeger"), "jaeger://" + s.grpc, "--trace-id", b.traceID}
		t.Run(test.name+"/trace with its record", func(t *testing.T) {
			e, shown := c.check(t, []string{"BUILDX_BUILDER=" + s.builder}, trace...)
			if got := e.first(test.step); !strings.HasPrefix(got, test.want) {
				t.Errorf("got %q, want %s\n%s", got, test.want, shown)
			} else {
				t.Log(got)
			}
		})
		t.Run(test.name+"/trace alone", func(t *testing.T) {
			e, shown := c.check(t, []string{"BUILDX_BUILDER=nobody"}, trace...)
			untold := slices.ContainsFunc(e.Results[0].Notes, func(n note) bool { return n.Kind == "no-facts" })
			if got := e.first(test.step); got != "none" || !untold {
				t.Errorf("got %q, told that it is not known: %v\n%s", got, untold, shown)
			}
		})
	}
}
