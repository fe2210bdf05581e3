package ci

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
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
		got, known := ReadIgnore(t.Context(), os.Getenv, dir, test.revision, test.folder, test.dockerfile).Sent(t.Context(), test.files)
		if !known || !slices.Equal(got, test.want) {
			t.Errorf("%s: sent are %q, %v, want %q", test.name, got, known, test.want)
		}
	}
}

// An ignore file that takes long to hold against names is not looked at, nor is one when
// time is over: then what is sent is not known.
func TestIgnoreThatTakesLong(t *testing.T) {
	costly := strings.Repeat("*a", 60) + "b\n"
	name := strings.Repeat("a", 200)
	many := slices.Repeat([]string{name}, 3000)
	over, stop := context.WithCancel(t.Context())
	stop()
	for _, test := range []struct {
		name     string
		ctx      context.Context
		patterns string
		files    []string
		known    bool
	}{
		{"many patterns", t.Context(), strings.Repeat(costly, 2000), []string{name}, false},
		{"a large file", t.Context(), strings.Repeat("# comment\n", maxIgnoreFile/10+1), []string{name}, false},
		{"some patterns and many names", t.Context(), strings.Repeat(costly, 100), many, false},
		{"some patterns and some names", t.Context(), strings.Repeat(costly, 10), many[:20], true},
		{"few patterns and many names", t.Context(), "docs\n**/*.md\n", many, true},
		{"time is over", over, "docs\n", many[:1], false},
	} {
		i := &Ignore{names: []string{".dockerignore"}}
		i.read([]byte(test.patterns))
		if got, known := i.Sent(test.ctx, test.files); known != test.known || known && len(got) != len(test.files) {
			t.Errorf("%s: %d of %d are sent, known: %v", test.name, len(got), len(test.files), known)
		}
	}
}

// BenchmarkIgnore is the most that is done for one answer.
func BenchmarkIgnore(b *testing.B) {
	i := &Ignore{}
	i.read([]byte(strings.Repeat(strings.Repeat("*a", 60)+"b\n", 100)))
	name := strings.Repeat("a", 200)
	files := slices.Repeat([]string{name}, maxMatching/i.size/(len(name)+1))
	for b.Loop() {
		if _, known := i.Sent(b.Context(), files); !known {
			b.Fatal("not known")
		}
	}
}

// FuzzIgnore fuzzes an ignore file, which anybody may write, and a name.
func FuzzIgnore(f *testing.F) {
	f.Add([]byte("*\n!src\n**/*.md\n#\n\\\n[a-\n"), "src/a.md")
	f.Fuzz(func(t *testing.T, data []byte, name string) {
		i := &Ignore{}
		i.read(data)
		if got, _ := i.Sent(t.Context(), []string{name}); len(got) > 1 {
			t.Errorf("sent %q", got)
		}
	})
}
