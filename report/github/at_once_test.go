package github

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/buildregress/buildregress/testdata/githubtest"
)

// far is a way to a GitHub that takes time, there and back. Its clock is that of a bubble of
// testing/synctest.
type far struct{ server http.Handler }

func (f far) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(20*time.Millisecond + rand.N(150*time.Millisecond))
	w := httptest.NewRecorder()
	f.server.ServeHTTP(w, r)
	time.Sleep(20*time.Millisecond + rand.N(150*time.Millisecond))
	return w.Result(), nil
}

// Jobs of a matrix that end at the same time leave one comment, in which no line is lost.
func TestJobsPostAtOnce(t *testing.T) {
	for _, test := range []struct {
		name   string
		jobs   int
		there  bool          // whether there is a comment already
		within time.Duration // in which they end
	}{
		{"two", 2, false, 0},
		{"twenty", 20, false, 0},
		{"twenty, and a comment", 20, true, 0},
		{"twenty in a few seconds", 20, false, 5 * time.Second},
		{"forty in half a minute", 40, true, 30 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := githubtest.New(t, clock)
			base, err := url.Parse(s.URL + "/")
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				if test.there {
					s.AddComment(7, "github-actions[bot]", old(since(saying("old", "job 0"), -time.Hour)))
				}
				var all sync.WaitGroup
				for i := range test.jobs {
					c := github.NewClient(&http.Client{Transport: far{s}}).WithAuthToken("writer")
					c.BaseURL = base
					p := &Poster{Client: c, Owner: "shop", Repo: "app", Now: clock, Wait: func(_ context.Context, d time.Duration) error {
						time.Sleep(d)
						return nil
					}}
					all.Go(func() {
						time.Sleep(rand.N(test.within + 1))
						if _, err := p.Comment(t.Context(), 7, since(saying("slower", fmt.Sprint("job ", i)), time.Duration(i)*time.Second)); err != nil {
							t.Error(err)
						}
					})
				}
				all.Wait()
			})
			if len(s.Comments) != 1 {
				t.Fatalf("comments are %q, want one", bodies(s))
			}
			for i := range test.jobs {
				if line := fmt.Sprintf(">job %d slower<", i); !strings.Contains(s.Comments[0].Body, line) {
					t.Errorf("the line of job %d is lost: %q", i, bodies(s))
				}
			}
		})
	}
}
