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
	"github.com/buildregress/buildregress/detect/redact"
	"github.com/buildregress/buildregress/detect/stepname"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/buildkit"
	"github.com/buildregress/buildregress/fetch/store"
	"github.com/buildregress/buildregress/internal/ci"
	"github.com/buildregress/buildregress/report"
)

// HistoryOptions are what the history command is asked to do.
type HistoryOptions struct {
	Sources []string // none for the store
	Store   string
	Given   ci.Identity
	Branch  string // whose builds are told of, "" for the base branch
	Runner  string // on which they ran, "" for that of the newest one
	Wanted  fetch.Selector
	Steps   string // glob of their keys, "" for all
	Since   Since
	Policy  detect.Policy
	All     bool
	Output  OutputOptions
}

// Since says which builds are too old. The zero value is none.
type Since struct {
	Revision string // whose first build is the oldest, or its first letters
	Time     time.Time
	Ago      time.Duration
}

// maxHistory is how many builds of a pipeline are told of, the newest.
const maxHistory = 10_000

// History tells how pipelines behaved over their builds.
func History(ctx context.Context, env *Env, o *HistoryOptions) error {
	names := ci.NewResolver(o.Given, env.Variables, ".", env.Now)
	builds, notes, err := o.read(ctx, env, names)
	if err != nil {
		return err
	}
	builds = buildkit.CompleteBakes(builds)
	of := map[string][]detect.Build{}
	var pipelines []string
	for i := range builds {
		p := builds[i].Pipeline
		if of[p] == nil {
			pipelines = append(pipelines, p)
		}
		of[p] = append(of[p], builds[i])
	}
	slices.Sort(pipelines)
	h := &detect.Courses{SchemaVersion: detect.SchemaVersion, Results: []detect.Course{}, Notes: distinct(notes)}
	bar := env.Console.Progress("reading the history", len(pipelines))
	changed := &changes{env: env, names: names}
	matched := false
	for _, p := range pipelines {
		c := o.follow(ctx, of[p], names, env.Now, changed)
		matched = matched || len(c.Steps) > 0
		h.Results = append(h.Results, *c)
		bar.Add(1)
	}
	bar.Done()
	if o.Steps != "" && !matched {
		return fmt.Errorf("no step is called %q", redact.Text(o.Steps))
	}
	return o.Output.render(env.Stdout, func(format report.Format, w io.Writer, to report.TextOptions) error {
		return format.WriteHistory(w, h, report.HistoryOptions{All: o.All}, to)
	})
}

// follow tells the course of the builds of one pipeline that are asked for.
func (o *HistoryOptions) follow(ctx context.Context, builds []detect.Build, names *ci.Resolver, now time.Time, changed *changes) *detect.Course {
	slices.SortStableFunc(builds, func(a, b detect.Build) int { return a.Start.Compare(b.Start) })
	base, repository := names.Base(&builds[len(builds)-1])
	q := fetch.Query{BaseBranch: base, BaseRepository: repository}
	var kept []detect.Build
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
		case b.Outcome != detect.OK:
			failed++
		default:
			kept = append(kept, *b)
		}
	}
	kept = o.Since.keep(kept, now)
	kept, runner, otherRunners := onRunner(kept, o.Runner, o.Policy.MinHistory)
	c := detect.Follow(kept, o.Policy.Thresholds)
	c.Advise(kept, o.Policy)
	c.Explain(kept, func(b *detect.Build) detect.Changed { return changed.in(ctx, b) })
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
		var steps []stepname.Name
		for i := range c.Steps {
			steps = append(steps, stepname.Name{Key: c.Steps[i].Key, Name: c.Steps[i].Name})
		}
		asked := []detect.StepCourse{}
		for _, at := range stepname.Find(o.Steps, steps) {
			asked = append(asked, c.Steps[at])
		}
		c.Steps = asked
		isAsked := func(key string) bool {
			return slices.ContainsFunc(asked, func(s detect.StepCourse) bool { return s.Key == key })
		}
		c.Advice = slices.DeleteFunc(c.Advice, func(x detect.Advice) bool { return !slices.ContainsFunc(x.Steps, isAsked) })
	}
	return c
}

// keep leaves the builds that are not too old. They are in order of their start.
func (s *Since) keep(builds []detect.Build, now time.Time) []detect.Build {
	from := s.Time
	if s.Ago > 0 {
		from = now.Add(-s.Ago)
	}
	at := slices.IndexFunc(builds, func(b detect.Build) bool {
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
func onRunner(builds []detect.Build, asked string, enough int) (kept []detect.Build, runner string, others int) {
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

// read reads the builds that are told of.
func (o *HistoryOptions) read(ctx context.Context, env *Env, names *ci.Resolver) (list []detect.Build, notes []detect.Note, err error) {
	if len(o.Sources) == 0 {
		return o.readStored(ctx, env)
	}
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

// readStored reads the newest builds of each pipeline of the store.
func (o *HistoryOptions) readStored(ctx context.Context, env *Env) (list []detect.Build, notes []detect.Note, err error) {
	st, err := env.openStore(ctx, o.Store, store.ReadOnly)
	if err != nil {
		return nil, nil, err
	}
	defer st.Close()
	pipelines, err := st.Pipelines(ctx)
	if err != nil {
		return nil, nil, err
	}
	if len(pipelines) == 0 {
		return nil, nil, emptyStoreError{st.Name()}
	}
	var known []string
	for _, p := range pipelines {
		known = append(known, p.Name)
		if o.Given.Pipeline != "" && p.Name != o.Given.Pipeline {
			continue
		}
		found, err := st.Newest(ctx, p.Name, maxHistory)
		if err != nil {
			return nil, nil, err
		}
		if p.Builds > len(found) {
			notes = append(notes, olderNote(p.Name, len(found), p.Builds))
		}
		list = append(list, found...)
	}
	if len(list) == 0 {
		return nil, nil, fmt.Errorf("%s: no build of pipeline `%s` in it, but of%s", st.Name(), redact.Text(o.Given.Pipeline), listed(known))
	}
	return list, notes, nil
}
