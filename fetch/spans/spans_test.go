package spans

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch/buildkit"
	"github.com/buildregress/buildregress/fetch/builds/buildtest"
	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// A decode decodes a trace of one of the formats.
type decode func(context.Context, []byte) ([]buildkit.Span, error)

// buildsOf decodes data, in which nothing may be wrong.
func buildsOf(t *testing.T, decode decode, data []byte) []timeline.Build {
	t.Helper()
	spans, err := decode(t.Context(), data)
	if err != nil {
		t.Error(err)
	}
	builds, warnings := buildkit.Builds(spans)
	for _, w := range warnings {
		t.Errorf("warning: %v", w)
	}
	return builds
}

// TestOTLPVariants writes one trace in all the ways in which it is found.
func TestOTLPVariants(t *testing.T) {
	data := buildtest.Recording(t, "beta/otlp/push.json.gz")
	want := buildsOf(t, Decoder{}.OTLPJSON, data)
	var envelope struct {
		Result struct {
			ResourceSpans []json.RawMessage `json:"resourceSpans"`
		} `json:"result"`
	}
	if err := json.Unmarshal(data, &envelope); err != nil {
		t.Fatal(err)
	}
	list, err := json.Marshal(envelope.Result.ResourceSpans)
	if err != nil {
		t.Fatal(err)
	}
	var lines bytes.Buffer
	for _, rs := range envelope.Result.ResourceSpans {
		lines.WriteString(`{"resourceSpans":[` + string(rs) + "]}\n")
	}
	for _, tt := range []struct {
		name   string
		decode decode
		data   []byte
	}{
		{"bare", Decoder{}.OTLPJSON, []byte(`{"resourceSpans":` + string(list) + `}`)},
		{"Tempo v1", Decoder{}.OTLPJSON, []byte(`{"batches":` + asTempo(string(list)) + `}`)},
		{"Tempo v2", Decoder{}.OTLPJSON, []byte(`{"metrics":{},"trace":{"resourceSpans":` + asTempo(string(list)) + `},"status":"COMPLETE"}`)},
		{"collector", Decoder{}.OTLPJSON, lines.Bytes()},
		{"collector, with metrics and logs", Decoder{}.OTLPJSON, slices.Concat([]byte(`{"resourceMetrics":[{"scopeMetrics":[]}]}`+"\n"), lines.Bytes(), []byte(`{"resourceLogs":[]}`))},
		{"a list of documents", Decoder{}.OTLPJSON, []byte(`[ ` + strings.ReplaceAll(strings.TrimSpace(lines.String()), "\n", ",\n") + " ]\n")},
		{"a list of resource spans", Decoder{}.OTLPJSON, list},
		{"a list of them with protobuf's names", Decoder{}.OTLPJSON, []byte(strings.ReplaceAll(string(list), `"scopeSpans"`, `"scope_spans"`))},
		{"a list of them before OTLP 0.15, with protobuf's names", Decoder{}.OTLPJSON, []byte(strings.ReplaceAll(asOld(string(list)), `"instrumentationLibrarySpans"`, `"instrumentation_library_spans"`))},
		{"before OTLP 0.15", Decoder{}.OTLPJSON, []byte(`{"resourceSpans":` + asOld(string(list)) + `}`)},
		{"Tempo 1", Decoder{}.OTLPJSON, []byte(`{"batches":` + asTempo(asOld(string(list))) + `}`)},
		{"collector, proto", Decoder{}.OTLPFrames, framesOf(t, lines.Bytes())},
		{"collector, proto, with metrics and logs", Decoder{}.OTLPFrames, slices.Concat(otherFrames(t), framesOf(t, lines.Bytes()), otherFrames(t))},
		{"twice", Decoder{}.OTLPJSON, append(append([]byte{}, data...), data...)},
		{"protobuf", Decoder{}.OTLPProto, buildtest.OTLPProto(t, data)},
	} {
		if diff := cmp.Diff(want, buildsOf(t, tt.decode, tt.data)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// asOld gives scopes the name that they had before OTLP 0.15.
func asOld(list string) string {
	return strings.NewReplacer(`"scopeSpans"`, `"instrumentationLibrarySpans"`, `"scope":`, `"instrumentationLibrary":`).Replace(list)
}

// framesOf writes each line of OTLP JSON as a message behind its length.
func framesOf(tb testing.TB, lines []byte) []byte {
	tb.Helper()
	var frames []byte
	for line := range bytes.Lines(lines) {
		message := buildtest.OTLPProto(tb, line)
		frames = binary.BigEndian.AppendUint32(frames, uint32(len(message)))
		frames = append(frames, message...)
	}
	return frames
}

// otherFrames are what a collector writes into the same file if it is told to.
func otherFrames(tb testing.TB) []byte {
	tb.Helper()
	var frames []byte
	add := func(message []byte, err error) {
		if err != nil {
			tb.Fatal(err)
		}
		if first := append(binary.BigEndian.AppendUint32(nil, uint32(len(message))), message...); !IsOTLPFrames(first) {
			tb.Errorf("a file that begins with %q is not recognised", message)
		}
		frames = append(binary.BigEndian.AppendUint32(frames, uint32(len(message))), message...)
	}
	for _, kind := range []pmetric.MetricType{
		pmetric.MetricTypeGauge, pmetric.MetricTypeSum, pmetric.MetricTypeHistogram,
		pmetric.MetricTypeExponentialHistogram, pmetric.MetricTypeSummary,
	} {
		metrics := pmetric.NewMetrics()
		resource := metrics.ResourceMetrics().AppendEmpty()
		resource.Resource().Attributes().PutStr("service.name", "collector")
		metric := resource.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
		metric.SetName("process.cpu_time") // as long as the ID of a trace
		metric.SetDescription("CPU time")  // and as that of a span
		switch kind {
		case pmetric.MetricTypeGauge:
			metric.SetEmptyGauge().DataPoints().AppendEmpty().SetIntValue(1)
		case pmetric.MetricTypeSum:
			metric.SetEmptySum().DataPoints().AppendEmpty().SetIntValue(1)
		case pmetric.MetricTypeHistogram:
			metric.SetEmptyHistogram().DataPoints().AppendEmpty().SetCount(1)
		case pmetric.MetricTypeExponentialHistogram:
			metric.SetEmptyExponentialHistogram().DataPoints().AppendEmpty().SetCount(1)
		case pmetric.MetricTypeSummary:
			metric.SetEmptySummary().DataPoints().AppendEmpty().SetCount(1)
		}
		add((&pmetric.ProtoMarshaler{}).MarshalMetrics(metrics))
	}
	for _, seen := range []bool{false, true} {
		logs := plog.NewLogs()
		record := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		record.Body().SetStr("ready")
		if seen {
			record.SetObservedTimestamp(1)
		} else {
			record.SetTimestamp(1)
		}
		add((&plog.ProtoMarshaler{}).MarshalLogs(logs))
	}
	return frames
}

// TestOTLPFramesCut cuts a file of the collector off, and damages a message in it:
// what the others hold is read.
func TestOTLPFramesCut(t *testing.T) {
	document := buildtest.OTLPProto(t, thin(t, "beta/otlp/push.json.gz", 3))
	one := append(binary.BigEndian.AppendUint32(nil, uint32(len(document))), document...)
	other := append(binary.BigEndian.AppendUint32(nil, 2), "\x08\x01"...)
	whole, err := Decoder{}.OTLPFrames(t.Context(), one)
	if err != nil || len(whole) == 0 {
		t.Fatalf("%d spans, error %v", len(whole), err)
	}
	for name, tt := range map[string]struct {
		data  []byte
		times int
		want  string
	}{
		"cut":           {slices.Concat(one, one[:len(one)-1]), 1, "message 2: cut off: it ends in the middle"},
		"cut in length": {slices.Concat(one, one[:2]), 1, "message 2: cut off"},
		"not of traces": {slices.Concat(one, other, one), 2, "message 2: is no OTLP"},
		"cut at once":   {one[:len(one)-1], 0, "message 1: cut off"},
	} {
		if !IsOTLPFrames(tt.data) {
			t.Errorf("%s: not recognised", name)
		}
		spans, err := Decoder{}.OTLPFrames(t.Context(), tt.data)
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) || len(spans) != tt.times*len(whole) {
			t.Errorf("%s: %d spans of %d, error %v, want %q", name, len(spans), tt.times*len(whole), err, tt.want)
		}
	}
}

var (
	hexField  = regexp.MustCompile(`"(traceId|spanId|parentSpanId)":"([0-9a-f]+)"`)
	kindField = regexp.MustCompile(`"kind":(\d)`)
	codeField = regexp.MustCompile(`"code":2`)
	timeField = regexp.MustCompile(`TimeUnixNano":"(\d+)"`)
)

// asTempo writes OTLP as Tempo does: ids in base64, enums by name.
func asTempo(list string) string {
	list = hexField.ReplaceAllStringFunc(list, func(field string) string {
		m := hexField.FindStringSubmatch(field)
		id, _ := hex.DecodeString(m[2])
		return `"` + m[1] + `": "` + base64.StdEncoding.EncodeToString(id) + `"`
	})
	kinds := []string{"UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"}
	list = kindField.ReplaceAllStringFunc(list, func(field string) string {
		return `"kind":"SPAN_KIND_` + kinds[field[len(field)-1]-'0'] + `"`
	})
	list = timeField.ReplaceAllString(list, `TimeUnixNano":$1`)
	return codeField.ReplaceAllString(list, `"code":"STATUS_CODE_ERROR"`)
}

// TestSpanStubs reads the trace in a record as the file it is, as a stream and
// as an array, in which the SDK writes the status by name.
func TestSpanStubs(t *testing.T) {
	stubs := buildtest.SpanStubs(t, "alpha/dockerbuild/049.dockerbuild")
	want := buildsOf(t, Decoder{}.OTLPJSON, buildtest.Recording(t, "alpha/otlp/049.json.gz"))
	var spans []json.RawMessage
	if err := eachJSON(t.Context(), stubs, func(span []byte) error {
		spans = append(spans, span)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	array, err := json.Marshal(spans)
	if err != nil {
		t.Fatal(err)
	}
	named := strings.NewReplacer(`"Code":0`, `"Code":"Unset"`, `"Code":1`, `"Code":"Error"`, `"Code":2`, `"Code":"Ok"`).Replace(string(array))
	for name, data := range map[string][]byte{"stream": stubs, "array": array, "names": []byte(named)} {
		if diff := cmp.Diff(want, buildsOf(t, Stubs, data)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestManyTraces reads an answer with several traces.
func TestManyTraces(t *testing.T) {
	var traces []json.RawMessage
	var want []timeline.Build
	for _, name := range []string{"000", "001", "049"} {
		var answer struct {
			Data []json.RawMessage `json:"data"`
		}
		if err := json.Unmarshal(buildtest.Recording(t, "alpha/jaeger/"+name+".json.gz"), &answer); err != nil {
			t.Fatal(err)
		}
		traces = append(traces, answer.Data...)
		want = append(want, buildsOf(t, Decoder{}.Jaeger, buildtest.Recording(t, "alpha/jaeger/"+name+".json.gz"))...)
	}
	array, err := json.Marshal(traces)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"answer": []byte(`{"data":` + string(array) + `,"total":0,"errors":null}`),
		"array":  array,
		"bare":   bytes.Join([][]byte{traces[0], traces[1], traces[2]}, []byte("\n")),
	} {
		if diff := cmp.Diff(want, buildsOf(t, Decoder{}.Jaeger, data)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
