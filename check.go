package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/redact"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/store"
	"github.com/buildregress/buildregress/fetch/traces"
)

// A checkPlan is what the check command was asked to do.
type checkPlan struct {
	source   string
	baseline string // "" for the store
	store    string
	wanted   fetch.Selector
	pipeline string
	policy   detect.Policy
	lookback time.Duration
	failOn   []string
	record   string
	output   outputPlan
	post     postPlan
}

func planCheck(w *world, s settings, args []string) (p checkPlan, err error) {
	if p.policy, err = s.addConfig(); err != nil {
		return p, err
	}
	if len(args) == 0 {
		args = []string{localBuilder}
	}
	if len(args) > 1 {
		return p, usageError{fmt.Sprintf("one SOURCE expected, and then %q", args[1]), "a folder can hold several builds"}
	}
	p.source, p.baseline = args[0], s.text("baseline")
	if p.wanted, err = wantedBy(s); err != nil {
		return p, err
	}
	p.pipeline = s.text("pipeline")
	var errs [9]error
	p.policy.Thresholds, errs[0] = planThresholds(s)
	p.lookback, errs[1] = s.duration("lookback")
	p.failOn, errs[2] = planFailOn(s)
	p.record, errs[3] = s.oneOf("record", "auto", "always", "never")
	p.output, errs[4] = planOutput(w, s)
	p.store, errs[5] = storeOf(s, "store")
	p.post, errs[7] = planPost(s)
	errs[8] = forOne(s, p.source, p.baseline)
	if store.Is(p.baseline) {
		_, errs[6] = storeOf(s, "baseline")
	}
	if err := cmp.Or(errs[:]...); err != nil {
		return p, err
	}
	return p, p.output.spare(
		place{p.source, "the build to judge"},
		place{store.PathOf(p.store), "the store"},
		place{cmp.Or(store.PathOf(p.baseline), p.baseline), "the baseline"},
		place{cmp.Or(s.text("config"), configPath), "the configuration"},
	)
}

// shelf is where what servers answer is kept: in the store, if anything is.
func (p *checkPlan) shelf(st *store.Store) fetch.Cache {
	if p.record == never {
		return nil
	}
	return st
}

func planThresholds(s settings) (t detect.Thresholds, err error) {
	t = detect.DefaultThresholds
	if err := cmp.Or(
		s.number("min-history", 3, &t.MinHistory),
		s.number("window", detect.LeastWindow, &t.Window),
		s.share("fdr", &t.FDR),
		s.percent("min-slowdown", &t.MinSlowdown),
	); err != nil {
		return t, err
	}
	if _, said := s["min-delta"]; said {
		d, err := s.duration("min-delta")
		if err != nil {
			return t, err
		}
		t.MinDelta = detect.Seconds(d)
	}
	if t.Window < t.MinHistory {
		return t, usagef("a window of %d builds can never hold the %d that min-history asks for", t.Window, t.MinHistory)
	}
	return t, nil
}

// What options with the value auto can be set to.
const (
	always = "always"
	never  = "never"
)

