package main

import (
	"cmp"
	"path"
	"slices"
	"strings"
)

// A ciSystem is recognised by a variable, and says in others what is built.
type ciSystem struct {
	name string
	runs func(env) bool
	says func(env) identity
}

// An env looks up a variable of the environment, "" if it is not set.
type env func(string) string

func (e env) any(names ...string) bool {
	for _, name := range names {
		if e(name) != "" {
			return true
		}
	}
	return false
}

// first is the first of these variables that says anything.
func (e env) first(names ...string) string {
	for _, name := range names {
		if v := e(name); v != "" {
			return v
		}
	}
	return ""
}

// tag names a tag so that it is never taken for a branch.
func (e env) tag(name string) string {
	if v := e(name); v != "" {
		return "tags/" + v
	}
	return ""
}

// ciSystems are those that are known, each before those whose variables it sets
// as well: Gitea and Forgejo act as GitHub, and Woodpecker as GitLab.
var ciSystems = []ciSystem{
	{"Gitea", func(e env) bool { return e.any("GITEA_ACTIONS", "FORGEJO_ACTIONS") }, gitea},
	{"GitHub Actions", func(e env) bool { return e.any("GITHUB_ACTIONS") }, githubIdentity},
	{"Woodpecker", func(e env) bool { return e("CI") == "woodpecker" || e.any("CI_WORKFLOW_NAME") }, woodpecker},
	{"Drone", func(e env) bool { return e.any("DRONE") }, drone},
	{"GitLab", func(e env) bool { return e.any("GITLAB_CI") }, gitlab},
	{"Bitbucket", func(e env) bool { return e.any("BITBUCKET_BUILD_NUMBER", "BITBUCKET_COMMIT") }, bitbucket},
	{"Buildkite", func(e env) bool { return e.any("BUILDKITE") }, buildkite},
	{"CircleCI", func(e env) bool { return e.any("CIRCLECI") }, circle},
	{"Azure Pipelines", func(e env) bool { return e.any("TF_BUILD", "BUILD_BUILDURI") }, azure},
	{"Jenkins", func(e env) bool { return e.any("JENKINS_URL") && e.any("BUILD_ID") }, jenkins},
}

// ciIdentity is what the CI system that runs us says about the build.
func ciIdentity(e env) identity {
	for _, ci := range ciSystems {
		if ci.runs(e) {
			id := ci.says(e)
			id.baseRepository = cmp.Or(id.baseRepository, id.repository)
			return id
		}
	}
	return identity{}
}

// inCI tells whether a CI system runs us.
func inCI(e env) bool {
	return slices.ContainsFunc(ciSystems, func(ci ciSystem) bool { return ci.runs(e) })
}

