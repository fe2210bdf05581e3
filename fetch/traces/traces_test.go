package traces_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/httpclient"
	"github.com/buildregress/buildregress/fetch/jaeger"
	"github.com/buildregress/buildregress/fetch/store"
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
func judge(t *testing.T, o *traces.Source, w fetch.Selector) (detect.Build, *detect.History) {
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

func query(b *detect.Build, window int) fetch.Query {
	return fetch.Query{Build: b, BaseBranch: "main", Window: window, Lookback: 30 * 24 * time.Hour, Enough: 8}
}

// A build is found by each of its names, whole, and with it the builds of main
// before it, newest first, as fetch.Select has them.
func TestFindsBuildAndHistory(t *testing.T) {
	each(t, func(t *testing.T, j *tracetest.Jaeger, s traces.Server) {
		b := subject()
		j.Add(mains(70)...)
		j.Add(b, tracetest.Usual(2000, noon.Add(5*time.Minute)))
		elsewhere := tracetest.Usual(500, noon.Add(-time.Minute))
		elsewhere.Attributes["cicd.pipeline.name"] = "another"
		failed := tracetest.Usual(501, noon.Add(-2*time.Minute))
		failed.Failed = true
		j.Add(elsewhere, failed, tracetest.Usual(502, noon.Add(-3*time.Minute)).On("feature"))

		for _, w := range []fetch.Selector{
			{TraceID: b.ID()},
			{RunID: "run-1000"},
			{Revision: b.Attributes["vcs.ref.head.revision"]},
		} {
			got, h := judge(t, traces.New(s, quick()), w)
			if got.Trace != b.ID() || got.Branch != "main" || got.Pipeline != "shop" || got.Outcome != detect.OK || len(got.Steps) != len(b.Steps) {
				t.Fatalf("%+v: found %+v", w, got)
			}
			if len(h.Base) != 50 {
				t.Fatalf("%+v: %d builds of main, want 50", w, len(h.Base))
			}
			for i, base := range h.Base {
				if want := noon.Add(-time.Duration(i+1) * 30 * time.Minute).Add(50 * time.Millisecond); !base.Start.Round(time.Millisecond).Equal(want) {
					t.Fatalf("%+v: build %d of main began at %v, want %v", w, i, base.Start, want)
				}
			}
			if len(h.Notes) > 0 {
				t.Errorf("%+v: notes %q", w, h.Notes)
			}
		}
	})
}

// A branch's builds are evidence; those of other branches fill up a base that is
// too small.
func TestBranchAndOthers(t *testing.T) {
	each(t, func(t *testing.T, j *tracetest.Jaeger, s traces.Server) {
		b := subject().On("feature")
		j.Add(mains(3)...)
		for i := range 7 {
			j.Add(tracetest.Usual(100+i, noon.Add(time.Duration(i-8)*10*time.Minute)).On("feature"))
			j.Add(tracetest.Usual(200+i, noon.Add(time.Duration(i-8)*10*time.Minute)).On(fmt.Sprint("topic-", i%3)))
		}
		j.Add(b)
		_, h := judge(t, traces.New(s, quick()), fetch.Selector{TraceID: b.ID()})
		if len(h.Base) != 3 || len(h.Branch) != fetch.MaxBranch || len(h.Other) != 3 {
			t.Errorf("%d of main, %d of the branch, %d others; want 3, %d, 3", len(h.Base), len(h.Branch), len(h.Other), fetch.MaxBranch)
		}
	})
}

// Steps that run rarely are searched further back than the window.
func TestRareSteps(t *testing.T) {
	each(t, func(t *testing.T, j *tracetest.Jaeger, s traces.Server) {
		list := mains(60)
		for i := range list {
			if i%10 != 0 {
				list[i].Steps = list[i].Steps[:5]
			}
		}
		j.Add(list...)
		b := subject()
		j.Add(b)
		o := traces.New(s, quick())
		builds, _, err := o.Builds(t.Context(), fetch.Selector{TraceID: b.ID()})
		if err != nil {
			t.Fatal(err)
		}
		h, err := o.History(t.Context(), query(&builds[0], 10))
		if err != nil {
			t.Fatal(err)
		}
		if len(h.Base) != 10 || len(h.Sparse) != 5 {
			t.Errorf("%d whole builds and %d with the rare step, want 10 and 5", len(h.Base), len(h.Sparse))
		}
	})
}

// Builds that say no branch are no baseline, whatever there is of them.
func TestNoBranch(t *testing.T) {
	each(t, func(t *testing.T, j *tracetest.Jaeger, s traces.Server) {
		list := append(mains(20), subject())
		for i := range list {
			delete(list[i].Attributes, "vcs.ref.head.name")
			list[i].Attributes["team"] = "a"
		}
		j.Add(list...)
		o := traces.New(s, quick())
		builds, _, err := o.Builds(t.Context(), fetch.Selector{RunID: "run-1000"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = o.History(t.Context(), query(&builds[0], 50))
		if hint := hintOf(err); !strings.Contains(hint, "OTEL_RESOURCE_ATTRIBUTES=vcs.ref.head.name=") {
			t.Errorf("error %v with hint %q", err, hint)
		}
	})
}

// With a tag, builds that say no branch are compared after all.
func TestTagInsteadOfBranch(t *testing.T) {
	j := &tracetest.Jaeger{}
	list := append(mains(20), subject())
	for i := range list {
		delete(list[i].Attributes, "vcs.ref.head.name")
		list[i].Attributes["team"] = []string{"a", "b"}[i%2]
	}
	list[20].Attributes["team"] = "a"
	j.Add(list...)
	tags := map[string]string{"team": "a"}
	s, err := jaeger.NewGRPC(j.ServeGRPC(t), false, httpclient.Options{}, traces.FilterAttributes(tags))
	if err != nil {
		t.Fatal(err)
	}
	options := quick()
	options.Tags = tags
	if _, h := judge(t, traces.New(s, options), fetch.Selector{RunID: "run-1000"}); len(h.Base) != 10 {
		t.Errorf("%d builds, want the 10 with the tag", len(h.Base))
	}
}

// emptyStore keeps what is found for as long as the test lasts.
func emptyStore(t *testing.T) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "h.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

// What was found is kept, and a later check asks for what is newer, and finds the
// same.
func TestKept(t *testing.T) {
	each(t, func(t *testing.T, j *tracetest.Jaeger, s traces.Server) {
		st := emptyStore(t)
		b := subject()
		j.Add(mains(70)...)
		j.Add(b)
		options := quick()
		options.Cache = st
		_, cold := judge(t, traces.New(s, options), fetch.Selector{TraceID: b.ID()})
		if n := len(j.Asked()); n < 3 {
			t.Fatalf("%d questions, cold", n)
		}

		next := tracetest.Usual(1001, noon.Add(time.Hour))
		late := tracetest.Usual(1002, noon.Add(2*time.Minute)) // it arrived after the search
		j.Add(late, next)
		options.Now = func() time.Time { return noon.Add(2 * time.Hour) }
		_, warm := judge(t, traces.New(s, options), fetch.Selector{TraceID: next.ID()})
		asked := j.Asked()
		if len(asked) > 3 {
			t.Errorf("asked again for what is kept: %q", asked)
		}
		ids := idsOf(warm.Base)
		if !slices.Contains(ids, late.ID()) || !slices.Contains(ids, b.ID()) {
			t.Errorf("the newest lack: %q", ids[:3])
		}
		fresh, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "other.db"))
		if err != nil {
			t.Fatal(err)
		}
		options.Cache = fresh
		_, again := judge(t, traces.New(s, options), fetch.Selector{TraceID: next.ID()})
		if !slices.Equal(ids, idsOf(again.Base)) {
			t.Errorf("kept and asked anew differ:\n%q\n%q", ids, idsOf(again.Base))
		}
		if len(cold.Base) != 50 || len(warm.Base) != 50 {
			t.Errorf("%d and %d builds", len(cold.Base), len(warm.Base))
		}
	})
}

// A build that has not ended when another is judged is not forgotten later.
func TestLateBuildIsNotLost(t *testing.T) {
	each(t, func(t *testing.T, j *tracetest.Jaeger, s traces.Server) {
		st := emptyStore(t)
		long := tracetest.Usual(900, noon.Add(-time.Hour)) // of which little has come yet
		running := long
		running.Running, running.Steps = true, running.Steps[:1]
		j.Set(append(mains(20), running, subject())...)
		options := quick()
		options.Cache = st
		b := subject()
		_, h := judge(t, traces.New(s, options), fetch.Selector{TraceID: b.ID()})
		if slices.Contains(idsOf(h.Base), long.ID()) {
			t.Error("a build that runs is history")
		}
		next := tracetest.Usual(1001, noon.Add(3*time.Hour))
		j.Set(append(mains(20), long, subject(), next)...)
		options.Now = func() time.Time { return noon.Add(4 * time.Hour) }
		_, h = judge(t, traces.New(s, options), fetch.Selector{TraceID: next.ID()})
		if !slices.Contains(idsOf(h.Base), long.ID()) {
			t.Error("a build that ended late is no history")
		}
	})
}

func idsOf(builds []detect.Build) (ids []string) {
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

// A build that has not arrived is waited for, though an older one of the same
// commit, or the newest until then, is there.
func TestOlderBuildIsNotTaken(t *testing.T) {
	commit := subject().Attributes["vcs.ref.head.revision"]
	for name, own := range map[string][]fetch.Selector{
		"a commit": {{RunID: "run-2000", Revision: commit}, {Revision: commit}},
		"newest":   nil,
		"a run":    {{RunID: "run-1000"}},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, j *tracetest.Jaeger, s traces.Server) {
				again := tracetest.Usual(2000, noon.Add(9*time.Minute))
				again.Attributes["vcs.ref.head.revision"] = commit
				if name == "a run" {
					again.Attributes["cicd.pipeline.run.id"] = "run-1000"
				}
				j.Add(mains(3)...)
				j.Add(subject())
				options, clock := clocked()
				options.Own, options.Newest = own, true
				clock.after(3*time.Second, func() { j.Add(again) })
				builds, _, err := traces.New(s, options).Builds(t.Context(), fetch.Selector{})
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Contains(idsOf(builds), again.ID()) {
					t.Errorf("took %s, want %s", idsOf(builds), again.ID())
				}
			})
		})
	}
}

