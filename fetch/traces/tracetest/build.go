// Package tracetest makes traces of builds, and serves them as Jaeger and Tempo
// do, for tests.
package tracetest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// A Build is one whose trace is made.
type Build struct {
	Trace      string // 32 digits of hex; "" makes one of Name
	Name       string // which of many it is
	Start      time.Time
	Attributes map[string]string // resource attributes of the client
	Steps      []Step            // one after the other

	// Run makes it the run of a pipeline instead, as the collector's GitHub receiver tells
	// of one: with a job that the steps are of, of this service.
	Run      string
	Rootless bool // the run has not ended
	Below    bool // it is below a span that is not there, and says its own result

	Failed     bool
	Running    bool // the command has not ended
	NoDaemon   bool // the daemon's side of the call lacks
	Duplicates bool // the client's spans came twice
	Padding    int  // more spans, of no use
	Big        int  // bytes of an attribute of one span
	Skew       time.Duration
	Targets    []string // that bake builds side by side, each with all of the steps
	Common     int      // so many of the first steps are one vertex each for all targets
	Asked      string   // the target that asked for these first, under which they stand
}

// A Step is a Dockerfile instruction that ran.
type Step struct {
	Name string
	Took time.Duration
}

// Usual is a build of main, number i of many, with steps that vary a little.
func Usual(i int, start time.Time) Build {
	wiggle := func(n int) time.Duration { return time.Duration((i*7+n*5)%11-5) * 8 * time.Millisecond }
	return Build{
		Name: fmt.Sprintf("main-%d", i), Start: start,
		Attributes: map[string]string{
			"cicd.pipeline.name": "shop", "cicd.pipeline.run.id": fmt.Sprintf("run-%d", i),
			"vcs.ref.head.name": "main", "vcs.ref.head.revision": fmt.Sprintf("%040x", i),
		},
		Steps: []Step{
			{"[build 1/4] RUN make deps", 8*time.Second + 5*wiggle(1)},
			{"[build 2/4] RUN make compile", 20*time.Second + 9*wiggle(2)},
			{"[build 3/4] RUN make lint", 4*time.Second + 3*wiggle(3)},
			{"[build 4/4] RUN make test", 15*time.Second + 7*wiggle(4)},
			{"[stage-1 2/3] RUN make docs", 6*time.Second + 4*wiggle(5)},
			{"[stage-1 3/3] RUN make pack", 3*time.Second + 2*wiggle(6)},
		},
	}
}

// On is the build on another branch.
func (b Build) On(branch string) Build {
	attributes := map[string]string{}
	maps.Copy(attributes, b.Attributes)
	attributes["vcs.ref.head.name"] = branch
	b.Attributes, b.Name = attributes, branch+"/"+b.Name
	return b
}

// Slow is the build with a step that takes so many times as long.
func (b Build) Slow(step int, factor float64) Build {
	b.Steps = append([]Step{}, b.Steps...)
	b.Steps[step].Took = time.Duration(float64(b.Steps[step].Took) * factor)
	return b
}

// Bake is a bake of the build for each target.
func Bake(b Build, targets ...string) Build {
	b.Targets = targets
	return b
}

func (b *Build) command() string {
	if len(b.Targets) > 0 {
		return "bake"
	}
	return "build ."
}

// ID is the id of the build's trace.
func (b *Build) ID() string {
	if b.Trace != "" {
		return b.Trace
	}
	sum := sha256.Sum256([]byte(b.Name))
	return hex.EncodeToString(sum[:16])
}

