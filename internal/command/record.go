package command

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/builds"
	"github.com/buildregress/buildregress/fetch/source"
	"github.com/buildregress/buildregress/fetch/store"
	"github.com/buildregress/buildregress/internal/ci"
	"github.com/buildregress/buildregress/internal/console"
	"github.com/buildregress/buildregress/report"
)

// RecordOptions are what the record command is asked to do.
type RecordOptions struct {
	Sources []string
	Store   string
	Print   bool // the builds, instead of putting them into the store
	Wanted  fetch.Selector
	Given   ci.Identity
}

// Record puts the builds of sources into the store, or prints them. A source that
// cannot be read does not keep the others from it.
func Record(ctx context.Context, env *Env, o *RecordOptions) error {
	names := newResolver(ctx, env, o.Given)
	o.Wanted.All = !o.Wanted.IsNamed()
	var all []target
	var troubles []error
	for _, address := range o.Sources {
		var targets []target
		from, err := env.Open(address, nil)
		if errors.As(err, new(*source.AddressError)) {
			return err
		}
		if err == nil {
			targets, _, err = readTargets(ctx, env, names, from, o.Wanted, o.Given.Pipeline)
			targets = slices.DeleteFunc(targets, func(t target) bool { return t.unasked })
		}
		if err != nil {
			troubles = append(troubles, err)
		}
		all = append(all, targets...)
	}
	var err error
	if o.Print {
		for i := range all {
			names.Resolve(&all[i].Build)
		}
		err = builds.Encode(env.Stdout, buildsOf(all))
	} else if len(all) > 0 {
		completeAll(all, names, env.Now)
		err = put(ctx, env, o, buildsOf(all))
	}
	return errors.Join(append(troubles, err)...)
}

// put records the builds and says how many of them are new.
func put(ctx context.Context, env *Env, o *RecordOptions, list []detect.Build) error {
	nowhere := 0
	for i := range list {
		if list[i].Branch == "" && list[i].PullRequest == "" {
			nowhere++
		}
	}
	if nowhere > 0 {
		env.Console.Warn(fmt.Sprintf("nothing says the branch of %s: counted as builds of the base branch (--branch says another)", report.Count(nowhere, "build")))
	}
	st, err := store.Open(ctx, o.Store)
	if err != nil {
		return err
	}
	defer st.Close()
	if err := askForPipeline(ctx, env, st, o.Given.Pipeline); err != nil {
		return err
	}
	sum, err := st.Record(ctx, list)
	for _, clash := range sum.Clashes {
		env.Console.Warn(clash.Error())
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.Stdout, "%s read, %d new in %s\n", report.Count(len(list), "build"), sum.Added, console.Printable(o.Store))
	return err
}
