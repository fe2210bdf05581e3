package command

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/buildkit"
	"github.com/buildregress/buildregress/fetch/store"
	"github.com/buildregress/buildregress/internal/ci"
	"github.com/buildregress/buildregress/report"
)

// What may be wrong with the pipeline or the branch of a build of which no history is
// known, where there is one of others.

// noteEmpty says why a history may hold nothing to compare with, where it holds something
// else.
func (c *checker) noteEmpty(ctx context.Context, b *timeline.Build, h *detect.History) error {
	const most = 3 // names
	if len(h.Base) > 0 || len(h.Notes) > 0 {
		return nil
	}
	note := func(format string, args ...any) {
		h.Notes = append(h.Notes, detect.Note{Kind: detect.KindHistory, Text: fmt.Sprintf(format, args...)})
	}
	if len(h.Other)+len(h.Branch) > 0 {
		var branches []string
		for _, other := range slices.Concat(h.Branch, h.Other) {
			if other.PullRequest == "" && other.Branch != "" && other.Branch != h.BaseBranch {
				branches = append(branches, "`"+other.Branch+"`")
			}
		}
		if branches = distinct(branches); len(branches) > 0 {
			note("no build of `%s` is known, but builds of %s are: --base-branch says which is the base",
				h.BaseBranch, strings.Join(branches[:min(len(branches), most)], ", "))
		}
		return nil
	}
	pipelines, err := c.history.Pipelines(ctx)
	if err != nil || len(pipelines) == 0 || isKnown(b.Pipeline, pipelines) {
		return err
	}
	if near, ok := nearPipeline(b.Pipeline, pipelines, c.options.Policy.MinHistory); ok && c.options.Given.Pipeline != "" {
		c.askFor(b.Pipeline, near)
		note("%s", unknownPipeline(b.Pipeline, near))
		return nil
	}
	var known []string
	for _, p := range pipelines {
		known = append(known, fmt.Sprintf("`%s` (%s)", p.Name, report.Count(p.Builds, "build")))
	}
	if more := len(known) - most; more > 0 {
		known = append(known[:most], fmt.Sprintf("%d more", more))
	}
	note("no build of pipeline `%s` is known; the history holds %s: give --pipeline", b.Pipeline, strings.Join(known, ", "))
	return nil
}

// isKnown tells whether there are builds of a pipeline, or some that may be of any.
func isKnown(name string, pipelines []fetch.Pipeline) bool {
	return slices.ContainsFunc(pipelines, func(p fetch.Pipeline) bool { return p.Name == name || p.Name == "" })
}

// nearPipeline is the one that was perhaps meant by a name of which there is no build: of
// those with many builds, the one that is most like it.
func nearPipeline(name string, pipelines []fetch.Pipeline, many int) (near fetch.Pipeline, ok bool) {
	plain := strings.NewReplacer("-", "", "_", "", ".", "", " ", "")
	written := func(name string) string { return plain.Replace(strings.ToLower(name)) }
	var names []string
	var of []fetch.Pipeline
	for _, p := range pipelines {
		if p.Builds >= many {
			names, of = append(names, written(p.Name)), append(of, p)
		}
	}
	if at := slices.Index(names, Closest(written(name), names, 6)); at >= 0 {
		return of[at], true
	}
	return near, false
}

func unknownPipeline(name string, near fetch.Pipeline) string {
	return fmt.Sprintf("no build of pipeline `%s` is known, and %d of `%s` are: was that meant?", name, near.Builds, near.Name)
}

// askForPipeline asks about a pipeline that was given, if it is perhaps mistyped.
func askForPipeline(ctx context.Context, env *Env, st *store.Store, given string) error {
	if given == "" {
		return nil
	}
	if known, err := st.Knows(ctx, given); err != nil || known {
		return err
	}
	pipelines, err := st.Pipelines(ctx)
	if err != nil || isKnown(given, pipelines) {
		return err
	}
	if near, ok := nearPipeline(given, pipelines, detect.DefaultThresholds.MinHistory); ok {
		env.Console.Warn(unknownPipeline(given, near))
		env.Console.Hint(fmt.Sprintf("--pipeline %q adds to those; if it is new, its history begins now", near.Name))
	}
	return nil
}

