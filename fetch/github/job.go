package github

import (
	"strconv"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/buildkit"
	"github.com/buildregress/buildregress/fetch/pipeline"
	gh "github.com/google/go-github/v60/github"
)

// maxSteps of a job are looked at. GitHub allows a thousand jobs, and fewer steps.
const maxSteps = 2000

// buildOf makes a build of a job, with all steps that have ended, but for those
// that were skipped or only clean up. Its identity is left to its run. odd counts
// the steps whose times cannot be. ok is false for a job that ran nothing.
func buildOf(run *gh.WorkflowRun, job *gh.WorkflowJob) (b timeline.Build, odd int, ok bool) {
	b = timeline.Build{
		ID:       strconv.FormatInt(job.GetID(), 10),
		Pipeline: strings.Join([]string{run.GetRepository().GetFullName(), clean(run.GetName()), clean(job.GetName())}, "/"),
		Origin:   timeline.Origin{URL: fetch.Clean(job.GetHTMLURL(), buildkit.MaxName), Runner: clean(strings.Join(job.Labels, ","))},
		Start:    job.GetStartedAt().UTC(), Resolution: time.Second, Reader: timeline.ReaderVersion,
	}
	switch job.GetConclusion() {
	case "success", "": // that of a job that runs yet is ""
	case "failure", "timed_out", "startup_failure":
		b.Outcome, b.Error = timeline.Failed, "the job ended as "+job.GetConclusion()
	case "cancelled":
		b.Outcome, b.Error = timeline.Cancelled, "the job was cancelled"
	default:
		return b, 0, false
	}
	stage := clean(job.GetName())
	b.Steps = waitOf(run, job, stage)
	waits := len(b.Steps)
	seen := map[int64]bool{}
	for _, task := range job.Steps[:min(len(job.Steps), maxSteps)] {
		if !isWork(task) {
			continue
		}
		start, end := task.GetStartedAt().UTC(), task.GetCompletedAt().UTC()
		if !fetch.Plausible(start) || !fetch.Plausible(end) || end.Sub(start) > buildkit.MaxDuration || seen[task.GetNumber()] {
			odd++
			continue
		}
		if end.Before(start) {
			end = start
			odd++
		}
		seen[task.GetNumber()] = true
		name := clean(task.GetName())
		step := timeline.Step{
			ID: strconv.FormatInt(task.GetNumber(), 10), Key: dockerfile.Key("", stage, name), Name: name, Stage: stage,
			Start: start, Duration: end.Sub(start), Rule: rule(name),
		}
		if c := task.GetConclusion(); c == "failure" || c == "cancelled" {
			step.State, step.Error = timeline.StepFailed, "ended as "+c
			if b.Outcome == timeline.OK && job.GetStatus() != "completed" {
				b.Outcome, b.Error = timeline.Failed, "a step of the job ended as "+c
			}
		}
		if start.Before(b.Start) || !fetch.Plausible(b.Start) {
			b.Start = start
		}
		b.Duration = max(b.Duration, end.Sub(b.Start))
		b.Steps = append(b.Steps, step)
	}
	if waits > 0 && b.Steps[0].Start.Before(b.Start) {
		b.Duration += b.Start.Sub(b.Steps[0].Start)
		b.Start = b.Steps[0].Start
	}
	b.Duration = buildkit.Lasting(b.Duration)
	return b, odd, len(b.Steps) > waits
}

// waitOf is the time that a job waited for a runner, as a step; none if that is not known. A
// job is created when those that it needs are done, but for one that is run again, which
// GitHub gives the time of its first attempt: since when it could have begun is not known,
// as those that it needs may have been run again before it.
func waitOf(run *gh.WorkflowRun, job *gh.WorkflowJob, stage string) []timeline.Step {
	created, started := job.GetCreatedAt().UTC(), job.GetStartedAt().UTC()
	if job.GetRunAttempt() > 1 && created.Before(run.GetRunStartedAt().Time) {
		return nil
	}
	took := started.Sub(created)
	if !fetch.Plausible(created) || !fetch.Plausible(started) || took <= 0 || took > buildkit.MaxDuration {
		return nil
	}
	return []timeline.Step{{
		ID: "queue", Key: dockerfile.Key("", stage, pipeline.WaitName), Name: pipeline.WaitName, Stage: timeline.StageQueue, Start: created, Duration: took,
	}}
}

// rule is the detect.ReaderVersion with which the keys of steps so called last changed: with
// version 1 a version in parentheses is a part of the name.
func rule(name string) int {
	if dockerfile.HasMatrix(name) {
		return 1
	}
	return 0
}

// isWork tells whether a step is done, and does a job's work.
func isWork(task *gh.TaskStep) bool {
	name := task.GetName()
	return task.GetStatus() == "completed" && task.GetConclusion() != "skipped" &&
		!strings.HasPrefix(name, "Post ") && name != "Complete job"
}

// clean makes text that a pull request may have written fit to be stored and
// shown.
func clean(text string) string {
	if text = fetch.Clean(text, 200); strings.TrimSpace(text) == "" {
		return "unnamed"
	}
	return text
}
