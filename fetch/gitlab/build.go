package gitlab

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/attribute"
	"github.com/buildregress/buildregress/fetch/buildkit"
	runs "github.com/buildregress/buildregress/fetch/pipeline"
)

// prefix is that of the ids of our builds.
const prefix = "gitlab-"

// longestIdle is how long a pipeline may do nothing: what comes after that was started by
// hand, and its time is none of the pipeline's.
const longestIdle = time.Hour

// ended are the statuses of pipelines and of jobs that are over, and ran.
var ended = []string{"success", "failed", "canceled"}

// isToCome are the statuses of jobs that are not over.
var isToCome = []string{"created", "waiting_for_resource", "preparing", "waiting_for_callback", "pending", "running", "scheduled", "manual", "canceling"}

// buildOf makes the build of a pipeline of those of its jobs that ran, nil if none did.
// The steps and what is called alike are found as in the trace that GitLab itself would
// write of it, which has the same in it.
func (s *Source) buildOf(p *pipeline, jobs []job) (*timeline.Build, []error) {
	jobs = withoutIdle(jobs)
	if len(jobs) == 0 {
		return nil, nil
	}
	const root = "1"
	start, end := beginning(p, jobs), time.Time{}
	spans := []buildkit.Span{{}}
	for i := range jobs {
		j := &jobs[i]
		if queued := j.queued(); start.IsZero() || queued.Before(start) {
			start = queued
		}
		if j.Finished.After(end) {
			end = j.Finished
		}
		own := attribute.Values{}
		own.Keep("job.stage", j.Stage)
		own.Keep("job.status", j.Status)
		own.Keep("job.queued_duration", strconv.FormatFloat(j.Queued, 'f', -1, 64))
		own.Keep("cicd.pipeline.worker.labels", strings.Join(j.Tags, ","))
		spans = append(spans, buildkit.Span{
			Trace: "0", ID: "job" + strconv.Itoa(i), Parent: root, Name: j.Name, Start: j.Started.UTC(), End: j.Finished.UTC(), Own: own,
			Failed: j.Status == "failed", Message: fetch.Clean(strings.ReplaceAll(j.Failure, "_", " "), buildkit.MaxName),
		})
	}
	own := attribute.Values{}
	own.Keep("pipeline.id", id(p.ID))
	own.Keep("pipeline.status", p.outcome(jobs))
	own.Keep("cicd.pipeline.name", s.name(p))
	spans[0] = buildkit.Span{Trace: "0", ID: root, Name: s.Project, Start: start.UTC(), End: end.UTC(), Own: own}
	r := runs.Reader{Options: runs.Options{Jobs: s.Jobs}}
	builds, problems := r.Builds(spans)
	if len(builds) != 1 {
		return nil, problems
	}
	b := &builds[0]
	b.ID, b.Trace = prefix+id(p.ID), ""
	b.Origin = s.origin(p, jobs, b.Runner)
	return b, problems
}

// name is what a pipeline is one of: those that a schedule or another pipeline starts do
// something else.
func (s *Source) name(p *pipeline) string {
	if s.Pipeline != "" {
		return s.Pipeline
	}
	if kind := p.kind(); kind != "" {
		return s.Project + " (" + strings.ReplaceAll(kind, "_", " ") + ")"
	}
	return s.Project
}

// kind is the source of pipelines that are compared among themselves, "" for all others.
func (p *pipeline) kind() string {
	if p.Source == "schedule" || p.Source == "parent_pipeline" {
		return p.Source
	}
	return ""
}

// outcome is the status of a pipeline, or of those of its jobs that are over.
func (p *pipeline) outcome(jobs []job) string {
	if slices.Contains(ended, p.Status) {
		return p.Status
	}
	for _, j := range jobs {
		if j.Status == "failed" && !j.AllowFailure {
			return "failed"
		}
	}
	return "success"
}

// queued is when a job could have begun.
func (j *job) queued() time.Time {
	const longest = 30 * 24 * 60 * 60 // seconds; GitLab gives up sooner
	if !(j.Queued > 0) || j.Queued > longest {
		return j.Started
	}
	return j.Started.Add(-time.Duration(j.Queued * float64(time.Second)))
}

// isOver tells whether a job ran, and is over.
func (j *job) isOver() bool {
	return slices.Contains(ended, j.Status) && fetch.Plausible(j.Started) && fetch.Plausible(j.Finished)
}

