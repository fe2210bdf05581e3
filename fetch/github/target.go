package github

import (
	"context"
	"errors"
	"fmt"

	"github.com/buildregress/buildregress/detect/redact"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	gh "github.com/google/go-github/v60/github"
)

// Builds are those of one run: that of w.RunID, else the one that the options
// name, else the newest of the commit w.Revision that holds records, or of any.
func (s *Records) Builds(ctx context.Context, w fetch.Selector) ([]timeline.Build, []error, error) {
	run, artifacts, err := s.targetRun(ctx, w)
	if err != nil {
		return nil, nil, err
	}
	var builds []attemptBuild
	var problems []error
	if more := len(artifacts) - maxArtifacts; more > 0 {
		problems = append(problems, fmt.Errorf("%s: run %d: %d artifacts beyond the first %d are left out", s.fullName(), run.GetID(), more, maxArtifacts))
		artifacts = artifacts[:maxArtifacts]
	}
	cached, err := s.cached(ctx, "artifacts", idsOf(artifacts))
	if err != nil {
		problems = append(problems, err)
	}
	results := make([]result, len(artifacts))
	var budget stepBudget
	forEach(len(artifacts), func(i int) bool {
		results[i] = s.result(ctx, artifacts[i], cached, &budget)
		return true
	})
	pull, err := s.pullOf(ctx, run)
	if err != nil {
		problems = append(problems, err)
	}
	for i, r := range results {
		name := artifacts[i].GetName()
		problems = append(problems, r.warnings...)
		if r.err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", redact.Text(name), r.err))
			continue
		}
		for _, b := range r.builds {
			s.identify(&b, run, pull)
			builds = append(builds, attemptBuild{b, isOlder(artifacts[i], run)})
		}
	}
	if len(builds) == 0 {
		what := fmt.Errorf("%s: run %d: %w", s.fullName(), run.GetID(), ErrNoRecords)
		if len(problems) > 0 {
			return nil, nil, errors.Join(append([]error{what}, problems...)...)
		}
		return nil, nil, what
	}
	return latest(builds), problems, nil
}

// targetRun is the run that is to be judged, and what may hold its records.
func (s *Records) targetRun(ctx context.Context, w fetch.Selector) (*gh.WorkflowRun, []*gh.Artifact, error) {
	id, err := s.wantedRun(w)
	if err != nil {
		return nil, nil, err
	}
	var runs []*gh.WorkflowRun
	if id != 0 {
		run, err := s.run(ctx, id)
		if err != nil {
			return nil, nil, err
		}
		runs = append(runs, run)
	} else {
		const most = 20
		runs, err = s.listRuns(ctx, gh.ListWorkflowRunsOptions{HeadSHA: w.Revision}, 1, most, func(*gh.WorkflowRun) bool { return true })
		if err != nil {
			return nil, nil, err
		}
	}
	found, err := s.artifactsOf(ctx, runs)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range runs {
		if len(found[r.GetID()]) > 0 {
			return r, found[r.GetID()], nil
		}
	}
	if id != 0 {
		return nil, nil, fmt.Errorf("%s: run %d: %w", s.fullName(), id, ErrNoRecords)
	}
	return nil, nil, fmt.Errorf("%s: the newest %d runs: %w", s.fullName(), len(runs), ErrNoRecords)
}
