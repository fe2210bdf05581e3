package github

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/buildregress/buildregress/fetch"
)

// baseEvents start runs that only those can who may write to the repository. A
// pull request's run is never one, though its branch may have any name.
var baseEvents = []string{"push", "schedule", "workflow_dispatch", "merge_group"}

const (
	mergeGroup  = "merge_group"
	pullRequest = "pull_request" // and what begins so
)

// isOwn tells whether a run is of the repository itself, and no fork's.
func isOwn(r *gh.WorkflowRun) bool {
	head, base := r.GetHeadRepository().GetID(), r.GetRepository().GetID()
	return head != 0 && head == base
}

// ended is the status of runs that are over, however: a build counts by its own outcome,
// and not by that of the run, which our own check may have failed.
const ended = "completed"

// isBase tells whether a run is one of the base branch itself that is over.
func isBase(r *gh.WorkflowRun, branch string) bool {
	on := r.GetHeadBranch()
	if r.GetEvent() == mergeGroup {
		on, _ = fetch.MergeQueueTarget(on)
	}
	return isOwn(r) && on == branch && slices.Contains(baseEvents, r.GetEvent()) && r.GetStatus() == ended
}

// baseRuns are the newest of the base branch that began before a time, newest
// first: twice a window of them, as not all keep a record. An error comes with
// those that were had before.
func (s *source) baseRuns(ctx context.Context, branch string, before time.Time, window int) ([]*gh.WorkflowRun, error) {
	most := min(2*window, maxRuns)
	keep := func(r *gh.WorkflowRun) bool {
		return isBase(r, branch) && r.GetID() != s.Run && r.GetCreatedAt().Before(before)
	}
	runs, err := s.listRuns(ctx, gh.ListWorkflowRunsOptions{Branch: branch, Status: ended, ExcludePullRequests: true}, maxPages, most, keep)
	if err != nil || len(runs) >= window {
		return runs, err
	}
	// The runs of a merge queue are on branches of their own.
	queued, err := s.listRuns(ctx, gh.ListWorkflowRunsOptions{Event: mergeGroup, Status: ended, ExcludePullRequests: true}, maxPages, most, keep)
	runs = append(runs, queued...)
	newestFirst(runs)
	return runs[:min(len(runs), most)], err
}

// headRuns are the newest of a branch or a pull request other than the base, all
// but those that were not to be judged: a check that failed ends a run as failed.
func (s *source) headRuns(ctx context.Context, repository, branch string, isPull bool, before time.Time) ([]*gh.WorkflowRun, error) {
	o := gh.ListWorkflowRunsOptions{Branch: branch}
	if isPull {
		// Many forks' branches may be called alike, and like the base.
		if o.Event = s.Event; !strings.HasPrefix(o.Event, pullRequest) {
			o.Event = pullRequest
		}
	}
	keep := func(r *gh.WorkflowRun) bool {
		event := slices.Contains(baseEvents, r.GetEvent())
		if isPull {
			event = r.GetEvent() == o.Event
		}
		return event && r.GetHeadBranch() == branch && r.GetCreatedAt().Before(before) &&
			strings.EqualFold(r.GetHeadRepository().GetFullName(), repository) &&
			(r.GetStatus() == ended || r.GetID() == s.Run)
	}
	const pages = 3
	return s.listRuns(ctx, o, pages, evidenceRuns, keep)
}

func newestFirst(runs []*gh.WorkflowRun) {
	slices.SortStableFunc(runs, func(a, b *gh.WorkflowRun) int {
		return b.GetCreatedAt().Compare(a.GetCreatedAt().Time)
	})
}

// listRuns lists the runs of the workflow that are to be kept, newest first, at
// most so many, of at most so many pages. An error comes with those that were had
// before.
func (s *source) listRuns(ctx context.Context, o gh.ListWorkflowRunsOptions, pages, most int, keep func(*gh.WorkflowRun) bool) (runs []*gh.WorkflowRun, err error) {
	o.PerPage = perPage
	for range pages {
		var list *gh.WorkflowRuns
		var resp *gh.Response
		what := "workflow runs"
		if s.Workflow == "" {
			list, resp, err = s.Client.Actions.ListRepositoryWorkflowRuns(ctx, s.Owner, s.Name, &o)
		} else {
			what = "runs of " + s.Workflow
			list, resp, err = s.Client.Actions.ListWorkflowRunsByFileName(ctx, s.Owner, s.Name, url.PathEscape(s.Workflow), &o)
		}
		if err != nil {
			return runs, s.wrapError(what, resp, err)
		}
		if list == nil {
			return runs, fmt.Errorf("%s: %s: %w", s.fullName(), what, errNull)
		}
		for _, r := range list.WorkflowRuns {
			if r != nil && keep(r) && len(runs) < most {
				runs = append(runs, r)
			}
		}
		if len(runs) == most || resp.NextPage <= o.Page {
			break
		}
		o.Page = resp.NextPage
	}
	newestFirst(runs)
	return runs, nil
}

// wantedRun is the id of the run that is to be judged, 0 if nothing says it.
func (s *source) wantedRun(w fetch.Selector) (int64, error) {
	if w.RunID == "" {
		return s.Run, nil
	}
	id, err := strconv.ParseInt(w.RunID, 10, 64)
	if err != nil || id <= 0 {
		return 0, fmt.Errorf("%s: %.40q is no id of a workflow run: it is the number in its address", s.fullName(), w.RunID)
	}
	return id, nil
}

// run is the one with an id.
func (s *source) run(ctx context.Context, id int64) (*gh.WorkflowRun, error) {
	r, resp, err := s.Client.Actions.GetWorkflowRunByID(ctx, s.Owner, s.Name, id)
	return r, s.wrapError(fmt.Sprintf("run %d", id), resp, err)
}
