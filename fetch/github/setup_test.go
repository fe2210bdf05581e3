package github

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/builds/buildtest"
	"github.com/buildregress/buildregress/fetch/file"
	"github.com/buildregress/buildregress/testdata/githubtest"
	gh "github.com/google/go-github/v60/github"
)

// recording is one of the recorded builds of one image: 0 to 29 are of the base
// branch, one after the other.
func recording(t testing.TB, n int) []byte {
	return buildtest.Recording(t, fmt.Sprintf("alpha/dockerbuild/%03d.dockerbuild", n))
}

// options ask a server, as the workflow run of this id does.
func options(t testing.TB, s *githubtest.Server, run int64) Options {
	api, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	a := Access{API: api, Token: githubtest.Token, Agent: "test", Now: clock, Pause: time.Millisecond}
	return Options{
		Owner: "shop", Name: "app", Client: NewClient(a), Download: NewDownloader(a), Now: clock,
		Workflow: githubtest.Workflow, Run: run,
	}
}

// began is when the first run of a server begins. The recordings say another
// time of theirs; runs are dated before them, as they have to be.
var began = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// clock tells a moment after the recordings were made.
func clock() time.Time { return time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC) }

// A memoryCache is a fetch.Cache in memory.
type memoryCache struct {
	mu   sync.Mutex
	held map[string]fetch.Cached
	fail error
}

func (s *memoryCache) Get(_ context.Context, origin string, ids []string) (map[string]fetch.Cached, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]fetch.Cached{}
	for _, id := range ids {
		if list, ok := s.held[origin+" "+id]; ok {
			out[id] = list
		}
	}
	return out, s.fail
}

func (s *memoryCache) Put(_ context.Context, origin, id string, list []timeline.Build) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held == nil {
		s.held = map[string]fetch.Cached{}
	}
	s.held[origin+" "+id] = fetch.Cached{Builds: list}
	return s.fail
}

// age makes all that is held what another version put there.
func (s *memoryCache) age() {
	for id, known := range s.held {
		known.Old = true
		s.held[id] = known
	}
}

// addMain adds runs of main, each with the record of one of the recordings.
func addMain(t testing.TB, s *githubtest.Server, from, to int) {
	for n := from; n < to; n++ {
		run := s.AddRun(githubtest.Run{Created: began.Add(time.Duration(n) * time.Hour)})
		s.AddArtifact(run, fmt.Sprintf("shop~app~%06d.dockerbuild", n), recording(t, n))
	}
}

// query asks what the build of the newest of a run's records is judged against.
func query(t testing.TB, r *Records) fetch.Query {
	t.Helper()
	builds, problems, err := r.Builds(t.Context(), fetch.Selector{})
	if err != nil || len(problems) > 0 || len(builds) != 1 {
		t.Fatalf("%d builds, %v, %v", len(builds), problems, err)
	}
	return fetch.Query{Build: &builds[0], BaseBranch: "main", BaseRepository: "shop/app", Window: 50, Enough: 8}
}

// pull adds a run of a pull request from a branch of the repository itself, with
// the record of the first build that changes something.
func pull(t testing.TB, s *githubtest.Server) *gh.WorkflowRun {
	run := s.AddRun(githubtest.Run{Event: "pull_request", Branch: "slow", Created: began.Add(100 * time.Hour)})
	s.AddArtifact(run, "shop~app~AAAAAA.dockerbuild", recording(t, 30))
	return run
}

// history is what the build of the run is judged against.
func history(t testing.TB, o Options) (*detect.History, error) {
	t.Helper()
	r := OpenRecords(o)
	q := query(t, r)
	q.Build.PullRequest = "7"
	return r.History(t.Context(), q)
}

func ids(builds []timeline.Build) (out []string) {
	for _, b := range builds {
		out = append(out, b.Revision[max(0, len(b.Revision)-4):])
	}
	return out
}

// starts is when a recorded build began.
func starts(t testing.TB, n int) string {
	list, _, err := file.Decode(t.Context(), "x", recording(t, n))
	if err != nil {
		t.Fatal(err)
	}
	return startsOf(list)[0]
}

func startsOf(list []timeline.Build) (out []string) {
	for _, b := range list {
		out = append(out, b.Start.Format(time.RFC3339Nano))
	}
	return out
}
