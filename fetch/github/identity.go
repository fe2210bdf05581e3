package github

import (
	"context"
	"strconv"
	"strings"

	gh "github.com/google/go-github/v60/github"

	"github.com/buildregress/buildregress/detect"
)

// gone is the repository of a run whose fork was deleted.
const gone = "(deleted)"

// identify says of which commit, branch and repository a build is, by the run that
// made it. What the build says of that itself is not believed. pull is the pull
// request that the run is known to be of, "" where it has to tell.
func (s *source) identify(b *detect.Build, r *gh.WorkflowRun, pull string) {
	b.Repository = r.GetHeadRepository().GetFullName()
	if b.Repository == "" {
		b.Repository = gone
	}
	b.Revision, b.Branch, b.URL = r.GetHeadSHA(), r.GetHeadBranch(), r.GetHTMLURL()
	b.PullRequest = pull
	if pull == "" {
		b.PullRequest = pullOf(r)
	}
	if s.Normalize != nil {
		s.Normalize(b)
	}
}

// pullOf is the number of the pull request that a run says it is of, "" if it
// says none, as that of a fork does not.
func pullOf(r *gh.WorkflowRun) string {
	if !strings.HasPrefix(r.GetEvent(), pullRequest) {
		return ""
	}
	var number int
	for _, p := range r.PullRequests {
		if p.GetHead().GetSHA() != r.GetHeadSHA() || isElsewhere(p, r) {
			continue
		}
		if number != 0 {
			return "" // of several
		}
		number = p.GetNumber()
	}
	if number == 0 {
		return ""
	}
	return strconv.Itoa(number)
}

// isElsewhere tells whether a pull request of a run is one of another repository,
// which has numbers of its own: GitHub names those of a fork's branch as well that
// are open where it was forked from.
func isElsewhere(p *gh.PullRequest, r *gh.WorkflowRun) bool {
	in, here := p.GetBase().GetRepo().GetID(), r.GetRepository().GetID()
	return in != 0 && here != 0 && in != here
}

// A Pull is a pull request, as far as it matters here.
type Pull struct {
	Number     int
	BaseBranch string
}

// PullOf finds the open pull request of owner/name whose head is a commit, on a
// branch of a repository given as "owner/name". GitHub does not tell it in the
// event of a fork's run. Of none, or several, it returns the zero value.
func PullOf(ctx context.Context, c *gh.Client, owner, name, head, branch, commit string) (Pull, error) {
	s := source{Options: Options{Owner: owner, Name: name, Client: c}}
	from, _, _ := strings.Cut(head, "/")
	o := &gh.PullRequestListOptions{State: "open", Head: from + ":" + branch, ListOptions: gh.ListOptions{PerPage: perPage}}
	pulls, resp, err := c.PullRequests.List(ctx, owner, name, o)
	if err != nil {
		return Pull{}, s.explain("pull requests", resp, err)
	}
	var found []Pull
	for _, p := range pulls {
		if p.GetHead().GetSHA() == commit && strings.EqualFold(p.GetHead().GetRepo().GetFullName(), head) {
			found = append(found, Pull{p.GetNumber(), p.GetBase().GetRef()})
		}
	}
	if len(found) != 1 {
		return Pull{}, nil
	}
	return found[0], nil
}
