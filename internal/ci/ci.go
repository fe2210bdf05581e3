// Package ci tells what the CI system that runs the program, and the git checkout
// around it, say of the build that is judged, and who is believed about what.
package ci

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
)

// A ciSystem is recognised by a variable, and says in others what is built.
type ciSystem struct {
	name string
	runs func(Env) bool
	says func(Env) Identity
	// ids are variables that hold what it calls this run, the most exact first: any of
	// them may have been given to the build.
	ids []string
}

// An Env looks up a variable of the environment, "" if it is not set.
type Env func(string) string

func (e Env) any(names ...string) bool {
	for _, name := range names {
		if e(name) != "" {
			return true
		}
	}
	return false
}

// first is the first of these variables that says anything.
func (e Env) first(names ...string) string {
	for _, name := range names {
		if v := e(name); v != "" {
			return v
		}
	}
	return ""
}

// tag names a tag so that it is never taken for a branch.
func (e Env) tag(name string) string {
	if v := e(name); v != "" {
		return "tags/" + v
	}
	return ""
}

// ciSystems are those that are known, each before those whose variables it sets
// as well: Gitea and Forgejo act as GitHub, and Woodpecker as GitLab.
var ciSystems = []ciSystem{
	{"Gitea", func(e Env) bool { return e.any("GITEA_ACTIONS", "FORGEJO_ACTIONS") }, gitea, nil},
	{"GitHub Actions", func(e Env) bool { return e.any("GITHUB_ACTIONS") }, githubIdentity, []string{"GITHUB_RUN_ID"}},
	{"Woodpecker", func(e Env) bool { return e("CI") == "woodpecker" || e.any("CI_WORKFLOW_NAME") }, woodpecker, []string{"CI_PIPELINE_NUMBER"}},
	{"Drone", func(e Env) bool { return e.any("DRONE") }, drone, []string{"DRONE_BUILD_NUMBER"}},
	{"GitLab", func(e Env) bool { return e.any("GITLAB_CI") }, gitlab, []string{"CI_JOB_ID", "CI_PIPELINE_ID"}},
	{"Bitbucket", func(e Env) bool { return e.any("BITBUCKET_BUILD_NUMBER", "BITBUCKET_COMMIT") }, bitbucket, []string{"BITBUCKET_PIPELINE_UUID", "BITBUCKET_BUILD_NUMBER"}},
	{"Buildkite", func(e Env) bool { return e.any("BUILDKITE") }, buildkite, []string{"BUILDKITE_JOB_ID", "BUILDKITE_BUILD_ID"}},
	{"CircleCI", func(e Env) bool { return e.any("CIRCLECI") }, circle, []string{"CIRCLE_WORKFLOW_ID", "CIRCLE_BUILD_NUM"}},
	{"Azure Pipelines", func(e Env) bool { return e.any("TF_BUILD", "BUILD_BUILDURI") }, azure, []string{"BUILD_BUILDID"}},
	{"Jenkins", func(e Env) bool { return e.any("JENKINS_URL") && e.any("BUILD_ID") }, jenkins, []string{"BUILD_TAG"}},
}

// System is what the CI system that runs us says about the build.
func System(e Env) Identity {
	for _, ci := range ciSystems {
		if ci.runs(e) {
			id := ci.says(e)
			id.BaseRepository = cmp.Or(id.BaseRepository, id.Repository)
			return id
		}
	}
	return Identity{}
}

// CodePages are where the web shows the repository that the CI system builds, or that a pull
// request is for: addresses that a revision and a path follow, and a revision. They are "" if
// nothing says it.
func CodePages(e Env) (files, commits string) {
	switch {
	case e.any("GITEA_ACTIONS", "FORGEJO_ACTIONS") && e.any("GITHUB_SERVER_URL") && e.any("GITHUB_REPOSITORY"):
		project := strings.TrimSuffix(e("GITHUB_SERVER_URL"), "/") + "/" + e("GITHUB_REPOSITORY")
		return project + "/src/commit/", project + "/commit/"
	case OnGitHub(e) && e.any("GITHUB_SERVER_URL") && e.any("GITHUB_REPOSITORY"):
		project := e("GITHUB_SERVER_URL") + "/" + e("GITHUB_REPOSITORY")
		return project + "/blob/", project + "/commit/"
	case e.any("GITLAB_CI"):
		if project := e.first("CI_MERGE_REQUEST_PROJECT_URL", "CI_PROJECT_URL"); project != "" {
			return project + "/-/blob/", project + "/-/commit/"
		}
	}
	return "", ""
}

