package detect

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect/timeline"
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
func (e *explainer) differences(good, bad *timeline.Build, was, now *timeline.Step) differences {
	d := differences{complete: true}
	reached := reaches(bad, now)
	if now.Facts == nil && now.Count == 0 {
		// It is no instruction: what it needs is not known, but for the image that it pulls.
		d.complete = false
		if now.IsPart() {
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
func reaches(b *timeline.Build, s *timeline.Step) (list []*timeline.Step) {
	byID := make(map[string]*timeline.Step, len(b.Steps))
	for i := range b.Steps {
		if id := b.Steps[i].ID; id != "" {
			byID[id] = &b.Steps[i]
		}
	}
	seen := map[*timeline.Step]bool{s: true}
	list = []*timeline.Step{s}
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
func usersOf(b *timeline.Build, s *timeline.Step) (list []*timeline.Step) {
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
func (e *explainer) often(differ func(older, newer *timeline.Build) bool) float64 {
	pairs, changes := 0, 0
	var newer *timeline.Build
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
func (e *explainer) instructions(d *differences, good *timeline.Build, was, now *timeline.Step, reached []*timeline.Step) {
	differs := func(a, b *timeline.Step) bool {
		return a.Key != b.Key || isEdit(a, b) || a.Facts != nil && b.Facts != nil && a.Facts.Op != b.Facts.Op
	}
	before := map[string]*timeline.Step{}
	for i := range good.Steps {
		before[good.Steps[i].Key] = &good.Steps[i]
	}
	often := func(key string) float64 {
		return e.often(func(older, newer *timeline.Build) bool {
			a, b := stepIn(older, &timeline.Step{Key: key}, ""), stepIn(newer, &timeline.Step{Key: key}, "")
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
func (e *explainer) arguments(d *differences, good, bad *timeline.Build, was, now *timeline.Step, reached []*timeline.Step) {
	names := map[string]bool{}
	for _, s := range append(slices.Clone(reached), was) {
		if s.Facts != nil {
			for _, name := range s.Facts.Args {
				names[name] = true
			}
		}
	}
	argument := func(b *timeline.Build, name string) timeline.BuildArg {
		if b.Facts != nil {
			for _, a := range b.Facts.Args {
				if a.Name == name {
					return a
				}
			}
		}
		return timeline.BuildArg{}
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
			e.often(func(x, y *timeline.Build) bool { return argument(x, name) != argument(y, name) }))
	}
	if !found {
		d.rule(KindArgument, "no build argument that reaches it has changed")
	}
}

// images looks for images and others that are not what they were.
func (e *explainer) images(d *differences, good, bad *timeline.Build, was, now *timeline.Step, reached []*timeline.Step) {
	found := false
	for _, s := range reached {
		if s.Facts == nil || s.Facts.Image == "" {
			continue
		}
		name := s.Facts.Image
		a, b := good.Facts.Artifact(name), bad.Facts.Artifact(name)
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
		d.add(x, e.often(func(x, y *timeline.Build) bool {
			p, q := x.Facts.Artifact(name), y.Facts.Artifact(name)
			return p != nil && q != nil && p.Digest != q.Digest
		}))
	}
	if !found {
		d.rule(KindBaseImage, "the images that it is made from are the same")
		if !d.given && was.Facts != nil && now.Facts != nil && was.Facts.Env != "" && now.Facts.Env != "" && was.Facts.Env != now.Facts.Env {
			d.add(Explanation{Kind: KindEnvironment, Text: "a variable of its environment changed"}, e.often(func(x, y *timeline.Build) bool {
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

// builder looks at what reads the Dockerfile, and at how the result is written.
func (e *explainer) builder(d *differences, good, bad *timeline.Build, now *timeline.Step) {
	compare := func(kind Kind, what string, of func(*timeline.Facts) string) {
		a, b := of(good.Facts), of(bad.Facts)
		switch {
		case a == "" && b == "":
			return // nothing is known
		case a == b:
			d.rule(kind, what+" is the same")
			return
		}
		d.add(Explanation{Kind: kind, Text: fmt.Sprintf("%s changed (%s → %s)", what, quoted(a), quoted(b)), Before: a, After: b},
			e.often(func(x, y *timeline.Build) bool { return of(x.Facts) != of(y.Facts) }))
	}
	if now.IsWriting() || now.Stage == timeline.StagePush {
		compare(KindExporter, "how the result is written", func(f *timeline.Facts) string { return f.Exporter })
	}
	e.caches(d, good, bad, now)
	before := len(d.found)
	compare(KindFrontend, "what reads the Dockerfile", func(f *timeline.Facts) string { return f.Frontend })
	e.builtBy(d, good, bad)
	if len(d.found) > before {
		d.complete = false // it reaches all steps, and hardly makes one slower
	}
}
