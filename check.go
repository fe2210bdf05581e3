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
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/store"
)

// A checkPlan is what the check command was asked to do.
type checkPlan struct {
	source   string
	baseline string // "" for the store
	store    string
	build    string // which of several, "" for all
	pipeline string
	policy   detect.Policy
	lookback time.Duration
	failOn   []string
	record   string
	output   outputPlan
}

func planCheck(w *world, s settings, args []string) (p checkPlan, err error) {
	if p.policy, err = s.addConfig(); err != nil {
		return p, err
	}
	if len(args) == 0 {
		return p, usageError{"no SOURCE given", "give a build record, a progress log, a trace or a builds file, a folder of them, or - for standard input"}
	}
	if len(args) > 1 {
		return p, usageError{fmt.Sprintf("one SOURCE expected, and then %q", args[1]), "a folder can hold several builds"}
	}
	p.source, p.baseline = args[0], s.text("baseline")
	p.build, p.pipeline = s.text("build"), s.text("pipeline")
	var errs [6]error
	p.policy.Thresholds, errs[0] = planThresholds(s)
	p.lookback, errs[1] = s.duration("lookback")
	p.failOn, errs[2] = planFailOn(s)
	p.record, errs[3] = s.oneOf("record", "auto", "always", "never")
	p.output, errs[4] = planOutput(w, s)
	p.store, errs[5] = storeOf(s)
	return p, cmp.Or(errs[:]...)
}

func planThresholds(s settings) (t detect.Thresholds, err error) {
	t = detect.DefaultThresholds
	if err := cmp.Or(
		s.number("min-history", 3, &t.MinHistory),
		s.number("window", 3, &t.Window),
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

const never = "never"

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
	ctx, cancel, err := limited(ctx, w, s)
	if err != nil {
		return 0, err
	}
	defer cancel()

	names := newNamer(w, s)
	subjects, notes, err := readSubjects(ctx, w, names, plan.source, plan.build)
	if err != nil {
		return 0, err
	}
	settle(subjects, w.now)
	st, err := store.Open(ctx, plan.store)
	if err != nil {
		return 0, err
	}
	defer st.Close()
	var past historian = st
	if plan.baseline != "" {
		var warnings []string
		if past, warnings, err = openBaseline(ctx, w, plan); err != nil {
			return 0, err
		}
		notes = append(notes, warnings...)
	}

	c := checker{w: w, plan: plan, names: names, past: past, store: st}
	var results []detect.Result
	for i := range subjects {
		r, err := c.judge(ctx, &subjects[i])
		if err != nil {
			return 0, err
		}
		results = append(results, r)
	}
	report := detect.Sum(results, plan.failOn, unique(append(notes, c.notes...)))
	// A report that could not be recorded is still one.
	return report.ExitCode, errors.Join(append([]error{plan.output.write(w, &report)}, c.troubles...)...)
}

// openBaseline opens what was given to compare with: a store, or files.
func openBaseline(ctx context.Context, w *world, plan checkPlan) (historian, []string, error) {
	if store.Is(plan.baseline) {
		// It stays open until the process ends, and is only read.
		st, err := store.Open(ctx, plan.baseline)
		return st, nil, err
	}
	return readCollection(ctx, w, plan.baseline, plan.pipeline)
}

// A checker judges one build after the other.
type checker struct {
	w     *world
	plan  checkPlan
	names *namer
	past  historian
	store *store.Store

	notes    []string
	troubles []error // with what follows a verdict
}

// judge judges a build, and then records it: the builds of a branch that come
// after it in the same source have it as evidence.
func (c *checker) judge(ctx context.Context, b *subject) (detect.Result, error) {
	branch, repository := c.names.base(&b.Build)
	if b.Branch == "" && b.PullRequest == "" {
		c.notes = append(c.notes, fmt.Sprintf("nothing says the branch of the build: it counts as one of %s (--branch says another)", branch))
	}
	history, err := c.past.History(ctx, fetch.Query{
		Build: &b.Build, BaseBranch: branch, BaseRepository: repository,
		Window: c.plan.policy.Window, Lookback: c.plan.lookback, Enough: c.plan.policy.MinHistory,
	})
	if err != nil {
		return detect.Result{}, err
	}
	history.Source = detect.Mask(cmp.Or(c.plan.baseline, c.plan.store))
	c.w.debug("%s: %d builds of %s, %d of other branches, %d of its own", b.ID, len(history.Base), branch, len(history.Other), len(history.Branch))
	result := detect.Judge(&b.Build, history, c.plan.policy)

	if files, ok := c.past.(*collection); ok {
		files.builds = append(files.builds, b.Build)
	}
	if c.plan.record == "always" || c.plan.record == "auto" && b.made {
		if _, err := c.store.Record(ctx, []detect.Build{b.Build}); err != nil {
			c.troubles = append(c.troubles, err)
		}
	}
	return result, nil
}

// unique keeps the first of equal texts.
func unique(texts []string) []string {
	var out []string
	for _, t := range texts {
		if !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}
