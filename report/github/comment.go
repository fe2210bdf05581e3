package github

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/buildregress/buildregress/report"
)

// A pull request has one comment for each pipeline, known by a marker that people do not
// see. Several builds may post at once: of several comments the oldest stays, and the newest
// build has the last word.

// maxComment is the most that a comment's text may take, in bytes. GitHub takes
// 65,536 characters, of which the marker needs some.
const maxComment = 63_000

// Comment makes or edits the comment on a pull request, and returns its address,
// "" if there is none.
//
// Note: GitHub cannot make a comment only if there is none. Whoever made one looks
// again: of several, the oldest stays, whoever else is looking at the same time. Of
// builds that post within the same moment, any may have the last word.
func (p *Poster) Comment(ctx context.Context, pullRequest int, c report.Comment) (address string, err error) {
	mark := marker{keysOf(c.Pipelines), c.Began.UTC().Truncate(time.Second)}
	body := mark.String() + "\n" + c.Body
	for range tries {
		mine, err := p.find(ctx, pullRequest, mark.keys, time.Time{})
		if err != nil {
			return "", err
		}
		if len(mine) == 0 && !c.Create {
			return "", nil
		}
		if len(mine) == 0 {
			created, duplicates, err := p.create(ctx, pullRequest, mark.keys, body)
			if err != nil || len(duplicates) == 0 {
				return created.GetHTMLURL(), err
			}
			mine = duplicates
		}
		address, err = p.converge(ctx, mine, mark, body)
		if !isStatus(err, http.StatusNotFound) && !isStatus(err, http.StatusConflict) {
			return address, err
		}
		// It was deleted or edited meanwhile: look again.
	}
	return address, err
}

// create makes a comment, and returns it with all that are ours by then, if there
// are several.
func (p *Poster) create(ctx context.Context, pullRequest int, keys []string, body string) (created *github.IssueComment, duplicates []*github.IssueComment, err error) {
	tried := false
	err = p.retry(ctx, "comment on the pull request", func() error {
		if tried { // it may have been made all the same
			var err error
			if duplicates, err = p.find(ctx, pullRequest, keys, time.Time{}); err != nil || len(duplicates) > 0 {
				return err
			}
		}
		tried = true
		made, _, err := p.Client.Issues.CreateComment(ctx, p.Owner, p.Repo, pullRequest, &github.IssueComment{Body: &body})
		created = made
		return err
	})
	if err != nil || len(duplicates) > 0 {
		return nil, duplicates, err
	}
	p.login = created.GetUser().GetLogin()
	const slack = 10 * time.Minute // between GitHub's clocks
	// It was posted: that it cannot be looked at is no trouble.
	if all, err := p.find(ctx, pullRequest, keys, created.GetCreatedAt().Add(-slack)); err == nil && len(all) > 1 {
		duplicates = all
	}
	return created, duplicates, nil
}

// converge leaves one of our comments, the oldest, and has it say body unless it
// speaks of a newer build.
func (p *Poster) converge(ctx context.Context, mine []*github.IssueComment, mark marker, body string) (address string, err error) {
	kept := mine[0]
	newest := mark.began
	for _, c := range mine {
		if m, ok := parseMarker(c.GetBody()); ok && m.began.After(newest) {
			newest, body = m.began, c.GetBody()
		}
	}
	if kept.GetBody() != body {
		err = p.retry(ctx, "edit the comment on the pull request", func() error {
			_, _, err := p.Client.Issues.EditComment(ctx, p.Owner, p.Repo, kept.GetID(), &github.IssueComment{Body: &body})
			return err
		})
		if err != nil {
			return "", err
		}
	}
	for _, duplicate := range mine[1:] {
		_, err := p.Client.Issues.DeleteComment(ctx, p.Owner, p.Repo, duplicate.GetID())
		if status, _ := statusOf(err); err != nil && status != http.StatusNotFound {
			return kept.GetHTMLURL(), wrapError("delete a second comment", err)
		}
	}
	return kept.GetHTMLURL(), nil
}

// maxPages bounds the search for our comments. GitHub takes 2,500 on a pull
// request.
const maxPages = 30

// find lists our comments on a pull request that are about one of the pipelines,
// the oldest first: of all, or of those changed since a time.
func (p *Poster) find(ctx context.Context, pullRequest int, keys []string, since time.Time) (mine []*github.IssueComment, err error) {
	o := &github.IssueListCommentsOptions{ListOptions: github.ListOptions{PerPage: 100}}
	if !since.IsZero() {
		o.Since = &since
	}
	for range maxPages {
		page, response, err := p.Client.Issues.ListComments(ctx, p.Owner, p.Repo, pullRequest, o)
		if err != nil {
			return nil, wrapError("list the comments on the pull request", err)
		}
		for _, c := range page {
			m, ok := parseMarker(c.GetBody())
			if ok && slices.ContainsFunc(m.keys, func(k string) bool { return slices.Contains(keys, k) }) {
				mine = append(mine, c)
			}
		}
		if o.Page = response.NextPage; o.Page == 0 {
			break
		}
	}
	if len(mine) > 0 {
		// Anybody can write a marker.
		login := p.ownLogin(ctx)
		mine = slices.DeleteFunc(mine, func(c *github.IssueComment) bool { return !isBy(c, login) })
	}
	slices.SortFunc(mine, func(a, b *github.IssueComment) int { return cmp.Compare(a.GetID(), b.GetID()) })
	return mine, nil
}

// A marker is a line at the start of a comment that people do not see.
type marker struct {
	keys  []string // one for each pipeline
	began time.Time
}

// maxKeys bounds a marker. A report on more builds is known by the first of them.
const maxKeys = 50

// keysOf are short names for pipelines, in which nothing can come alive.
func keysOf(pipelines []string) (keys []string) {
	for _, name := range pipelines {
		keys = append(keys, fmt.Sprintf("%x", sha256.Sum256([]byte(name)))[:16])
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	return keys[:min(len(keys), maxKeys)]
}

func (m marker) String() string {
	return fmt.Sprintf("<!-- buildregress %s began %s -->", strings.Join(m.keys, " "), m.began.Format(time.RFC3339))
}

var marked = regexp.MustCompile(`^<!-- buildregress ((?:[0-9a-f]{16} )+)began (\S+) -->`)

// parseMarker reads the marker of a comment that has one.
func parseMarker(body string) (m marker, ok bool) {
	found := marked.FindStringSubmatch(body)
	if found == nil {
		return m, false
	}
	began, err := time.Parse(time.RFC3339, found[2])
	return marker{strings.Fields(found[1]), began}, err == nil
}