// A build of the commit by a run that is called otherwise is taken where none of
// the run comes, and it is told.
func TestAnotherRunOfTheCommit(t *testing.T) {
	each(t, func(t *testing.T, j *tracetest.Jaeger, s traces.Server) {
		b := subject()
		j.Add(mains(10)...)
		j.Add(b)
		options := quick()
		options.Own = []fetch.Selector{{RunID: "7", Revision: b.Attributes["vcs.ref.head.revision"]}, {Revision: b.Attributes["vcs.ref.head.revision"]}}
		got, h := judge(t, traces.New(s, options), fetch.Selector{})
		if got.Trace != b.ID() || len(h.Notes) != 1 || !strings.Contains(h.Notes[0].Text, "of run `run-1000` at the same commit") {
			t.Errorf("build %s, notes %q", got.Trace, h.Notes)
		}
	})
}

// What was found for one tenant is not the history of another.
func TestKeptByTenant(t *testing.T) {
	each(t, func(t *testing.T, j *tracetest.Jaeger, s traces.Server) {
		st := emptyStore(t)
		b := subject()
		j.Add(mains(20)...)
		j.Add(b)
		options := quick()
		options.Cache, options.Tenant = st, "blue"
		if _, h := judge(t, traces.New(s, options), fetch.Selector{TraceID: b.ID()}); len(h.Base) != 20 {
			t.Fatalf("%d builds", len(h.Base))
		}
		j.Set(b)
		options.Tenant = "green"
		if _, h := judge(t, traces.New(s, options), fetch.Selector{TraceID: b.ID()}); len(h.Base) != 0 {
			t.Errorf("%d builds of another tenant", len(h.Base))
		}
	})
}