// IsRunning tells whether a CI system runs us.
func IsRunning(e Env) bool {
	return slices.ContainsFunc(ciSystems, func(ci ciSystem) bool { return ci.runs(e) })
}

// runIDs are what the CI system that runs us calls this run, and before that the one whose
// end started it; the most exact first.
func runIDs(e Env) (ids []string) {
	ids = append(ids, endedRun(e)...)
	if id, attempt := e("GITHUB_RUN_ID"), e("GITHUB_RUN_ATTEMPT"); id != "" && attempt != "" {
		ids = append(ids, id+"-"+attempt)
	}
	for _, ci := range ciSystems {
		for _, name := range ci.ids {
			if id := e(name); id != "" {
				ids = append(ids, id)
			}
		}
	}
	return distinct(ids)
}

// joined names a pipeline by those of its parts that are known.
func joined(parts ...string) string {
	var known []string
	for _, p := range parts {
		if p != "" {
			known = append(known, p)
		}
	}
	return strings.Join(known, "/")
}

func woodpecker(e Env) Identity {
	return Identity{
		Pipeline: joined(e("CI_REPO"), e("CI_WORKFLOW_NAME"), e("CI_STEP_NAME")),
		Origin: timeline.Origin{
			Repository:  e("CI_REPO"),
			Revision:    e("CI_COMMIT_SHA"),
			Branch:      cmp.Or(e("CI_COMMIT_SOURCE_BRANCH"), e.tag("CI_COMMIT_TAG"), e("CI_COMMIT_BRANCH")),
			PullRequest: e("CI_COMMIT_PULL_REQUEST"),
			URL:         e("CI_PIPELINE_URL"),
			Runner:      e("CI_SYSTEM_PLATFORM"),
		},
		BaseRepository: e("CI_REPO"),
		BaseBranch:     e.first("CI_COMMIT_TARGET_BRANCH", "CI_REPO_DEFAULT_BRANCH"),
	}
}

func drone(e Env) Identity {
	id := Identity{
		Pipeline: joined(e("DRONE_REPO"), e("DRONE_STAGE_NAME"), e("DRONE_STEP_NAME")),
		Origin: timeline.Origin{
			Repository:  e("DRONE_REPO"),
			Revision:    e("DRONE_COMMIT_SHA"),
			Branch:      cmp.Or(e.tag("DRONE_TAG"), e("DRONE_BRANCH")),
			PullRequest: e("DRONE_PULL_REQUEST"),
			URL:         e("DRONE_BUILD_LINK"),
			Runner:      joined(e("DRONE_STAGE_OS"), e("DRONE_STAGE_ARCH")),
		},
		BaseBranch: e("DRONE_REPO_BRANCH"),
	}
	if id.PullRequest != "" { // DRONE_BRANCH is then the target
		id.Branch = e("DRONE_SOURCE_BRANCH")
		id.BaseBranch = e.first("DRONE_TARGET_BRANCH", "DRONE_BRANCH")
	}
	return id
}

