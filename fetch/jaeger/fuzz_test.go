package jaeger

import (
	"reflect"
	"slices"
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
	f.Add(append(slices.Repeat(seed, 3), 0x5a, 1, 'x')) // and a field that is not known
	f.Fuzz(func(t *testing.T, data []byte) {
		var f frame
		if err := (Codec{}).Unmarshal(mem.BufferSlice{mem.SliceBuffer(data)}, &f); err != nil {
			t.Fatal(err)
		}
		got := f.decode(buildkit.AttributeSet{"x": true})
		spans := got.spans
		// What the whole message is to its own decoder, it is span by span, but for
		// fields that are broken where it does not look.
		var whole api_v2.SpansResponseChunk
		if whole.Unmarshal(data) == nil && got.err == nil {
			if len(spans) != len(whole.Spans) {
				t.Fatalf("%d spans, want %d", len(spans), len(whole.Spans))
			}
			for i := range spans {
				t1 := translator{extra: buildkit.AttributeSet{"x": true}}
				if want := t1.span(&whole.Spans[i]); !reflect.DeepEqual(spans[i], want) {
					t.Errorf("span %d is %+v, want %+v", i, spans[i], want)
				}
			}
		}
		buildkit.NewTrace("", spans).State()
		builds, _ := buildkit.Builds(spans)
		for i := range builds {
			if builds[i].Duration < 0 || builds[i].ID == "" {
				t.Errorf("%+v", builds[i])
			}
		}
	})
}
