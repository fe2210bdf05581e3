package traces_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/httpclient"
	"github.com/buildregress/buildregress/fetch/jaeger"
	"github.com/buildregress/buildregress/fetch/traces"
	"github.com/buildregress/buildregress/fetch/traces/tracetest"
)

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
			if got.Trace != b.ID() || got.Branch != "main" || got.Pipeline != "shop" || got.Outcome != timeline.OK || len(got.Steps) != len(b.Steps) {
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

		options := quick()
		options.AnyBranch = true
		o = traces.New(s, options)
		if builds, _, err = o.Builds(t.Context(), fetch.Selector{RunID: "run-1000"}); err != nil {
			t.Fatal(err)
		}
		h, err := o.History(t.Context(), query(&builds[0], 50))
		if err != nil || len(h.Base) != 20 || !h.AnyBranch || len(h.Notes) == 0 || !strings.Contains(h.Notes[0].Text, "--baseline-any-branch") {
			t.Errorf("asked for any branch: %d builds, notes %q, error %v", len(h.Base), h.Notes, err)
		}
	})
}

// One build that says its branch is enough for those that do not to be no baseline.
func TestAnyBranchBesideOne(t *testing.T) {
	each(t, func(t *testing.T, j *tracetest.Jaeger, s traces.Server) {
		list := append(mains(20), subject())
		for i := range list {
			if i != 3 {
				delete(list[i].Attributes, "vcs.ref.head.name")
			}
		}
		j.Add(list...)
		options := quick()
		options.AnyBranch = true
		o := traces.New(s, options)
		builds, _, err := o.Builds(t.Context(), fetch.Selector{RunID: "run-1000"})
		if err != nil {
			t.Fatal(err)
		}
		if h, err := o.History(t.Context(), query(&builds[0], 50)); err != nil || len(h.Base) != 1 {
			t.Errorf("%d builds, error %v; want the one that says its branch", len(h.Base), err)
		}
	})
}

// All that a server holds is there to be recorded, not the newest alone.
func TestAllBuilds(t *testing.T) {
	each(t, func(t *testing.T, j *tracetest.Jaeger, s traces.Server) {
		j.Add(mains(30)...)
		options := quick()
		var said []string
		options.Waiting = func(text string) { said = append(said, text) }
		options.Lookback = 365 * 24 * time.Hour
		builds, problems, err := traces.New(s, options).Builds(t.Context(), fetch.Selector{All: true})
		if err != nil || len(builds) != 30 || len(problems) > 0 {
			t.Errorf("%d builds, %v, %v; want all 30", len(builds), problems, err)
		}
		if len(said) < 2 || said[len(said)-1] != "" {
			t.Errorf("progress %q", said)
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

// Where builds are called otherwise on the server, it is told how to say so.
func TestNothingOfThePipeline(t *testing.T) {
	each(t, func(t *testing.T, j *tracetest.Jaeger, s traces.Server) {
		j.Add(mains(10)...)
		elsewhere := timeline.Build{ID: "x", Pipeline: "o/shop Dockerfile", Origin: timeline.Origin{Branch: "main"}, Start: noon}
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
