package command

import (
	"context"
	"strconv"
	"strings"

	"github.com/buildregress/buildregress/internal/ci"
	"github.com/buildregress/buildregress/report"
	"github.com/buildregress/buildregress/report/github"
)

// A forge is where code lives, and pull requests are talked about.
type forge interface {
	// Comment makes, edits or resolves the comment on a pull request, and returns its
	// address, "" if there is none.
	Comment(ctx context.Context, pullRequest int, c report.Comment) (address string, err error)
	// CheckRun makes a check run. A *report.PartError tells that it is there, and not
	// whole.
	CheckRun(ctx context.Context, c report.CheckRun) (address string, err error)
	// Issue opens an issue unless one tells of the same already, and returns the address of
	// that one.
	Issue(ctx context.Context, i report.Issue) (address string, err error)
	// Limits are the most that it takes of a comment and of a check run's summary, in
	// bytes.
	Limits() (comment, summary int)
}

// A destination is where a report belongs. It is told by the event that started the
// workflow, and never by a build: that may come from anywhere.
type destination struct {
	isWorkflow  bool   // a workflow of GitHub runs us, and no look-alike
	owner, repo string // whose workflow it is
	commit      string // the head of the pull request, or what was pushed
	pullRequest int    // 0 for none
	branch      string // the default branch, if that is what is built, else ""
	workflow    string // whose jobs share a comment
	run         string // address of the workflow's run, "" if unknown
}

// destinationOf reads it from what the CI system says of the build.
func destinationOf(e ci.Env, said ci.Identity) (d destination) {
	if !ci.OnGitHub(e) {
		return d
	}
	d.isWorkflow, d.commit, d.workflow, d.run = true, said.Revision, ci.Workflow(e), said.URL
	d.branch = ci.DefaultBranchBuilt(e)
	d.owner, d.repo, _ = strings.Cut(e("GITHUB_REPOSITORY"), "/")
	if n, err := strconv.Atoi(said.PullRequest); err == nil && n > 0 {
		d.pullRequest = n
	}
	return d
}

// codeOf is where the web shows the code that the CI system builds. A pull request's commits
// are in the repository that it is for as well, whatever that of its head is called.
func codeOf(e ci.Env, said ci.Identity) report.Code {
	files, commits := ci.CodePages(e)
	return report.Code{Repositories: []string{said.Repository, said.BaseRepository}, Files: files, Commits: commits}
}

// openForge returns the forge of a destination, or why there is none to post to.
func openForge(env *Env, to destination) (f forge, missing string) {
	switch {
	case !to.isWorkflow:
		return nil, "no workflow of GitHub Actions runs this"
	case to.owner == "" || to.repo == "":
		return nil, "GITHUB_REPOSITORY does not name a repository"
	case ci.GitHubToken(env.Variables) == "":
		return nil, "GITHUB_TOKEN is not set"
	}
	hub, err := env.GitHub()
	if err != nil {
		return nil, err.Error()
	}
	return &github.Poster{Client: hub.Client, Owner: to.owner, Repo: to.repo, Now: env.Clock, Wait: env.Sleep}, ""
}
