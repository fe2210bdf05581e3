package command

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/backtest"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/buildkit"
	"github.com/buildregress/buildregress/internal/ci"
	"github.com/buildregress/buildregress/report"
)

// A replayer judges builds of a history, each by those before it.
type replayer struct {
	env     *Env
	options *BacktestOptions
	names   *ci.Resolver
	memory  fetch.Memory
	of      map[string][]timeline.Build // by pipeline, in order of start

	maxCases int            // steps that are slowed down
	stored   map[string]int // builds of pipelines in the store, if they come from one
}

func newReplayer(env *Env, o *BacktestOptions, names *ci.Resolver, list []timeline.Build) *replayer {
	list = buildkit.CompleteBakes(list)
	r := &replayer{env: env, options: o, names: names, of: map[string][]timeline.Build{}, maxCases: maxCases}
	for i := range list {
		r.memory.Add(list[i])
		r.of[list[i].Pipeline] = append(r.of[list[i].Pipeline], list[i])
	}
	r.memory.Freeze()
	for _, builds := range r.of {
		slices.SortStableFunc(builds, func(a, b timeline.Build) int {
			return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.ID, b.ID))
		})
	}
	return r
}

// pipelines are those replayed, the most built first.
func (r *replayer) pipelines() (names []string) {
	for name := range r.of {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(r.of[b]), len(r.of[a])), cmp.Compare(a, b))
	})
	return names
}

// query asks for what b is judged against.
func (r *replayer) query(b *timeline.Build) fetch.Query {
	branch, repository := r.names.Base(b)
	return fetch.Query{
		Build: b, BaseBranch: branch, BaseRepository: repository,
		Window: r.options.Policy.Window, Lookback: r.options.Lookback, Enough: r.options.Policy.MinHistory,
	}
}

// replay judges the newest builds of a pipeline.
func (r *replayer) replay(ctx context.Context, pipeline string) (out backtest.Result, notes []detect.Note, err error) {
	builds := r.of[pipeline]
	from := max(0, len(builds)-r.options.Builds)
	replays := make([]backtest.Replay, len(builds))
	bar := r.env.Console.Progress("replaying "+pipeline, len(builds)-from)
	err = inParallel(ctx, len(builds)-from, func(i int) error {
		i += from
		h, err := r.memory.History(ctx, r.query(&builds[i]))
		if err == nil {
			result := detect.Judge(&builds[i], h, r.options.Policy)
			replays[i] = backtest.NewReplay(&result, r.options.FailOn)
			bar.Add(1)
		}
		return err
	})
	bar.Done()
	if err != nil {
		return out, nil, err
	}
	out = backtest.Summarize(pipeline, replays[from:])
	if r.options.Inject > 0 {
		out.Injection, err = r.inject(ctx, pipeline, replays)
	}
	notes = r.branchNotes(builds[from:])
	if left := max(len(builds), r.stored[pipeline]) - len(builds[from:]); left > 0 {
		notes = append(notes, detect.Note{Kind: detect.KindHistory, Text: fmt.Sprintf("left out: %s of `%s` before the newest %d (--builds)", report.Count(left, "build"), pipeline, len(builds[from:]))})
	}
	return out, notes, err
}

// branchNotes tell what about the builds' branches may not be as it looks.
func (r *replayer) branchNotes(builds []timeline.Build) (notes []detect.Note) {
	const most = 3
	note := func(kind detect.Kind, format string, args ...any) {
		notes = append(notes, detect.Note{Kind: kind, Text: fmt.Sprintf(format, args...)})
	}
	nowhere, base := 0, 0
	var others []string
	for i := range builds {
		b := &builds[i]
		q := r.query(b)
		switch {
		case b.Branch == "" && b.PullRequest == "":
			nowhere++
			base++
		case q.IsBase(b):
			base++
		case b.PullRequest == "":
			others = append(others, "`"+b.Branch+"`")
		}
	}
	branch, _ := r.names.Base(&builds[0])
	if nowhere > 0 {
		note(detect.KindUnknownBranch, "nothing says the branch of %s: counted as builds of `%s` (--branch says another)", report.Count(nowhere, "build"), branch)
	}
	if others = distinct(others); base == 0 && len(others) > 0 {
		note(detect.KindHistory, "no build of `%s` is known, but builds of %s are: --base-branch says which is the base",
			branch, strings.Join(others[:min(len(others), most)], ", "))
	}
	return notes
}
