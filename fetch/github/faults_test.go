package github

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/github/githubtest"
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
		githubtest.Refuse(w, status, "it says why")
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
	later := fmt.Sprint(time.Now().Add(30 * time.Minute).Unix())
	for _, test := range []struct {
		name      string
		fault     func(http.ResponseWriter, *http.Request) bool // of the API
		blobFault func(http.ResponseWriter, *http.Request) bool
		base      int    // builds of the baseline
		note      string // in the notes, "" for none
		err       string // in the error
		is        error
	}{
		{name: "runs: 401", fault: refusing("/workflows/", 401), err: "valid one (401: it says why)", is: ErrDenied},
		{name: "runs: 403", fault: refusing("/workflows/", 403), err: "not allowed by the token (403: it says why)", is: ErrDenied},
		{name: "runs: 404", fault: refusing("/workflows/", 404), err: "does not exist, or the token may not see it", is: ErrDenied},
		{name: "runs: 422", fault: refusing("/workflows/", 422), err: "GitHub answers 422: it says why"},
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
		}, note: "no successful run"},
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
		{name: "download: 401", fault: refusing("/zip", 401), err: "not allowed by the token", is: ErrDenied},
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
			s := githubtest.New(t)
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
			notes := strings.Join(h.Notes, "\n")
			tellsNothing(t, notes)
			if len(h.Base) != test.base || !strings.Contains(notes, test.note) || test.note == "" && notes != "" {
				t.Errorf("%d builds, %q, want %d, %q", len(h.Base), notes, test.base, test.note)
			}
		})
	}
}

// tellsNothing checks that no secret is in a text.
func tellsNothing(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{githubtest.Token, "sig=", "secret"} {
		if strings.Contains(text, secret) {
			t.Errorf("a secret in %q", text)
		}
	}
}

// The token goes to the API and nowhere else, wherever that sends us.
func TestTokenStays(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Errorf("%s was sent %q", r.URL, r.Header.Get("Authorization"))
		}
		githubtest.Refuse(w, 404, "Not Found")
	}))
	defer elsewhere.Close()
	for _, path := range []string{"/workflows/", "/actions/artifacts", "/zip"} {
		for _, status := range []int{301, 302, 307, 308} {
			s := githubtest.New(t)
			addMain(t, s, 0, 2)
			r := OpenRecords(options(t, s, pull(t, s).GetID()))
			q := query(t, r)
			s.Fault = func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.Contains(r.URL.Path, path) {
					return false
				}
				http.Redirect(w, r, elsewhere.URL+r.URL.Path, status)
				return true
			}
			h, err := r.History(t.Context(), q)
			if err == nil && len(h.Base) > 0 {
				t.Errorf("%s, %d: %d builds", path, status, len(h.Base))
			}
			tellsNothing(t, fmt.Sprint(h, err))
		}
	}
}

// Where a download is sent to carries a signature, readable or not.
func TestSignaturesStay(t *testing.T) {
	const broken = "http://no host/%zz?sig=secret"
	for name, redirect := range map[string]func(s *githubtest.Server) *func(http.ResponseWriter, *http.Request) bool{
		"by the API":        func(s *githubtest.Server) *func(http.ResponseWriter, *http.Request) bool { return &s.Fault },
		"by the blob store": func(s *githubtest.Server) *func(http.ResponseWriter, *http.Request) bool { return &s.BlobFault },
	} {
		for _, to := range []string{broken, "http://127.0.0.1:1/a?sig=secret", "ftp://host.invalid/a?sig=secret", "/\x00?sig=secret"} {
			s := githubtest.New(t)
			addMain(t, s, 0, 1)
			r := OpenRecords(options(t, s, pull(t, s).GetID()))
			q := query(t, r)
			*redirect(s) = func(w http.ResponseWriter, r *http.Request) bool {
				if name == "by the API" && !strings.HasSuffix(r.URL.Path, "/zip") {
					return false
				}
				w.Header().Set("Location", to)
				w.WriteHeader(http.StatusFound)
				return true
			}
			h, err := r.History(t.Context(), q)
			if err != nil || len(h.Base) > 0 || len(h.Notes) == 0 {
				t.Errorf("%s, %s: %+v, %v", name, to, h, err)
			}
			tellsNothing(t, fmt.Sprint(h, err))
		}
	}
}

