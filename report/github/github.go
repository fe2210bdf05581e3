// Package github posts a report to GitHub: one comment per pull request and
// pipeline, and a check run with annotations on the commit.
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
	"strconv"
	"time"

	"github.com/google/go-github/v60/github"
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

// An Error is GitHub's answer to a request that it does not grant.
type Error struct {
	What    string // "comment on the pull request"
	Status  int
	Reason  string // as GitHub gives it
	Limited bool   // by the number of requests
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %d %s", e.What, e.Status, e.Reason) }

// Refused tells whether the token has no right to what was asked: that of a pull
// request from a fork may only read.
func (e *Error) Refused() bool {
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		return !e.Limited
	}
	return false
}

// tries is how often a request is made that GitHub has no time for.
const tries = 4

// attempt calls do until it succeeds, and waits as long as GitHub asks for in
// between. It gives up at once where that is longer than the context lasts. What
// do does must be safe to be done twice.
func (p *Poster) attempt(ctx context.Context, what string, do func() error) error {
	for n := 0; ; n++ {
		err := do()
		if err == nil {
			return nil
		}
		wait, again := p.pause(err, n)
		if !again || n+1 == tries || ctx.Err() != nil {
			return explained(what, err)
		}
		if end, limited := ctx.Deadline(); limited && end.Sub(p.Now()) < wait {
			return fmt.Errorf("%w: it is to be tried again after %v, and there is no time for that", explained(what, err), wait.Round(time.Second))
		}
		if err := p.Wait(ctx, wait); err != nil {
			return explained(what, err)
		}
	}
}

// pause tells whether a request that failed for the n-th time (from 0) is worth
// another try, and when.
func (p *Poster) pause(err error, n int) (wait time.Duration, again bool) {
	const unspecified = time.Minute // what GitHub's documentation asks for at least
	backoff := time.Second << n
	if limit := new(github.RateLimitError); errors.As(err, &limit) {
		return max(limit.Rate.Reset.Sub(p.Now()), 0) + time.Second, true
	}
	if limit := new(github.AbuseRateLimitError); errors.As(err, &limit) {
		if limit.RetryAfter != nil {
			return *limit.RetryAfter, true
		}
		return unspecified, true
	}
	response := new(github.ErrorResponse)
	if !errors.As(err, &response) || response.Response == nil {
		return backoff, errors.As(err, new(*url.Error)) // no answer at all
	}
	switch status := response.Response.StatusCode; {
	case status == http.StatusTooManyRequests, status == http.StatusForbidden && response.Response.Header.Get("Retry-After") != "":
		return asked(response.Response.Header, p.Now(), unspecified), true
	case status >= 500:
		return asked(response.Response.Header, p.Now(), backoff), true
	}
	return 0, false
}

// asked is how long an answer's header asks to wait.
func asked(h http.Header, now time.Time, otherwise time.Duration) time.Duration {
	const longest = 24 * 60 * 60
	if s, err := strconv.Atoi(h.Get("Retry-After")); err == nil && s >= 0 {
		return time.Duration(min(s, longest)) * time.Second
	}
	if at, err := http.ParseTime(h.Get("Retry-After")); err == nil {
		return max(at.Sub(now), 0)
	}
	if s, err := strconv.ParseInt(h.Get("X-Ratelimit-Reset"), 10, 64); err == nil && h.Get("X-Ratelimit-Remaining") == "0" {
		return max(time.Unix(s, 0).Sub(now), 0) + time.Second
	}
	return otherwise
}

// explained is an error of the client in our words. Addresses are left out: they
// say nothing that people could change.
func explained(what string, err error) error {
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
	return response.StatusCode, reason
}

// isStatus tells whether err is GitHub's answer with a status.
func isStatus(err error, status int) bool {
	e := new(Error)
	return errors.As(err, &e) && e.Status == status
}
