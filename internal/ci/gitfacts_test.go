package ci

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// repository is one with two commits, between which files changed.
func repository(t *testing.T) (dir, before, after string) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Fatal("these tests need git")
	}
	dir = t.TempDir()
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgSign=false"}, args...)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git("init", "-q")
	write("kept", "1")
	write("src/odd \"name\"\n", "1")
	write("moved/from", "many\nlines\nof\ntext")
	git("add", ".")
	git("commit", "-qm", "one")
	before = git("rev-parse", "HEAD")
	write("src/odd \"name\"\n", "2")
	git("mv", "moved/from", "moved/to")
	git("add", ".")
	git("commit", "-qm", "two")
	return dir, before, git("rev-parse", "HEAD")
}

func TestChangedFiles(t *testing.T) {
	dir, before, after := repository(t)
	want := []string{"moved/from", "moved/to", "src/odd \"name\"\n"}
	for _, at := range []string{dir, filepath.Join(dir, "src")} {
		if files, known := ChangedFiles(t.Context(), os.Getenv, at, before, after); !known || !slices.Equal(files, want) {
			t.Errorf("in %s changed %q, %v", at, files, known)
		}
	}
	if files, known := ChangedFiles(t.Context(), os.Getenv, dir, after, after); !known || len(files) > 0 {
		t.Errorf("between a commit and itself changed %q, %v", files, known)
	}
	if _, known := ChangedFiles(t.Context(), os.Getenv, dir, after, before); known {
		t.Error("the older of two commits changed something")
	}
	for _, bad := range []string{"", "HEAD", "--output=x", before[:10], strings.Repeat("0", 40)} {
		if _, known := ChangedFiles(t.Context(), os.Getenv, dir, bad, after); known {
			t.Errorf("%q is a commit", bad)
		}
	}
	if _, known := ChangedFiles(t.Context(), os.Getenv, t.TempDir(), before, after); known {
		t.Error("what is no checkout knows commits")
	}
}

// What others changed meanwhile is no change of a pull request.
func TestChangedFilesOfBranches(t *testing.T) {
	dir, before, after := repository(t)
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgSign=false"}, args...)...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("checkout", "-q", "-b", "pull", before)
	if err := os.WriteFile(filepath.Join(dir, "kept"), []byte("2"), 0o644); err != nil {
		t.Fatal(err)
	}
	git("commit", "-qam", "pull")
	head := git("rev-parse", "HEAD")
	if files, known := ChangedFiles(t.Context(), os.Getenv, dir, after, head); !known || !slices.Equal(files, []string{"kept"}) {
		t.Errorf("the pull request changed %q, %v", files, known)
	}
}

// What a repository's configuration says is not run.
func TestChangedFilesRunsNothing(t *testing.T) {
	dir, before, after := repository(t)
	ran := filepath.Join(t.TempDir(), "ran")
	program := "touch " + ran + "; false"
	config := "[core]\n fsmonitor = \"" + program + "\"\n pager = \"" + program + "\"\n sshCommand = \"" + program + "\"\n hooksPath = hooks\n" +
		"[diff]\n external = \"" + program + "\"\n[diff \"x\"]\n textconv = \"" + program + "\"\n command = \"" + program + "\"\n" +
		"[filter \"x\"]\n clean = \"" + program + "\"\n smudge = \"" + program + "\"\n[alias]\n diff-tree = \"!" + program + "\"\n" +
		"[extensions]\n partialClone = origin\n[remote \"origin\"]\n promisor = true\n url = \"ext::sh -c '" + program + "'\"\n[protocol \"ext\"]\n allow = always\n"
	f, err := os.OpenFile(filepath.Join(dir, ".git", "config"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(config); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".gitattributes"), []byte("* diff=x filter=x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	missing := strings.Repeat("1", 40)
	for _, pair := range [][2]string{{before, after}, {missing, after}} {
		ChangedFiles(t.Context(), os.Getenv, dir, pair[0], pair[1])
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("a program that the repository names was run")
	}
}
