package detect

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// What two builds differ by, of all that can reach a step: its instruction and those that it
// is made from, build arguments, images, files of the context, and the builder itself.

// differences are what two builds differ by that can reach a step.
type differences struct {
	found      []Explanation // each as if it were alone
	near       int           // how many of them, from the first, are of the step itself
	rare       int           // … or hardly ever differ
	same       []Note        // what was looked at and is no difference
	reads      []string      // paths of the context that reach the step
	filesKnown bool
	given      bool // a build argument that was given is not given now, or the other way round
	dirty      bool // … but for what was not committed
	complete   bool // nothing that can reach the step is unknown
}

// differences compares what reaches the step, which is was in good and now in bad.
func (e *explainer) differences(good, bad *Build, was, now *Step) differences {
	d := differences{complete: true}
	reached := reaches(bad, now)
	if now.Facts == nil && now.Count == 0 {
		// It is no instruction: what it needs is not known, but for the image that it pulls.
		d.complete = false
		if now.isPart() {
			e.images(&d, good, bad, was, now, usersOf(bad, now))
		}
		e.builder(&d, good, bad, now)
		return d
	}
	e.instructions(&d, good, was, now, reached)
	e.arguments(&d, good, bad, was, now, reached)
	e.images(&d, good, bad, was, now, reached)
	e.files(&d, good, bad, now, reached)
	before := d.rare
	e.packages(&d, good, was, now, reached)
	d.follow(before)
	e.builder(&d, good, bad, now)
	return d
}

// reaches are the step and all that it is made from.
func reaches(b *Build, s *Step) (list []*Step) {
	byID := make(map[string]*Step, len(b.Steps))
	for i := range b.Steps {
		if id := b.Steps[i].ID; id != "" {
			byID[id] = &b.Steps[i]
		}
	}
	seen := map[*Step]bool{s: true}
	list = []*Step{s}
	for at := 0; at < len(list); at++ {
		for _, id := range list[at].Inputs {
			if in := byID[id]; in != nil && !seen[in] {
				seen[in] = true
				list = append(list, in)
			}
		}
	}
	return list
}

// usersOf are the steps that wait for one.
func usersOf(b *Build, s *Step) (list []*Step) {
	for i := range b.Steps {
		if s.ID != "" && slices.Contains(b.Steps[i].Inputs, s.ID) {
			list = append(list, &b.Steps[i])
		}
	}
	return list
}

// A difference that is there in so many pairs of builds that follow each other explains
// nothing, or is hardly the reason.
const always, seldom = 0.5, 0.15

// add keeps a difference; one that is there in many builds explains nothing, and one that
// came before without a slowdown is possible at most, and told after the others.
func (d *differences) add(x Explanation, often float64) {
	if often >= always {
		d.same = append(d.same, Note{x.Kind, x.Text + ": so it does in most builds, without being slower"})
		return
	}
	x.Certainty = Likely
	if often >= seldom {
		d.complete = false
		d.found = append(d.found, x)
		return
	}
	d.found = slices.Insert(d.found, d.rare, x)
	d.rare++
}

// addNear keeps a difference of the step itself: it is told before those of what it is made
// from.
func (d *differences) addNear(x Explanation, often float64) {
	before := d.rare
	if d.add(x, often); d.rare > before {
		x = d.found[before]
		d.found = slices.Insert(slices.Delete(d.found, before, before+1), d.near, x)
		d.near++
	}
}

// follow makes what was found since there were so many a consequence of what was found
// before: other versions are installed because a file or an instruction says so.
func (d *differences) follow(before int) {
	if before == 0 || d.rare == before {
		return
	}
	for _, x := range d.found[before:d.rare] {
		d.found[0].Text += "; " + x.Text
		d.found[0].Evidence = append(slices.Clip(d.found[0].Evidence), x.Evidence...)
	}
	d.found, d.rare = slices.Delete(d.found, before, d.rare), before
}

func (d *differences) rule(kind Kind, text string) { d.same = append(d.same, Note{kind, text}) }

// often is in what part of the pairs of builds that follow each other in the baseline, and
// both have facts, something differs.
func (e *explainer) often(differ func(older, newer *Build) bool) float64 {
	pairs, changes := 0, 0
	var newer *Build
	for i := e.ownFrom(); i < len(e.older) && pairs < 30; i++ {
		b := &e.older[i]
		if b.Facts == nil {
			continue
		}
		if newer != nil {
			pairs++
			if differ(b, newer) {
				changes++
			}
		}
		newer = b
	}
	if pairs == 0 {
		return 0
	}
	return float64(changes) / float64(pairs)
}

