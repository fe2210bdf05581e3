package command

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
	"github.com/buildregress/buildregress/detect/stepname"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/buildkit"
	"github.com/buildregress/buildregress/fetch/source"
	"github.com/buildregress/buildregress/fetch/store"
	"github.com/buildregress/buildregress/fetch/traces"
	"github.com/buildregress/buildregress/internal/ci"
	"github.com/buildregress/buildregress/internal/console"
	"github.com/buildregress/buildregress/report"
)

// CheckOptions are what the check command is asked to do.
type CheckOptions struct {
	Source   string
	Baseline string // what to compare with; "" for the source, if it is a server, else the store
	Store    string
	Wanted   fetch.Selector
	Given    ci.Identity
	Policy   detect.Policy
	Lookback time.Duration
	Keep     time.Duration // older builds of the store are thinned, 0 for none
	FailOn   []string
	Record   When
	Causes   When   // whether why is asked; never keeps what could tell out of the history, too
	UI       string // where people see the builds, "" for what the source says
	// Dockerfile tells the lines of steps of which the source tells none; nil for no file.
	Dockerfile *Dockerfile
	Output     OutputOptions
	Post       PostOptions
}

// cache is where what servers answer is kept: in the store, if anything is.
func (o *CheckOptions) cache(st *store.Store) fetch.Cache {
	switch {
	case o.Record == Never:
		return nil
	case o.Causes == Never:
		return factless{st}
	}
	return st
}

// access is what is done with the store.
func (o *CheckOptions) access() store.Access {
	if o.Record == Never {
		return store.ReadOnly
	}
	return store.Write
}

// Check judges the builds of a source, reports, and records them. It returns the exit
// code that the report names, which is decided before anything is posted: an error goes
// before it.
func Check(ctx context.Context, env *Env, o *CheckOptions) (code int, err error) {
	names := newResolver(ctx, env, o.Given)
	st, err := env.openStore(ctx, o.Store, o.access())
	if err != nil {
		return 0, err
	}
	defer st.Close()
	from, err := env.Open(o.Source, o.cache(st))
	if err != nil {
		return 0, err
	}
	targets, notes, err := readTargets(ctx, env, names, from, o.Wanted, o.Given.Pipeline, o.needed())
	if err != nil {
		return 0, err
	}
	if o.Causes != Never {
		joinRecords(ctx, env, targets)
	} else {
		dropFacts(targets)
	}
	completeAll(targets, names, env.Now)
	targets, older, left := newestJudged(env, from, targets)
	notes = append(notes, left...)
	history, warnings, err := openHistory(ctx, env, o, from, st, targets, names)
	if err != nil {
		return 0, err
	}

	c := checker{env: env, options: o, names: names, history: history, store: st, served: from.History != nil, changed: changes{env: env, names: names}, records: joiner{env: env}}
	if history.kept != "" {
		local := ci.NewResolver(ci.Identity{}, env.Variables, ".", env.Now)
		local.CI = names.CI // with the pull request
		local.Observe(buildsOf(targets))
		c.kept = &kept{env: env, address: history.kept, pipeline: o.Given.Pipeline, names: local}
		if o.Baseline == "" {
			c.kept.store = st
		}
	}
	c.notes = append(notes, warnings...)
	for i := range older {
		c.remember(&older[i].Build)
	}
	var results []detect.Result
	bar := env.Console.Progress("judging builds", len(targets))
	for _, group := range bakesOf(targets) {
		r, err := c.judge(ctx, group)
		if err != nil {
			bar.Done()
			return 0, err
		}
		results = append(results, r...)
		bar.Add(len(group))
	}
	bar.Done()
	if o.Dockerfile != nil && !c.located {
		env.Console.Warn(fmt.Sprintf("--dockerfile: no step was found in %s", redact.Text(o.Dockerfile.name)))
	}
	if c.old > 0 {
		c.note(detect.KindNotRecorded, "not recorded: %s that ended more than a day ago; --record always records such", report.Count(c.old, "build"))
	}
	if err := keepStore(ctx, env, st, names, o.Keep, o.Policy.Thresholds, c.recorded); err != nil {
		env.Console.WarnOf(err) // the next one will do it
	}
	detect.TellNested(results)
	report := detect.NewReport(results, o.FailOn, distinct(c.notes))
	failing := report.ExitCode == ExitVerdict
	if len(c.troubles) > 0 {
		report.ExitCode = ExitTrouble
	}
	if o.tellNoStep(env, results) {
		report.ExitCode = ExitUsage
	}
	// A report on builds that could not be recorded is still one.
	o.Output.Text.Code = codeOf(env.Variables, names.CI)
	errs := []error{o.Output.write(env.Stdout, &report)}
	errs = append(errs, o.Post.post(ctx, env, names.CI, &report, failing, o.Output.Files))
	return report.ExitCode, errors.Join(append(errs, c.troubles...)...)
}