// What an artifact holds can be anything.
func TestArtifacts(t *testing.T) {
	zipped := func(name string, content []byte) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		f, err := z.Create(name)
		if err == nil {
			_, err = f.Write(content)
		}
		if err = errors.Join(err, z.Close()); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	var bomb bytes.Buffer
	g, _ := gzip.NewWriterLevel(&bomb, gzip.BestSpeed)
	for range 200 {
		g.Write(make([]byte, 1<<20))
	}
	g.Close()
	for _, test := range []struct {
		name    string
		content []byte
		edit    func(*gh.Artifact)
		base    int
		note    string
		gets    int
	}{
		{name: "record", content: recording(t, 0), base: 1, gets: 1},
		{name: "zipped", content: zipped("a.dockerbuild", recording(t, 0)), base: 1, gets: 1},
		{name: "zipped, on its way up", content: zipped("../../../etc/a.dockerbuild", recording(t, 0)), base: 1, gets: 1},
		{name: "zip bomb", content: zipped("a", bomb.Bytes()), note: "1 no build record", gets: 1},
		{name: "not a record", content: []byte("hello"), note: "1 no build record", gets: 1},
		{name: "cut in two", content: recording(t, 0)[:5000], note: "1 no build record", gets: 1},
		{name: "empty", content: []byte{}, note: "1 no build record", gets: 1},
		{name: "expired", content: recording(t, 0), edit: func(a *gh.Artifact) { a.Expired = gh.Bool(true) }, note: "1 expired"},
		{name: "200 MB", content: []byte("x"), edit: func(a *gh.Artifact) { a.SizeInBytes = gh.Int64(200 << 20) }, note: "1 larger than 32 MiB"},
		{name: "of another name", content: recording(t, 0), edit: func(a *gh.Artifact) { a.Name = gh.String("coverage") }, note: "no build record is among"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := githubtest.New(t)
			run := s.AddRun(githubtest.Run{Created: began})
			a := s.AddArtifact(run, "shop~app~AAAAAA.dockerbuild", test.content)
			if test.edit != nil {
				test.edit(a)
			}
			o := options(t, s, pull(t, s).GetID())
			o.Shelf = &shelf{}
			for range 2 {
				h, err := history(t, o)
				if err != nil {
					t.Fatal(err)
				}
				if notes := strings.Join(h.Notes, "\n"); len(h.Base) != test.base || !strings.Contains(notes, test.note) || test.note == "" && notes != "" {
					t.Errorf("%d builds, %q", len(h.Base), notes)
				}
			}
			if n := s.Gets() - 1; n != test.gets {
				t.Errorf("%d downloads, want %d", n, test.gets)
			}
		})
	}
}

// An artifact of 200 MB that passes for a small one is not read to its end.
func TestLargerThanItSays(t *testing.T) {
	for _, header := range []string{"Content-Length", "X-Nothing"} {
		s := githubtest.New(t)
		run := s.AddRun(githubtest.Run{Created: began})
		s.AddArtifact(run, "shop~app~AAAAAA.dockerbuild", []byte("x"))
		r := OpenRecords(options(t, s, pull(t, s).GetID()))
		q := query(t, r)
		var sent atomic.Int64
		s.BlobFault = func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set(header, fmt.Sprint(200<<20))
			part := make([]byte, 1<<20)
			for range 200 {
				n, err := w.Write(part)
				if sent.Add(int64(n)); err != nil {
					break
				}
			}
			return true
		}
		h, err := r.History(t.Context(), q)
		if err != nil || len(h.Base) > 0 || !strings.Contains(strings.Join(h.Notes, "\n"), "1 larger than 32 MiB") {
			t.Errorf("%d builds, %q, %v", len(h.Base), h.Notes, err)
		}
		if sent.Load() > 60<<20 {
			t.Errorf("%d MB were taken", sent.Load()>>20)
		}
	}
}

// Artifacts that are each as large as one may be are not all held, and those of a
// pull request do not take the room of the base's.
func TestTooMuchInAll(t *testing.T) {
	s := githubtest.New(t)
	addMain(t, s, 0, 3)
	run := pull(t, s)
	steps := strings.Repeat(`{"name":"RUN a","duration_seconds":1},`, 99) + `{"name":"RUN b","duration_seconds":1}`
	for n := range 8 {
		s.AddArtifact(run, fmt.Sprintf("buildregress-%d", n), fmt.Appendf(nil, `{"id":"%d","start":"2026-01-02T03:04:05Z","steps":[%s]}`, n, steps))
	}
	r := OpenRecords(options(t, s, run.GetID()))
	r.most = 500
	builds, problems, err := r.Builds(t.Context(), fetch.Want{})
	if err != nil || len(builds) > 6 || len(problems) < 3 || !errors.Is(problems[0], errTooMany) {
		t.Errorf("%d builds, %v, %v", len(builds), problems, err)
	}
	q := fetch.Query{Build: &builds[0], BaseBranch: "main", BaseRepository: "shop/app", Window: 50, Enough: 8}
	q.Build.PullRequest, q.Build.Start = "7", time.Now()
	r.Pipeline = "named by hand" // so that nothing is left out for its name
	h, err := r.History(t.Context(), q)
	if err != nil || !strings.Contains(strings.Join(h.Notes, "; "), errTooMany.Error()) || strings.Contains(strings.Join(h.Notes, "; "), "not read") {
		t.Errorf("%+v, %v", h, err)
	}
	for _, a := range s.Artifacts[:3] {
		if len(r.read[a.GetID()].builds) != 1 {
			t.Errorf("%s of the base is left out", a.GetName())
		}
	}
}

