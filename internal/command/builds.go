package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/redact"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/buildkit"
	"github.com/buildregress/buildregress/fetch/github"
	"github.com/buildregress/buildregress/fetch/source"
	"github.com/buildregress/buildregress/internal/ci"
	"github.com/buildregress/buildregress/internal/console"
	"github.com/buildregress/buildregress/report"
)

// defaultPipeline is that of builds of which nothing tells it.
const defaultPipeline = "default"

// A target is a build that a command is about.
type target struct {
	timeline.Build
	justMade  bool   // as far as it says
	unstarted bool   // it does not say when it began
	said      string // the pipeline that it says itself
	unnamed   bool   // nothing but the checkout, if that, says its pipeline
	alien     bool   // the history holds builds of another image by its pipeline, which is nobody's
	// unasked tells that it is not to be judged, but is a target of the same bake as one
	// that is, whose steps may stand in it.
	unasked bool
}

// readBuilds reads the builds of a source, each once, and returns what was wrong with
// the rest as warnings, which it says.
func readBuilds(ctx context.Context, env *Env, from source.Source, wanted fetch.Selector) (builds []timeline.Build, warnings []detect.Note, err error) {
	read := from.Builds
	if from.Large != nil && wanted.Ref+wanted.TraceID != "" {
		read = func(ctx context.Context, wanted fetch.Selector) ([]timeline.Build, []error, error) {
			return readOneOfMany(ctx, env, from, wanted)
		}
	}
	builds, problems, err := read(ctx, wanted)
	builds, clashes := fetch.Distinct(builds)
	warnings = append(summarize(clashes, "more builds share an id"), summarize(problems, "more files could not be read")...)
	for _, p := range slices.Concat(problems, clashes) {
		env.Console.Warn(p.Error())
	}
	return builds, warnings, err
}

// readOneOfMany reads the builds that are asked for, and those of the same bakes, out of a
// file of more than need be in memory.
func readOneOfMany(ctx context.Context, env *Env, from source.Source, wanted fetch.Selector) (builds []timeline.Build, problems []error, err error) {
	survey, err := from.Large.Look(ctx)
	if err != nil {
		return nil, nil, err
	}
	bar := env.Console.Progress("looking for the build", survey.Builds)
	defer bar.Done()
	problem, err := from.Large.Stream(ctx, func(list []timeline.Build) error {
		for i := range list {
			if t := (target{Build: list[i]}); isAsked(&list[i], wanted) || t.isOfBake() {
				builds = append(builds, list[i])
			}
		}
		bar.Add(len(list))
		return nil
	})
	if problem != nil {
		problems = []error{problem}
	}
	return builds, problems, err
}

// isAsked tells whether a build is one that is asked for.
func isAsked(b *timeline.Build, wanted fetch.Selector) bool {
	return (wanted.Ref == "" || isBuild(b, wanted.Ref)) && (wanted.TraceID == "" || b.Trace == wanted.TraceID)
}

// summarize returns the first few problems as notes, and how many more there are, with
// the words for those.
func summarize(problems []error, words string) (notes []detect.Note) {
	const most = 3
	for _, p := range problems[:min(len(problems), most)] {
		first, rest, several := strings.Cut(p.Error(), "\n")
		if several {
			first += fmt.Sprintf(" (and %d more)", strings.Count(rest, "\n")+1)
		}
		notes = append(notes, detect.Note{Kind: detect.KindUnread, Text: console.Printable(first)})
	}
	if more := len(problems) - most; more > 0 {
		notes = append(notes, detect.Note{Kind: detect.KindUnread, Text: fmt.Sprintf("… and %d %s", more, words)})
	}
	return notes
}

