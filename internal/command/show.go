package command

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/advice"
	"github.com/buildregress/buildregress/detect/describe"
	"github.com/buildregress/buildregress/detect/redact"
	"github.com/buildregress/buildregress/detect/stepname"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/store"
	"github.com/buildregress/buildregress/internal/ci"
	"github.com/buildregress/buildregress/report"
)

// ShowOptions are what the show command is asked to do.
type ShowOptions struct {
	Source string // or the name of a build in the store
	Store  string
	Wanted fetch.Selector
	Given  ci.Identity
	Advice advice.Terms
	Output OutputOptions
}

// Show tells of one build, and judges nothing.
func Show(ctx context.Context, env *Env, o *ShowOptions) error {
	f, err := newFinder(ctx, env, o.Store, o.Given, o.Wanted)
	if err != nil {
		return err
	}
	defer f.store.Close()
	b, err := f.find(ctx, o.Source, nil)
	if err != nil {
		return err
	}
	d := describe.Of(b)
	d.Advice = advice.OfBuild(b, &o.Advice)
	var steps []stepname.Name
	for i := range b.Steps {
		steps = append(steps, stepname.Name{Key: b.Steps[i].Key, Name: b.Steps[i].Name})
	}
	d.Notes = slices.Concat(d.Notes, distinct(f.notes), unmatched(o.Advice.Dismiss, steps))
	return o.Output.render(env.Stdout, func(format report.Format, w io.Writer, to report.TextOptions) error {
		return format.WriteShown(w, d, to)
	})
}

// A finder finds single builds by what people call them: a source, or a name in the store.
type finder struct {
	env    *Env
	names  *ci.Resolver
	store  *store.Store
	given  ci.Identity
	wanted fetch.Selector
	notes  []detect.Note
}

func newFinder(ctx context.Context, env *Env, address string, given ci.Identity, wanted fetch.Selector) (*finder, error) {
	st, err := env.openStore(ctx, address, store.ReadOnly)
	if err != nil {
		return nil, err
	}
	return &finder{env: env, names: newResolver(ctx, env, given), store: st, given: given, wanted: wanted}, nil
}

// find is the build that a name means: of a source the newest; else one in the store. ^N
// is the Nth one before other, or before the newest in the store where other is nil.
func (f *finder) find(ctx context.Context, name string, other *timeline.Build) (*timeline.Build, error) {
	if back, ok := strings.CutPrefix(name, "^"); ok {
		if n, err := strconv.Atoi(back); err == nil && n >= 0 && n <= 1000 {
			return f.before(ctx, n, other)
		}
	}
	if _, err := os.Stat(name); err == nil || name == "-" || strings.Contains(name, ":") {
		return f.read(ctx, name)
	}
	found, err := f.store.Find(ctx, f.given.Pipeline, name)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, noBuildError{name, f.store.Name()}
	}
	for i := range found {
		if found[i].Revision != found[0].Revision {
			return nil, fmt.Errorf("%s: more than one revision in %s begins so: %s, %s", redact.Text(name), f.store.Name(), found[0].Revision, found[i].Revision)
		}
	}
	f.noteOthers(len(found)-1, "of that name")
	return &found[0], nil
}

// before is the nth build before another one on its branch, or before the newest of all.
func (f *finder) before(ctx context.Context, n int, other *timeline.Build) (*timeline.Build, error) {
	at := timeline.Build{Pipeline: f.given.Pipeline}
	if other != nil {
		at = *other
		n--
	}
	if n < 0 {
		return other, nil
	}
	found, err := f.store.Before(ctx, &at, n+1)
	if err != nil {
		return nil, err
	}
	if len(found) <= n {
		return nil, noBuildError{fmt.Sprintf("^%d", n), f.store.Name()}
	}
	return &found[n], nil
}

// read is the newest build of a source.
func (f *finder) read(ctx context.Context, address string) (*timeline.Build, error) {
	from, err := f.env.Open(address, f.store)
	if err != nil {
		return nil, err
	}
	targets, notes, err := readTargets(ctx, f.env, f.names, from, f.wanted, f.given.Pipeline, 1)
	if err != nil {
		return nil, err
	}
	f.notes = append(f.notes, notes...)
	completeAll(targets, f.names, f.env.Now)
	var asked []timeline.Build
	for i := range targets {
		if !targets[i].unasked {
			asked = append(asked, targets[i].Build)
		}
	}
	all := 0
	for _, n := range countAll(targets) {
		all += n
	}
	f.noteOthers(all-len(targets)+len(asked)-1, "in "+from.Name)
	return &asked[len(asked)-1], nil
}

// noteOthers says that a build is the newest of several.
func (f *finder) noteOthers(n int, where string) {
	if n > 0 {
		f.notes = append(f.notes, detect.Note{Kind: detect.KindUnread, Text: fmt.Sprintf("it is the newest of %s %s: --build names another one", report.Count(n+1, "build"), redact.Text(where))})
	}
}

// A noBuildError tells that a name means nothing.
type noBuildError struct{ name, store string }

func (e noBuildError) Error() string {
	return fmt.Sprintf("%s: no such file, and no build in %s of that id or revision", redact.Text(e.name), e.store)
}

// Hint says what there could be.
func (e noBuildError) Hint() string {
	return "give a file, a server, or a build that buildregress record or check put into the store: its id, its revision, or ^1 for the one before"
}
