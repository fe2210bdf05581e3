package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/fetch/store"
	"github.com/buildregress/buildregress/internal/ci"
	"github.com/buildregress/buildregress/internal/console"
	"github.com/buildregress/buildregress/report"
)

// PruneOptions are what the prune command is asked to do.
type PruneOptions struct {
	Store string
	Keep  time.Duration     // what began longer ago is old
	For   detect.Thresholds // of the judgements to come
	Given ci.Identity       // its pipeline is "" for all
}

// Prune thins the old builds of a store to what later judgements and histories need.
func Prune(ctx context.Context, env *Env, o *PruneOptions) error {
	st, err := env.openStore(ctx, o.Store, store.Write)
	if err != nil {
		return err
	}
	defer st.Close()
	pipelines, err := st.Pipelines(ctx)
	if err != nil {
		return err
	}
	var known []string
	for _, p := range pipelines {
		if known = append(known, p.Name); p.Name == o.Given.Pipeline {
			known = []string{p.Name}
			break
		}
	}
	switch {
	case len(known) == 0:
		return emptyStoreError{st.Name()}
	case o.Given.Pipeline != "" && known[0] != o.Given.Pipeline:
		return fmt.Errorf("%s: no build of pipeline `%s` in it, but of%s", st.Name(), console.Printable(o.Given.Pipeline), listed(known))
	}
	names := ci.NewResolver(o.Given, env.Variables, ".", env.Now)
	bar := env.Console.Progress("pruning pipelines", len(known))
	var sum store.Pruned
	for _, name := range known {
		done, err := st.Prune(ctx, store.Retention{Before: env.Now.Add(-o.Keep), Base: names.Base, Window: o.For.Window, MinHistory: o.For.MinHistory, Pipelines: []string{name}})
		sum.Add(done)
		if err != nil {
			bar.Done()
			if sum.Any() {
				env.Console.Warn(fmt.Sprintf("stopped: %s, and the same command goes on with the rest", prunedText(sum)))
			}
			return err
		}
		bar.Add(1)
	}
	bar.Done()
	err = st.Tidy(ctx)
	_, printed := fmt.Fprintf(env.Stdout, "%s in %s\n", prunedText(sum), console.Printable(st.Name()))
	return errors.Join(err, printed)
}

func prunedText(p store.Pruned) string {
	return fmt.Sprintf("%s forgotten, %s thinned, %s kept whole as the first of a week or of a level",
		report.Count(p.Dropped, "old build"), report.Count(p.Thinned, "old build"), report.Count(p.Milestones, "old build"))
}

// enoughToPrune is how many builds of a pipeline have to be old before a check or a
// recording thins them: it is then done once for many.
const enoughToPrune = 50

// keepStore thins what is older than keep of pipelines in which builds were recorded, if
// that is asked for. judged is how later builds are judged.
func keepStore(ctx context.Context, env *Env, st *store.Store, names *ci.Resolver, keep time.Duration, judged detect.Thresholds, pipelines []string) error {
	if keep == 0 || len(pipelines) == 0 {
		return nil
	}
	done, err := st.Prune(ctx, store.Retention{
		Before: env.Now.Add(-keep), Base: names.Base, Window: judged.Window, MinHistory: judged.MinHistory,
		Pipelines: distinct(pipelines), Enough: enoughToPrune,
	})
	if !done.Any() {
		return err
	}
	env.Console.Debugf("%s", prunedText(done))
	return errors.Join(err, st.Tidy(ctx))
}
