package traces

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/buildkit"
)

// History finds what q's build is judged against, by what builds say of
// themselves: their pipeline and branch, and the tags that were given. Builds that
// say no branch are never a baseline, unless tags name them.
func (s *Source) History(ctx context.Context, q fetch.Query) (*detect.History, error) {
	p := s.searchFor(q)
	err := p.addBase(ctx)
	if err == nil && !q.IsBase(q.Build) {
		err = p.addBranch(ctx)
	}
	if err == nil && p.baseBuilds < max(1, q.Enough) {
		err = p.addOthers(ctx)
	}
	s.saveSearches(ctx)
	if err != nil {
		if ctx.Err() != nil || p.baseBuilds < max(1, q.Enough) {
			return nil, s.wrapError(err)
		}
		s.note("the history is incomplete: %v; %d builds of %s came before that", s.wrapError(err), p.baseBuilds, q.BaseBranch)
	}
	h, err := p.memory.History(ctx, q)
	if err != nil {
		return nil, err
	}
	h.AnyBranch = (len(h.Base) > 0 || s.AnyBranch && q.Build.Branch == "") && !slices.ContainsFunc(h.Base, func(b timeline.Build) bool { return b.Branch != "" })
	p.noteEmpty()
	h.Notes, s.notes = append(h.Notes, s.notes...), nil
	return h, nil
}

// noteEmpty says why nothing was found, where it may be that builds are called
// otherwise on the server.
func (p *historySearch) noteEmpty() {
	known, own := p.source.known[p.query.Build.ID]
	switch {
	case p.comparable > 0 || len(p.source.Tags) > 0:
	case !own:
		p.source.note("no build in %s says %s=%s: --pipeline is what they say instead", p.source.Name, attributePipeline, fetch.Clean(p.pipeline, buildkit.MaxName))
	case known.root != nil:
		p.source.note("no run of `%s` before this one was found in %s, of service %s", fetch.Clean(p.query.Build.Pipeline, buildkit.MaxName), p.source.Name, fetch.Clean(known.root.Service, buildkit.MaxName))
	case known.attributes[attributeBranch] == "" && !p.source.AnyBranch:
		counts := ""
		if b := p.query.Build; b.Branch == "" && b.PullRequest == "" {
			counts = fmt.Sprintf("it counts as one of %s (--branch says another), and ", p.query.BaseBranch)
		}
		p.source.noteOf(detect.KindUnknownBranch, "the trace does not say the branch of the build: %slater builds are not compared with it: build with OTEL_RESOURCE_ATTRIBUTES=%s=BRANCH,%s=NAME, or give --baseline-any-branch", counts, attributeBranch, attributePipeline)
	case p.pipeline == "":
		p.source.note("the build does not say its pipeline, and is compared only with builds that do not: OTEL_RESOURCE_ATTRIBUTES=%s=NAME", attributePipeline)
	}
}

// saveSearches keeps what the searches for a history found, all at once: each write waits
// for the disk.
func (s *Source) saveSearches(ctx context.Context) {
	if len(s.unsaved) == 0 {
		return
	}
	if err := s.Cache.Save(ctx, s.Name, s.unsaved); err != nil {
		s.statusf("not kept: %v", err)
	}
	s.unsaved = nil
}

// Pipelines says that a server of traces cannot tell.
func (s *Source) Pipelines(context.Context) ([]fetch.Pipeline, error) { return nil, nil }

// A historySearch is a history in the making.
type historySearch struct {
	source       *Source
	query        fetch.Query
	services     []string
	pipeline     string // as it is tagged, "" if it is not
	pipelineKey  string // the attribute that says the pipeline
	branchKey    string // and the branch
	branchPrefix string // what stands in front of branches
	memory       fetch.Memory
	seen         map[string]bool  // ids of builds in memory
	comparable   int              // builds that can be compared
	baseBuilds   int              // of these, those of the base branch
	silent       []timeline.Build // that say no branch, and may be a baseline where none does
	missing      map[string]int   // builds in which steps of the query's build are yet to be found
}

func (s *Source) searchFor(q fetch.Query) *historySearch {
	p := &historySearch{source: s, query: q, services: s.Services, pipelineKey: attributePipeline, branchKey: attributeBranch, pipeline: q.Build.Pipeline, seen: map[string]bool{}, missing: map[string]int{}}
	if t := s.known[q.Build.ID]; t != nil {
		p.pipeline = t.attributes[attributePipeline]
		if t.service != "" {
			p.services = []string{t.service}
		}
		said := t.attributes[attributeBranch]
		if r := t.root; r != nil {
			p.services, p.pipeline, p.pipelineKey, p.branchKey, said = []string{r.Service}, r.Pipeline, r.PipelineKey, r.BranchKey, r.Branch
		}
		if strings.HasPrefix(said, "refs/heads/") {
			p.branchPrefix = "refs/heads/"
		}
	}
	for _, step := range q.Build.Steps {
		if step.State == timeline.Executed {
			p.missing[step.Key] = q.Window
		}
	}
	return p
}

