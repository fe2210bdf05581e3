package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckoutIdentity(t *testing.T) {
	id := strings.Repeat("0123456789", 4)
	for _, test := range []struct {
		name  string
		files map[string]string
		dir   string
		want  identity
	}{
		{"none", map[string]string{"a": ""}, ".", identity{}},
		{"branch", map[string]string{".git/HEAD": "ref: refs/heads/a/b\n", ".git/refs/heads/a/b": id + "\n"}, ".", identity{branch: "a/b", revision: id}},
		{"below", map[string]string{".git/HEAD": "ref: refs/heads/x\n", "sub/deep/f": ""}, "sub/deep", identity{branch: "x"}},
		{
			"default branch of the origin",
			map[string]string{".git/HEAD": "ref: refs/heads/x\n", ".git/refs/remotes/origin/HEAD": "ref: refs/remotes/origin/release/2\n"},
			".", identity{branch: "x", baseBranch: "release/2"},
		},
		{"origin without one", map[string]string{".git/HEAD": id + "\n", ".git/refs/remotes/origin/HEAD": id + "\n"}, ".", identity{revision: id}},
		{"detached", map[string]string{".git/HEAD": id + "\n"}, ".", identity{revision: id}},
		{"no commit yet", map[string]string{".git/HEAD": "ref: refs/heads/main\n"}, ".", identity{branch: "main"}},
		{
			"packed",
			map[string]string{".git/HEAD": "ref: refs/heads/x\n", ".git/packed-refs": "# pack-refs with: peeled\n" + strings.Repeat("1", 40) + " refs/heads/xx\n" + id + " refs/heads/x\n^" + id + "\n"},
			".", identity{branch: "x", revision: id},
		},
		{
			"worktree",
			map[string]string{
				"tree/.git": "gitdir: ../repo/.git/worktrees/tree\n", "repo/.git/worktrees/tree/HEAD": "ref: refs/heads/x\n",
				"repo/.git/worktrees/tree/commondir": "../..\n", "repo/.git/refs/heads/x": id + "\n",
				"repo/.git/refs/remotes/origin/HEAD": "ref: refs/remotes/origin/trunk\n",
			},
			"tree", identity{branch: "x", revision: id, baseBranch: "trunk"},
		},
		{"hostile ref", map[string]string{".git/HEAD": "ref: ../../secret\n", "secret": id}, ".", identity{}},
		{"garbage", map[string]string{".git/HEAD": "\x00\x01"}, ".", identity{}},
		{"empty", map[string]string{".git/HEAD": ""}, ".", identity{}},
		{"submodule that is nowhere", map[string]string{".git": "gitdir: ../nowhere\n"}, ".", identity{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := t.TempDir()
			for name, text := range test.files {
				path := filepath.Join(root, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got := checkoutIdentity(filepath.Join(root, test.dir)); got != test.want {
				t.Errorf("%+v, want %+v", got, test.want)
			}
		})
	}
}