// instructions looks for instructions that were edited, or came.
func (e *explainer) instructions(d *differences, good *Build, was, now *Step, reached []*Step) {
	differs := func(a, b *Step) bool {
		return a.Key != b.Key || isEdit(a, b) || a.Facts != nil && b.Facts != nil && a.Facts.Op != b.Facts.Op
	}
	before := map[string]*Step{}
	for i := range good.Steps {
		before[good.Steps[i].Key] = &good.Steps[i]
	}
	often := func(key string) float64 {
		return e.often(func(older, newer *Build) bool {
			a, b := stepIn(older, &Step{Key: key}, ""), stepIn(newer, &Step{Key: key}, "")
			return (a == nil) != (b == nil) || a != nil && differs(a, b)
		})
	}
	found := false
	for _, s := range reached {
		if s.Facts == nil || s.Facts.Op == "" {
			continue // no instruction
		}
		old := before[s.Key]
		if s == now {
			old = was
		}
		switch {
		case old == nil:
			found = true
			d.add(Explanation{Kind: KindInstruction, Text: quoted(s.Name) + ", which it is made from, is new or was edited", After: s.Name}, often(s.Key))
		case !differs(old, s):
		case s == now:
			found = true
			text, a, b := "its instruction was edited", written(old), written(s)
			if a == b {
				text = "what is executed for it has changed, though it is written as before"
			} else {
				x, y := excerpts(a, b)
				text += ": `" + x + "` became `" + y + "`"
			}
			d.addNear(Explanation{Kind: KindInstruction, Text: text, Before: a, After: b}, often(s.Key))
		default:
			found = true
			d.add(Explanation{Kind: KindInstruction, Text: quoted(s.Name) + ", which it is made from, was edited", Before: written(old), After: written(s)}, often(s.Key))
		}
	}
	if !found {
		d.rule(KindInstruction, "its instruction is the same, and so are those that it is made from")
	}
}

// arguments looks for build arguments that have other values.
func (e *explainer) arguments(d *differences, good, bad *Build, was, now *Step, reached []*Step) {
	names := map[string]bool{}
	for _, s := range append(slices.Clone(reached), was) {
		if s.Facts != nil {
			for _, name := range s.Facts.Args {
				names[name] = true
			}
		}
	}
	argument := func(b *Build, name string) BuildArg {
		if b.Facts != nil {
			for _, a := range b.Facts.Args {
				if a.Name == name {
					return a
				}
			}
		}
		return BuildArg{}
	}
	found := false
	for _, name := range slices.Sorted(maps.Keys(names)) {
		a, b := argument(good, name), argument(bad, name)
		if a == b {
			continue
		}
		found = true
		// What is not given has a value out of the Dockerfile, which is of the environment.
		d.given = d.given || a.Name == "" || b.Name == ""
		text := "build argument " + quoted(name) + " changed"
		if a.Value != "" && b.Value != "" {
			text += " (" + a.Value + " → " + b.Value + ")"
		} else if b.Name == "" {
			text = "build argument " + quoted(name) + " is not given any more"
		} else if a.Name == "" {
			text = "build argument " + quoted(name) + " is given, and was not before"
		}
		add := d.add
		if source := written(now); strings.Contains(source, "$"+name) || strings.Contains(source, "${"+name) {
			add = d.addNear
		}
		add(Explanation{Kind: KindArgument, Text: text, Before: a.Value, After: b.Value, Evidence: []string{name}},
			e.often(func(x, y *Build) bool { return argument(x, name) != argument(y, name) }))
	}
	if !found {
		d.rule(KindArgument, "no build argument that reaches it has changed")
	}
}

