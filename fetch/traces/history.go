package traces

import (
	"context"
	"errors"
	"maps"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/buildkit"
)

// History finds what q's build is judged against, by what builds say of
// themselves: their pipeline and branch, and the tags that were given. Builds that
// say no branch are never a baseline, unless tags name them.
func (o *Source) History(ctx context.Context, q fetch.Query) (*detect.History, error) {
	p := o.past(q)
	err := p.base(ctx)
	if err == nil && !q.IsBase(q.Build) {
		err = p.branch(ctx)
	}
	if err == nil && p.bases < max(1, q.Enough) {
		err = p.others(ctx)
	}
	o.keep(ctx)
	if err != nil {
		if ctx.Err() != nil || p.bases < max(1, q.Enough) {
			return nil, o.trouble(err)
		}
		o.note("the history is incomplete: %v; %d builds of %s came before that", o.trouble(err), p.bases, q.BaseBranch)
	}
	h, err := p.memory.History(ctx, q)
	if err != nil {
		return nil, err
	}
	p.explain()
	h.Notes, o.notes = append(h.Notes, o.notes...), nil
	return h, nil
}

// explain says why nothing was found, where it may be that builds are called
// otherwise on the server.
func (p *past) explain() {
	switch _, own := p.o.known[p.q.Build.ID]; {
	case p.found > 0 || len(p.o.Tags) > 0:
	case !own:
		p.o.note("no build in %s says %s=%s: --pipeline is what they say instead", p.o.Name, attributePipeline, fetch.Clean(p.pipeline, buildkit.MaxName))
	case p.pipeline == "":
		p.o.note("the build does not say its pipeline, and is compared only with builds that do not: OTEL_RESOURCE_ATTRIBUTES=%s=NAME", attributePipeline)
	}
}

// keep keeps what the searches for a history found, all at once: each write waits
// for the disk.
func (o *Source) keep(ctx context.Context) {
	if len(o.unkept) == 0 {
		return
	}
	if err := o.Cache.Save(ctx, o.Name, o.unkept); err != nil {
		o.say("not kept: %v", err)
	}
	o.unkept = nil
}

// Pipelines says that a server of traces cannot tell.
func (o *Source) Pipelines(context.Context) ([]fetch.Pipeline, error) { return nil, nil }

// A past is a history in the making.
type past struct {
	o        *Source
	q        fetch.Query
	services []string
	pipeline string // as it is tagged, "" if it is not
	style    string // what stands in front of branches
	memory   fetch.Memory
	seen     map[string]bool // ids of builds in memory
	found    int             // builds that can be compared
	bases    int             // of these, those of the base branch
	missing  map[string]int  // builds in which steps of q.Build are yet to be found
}

func (o *Source) past(q fetch.Query) *past {
	p := &past{o: o, q: q, services: o.Services, pipeline: q.Build.Pipeline, seen: map[string]bool{}, missing: map[string]int{}}
	if t := o.known[q.Build.ID]; t != nil {
		p.pipeline = t.says[attributePipeline]
		if t.by != "" {
			p.services = []string{t.by}
		}
		if strings.HasPrefix(t.says[attributeBranch], "refs/heads/") {
			p.style = "refs/heads/"
		}
	}
	for _, s := range q.Build.Steps {
		if s.State == detect.Executed {
			p.missing[s.Key] = q.Window
		}
	}
	return p
}

// add takes the builds of a trace into the history, and returns those that can be
// compared with q's.
func (p *past) add(t *summary) []*detect.Build {
	var added []*detect.Build
	if t.state == buildkit.Open {
		return nil
	}
	for i := range t.builds {
		b := t.builds[i]
		p.o.Normalize(&b)
		if p.o.Pipeline != "" {
			b.Pipeline = p.o.Pipeline
		}
		if p.seen[b.ID] || b.Outcome != detect.OK || !b.Start.Before(p.q.Build.Start) || fetch.Same(&b, p.q.Build) {
			continue
		}
		p.seen[b.ID] = true
		if b.Branch == "" && b.PullRequest == "" && len(p.o.Tags) == 0 {
			continue
		}
		p.memory.Add(b)
		if b.Pipeline == p.q.Build.Pipeline || b.Pipeline == "" {
			added = append(added, &b)
			p.found++
		}
	}
	return added
}

