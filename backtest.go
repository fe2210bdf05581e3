package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/backtest"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/store"
	"github.com/buildregress/buildregress/report"
)

// A backtestPlan is what the backtest command was asked to do.
type backtestPlan struct {
	sources  []string // none for the store
	store    string
	pipeline string // "" for all
	builds   int    // of each pipeline, the newest, that are replayed
	inject   float64
	policy   detect.Policy
	lookback time.Duration
	failOn   []string
	json     bool
	text     report.TextOptions
}

func planBacktest(w *world, s settings, args []string) (p backtestPlan, err error) {
	if p.policy, err = s.addConfig(); err != nil {
		return p, err
	}
	if _, said := s["format"]; said {
		format, err := s.oneOf("format", "text", "json")
		if err != nil {
			return p, err
		}
		p.json = format == "json"
	}
	p.sources, p.pipeline, p.builds = args, s.text("pipeline"), maxReplayed
	var errs [6]error
	p.policy.Thresholds, errs[0] = planThresholds(s)
	p.lookback, errs[1] = s.duration("lookback")
	p.failOn, errs[2] = planFailOn(s)
	p.store, errs[3] = storeOf(s, "store")
	errs[4] = s.number("builds", 1, &p.builds)
	p.inject, errs[5] = planInjection(s)
	if err := cmp.Or(errs[:]...); err != nil {
		return p, err
	}
	output, err := planOutput(w, s)
	p.text = output.text
	return p, err
}

// planInjection reads the factor of --inject, 0 if none was given.
func planInjection(s settings) (float64, error) {
	if _, said := s["inject"]; !said {
		return 0, nil
	}
	const most = 100
	f, err := strconv.ParseFloat(s.text("inject"), 64)
	if err != nil || !(f > 1 && f <= most) {
		return 0, s.wrong("inject", fmt.Sprintf("a factor above 1 and up to %d, such as 1.5", most))
	}
	return f, nil
}

// maxReplayed is how many builds of a pipeline are replayed if nothing is said.
const maxReplayed = 1000

// runBacktest replays a history as if each of its builds were new, and reports what
// would have been called.
func runBacktest(ctx context.Context, w *world, s settings, args []string) (code int, err error) {
	plan, err := planBacktest(w, s, args)
	if err != nil {
		return 0, err
	}
	names := newNamer(w, s)
	var list []detect.Build
	var notes []string
	if len(plan.sources) == 0 {
		list, err = readStored(ctx, &plan)
	} else {
		list, notes, err = readToReplay(ctx, w, s, names, plan.sources)
	}
	if err != nil {
		return 0, err
	}
	r := newReplayer(w, &plan, names, list)
	out := backtest.Report{
		SchemaVersion: detect.SchemaVersion, FailOn: plan.failOn, Thresholds: plan.policy.Thresholds,
		Results: []backtest.Result{},
	}
	for _, name := range r.pipelines() {
		result, more, err := r.replay(ctx, name)
		if err != nil {
			return 0, err
		}
		out.Results, notes = append(out.Results, result), append(notes, more...)
	}
	out.Notes = append([]string{}, unique(notes)...)
	if plan.json {
		return 0, report.BacktestJSON(w.stdout, &out)
	}
	return 0, report.BacktestText(w.stdout, &out, plan.text)
}

// readStored reads what is to be replayed out of the store, and the builds before
// that as far as one of these may be judged by them.
func readStored(ctx context.Context, plan *backtestPlan) (list []detect.Build, err error) {
	st, err := store.Open(ctx, plan.store)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	pipelines, err := st.Pipelines(ctx)
	if err != nil {
		return nil, err
	}
	var known []string
	for _, p := range pipelines {
		known = append(known, p.Name)
		if plan.pipeline != "" && p.Name != plan.pipeline {
			continue
		}
		found, err := st.Newest(ctx, p.Name, plan.builds+plan.policy.Window*fetch.SearchFactor)
		if err != nil {
			return nil, err
		}
		list = append(list, found...)
	}
	switch {
	case len(known) == 0:
		return nil, emptyStoreError{plan.store}
	case len(list) == 0:
		const most = 10
		return nil, fmt.Errorf("%s: no build of pipeline %s in it, but of %s", plan.store, plan.pipeline, strings.Join(known[:min(len(known), most)], ", "))
	}
	return list, nil
}

