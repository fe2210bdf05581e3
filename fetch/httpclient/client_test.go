package httpclient_test

import (
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/buildregress/buildregress/fetch/httpclient"
)

// asked asks a server that answers by handler, and returns how often
// it was asked, and the error.
func asked(t *testing.T, header http.Header, handler http.HandlerFunc) (times int, err error) {
	t.Helper()
	var count atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		count.Add(1)
		handler(w, r)
	}))
	defer s.Close()
	base, _ := url.Parse(s.URL)
	c, err := httpclient.NewClient(base, httpclient.Options{IdleTimeout: 20 * time.Second, Header: header})
	if err != nil {
		t.Fatal(err)
	}
	a, err := c.Get(t.Context(), "/x", nil, "application/json")
	if err == nil {
		a.Close()
	}
	return int(count.Load()), err
}

// A server that sends us round in circles is left soon, and one that sends us away
// is not followed.
func TestRedirects(t *testing.T) {
	times, err := asked(t, nil, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusFound) })
	if err == nil || times > 20 {
		t.Errorf("asked %d times, error %v", times, err)
	}
	away := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("followed, with %v", r.Header)
	}))
	defer away.Close()
	_, err = asked(t, http.Header{"Authorization": {"Bearer abcdefghij"}}, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, away.URL, http.StatusTemporaryRedirect)
	})
	if err == nil || !strings.Contains(err.Error(), "sends us elsewhere") {
		t.Errorf("error %v", err)
	}
}

// How long to wait is said in seconds, or as a date by the server's clock.
func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	for _, tt := range []struct {
		after, date string
		want        time.Duration
		ok          bool
	}{
		{"", "", 0, false},
		{"0", "", 0, true},
		{"90", "", 90 * time.Second, true},
		{"90", at(-time.Hour), 90 * time.Second, true},
		{"-1", "", 0, false},
		{"soon", "", 0, false},
		{"99999999999", "", 1 << 20 * time.Second, true},
		{"999999999999999999999999", "", 0, false},
		{at(time.Hour), "", time.Hour, true},
		{at(-time.Hour), "", 0, true},
		{at(time.Hour), at(59 * time.Minute), time.Minute, true},
		{at(-23 * time.Hour), at(-24 * time.Hour), time.Hour, true},
		{at(time.Hour), "today", time.Hour, true},
		{at(100_000 * time.Hour), "", 1 << 20 * time.Second, true},
	} {
		h := http.Header{}
		h.Set("Retry-After", tt.after)
		h.Set("Date", tt.date)
		if got, ok := httpclient.RetryAfter(h, now); got != tt.want || ok != tt.ok {
			t.Errorf("Retry-After %q, Date %q: %v, %v; want %v, %v", tt.after, tt.date, got, ok, tt.want, tt.ok)
		}
	}
}

// A server that asks for more patience than there is, is not asked again.
func TestLongRetryAfter(t *testing.T) {
	times, err := asked(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC) // by the server's clock
		w.Header().Set("Date", now.Format(http.TimeFormat))
		w.Header().Set("Retry-After", now.Add(time.Hour).Format(http.TimeFormat))
		w.WriteHeader(http.StatusTooManyRequests)
	})
	var status *httpclient.StatusError
	if !errors.As(err, &status) || times != 1 || status.RetryAfter != time.Hour {
		t.Errorf("asked %d times, error %v", times, err)
	}
}

// quiet takes what servers say of clients that go away.
var quiet = log.New(io.Discard, "", 0)

// caOf writes what a client must trust to trust s.
func caOf(t *testing.T, s *httptest.Server) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// What a server says is foreign: what reads like a secret in it is masked, whoever's
// it is.
func TestForeignSecrets(t *testing.T) {
	_, err := asked(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte("DB_PASSWORD=hunter2secret is set"))
	})
	if err == nil || !strings.Contains(err.Error(), "DB_PASSWORD=***** is set") {
		t.Errorf("error %v", err)
	}
}

// A server that repeats what it was sent does not have it shown.
func TestNoEchoOfSecrets(t *testing.T) {
	const secret = "hunter2hunter2"
	for _, value := range []string{"Bearer " + secret, "Key " + secret, secret, "Basic " + base64.StdEncoding.EncodeToString([]byte("me:"+secret))} {
		_, err := asked(t, http.Header{"Authorization": {value}}, func(w http.ResponseWriter, r *http.Request) {
			said := r.Header.Get("Authorization")
			_, credentials, _ := strings.Cut(said, " ")
			_, password, _ := r.BasicAuth()
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte("who is " + said + "? or " + credentials + ", or " + password))
		})
		if err == nil || !strings.Contains(err.Error(), "who is") {
			t.Fatalf("error %v", err)
		}
		if text := err.Error(); strings.Contains(text, secret) || strings.Contains(text, strings.TrimPrefix(value, "Basic ")) {
			t.Errorf("%s: shown in %q", value, text)
		}
	}
}
