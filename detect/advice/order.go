package advice

import (
	"path"
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
)

// A step that runs because a file changed that it does not need: it installs what a lock file
// names, and stands behind a copy of everything. That is told only of what its commands need
// plainly, only where git says which files changed, and only of builds in which nothing but
// files can have invalidated it, while the cache held what comes before.

// mostAsked is of how many builds it is asked what changed, which takes git its time.
const mostAsked = 24

// order are the steps that are worth to be put before the copy that invalidates them.
func (a *adviser) order(changed func(before, after *timeline.Build) ([]string, bool)) (all []Advice) {
	if changed == nil {
		return nil
	}
	files := func(i int) ([]string, bool) {
		before, after := a.builds[i-1].build, a.builds[i].build
		if before.Revision == "" || after.Revision == "" {
			return nil, false
		}
		return changed(before, after)
	}
	for _, id := range a.onPaths() {
		needs, ok := a.needsOf(id)
		if !ok {
			continue
		}
		var saved []time.Duration
		unneeded, ran, asked := 0, 0, 0
		for i := len(a.builds) - 1; i > 0 && asked < mostAsked; i-- { // newest first
			b := &a.builds[i]
			k, there := b.at[id]
			if !there {
				continue
			}
			if b.Steps[k].State != timeline.Executed {
				saved = append(saved, 0)
				continue
			}
			asked++
			list, known := files(i)
			if !known {
				continue
			}
			ran++
			if !b.runsForNothing(&a.builds[i-1], k, needs, list) {
				saved = append(saved, 0)
				continue
			}
			unneeded++
			saved = append(saved, b.Without(k))
		}
		if len(saved) < MinBuilds || 2*unneeded < ran {
			continue
		}
		slices.Reverse(saved)
		if x, ok := a.advice(Order, []int{id}, saved); ok {
			x.Builds, x.Ran, x.Needs, x.Unneeded = len(saved), ran, needs, unneeded
			all = append(all, x)
		}
	}
	return all
}

// needsOf are the files that a step needs, if its instruction says that, and if it is worth to
// look at which files changed: it ran behind a copy of others in half of the builds, and took
// its time.
func (a *adviser) needsOf(id int) (needs []string, ok bool) {
	ran := 0
	var took time.Duration
	for i := range a.builds {
		b := &a.builds[i]
		k, there := b.at[id]
		if !there || b.Steps[k].State != timeline.Executed {
			continue
		}
		now, plain := dockerfile.Needs(instructionOf(&b.Steps[k]))
		if !plain || ran > 0 && !slices.Equal(now, needs) {
			return nil, false
		}
		if len(b.copied(k)) > 0 {
			ran++
			took += b.Steps[k].Duration / time.Duration(len(a.builds))
		}
		needs = now
	}
	return needs, 2*ran >= len(a.builds) && took >= a.least()
}

// copied are the paths of the build context that a step is made from within its stage: its own,
// and those of what is copied before it.
func (b *advised) copied(k int) (paths []string) {
	for _, i := range b.until(k) {
		if facts := b.Steps[i].Facts; facts != nil {
			paths = append(paths, facts.Reads...)
		}
	}
	return paths
}

// runsForNothing tells of a step that ran whether nothing had changed since the build before
// that it needs, though something had that was copied before it; and whether nothing else can
// have invalidated it.
func (b *advised) runsForNothing(before *advised, k int, needs, files []string) bool {
	then, ok := before.at[b.of[k]]
	if !ok || !before.hasSame(b, then, k) || !b.isCachedBefore(k) {
		return false
	}
	paths := b.copied(k)
	if slices.ContainsFunc(paths, func(read string) bool { return strings.Contains(read, ":") }) {
		return false // another context, of which the repository says nothing
	}
	invalidates := false
	for _, file := range files {
		if isNeeded(file, needs) {
			return false
		}
		invalidates = invalidates || slices.ContainsFunc(paths, func(read string) bool { return timeline.IsRead(file, read, b.build.Facts.Context) })
	}
	return invalidates
}