// maxJudged is how many builds are judged of a source that holds too many to be read at once:
// a report on more is one that nobody reads.
const maxJudged = 100

// needed is how many builds of a pipeline are read of such a source: those that are judged, and
// as far back as one of these may be judged by.
func (o *CheckOptions) needed() int { return maxJudged + o.Policy.Window*fetch.SearchFactor }

// newestJudged are the targets that are judged, and those that are history alone, which it
// says. They are in order of their start.
func newestJudged(env *Env, from source.Source, targets []target) (judged, older []target, notes []detect.Note) {
	first := len(targets) - maxJudged
	if from.Large == nil || first <= 0 {
		return targets, nil, nil
	}
	// What the targets of a bake share stands in one of them.
	for first > 0 && targets[first].Target != "" && targets[first].Trace == targets[first-1].Trace {
		first--
	}
	all := 0
	for _, n := range countAll(targets) {
		all += n
	}
	text := fmt.Sprintf("judged are the newest %d of %d builds of %s, by those before them: --build names another one, and backtest replays more", len(targets)-first, all, redact.Text(from.Name))
	env.Console.Warn(text)
	return targets[first:], targets[:first], []detect.Note{{Kind: detect.KindHistory, Text: console.Printable(text)}}
}

// tellNoStep says that --explain names no step of the builds, and which it may mean. The
// report follows.
func (o *CheckOptions) tellNoStep(env *Env, results []detect.Result) bool {
	const most = 5
	if o.Output.Explain == "" || len(results) == 0 {
		return false
	}
	var steps []stepname.Name
	for i := range results {
		steps = append(steps, results[i].StepNames()...)
		if len(stepname.Find(o.Output.Explain, results[i].StepNames())) > 0 {
			return false
		}
	}
	env.Console.Error(fmt.Errorf("no step is called %q, or more than one has it in its name", redact.Text(o.Output.Explain)))
	for _, name := range stepname.Nearest(o.Output.Explain, steps, most) {
		env.Console.Hint("there is " + name)
	}
	return true
}

// A history is what builds are compared with.
type history struct {
	fetch.HistorySource
	name string    // as it is shown
	ui   traces.UI // where people see its builds
	kept string    // the SOURCE of what a builder keeps, which is history as well; "" for none
}

// openHistory opens what to compare with: what was given as a baseline; else the
// server that the build comes from; else the store.
func openHistory(ctx context.Context, env *Env, o *CheckOptions, from source.Source, st *store.Store, targets []target, names *ci.Resolver) (h history, notes []detect.Note, err error) {
	ui := cmp.Or(traces.UI(o.UI), from.UI)
	switch {
	case o.Baseline == "" && from.History == nil:
		return history{st, st.Name(), ui, from.Kept}, nil, nil
	case o.Baseline == "":
		return history{from.History, from.Name, ui, ""}, nil, nil
	case store.Is(o.Baseline):
		// It stays open until the process ends, and is only read.
		other, err := env.openStore(ctx, o.Baseline, store.ReadOnly)
		if err != nil {
			return history{}, nil, err
		}
		return history{other, other.Name(), ui, ""}, nil, nil
	}
	baseline, err := env.Open(o.Baseline, o.cache(st))
	if err != nil || baseline.History != nil {
		return history{baseline.History, baseline.Name, cmp.Or(ui, baseline.UI), ""}, nil, err
	}
	if baseline.Mixed {
		return history{new(fetch.Memory), o.Baseline, ui, o.Baseline}, nil, nil
	}
	keep := sieve{newest: o.needed(), names: names}
	for i := range targets {
		keep.before = latest(keep.before, targets[i].Start)
	}
	memory, notes, err := readBaseline(ctx, env, baseline, o.Given.Pipeline, byContext(targets), keep)
	return history{memory, o.Baseline, ui, ""}, notes, err
}