// readTargets reads the builds of a source, and keeps those that are wanted. They are
// yet to be completed by names, which has observed them all.
//
// Where builds are of any image, a name that was given, or that all get which say none, is
// not to make one of several: it is that of the image that was built last.
func readTargets(ctx context.Context, env *Env, names *ci.Resolver, from source.Source, wanted fetch.Selector, pipeline string) (targets []target, warnings []detect.Note, err error) {
	builds, warnings, err := readBuilds(ctx, env, from, wanted)
	if err != nil {
		return nil, warnings, err
	}
	names.Observe(builds)
	var ids []string
	for i := range builds {
		b := &builds[i]
		ids = append(ids, b.ID)
		targets = append(targets, target{Build: *b, justMade: ci.IsJustMade(b, env.Now), unstarted: b.Start.IsZero(), said: saidPipeline(b), unasked: !isAsked(b, wanted)})
	}
	targets = keepAsked(targets)
	if len(targets) == 0 {
		return nil, warnings, fmt.Errorf("%s: no build %q in it, but%s", from.Name, redact.Text(cmp.Or(wanted.Ref, wanted.TraceID)), listed(ids))
	}
	if from.Mixed && wanted.Ref == "" {
		var others int
		if targets, others = ofLastImage(targets, pipeline != ""); others > 0 {
			left := detect.Note{Kind: detect.KindUnread, Text: fmt.Sprintf("left out: %s of other images than the one that was built last, of which nothing says the pipeline: --build REF --pipeline NAME names one", report.Count(others, "build"))}
			if pipeline != "" {
				left.Text = fmt.Sprintf("left out: %s of other images than the one that was built last, which --pipeline names", report.Count(others, "build"))
			}
			env.Console.Warn(left.Text)
			warnings = append(warnings, left)
		}
	}
	return targets, warnings, nil
}

// ofLastImage leaves out builds that are not of the image that was built last: of those
// that say no pipeline, or, where one was given, of all. It tells how many.
func ofLastImage(targets []target, given bool) (kept []target, others int) {
	asSaid := func(t *target) *timeline.Build {
		b := t.Build
		b.Pipeline = t.said
		return &b
	}
	var last *timeline.Build
	for i := range targets {
		if t := &targets[i]; (given || t.said == "") && (last == nil || !t.Start.Before(last.Start)) {
			last = asSaid(t)
		}
	}
	for i := range targets {
		if t := &targets[i]; !given && t.said != "" || buildkit.OfOneImage(asSaid(t), last) {
			kept = append(kept, *t)
		}
	}
	return kept, len(targets) - len(kept)
}

// keepAsked keeps the targets that are asked for, and those of the same bakes.
func keepAsked(targets []target) (kept []target) {
	bakes := map[string]bool{}
	for i := range targets {
		if !targets[i].unasked && targets[i].isOfBake() {
			bakes[targets[i].Trace] = true
		}
	}
	for i := range targets {
		if !targets[i].unasked || targets[i].isOfBake() && bakes[targets[i].Trace] {
			kept = append(kept, targets[i])
		}
	}
	return kept
}

// isOfBake tells whether steps of the target may stand in the builds of others.
func (t *target) isOfBake() bool { return t.Target != "" && t.Trace != "" && t.Partial }

// bakesOf puts the targets of each bake together, each with the others; what is no part of
// one stands by itself. They stay in the order of the first of each.
func bakesOf(targets []target) (groups [][]*target) {
	at := map[string]int{}
	for i := range targets {
		t := &targets[i]
		n, known := at[t.Trace]
		if !t.isOfBake() || !known {
			n = len(groups)
			groups = append(groups, nil)
		}
		if t.isOfBake() {
			at[t.Trace] = n
		}
		groups[n] = append(groups[n], t)
	}
	return groups
}

// listed are names, each in a line of its own, ten of them at most.
func listed(names []string) string {
	const most = 10
	var text strings.Builder
	for _, name := range names[:min(len(names), most)] {
		text.WriteString("\n  " + name)
	}
	if more := len(names) - most; more > 0 {
		text.WriteString(fmt.Sprintf("\n  … and %d more", more))
	}
	return text.String()
}

