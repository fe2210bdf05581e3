package ci

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/buildregress/buildregress/detect/timeline"
)

func TestCheckout(t *testing.T) {
	id := strings.Repeat("0123456789", 4)
	for _, test := range []struct {
		name  string
		files map[string]string
		dir   string
		want  Identity
	}{
		{"none", map[string]string{"a": ""}, ".", Identity{}},
		{"branch", map[string]string{".git/HEAD": "ref: refs/heads/a/b\n", ".git/refs/heads/a/b": id + "\n"}, ".", Identity{Pipeline: "shop", Origin: timeline.Origin{Branch: "a/b", Revision: id}}},
		{"below", map[string]string{".git/HEAD": "ref: refs/heads/x\n", "sub/deep/f": ""}, "sub/deep", Identity{Pipeline: "shop", Origin: timeline.Origin{Branch: "x"}}},
		{
			"default branch of the origin",
			map[string]string{".git/HEAD": "ref: refs/heads/x\n", ".git/refs/remotes/origin/HEAD": "ref: refs/remotes/origin/release/2\n"},
			".",
			Identity{Pipeline: "shop", Origin: timeline.Origin{Branch: "x"}, BaseBranch: "release/2"},
		},
		{"origin without one", map[string]string{".git/HEAD": id + "\n", ".git/refs/remotes/origin/HEAD": id + "\n"}, ".", Identity{Pipeline: "shop", Origin: timeline.Origin{Revision: id}}},
		{"detached", map[string]string{".git/HEAD": id + "\n"}, ".", Identity{Pipeline: "shop", Origin: timeline.Origin{Revision: id}}},
		{"no commit yet", map[string]string{".git/HEAD": "ref: refs/heads/main\n"}, ".", Identity{Pipeline: "shop", Origin: timeline.Origin{Branch: "main"}}},
		{
			"packed",
			map[string]string{".git/HEAD": "ref: refs/heads/x\n", ".git/packed-refs": "# pack-refs with: peeled\n" + strings.Repeat("1", 40) + " refs/heads/xx\n" + id + " refs/heads/x\n^" + id + "\n"},
			".",
			Identity{Pipeline: "shop", Origin: timeline.Origin{Branch: "x", Revision: id}},
		},
		{
			"worktree",
			map[string]string{
				"tree/.git": "gitdir: ../repo/.git/worktrees/tree\n", "repo/.git/worktrees/tree/HEAD": "ref: refs/heads/x\n",
				"repo/.git/worktrees/tree/commondir": "../..\n", "repo/.git/refs/heads/x": id + "\n",
				"repo/.git/refs/remotes/origin/HEAD": "ref: refs/remotes/origin/trunk\n",
			},
			"tree",
			Identity{Pipeline: "repo", Origin: timeline.Origin{Branch: "x", Revision: id}, BaseBranch: "trunk"},
		},
		{"hostile ref", map[string]string{".git/HEAD": "ref: ../../secret\n", "secret": id}, ".", Identity{Pipeline: "shop"}},
		{"garbage", map[string]string{".git/HEAD": "\x00\x01"}, ".", Identity{Pipeline: "shop"}},
		{"empty", map[string]string{".git/HEAD": ""}, ".", Identity{Pipeline: "shop"}},
		{"submodule that is nowhere", map[string]string{".git": "gitdir: ../nowhere\n"}, ".", Identity{Pipeline: "shop"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := filepath.Join(t.TempDir(), "shop")
			for name, text := range test.files {
				path := filepath.Join(root, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got := Checkout(filepath.Join(root, test.dir)); got != test.want {
				t.Errorf("%+v, want %+v", got, test.want)
			}
		})
	}
}

// Only what is in the checkout is.
func TestPathInCheckout(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "shop", ".git"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Join(root, "shop"))
	for file, want := range map[string]string{
		".buildregress/history.db":                     ".buildregress/history.db",
		filepath.Join(root, "shop", "a", "history.db"): "a/history.db",
		"../history.db":                                "",
		filepath.Join(root, "shop2", "history.db"):     "",
	} {
		if got, ok := PathInCheckout(".", file); got != want || ok != (want != "") {
			t.Errorf("%s is %q, %v", file, got, ok)
		}
	}
	t.Chdir(root)
	if _, ok := PathInCheckout(".", "history.db"); ok {
		t.Error("there is no checkout")
	}
}
