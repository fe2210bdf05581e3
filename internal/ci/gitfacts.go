package ci

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Which files differ between two commits is the one question that git itself is asked: trees
// are not told apart otherwise. It is asked so that it reads objects alone. Nothing of the
// checkout is looked at, no hook, filter, pager or driver of a diff is run, and nothing is
// fetched, whatever the repository's configuration says.

const (
	maxChanged    = 1 << 20 // bytes of names; beyond that, which files changed is not known
	changedWithin = 5 * time.Second
)

// ChangedFiles are the paths that a commit of the checkout around dir changed against
// another one, from its root, with slashes. Of two that went apart, only what the second
// line of them changed counts: a pull request may be built as it is or merged, and in
// neither case is what others changed meanwhile its own. known is false where that cannot
// be told: there is no git, the checkout is shallow and lacks a commit, or the second one is
// the older.
func ChangedFiles(ctx context.Context, e Env, dir, before, after string) (files []string, known bool) {
	if !commit.MatchString(before) || !commit.MatchString(after) {
		return nil, false
	}
	if _, _, ok := gitDir(dir); !ok {
		return nil, false
	}
	ctx, stop := context.WithTimeout(ctx, changedWithin)
	defer stop()
	differ := func(a, b string) ([]string, bool) {
		out, ok := readGit(ctx, e, dir, "diff-tree", "-r", "-z", "--name-only", "--no-renames", "--no-ext-diff", "--no-textconv", "--ignore-submodules=all", a, b, "--")
		var list []string
		for name := range bytes.SplitSeq(out, []byte{0}) {
			if len(name) > 0 {
				list = append(list, strings.ToValidUTF8(string(name), "\uFFFD"))
			}
		}
		return list, ok
	}
	files, known = differ(before, after)
	if !known || before == after {
		return files, known
	}
	out, known := readGit(ctx, e, dir, "merge-base", before, after)
	base := strings.TrimSpace(string(out))
	if !known || !commit.MatchString(base) || base == after {
		return nil, false
	}
	if base == before {
		return files, true
	}
	own, known := differ(base, after)
	isOwn := make(map[string]bool, len(own))
	for _, file := range own {
		isOwn[file] = true
	}
	return slices.DeleteFunc(files, func(file string) bool { return !isOwn[file] }), known
}

// IsCommit tells whether text is the whole id of a commit.
func IsCommit(text string) bool { return commit.MatchString(text) }

// readGit is what a command of git that reads objects writes; ok is false where it fails or
// writes too much.
func readGit(ctx context.Context, e Env, dir string, args ...string) (written []byte, ok bool) {
	git, err := exec.LookPath("git") // never that of the working directory
	if err != nil || !filepath.IsAbs(git) {
		return nil, false
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	cmd := exec.CommandContext(ctx, git, append([]string{
		"--no-pager", "--no-optional-locks", "--no-replace-objects",
		"-c", "core.fsmonitor=false", "-c", "core.hooksPath=" + os.DevNull, "-c", "diff.external=", "-c", "protocol.allow=never",
	}, args...)...)
	cmd.Dir = dir
	cmd.Env = []string{"GIT_ALLOW_PROTOCOL=none", "GIT_NO_LAZY_FETCH=1", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C"}
	for _, name := range []string{"PATH", "HOME", "XDG_CONFIG_HOME", "SYSTEMROOT", "USERPROFILE"} { // where its own configuration is
		if value := e(name); value != "" {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	cmd.WaitDelay = time.Second
	out, err := cmd.StdoutPipe()
	if err != nil || cmd.Start() != nil {
		return nil, false
	}
	written, err = io.ReadAll(io.LimitReader(out, maxChanged+1))
	if err != nil || len(written) > maxChanged {
		stop()
		_ = cmd.Wait()
		return nil, false
	}
	return written, cmd.Wait() == nil
}
