package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/advice"
	"github.com/buildregress/buildregress/detect/course"
	"github.com/buildregress/buildregress/detect/redact"
	"github.com/buildregress/buildregress/detect/stepname"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/buildkit"
	"github.com/buildregress/buildregress/fetch/store"
	"github.com/buildregress/buildregress/internal/ci"
	"github.com/buildregress/buildregress/internal/console"
	"github.com/buildregress/buildregress/report"
	"golang.org/x/sync/errgroup"
)

// HistoryOptions are what the history command is asked to do.
type HistoryOptions struct {
	Sources    []string // none for the store
	Store      string
	Given      ci.Identity
	Branch     string // whose builds are told of, "" for the base branch
	Runner     string // on which they ran, "" for that of the newest one
	Wanted     fetch.Selector
	Steps      string // glob of their keys, "" for all
	Since      Since
	Thresholds detect.Thresholds
	Dismiss    []advice.Dismissal
	All        bool
	Output     OutputOptions
}

// Since says which builds are too old. The zero value is none.
type Since struct {
	Revision string // whose first build is the oldest, or its first letters
	Time     time.Time
	Ago      time.Duration
}

// maxHistory is how many builds of a pipeline are told of, the newest.
const maxHistory = 10_000

// A past is the builds of one pipeline. There may be many, of which little is kept: what they
// are is known, and they are read whole, or read again, as they are needed.
type past struct {
	builds []timeline.Build
	// whole hands on builds of these with all that belongs to them, in this order, list by list.
	whole func(of []timeline.Build, each func([]timeline.Build) error) error
}

// known is the past whose builds are whole.
func known(builds []timeline.Build) *past {
	return &past{builds, func(of []timeline.Build, each func([]timeline.Build) error) error { return each(of) }}
}

// History tells how pipelines behaved over their builds.
func History(ctx context.Context, env *Env, o *HistoryOptions) error {
	names := ci.NewResolver(o.Given, env.Variables, ".", env.Now)
	h := &course.Report{SchemaVersion: detect.SchemaVersion, Results: []course.Course{}}
	matched := false
	var steps []stepname.Name // of all of the builds
	notes, err := o.eachPast(ctx, env, names, func(p *past, bar *console.Progress) error {
		changed := &changes{env: env, names: names}
		// Where it would pay is no reason to ask GitHub, of so many builds.
		local := &changes{env: env, names: names, failed: true}
		c, all, err := o.follow(ctx, p, names, env.Now, changed, local, bar)
		if err != nil {
			return err
		}
		steps = append(steps, all...)
		matched = matched || len(c.Steps) > 0
		h.Results = append(h.Results, *c)
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(h.Results, func(a, b course.Course) int { return cmp.Compare(a.Pipeline, b.Pipeline) })
	h.Notes = distinct(notes)
	if o.Steps != "" && !matched {
		return fmt.Errorf("no step is called %q", redact.Text(o.Steps))
	}
	h.Notes = append(h.Notes, unmatched(o.Dismiss, steps)...)
	return o.Output.render(env.Stdout, func(format report.Format, w io.Writer, to report.TextOptions) error {
		return format.WriteHistory(w, h, report.HistoryOptions{All: o.All}, to)
	})
}

// unmatched are notes of the advice that is not wanted of steps that there are none of: one was
// renamed, or the glob is wrong.
func unmatched(dismissed []advice.Dismissal, steps []stepname.Name) (notes []detect.Note) {
	for i := range dismissed {
		if d := &dismissed[i]; len(steps) > 0 && len(d.Of(steps)) == 0 {
			notes = append(notes, detect.Note{Kind: detect.KindUnmatched, Text: fmt.Sprintf("%s: no step matches `%s`", d.From, d.Step)})
		}
	}
	return notes
}

// follow tells the course of the builds of one pipeline that are asked for, and what steps they
// have.
func (o *HistoryOptions) follow(ctx context.Context, p *past, names *ci.Resolver, now time.Time, changed, local *changes, bar *console.Progress) (c *course.Course, steps []stepname.Name, err error) {
	slices.SortStableFunc(p.builds, func(a, b timeline.Build) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(b.ID, a.ID)) })
	builds := p.builds
	base, repository := names.Base(&builds[len(builds)-1])
	q := fetch.Query{BaseBranch: base, BaseRepository: repository}
	var kept []timeline.Build
	failed, elsewhere := 0, 0
	others := map[string]int{}
	for i := range builds {
		b := &builds[i]
		isAsked := q.IsBase(b)
		if o.Branch != "" {
			isAsked = b.Branch == o.Branch
		}
		switch {
		case !isAsked:
			elsewhere++
			others[b.Branch]++
		case b.Outcome != timeline.OK:
			failed++
		default:
			kept = append(kept, *b)
		}
	}
	kept = o.Since.keep(kept, now)
	kept, runner, otherRunners := onRunner(kept, o.Runner, o.Thresholds.MinHistory)
	bar.Add(len(builds) - len(kept))
	c, err = p.follow(kept, o.Thresholds, bar)
	if err != nil {
		return nil, nil, err
	}
	for i := range c.Steps {
		steps = append(steps, stepname.Name{Key: c.Steps[i].Key, Name: c.Steps[i].Name})
	}
	again := func(first, last int) (list []timeline.Build, err error) {
		err = p.whole(kept[first:last+1], func(some []timeline.Build) error {
			list = append(list, some...)
			return nil
		})
		return list, err
	}
	if err := c.Explain(again, func(b *timeline.Build) detect.Changed { return changed.in(ctx, b) }); err != nil {
		return nil, nil, err
	}
	asked := course.Advising{Dismiss: o.Dismiss, Changed: func(b *timeline.Build) detect.Changed { return local.in(ctx, b) }}
	asked.Others = func(from, to time.Time) ([]timeline.Build, bool, error) {
		return p.during(without(builds, kept), from, to)
	}
	if err := c.Advise(again, &asked); err != nil {
		return nil, nil, err
	}
	c.Pipeline, c.Runner, c.Branch = builds[0].Pipeline, runner, base
	if o.Branch != "" {
		c.Branch = o.Branch
	}
	note := func(format string, args ...any) {
		c.Notes = append(c.Notes, detect.Note{Kind: detect.KindHistory, Text: fmt.Sprintf(format, args...)})
	}
	if otherRunners > 0 {
		note("left out: %s on other machines than `%s` (--runner names one)", report.Count(otherRunners, "build"), runner)
	}
	if failed > 0 {
		note("left out: %s that failed or were cancelled", report.Count(failed, "build"))
	}
	if len(kept) == 0 && elsewhere > 0 {
		known := []string{}
		for name := range others {
			known = append(known, "`"+name+"`")
		}
		slices.Sort(known)
		note("no build of `%s` is known, but builds of %s are: --branch names one", c.Branch, strings.Join(known[:min(len(known), 3)], ", "))
	}
	if o.Steps != "" {
		o.onlySteps(c, steps)
	}
	return c, steps, nil
}