// search walks back through the builds that have the tags.
func (p *past) search(ctx context.Context, tags map[string]string, aim int, take func(*summary), enough func() bool) error {
	for _, service := range p.services {
		w := walk{
			o: p.o, q: Question{Service: service, Tags: tags, Limit: max(4*aim, 100)},
			newest: p.q.Build.Start, oldest: p.oldest(), aim: aim, take: take, enough: enough, own: p.q.Build.Trace,
		}
		err := w.run(ctx)
		if w.cut {
			p.o.note("%s holds more builds at one time than can be asked for: some are left out", p.o.Name)
		}
		if err != nil {
			return err
		}
		if w.got > 0 {
			break
		}
	}
	return nil
}

func (p *past) oldest() time.Time {
	if since := p.q.Since(); !since.IsZero() {
		return since
	}
	const ever = 10 * 365 * 24 * time.Hour
	return p.q.Build.Start.Add(-ever)
}

// tags are those that builds must have, and a branch if it is not "".
func (p *past) tags(branch string) map[string]string {
	tags := maps.Clone(p.o.Tags)
	if tags == nil {
		tags = map[string]string{}
	}
	if p.pipeline != "" {
		tags[attributePipeline] = p.pipeline
	}
	if branch != "" {
		tags[attributeBranch] = p.style + branch
	}
	return tags
}

// base finds builds of the base branch: a window of them, and for steps that run
// rarely as many more as are searched for these.
func (p *past) base(ctx context.Context) error {
	take := func(t *summary) {
		for _, b := range p.add(t) {
			if !p.q.IsBase(b) {
				continue
			}
			p.bases++
			for _, s := range b.Steps {
				if s.State == detect.Executed && p.missing[s.Key] > 0 {
					p.missing[s.Key]--
				}
			}
		}
	}
	enough := func() bool {
		if p.bases < p.q.Window {
			return false
		}
		if p.bases >= p.q.Window*fetch.SearchFactor {
			return true
		}
		for _, n := range p.missing {
			if n > 0 {
				return false
			}
		}
		return true
	}
	return p.search(ctx, p.tags(p.q.BaseBranch), p.q.Window, take, enough)
}

// branch finds the builds before this one on its own branch.
func (p *past) branch(ctx context.Context) error {
	own := fetch.BranchOf(p.q.Build)
	if own.Branch == "" {
		return nil
	}
	found := 0
	return p.search(ctx, p.tags(own.Branch), fetch.MaxBranch, func(t *summary) {
		for _, b := range p.add(t) {
			if fetch.BranchOf(b) == own {
				found++
			}
		}
	}, func() bool { return found >= fetch.MaxBranch })
}

// others finds builds of any branch where those of the base are too few. It is an
// error if there are builds, and none says its branch.
func (p *past) others(ctx context.Context) error {
	branches := map[fetch.Branch]bool{}
	traces, silent := 0, 0
	err := p.search(ctx, p.tags(""), p.q.Window, func(t *summary) {
		for i := range t.builds {
			b := &t.builds[i]
			if b.ID == p.q.Build.ID || b.Trace == p.q.Build.Trace && b.Trace != "" {
				continue
			}
			traces++
			if b.Branch == "" && b.PullRequest == "" {
				silent++
			}
		}
		for _, b := range p.add(t) {
			branches[fetch.BranchOf(b)] = true
			if p.q.IsBase(b) {
				p.bases++
			}
		}
	}, func() bool { return len(branches) >= p.q.Window || traces >= 4*p.q.Window })
	if err == nil && traces > 0 && silent == traces && len(p.o.Tags) == 0 {
		return &ServerError{p.o.Name, errNoBranch, hintNoBranch}
	}
	return err
}

var errNoBranch = errors.New("builds are there, and none says its branch (" + attributeBranch + "): there is nothing to tell a baseline by")