// images looks for images and others that are not what they were.
func (e *explainer) images(d *differences, good, bad *Build, was, now *Step, reached []*Step) {
	found := false
	for _, s := range reached {
		if s.Facts == nil || s.Facts.Image == "" {
			continue
		}
		name := s.Facts.Image
		a, b := good.Facts.artifact(name), bad.Facts.artifact(name)
		if b == nil || a != nil && a.Digest == b.Digest {
			continue
		}
		found = true
		short, _, _ := strings.Cut(name, " ")
		x := Explanation{Kind: KindBaseImage, After: b.Digest, Evidence: []string{name}, Text: quoted(short) + ", which it is made from, was not used before"}
		if a != nil {
			x.Before = a.Digest
			x.Text = fmt.Sprintf("%s is another image than before (%s → %s)", quoted(short), shownDigest(a.Digest), shownDigest(b.Digest))
		}
		d.add(x, e.often(func(x, y *Build) bool {
			p, q := x.Facts.artifact(name), y.Facts.artifact(name)
			return p != nil && q != nil && p.Digest != q.Digest
		}))
	}
	if !found {
		d.rule(KindBaseImage, "the images that it is made from are the same")
		if !d.given && was.Facts != nil && now.Facts != nil && was.Facts.Env != "" && now.Facts.Env != "" && was.Facts.Env != now.Facts.Env {
			d.add(Explanation{Kind: KindEnvironment, Text: "a variable of its environment changed"}, e.often(func(x, y *Build) bool {
				p, q := stepIn(x, now, ""), stepIn(y, now, "")
				return p != nil && q != nil && p.Facts != nil && q.Facts != nil && p.Facts.Env != q.Facts.Env
			}))
		}
	}
}

func shownDigest(digest string) string {
	_, hex, _ := strings.Cut(digest, ":")
	return quoted(hex[:min(len(hex), 8)] + "…")
}

// files looks for files that reach the step and changed.
func (e *explainer) files(d *differences, good, bad *Build, now *Step, reached []*Step) {
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
	if strings.HasSuffix(good.Revision, dirty) || strings.HasSuffix(bad.Revision, dirty) {
		d.complete, d.dirty = false, true
	}
	hits := map[string][]string{} // files by what is read
	for _, read := range d.reads {
		if strings.Contains(read, ":") {
			d.complete = false // another context, of which the repository says nothing
			continue
		}
		for _, file := range files {
			if isRead(file, read, bad.Facts.Context) {
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
		often := e.oftenChanged(func(f string) bool { return isRead(f, read, bad.Facts.Context) })
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
func fileCause(files []string, read string, direct bool, bad *Build) (x Explanation) {
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
func (e *explainer) filesBetween(good, bad *Build) (files []string, known bool) {
	a, b := committed(good), committed(bad)
	if a == "" || b == "" {
		return nil, false
	}
	if a == b {
		return nil, true
	}
	return e.changed(a, b)
}

// A revision ends with this where the tree had changes that were not committed.
const dirty = "-dirty"

// committed is the commit that a build was made from, as far as it was one.
func committed(b *Build) string { return strings.TrimSuffix(b.Revision, dirty) }

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
	var newer *Build
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

// isRead tells whether a file of the repository is read by a path of the build context,
// which is a folder there.
func isRead(file, read, context string) bool {
	context = strings.Trim(path.Clean("/"+context), "/")
	if context != "" {
		inside, ok := strings.CutPrefix(file, context+"/")
		if !ok {
			return false
		}
		file = inside
	}
	read = strings.TrimPrefix(path.Clean("/"+read), "/")
	if read == "" || file == read || strings.HasPrefix(file, read+"/") {
		return true
	}
	if !strings.ContainsAny(read, "*?[") {
		return false
	}
	// A pattern names files, or folders of which all is read.
	parts := strings.Split(file, "/")
	depth := strings.Count(read, "/") + 1
	if len(parts) < depth {
		return false
	}
	matched, err := path.Match(read, strings.Join(parts[:depth], "/"))
	return err == nil && matched
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

// builder looks at what reads the Dockerfile, and at how the result is written.
func (e *explainer) builder(d *differences, good, bad *Build, now *Step) {
	compare := func(kind Kind, what string, of func(*Facts) string) {
		a, b := of(good.Facts), of(bad.Facts)
		switch {
		case a == "" && b == "":
			return // nothing is known
		case a == b:
			d.rule(kind, what+" is the same")
			return
		}
		d.add(Explanation{Kind: kind, Text: fmt.Sprintf("%s changed (%s → %s)", what, quoted(a), quoted(b)), Before: a, After: b},
			e.often(func(x, y *Build) bool { return of(x.Facts) != of(y.Facts) }))
	}
	if now.isWriting() || now.Stage == "push" {
		compare(KindExporter, "how the result is written", func(f *Facts) string { return f.Exporter })
	}
	e.caches(d, good, bad, now)
	before := len(d.found)
	compare(KindFrontend, "what reads the Dockerfile", func(f *Facts) string { return f.Frontend })
	e.builtBy(d, good, bad)
	if len(d.found) > before {
		d.complete = false // it reaches all steps, and hardly makes one slower
	}
}