// add takes the builds of a trace into the history, and returns those that can be
// compared with q's.
func (p *historySearch) add(t *summary) []*timeline.Build {
	var added []*timeline.Build
	if t.state == buildkit.Open {
		return nil
	}
	for i := range t.builds {
		b := t.builds[i]
		p.source.Normalize(&b)
		if p.source.Pipeline != "" {
			fetch.NamePipeline(&b, p.source.Pipeline)
		}
		if p.seen[b.ID] || b.Outcome != timeline.OK || !b.Start.Before(p.query.Build.Start) || fetch.Same(&b, p.query.Build) {
			continue
		}
		p.seen[b.ID] = true
		if b.Branch == "" && b.PullRequest == "" && len(p.source.Tags) == 0 {
			p.silent = append(p.silent, b)
			continue
		}
		p.memory.Add(b)
		if b.Pipeline == p.query.Build.Pipeline || b.Pipeline == "" {
			added = append(added, &b)
			p.comparable++
		}
	}
	return added
}

// search walks back through the builds that have the tags.
func (p *historySearch) search(ctx context.Context, tags map[string]string, target int, take func(*summary), enough func() bool) error {
	for _, service := range p.services {
		f := backfill{
			source: p.source, question: Question{Service: service, Tags: tags, Limit: max(4*target, 100)},
			newest: p.query.Build.Start, oldest: p.oldest(), target: target, take: take, enough: enough, ownTrace: p.query.Build.Trace,
		}
		err := f.run(ctx)
		if f.truncated {
			p.source.note("%s holds more builds at one time than can be asked for: some are left out", p.source.Name)
		}
		if err != nil {
			return err
		}
		if f.taken > 0 {
			break
		}
	}
	return nil
}

func (p *historySearch) oldest() time.Time {
	if since := p.query.Since(); !since.IsZero() {
		return since
	}
	const ever = 10 * 365 * 24 * time.Hour
	return p.query.Build.Start.Add(-ever)
}

// tags are those that builds must have, and a branch if it is not "".
func (p *historySearch) tags(branch string) map[string]string {
	tags := maps.Clone(p.source.Tags)
	if tags == nil {
		tags = map[string]string{}
	}
	if p.pipeline != "" {
		tags[p.pipelineKey] = p.pipeline
	}
	if branch != "" && p.branchKey != "" {
		tags[p.branchKey] = p.branchPrefix + branch
	}
	return tags
}

// addBase finds builds of the base branch: a window of them, and for steps that run
// rarely as many more as are searched for these.
func (p *historySearch) addBase(ctx context.Context) error {
	told := map[string]*timeline.Executions{}
	take := func(t *summary) {
		for _, b := range p.add(t) {
			if !p.query.IsBase(b) {
				continue
			}
			p.baseBuilds++
			for i := range b.Steps {
				s := &b.Steps[i]
				if s.State != timeline.Executed || p.missing[s.Key] <= 0 {
					continue
				}
				if told[s.Key] == nil {
					told[s.Key] = &timeline.Executions{}
				}
				if !told[s.Key].Repeat(s) {
					p.missing[s.Key]--
				}
			}
		}
	}
	enough := func() bool {
		if p.baseBuilds < p.query.Window {
			return false
		}
		if p.baseBuilds >= p.query.Window*fetch.SearchFactor {
			return true
		}
		for _, n := range p.missing {
			if n > 0 {
				return false
			}
		}
		return true
	}
	return p.search(ctx, p.tags(p.query.BaseBranch), p.query.Window, take, enough)
}

// addBranch finds the builds before this one on its own branch.
func (p *historySearch) addBranch(ctx context.Context) error {
	own := fetch.BranchOf(p.query.Build)
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

// addOthers finds builds of any branch where those of the base are too few. It is an
// error if there are builds, and none says its branch.
func (p *historySearch) addOthers(ctx context.Context) error {
	branches := map[fetch.Branch]bool{}
	traces, silent := 0, 0
	err := p.search(ctx, p.tags(""), p.query.Window, func(t *summary) {
		for i := range t.builds {
			b := &t.builds[i]
			if b.ID == p.query.Build.ID || b.Trace == p.query.Build.Trace && b.Trace != "" {
				continue
			}
			traces++
			if b.Branch == "" && b.PullRequest == "" {
				silent++
			}
		}
		for _, b := range p.add(t) {
			branches[fetch.BranchOf(b)] = true
			if p.query.IsBase(b) {
				p.baseBuilds++
			}
		}
	}, func() bool { return len(branches) >= p.query.Window || traces >= 4*p.query.Window })
	if err == nil && traces > 0 && silent == traces && len(p.source.Tags) == 0 {
		if !p.source.AnyBranch {
			return &ServerError{p.source.Name, fmt.Errorf("%d builds before this one are there, and none says its branch (%s): there is nothing to tell a baseline by", traces, attributeBranch), hintNoBranch}
		}
		p.takeSilent()
	}
	return err
}

// takeSilent takes builds that say no branch as those of the base, as none on the server
// says one.
func (p *historySearch) takeSilent() {
	for _, b := range p.silent {
		p.memory.Add(b)
		if b.Pipeline == p.query.Build.Pipeline || b.Pipeline == "" {
			p.comparable++
			p.baseBuilds++
		}
	}
	p.source.noteOf(detect.KindUnknownBranch, "no build in %s says its branch: this one is compared with those of any (--baseline-any-branch), and a slow branch among them may hide a slowdown", p.source.Name)
}