// isBuild tells whether ref means b: its id, the last part of it, its trace, its pipeline or the
// target at the end of that.
func isBuild(b *timeline.Build, ref string) bool {
	return b.ID == ref || b.Trace != "" && strings.EqualFold(b.Trace, ref) || strings.HasSuffix(b.ID, "/"+ref) ||
		b.Pipeline == ref || strings.HasSuffix(b.Pipeline, " "+ref) || strings.HasSuffix(b.Image, " "+ref)
}

// completeAll completes the builds, gives them what a history cannot do without, a
// pipeline and a start, and orders them by that. Builds that say no start are taken to
// have begun one after the other, until now.
func completeAll(targets []target, names *ci.Resolver, now time.Time) {
	for i := range targets {
		b := &targets[i].Build
		names.Resolve(b)
		if b.Pipeline == "" {
			b.Pipeline = contextPipeline(b)
		}
		if b.Pipeline == "" {
			b.Pipeline = cmp.Or(names.OfCheckout(b), defaultPipeline)
			targets[i].unnamed = true
			fetch.Normalize(b)
		}
		b.Image = ""
		if b.Start.IsZero() {
			b.Start = now.Add(time.Duration(i-len(targets)+1) * time.Microsecond)
		}
	}
	slices.SortStableFunc(targets, func(a, b target) int { return a.Start.Compare(b.Start) })
}

// buildsOf are the builds of targets, in their order.
func buildsOf(targets []target) (list []timeline.Build) {
	for i := range targets {
		list = append(list, targets[i].Build)
	}
	return list
}

// readBaseline reads the builds that were given as a baseline. Of flags, only the
// pipeline holds for them; the others are those of the build to be judged. Builds that
// say no pipeline were given to compare with: they are of any, unless their context is to
// tell them apart.
func readBaseline(ctx context.Context, env *Env, from source.Source, pipeline string, byContext bool) (*fetch.Memory, []detect.Note, error) {
	builds, warnings, err := readBuilds(ctx, env, from, fetch.Selector{})
	memory := new(fetch.Memory)
	for i := range builds {
		b := &builds[i]
		ci.Override(b, pipeline)
		if byContext && b.Pipeline == "" {
			b.Pipeline = contextPipeline(b)
		}
		if b.Start.IsZero() { // in the order of the file, and before any build to be judged
			b.Start = env.Now.Add(-time.Hour + time.Duration(i)*time.Microsecond)
		}
		memory.Add(*b)
	}
	return memory, warnings, err
}

// newResolver returns what completes the builds, with all that the event left out of a
// run of a fork's pull request: which one that is, and its target.
func newResolver(ctx context.Context, env *Env, given ci.Identity) *ci.Resolver {
	names := ci.NewResolver(given, env.Variables, ".", env.Now)
	head, ok := ci.UnknownPull(env.Variables, names.CI)
	if !ok {
		return names
	}
	pull, err := findPull(ctx, env, head)
	if err != nil {
		env.Console.WarnOf(err)
		return names
	}
	names.CI.PullRequest, names.CI.BaseBranch = strconv.Itoa(pull.Number), cmp.Or(pull.BaseBranch, names.CI.BaseBranch)
	return names
}

// findPull asks GitHub for the open pull request that has a head.
func findPull(ctx context.Context, env *Env, head ci.PullHead) (pull github.Pull, err error) {
	hub, err := env.GitHub()
	if err != nil {
		return pull, err
	}
	pull, err = hub.Pulls.Find(ctx, head.Owner, head.Name, github.Head{Repository: head.Repository, Branch: head.Branch, Commit: head.Commit})
	if err == nil && pull.Number == 0 {
		err = errors.New("no open pull request, or more than one, has this commit as its head")
	}
	if err != nil {
		return pull, fmt.Errorf("the pull request of the run: %w", err)
	}
	return pull, nil
}
