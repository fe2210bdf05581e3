package github

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/testdata/githubtest"
)

// refusing refuses requests whose path holds a text.
func refusing(path string, status int, header ...string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, path) {
			return false
		}
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		githubtest.Refuse(w, status, "it says why, PASSWORD=hunter2secret")
		return true
	}
}

// first lets a fault befall only the first n requests that it is for.
func first(n int32, fault func(http.ResponseWriter, *http.Request) bool) func(http.ResponseWriter, *http.Request) bool {
	var had atomic.Int32
	return func(w http.ResponseWriter, r *http.Request) bool {
		if had.Add(1) > n { // faults may end by a panic
			return false
		}
		if !fault(w, r) {
			had.Add(-1)
			return false
		}
		return true
	}
}

// never is a fault that befalls nothing.
func never(http.ResponseWriter, *http.Request) bool { return false }

// cut sends the beginning of what was promised, and hangs up.
func cut(w http.ResponseWriter, r *http.Request) bool {
	w.Header().Set("Content-Length", "5000")
	w.Write(make([]byte, 700))
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

// Whatever GitHub answers, the check goes on with what could be had and says so,
// or says what to do about it; it neither hangs nor tells secrets.
func TestFaults(t *testing.T) {
	later := fmt.Sprint(clock().Add(30 * time.Minute).Unix())
	for _, test := range []struct {
		name      string
		fault     func(http.ResponseWriter, *http.Request) bool // of the API
		blobFault func(http.ResponseWriter, *http.Request) bool
		base      int    // builds of the baseline
		note      string // in the notes, "" for none
		err       string // in the error
		is        error
	}{
		{name: "runs: 401", fault: refusing("/workflows/", 401), err: "GitHub does not know the token (401: it says why, PASSWORD=*****)", is: ErrDenied},
		{name: "runs: 403", fault: refusing("/workflows/", 403), err: "not allowed by the token (403: it says why, PASSWORD=*****)", is: ErrDenied},
		{name: "runs: 404", fault: refusing("/workflows/", 404), err: "does not exist, or the token may not see it", is: ErrDenied},
		{name: "runs: 422", fault: refusing("/workflows/", 422), err: "GitHub answers 422: it says why, PASSWORD=*****"},
		{name: "runs: 500", fault: refusing("/workflows/", 500), err: "GitHub answers 500"},
		{name: "runs: 502 twice", fault: first(2, refusing("/workflows/", 502)), base: 10},
		{name: "runs: 429, soon", fault: first(1, refusing("/workflows/", 429, "Retry-After", "0")), base: 10},
		{name: "runs: 403, soon", fault: first(1, refusing("/workflows/", 403, "Retry-After", "0")), base: 10},
		{name: "runs: 429, in an hour", fault: refusing("/workflows/", 429, "Retry-After", "3600"), note: "rate limit is used up until"},
		{name: "runs: 429, at no time", fault: refusing("/workflows/", 429), note: "rate limit is used up"},
		{name: "runs: none left", fault: refusing("/workflows/", 403, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", later), note: "rate limit is used up until"},
		{name: "artifacts: none left", fault: refusing("/actions/artifacts", 403, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", later), note: "rate limit is used up until"},
		{name: "runs: too many, in words", fault: func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "/workflows/") {
				return false
			}
			w.WriteHeader(403)
			io.WriteString(w, `{"message":"slow down","documentation_url":"https://docs.github.com/rest/overview#secondary-rate-limits"}`)
			return true
		}, note: "rate limit is used up"},
		{name: "artifacts: 403", fault: refusing("/actions/artifacts", 403), err: "not allowed by the token (403", is: ErrDenied},
		{name: "null", fault: func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "/workflows/") {
				return false
			}
			io.WriteString(w, "null")
			return true
		}, err: "GitHub answers null"},
		{name: "artifacts: null", fault: func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "/actions/artifacts") {
				return false
			}
			io.WriteString(w, `{"artifacts":[null,{},{"workflow_run":null,"name":null}]}`)
			return true
		}, note: "no build record is among"},
		{name: "runs of null", fault: func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "/workflows/") {
				return false
			}
			io.WriteString(w, `{"workflow_runs":[null,{"head_repository":null,"event":"push","head_branch":"main","conclusion":"success"}]}`)
			return true
		}, note: "GitHub knows no run"},
		{name: "no JSON", fault: func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "/workflows/") {
				return false
			}
			io.WriteString(w, "<html>")
			return true
		}, err: "invalid character"},
		{name: "endless answer", fault: func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "/workflows/") {
				return false
			}
			io.WriteString(w, `{"workflow_runs":["`)
			for i := 0; i < 40<<20 && r.Context().Err() == nil; i += 1 << 20 {
				w.Write(bytes.Repeat([]byte("x"), 1<<20))
			}
			return true
		}, err: "larger than 20 MiB"},
		{name: "download: 401", fault: refusing("/zip", 401), err: "does not know the token", is: ErrDenied},
		{name: "download: 403, once", fault: first(1, refusing("/zip", 403)), base: 9, note: "1 could not be had"},
		{name: "download: 404", fault: refusing("/zip", 404), note: "10 could not be had (shop/app: artifact"},
		{name: "download: 410", fault: refusing("/zip", 410), note: "10 expired"},
		{name: "download: a limit after three", fault: func() func(http.ResponseWriter, *http.Request) bool {
			var n atomic.Int32
			limit := refusing("/zip", 429, "Retry-After", "3600")
			return func(w http.ResponseWriter, r *http.Request) bool {
				return strings.Contains(r.URL.Path, "/zip") && n.Add(1) > 3 && limit(w, r)
			}
		}(), base: 3, note: "artifacts not read"},
		{name: "download: redirected", fault: func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "/zip") || strings.Contains(r.URL.RawQuery, "moved") {
				return false
			}
			http.Redirect(w, r, r.URL.Path+"?moved", http.StatusMovedPermanently)
			return true
		}, base: 10},
		{name: "runs: redirected", fault: func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "/workflows/") || strings.Contains(r.URL.RawQuery, "moved") {
				return false
			}
			http.Redirect(w, r, r.URL.Path+"?moved&"+r.URL.RawQuery, http.StatusMovedPermanently)
			return true
		}, base: 10},
		{name: "blobs: 403", blobFault: refusing("", 403), note: "10 could not be had"},
		{name: "blobs: 404", blobFault: refusing("", 404), note: "10 expired"},
		{name: "blobs: 500 once", blobFault: first(1, refusing("", 500)), base: 10},
		{name: "blobs: 503, soon", blobFault: first(1, refusing("", 503, "Retry-After", "0")), base: 10},
		{name: "blobs: cut once", blobFault: first(1, cut), base: 10},
		{name: "blobs: cut for ever", blobFault: cut, note: "10 could not be had"},
		{name: "blobs: round and round", blobFault: func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, r.URL.String(), http.StatusFound)
			return true
		}, note: "10 could not be had"},
		{name: "blobs: a page in place of it", blobFault: func(w http.ResponseWriter, r *http.Request) bool {
			io.WriteString(w, "<!doctype html><title>Log in</title>")
			return true
		}, note: "10 no build record"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := githubtest.New(t, clock)
			addMain(t, s, 0, 10)
			r := OpenRecords(options(t, s, pull(t, s).GetID()))
			q := query(t, r)
			if s.Fault = test.fault; test.fault == nil {
				s.Fault = never
			}
			s.BlobFault = test.blobFault
			h, err := r.History(t.Context(), q)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) || test.is != nil && !errors.Is(err, test.is) {
					t.Errorf("%v, want %s", err, test.err)
				}
				tellsNothing(t, fmt.Sprint(err))
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			notes := fmt.Sprint(h.Notes)
			tellsNothing(t, notes)
			if len(h.Base) != test.base || !strings.Contains(notes, test.note) || test.note == "" && len(h.Notes) > 0 {
				t.Errorf("%d builds, %q, want %d, %q", len(h.Base), notes, test.base, test.note)
			}
		})
	}
}