// isNeeded tells whether a file is one of these names, in any folder; or may be named in one of
// them.
func isNeeded(file string, needs []string) bool {
	name := path.Base(file)
	if slices.Contains(needs, name) {
		return true
	}
	// A list of requirements may include others, and patches are applied to what is installed;
	// a gem or a crate may lie beside what names it; tools have settings, and package managers
	// of a system lists of sources and keys.
	if strings.HasPrefix(name, "requirements") || strings.HasPrefix(name, "constraints") || slices.Contains(besides, path.Ext(name)) {
		return true
	}
	for folder := range strings.SplitSeq(path.Dir(file), "/") {
		if slices.Contains(settings, folder) {
			return true
		}
	}
	return false
}

// besides are the ends of names of files that what installs may read as well, and settings the
// folders of such.
var (
	besides  = []string{".patch", ".tgz", ".whl", ".gemspec", ".toml", ".conf", ".cfg", ".ini", ".list", ".sources", ".repo", ".pref", ".gpg", ".asc", ".key", ".pem", ".crt", ".pub"}
	settings = []string{".yarn", ".cargo", ".bundle", ".pnpm", "patches", "apt", "apk", "yum.repos.d", "dnf", "keyrings"}
)

// hasSame tells whether two builds are made from the same but for files of the context, as far
// as that reaches a step, and whether that is known.
func (b *advised) hasSame(c *advised, then, now int) bool {
	x, y := b.build.Facts, c.build.Facts
	f, g := b.Steps[then].Facts, c.Steps[now].Facts
	if x == nil || y == nil || f == nil || g == nil || f.Op == "" || f.Op != g.Op || f.Env != g.Env || x.Text != y.Text || !slices.Equal(x.Sources, y.Sources) {
		return false
	}
	var used []string // arguments in the environment of what is before it in its stage
	for _, i := range c.until(now) {
		facts := c.Steps[i].Facts
		if facts == nil {
			continue
		}
		used = append(used, facts.Args...)
		if k, ok := b.at[c.of[i]]; ok && b.Steps[k].Facts != nil && b.Steps[k].Facts.Op != facts.Op {
			return false
		}
	}
	isUsed := func(a timeline.BuildArg) bool { return slices.Contains(used, a.Name) }
	if len(x.Args) == timeline.MaxArgs || len(y.Args) == timeline.MaxArgs {
		return slices.Equal(x.Args, y.Args) && len(used) == 0 // others are not known
	}
	only := func(args []timeline.BuildArg) []timeline.BuildArg {
		return slices.DeleteFunc(slices.Clone(args), func(a timeline.BuildArg) bool { return !isUsed(a) })
	}
	return slices.Equal(only(x.Args), only(y.Args))
}

// until are the steps of the stage of a step, up to it.
func (b *advised) until(k int) (steps []int) {
	s := &b.Steps[k]
	for i := range b.Steps {
		x := &b.Steps[i]
		if i == k || x.Index > 0 && x.Index < s.Index && x.Stage == s.Stage && x.Platform == s.Platform && x.Count == s.Count {
			steps = append(steps, i)
		}
	}
	return steps
}

// isCachedBefore tells whether what comes before the first copy of a step's stage was found in
// the cache: on a builder that keeps nothing, no order helps.
func (b *advised) isCachedBefore(k int) bool {
	first := -1
	for _, i := range b.until(k) {
		x := &b.Steps[i]
		if x.State == timeline.Executed && x.Facts != nil && len(x.Facts.Reads) > 0 && (first < 0 || x.Index < b.Steps[first].Index) {
			first = i
		}
	}
	if first < 0 {
		return false
	}
	return slices.ContainsFunc(b.Inputs[first], func(in int) bool {
		return b.Steps[in].Index > 0 && b.Steps[in].State == timeline.Cached
	})
}
