package traces_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/httpclient"
	"github.com/buildregress/buildregress/fetch/jaeger"
	"github.com/buildregress/buildregress/fetch/traces"
	"github.com/buildregress/buildregress/fetch/traces/tracetest"
)

// noon is when the builds to be judged begin.
var noon = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

// mains are n builds of main, the last of them half an hour before noon.
func mains(n int) (builds []tracetest.Build) {
	for i := range n {
		builds = append(builds, tracetest.Usual(i, noon.Add(time.Duration(i-n)*30*time.Minute)))
	}
	return builds
}

// subject is the build to be judged.
func subject() tracetest.Build { return tracetest.Usual(1000, noon) }

// quick are options with a clock of their own, by which no time passes but that
// which is slept.
func quick() traces.Options {
	o, _ := clocked()
	return o
}

// clocked is quick, and its clock.
func clocked() (traces.Options, *clock) {
	c := &clock{now: noon.Add(10 * time.Minute)}
	return traces.Options{Name: "jaeger://test", Lookback: 30 * 24 * time.Hour, Now: c.Now, Sleep: c.Sleep}, c
}

// A clock goes on when somebody sleeps by it.
type clock struct {
	now    time.Time
	events []event
}

// An event is something that happens while somebody sleeps.
type event struct {
	at time.Time
	do func()
}

func (c *clock) Now() time.Time { return c.now }

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.now = c.now.Add(d)
	c.events = slices.DeleteFunc(c.events, func(e event) bool {
		due := !e.at.After(c.now)
		if due {
			e.do()
		}
		return due
	})
	return ctx.Err()
}

// after has something done when d has been slept.
func (c *clock) after(d time.Duration, do func()) {
	c.events = append(c.events, event{c.now.Add(d), do})
}

// A kind is a way to ask Jaeger.
type kind struct {
	name string
	open func(t *testing.T, j *tracetest.Jaeger, o httpclient.Options) traces.Server
}

var kinds = []kind{
	{"gRPC", func(t *testing.T, j *tracetest.Jaeger, o httpclient.Options) traces.Server {
		s, err := jaeger.NewGRPC(j.ServeGRPC(t), false, o, traces.FilterAttributes(nil))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}},
	{"HTTP", func(t *testing.T, j *tracetest.Jaeger, o httpclient.Options) traces.Server {
		server := httptest.NewServer(j)
		t.Cleanup(server.Close)
		base, _ := url.Parse(server.URL)
		s, err := jaeger.NewHTTP("jaeger+"+server.URL, base, o, traces.FilterAttributes(nil))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}},
}

// each runs a test over each way to ask.
func each(t *testing.T, test func(t *testing.T, j *tracetest.Jaeger, s traces.Server)) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			j := &tracetest.Jaeger{}
			test(t, j, k.open(t, j, httpclient.Options{IdleTimeout: 20 * time.Second}))
		})
	}
}

// judge finds the build that w asks for, and its history.
func judge(t *testing.T, o *traces.Source, w fetch.Selector) (timeline.Build, *detect.History) {
	t.Helper()
	builds, _, err := o.Builds(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	if len(builds) != 1 {
		t.Fatalf("%d builds, want 1", len(builds))
	}
	h, err := o.History(t.Context(), query(&builds[0], 50))
	if err != nil {
		t.Fatal(err)
	}
	return builds[0], h
}

func query(b *timeline.Build, window int) fetch.Query {
	return fetch.Query{Build: b, BaseBranch: "main", Window: window, Lookback: 30 * 24 * time.Hour, Enough: 8}
}

func idsOf(builds []timeline.Build) (ids []string) {
	for i := range builds {
		ids = append(ids, builds[i].Trace)
	}
	return ids
}

func hintOf(err error) string {
	if t, ok := errors.AsType[*traces.ServerError](err); ok {
		return t.Hint()
	}
	return ""
}

// within fails a test whose f does not come back.
func within(t *testing.T, limit time.Duration, f func(ctx context.Context)) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(t.Context())
	}()
	select {
	case <-done:
	case <-time.After(limit):
		t.Fatalf("not done after %v", limit)
	}
}