// A checker judges one build after the other.
type checker struct {
	env     *Env
	options *CheckOptions
	names   *ci.Resolver
	history history
	store   *store.Store
	// judged holds the builds that history does not: a build has those before it in
	// its source as evidence, whether they are recorded or not.
	judged fetch.Memory
	kept   *kept // nil where it is no history
	served bool  // the builds come from a server that keeps them: no store has to

	old      int      // builds that were not recorded because they are
	recorded []string // pipelines of builds that were
	changed  changes
	records  joiner
	asked    map[string]bool // pipelines that were asked about
	located  bool            // a step stands in the Dockerfile that was given
	notes    []detect.Note
	troubles []error // with what follows a verdict
}

// judge judges a build, or those of one bake, and then records them.
func (c *checker) judge(ctx context.Context, group []*target) (results []detect.Result, err error) {
	judged := make([]buildkit.Target, len(group))
	for i, t := range group {
		judged[i].Build = t.Build
		if judged[i].History, err = c.past(ctx, t); err != nil {
			return nil, err
		}
	}
	asked := func(i int) bool { return !group[i].unasked }
	if len(group) > 1 {
		complete, untold := buildkit.CompleteBake(judged)
		if len(untold) == 0 {
			judged = complete
		} else {
			judged, asked = []buildkit.Target{buildkit.OneBuild(judged)}, func(int) bool { return true }
			c.noteOneBuild(group, untold)
		}
	}
	for i := range judged {
		if asked(i) {
			result := c.judgeAgainst(ctx, &judged[i].Build, group[i], judged[i].History)
			if len(judged) < len(group) {
				for _, t := range group {
					result.Build.Targets = append(result.Build.Targets, t.Pipeline)
				}
			}
			results = append(results, result)
		}
	}
	for _, t := range group {
		c.keep(ctx, t)
	}
	return results, nil
}

// judgeAgainst judges a build, which is that of t or the bake that t is of, against its
// history, unless that is another image's.
func (c *checker) judgeAgainst(ctx context.Context, b *timeline.Build, t *target, history *detect.History) detect.Result {
	isOther := t.unnamed && isOfAnother(b, history)
	if isOther {
		history = &detect.History{Source: history.Source, BaseBranch: history.BaseBranch, Notes: []detect.Note{{Kind: detect.KindHistory, Text: fmt.Sprintf(
			"nothing says the pipeline of the build, and the history holds another image as `%s`: --pipeline tells them apart", b.Pipeline)}}}
	}
	result := detect.Judge(b, history, c.options.Policy)
	if c.options.Causes != Never {
		result.Explain(b, c.records.history(ctx, &result, b, history), c.changed.in(ctx, b))
	}
	// Of one checkout it is the same image, made anew; nobody knows whose `default` is.
	isOther = isOther || result.Reason.Kind == detect.KindOtherImage
	t.alien = isOther && t.unnamed && b.Pipeline == defaultPipeline
	addTraceLinks(&result, b, history, c.history.ui)
	if d := c.options.Dockerfile; d != nil {
		c.located = d.locate(b, &result) || c.located
	}
	return result
}

