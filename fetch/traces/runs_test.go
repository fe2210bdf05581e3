package traces_test

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/httpclient"
	"github.com/buildregress/buildregress/fetch/traces"
	"github.com/buildregress/buildregress/fetch/traces/tracetest"
)

// runs are runs of a pipeline, the newest last, of which the id of the trace is computed
// out of that of the run.
func runs(n int) (list []tracetest.Build) {
	for i := range n {
		list = append(list, tracetest.UsualRun(i, noon.Add(time.Duration(i-n)*time.Hour)))
	}
	last := &list[n-1]
	sum := sha256.Sum256([]byte(last.Attributes["cicd.pipeline.run.id"] + "1t"))
	last.Trace = hex.EncodeToString(sum[:16])
	return list
}

// The run of a pipeline is found by its trace, by its id, and with that alone by the trace's
// id that follows from it; those before it by what its root says.
func TestRunsOfPipelines(t *testing.T) {
	check := func(t *testing.T, s traces.Server, services []string, w fetch.Selector) {
		t.Helper()
		o := quick()
		o.Services = services
		b, h := judge(t, traces.New(s, o), w)
		if b.Pipeline != "checks" || b.Branch != "main" || len(b.Steps) != 7 || b.Resolution != time.Second || len(h.Base) != 19 {
			t.Errorf("%+v: %q of %q, %d steps, resolution %s, %d builds before it: %v", w, b.Pipeline, b.Branch, len(b.Steps), b.Resolution, len(h.Base), h.Notes)
		}
	}
	list := runs(20)
	id := list[19].Attributes["cicd.pipeline.run.id"]
	each(t, func(t *testing.T, j *tracetest.Jaeger, s traces.Server) {
		j.Add(list...)
		check(t, s, nil, fetch.Selector{TraceID: list[19].ID()})
		check(t, s, nil, fetch.Selector{RunID: id})
		// What the CI system calls this run names it as well, with its attempt.
		o := quick()
		o.Own = []fetch.Selector{{RunID: id + "-1"}}
		if b, _ := judge(t, traces.New(s, o), fetch.Selector{}); b.Pipeline != "checks" {
			t.Errorf("our own run: %+v", b)
		}
		other := list[19]
		other.Trace = "" // one that nobody can compute
		j.Set(append(slices.Clone(list[:19]), other)...)
		check(t, s, []string{"shop-ci"}, fetch.Selector{RunID: id})
	})
	t.Run("Tempo", func(t *testing.T) {
		server := &tracetest.Tempo{}
		server.Add(list[:19]...)
		other := list[19]
		other.Trace = ""
		server.Add(other)
		s := openTempo(t, server, httpclient.Options{})
		check(t, s, nil, fetch.Selector{TraceID: other.ID()})
		check(t, s, []string{"shop-ci"}, fetch.Selector{RunID: id})
	})
}

// A run that hangs below a span of another trace server's, as a build tool's in a job, has
// ended once it is there.
func TestRunBelowAnother(t *testing.T) {
	each(t, func(t *testing.T, j *tracetest.Jaeger, s traces.Server) {
		list := runs(1)
		list[0].Below = true
		j.Add(list...)
		o := quick()
		began := o.Now()
		found, _, err := traces.New(s, o).Builds(t.Context(), fetch.Selector{TraceID: list[0].ID()})
		if err != nil || len(found) != 1 {
			t.Fatalf("%d builds, error %v", len(found), err)
		}
		if waited := o.Now().Sub(began); waited > 10*time.Second {
			t.Errorf("waited %s", waited)
		}
	})
}

// Jobs whose run has not come are no run, and that is told at once.
func TestRootlessRun(t *testing.T) {
	each(t, func(t *testing.T, j *tracetest.Jaeger, s traces.Server) {
		list := runs(1)
		list[0].Rootless = true
		j.Add(list...)
		o := quick()
		began := o.Now()
		_, _, err := traces.New(s, o).Builds(t.Context(), fetch.Selector{TraceID: list[0].ID()})
		if err == nil || !strings.Contains(err.Error(), "the run's own span") || !strings.Contains(hintOf(err), "workflow_run: completed") {
			t.Errorf("error %v, hint %q", err, hintOf(err))
		}
		if waited := o.Now().Sub(began); waited > 3*time.Second {
			t.Errorf("waited %s", waited)
		}
	})
}
