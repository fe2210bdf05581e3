package ci

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
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

// ChangedFiles are the paths that differ between two commits of the checkout around dir,
// from its root, with slashes. known is false where that cannot be told: there is no git, or
// the checkout is shallow and lacks one of them.
func ChangedFiles(ctx context.Context, e Env, dir, before, after string) (files []string, known bool) {
	if !commit.MatchString(before) || !commit.MatchString(after) {
		return nil, false
	}
	if _, _, ok := gitDir(dir); !ok {
		return nil, false
	}
	git, err := exec.LookPath("git") // never that of the working directory
	if err != nil || !filepath.IsAbs(git) {
		return nil, false
	}
	ctx, stop := context.WithTimeout(ctx, changedWithin)
	defer stop()
	cmd := exec.CommandContext(ctx, git, "--no-pager", "--no-optional-locks", "--no-replace-objects",
		"-c", "core.fsmonitor=false", "-c", "core.hooksPath="+os.DevNull, "-c", "diff.external=", "-c", "protocol.allow=never",
		"diff-tree", "-r", "-z", "--name-only", "--no-renames", "--no-ext-diff", "--no-textconv", "--ignore-submodules=all", before, after, "--")
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
	names, readErr := io.ReadAll(io.LimitReader(out, maxChanged+1))
	if readErr != nil || len(names) > maxChanged {
		stop()
		_ = cmd.Wait()
		return nil, false
	}
	if cmd.Wait() != nil {
		return nil, false
	}
	for name := range bytes.SplitSeq(names, []byte{0}) {
		if len(name) > 0 {
			files = append(files, strings.ToValidUTF8(string(name), "\uFFFD"))
		}
	}
	return files, true
}