// past is what a build is judged against.
func (c *checker) past(ctx context.Context, b *target) (*detect.History, error) {
	branch, repository := c.names.Base(&b.Build)
	q := fetch.Query{
		Build: &b.Build, BaseBranch: branch, BaseRepository: repository,
		Window: c.options.Policy.Window, Lookback: c.options.Lookback, Enough: c.options.Policy.MinHistory,
	}
	past, err := c.history.History(ctx, q)
	if err == nil {
		past, err = c.withOlder(ctx, b, q, past)
	}
	if err != nil {
		return nil, err
	}
	past, from, err := c.withKept(ctx, b, q, past)
	if err != nil {
		return nil, err
	}
	judged, err := c.judged.History(ctx, q)
	if err != nil {
		return nil, err
	}
	history := fetch.Join(past, judged, q)
	told := slices.ContainsFunc(history.Notes, func(n detect.Note) bool { return n.Kind == detect.KindUnknownBranch })
	if b.Branch == "" && b.PullRequest == "" && !history.AnyBranch && !told {
		c.note(detect.KindUnknownBranch, "nothing says the branch of the build: it counts as one of %s (--branch says another)", branch)
	}
	history.Source = redact.Text(from)
	c.env.Console.Debugf("%s: %d builds of %s, %d of other branches, %d of its own", b.ID, len(history.Base), branch, len(history.Other), len(history.Branch))
	return history, c.noteEmpty(ctx, &b.Build, history)
}

// noteOneBuild says why a bake is judged as one build.
func (c *checker) noteOneBuild(group []*target, untold []string) {
	var targets []string
	for _, t := range group {
		targets = append(targets, t.Target)
	}
	c.note(detect.KindBakeAsOne, "the bake of %s is judged as one build: a trace does not tell which of them need %s, and no earlier bake does", some(targets), some(untold))
}

// some are the first few names, and how many more there are.
func some(names []string) string {
	const most = 3
	quoted := make([]string, min(len(names), most))
	for i := range quoted {
		quoted[i] = "`" + names[i] + "`"
	}
	if more := len(names) - most; more > 0 {
		return strings.Join(quoted, ", ") + fmt.Sprintf(" and %d more", more)
	}
	last := len(quoted) - 1
	return strings.Join(append(quoted[:max(last-1, 0)], strings.Join(quoted[max(last-1, 0):], " and ")), ", ")
}

// keep lets a build be history of those that are judged after it.
func (c *checker) keep(ctx context.Context, b *target) {
	if isRecorded := c.record(ctx, b); !isRecorded || c.history.HistorySource != c.store {
		c.remember(&b.Build)
	}
}

// remember lets a build that is not stored be history.
func (c *checker) remember(b *timeline.Build) {
	if files, isMemory := c.history.HistorySource.(*fetch.Memory); isMemory {
		files.Add(*b)
		return
	}
	c.judged.Add(*b)
}

// record puts a build into the store if it is to be there, and tells whether it
// is.
func (c *checker) record(ctx context.Context, b *target) bool {
	switch {
	case c.options.Record == Auto && b.justMade && !c.served && b.alien:
		c.note(detect.KindNotRecorded, "not recorded: the builds of `%s` are of another image (--pipeline)", b.Pipeline)
		return false
	case c.options.Record == Always, c.options.Record == Auto && b.justMade && !c.served:
	case c.options.Record == Auto && b.unstarted && !c.served:
		c.note(detect.KindNotRecorded, "not recorded: its start is unknown; --record always")
		return false
	case c.options.Record == Auto && !c.served && c.options.Baseline == "":
		if held, err := c.store.Holds(ctx, []timeline.Build{b.Build}); err != nil || held[0] {
			return false
		}
		c.old++
		return false
	default:
		return false
	}
	sum, err := c.store.Record(ctx, []timeline.Build{b.Build})
	for _, clash := range sum.Clashes {
		c.env.Console.Warn(clash.Error())
		c.note(detect.KindNotRecorded, "%s", console.Printable(clash.Error()))
	}
	if err != nil {
		c.troubles = append(c.troubles, err)
		c.note(detect.KindNotRecorded, "not recorded: %s", console.Printable(err.Error()))
	} else {
		c.recorded = append(c.recorded, b.Pipeline)
	}
	return err == nil
}

// note adds a note to the report. What others wrote is masked before.
func (c *checker) note(kind detect.Kind, format string, args ...any) {
	c.notes = append(c.notes, detect.Note{Kind: kind, Text: fmt.Sprintf(format, args...)})
}

// distinct keeps the first of equal values.
func distinct[T comparable](values []T) (list []T) {
	for _, v := range values {
		if !slices.Contains(list, v) {
			list = append(list, v)
		}
	}
	return list
}
