package httpclient_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
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

// How long to wait may be said as a date.
func TestRetryAfterDate(t *testing.T) {
	times, err := asked(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		now := time.Now().Add(-24 * time.Hour).UTC() // by the server's clock
		w.Header().Set("Date", now.Format(http.TimeFormat))
		w.Header().Set("Retry-After", now.Add(time.Hour).Format(http.TimeFormat))
		w.WriteHeader(http.StatusTooManyRequests)
	})
	var status *httpclient.StatusError
	if !errors.As(err, &status) || times != 1 || status.RetryAfter < 50*time.Minute || status.RetryAfter > time.Hour {
		t.Errorf("asked %d times, error %v", times, err)
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