// withoutIdle are those of some jobs that ran, without those that were started long after
// all others: a deployment that somebody starts the next day.
func withoutIdle(jobs []job) (kept []job) {
	for _, j := range jobs {
		if j.isOver() {
			kept = append(kept, j)
		}
	}
	slices.SortStableFunc(kept, func(a, b job) int {
		return cmp.Or(a.queued().Compare(b.queued()), cmp.Compare(a.ID, b.ID))
	})
	var busy time.Time
	for i := range kept {
		if i > 0 && kept[i].queued().Sub(busy) > longestIdle {
			return kept[:i]
		}
		if kept[i].Finished.After(busy) {
			busy = kept[i].Finished
		}
	}
	return kept
}

// beginning is when a pipeline began, of whose jobs some are kept: when it was made, unless the
// first of them were run again, or by hand, long after that.
func beginning(p *pipeline, kept []job) time.Time {
	if first := kept[0].queued(); first.Sub(p.Created) > longestIdle {
		return first
	}
	return p.Created
}

// come are the builds of a pipeline that runs yet: of what is over, and of all, as if it
// were. What the first has not is to come.
func (s *Source) come(p *pipeline, jobs []job) (b *timeline.Build, later map[string]bool, problems []error) {
	b, problems = s.buildOf(p, jobs)
	all := slices.Clone(jobs)
	open, start := false, p.Created
	if kept := withoutIdle(jobs); len(kept) > 0 {
		start = beginning(p, kept)
	}
	for i := range all {
		if j := &all[i]; slices.Contains(isToCome, j.Status) {
			open = true
			j.Status, j.Queued = "success", 1
			j.Started = start.Add(time.Second)
			j.Finished = j.Started.Add(time.Second)
		}
	}
	if !open {
		return b, nil, problems
	}
	whole, _ := s.buildOf(p, all)
	later = map[string]bool{}
	if whole == nil {
		return b, later, problems
	}
	for i := range whole.Steps {
		later[whole.Steps[i].Key] = true
	}
	if b == nil {
		return nil, later, problems
	}
	b.Steps = slices.DeleteFunc(b.Steps, func(step timeline.Step) bool { return !later[step.Key] }) // a part of shards
	for i := range b.Steps {
		delete(later, b.Steps[i].Key)
	}
	mend(b)
	return b, later, problems
}

// trim returns a build without the steps that the one which is judged has not come to. So
// does its outcome: that a check found something slower is no failure of what it judged.
func (s *Source) trim(b timeline.Build) timeline.Build {
	if len(s.later) == 0 {
		return b
	}
	all := b.Steps
	b.Steps = nil
	failed, cut := false, false
	for _, step := range all {
		if s.later[step.Key] {
			cut = true
			continue
		}
		failed = failed || step.State == timeline.StepFailed || step.State == timeline.Interrupted
		b.Steps = append(b.Steps, step)
	}
	if cut {
		mend(&b)
		if !failed {
			b.Outcome, b.Error = timeline.OK, ""
		}
	}
	return b
}

// mend makes a build whole from which steps were taken.
func mend(b *timeline.Build) {
	known := map[string]bool{}
	var end time.Time
	for i := range b.Steps {
		step := &b.Steps[i]
		known[step.ID] = true
		if e := step.Start.Add(step.Duration); e.After(end) {
			end = e
		}
	}
	for i := range b.Steps {
		b.Steps[i].Inputs = slices.DeleteFunc(slices.Clone(b.Steps[i].Inputs), func(id string) bool { return !known[id] })
	}
	b.Duration = buildkit.Lasting(end.Sub(b.Start))
}

// mergeRefs are the refs of pipelines for a merge request.
var mergeRefs = regexp.MustCompile(`^refs/merge-requests/(\d+)/(?:head|merge|train)$`)

// change is the number of the merge request that a pipeline is of, "" for none.
func (p *pipeline) change() string {
	if m := mergeRefs.FindStringSubmatch(p.Ref); m != nil {
		return m[1]
	}
	return ""
}

// tagged is what a tag is called, so that it is never taken for a branch.
const tagged = "tags/"

// origin says of which commit, branch and project a pipeline is. Of a merge request is not
// told whose branch it is, and of which fork.
func (s *Source) origin(p *pipeline, jobs []job, runner string) timeline.Origin {
	o := timeline.Origin{Revision: fetch.Clean(p.SHA, buildkit.MaxName), URL: fetch.Clean(p.WebURL, buildkit.MaxName), Runner: runner, PullRequest: p.change()}
	if o.PullRequest == "" {
		o.Repository, o.Branch = s.Project, fetch.Clean(p.Ref, buildkit.MaxName)
		if slices.ContainsFunc(jobs, func(j job) bool { return j.Tag }) {
			o.Branch = tagged + o.Branch
		}
	}
	return o
}

// isOnBranch tells whether a build is of a branch itself: what others ask to be merged has
// refs of its own, and a tag may be called as it.
func isOnBranch(b *timeline.Build, branch string) bool {
	return b.PullRequest == "" && b.Branch == branch
}
