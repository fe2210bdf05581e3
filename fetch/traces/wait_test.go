package traces_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/buildkit"
	"github.com/buildregress/buildregress/fetch/traces"
	"github.com/buildregress/buildregress/fetch/traces/tracetest"
)

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

// What is not there yet is waited for in the open, and what is there and whole is not.
func TestMissing(t *testing.T) {
	each(t, func(t *testing.T, j *tracetest.Jaeger, s traces.Server) {
		b := subject()
		options, clock := clocked()
		clock.after(3*time.Second, func() { j.Add(b) })
		var told, shown []string
		options.Missing = func(text string) { told = append(told, text) }
		options.Waiting = func(text string) { shown = append(shown, text) }
		for range 2 {
			if _, _, err := traces.New(s, options).Builds(t.Context(), fetch.Selector{TraceID: b.ID()}); err != nil {
				t.Fatal(err)
			}
		}
		if len(told) != 1 || !strings.HasPrefix(told[0], "for trace "+b.ID()) || !strings.Contains(told[0], "30s at most: nothing of it is there yet") {
			t.Errorf("told %q", told)
		}
		if !slices.ContainsFunc(shown, func(text string) bool { return strings.HasPrefix(text, "2s of 30s: no trace yet of trace "+b.ID()) }) {
			t.Errorf("shown %q", shown)
		}

		told = nil
		b.Running = true
		j.Set(b)
		if _, _, err := traces.New(s, options).Builds(t.Context(), fetch.Selector{TraceID: b.ID()}); err == nil {
			t.Error("a trace without an end was taken")
		}
		if len(told) != 1 || !strings.Contains(told[0], "for the end of trace "+b.ID()) || !strings.Contains(told[0], "1m0s") {
			t.Errorf("told %q", told)
		}
	})
}

// A trace that is not there is waited for a little, one that is arriving until it
// is whole, and neither for ever.
func TestArriving(t *testing.T) {
	each(t, func(t *testing.T, j *tracetest.Jaeger, s traces.Server) {
		b := subject()
		options, clock := clocked()
		clock.after(3*time.Second, func() {
			running := b
			running.Running, running.Steps = true, b.Steps[:2]
			j.Add(running)
		})
		clock.after(8*time.Second, func() { j.Set(b) })
		builds, _, err := traces.New(s, options).Builds(t.Context(), fetch.Selector{TraceID: b.ID()})
		if err != nil || len(builds) != 1 || len(builds[0].Steps) != len(b.Steps) {
			t.Fatalf("%d builds, error %v", len(builds), err)
		}

		_, _, err = traces.New(s, quick()).Builds(t.Context(), fetch.Selector{RunID: "nobody"})
		if hint := hintOf(err); !strings.Contains(hint, "the usual causes") {
			t.Errorf("error %v, hint %q", err, hint)
		}
		b.Running = true
		j.Set(b)
		_, _, err = traces.New(s, quick()).Builds(t.Context(), fetch.Selector{TraceID: b.ID()})
		if err == nil || !strings.Contains(err.Error(), "has no end") {
			t.Errorf("error %v of a build without an end", err)
		}
	})
}

// nothing is a server that has nothing.
type nothing struct{}

func (nothing) Bounds() traces.Bounds { return traces.Bounds{} }
func (nothing) Trace(context.Context, string) ([]buildkit.Span, error) {
	return nil, traces.ErrNoTrace
}

func (nothing) Search(context.Context, traces.Question, func(string, []buildkit.Span) error) (int, error) {
	return 0, nil
}

// A foreign is a server that has the trace of another program.
type foreign struct {
	nothing
	spans []buildkit.Span
}

func (f foreign) Trace(context.Context, string) ([]buildkit.Span, error) { return f.spans, nil }

// A trace that is complete and holds no build is told at once; one that has just
// ended, or lacks the parents of its spans, may be joined by a build.
func TestForeignTrace(t *testing.T) {
	const id = "00000000000000000000000000000abc"
	span := func(name, own, parent string, end time.Time) buildkit.Span {
		return buildkit.Span{Trace: id, ID: own, Parent: parent, Name: name, Service: "shop", Start: end.Add(-time.Second), End: end}
	}
	const told = "2 spans by service `shop`, root `POST /cart`; no BuildKit build in it"
	for name, tt := range map[string]struct {
		ended  time.Duration // ago
		parent string        // of the root
		waits  time.Duration
		want   string
	}{
		"complete":   {time.Minute, "", 0, told},
		"just ended": {time.Second, "", 6 * time.Second, told},
		"growing":    {time.Minute, "b", time.Minute, "has no end"},
	} {
		t.Run(name, func(t *testing.T) {
			options, clock := clocked()
			began := clock.now
			end := began.Add(-tt.ended)
			s := foreign{spans: []buildkit.Span{span("POST /cart", "1", tt.parent, end), span("exporting to pdf", "2", "1", end)}}
			_, _, err := traces.New(s, options).Builds(t.Context(), fetch.Selector{TraceID: id})
			if err == nil || !strings.Contains(err.Error(), tt.want) || hintOf(err) == "" {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if waited := clock.now.Sub(began); waited != tt.waits {
				t.Errorf("waited %v, want %v", waited, tt.waits)
			}
			if isNone := errors.Is(err, fetch.ErrNoBuilds); isNone != (tt.want == told) {
				t.Errorf("no build in it: %v", isNone)
			}
		})
	}
}

// Who ends the wait is heard at once.
func TestWaitIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		options := quick()
		options.Now, options.Sleep = func() time.Time { return noon }, nil
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(100*time.Millisecond, cancel)
		if _, _, err := traces.New(nothing{}, options).Builds(ctx, fetch.Selector{RunID: "7"}); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
}

// The time that is given is kept to.
func TestEndsInTime(t *testing.T) {
	each(t, func(t *testing.T, j *tracetest.Jaeger, s traces.Server) {
		b := subject()
		j.Add(b)
		o := traces.New(s, quick())
		builds, _, err := o.Builds(t.Context(), fetch.Selector{TraceID: b.ID()})
		if err != nil {
			t.Fatal(err)
		}
		j.Break(tracetest.Faults{Silent: true})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		within(t, 10*time.Second, func(context.Context) {
			if _, err := o.History(ctx, query(&builds[0], 50)); err == nil {
				t.Error("no error of a server that is silent")
			}
		})
	})
}
