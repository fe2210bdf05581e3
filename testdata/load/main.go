// Load fills a server of traces with builds, for measuring. It sends varied copies
// of a recorded build by OTLP over HTTP: other ids, times that vary by some
// percent, one build every few minutes up to now.
//
//	go run ./testdata/load -n 2000 http://127.0.0.1:4318
//
// With -drain it does the least that any client of Jaeger must do to have the
// traces of a window: it asks for them over gRPC, and counts their spans.
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"os"
	"time"

	"github.com/jaegertracing/jaeger-idl/proto-gen/api_v2"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/buildregress/buildregress/fetch/jaeger"
)

var (
	count    = flag.Int("n", 2000, "builds")
	every    = flag.Duration("every", 20*time.Minute, "from the start of one to that of the next")
	last     = flag.Duration("last", time.Hour, "ago the newest began")
	pipeline = flag.String("pipeline", "load", "cicd.pipeline.name of the builds")
	recorded = flag.String("recorded", "testdata/builds/alpha/otlp/030.json.gz", "OTLP JSON of one build")
	drain    = flag.Int("drain", 0, "traces to ask for instead, of HOST:PORT")
)

func main() {
	log.SetFlags(0)
	flag.Parse()
	if *drain > 0 {
		drained(flag.Arg(0))
		return
	}
	template := read(*recorded)
	first, spans := time.Now().Add(-*last-time.Duration(*count-1)**every), 0
	size := 0
	for i := range *count {
		t := vary(template, i, first.Add(time.Duration(i)**every))
		data, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(t)
		check(err)
		spans, size = spans+t.SpanCount(), size+len(data)
		answer, err := http.Post(flag.Arg(0)+"/v1/traces", "application/x-protobuf", bytes.NewReader(data))
		check(err)
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			log.Fatal(answer.Status)
		}
	}
	fmt.Printf("%d builds, %d spans and %d bytes each\n", *count, spans / *count, size / *count)
}

func read(path string) ptrace.Traces {
	f, err := os.Open(path)
	check(err)
	z, err := gzip.NewReader(f)
	check(err)
	data, err := io.ReadAll(z)
	check(err)
	data = bytes.TrimSuffix(bytes.TrimPrefix(bytes.TrimSpace(data), []byte(`{"result":`)), []byte("\n"))
	t, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(data)
	check(err)
	return t
}

// vary makes build number i of a recorded one.
func vary(template ptrace.Traces, i int, start time.Time) ptrace.Traces {
	t := ptrace.NewTraces()
	template.CopyTo(t)
	random := rand.New(rand.NewPCG(1, uint64(i)))
	machine := 1 + 0.03*random.NormFloat64()
	var trace pcommon.TraceID
	binary.BigEndian.PutUint64(trace[:8], random.Uint64())
	binary.BigEndian.PutUint64(trace[8:], random.Uint64())
	began := pcommon.Timestamp(1<<63 - 1)
	each(t, func(s ptrace.Span) { began = min(began, s.StartTimestamp()) })
	for _, rs := range t.ResourceSpans().All() {
		if _, isClient := rs.Resource().Attributes().Get("cicd.pipeline.run.id"); isClient {
			a := rs.Resource().Attributes()
			a.PutStr("cicd.pipeline.name", *pipeline)
			a.PutStr("cicd.pipeline.run.id", fmt.Sprintf("%s-%d", *pipeline, i))
			a.PutStr("vcs.ref.head.revision", fmt.Sprintf("%040x", i))
			a.PutStr("vcs.ref.head.name", "main")
		}
	}
	each(t, func(s ptrace.Span) {
		s.SetTraceID(trace)
		own := 1 + 0.02*random.NormFloat64()
		at := start.Add(time.Duration(float64(s.StartTimestamp()-began) * machine))
		took := time.Duration(float64(s.EndTimestamp()-s.StartTimestamp()) * machine * own)
		s.SetStartTimestamp(pcommon.NewTimestampFromTime(at))
		s.SetEndTimestamp(pcommon.NewTimestampFromTime(at.Add(took)))
	})
	return t
}

func each(t ptrace.Traces, f func(ptrace.Span)) {
	for _, rs := range t.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				f(s)
			}
		}
	}
}

// drained asks for the newest traces.
func drained(address string) {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(jaeger.Codec{}), grpc.MaxCallRecvMsgSize(64<<20)))
	check(err)
	stream, err := api_v2.NewQueryServiceClient(conn).FindTraces(context.Background(), &api_v2.FindTracesRequest{Query: &api_v2.TraceQueryParameters{
		ServiceName: "buildx", Tags: map[string]string{"cicd.pipeline.name": *pipeline, "vcs.ref.head.name": "main"},
		StartTimeMin: time.Now().Add(-30 * 24 * time.Hour), StartTimeMax: time.Now(), SearchDepth: int32(*drain), RawTraces: true,
	}})
	check(err)
	traces, spans := map[string]bool{}, 0
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		check(err)
		for i := range chunk.Spans {
			traces[chunk.Spans[i].TraceID.String()] = true
			spans++
		}
	}
	fmt.Printf("%d traces, %d spans\n", len(traces), spans)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
