// Package github posts a report to GitHub: one comment per pull request and
// workflow, and a check run with annotations on the commit.
//
// It knows nothing of the environment: who calls it says which repository, pull
// request and commit are meant, as nothing that a build says about itself may
// decide where a report goes.
package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/buildregress/buildregress/detect/redact"
)

// A Poster writes to one repository.
type Poster struct {
	Client      *github.Client
	Owner, Repo string
	// Now and Wait are the clock. Wait returns early, with an error, if the context
	// ends.
	Now  func() time.Time
	Wait func(context.Context, time.Duration) error

	login string // whose comments are ours, "" until asked
}

// Limits are the most that GitHub takes, in bytes: of a comment's text and of a check
// run's summary.
func (p *Poster) Limits() (comment, summary int) { return maxComment, maxSummary }

// An Error is GitHub's answer to a request that it does not grant.
type Error struct {
	What    string // "comment on the pull request"
	Status  int
	Reason  string // as GitHub gives it, credentials masked
	Limited bool   // by the number of requests
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %d %s", e.What, e.Status, e.Reason) }

// Hint is what people can do about it, "" where the status does not tell.
func (e *Error) Hint() string {
	if e.Status == http.StatusUnauthorized {
		return "GitHub does not know the token: it may have expired, been revoked or be cut off; GITHUB_TOKEN holds a valid one"
	}
	return ""
}

// Refused tells whether the token has no right to what was asked: that of a pull
// request from a fork may only read.
func (e *Error) Refused() bool {
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		return !e.Limited
	}
	return false
}

// tries is how often a request is made that finds GitHub broken.
const tries = 4

// retry calls do until it succeeds. The client repeats by itself what changes
// nothing, and what came at a time when GitHub took no more: this is for what has
// to be known to be safe to be done twice.
func (p *Poster) retry(ctx context.Context, what string, do func() error) error {
	for n := 0; ; n++ {
		err := do()
		if err == nil {
			return nil
		}
		if n+1 == tries || ctx.Err() != nil || !isTransient(err) || p.Wait(ctx, time.Second<<n) != nil {
			return wrapError(what, err)
		}
	}
}

// isTransient tells whether a request failed in a way that may be over soon.
func isTransient(err error) bool {
	if status, _ := statusOf(err); status != 0 {
		return status >= 500
	}
	return errors.As(err, new(*url.Error)) && !errors.Is(err, context.DeadlineExceeded) // no answer at all
}

// wrapError is an error of the client in our words. Addresses are left out: they
// say nothing that people could change.
func wrapError(what string, err error) error {
	if errors.As(err, new(*Error)) {
		return err
	}
	status, reason := statusOf(err)
	if status == 0 {
		if u := new(url.Error); errors.As(err, &u) {
			err = u.Err
		}
		return fmt.Errorf("%s: %w", what, err)
	}
	limited := errors.As(err, new(*github.RateLimitError)) || errors.As(err, new(*github.AbuseRateLimitError))
	return &Error{what, status, reason, limited}
}

// statusOf is the status of GitHub's answer, and what it says. 0 is no answer.
func statusOf(err error) (int, string) {
	var response *http.Response
	var reason string
	var details []github.Error
	if e := new(github.ErrorResponse); errors.As(err, &e) {
		response, reason, details = e.Response, e.Message, e.Errors
	} else if e := new(github.RateLimitError); errors.As(err, &e) {
		response, reason = e.Response, e.Message
	} else if e := new(github.AbuseRateLimitError); errors.As(err, &e) {
		response, reason = e.Response, e.Message
	}
	if response == nil {
		return 0, ""
	}
	for _, d := range details[:min(len(details), 3)] {
		if d.Message != "" {
			reason += "; " + d.Message
		} else if d.Field != "" {
			reason += "; " + d.Field + " " + d.Code
		}
	}
	if reason == "" {
		reason = http.StatusText(response.StatusCode)
	}
	return response.StatusCode, redact.Text(reason)
}

// isStatus tells whether err is GitHub's answer with a status.
func isStatus(err error, status int) bool {
	e := new(Error)
	return errors.As(err, &e) && e.Status == status
}
