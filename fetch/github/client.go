// Package github finds builds in GitHub: the build records that workflow runs
// keep as artifacts, and the times of their jobs and steps.
//
// What builds a run made is read from its artifacts, and a pull request can put
// anything into them. Which run it was, of which commit, branch and repository,
// is what GitHub itself says, and never what an artifact says.
package github

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"
	"github.com/hashicorp/go-retryablehttp"
)

// PublicAPI is the API of github.com. Others stand in GITHUB_API_URL.
const PublicAPI = "https://api.github.com"

const (
	maxAnswer    = 20 << 20 // bytes of one; a hundred runs are 2 MB
	maxRepeats   = 3        // of a request that failed by no fault of its own
	timeout      = 30 * time.Second
	firstPause   = 500 * time.Millisecond
	longestPause = 8 * time.Second
	// longestWait is how long a rate limit is waited for. To wait longer costs
	// more than a smaller baseline does.
	longestWait = time.Minute
)

// An Access says how GitHub is reached.
type Access struct {
	API   *url.URL         // as GITHUB_API_URL has it
	Token string           // "" for none; sent to that host alone
	Agent string           // as which we introduce ourselves
	Now   func() time.Time // the clock
	Pause time.Duration    // before a request is repeated first; 0 for the usual one
}

// NewClient returns a client of the API. Requests that change nothing are
// repeated when the network or the server fails, and all are when a rate limit
// asks to come back within a minute and before the request's own deadline.
// Redirects are followed, without the token where they lead elsewhere.
func NewClient(a Access) *gh.Client {
	if a.Pause == 0 {
		a.Pause = firstPause
	}
	c := gh.NewClient(&http.Client{Transport: &retryablehttp.RoundTripper{Client: newRetryClient(a, apiTransport{a, newTransport()})}})
	base := *a.API
	base.Path = strings.TrimSuffix(base.Path, "/") + "/"
	c.BaseURL, c.UserAgent = &base, a.Agent
	return c
}

// NewDownloader returns the client for addresses that the API hands out, which
// carry their own signature. It knows no token.
func NewDownloader(a Access) *http.Client {
	if a.Pause == 0 {
		a.Pause = firstPause
	}
	a.Token = ""
	return &http.Client{
		Transport: &retryablehttp.RoundTripper{Client: newRetryClient(a, newTransport())},
		CheckRedirect: func(r *http.Request, before []*http.Request) error {
			switch {
			case len(before) >= 5:
				return errors.New("too many redirects")
			case before[0].URL.Scheme == "https" && r.URL.Scheme != "https":
				return errors.New("redirected from https to http")
			}
			return nil
		},
	}
}

func newTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: timeout, KeepAlive: timeout}).DialContext
	t.ResponseHeaderTimeout = timeout
	t.MaxIdleConnsPerHost = parallel
	return t
}

// newRetryClient wraps a transport, so that what failed by no fault of its own is
// tried again. It follows no redirect: who uses it does, or wants to see it.
func newRetryClient(a Access, transport http.RoundTripper) *retryablehttp.Client {
	c := retryablehttp.NewClient()
	p := retryPolicy{a.Now}
	c.Logger = nil
	c.RetryMax, c.RetryWaitMin, c.RetryWaitMax = maxRepeats, a.Pause, longestPause
	c.CheckRetry, c.Backoff = p.retry, p.backoff
	c.ErrorHandler = retryablehttp.PassthroughErrorHandler
	c.HTTPClient = &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// An apiTransport sends the token to the API's own host, and to no other, whatever
// redirects say; and it reads no more of an answer than one can be, and for no
// longer than one may take.
type apiTransport struct {
	access Access
	next   http.RoundTripper
}

func (t apiTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Del("Authorization")
	if api := t.access.API; t.access.Token != "" && r.URL.Scheme == api.Scheme && r.URL.Host == api.Host {
		r.Header.Set("Authorization", "Bearer "+t.access.Token)
	}
	ctx, cancel := context.WithTimeout(r.Context(), 2*timeout)
	resp, err := t.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	resp.Body = &boundedBody{resp.Body, maxAnswer, cancel}
	return resp, nil
}

// A boundedBody is an answer's body that fails where it is too large.
type boundedBody struct {
	io.ReadCloser
	left int64
	end  func() // frees what the request held
}

func (b *boundedBody) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("the answer is larger than %d MiB", maxAnswer>>20)
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