// onlySteps leaves of a course the steps that are asked for.
func (o *HistoryOptions) onlySteps(c *course.Course, steps []stepname.Name) {
	asked := []course.Step{}
	for _, at := range stepname.Find(o.Steps, steps) {
		asked = append(asked, c.Steps[at])
	}
	c.Steps = asked
	isAsked := func(key string) bool {
		return slices.ContainsFunc(asked, func(s course.Step) bool { return s.Key == key })
	}
	c.Advice = slices.DeleteFunc(c.Advice, func(x advice.Advice) bool { return !slices.ContainsFunc(x.Steps, isAsked) })
}

// without are the builds that are not among some of them.
func without(builds, some []timeline.Build) (list []timeline.Build) {
	among := make(map[string]bool, len(some))
	for i := range some {
		among[some[i].ID] = true
	}
	for i := range builds {
		if !among[builds[i].ID] {
			list = append(list, builds[i])
		}
	}
	return list
}

// maxBesides is how many other builds are looked at, all of which are in memory.
const maxBesides = 1000

// during are those of some builds, whole, that began from then until then, if they are not too many.
func (p *past) during(of []timeline.Build, from, to time.Time) (list []timeline.Build, known bool, err error) {
	var then []timeline.Build
	for i := range of {
		if b := &of[i]; !b.Start.Before(from) && !b.Start.After(to) {
			then = append(then, *b)
		}
	}
	if len(then) == 0 || len(then) > maxBesides {
		return nil, len(then) == 0, nil
	}
	err = p.whole(then, func(some []timeline.Build) error {
		list = append(list, some...)
		return nil
	})
	return list, true, err
}

// follow tells the course of some of the builds, oldest first, while they are read.
func (p *past) follow(oldest []timeline.Build, t detect.Thresholds, bar *console.Progress) (*course.Course, error) {
	newest := slices.Clone(oldest)
	slices.Reverse(newest)
	f := course.NewFollower(t)
	lists := make(chan []timeline.Build, 1)
	var reader errgroup.Group
	reader.Go(func() error {
		defer close(lists)
		return RecoverPanic(func() error {
			return p.whole(newest, func(list []timeline.Build) error {
				lists <- list
				return nil
			})
		})
	})
	for list := range lists {
		f.Add(list)
		bar.Add(len(list))
	}
	if err := reader.Wait(); err != nil {
		return nil, err
	}
	return f.Course(), nil
}

// keep leaves the builds that are not too old. They are in order of their start.
func (s *Since) keep(builds []timeline.Build, now time.Time) []timeline.Build {
	from := s.Time
	if s.Ago > 0 {
		from = now.Add(-s.Ago)
	}
	at := slices.IndexFunc(builds, func(b timeline.Build) bool {
		if s.Revision != "" {
			return strings.HasPrefix(b.Revision, s.Revision)
		}
		return !b.Start.Before(from)
	})
	if at < 0 {
		return nil
	}
	return builds[at:]
}

