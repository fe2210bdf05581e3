package ci

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

func TestIgnore(t *testing.T) {
	dir, _, before := repository(t)
	for name, text := range map[string]string{
		".dockerignore":                  "# what no image needs\ndocs\n**/*.md\n!README.md\n",
		"app/.dockerignore":              "*\n!src\n",
		"app/Dockerfile.ci.dockerignore": "src/gen\n",
	} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"add", "."}, {"-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgSign=false", "commit", "-qm", "three"}} {
		if out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	head, err := exec.Command("git", "-C", dir, "rev-parse", "HEAD").Output()
	if err != nil {
		t.Fatal(err)
	}
	after := string(head[:40])
	for _, test := range []struct {
		name, revision, folder, dockerfile string
		files, want                        []string
	}{
		{"the root", after, "", "", []string{"README.md", "docs/a.txt", "src/x.go", "src/x.md"}, []string{"README.md", "src/x.go"}},
		{"of a tree that is not all committed", after + "-dirty", ".", "", []string{"docs/a.txt", "src/x.go"}, []string{"src/x.go"}},
		{"a folder", after, "app", "", []string{"app/src/x.go", "app/test.go", "docs/a.txt"}, []string{"app/src/x.go", "docs/a.txt"}},
		{"of one Dockerfile", after, "app", "app/Dockerfile.ci", []string{"app/src/gen/x.go", "app/test.go"}, []string{"app/test.go"}},
		{"a Dockerfile without one", after, "app", "app/Dockerfile", []string{"app/test.go"}, []string{}},
		{"it changed itself", after, "", "", []string{".dockerignore", "docs/a.txt"}, []string{".dockerignore", "docs/a.txt"}},
		{"a commit without one", before, "", "", []string{"docs/a.txt"}, []string{"docs/a.txt"}},
		{"no commit", "main", "", "", []string{"docs/a.txt"}, []string{"docs/a.txt"}},
		{"outside of the checkout", after, "../..", "", []string{"docs/a.txt"}, []string{}},
	} {
		if got := ReadIgnore(t.Context(), os.Getenv, dir, test.revision, test.folder, test.dockerfile).Sent(test.files); !slices.Equal(got, test.want) {
			t.Errorf("%s: sent are %q, want %q", test.name, got, test.want)
		}
	}
}

// FuzzIgnore fuzzes an ignore file, which anybody may write, and a name.
func FuzzIgnore(f *testing.F) {
	f.Add([]byte("*\n!src\n**/*.md\n#\n\\\n[a-\n"), "src/a.md")
	f.Fuzz(func(t *testing.T, data []byte, name string) {
		i := &Ignore{}
		i.read(data)
		if got := i.Sent([]string{name}); len(got) > 1 {
			t.Errorf("sent %q", got)
		}
	})
}
