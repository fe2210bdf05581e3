package detect

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect/timeline"
)

// The files that changed between two builds, and whether a step reads them.

// files looks for files that reach the step and changed.
func (e *explainer) files(d *differences, good, bad *timeline.Build, now *timeline.Step, reached []*timeline.Step) {
	direct := map[string]bool{}
	for _, s := range reached {
		if s.Facts == nil {
			if s.Count > 0 {
				d.complete = false // what it reads is not known
			}
			continue
		}
		for _, read := range s.Facts.Reads {
			direct[read] = direct[read] || s == now
		}
	}
	d.reads = slices.SortedFunc(maps.Keys(direct), func(a, b string) int {
		if direct[a] == direct[b] {
			return strings.Compare(a, b)
		}
		if direct[a] {
			return -1
		}
		return 1
	})
	if len(d.reads) == 0 {
		d.filesKnown = true
		d.rule(KindFile, "it reads nothing of the build context")
		return
	}
	files, known := e.filesBetween(good, bad)
	if d.filesKnown = known; !known {
		d.complete = false
		d.rule(KindFile, "which files changed is not known; it reads "+someOf(d.reads))
		return
	}
	if IsDirty(good) || IsDirty(bad) {
		d.complete, d.dirty = false, true
	}
	hits := map[string][]string{} // files by what is read
	for _, read := range d.reads {
		if strings.Contains(read, ":") {
			d.complete = false // another context, of which the repository says nothing
			continue
		}
		for _, file := range files {
			if timeline.IsRead(file, read, bad.Facts.Context) {
				hits[read] = append(hits[read], file)
			}
		}
	}
	if len(hits) == 0 {
		d.rule(KindFile, fmt.Sprintf("%d files changed, and it reads none of them", len(files)))
		return
	}
	// What the step reads itself comes first, and what names least.
	order := slices.SortedFunc(maps.Keys(hits), func(a, b string) int {
		if direct[a] != direct[b] {
			if direct[a] {
				return -1
			}
			return 1
		}
		return cmp.Or(len(hits[a])-len(hits[b]), len(b)-len(a), strings.Compare(a, b))
	})
	told := map[string]bool{}
	for _, read := range order {
		list := slices.DeleteFunc(hits[read], func(file string) bool { return told[file] })
		for _, file := range list {
			told[file] = true
		}
		if len(list) == 0 {
			continue
		}
		if read == "/" {
			beside := len(list)
			inContext := strings.Trim(path.Clean("/"+bad.Facts.Context), "/") + "/"
			if list = slices.DeleteFunc(list, func(file string) bool { return isAside(strings.TrimPrefix(file, inContext)) }); len(list) == 0 {
				d.rule(KindFile, fmt.Sprintf("of the whole context that it reads, %d files changed that hardly make a step slower", beside))
				continue
			}
			d.complete = false // not all that is read is used
		}
		// A file that hardly ever changes says more than the others in its folder.
		rare := slices.DeleteFunc(slices.Clone(list), func(file string) bool {
			return e.oftenChanged(func(f string) bool { return f == file }) >= seldom
		})
		often := e.oftenChanged(func(f string) bool { return timeline.IsRead(f, read, bad.Facts.Context) })
		if len(rare) > 0 {
			list, often = rare, min(often, seldom)
		}
		if direct[read] {
			d.addNear(fileCause(list, read, true, bad), often)
		} else {
			d.add(fileCause(list, read, false, bad), often)
		}
	}
}

// fileCause is the cause that files are which are read by one path.
func fileCause(files []string, read string, direct bool, bad *timeline.Build) (x Explanation) {
	const most = 5
	x.Kind = KindFile
	if slices.ContainsFunc(files, isLockFile) {
		x.Kind = KindLockFile
	}
	x.Evidence = slices.Clone(files[:min(len(files), most)])
	what := quoted(files[0])
	if i := slices.IndexFunc(files, isLockFile); i >= 0 {
		what = quoted(files[i])
	}
	switch more := len(files) - 1; {
	case more == 1:
		what += " and another file"
	case more > 1:
		what += fmt.Sprintf(" and %d other files", more)
	}
	since := ""
	if bad.Revision != "" {
		since = " in " + quoted(bad.Revision[:min(len(bad.Revision), 7)])
	}
	reader, object := "this step reads", " it"
	if !direct {
		reader = "this step is made from what reads"
	}
	if len(files) > 1 {
		object = " them"
	}
	x.Text = what + " changed" + since + ", and " + reader + object
	if read != "/" && direct {
		x.After = read
	}
	return x
}

