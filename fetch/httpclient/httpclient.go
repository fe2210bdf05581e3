// Package httpclient says how servers are reached: what is trusted, what a client shows
// of itself, and how long a server may keep silent.
package httpclient

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"
)

// Options are those of a connection. Its zero value trusts what the system trusts
// and shows nothing.
type Options struct {
	CAFile            string // PEM, instead of what the system trusts
	CertFile, KeyFile string // PEM, for servers that ask who we are
	ServerName        string // in the certificate, if it is not the host
	Insecure          bool   // the server's certificate is not looked at
	Header            http.Header
	// IdleTimeout is how long a server may send nothing; 0 is the default.
	IdleTimeout time.Duration
	Backoff     time.Duration // before a request is first repeated; 0 is the default
	// LongestWait is how long a server that is busy may ask us to wait before it is asked
	// once more; 0 is the default.
	LongestWait time.Duration
}

// DefaultBackoff is how long to wait before a request is first repeated.
const DefaultBackoff = 200 * time.Millisecond

// FirstBackoff is how long to wait before a request is first repeated.
func (o *Options) FirstBackoff() time.Duration { return cmp.Or(o.Backoff, DefaultBackoff) }

// DefaultLongestWait is how long a server that is busy may ask us to wait.
const DefaultLongestWait = 5 * time.Second

func (o *Options) longestWait() time.Duration { return cmp.Or(o.LongestWait, DefaultLongestWait) }

// DefaultIdleTimeout is how long a server may send nothing while it is asked.
const DefaultIdleTimeout = 25 * time.Second

// TLS is the configuration of encrypted connections.
func (o *Options) TLS() (*tls.Config, error) {
	c := &tls.Config{ServerName: o.ServerName, InsecureSkipVerify: o.Insecure, MinVersion: tls.VersionTLS12}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("CA certificates: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("CA certificates: %s holds none in PEM", o.CAFile)
		}
	}
	if o.CertFile != "" || o.KeyFile != "" {
		pair, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("client certificate: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// ErrIdle is why a request ended on which nothing came for too long.
var ErrIdle = errors.New("no answer")

// An IdleTimer ends a request when nothing is heard for too long.
type IdleTimer struct {
	timer *time.Timer
	limit time.Duration
	stop  context.CancelCauseFunc
}

// WithIdleTimer returns a context that ends when nothing is heard for as long as o
// allows, and what is to be told of each sign of life.
func (o *Options) WithIdleTimer(ctx context.Context) (context.Context, *IdleTimer) {
	limit := o.IdleTimeout
	if limit <= 0 {
		limit = DefaultIdleTimeout
	}
	ctx, stop := context.WithCancelCause(ctx)
	t := &IdleTimer{limit: limit, stop: stop}
	t.timer = time.AfterFunc(limit, func() { stop(fmt.Errorf("%w for %v", ErrIdle, limit)) })
	return ctx, t
}

// Touch tells that something came.
func (t *IdleTimer) Touch() { t.timer.Reset(t.limit) }

// Stop ends the timer, and what still uses its context.
func (t *IdleTimer) Stop() {
	t.timer.Stop()
	t.stop(nil)
}
