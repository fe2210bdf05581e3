package main

import (
	"cmp"
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/buildregress/buildregress/fetch"
)

// githubIdentity reads the variables of GitHub Actions and the event that started the
// workflow, as GITHUB_SHA of a pull request is a merge that nobody made.
func githubIdentity(e env) identity {
	repository := e("GITHUB_REPOSITORY")
	id := identity{
		pipeline:       joined(repository, e("GITHUB_WORKFLOW"), e("GITHUB_JOB")),
		repository:     repository,
		baseRepository: repository,
		revision:       e("GITHUB_SHA"),
		branch:         cmp.Or(e("GITHUB_HEAD_REF"), branchName(e("GITHUB_REF"))),
		baseBranch:     e("GITHUB_BASE_REF"),
		runner:         joined(e("RUNNER_OS"), e("RUNNER_ARCH")),
	}
	if e.any("GITHUB_SERVER_URL") && e.any("GITHUB_RUN_ID") {
		id.url = e("GITHUB_SERVER_URL") + "/" + repository + "/actions/runs/" + e("GITHUB_RUN_ID")
	}
	event := readEvent(e("GITHUB_EVENT_PATH"))
	switch {
	case event.PullRequest != nil:
		pr := event.PullRequest
		id.pullRequest = strconv.Itoa(cmp.Or(event.Number, pr.Number))
		if strings.HasPrefix(e("GITHUB_REF"), "refs/pull/") {
			id.merge = id.revision
		}
		id.revision = cmp.Or(pr.Head.SHA, id.revision)
		id.branch = cmp.Or(pr.Head.Ref, id.branch)
		id.repository = cmp.Or(pr.Head.Repo.FullName, "(deleted)") // a fork that is gone
		id.baseBranch = cmp.Or(pr.Base.Ref, id.baseBranch)
		id.baseRepository = cmp.Or(pr.Base.Repo.FullName, repository)
	case event.WorkflowRun != nil:
		// What is judged here was built by the run that started this one.
		run := event.WorkflowRun
		id.revision, id.branch = run.HeadSHA, run.HeadBranch
		id.repository = cmp.Or(run.HeadRepository.FullName, "(deleted)")
		pulls := slices.DeleteFunc(run.PullRequests, func(p githubPull) bool {
			// Those that a fork's branch has in the repository that it was forked from
			// have numbers of that one.
			in, here := p.Base.Repo.ID, event.Repository.ID
			return in != 0 && here != 0 && in != here
		})
		if len(pulls) == 1 && (pulls[0].Head.SHA == "" || pulls[0].Head.SHA == run.HeadSHA) {
			id.pullRequest = strconv.Itoa(pulls[0].Number)
			id.baseBranch = pulls[0].Base.Ref
		}
	}
	if e("GITHUB_EVENT_NAME") == mergeGroup || event.WorkflowRun != nil && event.WorkflowRun.Event == mergeGroup {
		target, _ := fetch.MergeQueueTarget(id.branch)
		id.baseBranch = cmp.Or(id.baseBranch, target)
	}
	id.baseBranch = cmp.Or(id.baseBranch, event.Repository.DefaultBranch)
	return id
}

const mergeGroup = "merge_group" // the event of a merge queue

// gitea reads the same variables: its runs are only found elsewhere.
func gitea(e env) identity {
	id := githubIdentity(e)
	id.url = ""
	if e.any("GITHUB_SERVER_URL") && e.any("GITHUB_RUN_NUMBER") {
		id.url = e("GITHUB_SERVER_URL") + "/" + e("GITHUB_REPOSITORY") + "/actions/runs/" + e("GITHUB_RUN_NUMBER")
	}
	return id
}

// A githubEvent is what we need of a webhook's payload.
type githubEvent struct {
	Number      int         `json:"number"` // not in all events of pull requests
	PullRequest *githubPull `json:"pull_request"`
	WorkflowRun *struct {
		ID             int64            `json:"id"`
		Path           string           `json:"path"` // of the workflow's file
		Event          string           `json:"event"`
		HeadSHA        string           `json:"head_sha"`
		HeadBranch     string           `json:"head_branch"`
		HeadRepository githubRepository `json:"head_repository"`
		PullRequests   []githubPull     `json:"pull_requests"` // none for a fork's
	} `json:"workflow_run"`
	Repository githubRepository `json:"repository"`
}

type githubPull struct {
	Number int       `json:"number"`
	Head   githubRef `json:"head"`
	Base   githubRef `json:"base"`
}

type githubRef struct {
	Ref  string           `json:"ref"`
	SHA  string           `json:"sha"`
	Repo githubRepository `json:"repo"` // null if it was deleted
}

type githubRepository struct {
	ID            int64  `json:"id"`
	FullName      string `json:"full_name"`
	DefaultBranch string `json:"default_branch"`
}

// maxEvent bounds the payload. GitHub's own limit is 25 MB.
const maxEvent = 25 << 20

// readEvent reads the event's file. Where there is none, or none that can be
// read, the variables must do.
func readEvent(path string) (event githubEvent) {
	f, err := openRegular(path)
	if err != nil {
		return githubEvent{}
	}
	defer f.Close()
	if err := json.NewDecoder(io.LimitReader(f, maxEvent)).Decode(&event); err != nil {
		return githubEvent{}
	}
	return event
}
