package github

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	gh "github.com/google/go-github/v60/github"

	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/testdata/githubtest"
)

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
		{name: "expired", content: recording(t, 0), edit: func(a *gh.Artifact) { a.Expired = new(true) }, note: "1 expired"},
		{name: "200 MB", content: []byte("x"), edit: func(a *gh.Artifact) { a.SizeInBytes = gh.Int64(200 << 20) }, note: "1 larger than 32 MiB"},
		{name: "of another name", content: recording(t, 0), edit: func(a *gh.Artifact) { a.Name = new("coverage") }, note: "no build record is among"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := githubtest.New(t, clock)
			run := s.AddRun(githubtest.Run{Created: began})
			a := s.AddArtifact(run, "shop~app~AAAAAA.dockerbuild", test.content)
			if test.edit != nil {
				test.edit(a)
			}
			o := options(t, s, pull(t, s).GetID())
			o.Cache = &memoryCache{}
			for range 2 {
				h, err := history(t, o)
				if err != nil {
					t.Fatal(err)
				}
				if notes := fmt.Sprint(h.Notes); len(h.Base) != test.base || !strings.Contains(notes, test.note) || test.note == "" && len(h.Notes) > 0 {
					t.Errorf("%d builds, %q", len(h.Base), notes)
				}
			}
			if n := s.Gets() - 1; n != test.gets {
				t.Errorf("%d downloads, want %d", n, test.gets)
			}
		})
	}
}

// What another version read of artifacts is read anew where they are there, and else used
// as it is, and not asked for again.
func TestOlderReader(t *testing.T) {
	s := githubtest.New(t, clock)
	addMain(t, s, 0, 10)
	o := options(t, s, pull(t, s).GetID())
	cache := &memoryCache{}
	o.Cache = cache
	if h, err := history(t, o); err != nil || len(h.Base) != 10 {
		t.Fatalf("%v, %v", h, err)
	}
	cache.age()
	for i, a := range s.Artifacts[:4] {
		if i < 3 {
			a.Expired = new(true)
			continue
		}
		s.Fault = refusing(fmt.Sprintf("/artifacts/%d/zip", a.GetID()), http.StatusGone)
	}
	for _, want := range []int{7, 0} { // the pull request's own too
		before := s.Gets()
		h, err := history(t, o)
		if err != nil || len(h.Base) != 10 || len(h.Notes) > 0 {
			t.Fatalf("%d builds, %q, %v; want 10", len(h.Base), h.Notes, err)
		}
		if n := s.Gets() - before; n != want {
			t.Errorf("%d downloads, want %d", n, want)
		}
	}
}

// An artifact of 200 MB that passes for a small one is not read to its end.
func TestLargerThanItSays(t *testing.T) {
	for _, header := range []string{"Content-Length", "X-Nothing"} {
		s := githubtest.New(t, clock)
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
		if err != nil || len(h.Base) > 0 || !strings.Contains(fmt.Sprint(h.Notes), "1 larger than 32 MiB") {
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
	s := githubtest.New(t, clock)
	addMain(t, s, 0, 3)
	run := pull(t, s)
	steps := strings.Repeat(`{"name":"RUN a","duration_seconds":1},`, 99) + `{"name":"RUN b","duration_seconds":1}`
	for n := range 8 {
		s.AddArtifact(run, fmt.Sprintf("buildregress-%d", n), fmt.Appendf(nil, `{"id":"%d","start":"2026-01-02T03:04:05Z","steps":[%s]}`, n, steps))
	}
	r := OpenRecords(options(t, s, run.GetID()))
	r.stepLimit = 500
	builds, problems, err := r.Builds(t.Context(), fetch.Selector{})
	if err != nil || len(builds) > 6 || len(problems) < 3 || !errors.Is(problems[0], errTooMany) {
		t.Errorf("%d builds, %v, %v", len(builds), problems, err)
	}
	q := fetch.Query{Build: &builds[0], BaseBranch: "main", BaseRepository: "shop/app", Window: 50, Enough: 8}
	q.Build.PullRequest, q.Build.Start = "7", clock()
	r.Pipeline = "named by hand" // so that nothing is left out for its name
	h, err := r.History(t.Context(), q)
	if err != nil || !strings.Contains(fmt.Sprint(h.Notes), errTooMany.Error()) || strings.Contains(fmt.Sprint(h.Notes), "not read") {
		t.Errorf("%+v, %v", h, err)
	}
	for _, a := range s.Artifacts[:3] {
		if len(r.read[a.GetID()].builds) != 1 {
			t.Errorf("%s of the base is left out", a.GetName())
		}
	}
}
