package httpclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/buildregress/buildregress/detect/redact"
)

// A Client asks one server over HTTP. What it shows of itself goes to that server
// only: it follows no redirect elsewhere.
type Client struct {
	base    *url.URL
	options Options
	http    *retryablehttp.Client
}

// How often is waited for a server that is busy, and how often it may send us elsewhere.
const (
	maxRetries   = 3
	maxRedirects = 5
)

// NewClient asks the server at base, whose path stands in front of all others.
func NewClient(base *url.URL, o Options) (*Client, error) {
	tls, err := o.TLS()
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = tls
	dial := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &Conn{Conn: conn}, nil
	}
	c := retryablehttp.NewClient()
	c.Logger = nil
	c.RetryMax = maxRetries
	c.RetryWaitMin, c.RetryWaitMax = o.FirstBackoff(), 10*o.FirstBackoff()
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
	client := &Client{base: base, options: o, http: c}
	c.CheckRetry, c.Backoff = client.retry, client.backoff
	return client, nil
}

var errRedirected = errors.New("the server sends us elsewhere")

// retry tells whether to ask once more: after what passes by itself, if there is
// time for it.
func (c *Client) retry(ctx context.Context, r *http.Response, err error) (bool, error) {
	switch {
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case err != nil:
		return errors.Is(err, errnoRefused) || errors.Is(err, errnoReset), nil
	case r.StatusCode == http.StatusTooManyRequests, r.StatusCode == http.StatusBadGateway,
		r.StatusCode == http.StatusServiceUnavailable, r.StatusCode == http.StatusGatewayTimeout:
		wait, _ := retryAfter(r)
		return wait <= c.options.longestWait(), nil
	}
	return false, nil
}

// backoff is how long to wait before asking once more.
func (c *Client) backoff(least, most time.Duration, attempt int, r *http.Response) time.Duration {
	if r != nil {
		if wait, ok := retryAfter(r); ok {
			return wait
		}
	}
	return retryablehttp.DefaultBackoff(least, most, attempt, nil)
}

// retryAfter is what an answer asks for. By the clock of a server that tells no time
// it is never.
func retryAfter(r *http.Response) (time.Duration, bool) { return RetryAfter(r.Header, time.Time{}) }

// A StatusError is an answer that is none.
type StatusError struct {
	Code       int
	Text       string // of the body, its beginning, credentials masked
	RetryAfter time.Duration
}

func (e *StatusError) Error() string {
	text := fmt.Sprintf("%d %s", e.Code, http.StatusText(e.Code))
	if e.RetryAfter > 0 && e.RetryAfter < maxRetryAfter {
		text += fmt.Sprintf(", come again in %v", e.RetryAfter)
	}
	if e.Text != "" {
		text += ": " + e.Text
	}
	return text
}

// A Response is the body of an answer. Reading from it fails when nothing comes for
// too long. It has to be closed.
type Response struct {
	Type   string // of the content, without parameters
	Header http.Header
	body   io.ReadCloser
	ctx    context.Context // of the request, whose end the body is told of
	idle   *IdleTimer
}

func (r *Response) Read(p []byte) (int, error) {
	n, err := r.body.Read(p)
	if n > 0 {
		r.idle.Touch()
	}
	if err != nil && !errors.Is(err, io.EOF) && r.ctx.Err() != nil {
		err = context.Cause(r.ctx)
	}
	return n, err
}

// Close ends the request.
func (r *Response) Close() error {
	r.idle.Stop()
	return r.body.Close()
}

// Get asks for path below the base, written as in an address: what is no separator in it
// is escaped. An answer other than 200 is a *StatusError.
func (c *Client) Get(ctx context.Context, path string, query url.Values, accept string) (*Response, error) {
	ctx, idle := c.options.WithIdleTimer(ctx)
	u := *c.base
	u.RawPath = strings.TrimSuffix(u.EscapedPath(), "/") + path
	var err error
	if u.Path, err = url.PathUnescape(u.RawPath); err != nil {
		idle.Stop()
		return nil, err
	}
	u.RawQuery = query.Encode()
	var conn atomic.Pointer[Conn]
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
		plain, _ := got.Conn.(*Conn) // of TLS it is another
		conn.Store(plain)
	}})
	request, err := retryablehttp.NewRequestWithContext(traced, http.MethodGet, u.String(), nil)
	if err != nil {
		idle.Stop()
		return nil, err
	}
	maps.Copy(request.Header, c.options.Header)
	request.Header.Set("Accept", accept)
	response, err := c.http.Do(request) //nolint:bodyclose // the Response that is returned closes it
	if err != nil {
		err = bareError(ctx, err, conn.Load())
		idle.Stop()
		return nil, err
	}
	idle.Touch()
	contentType, _, _ := strings.Cut(response.Header.Get("Content-Type"), ";")
	r := &Response{Type: strings.ToLower(strings.TrimSpace(contentType)), Header: response.Header, body: response.Body, ctx: ctx, idle: idle}
	if response.StatusCode == http.StatusOK {
		return r, nil
	}
	defer r.Close()
	const most = 2 << 10
	text, _ := io.ReadAll(io.LimitReader(r, most))
	shown := redact.Text(c.options.Redact(strings.Join(strings.Fields(strings.ToValidUTF8(string(text), "\uFFFD")), " ")))
	wait, _ := retryAfter(response)
	return nil, &StatusError{response.StatusCode, shown, wait}
}

// bareError is why a request failed, without its URL, which has the whole question.
func bareError(ctx context.Context, err error, conn *Conn) error {
	var u *url.Error
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case conn != nil && len(conn.First()) > 0 && !conn.SpeaksHTTP():
		return ErrNotHTTP
	case errors.As(err, &u):
		return u.Err
	}
	return err
}
