// Package httpclient says how servers are reached: what is trusted, what a client shows
// of itself, and how long a server may keep silent.
package httpclient

import (
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
	// Silence is how long a server may send nothing; 0 is the default.
	Silence time.Duration
}

// DefaultSilence is how long a server may send nothing while it is asked.
const DefaultSilence = 25 * time.Second

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

// ErrSilent is why a request ended on which nothing came for too long.
var ErrSilent = errors.New("no answer")

// A Watch ends a request when nothing is heard for too long.
type Watch struct {
	timer *time.Timer
	limit time.Duration
	stop  context.CancelCauseFunc
}

// NewWatch returns a context that ends when nothing is heard for as long as o
// allows, and what is to be told of each sign of life.
func (o *Options) NewWatch(ctx context.Context) (context.Context, *Watch) {
	limit := o.Silence
	if limit <= 0 {
		limit = DefaultSilence
	}
	ctx, stop := context.WithCancelCause(ctx)
	w := &Watch{limit: limit, stop: stop}
	w.timer = time.AfterFunc(limit, func() { stop(fmt.Errorf("%w for %v", ErrSilent, limit)) })
	return ctx, w
}

// Heard tells that something came.
func (w *Watch) Heard() { w.timer.Reset(w.limit) }

// End ends the watch, and what still uses its context.
func (w *Watch) End() {
	w.timer.Stop()
	w.stop(nil)
}
