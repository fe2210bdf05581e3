package github

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/buildkit"
	gh "github.com/google/go-github/v60/github"
)

// Steps are the times of the jobs of a repository's workflow runs and of their
// steps, which GitHub keeps of every run: each job is a build. They count in whole
// seconds. It may be asked by one caller at a time.
type Steps struct {
	source
	read map[int64]jobs // by id of the run
	// own is the step that runs us, by the pipeline of the job that does: what
	// comes behind it in other runs has nothing to compare with in this one.
	own map[string]ownStep
}

// An ownStep is a step that runs us: its name, and how many ran before it.
type ownStep struct {
	name   string
	before int
}

// jobs are those of a run, as far as they are builds.
type jobs struct {
	builds []timeline.Build
	odd    int // steps with impossible times
	err    error
}

// OpenSteps opens a repository's jobs and steps. Nothing is asked for yet.
func OpenSteps(o Options) *Steps {
	s := &Steps{read: map[int64]jobs{}, own: map[string]ownStep{}}
	s.set(o)
	return s
}

// Builds is the job that runs us, as far as it has come; else all jobs of a run
// that are done: of that which w or the options name, or of the newest.
func (s *Steps) Builds(ctx context.Context, w fetch.Selector) ([]timeline.Build, []error, error) {
	run, err := s.targetRun(ctx, w)
	if err != nil {
		return nil, nil, err
	}
	list, err := s.listJobs(ctx, run.GetID())
	if err != nil {
		return nil, nil, err
	}
	var problems []error
	pull, err := s.pullOf(ctx, run)
	if err != nil {
		problems = append(problems, err)
	}
	own := s.ownJob(list)
	var builds []timeline.Build
	odd := 0
	for _, job := range list {
		if own != nil && job != own {
			continue
		}
		b, n, ok := buildOf(run, job)
		if !ok {
			continue
		}
		odd += n
		s.identifyJob(&b, run, pull)
		if job == own {
			s.own[b.Pipeline] = ownStepOf(job, len(b.Steps)-waits(b.Steps))
		}
		builds = append(builds, s.trim(b))
	}
	if odd > 0 {
		problems = append(problems, fmt.Errorf("%s: run %d: %s", s.fullName(), run.GetID(), implausibleTimes(odd)))
	}
	if len(builds) == 0 {
		return nil, problems, fmt.Errorf("%s: run %d: no job of it has ended a step", s.fullName(), run.GetID())
	}
	return builds, problems, nil
}

// ownStepOf is the first step of our job that has not ended, and how many have.
func ownStepOf(job *gh.WorkflowJob, ended int) ownStep {
	for _, step := range job.Steps {
		if step.GetStatus() != "completed" {
			return ownStep{clean(step.GetName()), ended}
		}
	}
	return ownStep{before: ended}
}

func implausibleTimes(n int) string {
	return fmt.Sprintf("%d steps ended before they began, by GitHub's clock, or at no time: taken as 0 s, or left out", n)
}

// targetRun is the run that is to be judged.
func (s *Steps) targetRun(ctx context.Context, w fetch.Selector) (*gh.WorkflowRun, error) {
	id, err := s.wantedRun(w)
	if err != nil {
		return nil, err
	}
	if id != 0 {
		return s.run(ctx, id)
	}
	runs, err := s.listRuns(ctx, gh.ListWorkflowRunsOptions{HeadSHA: w.Revision, Status: "completed"}, 1, 1, func(*gh.WorkflowRun) bool { return true })
	if err == nil && len(runs) == 0 {
		err = fmt.Errorf("%s: no run of the workflow is done", s.fullName())
	}
	if err != nil {
		return nil, err
	}
	return runs[0], nil
}

// ownJob is the job that runs us, nil if none of them does. The key by which a job
// stands in its workflow is often, and not always, its name.
func (s *Steps) ownJob(list []*gh.WorkflowJob) *gh.WorkflowJob {
	if s.Job == "" {
		return nil
	}
	var running []*gh.WorkflowJob
	for _, job := range list {
		if job.GetStatus() == "in_progress" {
			running = append(running, job)
		}
	}
	for _, is := range []func(*gh.WorkflowJob) bool{
		func(j *gh.WorkflowJob) bool { return s.Runner != "" && j.GetRunnerName() == s.Runner },
		func(j *gh.WorkflowJob) bool { return j.GetName() == s.Job },
		func(j *gh.WorkflowJob) bool { return strings.HasPrefix(j.GetName(), s.Job+" (") }, // of a matrix
	} {
		own := slices.DeleteFunc(slices.Clone(running), func(j *gh.WorkflowJob) bool { return !is(j) })
		if len(own) == 1 { // of several of a matrix nothing tells which
			return own[0]
		}
	}
	return nil
}

// listJobs lists the jobs of a run's latest attempt.
func (s *Steps) listJobs(ctx context.Context, run int64) (all []*gh.WorkflowJob, err error) {
	o := gh.ListWorkflowJobsOptions{Filter: "latest", ListOptions: gh.ListOptions{PerPage: perPage}}
	for range maxPages {
		list, resp, err := s.Client.Actions.ListWorkflowJobs(ctx, s.Owner, s.Name, run, &o)
		if err != nil {
			return nil, s.wrapError(fmt.Sprintf("jobs of run %d", run), resp, err)
		}
		if list == nil {
			return nil, fmt.Errorf("%s: jobs of run %d: %w", s.fullName(), run, errNull)
		}
		all = append(all, list.Jobs...)
		if resp.NextPage <= o.Page {
			break
		}
		o.Page = resp.NextPage
	}
	return slices.DeleteFunc(all, func(j *gh.WorkflowJob) bool { return j == nil }), nil
}

func (s *Steps) identifyJob(b *timeline.Build, run *gh.WorkflowRun, pull string) {
	url := b.URL
	s.identify(b, run, pull)
	b.URL = url
}

// trim returns a job without what runs us and what comes behind that; its time ends
// with the last step that is left. So does its outcome: that a check found something
// slower is no failure of what it judged, nor is what went wrong later.
func (s *Steps) trim(b timeline.Build) timeline.Build {
	all := b.Steps
	failed, reached := false, false // reached tells that it came to us, and was judged
	if own, known := s.own[b.Pipeline]; known {
		end := slices.IndexFunc(all, func(step timeline.Step) bool { return step.Name == own.name })
		if end < 0 {
			end = min(own.before+waits(all), len(all))
		} else {
			reached = true
		}
		all = all[:end]
	}
	b.Steps, b.Duration = nil, 0
	for _, step := range all {
		if runsUs(step.Name) {
			reached = reached || step.State == timeline.StepFailed
			continue
		}
		failed = failed || step.State == timeline.StepFailed
		step.Inputs = nil
		if n := len(b.Steps); n > 0 {
			step.Inputs = []string{b.Steps[n-1].ID}
		}
		b.Steps = append(b.Steps, step)
		b.Duration = max(b.Duration, step.Start.Add(step.Duration).Sub(b.Start))
	}
	b.Duration = buildkit.Lasting(b.Duration)
	if reached && !failed {
		b.Outcome, b.Error = timeline.OK, ""
	}
	return b
}

// waits is how many of a job's steps, the first of them, are no work: one or none.
func waits(steps []timeline.Step) int {
	if len(steps) > 0 && steps[0].Stage == timeline.StageQueue {
		return 1
	}
	return 0
}

// runsUs tells by its name whether a step runs buildregress.
func runsUs(name string) bool { return strings.Contains(strings.ToLower(name), "buildregress") }
