package file

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/buildregress/buildregress/detect"
)

// TestOTLPVariants writes one trace in all the ways in which it is found.
func TestOTLPVariants(t *testing.T) {
	data := recording(t, "beta/otlp/push.json.gz")
	want, _, err := Decode(t.Context(), "f", data)
	if err != nil {
		t.Fatal(err)
	}
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
	traces, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces([]byte(`{"resourceSpans":` + string(list) + `}`))
	if err != nil {
		t.Fatal(err)
	}
	binary, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(traces)
	if err != nil {
		t.Fatal(err)
	}
	for name, variant := range map[string][]byte{
		"bare":          []byte(`{"resourceSpans":` + string(list) + `}`),
		"Tempo v1":      []byte(`{"batches":` + asTempo(string(list)) + `}`),
		"Tempo v2":      []byte(`{"metrics":{},"trace":{"resourceSpans":` + asTempo(string(list)) + `},"status":"COMPLETE"}`),
		"collector":     lines.Bytes(),
		"twice":         append(append([]byte{}, data...), data...),
		"protobuf":      binary,
		"gzip protobuf": gzipOf(binary),
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
	stubs := traceIn(t, "alpha/dockerbuild/049.dockerbuild")
	want := open(t, "alpha/otlp/049.json.gz")
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
		got, _, err := Decode(t.Context(), "f", data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// traceIn is the trace that a record keeps.
func traceIn(tb testing.TB, path string) []byte { return layerOf(tb, path, typeTrace) }

// statusIn is the progress that a record keeps.
func statusIn(tb testing.TB, path string) []byte { return layerOf(tb, path, typeStatus) }

func layerOf(tb testing.TB, path, mediaType string) []byte {
	tb.Helper()
	r, err := gzip.NewReader(bytes.NewReader(recording(tb, path)))
	if err != nil {
		tb.Fatal(err)
	}
	l := newLayoutReader(map[string][]byte{})
	for archive := tar.NewReader(r); ; {
		h, err := archive.Next()
		if err == io.EOF {
			break
		}
		data, readErr := io.ReadAll(archive)
		if err != nil || readErr != nil {
			tb.Fatal(err, readErr)
		}
		l.members[h.Name] = data
	}
	if err := l.walkIndex(l.members["index.json"], 0); err != nil {
		tb.Fatal(err)
	}
	blob, err := l.layer(l.records[0], mediaType)
	if err != nil || blob == nil {
		tb.Fatalf("%s: no %s: %v", path, mediaType, err)
	}
	return blob
}

// TestManyTraces reads an answer with several traces.
func TestManyTraces(t *testing.T) {
	var traces []json.RawMessage
	var want []detect.Build
	for _, name := range []string{"000", "001", "049"} {
		var answer struct {
			Data []json.RawMessage `json:"data"`
		}
		if err := json.Unmarshal(recording(t, "alpha/jaeger/"+name+".json.gz"), &answer); err != nil {
			t.Fatal(err)
		}
		traces = append(traces, answer.Data...)
		want = append(want, open(t, "alpha/jaeger/"+name+".json.gz")...)
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
		got, warnings, err := Decode(t.Context(), "f", data)
		if err != nil || len(warnings) > 0 {
			t.Errorf("%s: warnings %v, error %v", name, warnings, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
