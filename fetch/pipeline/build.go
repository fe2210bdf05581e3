package pipeline

import (
	"cmp"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/attribute"
	"github.com/buildregress/buildregress/fetch/buildkit"
)

// build makes the build of a run, nil if no step of it is there. keys are those of its
// steps, by their spans.
func (r *run) build() (b *timeline.Build, keys map[*span]string, warnings []error) {
	resolution := r.resolution()
	w := r.walkRun(resolution)
	start, end := w.chosen()
	if len(w.steps) == 0 {
		return nil, nil, w.warnings()
	}
	keys = map[*span]string{}
	for i, s := range w.spans[:len(w.steps)] {
		if s != nil {
			keys[s] = w.steps[i].Key
		}
	}
	b = &timeline.Build{
		ID: r.tree.id + "-" + r.root.ID, Trace: r.tree.id, Pipeline: r.pipeline(), Origin: r.origin(),
		Start: start, Duration: buildkit.Lasting(end.Sub(start)), Resolution: resolution, Reader: timeline.ReaderVersion,
	}
	if r.jobs != "" {
		b.Pipeline = fetch.Clean(b.Pipeline+" / "+r.jobs, buildkit.MaxName)
	}
	b.Outcome, b.Error = w.outcome()
	slices.SortStableFunc(w.steps, func(a, b timeline.Step) int { return a.Start.Compare(b.Start) })
	b.Steps = w.steps
	return b, keys, w.warnings()
}

// resolution is what the emitter's clock counts in: whole seconds if all of its times are.
func (r *run) resolution() time.Duration {
	whole := true
	r.root.each(func(s *span) {
		if r.isOwn(s) {
			whole = whole && s.Start.Nanosecond() == 0 && s.End.Nanosecond() == 0
		}
	})
	if whole {
		return time.Second
	}
	return 0
}

// versionAtEnd is the version at the end of a name, as of an artifact.
var versionAtEnd = regexp.MustCompile(`[:@ ]v?\d[\w.+-]*$`)

// pipeline is what the run is one of, by its root: what a job calls a pipeline may be the
// job.
func (r *run) pipeline() string {
	name := attribute.Of(attribute.Pipeline, r.root.Own, r.root.Shared)
	if job, _, ok := r.multibranch(); ok {
		name = job
	}
	if name == "" && r.unnamed {
		name = cmp.Or(fetch.RepositoryName(r.repository()), r.root.Service)
	}
	if name == "" {
		name = r.trimmed(r.root.Name)
		if r.version {
			name = versionAtEnd.ReplaceAllString(name, "")
		}
	}
	return fetch.Clean(name, buildkit.MaxName)
}

// change is what Jenkins calls a branch that is a pull or merge request.
var change = regexp.MustCompile(`^[PM]R-(\d+)`)

var commit = regexp.MustCompile(`^[0-9a-f]{40}$`)

// origin is what the root says of where the run comes from.
func (r *run) origin() (o timeline.Origin) {
	own, shared := r.root.Own, r.root.Shared
	of := func(fact attribute.Fact) string {
		return fetch.Clean(attribute.Of(fact, own, shared), buildkit.MaxName)
	}
	o.Repository = r.repository()
	o.Revision = of(attribute.Revision)
	if version := cmp.Or(own["service.version"], shared["service.version"]); o.Revision == "" && commit.MatchString(version) {
		o.Revision = version
	}
	if kind := attribute.First([]string{"vcs.ref.head.type", "vcs.ref.type"}, own, shared); kind != "tag" {
		o.Branch = strings.TrimPrefix(of(attribute.Branch), "refs/heads/")
	}
	if !r.noChange {
		o.PullRequest = of(attribute.PullRequest)
	}
	o.URL = of(attribute.URL)
	if _, branch, ok := r.multibranch(); ok {
		if m := change.FindStringSubmatch(branch); m != nil {
			o.PullRequest = m[1]
		} else {
			o.Branch = fetch.Clean(branch, buildkit.MaxName)
		}
	}
	runners, several := "", false
	r.root.each(func(s *span) {
		if !r.isOwn(s) {
			return
		}
		if o.Branch == "" && o.PullRequest == "" && s.Own["git.branch"] != "" {
			o.Branch = fetch.Clean(strings.TrimPrefix(s.Own["git.branch"], "refs/heads/"), buildkit.MaxName)
		}
		if repository := s.Own["git.repository"]; o.Repository == "" && repository != "" {
			o.Repository = fetch.Clean(buildkit.Repository(repository), buildkit.MaxName)
		}
		if label := attribute.Of(attribute.Runner, s.Own, s.Shared); label != "" {
			several = several || runners != "" && runners != label
			runners = label
		}
	})
	if !several {
		o.Runner = fetch.Clean(runners, buildkit.MaxName)
	}
	return o
}

// repository is that of the run.
func (r *run) repository() string {
	own, shared := r.root.Own, r.root.Shared
	if address := buildkit.Repository(attribute.Of(attribute.Repository, own, shared)); address != "" {
		return fetch.Clean(address, buildkit.MaxName)
	}
	said := func(key string) string { return cmp.Or(own[key], shared[key]) }
	name := said("vcs.repository.name")
	switch space, owner := said("service.namespace"), said("vcs.owner.name"); {
	case strings.Contains(space, "/"):
		name = space
	case owner != "" && name != "":
		name = owner + "/" + name
	}
	return fetch.Clean(name, buildkit.MaxName)
}

// multibranch takes the name of a job of Jenkins apart that is one for each branch and pull
// request of a repository: "shop/PR-12" and "shop/main" are of one pipeline.
func (r *run) multibranch() (job, branch string, ok bool) {
	if r.root.Own["ci.pipeline.multibranch.type"] == "" {
		return "", "", false
	}
	job, branch, ok = cutLast(r.root.Own["ci.pipeline.id"], "/")
	if name, err := url.PathUnescape(branch); err == nil {
		branch = name
	}
	return job, branch, ok
}

// outcome tells how the run ended: as its root says, else as its parts do where the root
// never does.
func (w *walk) outcome() (timeline.Outcome, string) {
	word := w.wordOf(w.root)
	if word == unsaid && w.worst || word == worked && w.worst && attribute.First(w.result, w.root.Own, nil) == "" {
		again := *w // what is left out was counted
		for _, kid := range again.counted(w.root, 0) {
			word = max(word, w.wordOf(kid))
		}
	}
	switch word {
	case failed:
		text := "the run failed"
		for i := range w.steps {
			if w.steps[i].State == timeline.StepFailed {
				text = "failed at " + w.steps[i].Key
				break
			}
		}
		return timeline.Failed, fetch.Clean(text, buildkit.MaxName)
	case stopped, left:
		return timeline.Cancelled, "the run was cancelled"
	}
	return timeline.OK, ""
}