// Spans is the trace.
func (b *Build) Spans() ptrace.Traces {
	if b.Run != "" {
		return b.run()
	}
	t := ptrace.NewTraces()
	client, daemon := t.ResourceSpans().AppendEmpty(), t.ResourceSpans().AppendEmpty()
	client.Resource().Attributes().PutStr("service.name", "buildx")
	for key, value := range b.Attributes {
		client.Resource().Attributes().PutStr(key, value)
	}
	daemon.Resource().Attributes().PutStr("service.name", "buildkitd")
	daemon.Resource().Attributes().PutStr("host.name", "runner-7")

	var trace pcommon.TraceID
	_, _ = hex.Decode(trace[:], []byte(b.ID()))
	next := byte(0)
	add := func(to ptrace.SpanSlice, parent pcommon.SpanID, name string, kind ptrace.SpanKind, start, end time.Time) ptrace.Span {
		s := to.AppendEmpty()
		next++
		s.SetTraceID(trace)
		s.SetSpanID(pcommon.SpanID{trace[0], trace[1], 1, 0, 0, 0, 0, next})
		s.SetParentSpanID(parent)
		s.SetName(name)
		s.SetKind(kind)
		s.SetStartTimestamp(pcommon.NewTimestampFromTime(start))
		s.SetEndTimestamp(pcommon.NewTimestampFromTime(end))
		return s
	}
	clients := client.ScopeSpans().AppendEmpty().Spans()
	servers := daemon.ScopeSpans().AppendEmpty().Spans()
	took := time.Duration(0)
	for _, s := range b.Steps {
		took += s.Took
	}
	end := b.Start.Add(took + 200*time.Millisecond)

	root := pcommon.SpanID{trace[0], trace[1], 2, 0, 0, 0, 0, 0xff}
	capabilities := add(clients, root, "load buildkit capabilities", ptrace.SpanKindInternal, b.Start, b.Start.Add(20*time.Millisecond))
	add(clients, capabilities.SpanID(), solve, ptrace.SpanKindClient, b.Start, b.Start.Add(11*time.Millisecond))
	if !b.Running {
		s := add(clients, pcommon.SpanID{}, b.command(), ptrace.SpanKindInternal, b.Start, end)
		s.SetSpanID(root)
	}
	targets := b.Targets
	if len(targets) == 0 {
		targets = []string{""}
	}
	served := root
	for _, target := range targets {
		served = b.target(add, clients, servers, root, target, end)
	}
	for i := range b.Padding {
		s := add(servers, served, "HTTP GET", ptrace.SpanKindClient, b.Start, b.Start.Add(time.Second))
		s.SetSpanID(pcommon.SpanID{9, 0, 0, 0, 0, byte(i >> 16), byte(i >> 8), byte(i)})
		s.Attributes().PutStr("http.method", "GET")
	}
	if b.Duplicates {
		for i := range clients.Len() {
			clients.At(i).CopyTo(clients.AppendEmpty())
		}
	}
	return t
}

type adder func(to ptrace.SpanSlice, parent pcommon.SpanID, name string, kind ptrace.SpanKind, start, end time.Time) ptrace.Span

// target adds the build of one target, "" for the only one, and returns the call
// that its work is below.
func (b *Build) target(add adder, clients, servers ptrace.SpanSlice, parent pcommon.SpanID, target string, end time.Time) pcommon.SpanID {
	if target != "" {
		parent = add(clients, parent, target, ptrace.SpanKindInternal, b.Start.Add(25*time.Millisecond), end).SpanID()
	}
	inner := add(clients, parent, "build", ptrace.SpanKindInternal, b.Start.Add(30*time.Millisecond), end)
	call := add(clients, inner.SpanID(), solve, ptrace.SpanKindClient, b.Start.Add(40*time.Millisecond), end)
	took := end.Sub(b.Start) - 200*time.Millisecond
	at := b.Start.Add(50*time.Millisecond + b.Skew)
	served := call.SpanID()
	if !b.NoDaemon {
		s := add(servers, call.SpanID(), solve, ptrace.SpanKindServer, at, at.Add(took+100*time.Millisecond))
		served = s.SpanID()
		if b.Failed {
			s.Status().SetCode(ptrace.StatusCodeError)
			s.Status().SetMessage("exit code: 1")
		}
	}
	for i, step := range b.Steps {
		owner := target
		if i < b.Common && target != "" {
			if owner = ""; target != b.Asked {
				at = at.Add(step.Took)
				continue
			}
		}
		s := add(servers, served, step.Name, ptrace.SpanKindInternal, at, at.Add(step.Took))
		digest := sha256.Sum256([]byte(b.ID() + owner + step.Name))
		s.Attributes().PutStr("vertex", "sha256:"+hex.EncodeToString(digest[:]))
		if b.Failed && i == len(b.Steps)-1 {
			s.Status().SetCode(ptrace.StatusCodeError)
			s.Status().SetMessage("exit code: 1")
		}
		if i == 0 && b.Big > 0 {
			s.Attributes().PutStr("exception.stacktrace", strings.Repeat("at ", b.Big/3))
		}
		at = at.Add(step.Took)
	}
	return served
}

const solve = "moby.buildkit.v1.Control/Solve"