func gitlab(e Env) Identity {
	id := Identity{
		Pipeline: joined(e("CI_PROJECT_PATH"), e("CI_JOB_NAME")),
		Origin: timeline.Origin{
			Repository: e.first("CI_MERGE_REQUEST_SOURCE_PROJECT_PATH", "CI_PROJECT_PATH"),
			// In a pipeline for merged results, CI_COMMIT_SHA is a merge that nobody made.
			Revision:    e.first("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", "CI_COMMIT_SHA"),
			Branch:      cmp.Or(e("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME"), e.tag("CI_COMMIT_TAG"), e("CI_COMMIT_REF_NAME")),
			PullRequest: e("CI_MERGE_REQUEST_IID"),
			URL:         e.first("CI_JOB_URL", "CI_PIPELINE_URL"),
			Runner:      e("CI_RUNNER_EXECUTABLE_ARCH"),
		},
		BaseRepository: e.first("CI_MERGE_REQUEST_PROJECT_PATH", "CI_PROJECT_PATH"),
		BaseBranch:     e.first("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "CI_DEFAULT_BRANCH"),
	}
	if commit := e("CI_COMMIT_SHA"); id.PullRequest != "" && commit != id.Revision {
		id.Merge = commit
	}
	return id
}

// GitLabTokens are the variables that a token for GitLab is taken from, the first that is
// set. It is sent to the API's host alone, and never shown.
var GitLabTokens = []string{"BUILDREGRESS_GITLAB_TOKEN", "GITLAB_TOKEN"}

// GitLabToken is the token for GitLab, "" for none; isJobs tells that it is that of the job
// which runs us, which may read less.
func GitLabToken(e Env) (token string, isJobs bool) {
	if token = strings.TrimSpace(e.first(GitLabTokens...)); token != "" {
		return token, false
	}
	token = strings.TrimSpace(e("CI_JOB_TOKEN"))
	return token, token != ""
}

// GitLabAPI is the address of GitLab's API that the environment names, "" for none.
func GitLabAPI(e Env) string {
	if api := e("CI_API_V4_URL"); api != "" {
		return api
	}
	if server := strings.TrimSuffix(e("CI_SERVER_URL"), "/"); server != "" {
		return server + "/api/v4"
	}
	return ""
}

// GitLabRun is the pipeline of GitLab that we run in.
func GitLabRun(e Env) fetch.Run {
	if !e.any("GITLAB_CI") {
		return fetch.Run{}
	}
	run := fetch.Run{Repository: e("CI_PROJECT_PATH")}
	run.ID, _ = strconv.ParseInt(e("CI_PIPELINE_ID"), 10, 64)
	return run
}

func bitbucket(e Env) Identity {
	repository := e("BITBUCKET_REPO_FULL_NAME")
	id := Identity{
		Pipeline: repository,
		Origin: timeline.Origin{
			Repository:  repository,
			Revision:    e("BITBUCKET_COMMIT"),
			Branch:      cmp.Or(e.tag("BITBUCKET_TAG"), e("BITBUCKET_BRANCH")),
			PullRequest: e("BITBUCKET_PR_ID"),
		},
		BaseBranch: e("BITBUCKET_PR_DESTINATION_BRANCH"),
	}
	if number := e("BITBUCKET_BUILD_NUMBER"); repository != "" && number != "" {
		id.URL = "https://bitbucket.org/" + repository + "/addon/pipelines/home#!/results/" + number
	}
	return id
}

func buildkite(e Env) Identity {
	id := Identity{
		Pipeline: joined(e("BUILDKITE_ORGANIZATION_SLUG"), e("BUILDKITE_PIPELINE_SLUG"), e.first("BUILDKITE_STEP_KEY", "BUILDKITE_LABEL")),
		Origin: timeline.Origin{
			Repository:  fetch.RepositoryName(e("BUILDKITE_REPO")),
			Revision:    e("BUILDKITE_COMMIT"),
			Branch:      cmp.Or(e.tag("BUILDKITE_TAG"), e("BUILDKITE_BRANCH")),
			PullRequest: e("BUILDKITE_PULL_REQUEST"),
			URL:         e("BUILDKITE_BUILD_URL"),
			Runner:      e("BUILDKITE_AGENT_META_DATA_QUEUE"),
		},
		BaseRepository: fetch.RepositoryName(e("BUILDKITE_REPO")),
		BaseBranch:     e.first("BUILDKITE_PULL_REQUEST_BASE_BRANCH", "BUILDKITE_PIPELINE_DEFAULT_BRANCH"),
	}
	if id.Revision == "HEAD" { // a build started by hand, before the checkout
		id.Revision = ""
	}
	if id.PullRequest == "false" {
		id.PullRequest = ""
	}
	if head := fetch.RepositoryName(e("BUILDKITE_PULL_REQUEST_REPO")); id.PullRequest != "" && head != "" {
		id.Repository = head
	}
	return id
}

func circle(e Env) Identity {
	base := joined(e("CIRCLE_PROJECT_USERNAME"), e("CIRCLE_PROJECT_REPONAME"))
	id := Identity{
		Pipeline: joined(base, e("CIRCLE_JOB")),
		Origin: timeline.Origin{
			Repository:  base,
			Revision:    e("CIRCLE_SHA1"),
			Branch:      cmp.Or(e.tag("CIRCLE_TAG"), e("CIRCLE_BRANCH")),
			PullRequest: e("CIRCLE_PR_NUMBER"),
			URL:         e("CIRCLE_BUILD_URL"),
		},
		BaseRepository: base,
	}
	if link := e("CIRCLE_PULL_REQUEST"); id.PullRequest == "" && link != "" {
		id.PullRequest = path.Base(link)
	}
	if e.any("CIRCLE_PR_USERNAME") && e.any("CIRCLE_PR_REPONAME") {
		id.Repository = joined(e("CIRCLE_PR_USERNAME"), e("CIRCLE_PR_REPONAME"))
	}
	return id
}

func azure(e Env) Identity {
	id := Identity{
		Pipeline: joined(e("BUILD_REPOSITORY_NAME"), e("BUILD_DEFINITIONNAME"), e.first("SYSTEM_JOBNAME", "AGENT_JOBNAME")),
		Origin: timeline.Origin{
			Repository:  e("BUILD_REPOSITORY_NAME"),
			Revision:    e.first("SYSTEM_PULLREQUEST_SOURCECOMMITID", "BUILD_SOURCEVERSION"),
			Branch:      branchName(e.first("SYSTEM_PULLREQUEST_SOURCEBRANCH", "BUILD_SOURCEBRANCH")),
			PullRequest: e.first("SYSTEM_PULLREQUEST_PULLREQUESTNUMBER", "SYSTEM_PULLREQUEST_PULLREQUESTID"),
			Runner:      joined(e("AGENT_OS"), e("AGENT_OSARCHITECTURE")),
		},
		BaseBranch: branchName(e("SYSTEM_PULLREQUEST_TARGETBRANCH")),
	}
	if e.any("SYSTEM_COLLECTIONURI") && e.any("BUILD_BUILDID") {
		id.URL = e("SYSTEM_COLLECTIONURI") + e("SYSTEM_TEAMPROJECT") + "/_build/results?buildId=" + e("BUILD_BUILDID")
	}
	return id
}

func jenkins(e Env) Identity {
	job := e("JOB_NAME")
	if e.any("BRANCH_NAME") { // the job of a branch, named after it
		job = strings.TrimSuffix(path.Dir(job), ".")
	}
	branch := e.first("CHANGE_BRANCH", "ghprbSourceBranch", "gitlabSourceBranch", "BRANCH_NAME", "GIT_BRANCH")
	return Identity{
		Pipeline: job,
		Origin: timeline.Origin{
			Repository:  fetch.RepositoryName(e("GIT_URL")),
			Revision:    e.first("ghprbActualCommit", "GIT_COMMIT"),
			Branch:      strings.TrimPrefix(branchName(branch), "origin/"),
			PullRequest: e.first("CHANGE_ID", "ghprbPullId", "gitlabMergeRequestIid"),
			URL:         e("BUILD_URL"),
		},
		BaseBranch: e.first("CHANGE_TARGET", "ghprbTargetBranch", "gitlabTargetBranch"),
	}
}

// distinct are the texts, each once, in the order of their first.
func distinct(texts []string) (list []string) {
	for _, text := range texts {
		if !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	return list
}
