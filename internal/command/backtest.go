package command

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/backtest"
	"github.com/buildregress/buildregress/detect/redact"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/source"
	"github.com/buildregress/buildregress/fetch/store"
	"github.com/buildregress/buildregress/internal/ci"
	"github.com/buildregress/buildregress/report"
)

// BacktestOptions are what the backtest command is asked to do.
type BacktestOptions struct {
	Sources  []string // none for the store
	Store    string
	Given    ci.Identity // its pipeline is "" for all
	Builds   int         // of each pipeline, the newest, that are replayed
	Inject   float64     // factor by which steps are slowed down, 0 for not
	Policy   detect.Policy
	Lookback time.Duration
	FailOn   []string
	JSON     bool
	Text     report.TextOptions
}

// MaxReplayed is how many builds of a pipeline are replayed if nothing is said.
const MaxReplayed = 1000

// Backtest replays a history as if each of its builds were new, and reports what would
// have been called.
func Backtest(ctx context.Context, env *Env, o *BacktestOptions) error {
	names := ci.NewResolver(o.Given, env.Variables, ".", env.Now)
	var list []timeline.Build
	var notes []detect.Note
	stored := map[string]int{} // builds of pipelines, if more than those that are read
	var err error
	if len(o.Sources) == 0 {
		list, stored, err = readStored(ctx, env, o)
	} else {
		list, notes, err = readSources(ctx, env, names, o.Sources, o.Given.Pipeline)
	}
	if err != nil {
		return err
	}
	r := newReplayer(env, o, names, list)
	r.stored = stored
	out := backtest.Report{
		SchemaVersion: detect.SchemaVersion, FailOn: o.FailOn, Thresholds: o.Policy.Thresholds,
		Results: []backtest.Result{},
	}
	for _, name := range r.pipelines() {
		result, more, err := r.replay(ctx, name)
		if err != nil {
			return err
		}
		out.Results, notes = append(out.Results, result), append(notes, more...)
	}
	out.Notes = append([]detect.Note{}, distinct(notes)...)
	return writeBacktest(env.Stdout, &out, o)
}

func writeBacktest(w io.Writer, b *backtest.Report, o *BacktestOptions) error {
	if o.JSON {
		return report.BacktestJSON(w, b)
	}
	return report.BacktestText(w, b, o.Text)
}

// readStored reads what is to be replayed out of the store, and the builds before
// that as far as one of these may be judged by them. stored is how many it holds of each.
func readStored(ctx context.Context, env *Env, o *BacktestOptions) (list []timeline.Build, stored map[string]int, err error) {
	st, err := env.openStore(ctx, o.Store, store.ReadOnly)
	if err != nil {
		return nil, nil, err
	}
	defer st.Close()
	pipelines, err := st.Pipelines(ctx)
	if err != nil {
		return nil, nil, err
	}
	stored = map[string]int{}
	var known []string
	for _, p := range pipelines {
		stored[p.Name] = p.Builds
		known = append(known, p.Name)
		if o.Given.Pipeline != "" && p.Name != o.Given.Pipeline {
			continue
		}
		found, err := st.Newest(ctx, p.Name, o.Builds+o.Policy.Window*fetch.SearchFactor)
		if err != nil {
			return nil, nil, err
		}
		list = append(list, found...)
	}
	switch {
	case len(known) == 0:
		return nil, nil, emptyStoreError{st.Name()}
	case len(list) == 0:
		return nil, nil, fmt.Errorf("%s: no build of pipeline `%s` in it, but of%s", st.Name(), redact.Text(o.Given.Pipeline), listed(known))
	}
	return list, stored, nil
}

// An emptyStoreError tells that there is nothing to replay yet.
type emptyStoreError struct{ name string }

func (e emptyStoreError) Error() string { return e.name + ": holds no build yet" }

// Hint says where builds come from.
func (e emptyStoreError) Hint() string {
	return "buildregress record adds old builds, and check those that it judges; or give files to replay"
}

// readSources reads the builds of files and folders, and completes them as Record does.
func readSources(ctx context.Context, env *Env, names *ci.Resolver, sources []string, pipeline string) ([]timeline.Build, []detect.Note, error) {
	var all []target
	var notes []detect.Note
	for _, address := range sources {
		from, err := env.Open(address, nil)
		if err != nil {
			return nil, nil, err
		}
		if from.History != nil {
			advice := "buildregress record puts a build of it into the store"
			if strings.HasPrefix(address, "jaeger") {
				advice += "; what Jaeger answers to /api/traces?service=buildx&limit=1000 is a file to replay"
			}
			return nil, nil, &source.AddressError{Problem: address + " is a server, and backtest replays files or a store", Advice: advice}
		}
		targets, warnings, err := readTargets(ctx, env, names, from, fetch.Selector{}, pipeline)
		if err != nil {
			return nil, nil, err
		}
		all, notes = append(all, targets...), append(notes, warnings...)
	}
	completeAll(all, names, env.Now)
	list, clashes := fetch.Distinct(buildsOf(all))
	for _, c := range clashes {
		env.Console.Warn(c.Error())
	}
	return list, append(notes, summarize(clashes, "more builds share an id")...), nil
}
