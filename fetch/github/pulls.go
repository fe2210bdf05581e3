package github

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	gh "github.com/google/go-github/v60/github"
)

// A Pull is a pull request, as far as it matters here. The zero value is none.
type Pull struct {
	Number     int
	BaseBranch string
}

// A Head is what a pull request would have merged.
type Head struct {
	Repository string // as "owner/name"
	Branch     string
	Commit     string
}

// Pulls finds pull requests by their heads, and asks GitHub for each once. It may be
// used by several goroutines.
type Pulls struct {
	client *gh.Client
	now    func() time.Time
	mu     sync.Mutex
	known  map[pullKey]Pull
}

type pullKey struct {
	owner, name string
	head        Head
}

// NewPulls asks a client, by a clock.
func NewPulls(c *gh.Client, now func() time.Time) *Pulls {
	return &Pulls{client: c, now: now, known: map[pullKey]Pull{}}
}

// Find finds the open pull request of owner/name that has a head: GitHub says it
// neither in a run of a fork's nor in the event of one. Of none, or several, it
// returns the zero value.
func (p *Pulls) Find(ctx context.Context, owner, name string, head Head) (Pull, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := pullKey{owner, name, head}
	if pull, known := p.known[key]; known {
		return pull, nil
	}
	pull, err := p.ask(ctx, owner, name, head)
	if err == nil {
		p.known[key] = pull
	}
	return pull, err
}

func (p *Pulls) ask(ctx context.Context, owner, name string, head Head) (Pull, error) {
	from, _, _ := strings.Cut(head.Repository, "/")
	o := &gh.PullRequestListOptions{State: "open", Head: from + ":" + head.Branch, ListOptions: gh.ListOptions{PerPage: perPage}}
	pulls, resp, err := p.client.PullRequests.List(ctx, owner, name, o)
	if err != nil {
		s := source{Options: Options{Owner: owner, Name: name, Now: p.now}}
		return Pull{}, s.wrapError("pull requests", resp, err)
	}
	var found []Pull
	for _, one := range pulls {
		if one.GetHead().GetSHA() == head.Commit && strings.EqualFold(one.GetHead().GetRepo().GetFullName(), head.Repository) {
			found = append(found, Pull{one.GetNumber(), one.GetBase().GetRef()})
		}
	}
	if len(found) != 1 {
		return Pull{}, nil
	}
	return found[0], nil
}

// pullOf is the number of the pull request that a run is of, "" if it is of none, or
// of one that is open no more. That of a fork is asked for.
func (s *source) pullOf(ctx context.Context, r *gh.WorkflowRun) (string, error) {
	head := Head{r.GetHeadRepository().GetFullName(), r.GetHeadBranch(), r.GetHeadSHA()}
	number := namedPull(r)
	if number != "" || isOwn(r) || head.Repository == "" || !strings.HasPrefix(r.GetEvent(), pullRequest) {
		return number, nil
	}
	pull, err := s.Pulls.Find(ctx, s.Owner, s.Name, head)
	if err != nil {
		return "", fmt.Errorf("the pull request of run %d: %w", r.GetID(), err)
	}
	if pull.Number == 0 {
		return "", nil
	}
	return strconv.Itoa(pull.Number), nil
}

// namedPull is the number of the pull request that a run says it is of, "" if it
// says none, as that of a fork does not.
func namedPull(r *gh.WorkflowRun) string {
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