// A timed context is one whose time is over when over is closed.
type timed struct {
	context.Context
	over chan struct{}
}

func (c timed) Done() <-chan struct{} { return c.over }

func (c timed) Err() error {
	select {
	case <-c.over:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// A countdown is a shelf that closes over when it was given so many things.
type countdown struct {
	shelf
	left atomic.Int32
	over chan struct{}
}

func (c *countdown) Keep(ctx context.Context, origin, id string, list []detect.Build) error {
	if c.left.Add(-1) == 0 {
		defer close(c.over)
	}
	return c.shelf.Keep(ctx, origin, id, list)
}

// When the time is up, there is a smaller history and no error; the caller's own
// end is one.
func TestSlowServer(t *testing.T) {
	s := githubtest.New(t)
	addMain(t, s, 0, 20)
	r := OpenRecords(options(t, s, pull(t, s).GetID()))
	q := query(t, r)
	over := make(chan struct{})
	r.limit = func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithCancel(timed{ctx, over})
	}
	kept := &countdown{over: over}
	kept.left.Store(5)
	r.Shelf = kept
	var n atomic.Int32
	s.BlobFault = func(w http.ResponseWriter, r *http.Request) bool {
		if n.Add(1) <= 5 {
			return false
		}
		<-r.Context().Done()
		return true
	}
	h, err := r.History(t.Context(), q)
	if err != nil || len(h.Base) != 5 || !strings.Contains(strings.Join(h.Notes, "\n"), "the time for it was over (15 artifacts not read)") {
		t.Fatalf("%v, %+v", err, h)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := r.History(ended, q); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// Some of the time is left for the judgement.
func TestReserve(t *testing.T) {
	r := OpenRecords(Options{Reserve: time.Minute})
	outer, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	inner, cancel := r.limit(outer)
	defer cancel()
	end, _ := outer.Deadline()
	if early, ends := inner.Deadline(); !ends || end.Sub(early) != time.Minute {
		t.Errorf("it ends at %v, %v", early, ends)
	}
}

// A download that never ends is left out, and the others are had.
func TestStalledDownload(t *testing.T) {
	t.Parallel()
	s := githubtest.New(t)
	addMain(t, s, 0, 10)
	r := OpenRecords(options(t, s, pull(t, s).GetID()))
	q := query(t, r)
	r.patience = 5 * time.Second
	stalled := fmt.Sprint("/", s.Artifacts[3].GetID())
	s.BlobFault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != stalled {
			return false
		}
		w.Write([]byte("\x1f\x8b"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	}
	h, err := r.History(t.Context(), q)
	if err != nil || len(h.Base) != 9 || !strings.Contains(strings.Join(h.Notes, "\n"), "1 could not be had (not there after 5s)") {
		t.Errorf("%v, %+v", err, h)
	}
}

// A full shelf can be read.
type full struct{ shelf }

func (*full) Keep(context.Context, string, string, []detect.Build) error {
	return errors.New("disk full")
}

// A shelf in trouble costs time, and no builds.
func TestBrokenShelf(t *testing.T) {
	s := githubtest.New(t)
	addMain(t, s, 0, 10)
	o := options(t, s, pull(t, s).GetID())
	r := OpenRecords(o)
	q := query(t, r)
	for _, broken := range []fetch.Shelf{&shelf{fail: errors.New("disk full")}, &full{}} {
		r := OpenRecords(o)
		r.Shelf = broken
		h, err := r.History(t.Context(), q)
		if err != nil || len(h.Base) != 10 || !strings.Contains(strings.Join(h.Notes, "\n"), "disk full") {
			t.Errorf("%v, %+v", err, h)
		}
	}
}

// A request that changes something is not made twice because nobody knows whether
// it was done.
func TestDeedsAreNotRepeated(t *testing.T) {
	s := githubtest.New(t)
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
		s.Calls()
		c := options(t, s, 0).Client
		r, err := c.NewRequest(test.method, "repos/shop/app/issues/1/comments", map[string]string{"body": "x"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Do(t.Context(), r, nil); err == nil {
			t.Errorf("%s, %d: no error", test.method, test.status)
		}
		if n := len(s.Calls()); n != test.want {
			t.Errorf("%s, %d: %d requests, want %d", test.method, test.status, n, test.want)
		}
	}
}

// A repository that is gone, or was never there, is told as such.
func TestNoRepository(t *testing.T) {
	s := githubtest.New(t)
	o := options(t, s, 5)
	o.Name = "gone"
	_, _, err := OpenRecords(o).Builds(t.Context(), fetch.Want{})
	if !errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), "shop/gone: run 5") {
		t.Errorf("%v", err)
	}
	_, err = OpenRecords(o).History(t.Context(), fetch.Query{Build: &detect.Build{Start: time.Now()}, BaseBranch: "main", Window: 5})
	if !errors.Is(err, ErrDenied) {
		t.Errorf("%v", err)
	}
}
