package ci

import (
	"cmp"
	"encoding/json"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
)

// githubIdentity reads the variables of GitHub Actions and the event that started the
// workflow, as GITHUB_SHA of a pull request is a merge that nobody made.
func githubIdentity(e Env) Identity {
	repository := e("GITHUB_REPOSITORY")
	id := Identity{
		Pipeline: joined(repository, e("GITHUB_WORKFLOW"), e("GITHUB_JOB")),
		Origin: timeline.Origin{
			Repository: repository,
			Revision:   e("GITHUB_SHA"),
			Branch:     cmp.Or(e("GITHUB_HEAD_REF"), branchName(e("GITHUB_REF"))),
			Runner:     joined(e("RUNNER_OS"), e("RUNNER_ARCH")),
		},
		BaseRepository: repository,
		BaseBranch:     e("GITHUB_BASE_REF"),
	}
	if e.any("GITHUB_SERVER_URL") && e.any("GITHUB_RUN_ID") {
		id.URL = e("GITHUB_SERVER_URL") + "/" + repository + "/actions/runs/" + e("GITHUB_RUN_ID")
	}
	event := readEvent(e("GITHUB_EVENT_PATH"))
	switch {
	case event.PullRequest != nil:
		pr := event.PullRequest
		id.PullRequest = strconv.Itoa(cmp.Or(event.Number, pr.Number))
		if strings.HasPrefix(e("GITHUB_REF"), "refs/pull/") {
			id.Merge = id.Revision
		}
		id.Revision = cmp.Or(pr.Head.SHA, id.Revision)
		id.Branch = cmp.Or(pr.Head.Ref, id.Branch)
		id.Repository = cmp.Or(pr.Head.Repo.FullName, "(deleted)") // a fork that is gone
		id.BaseBranch = cmp.Or(pr.Base.Ref, id.BaseBranch)
		id.BaseRepository = cmp.Or(pr.Base.Repo.FullName, repository)
	case event.WorkflowRun != nil:
		// What is judged here was built by the run that started this one.
		run := event.WorkflowRun
		id.Revision, id.Branch = run.HeadSHA, run.HeadBranch
		id.Repository = cmp.Or(run.HeadRepository.FullName, "(deleted)")
		pulls := slices.DeleteFunc(run.PullRequests, func(p githubPull) bool {
			// Those that a fork's branch has in the repository that it was forked from
			// have numbers of that one.
			in, here := p.Base.Repo.ID, event.Repository.ID
			return in != 0 && here != 0 && in != here
		})
		if len(pulls) == 1 && (pulls[0].Head.SHA == "" || pulls[0].Head.SHA == run.HeadSHA) {
			id.PullRequest = strconv.Itoa(pulls[0].Number)
			id.BaseBranch = pulls[0].Base.Ref
		}
	}
	if e("GITHUB_EVENT_NAME") == mergeGroup || event.WorkflowRun != nil && event.WorkflowRun.Event == mergeGroup {
		target, _ := fetch.MergeQueueTarget(id.Branch)
		id.BaseBranch = cmp.Or(id.BaseBranch, target)
	}
	id.BaseBranch = cmp.Or(id.BaseBranch, event.Repository.DefaultBranch)
	return id
}

const mergeGroup = "merge_group" // the event of a merge queue

// gitea reads the same variables: its runs are only found elsewhere.
func gitea(e Env) Identity {
	id := githubIdentity(e)
	id.URL = ""
	if e.any("GITHUB_SERVER_URL") && e.any("GITHUB_RUN_NUMBER") {
		id.URL = e("GITHUB_SERVER_URL") + "/" + e("GITHUB_REPOSITORY") + "/actions/runs/" + e("GITHUB_RUN_NUMBER")
	}
	return id
}

