package github

import (
	"context"
	"slices"
	"strings"

	"github.com/google/go-github/v60/github"
)

// PullRequest finds the open pull request to this repository whose head is the
// commit, on the branch of the head repository. 0 is none.
//
// An event that follows another run does not tell of pull requests from forks;
// and those that it tells of may have moved on since.
func (p *Poster) PullRequest(ctx context.Context, headRepository, branch, commit string) (number int, err error) {
	is := func(pr *github.PullRequest) bool {
		return pr.GetState() == "open" && pr.GetHead().GetSHA() == commit && pr.GetHead().GetRef() == branch &&
			strings.EqualFold(pr.GetHead().GetRepo().GetFullName(), headRepository)
	}
	owner, _, _ := strings.Cut(headRepository, "/")
	var found []*github.PullRequest
	err = p.attempt(ctx, "find the pull request", func() (err error) {
		found, _, err = p.Client.PullRequests.List(ctx, p.Owner, p.Repo, &github.PullRequestListOptions{
			State: "open", Head: owner + ":" + branch, ListOptions: github.ListOptions{PerPage: 100},
		})
		return err
	})
	if i := slices.IndexFunc(found, is); err == nil && i >= 0 {
		number = found[i].GetNumber()
	}
	return number, err
}