// An emptyStoreError tells that there is nothing to replay yet.
type emptyStoreError struct{ url string }

func (e emptyStoreError) Error() string { return e.url + ": holds no build yet" }

// readToReplay reads the builds of files and folders, and completes them as record
// does.
func readToReplay(ctx context.Context, w *world, s settings, names *namer, sources []string) ([]detect.Build, []string, error) {
	var all []subject
	var notes []string
	for _, source := range sources {
		from, err := openOrigin(ctx, w, s, source, nil)
		if err != nil {
			return nil, nil, err
		}
		if from.past != nil {
			hint := "buildregress record puts a build of it into the store"
			if strings.HasPrefix(source, "jaeger") {
				hint += "; what Jaeger answers to /api/traces?service=buildx&limit=1000 is a file to replay"
			}
			return nil, nil, usageError{source + " is a server, and backtest replays files or a store", hint}
		}
		subjects, warnings, err := readSubjects(ctx, w, names, from, fetch.Selector{})
		if err != nil {
			return nil, nil, err
		}
		all, notes = append(all, subjects...), append(notes, warnings...)
	}
	settle(all, names)
	list, clashes := fetch.Distinct(buildsOf(all))
	for _, c := range clashes {
		w.say("warning", c.Error())
	}
	return list, append(notes, inShort(clashes, "more builds share an id")...), nil
}

// A replayer judges builds of a history, each by those before it.
type replayer struct {
	w      *world
	plan   *backtestPlan
	names  *namer
	memory fetch.Memory
	of     map[string][]detect.Build // by pipeline, in order of start

	maxCases int // steps that are slowed down
}

func newReplayer(w *world, plan *backtestPlan, names *namer, list []detect.Build) *replayer {
	r := &replayer{w: w, plan: plan, names: names, of: map[string][]detect.Build{}, maxCases: maxCases}
	for i := range list {
		r.memory.Add(list[i])
		r.of[list[i].Pipeline] = append(r.of[list[i].Pipeline], list[i])
	}
	r.memory.Freeze()
	for _, builds := range r.of {
		slices.SortStableFunc(builds, func(a, b detect.Build) int {
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
func (r *replayer) query(b *detect.Build) fetch.Query {
	branch, repository := r.names.base(b)
	return fetch.Query{
		Build: b, BaseBranch: branch, BaseRepository: repository,
		Window: r.plan.policy.Window, Lookback: r.plan.lookback, Enough: r.plan.policy.MinHistory,
	}
}

// replay judges the newest builds of a pipeline.
func (r *replayer) replay(ctx context.Context, pipeline string) (out backtest.Result, notes []string, err error) {
	builds := r.of[pipeline]
	from := max(0, len(builds)-r.plan.builds)
	replays := make([]backtest.Replay, len(builds))
	bar := r.w.progress("replaying "+pipeline, len(builds)-from)
	err = inParallel(ctx, len(builds)-from, func(i int) error {
		i += from
		h, err := r.memory.History(ctx, r.query(&builds[i]))
		if err == nil {
			result := detect.Judge(&builds[i], h, r.plan.policy)
			replays[i] = backtest.NewReplay(&result, r.plan.failOn)
			bar.add(1)
		}
		return err
	})
	bar.done()
	if err != nil {
		return out, nil, err
	}
	out = backtest.Summarize(pipeline, replays[from:])
	if r.plan.inject > 0 {
		out.Injection, err = r.inject(ctx, pipeline, replays)
	}
	return out, r.doubts(builds[from:]), err
}

// doubts tell what about the builds' branches may not be as it looks.
func (r *replayer) doubts(builds []detect.Build) (notes []string) {
	const most = 3
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
	branch, _ := r.names.base(&builds[0])
	if nowhere > 0 {
		notes = append(notes, fmt.Sprintf("nothing says the branch of %s: counted as builds of `%s` (--branch says another)", count(nowhere, "build"), branch))
	}
	if others = unique(others); base == 0 && len(others) > 0 {
		notes = append(notes, fmt.Sprintf("no build of `%s` is known, but builds of %s are: --base-branch says which is the base",
			branch, strings.Join(others[:min(len(others), most)], ", ")))
	}
	return notes
}