// onRunner leaves the builds that ran on the kind of machine of the newest one, where they
// are enough to tell of, or on one that is asked for: two kinds would look like a change.
func onRunner(builds []timeline.Build, asked string, enough int) (kept []timeline.Build, runner string, others int) {
	if len(builds) == 0 {
		return builds, asked, 0
	}
	runner = cmp.Or(asked, builds[len(builds)-1].Runner)
	for i := range builds {
		if builds[i].Runner == runner {
			kept = append(kept, builds[i])
		}
	}
	if asked == "" && (runner == "" || len(kept) < enough) {
		return builds, "", 0
	}
	return kept, runner, len(builds) - len(kept)
}

// eachPast calls do for each pipeline that is told of.
func (o *HistoryOptions) eachPast(ctx context.Context, env *Env, names *ci.Resolver, do func(*past, *console.Progress) error) (notes []detect.Note, err error) {
	if len(o.Sources) == 0 {
		return o.eachStored(ctx, env, do)
	}
	list, notes, err := o.read(ctx, env, names)
	if err != nil {
		return nil, err
	}
	bar := env.Console.Progress("reading the history", len(list))
	defer bar.Done()
	return notes, eachKnown(list, bar, do)
}

// eachKnown calls do for each pipeline of builds that are whole.
func eachKnown(builds []timeline.Build, bar *console.Progress, do func(*past, *console.Progress) error) error {
	of := map[string][]timeline.Build{}
	for _, b := range buildkit.CompleteBakes(builds) {
		of[b.Pipeline] = append(of[b.Pipeline], b)
	}
	for _, pipeline := range slices.Sorted(maps.Keys(of)) {
		if err := do(known(of[pipeline]), bar); err != nil {
			return err
		}
	}
	return nil
}

// read reads the builds of the sources.
func (o *HistoryOptions) read(ctx context.Context, env *Env, names *ci.Resolver) (list []timeline.Build, notes []detect.Note, err error) {
	wanted := o.Wanted
	wanted.All = !wanted.IsNamed()
	var all []target
	var errs []error
	for _, address := range o.Sources {
		from, err := env.Open(address, nil)
		if err != nil {
			return nil, nil, err
		}
		targets, warnings, err := readTargets(ctx, env, names, from, wanted, o.Given.Pipeline, maxHistory)
		errs = append(errs, err)
		all, notes = append(all, targets...), append(notes, warnings...)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, nil, err
	}
	completeAll(all, names, env.Now)
	counts, read := countAll(all), map[string]int{}
	for i := range all {
		read[all[i].Pipeline]++
	}
	for _, p := range slices.Sorted(maps.Keys(counts)) {
		if counts[p] > read[p] {
			notes = append(notes, olderNote(p, read[p], counts[p]))
		}
	}
	list, clashes := fetch.Distinct(buildsOf(all))
	for _, c := range clashes {
		env.Console.Warn(c.Error())
	}
	return list, append(notes, summarize(clashes, "more builds share an id")...), nil
}

// olderNote says that not all builds of a pipeline are told of.
func olderNote(pipeline string, told, all int) detect.Note {
	return detect.Note{Kind: detect.KindHistory, Text: fmt.Sprintf("the newest %d of %d builds of `%s` are told of", told, all, pipeline)}
}

// eachStored calls do for the newest builds of each pipeline of the store.
func (o *HistoryOptions) eachStored(ctx context.Context, env *Env, do func(*past, *console.Progress) error) (notes []detect.Note, err error) {
	st, err := env.openStore(ctx, o.Store, store.ReadOnly)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	pipelines, err := st.Pipelines(ctx)
	if err != nil {
		return nil, err
	}
	if len(pipelines) == 0 {
		return nil, emptyStoreError{st.Name()}
	}
	var known []string
	total := 0
	for _, p := range pipelines {
		known = append(known, p.Name)
		if o.Given.Pipeline == "" || p.Name == o.Given.Pipeline {
			total += min(p.Builds, maxHistory)
		}
	}
	bar := env.Console.Progress("reading the history", total)
	defer bar.Done()
	var targets []timeline.Build // of bakes: each is told in part by the others
	found := 0
	for _, p := range pipelines {
		if o.Given.Pipeline != "" && p.Name != o.Given.Pipeline {
			continue
		}
		stored, err := st.Past(ctx, p.Name, maxHistory)
		if err != nil {
			return nil, err
		}
		found += len(stored.Builds)
		if p.Builds > len(stored.Builds) {
			notes = append(notes, olderNote(p.Name, len(stored.Builds), p.Builds))
		}
		whole := func(of []timeline.Build, each func([]timeline.Build) error) error { return stored.Whole(ctx, of, each) }
		switch {
		case len(stored.Builds) == 0:
		case slices.ContainsFunc(stored.Builds, func(b timeline.Build) bool { return b.Target != "" }):
			err = whole(stored.Builds, func(list []timeline.Build) error {
				targets = append(targets, list...)
				return nil
			})
		default:
			err = do(&past{stored.Builds, whole}, bar)
		}
		if err != nil {
			return nil, err
		}
	}
	if found == 0 {
		return nil, fmt.Errorf("%s: no build of pipeline `%s` in it, but of%s", st.Name(), redact.Text(o.Given.Pipeline), listed(known))
	}
	return notes, eachKnown(targets, bar, do)
}