// A githubEvent is what we need of a webhook's payload.
type githubEvent struct {
	Number      int         `json:"number"` // not in all events of pull requests
	PullRequest *githubPull `json:"pull_request"`
	WorkflowRun *struct {
		ID             int64            `json:"id"`
		Attempt        int              `json:"run_attempt"`
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
	f, err := fetch.OpenRegular(path)
	if err != nil {
		return githubEvent{}
	}
	defer f.Close()
	if err := json.NewDecoder(io.LimitReader(f, maxEvent)).Decode(&event); err != nil {
		return githubEvent{}
	}
	return event
}

// GitHubTokens are the variables that a token for GitHub is taken from, the first that
// is set. It is sent to the API's host alone, and never shown.
var GitHubTokens = []string{"BUILDREGRESS_GITHUB_TOKEN", "GITHUB_TOKEN", "GH_TOKEN"}

// GitHubToken is the token for GitHub, "" for none.
func GitHubToken(e Env) string { return strings.TrimSpace(e.first(GitHubTokens...)) }

// OnGitHub tells whether a workflow of GitHub runs us, and no look-alike.
func OnGitHub(e Env) bool { return OnGitHubOrAlike(e) && !e.any("GITEA_ACTIONS", "FORGEJO_ACTIONS") }

// TokenNames names the variables for people.
func TokenNames() string { return "one of " + strings.Join(GitHubTokens, ", ") }

// OnGitHubOrAlike tells whether a workflow of GitHub, or of a system that acts as GitHub, runs
// us.
func OnGitHubOrAlike(e Env) bool { return e.any("GITHUB_ACTIONS") }

// RunOf is the run that we run in, or the one whose end started it.
func RunOf(e Env) fetch.Run {
	if !OnGitHubOrAlike(e) {
		return fetch.Run{}
	}
	run := fetch.Run{Repository: e("GITHUB_REPOSITORY")}
	if ended := readEvent(e("GITHUB_EVENT_PATH")).WorkflowRun; ended != nil && e("GITHUB_EVENT_NAME") == "workflow_run" {
		run.ID, run.Workflow, run.Event = ended.ID, workflowFile(ended.Path), ended.Event
		return run
	}
	run.ID, _ = strconv.ParseInt(e("GITHUB_RUN_ID"), 10, 64)
	run.Workflow = workflowFile(e("GITHUB_WORKFLOW_REF"))
	run.Event, run.Job, run.Runner = e("GITHUB_EVENT_NAME"), e("GITHUB_JOB"), e("RUNNER_NAME")
	return run
}

// endedRun are the names of the run whose end started ours, the most exact first; none if no
// run's end did.
func endedRun(e Env) (ids []string) {
	if !OnGitHubOrAlike(e) || e("GITHUB_EVENT_NAME") != "workflow_run" {
		return nil
	}
	run := readEvent(e("GITHUB_EVENT_PATH")).WorkflowRun
	if run == nil || run.ID <= 0 {
		return nil
	}
	id := strconv.FormatInt(run.ID, 10)
	if run.Attempt > 0 {
		ids = append(ids, id+"-"+strconv.Itoa(run.Attempt))
	}
	return append(ids, id)
}

// DefaultBranchBuilt is the default branch of the repository if a workflow of GitHub builds it,
// and no pull request nor what somebody asked for there; else "".
func DefaultBranchBuilt(e Env) string {
	event := readEvent(e("GITHUB_EVENT_PATH"))
	branch, name, built := event.Repository.DefaultBranch, e("GITHUB_EVENT_NAME"), branchName(e("GITHUB_REF"))
	if run := event.WorkflowRun; run != nil {
		name, built = run.Event, run.HeadBranch
		if !strings.EqualFold(run.HeadRepository.FullName, e("GITHUB_REPOSITORY")) {
			return ""
		}
	}
	switch name {
	case "push", "schedule", "workflow_dispatch":
		if built == branch && event.PullRequest == nil {
			return branch
		}
	}
	return ""
}

// Workflow names the workflow of GitHub that runs us, among those of its repository.
func Workflow(e Env) string {
	path, _, _ := strings.Cut(e("GITHUB_WORKFLOW_REF"), "@")
	return cmp.Or(path, e("GITHUB_WORKFLOW"))
}

// workflowFile is the name of a workflow's file: "ci.yml" for
// "o/r/.github/workflows/ci.yml@refs/heads/main". Workflows that GitHub makes by
// itself have none.
func workflowFile(ref string) string {
	ref, _, _ = strings.Cut(ref, "@")
	if !strings.Contains(ref, ".github/workflows/") {
		return ""
	}
	return path.Base(ref)
}

// A PullHead is the head of a pull request whose number the event does not say.
type PullHead struct {
	Owner, Name string // of the repository that it is for
	Repository  string // of the head
	Branch      string
	Commit      string
}

// UnknownPull is the head of the pull request that a workflow_run event leaves out:
// GitHub does that for those of forks.
func UnknownPull(e Env, said Identity) (head PullHead, ok bool) {
	run := readEvent(e("GITHUB_EVENT_PATH")).WorkflowRun
	owner, name, isName := strings.Cut(said.BaseRepository, "/")
	if !OnGitHubOrAlike(e) || run == nil || said.PullRequest != "" || !strings.HasPrefix(run.Event, "pull_request") ||
		!isName || strings.Contains(name, "/") || !strings.Contains(said.Repository, "/") {
		return head, false
	}
	return PullHead{owner, name, said.Repository, run.HeadBranch, run.HeadSHA}, true
}
