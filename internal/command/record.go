package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/builds"
	"github.com/buildregress/buildregress/fetch/source"
	"github.com/buildregress/buildregress/fetch/store"
	"github.com/buildregress/buildregress/internal/ci"
	"github.com/buildregress/buildregress/internal/console"
	"github.com/buildregress/buildregress/report"
	"golang.org/x/sync/errgroup"
)

// RecordOptions are what the record command is asked to do.
type RecordOptions struct {
	Sources []string
	Store   string
	Keep    time.Duration     // older builds of the store are thinned, 0 for none
	For     detect.Thresholds // of the judgements to come, for which they are thinned
	Print   bool              // the builds, instead of putting them into the store
	Causes  When              // never keeps nothing of a build that could tell why a step is slower
	Wanted  fetch.Selector
	Given   ci.Identity
}

// Record puts the builds of sources into the store, or prints them. A source that
// cannot be read does not keep the others from it.
func Record(ctx context.Context, env *Env, o *RecordOptions) error {
	o.Wanted.All = !o.Wanted.IsNamed()
	r := recorder{env: env, o: o, names: newResolver(ctx, env, o.Given)}
	var sources []source.Source
	var troubles []error
	for _, address := range o.Sources {
		from, err := env.Open(address, nil)
		if errors.As(err, new(*source.AddressError)) {
			return err
		}
		if err != nil {
			troubles = append(troubles, err)
			continue
		}
		sources = append(sources, from)
	}
	// Sources that are read at once stand beside each other: of all of them, the CI system
	// speaks of the newest.
	var all []target
	for _, from := range sources {
		if from.Large != nil {
			continue
		}
		targets, _, err := readTargets(ctx, env, r.names, from, o.Wanted, o.Given.Pipeline)
		if err != nil {
			troubles = append(troubles, err)
		}
		all = append(all, slices.DeleteFunc(targets, func(t target) bool { return t.unasked })...)
	}
	// An interrupt ends what may take long, and nothing else: what is in is told.
	filling, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err := r.take(filling, all)
	for _, from := range sources {
		if from.Large != nil && filling.Err() == nil {
			err = errors.Join(err, r.takeLarge(filling, from))
		}
	}
	if filling.Err() != nil {
		r.stopped = true
		err = errors.Join(err, ctx.Err())
	}
	ended := r.end(filling) // which an interrupt ends as well
	if filling.Err() != nil && ctx.Err() == nil {
		err, ended = source.ErrInterrupted, nil
	}
	return errors.Join(append(troubles, err, ended)...)
}

// A recorder takes builds for the store, or prints them.
type recorder struct {
	env       *Env
	o         *RecordOptions
	names     *ci.Resolver
	store     *store.Store // nil until there are builds for it
	sum       store.Summary
	nowhere   int      // builds of which nothing says a branch
	pipelines []string // of builds that were stored
	stopped   bool     // by people, the deadline or the store, and the rest is still to come
}

// takeLarge takes the builds of a source that are too many to be read at once. While some
// are stored, the next are read.
func (r *recorder) takeLarge(ctx context.Context, from source.Source) error {
	survey, err := from.Large.Look(ctx)
	if err != nil {
		return err
	}
	r.names.Observe([]timeline.Build{{Origin: timeline.Origin{}, Start: survey.Newest}})
	bar := r.env.Console.Progress("recording builds", survey.Builds)
	defer bar.Done()
	parts := make(chan []timeline.Build)
	var problems error
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		defer close(parts)
		problems, err = from.Large.Stream(ctx, func(list []timeline.Build) error {
			select {
			case parts <- list:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		return err
	})
	group.Go(func() error {
		for list := range parts {
			var targets []target
			for i := range list {
				b := &list[i]
				if isAsked(b, r.o.Wanted) {
					targets = append(targets, target{Build: *b, unstarted: b.Start.IsZero(), said: saidPipeline(b)})
				}
			}
			if err := r.take(ctx, targets); err != nil {
				return err
			}
			bar.Add(len(list))
		}
		return nil
	})
	err = group.Wait()
	if problems != nil {
		for _, p := range summarize([]error{problems}, "more files could not be read") {
			r.env.Console.Warn(p.Text)
		}
	}
	return err
}

// take completes builds, and stores or prints them.
func (r *recorder) take(ctx context.Context, targets []target) error {
	if len(targets) == 0 {
		return nil
	}
	if r.o.Causes == Never {
		dropFacts(targets)
	}
	if r.o.Print {
		for i := range targets {
			r.names.Resolve(&targets[i].Build)
		}
		return builds.Encode(r.env.Stdout, buildsOf(targets))
	}
	completeAll(targets, r.names, r.env.Now)
	list := buildsOf(targets)
	for i := range list {
		if list[i].Branch == "" && list[i].PullRequest == "" {
			r.nowhere++
		}
		if p := list[i].Pipeline; !slices.Contains(r.pipelines, p) {
			r.pipelines = append(r.pipelines, p)
		}
	}
	if r.store == nil {
		st, err := r.env.openStore(ctx, r.o.Store, store.Write)
		if err != nil {
			r.stopped = true
			return err
		}
		r.store = st
		if err := askForPipeline(ctx, r.env, st, r.o.Given.Pipeline); err != nil {
			return err
		}
	}
	sum, err := r.store.Record(ctx, list)
	r.sum.Read += sum.Read
	r.sum.Added += sum.Added
	for _, clash := range sum.Clashes {
		r.env.Console.Warn(clash.Error())
	}
	if err != nil && ctx.Err() == nil { // else it is the reading that ended
		r.stopped = true
	}
	return err
}

// end closes the store, and says how many builds are in it and how many are new; of a
// recording that was stopped, that it can go on.
func (r *recorder) end(ctx context.Context) error {
	if r.stopped && r.sum.Read > 0 {
		r.env.Console.Warn(fmt.Sprintf("stopped: %s of them are in %s, and the same command goes on with the rest", report.Count(r.sum.Read, "build"), r.store.Name()))
	}
	if r.nowhere > 0 {
		r.env.Console.Warn(fmt.Sprintf("nothing says the branch of %s: counted as builds of the base branch (--branch says another)", report.Count(r.nowhere, "build")))
	}
	if r.store == nil {
		return nil
	}
	var err error
	if !r.stopped {
		err = keepStore(ctx, r.env, r.store, r.names, r.o.Keep, r.o.For, r.pipelines)
	}
	err = errors.Join(err, r.store.Close())
	if r.sum.Read > 0 {
		_, printed := fmt.Fprintf(r.env.Stdout, "%s read, %d new in %s\n", report.Count(r.sum.Read, "build"), r.sum.Added, console.Printable(r.store.Name()))
		err = errors.Join(err, printed)
	}
	return err
}
