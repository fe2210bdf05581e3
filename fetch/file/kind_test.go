package file

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/buildregress/buildregress/fetch/builds/buildtest"
)

// TestFormatOf gives each format as those begin that write it.
func TestFormatOf(t *testing.T) {
	for _, tt := range []struct {
		data string
		want format
	}{
		{`{"resourceSpans":[`, otlpJSON},
		{`{"resource_spans":[`, otlpJSON},
		{`[{"scope_spans":[`, otlpJSON},
		{`[{"instrumentation_library_spans":[`, otlpJSON},
		{`{"result":{"resourceSpans":[`, otlpJSON},
		{`{"batches":[`, otlpJSON},
		{` {"metrics":{},"trace":{"resourceSpans":[`, otlpJSON},
		{`[{"resourceSpans":[`, otlpJSON},
		{`{"resourceMetrics":[`, otlpJSON},
		{`[{"resource":{},"scopeSpans":[`, otlpJSON},
		{"\n\x00", otlpProto},
		{"\x00\x00\x00\x02\n\x00", otlpFrames},
		{`{"data":[{"traceID":"a","spans":[`, jaegerJSON},
		{`[{"traceID":"a","spans":[`, jaegerJSON},
		{`{"traceID":"a"`, jaegerJSON},
		{`{"Name":"a","SpanContext":{`, spanStubs},
		{`[{"Name":"a","SpanContext":{`, spanStubs},
		{`{"id":"x","steps":[`, buildsFile},
		{`{"vertexes":[`, progressLog},
		{"WARN: x\n" + `{"vertexes":[]}`, progressLog},
		{"PK\x03\x04", zipped},
		{`[[{"data":1}]]`, unknown},
		{`{"a":{"data":1}}`, unknown},
	} {
		if got := formatOf([]byte(tt.data)); got != tt.want {
			t.Errorf("%q is of format %d, want %d", tt.data, got, tt.want)
		}
	}
}

// TestPackedTrace reads a trace that is not just what one of the decoders reads.
func TestPackedTrace(t *testing.T) {
	const path = "beta/otlp/push.json.gz"
	data := buildtest.Recording(t, path)
	want := open(t, path)
	for name, variant := range map[string][]byte{
		"protobuf":      buildtest.OTLPProto(t, data),
		"gzip protobuf": gzipOf(buildtest.OTLPProto(t, data)),
		"with a mark":   append([]byte("\ufeff"), data...),
	} {
		got, warnings, err := Decode(t.Context(), "f", variant)
		if err != nil || len(warnings) > 0 {
			t.Errorf("%s: warnings %v, error %v", name, warnings, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
