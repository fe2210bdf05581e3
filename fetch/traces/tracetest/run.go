package tracetest

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// UsualRun is a run of a pipeline on main, number i of many, whose steps vary by seconds.
func UsualRun(i int, start time.Time) Build {
	wiggle := func(n int) time.Duration { return time.Duration((i*7+n*5)%5) * time.Second }
	return Build{
		Name: fmt.Sprintf("run-of-main-%d", i), Start: start.Truncate(time.Second), Run: "shop-ci",
		Attributes: map[string]string{
			"cicd.pipeline.name": "checks", "cicd.pipeline.run.id": strconv.Itoa(7_000_000_000 + i), "vcs.ref.head": "main",
			"vcs.ref.head.revision": fmt.Sprintf("%040x", i), "vcs.repository.name": "shop", "cicd.pipeline.run.status": "success",
		},
		Steps: []Step{
			{"Set up job", 2 * time.Second},
			{"Run make compile", 60*time.Second + wiggle(1)},
			{"Run make lint", 30*time.Second + wiggle(2)},
			{"Run make test", 90*time.Second + wiggle(3)},
			{"Run make docs", 40*time.Second + wiggle(4)},
			{"Run make pack", 25*time.Second + wiggle(5)},
		},
	}
}

// run is the trace of a run with one job: each event has a resource of its own, and the id
// of the run is a number.
func (b *Build) run() ptrace.Traces {
	const queued = 5 * time.Second
	t := ptrace.NewTraces()
	var trace pcommon.TraceID
	_, _ = hex.Decode(trace[:], []byte(b.ID()))
	next := byte(0)
	resource := func(leave ...string) ptrace.SpanSlice {
		rs := t.ResourceSpans().AppendEmpty()
		attributes := rs.Resource().Attributes()
		attributes.PutStr("service.name", b.Run)
		for key, value := range b.Attributes {
			if n, err := strconv.ParseInt(value, 10, 64); err == nil && key == "cicd.pipeline.run.id" {
				attributes.PutInt(key, n)
			} else {
				attributes.PutStr(key, value)
			}
		}
		for _, key := range leave {
			attributes.Remove(key)
		}
		if len(leave) > 0 {
			attributes.PutStr("cicd.pipeline.name", "test (1.26)") // of a job it is the job's
			attributes.PutStr("cicd.pipeline.run.task.status", "success")
		}
		return rs.ScopeSpans().AppendEmpty().Spans()
	}
	add := func(to ptrace.SpanSlice, parent pcommon.SpanID, name string, start, end time.Time) ptrace.Span {
		s := to.AppendEmpty()
		next++
		s.SetTraceID(trace)
		s.SetSpanID(pcommon.SpanID{trace[0], trace[1], 3, 0, 0, 0, 0, next})
		s.SetParentSpanID(parent)
		s.SetName(name)
		s.SetKind(ptrace.SpanKindInternal)
		s.SetStartTimestamp(pcommon.NewTimestampFromTime(start))
		s.SetEndTimestamp(pcommon.NewTimestampFromTime(end))
		s.Status().SetCode(ptrace.StatusCodeOk)
		return s
	}
	end := b.Start.Add(queued)
	for _, s := range b.Steps {
		end = end.Add(s.Took)
	}
	root := pcommon.SpanID{trace[0], trace[1], 3, 0, 0, 0, 0, 1}
	if next++; !b.Rootless {
		next--
		s := add(resource(), pcommon.SpanID{}, b.Attributes["cicd.pipeline.name"], b.Start, end)
		if s.SetKind(ptrace.SpanKindServer); b.Below {
			s.SetParentSpanID(pcommon.SpanID{7, 7, 7, 7, 7, 7, 7, 7})
			s.Attributes().PutStr("cicd.pipeline.result", "success")
		}
	}
	spans := resource("cicd.pipeline.run.id", "cicd.pipeline.run.status")
	job := add(spans, root, "test (1.26)", b.Start, end).SpanID()
	add(spans, job, "queue-test (1.26)", b.Start, b.Start.Add(queued)).Attributes().PutDouble("cicd.pipeline.run.queue.duration", float64(queued))
	at := b.Start.Add(queued)
	for _, s := range b.Steps {
		add(spans, job, s.Name, at, at.Add(s.Took)).Attributes().PutStr("cicd.pipeline.task.name", s.Name)
		at = at.Add(s.Took)
	}
	return t
}