// filesBetween are the files that differ between what two builds were made from.
func (e *explainer) filesBetween(good, bad *timeline.Build) (files []string, known bool) {
	return ChangedBetween(good, bad, e.changed)
}

// ChangedBetween are the files that differ between what two builds were made from, as far as
// that was committed.
func ChangedBetween(good, bad *timeline.Build, changed Changed) (files []string, known bool) {
	a, b := committed(good), committed(bad)
	if a == "" || b == "" {
		return nil, false
	}
	if a == b {
		return nil, true
	}
	return changed(a, b)
}

// A revision ends with this where the tree had changes that were not committed.
const dirty = "-dirty"

// IsDirty tells whether a build was made from a tree with changes that were not committed.
func IsDirty(b *timeline.Build) bool { return strings.HasSuffix(b.Revision, dirty) }

// committed is the commit that a build was made from, as far as it was one.
func committed(b *timeline.Build) string { return strings.TrimSuffix(b.Revision, dirty) }

// oftenChanged is in what part of pairs of builds a file changed that is meant.
func (e *explainer) oftenChanged(isMeant func(string) bool) float64 {
	changes := 0
	for _, files := range e.changes() {
		if slices.ContainsFunc(files, isMeant) {
			changes++
		}
	}
	return float64(changes) / float64(max(len(e.pairs), 1))
}

// changes are the files that changed between builds of the baseline that follow each
// other. The newest few are asked for, once.
func (e *explainer) changes() [][]string {
	const most = 8
	if e.pairs != nil {
		return e.pairs
	}
	e.pairs = [][]string{}
	var newer *timeline.Build
	for i := e.ownFrom(); i < len(e.older) && len(e.pairs) < most; i++ {
		b := &e.older[i]
		if b.Facts == nil || b.Revision == "" || newer != nil && committed(newer) == committed(b) {
			continue
		}
		if newer != nil {
			if files, known := e.filesBetween(b, newer); known {
				e.pairs = append(e.pairs, files)
			}
		}
		newer = b
	}
	return e.pairs
}

// isAside tells whether a file stands beside what is built: whoever reads all of a context
// reads it as well, and is hardly ever slower for it.
func isAside(file string) bool {
	name := strings.ToLower(path.Base(file))
	stem, _, _ := strings.Cut(name, ".")
	switch stem {
	case "readme", "license", "licence", "copying", "notice", "changelog", "changes", "contributing", "authors", "codeowners", "security",
		"dockerfile", "containerfile", "docker-compose", "compose", "docker-bake", "jenkinsfile":
		return true
	}
	switch path.Ext(name) {
	case ".md", ".rst", ".adoc", ".dockerfile", ".dockerignore", ".gitignore", ".gitattributes", ".editorconfig", ".gitlab-ci":
		return true
	}
	top, _, _ := strings.Cut(file, "/")
	return top == "docs" || top == "doc" || top == ".github" || top == ".circleci" || name == ".gitlab-ci.yml" || name == ".buildregress.yaml"
}

// isLockFile tells whether a file says which versions are installed.
func isLockFile(file string) bool {
	switch base := path.Base(file); base {
	case "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb", "go.sum", "go.mod",
		"Cargo.lock", "poetry.lock", "Pipfile.lock", "uv.lock", "pdm.lock", "requirements.txt", "composer.lock", "Gemfile.lock",
		"packages.lock.json", "mix.lock", "pubspec.lock", "gradle.lockfile", "flake.lock", "conan.lock", "Package.resolved":
		return true
	default:
		return strings.HasSuffix(base, ".lock") || strings.HasPrefix(base, "requirements") && strings.HasSuffix(base, ".txt")
	}
}
