package github

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/buildregress/buildregress/fetch/httpclient"
)

// A retryPolicy says which requests are made again, and when.
type retryPolicy struct {
	now func() time.Time
}

// idempotent are the methods that may be tried again after a failure of which
// nobody knows whether it came before the deed or after it. PATCH is none of
// them: annotations sent twice stand there twice.
var idempotent = []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete}

// retry tells whether a request is to be repeated.
func (p retryPolicy) retry(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) && !slices.Contains(idempotent, strings.ToUpper(u.Op)) {
			return false, nil
		}
		return retryablehttp.DefaultRetryPolicy(ctx, resp, err)
	}
	if wait, limited := p.limit(resp); limited {
		deadline, ends := ctx.Deadline()
		return wait <= longestWait && (!ends || p.now().Add(wait).Before(deadline)), nil
	}
	failed := resp.StatusCode >= 500 && resp.StatusCode != http.StatusNotImplemented
	return failed && slices.Contains(idempotent, resp.Request.Method), nil
}

// backoff is how long to wait before a repetition.
func (p retryPolicy) backoff(least, most time.Duration, attempt int, resp *http.Response) time.Duration {
	if resp != nil {
		if wait, limited := p.limit(resp); limited {
			return max(wait, least)
		}
	}
	return retryablehttp.DefaultBackoff(least, most, attempt, nil)
}

// limit tells whether an answer says that there were too many requests, and how
// long to wait before the next. GitHub says so with 403 as well as with 429,
// https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api.
func (p retryPolicy) limit(resp *http.Response) (wait time.Duration, limited bool) {
	switch resp.StatusCode {
	case http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable:
	default:
		return 0, false
	}
	wait, told := httpclient.RetryAfter(resp.Header, p.now())
	if resp.StatusCode == http.StatusServiceUnavailable { // a limit only if it is to be waited for
		return wait, wait > 0
	}
	if told {
		return wait, true
	}
	if resp.Header.Get("X-RateLimit-Remaining") == "0" {
		if reset, err := strconv.ParseInt(resp.Header.Get("X-RateLimit-Reset"), 10, 64); err == nil {
			now := p.now()
			if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
				now = date // the server's clock is the one that its times are by
			}
			return max(time.Unix(reset, 0).Sub(now), 0), true
		}
		return longestWait + 1, true
	}
	// Of a secondary limit that names no time, one is to wait a minute at least.
	return longestWait + 1, resp.StatusCode == http.StatusTooManyRequests
}