// planFailOn reads what a check fails on.
func planFailOn(s settings) ([]string, error) {
	known := []string{
		detect.Regressed.String(), detect.Unsure.String(),
		detect.StatusCacheLost.String(), detect.StatusOverBudget.String(), never,
	}
	said, ok := s["fail-on"]
	if !ok {
		return known[:1], nil
	}
	for _, v := range said.values {
		if !slices.Contains(known, v) {
			e := usageError{message: fmt.Sprintf("%s: %q is not one of %s", said.from, v, strings.Join(known, ", "))}
			if strings.Contains(v, ",") {
				e.hint = "name one at a time: --fail-on " + strings.Join(strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' }), " --fail-on ")
			}
			return nil, e
		}
	}
	if len(said.values) > 1 && slices.Contains(said.values, never) {
		return nil, usagef("%s: %q goes with nothing else", said.from, never)
	}
	return said.values, nil
}

// check judges the builds of a source, reports, and records them.
func check(ctx context.Context, w *world, s settings, args []string) (code int, err error) {
	plan, err := planCheck(w, s, args)
	if err != nil {
		return 0, err
	}
	names := newNamer(w, s)
	if err := names.askGithub(ctx, w); err != nil {
		w.say("warning", err.Error())
	}
	st, err := store.Open(ctx, plan.store)
	if err != nil {
		return 0, err
	}
	defer st.Close()
	from, err := openOrigin(ctx, w, s, plan.source, plan.shelf(st))
	if err != nil {
		return 0, err
	}
	subjects, notes, err := readSubjects(ctx, w, names, from, plan.wanted)
	if err != nil {
		return 0, err
	}
	settle(subjects, names)
	past, ui, warnings, err := openPast(ctx, w, s, &plan, from, st)
	if err != nil {
		return 0, err
	}
	notes = append(notes, warnings...)

	c := checker{w: w, plan: plan, names: names, past: past, store: st, notes: notes, ui: ui, served: from.past != nil}
	var results []detect.Result
	for i := range subjects {
		r, err := c.judge(ctx, &subjects[i])
		if err != nil {
			return 0, err
		}
		results = append(results, r)
	}
	report := detect.Sum(results, plan.failOn, unique(c.notes))
	failing := report.ExitCode == exitVerdict
	if len(c.troubles) > 0 {
		report.ExitCode = exitTrouble
	}
	// A report on builds that could not be recorded is still one.
	errs := []error{plan.output.write(w, &report)}
	errs = append(errs, plan.post.post(ctx, w, names.ci, &report, failing, plan.output.files))
	return report.ExitCode, errors.Join(append(errs, c.troubles...)...)
}

// openPast opens what to compare with: what was given as a baseline; else the
// server that the build comes from; else the store. It sets plan.baseline to the
// name of that, "" for the store. ui is where people see the builds.
func openPast(ctx context.Context, w *world, s settings, plan *checkPlan, from origin, st *store.Store) (past fetch.HistorySource, ui traces.UI, notes []detect.Note, err error) {
	ui = cmp.Or(traces.UI(s.text("ui-url")), from.ui)
	switch {
	case plan.baseline == "" && from.past == nil:
		return st, ui, nil, nil
	case plan.baseline == "":
		plan.baseline = from.name
		return from.past, ui, nil, nil
	case store.Is(plan.baseline):
		// It stays open until the process ends, and is only read.
		other, err := store.Open(ctx, plan.baseline)
		return other, ui, nil, err
	}
	baseline, err := openOrigin(ctx, w, s, plan.baseline, plan.shelf(st))
	if err != nil || baseline.past != nil {
		plan.baseline = baseline.name
		return baseline.past, cmp.Or(ui, baseline.ui), nil, err
	}
	past, notes, err = readBaseline(ctx, w, baseline, plan.pipeline)
	return past, ui, notes, err
}

// A checker judges one build after the other.
type checker struct {
	w     *world
	plan  checkPlan
	names *namer
	past  fetch.HistorySource
	store *store.Store
	// judged holds the builds that past does not: a build has those before it in
	// its source as evidence, whether they are recorded or not.
	judged fetch.Memory
	ui     traces.UI
	served bool // the builds come from a server that keeps them: no store has to

	notes    []detect.Note
	troubles []error // with what follows a verdict
}

// judge judges a build, and then records it.
func (c *checker) judge(ctx context.Context, b *subject) (detect.Result, error) {
	branch, repository := c.names.base(&b.Build)
	if b.Branch == "" && b.PullRequest == "" {
		c.note(detect.KindUnknownBranch, "nothing says the branch of the build: it counts as one of %s (--branch says another)", branch)
	}
	q := fetch.Query{
		Build: &b.Build, BaseBranch: branch, BaseRepository: repository,
		Window: c.plan.policy.Window, Lookback: c.plan.lookback, Enough: c.plan.policy.MinHistory,
	}
	past, err := c.past.History(ctx, q)
	if err != nil {
		return detect.Result{}, err
	}
	judged, err := c.judged.History(ctx, q)
	if err != nil {
		return detect.Result{}, err
	}
	history := fetch.Join(past, judged, q)
	history.Source = redact.Text(cmp.Or(c.plan.baseline, c.plan.store))
	c.w.debug("%s: %d builds of %s, %d of other branches, %d of its own", b.ID, len(history.Base), branch, len(history.Other), len(history.Branch))
	if err := c.explainEmpty(ctx, &b.Build, history); err != nil {
		return detect.Result{}, err
	}
	result := detect.Judge(&b.Build, history, c.plan.policy)
	linked(&result, &b.Build, history, c.ui)

	switch files, isMemory := c.past.(*fetch.Memory); {
	case isMemory:
		files.Add(b.Build)
		c.record(ctx, b)
	case !c.record(ctx, b) || c.past != c.store:
		c.judged.Add(b.Build)
	}
	return result, nil
}

// record puts a build into the store if it is to be there, and tells whether it
// is.
func (c *checker) record(ctx context.Context, b *subject) bool {
	switch {
	case c.plan.record == "always", c.plan.record == "auto" && b.made && !c.served:
	case c.plan.record == "auto" && b.unstarted && !c.served:
		c.note(detect.KindNotRecorded, "not recorded: its start is unknown; --record always")
		return false
	default:
		return false
	}
	sum, err := c.store.Record(ctx, []detect.Build{b.Build})
	for _, clash := range sum.Clashes {
		c.w.say("warning", clash.Error())
		c.note(detect.KindNotRecorded, "%s", printable(clash.Error()))
	}
	if err != nil {
		c.troubles = append(c.troubles, err)
		c.note(detect.KindNotRecorded, "not recorded: %s", printable(err.Error()))
	}
	return err == nil
}

// note adds a note to the report. What others wrote is masked before.
func (c *checker) note(kind detect.Kind, format string, args ...any) {
	c.notes = append(c.notes, detect.Note{Kind: kind, Text: fmt.Sprintf(format, args...)})
}

// explainEmpty says why a history may hold nothing to compare with, where it
// holds something else.
func (c *checker) explainEmpty(ctx context.Context, b *detect.Build, h *detect.History) error {
	const most = 3 // names
	if len(h.Base) > 0 {
		return nil
	}
	if len(h.Other)+len(h.Branch) > 0 {
		var branches []string
		for _, other := range slices.Concat(h.Branch, h.Other) {
			if other.PullRequest == "" && other.Branch != "" && other.Branch != h.BaseBranch {
				branches = append(branches, "`"+other.Branch+"`")
			}
		}
		if branches = unique(branches); len(branches) > 0 {
			c.note(detect.KindHistory, "no build of `%s` is known, but builds of %s are: --base-branch says which is the base",
				h.BaseBranch, strings.Join(branches[:min(len(branches), most)], ", "))
		}
		return nil
	}
	pipelines, err := c.past.Pipelines(ctx)
	if err != nil {
		return err
	}
	var known []string
	for _, p := range pipelines {
		if p.Name == b.Pipeline || p.Name == "" {
			return nil
		}
		known = append(known, fmt.Sprintf("%s (%s)", p.Name, count(p.Builds, "build")))
	}
	if more := len(known) - most; more > 0 {
		known = append(known[:most], "…")
	}
	if len(known) > 0 {
		c.note(detect.KindHistory, "no build of pipeline %s is known; the history holds %s: give --pipeline", b.Pipeline, strings.Join(known, ", "))
	}
	return nil
}

// unique keeps the first of equal values.
func unique[T comparable](values []T) []T {
	var out []T
	for _, t := range values {
		if !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}

// count is a number of things: "1 build", "2 builds".
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}
