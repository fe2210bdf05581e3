package github

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/buildregress/buildregress/report"
	"github.com/google/go-github/v60/github"
)

// A pull request has one comment for each workflow, known by what it begins with. Its jobs
// may post at once, and GitHub can neither make a comment only if there is none, nor change
// one only if nobody else has meanwhile: whoever wrote looks again after a while. Of several
// comments the oldest stays, with what all of them say; what another job has overwritten
// before it could know of it is written again.

// maxComment is the most that a comment may take, in bytes. GitHub takes 65,536 characters.
const maxComment = 65_000

// looks is how often a comment is looked at at most, until it says what it has to, and
// nobody has changed it since the last look; or it did at so many looks in a row, as then
// whoever still writes knows of it.
const looks, enough = 12, 3

// pause is how long after writing a comment is looked at again: longer than another job needs
// between reading and writing it, and the more often it was overwritten, the farther the jobs
// go apart.
func pause(n int) time.Duration {
	const least, spread = 2 * time.Second, time.Second
	return least + rand.N(spread<<min(n, 3))
}

// Comment makes or edits the comment on a pull request, and returns its address,
// "" if there is none.
//
// Note: of builds of one pipeline that post within the same moment, any may have the last
// word.
func (p *Poster) Comment(ctx context.Context, pullRequest int, c report.Comment) (address string, err error) {
	var trouble error // why it was not written at the last look
	seen, failures, stood, isIn := "", 0, 0, false
	var own int64 // the comment that this job made, 0 for none
	for n := 0; n < looks && (n == 0 || p.Wait(ctx, pause(n-1)) == nil); n++ {
		mine, err := p.find(ctx, pullRequest, &c)
		switch {
		case err != nil && seen != "": // it was posted: that it cannot be looked at is no trouble
			return address, nil
		case err != nil:
			return "", err
		case len(mine) == 0 && !c.Create:
			return "", nil
		case len(mine) == 0:
			created, err := p.create(ctx, pullRequest, &c)
			if err != nil {
				return "", err
			}
			address, seen, own, isIn, trouble = created.GetHTMLURL(), created.GetBody(), created.GetID(), true, nil
			continue
		}
		address = mine[0].GetHTMLURL()
		// Each job deletes its own of several, and what others have left later on: all of
		// them at once would be too many requests.
		const patient = 4
		isOurs := func(id int64) bool { return id == own || n >= patient }
		said, err := p.converge(ctx, mine, &c, seen != "", isOurs)
		switch status, _ := statusOf(err); {
		case err == nil && said == mine[0].GetBody() && len(mine) == 1:
			if stood++; said == seen || seen == "" || stood == enough {
				return address, nil
			}
			isIn = true
		case err == nil:
			isIn = said == mine[0].GetBody()
			seen, stood, trouble = said, 0, nil
		default:
			trouble = wrapError("edit the comment on the pull request", err)
			// It may have been deleted or edited meanwhile.
			isPassing := isTransient(err) || status == http.StatusNotFound || status == http.StatusConflict
			if failures++; failures == tries || !isPassing {
				return "", trouble
			}
		}
	}
	switch {
	case trouble != nil:
		return "", trouble
	case !isIn && ctx.Err() == nil:
		return address, errOverwritten
	}
	return address, nil
}

// errOverwritten tells that a comment may not say what this job had to say.
var errOverwritten = errors.New("other jobs kept overwriting the comment on the pull request: it may lack this build")

// create makes a comment; nil, if one was made all the same whose answer was lost.
func (p *Poster) create(ctx context.Context, pullRequest int, c *report.Comment) (created *github.IssueComment, err error) {
	body := c.Join(maxComment)
	tried := false
	err = p.retry(ctx, "comment on the pull request", func() error {
		if tried {
			if mine, err := p.find(ctx, pullRequest, c); err != nil || len(mine) > 0 {
				return err
			}
		}
		tried = true
		made, _, err := p.Client.Issues.CreateComment(ctx, p.Owner, p.Repo, pullRequest, &github.IssueComment{Body: &body})
		if err == nil {
			created, p.login = made, made.GetUser().GetLogin()
		}
		return err
	})
	return created, err
}

// converge leaves one of our comments, the oldest, and has it say c with what all of them
// say. It returns what that is. What was written before and stands is left as it is.
func (p *Poster) converge(ctx context.Context, mine []*github.IssueComment, c *report.Comment, written bool, isOurs func(id int64) bool) (body string, err error) {
	kept := mine[0]
	if body = kept.GetBody(); len(mine) == 1 && written && c.Stands(body) {
		return body, nil
	}
	var bodies []string
	for _, m := range mine {
		bodies = append(bodies, m.GetBody())
	}
	if body = c.Join(maxComment, bodies...); body != kept.GetBody() {
		if _, _, err := p.Client.Issues.EditComment(ctx, p.Owner, p.Repo, kept.GetID(), &github.IssueComment{Body: &body}); err != nil {
			return "", err
		}
	}
	for _, duplicate := range mine[1:] {
		if !isOurs(duplicate.GetID()) {
			continue
		}
		_, err := p.Client.Issues.DeleteComment(ctx, p.Owner, p.Repo, duplicate.GetID())
		if status, _ := statusOf(err); err != nil && status != http.StatusNotFound {
			return "", err
		}
	}
	return body, nil
}

// maxPages bounds the search for our comments. GitHub takes 2,500 on a pull
// request.
const maxPages = 30

// find lists our comments of c's group on a pull request, the oldest first.
func (p *Poster) find(ctx context.Context, pullRequest int, c *report.Comment) (mine []*github.IssueComment, err error) {
	o := &github.IssueListCommentsOptions{ListOptions: github.ListOptions{PerPage: 100}}
	for range maxPages {
		page, response, err := p.Client.Issues.ListComments(ctx, p.Owner, p.Repo, pullRequest, o)
		if err != nil {
			return nil, wrapError("list the comments on the pull request", err)
		}
		for _, found := range page {
			if c.IsIn(found.GetBody()) {
				mine = append(mine, found)
			}
		}
		if o.Page = response.NextPage; o.Page == 0 {
			break
		}
	}
	if len(mine) > 0 {
		// Anybody can write what ours begin with.
		login := p.ownLogin(ctx)
		mine = slices.DeleteFunc(mine, func(c *github.IssueComment) bool { return !isBy(c.GetUser(), login) })
	}
	slices.SortFunc(mine, func(a, b *github.IssueComment) int { return cmp.Compare(a.GetID(), b.GetID()) })
	return mine, nil
}
