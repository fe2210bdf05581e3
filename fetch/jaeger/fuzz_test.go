package jaeger

import (
	"testing"

	"github.com/gogo/protobuf/proto"
	"github.com/jaegertracing/jaeger-idl/model/v1"
	"github.com/jaegertracing/jaeger-idl/proto-gen/api_v2"
	"google.golang.org/grpc/mem"

	"github.com/buildregress/buildregress/fetch/buildkit"
)

// Whatever a server sends as spans is spans or an error, and builds or none.
func FuzzSpans(f *testing.F) {
	id := model.NewTraceID(1, 2)
	seed, err := proto.Marshal(&api_v2.SpansResponseChunk{Spans: []model.Span{{
		TraceID: id, SpanID: 3, OperationName: "[build 1/2] RUN make", Duration: 5e9,
		References: []model.SpanRef{model.NewChildOfRef(id, 4)},
		Tags:       []model.KeyValue{model.String("vertex", "sha256:aa"), model.Int64("rpc.grpc.status_code", 1), model.Bool("error", true), model.Float64("x", 1)},
		Logs:       []model.Log{{Fields: []model.KeyValue{model.String("exception.message", "exit code: 1")}}},
		Process:    model.NewProcess("buildx", []model.KeyValue{model.String("vcs.ref.head.name", "main")}),
	}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		var f frame
		if err := (Codec{}).Unmarshal(mem.BufferSlice{mem.SliceBuffer(data)}, &f); err != nil {
			t.Fatal(err)
		}
		read := f.read(buildkit.Keep{"x": true})
		if read.err != nil {
			return
		}
		spans := read.spans
		buildkit.NewTrace("", spans).State()
		builds, _ := buildkit.Builds(spans)
		for i := range builds {
			if builds[i].Duration < 0 || builds[i].ID == "" {
				t.Errorf("%+v", builds[i])
			}
		}
	})
}