// askFor asks about a name that is perhaps mistyped, once for all builds.
func (c *checker) askFor(name string, near fetch.Pipeline) {
	if c.asked[name] {
		return
	}
	if c.asked == nil {
		c.asked = map[string]bool{}
	}
	c.asked[name] = true
	c.env.Console.Warn(unknownPipeline(name, near))
	c.env.Console.Hint(fmt.Sprintf("--pipeline %q compares with those; if it is new, its history begins now", near.Name))
}

// withOlder completes the history of a build that is called after the checkout by what
// older versions called `default`, as far as that is of the same image. In a store that
// the checkout holds it counts; in another one it may be of somebody else, and is told.
func (c *checker) withOlder(ctx context.Context, b *target, q fetch.Query, past *detect.History) (*detect.History, error) {
	if _, isStore := c.history.HistorySource.(*store.Store); !isStore || !b.unnamed || b.Pipeline == defaultPipeline || len(past.Base) >= q.Window {
		return past, nil
	}
	build := b.Build
	build.Pipeline = defaultPipeline
	q.Build = &build
	older, err := c.history.History(ctx, q)
	if err != nil {
		return nil, err
	}
	for _, list := range []*[]timeline.Build{&older.Base, &older.Sparse, &older.Other, &older.Branch} {
		*list = slices.DeleteFunc(*list, func(o timeline.Build) bool {
			o.Partial = o.Partial || list == &older.Sparse // which hold some steps of a build
			return !buildkit.LooksAlike(&o, &b.Build)
		})
		for i := range *list {
			(*list)[i].Pipeline = b.Pipeline
		}
	}
	found := len(older.Base) + len(older.Sparse)
	if found == 0 {
		return past, nil
	}
	if _, ours := ci.PathInCheckout(".", store.PathOf(c.history.name)); !ours {
		if len(past.Base) == 0 {
			past.Notes = append(past.Notes, detect.Note{Kind: detect.KindHistory, Text: fmt.Sprintf(
				"no build of pipeline `%s` is known; %d with most of its steps are of `%s`, as all were called that say no pipeline: if they are of this project, --pipeline %s goes on with them",
				b.Pipeline, found, defaultPipeline, defaultPipeline)})
		}
		return past, nil
	}
	if len(past.Base) == 0 {
		older.Notes = append(older.Notes, detect.Note{Kind: detect.KindHistory, Text: fmt.Sprintf(
			"%s of pipeline `%s` with most of its steps count as of `%s`, as this build is called now", report.Count(found, "build"), defaultPipeline, b.Pipeline)})
	}
	q.Build = &b.Build
	joined := fetch.Join(past, older, q)
	joined.Notes = append(joined.Notes, older.Notes...)
	return joined, nil
}

// isOfAnother tells whether a history is that of another project: what they run, several
// steps each, has nothing in common. That is more than not to look alike, which the build
// and the history of one image may have come to.
func isOfAnother(b *timeline.Build, h *detect.History) bool {
	const several = 2
	ours := workOf(b)
	if len(ours) < several || len(h.Base) == 0 {
		return false
	}
	for i := range h.Base {
		theirs := workOf(&h.Base[i])
		if len(theirs) < several {
			return false
		}
		for key := range theirs {
			if ours[key] {
				return false
			}
		}
	}
	return true
}

// workOf are the keys of what a build runs; of one that runs nothing, of all that its
// Dockerfile says. What projects copy, and from where they start, is much alike.
func workOf(b *timeline.Build) map[string]bool {
	all, runs := map[string]bool{}, map[string]bool{}
	for i := range b.Steps {
		_, text, _ := strings.Cut(b.Steps[i].Key, "] ")
		if dockerfile.IsInstruction(text) {
			all[b.Steps[i].Key] = true
		}
		if strings.HasPrefix(text, "RUN ") {
			runs[b.Steps[i].Key] = true
		}
	}
	if len(runs) > 0 {
		return runs
	}
	return all
}
