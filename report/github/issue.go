package github

import (
	"cmp"
	"context"
	"slices"

	"github.com/google/go-github/v60/github"

	"github.com/buildregress/buildregress/report"
)

// A telling is an issue that is there and tells of steps, and the body that it is to have.
type telling struct {
	*github.Issue
	steps []string
	after string
}

// Issue opens an issue unless there are some, open or closed, that tell of the same already,
// and returns the address of the oldest of them.
func (p *Poster) Issue(ctx context.Context, i report.Issue) (address string, err error) {
	there, told, err := p.telling(ctx, &i)
	if err != nil {
		return "", err
	}
	var made *github.Issue
	if !told {
		body, tried := i.WithMark(), false
		err = p.retry(ctx, "open an issue", func() (err error) {
			if tried { // it may have been opened all the same
				if there, told, err = p.telling(ctx, &i); err != nil || told {
					return err
				}
			}
			tried = true
			made, _, err = p.Client.Issues.Create(ctx, p.Owner, p.Repo, &github.IssueRequest{Title: &i.Title, Body: &body})
			return err
		})
	}
	switch {
	case err != nil:
		return "", err
	case told:
		return there[0].GetHTMLURL(), p.remember(ctx, there)
	}
	p.login = made.GetUser().GetLogin()
	// Another job may have found the same at the same time: the older one stays.
	there, _, err = p.telling(ctx, &i)
	if err == nil && len(there) > 0 && there[0].GetNumber() < made.GetNumber() && i.IsTold(there[0].steps) {
		closed, reason := "closed", "not_planned"
		if _, _, err := p.Client.Issues.Edit(ctx, p.Owner, p.Repo, made.GetNumber(), &github.IssueRequest{State: &closed, StateReason: &reason}); err != nil {
			return there[0].GetHTMLURL(), wrapError("close a second issue", err)
		}
		return there[0].GetHTMLURL(), nil
	}
	return made.GetHTMLURL(), nil
}

// remember has issues say at which revision their steps were found slower again. Nobody is
// told.
func (p *Poster) remember(ctx context.Context, there []telling) error {
	for _, t := range there {
		if t.after == t.GetBody() {
			continue
		}
		if _, _, err := p.Client.Issues.Edit(ctx, p.Owner, p.Repo, t.GetNumber(), &github.IssueRequest{Body: &t.after}); err != nil {
			return wrapError("edit the issue", err)
		}
	}
	return nil
}

// telling are those of our issues that tell of some of i's steps, the oldest first; told is
// whether they tell of all.
func (p *Poster) telling(ctx context.Context, i *report.Issue) (there []telling, told bool, err error) {
	login := p.ownLogin(ctx)
	o := &github.IssueListByRepoOptions{State: "all", Creator: login, ListOptions: github.ListOptions{PerPage: 100}}
	var all []string
	for range maxPages {
		page, response, err := p.Client.Issues.ListByRepo(ctx, p.Owner, p.Repo, o)
		if err != nil {
			return nil, false, wrapError("list the issues", err)
		}
		for _, issue := range page {
			steps, after := i.Told(issue.GetBody(), issue.GetState() == "open")
			if len(steps) > 0 && !issue.IsPullRequest() && isBy(issue.GetUser(), login) {
				there = append(there, telling{issue, steps, after})
				all = append(all, steps...)
			}
		}
		if o.Page = response.NextPage; o.Page == 0 {
			break
		}
	}
	slices.SortFunc(there, func(a, b telling) int { return cmp.Compare(a.GetNumber(), b.GetNumber()) })
	return there, i.IsTold(all), nil
}
