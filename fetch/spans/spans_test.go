package spans

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/fetch/buildkit"
	"github.com/buildregress/buildregress/fetch/builds/buildtest"
)

// A decode decodes a trace of one of the formats.
type decode func(context.Context, []byte) ([]buildkit.Span, error)

// buildsOf decodes data, in which nothing may be wrong.
func buildsOf(t *testing.T, decode decode, data []byte) []detect.Build {
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
		{"twice", Decoder{}.OTLPJSON, append(append([]byte{}, data...), data...)},
		{"protobuf", Decoder{}.OTLPProto, buildtest.OTLPProto(t, data)},
	} {
		if diff := cmp.Diff(want, buildsOf(t, tt.decode, tt.data)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
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
	var want []detect.Build
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
