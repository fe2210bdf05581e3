package traces_test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/store"
	"github.com/buildregress/buildregress/fetch/traces"
	"github.com/buildregress/buildregress/fetch/traces/tracetest"
)

// emptyStore keeps what is found for as long as the test lasts.
func emptyStore(t *testing.T) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "h.db"), store.Options{})
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
		fresh, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "other.db"), store.Options{})
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

// What steps took before the window is remembered from what earlier checks kept, at no
// question more.
func TestKeptTellsOfRareTimes(t *testing.T) {
	each(t, func(t *testing.T, j *tracetest.Jaeger, s traces.Server) {
		list := mains(120)
		b := subject()
		j.Add(list...)
		j.Add(b)
		options := quick()
		options.Cache = emptyStore(t)
		judge(t, traces.New(s, options), fetch.Selector{TraceID: list[70].ID()})
		judge(t, traces.New(s, options), fetch.Selector{TraceID: list[119].ID()})
		asked := len(j.Asked())
		build, h := judge(t, traces.New(s, options), fetch.Selector{TraceID: b.ID()})
		if more := len(j.Asked()) - asked; more > 3 {
			t.Errorf("%d questions for what is kept", more)
		}
		const least = 4 // what thirty values before the window weigh
		for i := range build.Steps {
			if key := build.Steps[i].Key; build.Steps[i].State == timeline.Executed && h.Tails[key].Weight < least {
				t.Errorf("of %s %.1f are remembered, want %d at least", key, h.Tails[key].Weight, least)
			}
		}
		if len(h.Base) != 50 {
			t.Errorf("%d builds, want a window of them", len(h.Base))
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
