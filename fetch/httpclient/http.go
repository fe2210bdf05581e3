package httpclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// A Client asks one server over HTTP. What it shows of itself goes to that server
// only: it follows no redirect elsewhere.
type Client struct {
	base    *url.URL
	options Options
	http    *retryablehttp.Client
}

// How often, and how long, is waited for a server that is busy.
const (
	maxRetries   = 3
	maxRedirects = 5
	longestRetry = 5 * time.Second
)

// NewClient asks the server at base, whose path stands in front of all others.
func NewClient(base *url.URL, o Options) (*Client, error) {
	tls, err := o.TLS()
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = tls
	c := retryablehttp.NewClient()
	c.Logger = nil
	c.RetryMax = maxRetries
	c.RetryWaitMin, c.RetryWaitMax = 200*time.Millisecond, 2*time.Second
	c.CheckRetry = retry
	c.ErrorHandler = retryablehttp.PassthroughErrorHandler
	c.HTTPClient = &http.Client{Transport: transport, CheckRedirect: func(r *http.Request, before []*http.Request) error {
		if len(before) >= maxRedirects {
			return fmt.Errorf("%w again and again", errRedirected)
		}
		if r.URL.Host != base.Host || r.URL.Scheme != base.Scheme {
			return fmt.Errorf("%w to %s://%s", errRedirected, r.URL.Scheme, r.URL.Host)
		}
		return nil
	}}
	return &Client{base: base, options: o, http: c}, nil
}

var errRedirected = errors.New("the server sends us elsewhere")

// retry tells whether to ask once more: after what passes by itself, if there is
// time for it.
func retry(ctx context.Context, r *http.Response, err error) (bool, error) {
	switch {
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case err != nil:
		refused := strings.Contains(err.Error(), "connection refused") || strings.Contains(err.Error(), "connection reset")
		return refused, nil
	case r.StatusCode == http.StatusTooManyRequests, r.StatusCode == http.StatusBadGateway,
		r.StatusCode == http.StatusServiceUnavailable, r.StatusCode == http.StatusGatewayTimeout:
		return retryAfter(r) <= longestRetry, nil
	}
	return false, nil
}

// retryAfter is how long the server asks to wait, 0 if it says nothing. A date is
// one by the server's own clock.
func retryAfter(r *http.Response) time.Duration {
	said := r.Header.Get("Retry-After")
	if date, err := http.ParseTime(said); err == nil {
		now, err := http.ParseTime(r.Header.Get("Date"))
		if err != nil {
			return longestRetry + time.Second // who knows
		}
		return max(0, date.Sub(now))
	}
	seconds, err := strconv.Atoi(said)
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(min(seconds, 1<<20)) * time.Second
}

// A StatusError is an answer that is none.
type StatusError struct {
	Code       int
	Text       string // of the body, its beginning
	RetryAfter time.Duration
}

func (e *StatusError) Error() string {
	text := fmt.Sprintf("%d %s", e.Code, http.StatusText(e.Code))
	if e.RetryAfter > 0 {
		text += fmt.Sprintf(", come again in %v", e.RetryAfter)
	}
	if e.Text != "" {
		text += ": " + e.Text
	}
	return text
}

// An Response is the body of an answer. Reading from it fails when nothing comes for
// too long. It has to be closed.
type Response struct {
	Type  string // of the content, without parameters
	body  io.ReadCloser
	ctx   context.Context // of the request, whose end the body is told of
	watch *IdleTimer
}

func (a *Response) Read(p []byte) (int, error) {
	n, err := a.body.Read(p)
	if n > 0 {
		a.watch.Touch()
	}
	if err != nil && err != io.EOF && a.ctx.Err() != nil {
		err = context.Cause(a.ctx)
	}
	return n, err
}

// Close ends the request.
func (a *Response) Close() error {
	a.watch.Stop()
	return a.body.Close()
}

// Get asks for path below the base. An answer other than 200 is a *StatusError.
func (c *Client) Get(ctx context.Context, path string, query url.Values, accept string) (*Response, error) {
	ctx, watch := c.options.WithIdleTimer(ctx)
	u := *c.base
	u.Path = strings.TrimSuffix(u.Path, "/") + path
	u.RawQuery = query.Encode()
	request, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		watch.Stop()
		return nil, err
	}
	for name, values := range c.options.Header {
		request.Header[name] = values
	}
	request.Header.Set("Accept", accept)
	response, err := c.http.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		watch.Stop()
		var u *url.Error
		if errors.As(err, &u) { // its URL has the whole question
			err = u.Err
		}
		return nil, err
	}
	watch.Touch()
	kind, _, _ := strings.Cut(response.Header.Get("Content-Type"), ";")
	a := &Response{Type: strings.ToLower(strings.TrimSpace(kind)), body: response.Body, ctx: ctx, watch: watch}
	if response.StatusCode == http.StatusOK {
		return a, nil
	}
	defer a.Close()
	const most = 2 << 10
	text, _ := io.ReadAll(io.LimitReader(a, most))
	said := c.options.Redact(strings.Join(strings.Fields(string(text)), " "))
	return nil, &StatusError{response.StatusCode, said, retryAfter(response)}
}