// runIDs are what the CI system that runs us calls this run, the most exact first:
// any of them may have been given to the build.
func runIDs(e env) (ids []string) {
	if id, attempt := e("GITHUB_RUN_ID"), e("GITHUB_RUN_ATTEMPT"); id != "" && attempt != "" {
		ids = append(ids, id+"-"+attempt)
	}
	for _, name := range []string{
		"GITHUB_RUN_ID", "CI_JOB_ID", "CI_PIPELINE_ID", "CI_PIPELINE_NUMBER", "BUILDKITE_JOB_ID", "BUILDKITE_BUILD_ID",
		"CIRCLE_WORKFLOW_ID", "CIRCLE_BUILD_NUM", "BUILD_TAG", "BUILD_BUILDID", "DRONE_BUILD_NUMBER", "BITBUCKET_PIPELINE_UUID",
		"BITBUCKET_BUILD_NUMBER",
	} {
		if id := e(name); id != "" {
			ids = append(ids, id)
		}
	}
	return unique(ids)
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

func woodpecker(e env) identity {
	return identity{
		pipeline:       joined(e("CI_REPO"), e("CI_WORKFLOW_NAME"), e("CI_STEP_NAME")),
		repository:     e("CI_REPO"),
		baseRepository: e("CI_REPO"),
		revision:       e("CI_COMMIT_SHA"),
		branch:         cmp.Or(e("CI_COMMIT_SOURCE_BRANCH"), e.tag("CI_COMMIT_TAG"), e("CI_COMMIT_BRANCH")),
		baseBranch:     e.first("CI_COMMIT_TARGET_BRANCH", "CI_REPO_DEFAULT_BRANCH"),
		pullRequest:    e("CI_COMMIT_PULL_REQUEST"),
		url:            e("CI_PIPELINE_URL"),
		runner:         e("CI_SYSTEM_PLATFORM"),
	}
}

func drone(e env) identity {
	id := identity{
		pipeline:    joined(e("DRONE_REPO"), e("DRONE_STAGE_NAME"), e("DRONE_STEP_NAME")),
		repository:  e("DRONE_REPO"),
		revision:    e("DRONE_COMMIT_SHA"),
		branch:      cmp.Or(e.tag("DRONE_TAG"), e("DRONE_BRANCH")),
		baseBranch:  e("DRONE_REPO_BRANCH"),
		pullRequest: e("DRONE_PULL_REQUEST"),
		url:         e("DRONE_BUILD_LINK"),
		runner:      joined(e("DRONE_STAGE_OS"), e("DRONE_STAGE_ARCH")),
	}
	if id.pullRequest != "" { // DRONE_BRANCH is then the target
		id.branch = e("DRONE_SOURCE_BRANCH")
		id.baseBranch = e.first("DRONE_TARGET_BRANCH", "DRONE_BRANCH")
	}
	return id
}

func gitlab(e env) identity {
	return identity{
		pipeline:       joined(e("CI_PROJECT_PATH"), e("CI_JOB_NAME")),
		repository:     e.first("CI_MERGE_REQUEST_SOURCE_PROJECT_PATH", "CI_PROJECT_PATH"),
		baseRepository: e.first("CI_MERGE_REQUEST_PROJECT_PATH", "CI_PROJECT_PATH"),
		// In a pipeline for merged results, CI_COMMIT_SHA is a merge that nobody made.
		revision:    e.first("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", "CI_COMMIT_SHA"),
		branch:      cmp.Or(e("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME"), e.tag("CI_COMMIT_TAG"), e("CI_COMMIT_REF_NAME")),
		baseBranch:  e.first("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "CI_DEFAULT_BRANCH"),
		pullRequest: e("CI_MERGE_REQUEST_IID"),
		url:         e.first("CI_JOB_URL", "CI_PIPELINE_URL"),
		runner:      e("CI_RUNNER_EXECUTABLE_ARCH"),
	}
}

func bitbucket(e env) identity {
	repository := e("BITBUCKET_REPO_FULL_NAME")
	id := identity{
		pipeline:    repository,
		repository:  repository,
		revision:    e("BITBUCKET_COMMIT"),
		branch:      cmp.Or(e.tag("BITBUCKET_TAG"), e("BITBUCKET_BRANCH")),
		baseBranch:  e("BITBUCKET_PR_DESTINATION_BRANCH"),
		pullRequest: e("BITBUCKET_PR_ID"),
	}
	if number := e("BITBUCKET_BUILD_NUMBER"); repository != "" && number != "" {
		id.url = "https://bitbucket.org/" + repository + "/addon/pipelines/home#!/results/" + number
	}
	return id
}

func buildkite(e env) identity {
	id := identity{
		pipeline:       joined(e("BUILDKITE_ORGANIZATION_SLUG"), e("BUILDKITE_PIPELINE_SLUG"), e.first("BUILDKITE_STEP_KEY", "BUILDKITE_LABEL")),
		repository:     repositoryName(e("BUILDKITE_REPO")),
		baseRepository: repositoryName(e("BUILDKITE_REPO")),
		revision:       e("BUILDKITE_COMMIT"),
		branch:         cmp.Or(e.tag("BUILDKITE_TAG"), e("BUILDKITE_BRANCH")),
		baseBranch:     e.first("BUILDKITE_PULL_REQUEST_BASE_BRANCH", "BUILDKITE_PIPELINE_DEFAULT_BRANCH"),
		pullRequest:    e("BUILDKITE_PULL_REQUEST"),
		url:            e("BUILDKITE_BUILD_URL"),
		runner:         e("BUILDKITE_AGENT_META_DATA_QUEUE"),
	}
	if id.revision == "HEAD" { // a build started by hand, before the checkout
		id.revision = ""
	}
	if id.pullRequest == "false" {
		id.pullRequest = ""
	}
	if head := repositoryName(e("BUILDKITE_PULL_REQUEST_REPO")); id.pullRequest != "" && head != "" {
		id.repository = head
	}
	return id
}

func circle(e env) identity {
	base := joined(e("CIRCLE_PROJECT_USERNAME"), e("CIRCLE_PROJECT_REPONAME"))
	id := identity{
		pipeline:       joined(base, e("CIRCLE_JOB")),
		repository:     base,
		baseRepository: base,
		revision:       e("CIRCLE_SHA1"),
		branch:         cmp.Or(e.tag("CIRCLE_TAG"), e("CIRCLE_BRANCH")),
		pullRequest:    e("CIRCLE_PR_NUMBER"),
		url:            e("CIRCLE_BUILD_URL"),
	}
	if link := e("CIRCLE_PULL_REQUEST"); id.pullRequest == "" && link != "" {
		id.pullRequest = path.Base(link)
	}
	if e.any("CIRCLE_PR_USERNAME") && e.any("CIRCLE_PR_REPONAME") {
		id.repository = joined(e("CIRCLE_PR_USERNAME"), e("CIRCLE_PR_REPONAME"))
	}
	return id
}

func azure(e env) identity {
	id := identity{
		pipeline:    joined(e("BUILD_REPOSITORY_NAME"), e("BUILD_DEFINITIONNAME"), e.first("SYSTEM_JOBNAME", "AGENT_JOBNAME")),
		repository:  e("BUILD_REPOSITORY_NAME"),
		revision:    e.first("SYSTEM_PULLREQUEST_SOURCECOMMITID", "BUILD_SOURCEVERSION"),
		branch:      branchName(e.first("SYSTEM_PULLREQUEST_SOURCEBRANCH", "BUILD_SOURCEBRANCH")),
		baseBranch:  branchName(e("SYSTEM_PULLREQUEST_TARGETBRANCH")),
		pullRequest: e.first("SYSTEM_PULLREQUEST_PULLREQUESTNUMBER", "SYSTEM_PULLREQUEST_PULLREQUESTID"),
		runner:      joined(e("AGENT_OS"), e("AGENT_OSARCHITECTURE")),
	}
	if e.any("SYSTEM_COLLECTIONURI") && e.any("BUILD_BUILDID") {
		id.url = e("SYSTEM_COLLECTIONURI") + e("SYSTEM_TEAMPROJECT") + "/_build/results?buildId=" + e("BUILD_BUILDID")
	}
	return id
}

func jenkins(e env) identity {
	job := e("JOB_NAME")
	if e.any("BRANCH_NAME") { // the job of a branch, named after it
		job = strings.TrimSuffix(path.Dir(job), ".")
	}
	branch := e.first("CHANGE_BRANCH", "ghprbSourceBranch", "gitlabSourceBranch", "BRANCH_NAME", "GIT_BRANCH")
	return identity{
		pipeline:    job,
		repository:  repositoryName(e("GIT_URL")),
		revision:    e.first("ghprbActualCommit", "GIT_COMMIT"),
		branch:      strings.TrimPrefix(branchName(branch), "origin/"),
		baseBranch:  e.first("CHANGE_TARGET", "ghprbTargetBranch", "gitlabTargetBranch"),
		pullRequest: e.first("CHANGE_ID", "ghprbPullId", "gitlabMergeRequestIid"),
		url:         e("BUILD_URL"),
	}
}