// Where builds are called otherwise on the server, it is told how to say so.
func TestNothingOfThePipeline(t *testing.T) {
	each(t, func(t *testing.T, j *tracetest.Jaeger, s traces.Server) {
		j.Add(mains(10)...)
		elsewhere := detect.Build{ID: "x", Pipeline: "o/shop Dockerfile", Origin: detect.Origin{Branch: "main"}, Start: noon}
		h, err := traces.New(s, quick()).History(t.Context(), query(&elsewhere, 50))
		if err != nil || len(h.Base) != 0 || len(h.Notes) != 1 || !strings.Contains(h.Notes[0].Text, "says cicd.pipeline.name=o/shop Dockerfile: --pipeline") {
			t.Errorf("%d builds, notes %q, error %v", len(h.Base), h.Notes, err)
		}
		b := subject()
		delete(b.Attributes, "cicd.pipeline.name")
		j.Add(b)
		if _, h := judge(t, traces.New(s, quick()), fetch.Selector{TraceID: b.ID()}); len(h.Base) != 0 || len(h.Notes) != 1 || !strings.Contains(h.Notes[0].Text, "does not say its pipeline") {
			t.Errorf("%d builds, notes %q", len(h.Base), h.Notes)
		}
		// The first of a pipeline needs no explanation.
		first := tracetest.Usual(3000, noon)
		first.Attributes["cicd.pipeline.name"] = "young"
		j.Add(first)
		if _, h := judge(t, traces.New(s, quick()), fetch.Selector{TraceID: first.ID()}); len(h.Notes) != 0 {
			t.Errorf("notes %q", h.Notes)
		}
	})
}

// A machine that was a day ahead when it searched hides nothing that began since.
func TestKeptAheadOfTime(t *testing.T) {
	each(t, func(t *testing.T, j *tracetest.Jaeger, s traces.Server) {
		st := emptyStore(t)
		ahead := tracetest.Usual(900, noon.Add(24*time.Hour))
		j.Add(mains(20)...)
		j.Add(ahead)
		options := quick()
		options.Cache = st
		options.Now = func() time.Time { return noon.Add(25 * time.Hour) }
		judge(t, traces.New(s, options), fetch.Selector{TraceID: ahead.ID()})

		since, b := tracetest.Usual(1001, noon.Add(time.Hour)), tracetest.Usual(1002, noon.Add(2*time.Hour))
		j.Add(since, b)
		options.Now = func() time.Time { return noon.Add(3 * time.Hour) }
		_, h := judge(t, traces.New(s, options), fetch.Selector{TraceID: b.ID()})
		if ids := idsOf(h.Base); len(ids) != 21 || ids[0] != since.ID() {
			t.Errorf("%d builds, the newest %q; want 21 and %q", len(ids), ids[:1], since.ID())
		}
	})
}
