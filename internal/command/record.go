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
		targets, _, err := readTargets(ctx, env, r.names, from, o.Wanted, o.Given.Pipeline, 0)
		if err != nil {
			troubles = append(troubles, err)
		}
		all = append(all, slices.DeleteFunc(targets, func(t target) bool { return t.unasked })...)
	}
	// An interrupt or the time limit end what may take long, and nothing else: what is in is
	// told.
	filling, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		filling, cancel = context.WithDeadline(filling, end.Add(-min(time.Until(end)/20, timeToTell)))
		defer cancel()
	}
	err := r.take(filling, once(all))
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
		if filling.Err() == context.DeadlineExceeded {
			err = ErrOutOfTime
		}
	}
	return errors.Join(append(troubles, err, ended)...)
}

// ErrOutOfTime tells that the time limit ended the work.
var ErrOutOfTime = errors.New("out of time")

// timeToTell is what is kept of the time limit to end what is being written, which a busy disk
// or a server may hold up, and to tell how much is in.
const timeToTell = 2 * time.Second

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
		taken := 0
		return r.take(ctx, func() (targets []target, more bool) {
			bar.Add(taken)
			list, more := <-parts
			for i := range list {
				b := &list[i]
				if isAsked(b, r.o.Wanted) {
					targets = append(targets, target{Build: *b, unstarted: b.Start.IsZero(), said: saidPipeline(b)})
				}
			}
			taken = len(list)
			return targets, more
		})
	})
	err = group.Wait()
	if problems != nil {
		for _, p := range summarize([]error{problems}, "more files could not be read") {
			r.env.Console.Warn(p.Text)
		}
	}
	return err
}

// once hands over all there is.
func once(targets []target) func() ([]target, bool) {
	return func() (all []target, more bool) {
		all, targets = targets, nil
		return all, len(all) > 0
	}
}

// take completes the builds that next hands over, part by part, and stores or prints them.
func (r *recorder) take(ctx context.Context, next func() (part []target, more bool)) error {
	if r.o.Print {
		return r.print(next)
	}
	part, more := next()
	if !more {
		return nil
	}
	if err := r.openStore(ctx); err != nil {
		return err
	}
	isFirst := true
	sum, err := r.store.Fill(ctx, func() ([]timeline.Build, bool) {
		if !isFirst {
			part, more = next()
		}
		isFirst = false
		return r.complete(part), more
	})
	for _, clash := range sum.Clashes {
		r.env.Console.Warn(clash.Error())
	}
	r.sum.Add(sum)
	if err != nil && ctx.Err() == nil { // else it is the reading that ended
		r.stopped = true
	}
	return err
}

// print prints builds.
func (r *recorder) print(next func() (part []target, more bool)) error {
	var encoder builds.Encoder
	for part, more := next(); more; part, more = next() {
		if r.o.Causes == Never {
			dropFacts(part)
		}
		for i := range part {
			r.names.Resolve(&part[i].Build)
		}
		if err := encoder.Encode(r.env.Stdout, buildsOf(part)); err != nil {
			return err
		}
	}
	return nil
}

// complete makes builds of targets that a store can take.
func (r *recorder) complete(part []target) []timeline.Build {
	if r.o.Causes == Never {
		dropFacts(part)
	}
	completeAll(part, r.names, r.env.Now)
	list := buildsOf(part)
	for i := range list {
		if list[i].Branch == "" && list[i].PullRequest == "" {
			r.nowhere++
		}
		if p := list[i].Pipeline; !slices.Contains(r.pipelines, p) {
			r.pipelines = append(r.pipelines, p)
		}
	}
	return list
}

// openStore opens the store, once.
func (r *recorder) openStore(ctx context.Context) (err error) {
	if r.store != nil {
		return nil
	}
	if r.store, err = r.env.openStore(ctx, r.o.Store, store.Write); err != nil {
		r.store, r.stopped = nil, true
		return err
	}
	return askForPipeline(ctx, r.env, r.store, r.o.Given.Pipeline)
}

// end closes the store, and says how many builds are in it and how many are new; of a
// recording that was stopped, that it can go on.
func (r *recorder) end(ctx context.Context) error {
	switch {
	case r.stopped && r.sum.Read > 0:
		r.env.Console.Warn(fmt.Sprintf("stopped: %s of them are in %s, and the same command goes on with the rest", report.Count(r.sum.Read, "build"), r.store.Name()))
	case r.stopped && r.store != nil:
		r.env.Console.Warn(fmt.Sprintf("stopped: none of them is in %s yet", r.store.Name()))
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
