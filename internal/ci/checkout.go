package ci

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/buildregress/buildregress/fetch"
)

// Checkout is what the git checkout around dir says: the branch that is checked out, its
// commit, the default branch of where it came from, and as pipeline the name of its folder.
// Git itself is not run: the repository may not be ours, and its configuration can name
// programs.
func Checkout(dir string) Identity {
	root, git, ok := gitDir(dir)
	if !ok {
		return Identity{}
	}
	id := Identity{Pipeline: folderName(root, git), BaseBranch: defaultBranch(git)}
	head := firstLine(filepath.Join(git, "HEAD"))
	ref, symbolic := strings.CutPrefix(head, "ref: ")
	if !symbolic {
		if commit.MatchString(head) {
			id.Revision = head // detached
		}
		return id
	}
	if branch, ok := strings.CutPrefix(ref, "refs/heads/"); ok {
		id.Branch = branch
	}
	if filepath.IsLocal(ref) {
		id.Revision = commitOf(git, ref)
	}
	return id
}

var commit = regexp.MustCompile(`^[0-9a-f]{40}(?:[0-9a-f]{24})?$`)

// folderName is that of the checkout at root; of a worktree, which is gone tomorrow, that
// of the repository's own folder. It is "" for the root of a file system.
func folderName(root, git string) string {
	if dirs := refDirs(git); len(dirs) > 1 {
		common := filepath.Clean(dirs[1])
		root = strings.TrimSuffix(common, ".git") // "/src/shop/.git", or "/src/shop.git"
	}
	name := filepath.Base(root)
	if name == "." || name == string(filepath.Separator) || name == filepath.VolumeName(root) {
		return ""
	}
	return fetch.Clean(name, 200)
}

// PathInCheckout is the path, with slashes, that a file has in the git checkout around dir.
// ok is false for one that is not in it.
func PathInCheckout(dir, file string) (path string, ok bool) {
	root, _, ok := gitDir(dir)
	file, err := filepath.Abs(file)
	if !ok || err != nil {
		return "", false
	}
	within, err := filepath.Rel(root, file)
	if err != nil || !filepath.IsLocal(within) {
		return "", false
	}
	return filepath.ToSlash(within), true
}

// gitDir finds the working tree that dir is in, and the repository of that.
func gitDir(dir string) (root, path string, ok bool) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", "", false
	}
	for {
		git := filepath.Join(dir, ".git")
		info, err := os.Stat(git)
		if err == nil && info.IsDir() {
			return dir, git, true
		}
		if err == nil { // a worktree or a submodule: the file says where it is
			link, ok := strings.CutPrefix(firstLine(git), "gitdir: ")
			if ok && !filepath.IsAbs(link) {
				link = filepath.Join(dir, link)
			}
			return dir, link, ok
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", "", false
		}
		dir = parent
	}
}

// refDirs are the folders in which refs are looked up.
func refDirs(git string) []string {
	common := firstLine(filepath.Join(git, "commondir"))
	if common == "" {
		return []string{git}
	}
	if !filepath.IsAbs(common) { // of a worktree
		common = filepath.Join(git, common)
	}
	return []string{git, common}
}

// defaultBranch is the one that a clone of the origin checks out, "" if that is
// not known. Git packs no ref that only points to another.
func defaultBranch(git string) string {
	for _, dir := range refDirs(git) {
		head := firstLine(filepath.Join(dir, "refs", "remotes", "origin", "HEAD"))
		if branch, ok := strings.CutPrefix(head, "ref: refs/remotes/origin/"); ok {
			return branch
		}
	}
	return ""
}

// commitOf looks a ref up, "" if it is nowhere (no commit yet).
func commitOf(git, ref string) string {
	for _, dir := range refDirs(git) {
		if id := firstLine(filepath.Join(dir, filepath.FromSlash(ref))); commit.MatchString(id) {
			return id
		}
		if id := packed(filepath.Join(dir, "packed-refs"), ref); id != "" {
			return id
		}
	}
	return ""
}

// packed looks a ref up in a file of many.
func packed(path, ref string) string {
	f, err := fetch.OpenRegular(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if id, name, ok := strings.Cut(lines.Text(), " "); ok && name == ref && commit.MatchString(id) {
			return id
		}
	}
	return ""
}

// firstLine is the first line of a small file, "" if it cannot be read.
func firstLine(path string) string {
	f, err := fetch.OpenRegular(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 4<<10))
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(data), "\n")
	return strings.TrimSpace(line)
}
