package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/buildregress/buildregress/fetch"
)

// ErrDenied is returned where GitHub does not let us read, or says that there is
// nothing, which is how it hides what a token may not see.
var ErrDenied = fetch.ErrorWithHint("not allowed",
	"give the job permissions: actions: read, and the token in the environment as GITHUB_TOKEN")

// ErrNoRecords is fetch.ErrNoBuilds of runs that keep no build record.
var ErrNoRecords error = noRecordsError{}

type noRecordsError struct{}

func (noRecordsError) Error() string { return fetch.ErrNoBuilds.Error() }
func (noRecordsError) Unwrap() error { return fetch.ErrNoBuilds }
func (noRecordsError) Hint() string {
	return "docker/build-push-action uploads a record when its job is over: within the job give buildx:, later --run-id names the run"
}

// errNull tells of an answer that holds nothing.
var errNull = errors.New("GitHub answers null")

// errRefused is ErrDenied where it is the token's fault for certain.
var errRefused = fmt.Errorf("%w by the token", ErrDenied)

// errBadToken is errRefused of a token that is none of GitHub's: no permission helps.
var errBadToken error = badTokenError{}

type badTokenError struct{}

func (badTokenError) Error() string { return "GitHub does not know the token" }
func (badTokenError) Unwrap() error { return errRefused }
func (badTokenError) Hint() string {
	return "it may have expired, been revoked, be cut off, or be of another GitHub than GITHUB_API_URL names: GITHUB_TOKEN holds a valid one"
}

// A LimitError tells that GitHub takes no more requests for now.
type LimitError struct {
	Until time.Time // the zero time if it does not say
}

func (e *LimitError) Error() string {
	if e.Until.IsZero() {
		return "GitHub's rate limit is used up"
	}
	return "GitHub's rate limit is used up until " + e.Until.UTC().Format("15:04:05 MST")
}

// Hint says how to have more requests.
func (*LimitError) Hint() string {
	return "a token has more requests an hour than none: GITHUB_TOKEN; a cached .buildregress needs fewer of them"
}

// isExhausted tells whether an error means that a budget is used up, of requests or of
// time: what was had until then is all there will be.
func isExhausted(err error) bool {
	return errors.As(err, new(*LimitError)) || errors.Is(err, context.DeadlineExceeded)
}

// wrapError says what an error of the client's means. what was being read is named
// in it.
func (s *source) wrapError(what string, resp *gh.Response, err error) error {
	var (
		primary   *gh.RateLimitError
		secondary *gh.AbuseRateLimitError
		answer    *gh.ErrorResponse
	)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &primary):
		return &LimitError{primary.Rate.Reset.Time}
	case errors.As(err, &secondary):
		if secondary.RetryAfter == nil {
			return &LimitError{}
		}
		return &LimitError{s.Now().Add(*secondary.RetryAfter)}
	}
	if resp != nil && resp.Response != nil {
		if wait, limited := (retryPolicy{s.Now}).limit(resp.Response); limited {
			return &LimitError{s.Now().Add(wait)}
		}
		detail := ""
		if errors.As(err, &answer) && answer.Message != "" {
			detail = ": " + fetch.Clean(answer.Message, 300)
		}
		switch resp.StatusCode {
		case http.StatusUnauthorized:
			if s.Anonymous {
				return fmt.Errorf("%s: %s: %w without a token (401%s)", s.fullName(), what, ErrDenied, detail)
			}
			return fmt.Errorf("%s: %s: %w (401%s)", s.fullName(), what, errBadToken, detail)
		case http.StatusForbidden:
			return fmt.Errorf("%s: %s: %w (403%s)", s.fullName(), what, errRefused, detail)
		case http.StatusNotFound:
			return fmt.Errorf("%s: %s: %w: it does not exist, or the token may not see it (404)", s.fullName(), what, ErrDenied)
		}
		if resp.StatusCode >= 300 {
			return fmt.Errorf("%s: %s: GitHub answers %d%s", s.fullName(), what, resp.StatusCode, detail)
		}
	}
	return fmt.Errorf("%s: %s: %w", s.fullName(), what, withoutSignature(err))
}

// withoutSignature is an error without the address that was asked: those of downloads
// carry a signature that opens them to anybody.
func withoutSignature(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
		if at, bad := url.Parse(u.URL); bad == nil && at.Host != "" {
			err = fmt.Errorf("%s: %w", at.Host, u.Err)
		}
	}
	// An address to which we were sent and that cannot be read is in the text alone.
	if text := err.Error(); signature.MatchString(text) {
		return errors.New(signature.ReplaceAllString(text, "?…"))
	}
	return err
}

// signature is what stands in an address behind its path.
var signature = regexp.MustCompile(`\?[^\s"]+`)