// A full cache can be read.
type full struct{ memoryCache }

func (*full) Put(context.Context, string, string, []timeline.Build) error {
	return errors.New("disk full")
}

// A cache that fails costs time, and no builds.
func TestBrokenCache(t *testing.T) {
	s := githubtest.New(t, clock)
	addMain(t, s, 0, 10)
	o := options(t, s, pull(t, s).GetID())
	r := OpenRecords(o)
	q := query(t, r)
	for _, broken := range []fetch.Cache{&memoryCache{fail: errors.New("disk full")}, &full{}} {
		r := OpenRecords(o)
		r.Cache = broken
		h, err := r.History(t.Context(), q)
		if err != nil || len(h.Base) != 10 || !strings.Contains(fmt.Sprint(h.Notes), "disk full") {
			t.Errorf("%v, %+v", err, h)
		}
	}
}

// A request that changes something is not made twice because nobody knows whether
// it was done.
func TestDeedsAreNotRepeated(t *testing.T) {
	s := githubtest.New(t, clock)
	for _, test := range []struct {
		method string
		status int
		header []string
		want   int
	}{
		{"GET", 500, nil, 1 + maxRepeats},
		{"POST", 500, nil, 1},
		{"PATCH", 500, nil, 1},
		{"POST", 429, []string{"Retry-After", "0"}, 1 + maxRepeats},
		{"POST", 403, nil, 1},
	} {
		s.Fault = refusing("", test.status, test.header...)
		s.Requests()
		c := options(t, s, 0).Client
		r, err := c.NewRequest(test.method, "repos/shop/app/issues/1/comments", map[string]string{"body": "x"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Do(t.Context(), r, nil); err == nil {
			t.Errorf("%s, %d: no error", test.method, test.status)
		}
		if n := len(s.Requests()); n != test.want {
			t.Errorf("%s, %d: %d requests, want %d", test.method, test.status, n, test.want)
		}
	}
}

// A repository that is gone, or was never there, is told as such.
func TestNoRepository(t *testing.T) {
	s := githubtest.New(t, clock)
	o := options(t, s, 5)
	o.Name = "gone"
	_, _, err := OpenRecords(o).Builds(t.Context(), fetch.Selector{})
	if !errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), "shop/gone: run 5") {
		t.Errorf("%v", err)
	}
	_, err = OpenRecords(o).History(t.Context(), fetch.Query{Build: &timeline.Build{Start: clock()}, BaseBranch: "main", Window: 5})
	if !errors.Is(err, ErrDenied) {
		t.Errorf("%v", err)
	}
}

// What stands in the way says what people can do about it, however it is wrapped.
func TestHints(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string
	}{
		{errRefused, "permissions: actions: read"},
		{errBadToken, "expired"},
		{&LimitError{}, "a token has more requests"},
		{ErrNoRecords, "within the job give buildx:"},
	} {
		var hinted interface{ Hint() string }
		if err := fmt.Errorf("shop/app: %w", test.err); !errors.As(err, &hinted) || !strings.Contains(hinted.Hint(), test.want) {
			t.Errorf("%v: no hint with %q", err, test.want)
		}
	}
	if !errors.Is(errRefused, ErrDenied) || !errors.Is(errBadToken, errRefused) || !errors.Is(ErrNoRecords, fetch.ErrNoBuilds) {
		t.Error("an error is not what it was")
	}
}
