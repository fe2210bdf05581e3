package github

import (
	"github.com/buildregress/buildregress/detect/timeline"
	gh "github.com/google/go-github/v60/github"
)

// An attemptBuild is a build of some run, and whether an earlier attempt of the run made it.
type attemptBuild struct {
	timeline.Build
	older bool
}

// latest are the builds of a run without those that a later attempt of it made
// again: what it did not make again still holds.
func latest(all []attemptBuild) (out []timeline.Build) {
	again := map[string]bool{} // pipelines
	for _, m := range all {
		if !m.older {
			again[m.Pipeline] = true
		}
	}
	for _, m := range all {
		if !m.older || !again[m.Pipeline] {
			out = append(out, m.Build)
		}
	}
	return out
}

// isOlder tells whether an artifact was made by an earlier attempt of its run.
func isOlder(a *gh.Artifact, run *gh.WorkflowRun) bool {
	return run.GetRunAttempt() > 1 && a.GetCreatedAt().Before(run.GetRunStartedAt().Time)
}
