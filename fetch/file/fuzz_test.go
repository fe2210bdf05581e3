package file

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/buildregress/buildregress/fetch/buildkit"
	"github.com/buildregress/buildregress/fetch/builds/buildtest"
)

// fuzz runs a decoder: it must not panic, and what it returns must hold.
func fuzz(f *testing.F, decode func(d *decoder, data []byte) error, seeds ...[]byte) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d := &decoder{ctx: t.Context(), left: 16 << 20} // what is fuzzed is small, and so may be what it unpacks to
		_ = decode(d, data)
		for i := range d.builds {
			if err := buildtest.Check(&d.builds[i]); err != nil {
				t.Error(err)
			}
			if err := roundTrip(d.builds[i]); err != nil {
				t.Error(err)
			}
		}
	})
}

// thin leaves the last n spans of each list of a recording: a fuzzer gets
// nowhere with a hundred thousand bytes.
func thin(tb testing.TB, data []byte, n int) []byte {
	tb.Helper()
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		tb.Fatal(err)
	}
	var walk func(any)
	walk = func(value any) {
		switch v := value.(type) {
		case map[string]any:
			if spans, ok := v["spans"].([]any); ok {
				v["spans"] = spans[max(0, len(spans)-n):]
			}
			for _, inner := range v {
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(value)
	out, err := json.Marshal(value)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// lines are some of the lines of a recording.
func lines(data []byte, from, to int) []byte {
	all := bytes.SplitAfter(data, []byte("\n"))
	return bytes.Join(all[min(from, len(all)):min(to, len(all))], nil)
}

// spansFuzz is a decoder of spans, for fuzz.
func spansFuzz(decode func(context.Context, []byte) ([]buildkit.Span, error)) func(*decoder, []byte) error {
	return func(d *decoder, data []byte) error { return d.spans("f", data, decode) }
}

func FuzzRawJSON(f *testing.F) {
	fuzz(f, func(d *decoder, data []byte) error { return d.progressLog("f", data) },
		lines(recording(f, "alpha/rawjson/049.jsonl.gz"), 20, 30), lines(recording(f, "beta/rawjson/bake-two.jsonl.gz"), 0, 10),
		lines(recording(f, "beta/rawjson/push.jsonl.gz"), 40, 60), []byte("{}\nERROR: target a: failed to solve: b"))
}

// FuzzDockerbuild fuzzes what is in the compression, which no fuzzer gets through.
func FuzzDockerbuild(f *testing.F) {
	var seeds [][]byte
	for _, path := range []string{"alpha/dockerbuild/049.dockerbuild", "beta/dockerbuild/bake-two-both.dockerbuild"} {
		r, err := gzip.NewReader(bytes.NewReader(recording(f, path)))
		if err != nil {
			f.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			f.Fatal(err)
		}
		seeds = append(seeds, content)
	}
	fuzz(f, func(d *decoder, data []byte) error { return d.untar("f", data) }, seeds...)
}

// FuzzStatus fuzzes a part of a record that its digest hides from the fuzzer.
func FuzzStatus(f *testing.F) {
	fuzz(f, func(d *decoder, data []byte) error {
		var p buildkit.Progress
		if err := statusBlob(d.ctx, &p, data); err != nil {
			return err
		}
		b, warnings := p.Builds(buildkit.Account{Ref: "r"})
		d.add("f", b, warnings)
		return nil
	}, statusIn(f, "alpha/dockerbuild/001.dockerbuild"), statusIn(f, "beta/dockerbuild/push.dockerbuild"))
}

// FuzzProvenance fuzzes another.
func FuzzProvenance(f *testing.F) {
	f.Add([]byte(`{"buildConfig":{"digestMapping":{"sha256:a":"step0"}},"metadata":{"https://mobyproject.org/buildkit@v1#metadata":{"source":{"locations":{"step0":{"locations":[{"ranges":[{"start":{"line":1},"end":{"line":2}}]}]}},"infos":[{"filename":"Dockerfile","data":"UlVOIFwKIGVjaG8gJFgK"}]}}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var a buildkit.Account
		_ = readProvenance(data, &a)
		for _, in := range a.Instructions {
			if in.Position.Line < 1 {
				t.Errorf("line %d", in.Position.Line)
			}
		}
	})
}

func FuzzOTLPJSON(f *testing.F) {
	fuzz(f, spansFuzz(Spans{}.OTLPJSON), thin(f, recording(f, "alpha/otlp/049.json.gz"), 3), thin(f, recording(f, "beta/otlp/push.json.gz"), 2))
}

func FuzzOTLPProto(f *testing.F) {
	fuzz(f, spansFuzz(Spans{}.OTLPProto), protoOf(f, thin(f, recording(f, "alpha/otlp/049.json.gz"), 3)), protoOf(f, thin(f, recording(f, "beta/otlp/push.json.gz"), 2)))
}

func FuzzJaeger(f *testing.F) {
	fuzz(f, spansFuzz(Spans{}.Jaeger), thin(f, recording(f, "alpha/jaeger/049.json.gz"), 4), thin(f, recording(f, "beta/jaeger/bake-two.json.gz"), 3))
}

func FuzzStubs(f *testing.F) {
	fuzz(f, spansFuzz(SpanStubs), lines(traceIn(f, "alpha/dockerbuild/049.dockerbuild"), 0, 200))
}

func FuzzOpen(f *testing.F) {
	record := recording(f, "alpha/dockerbuild/001.dockerbuild")
	fuzz(f, func(d *decoder, data []byte) error { return d.decode("f", data, 0) },
		record, zipOf(map[string][]byte{"a": record}), recording(f, "alpha/otlp/001.json.gz"), recording(f, "alpha/jaeger/001.json.gz"),
		recording(f, "alpha/rawjson/001.jsonl.gz"), protoOf(f, recording(f, "alpha/otlp/001.json.gz")),
		[]byte(`{"id":"x","steps":[{"name":"a","duration_seconds":1}]}`), []byte("<html>"))
}

// protoOf is a trace in protobuf that was recorded in JSON.
func protoOf(tb testing.TB, recorded []byte) []byte {
	tb.Helper()
	list, err := unwrap(bytes.TrimSpace(recorded), 0)
	if err != nil {
		tb.Fatal(err)
	}
	traces, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces([]byte(`{"resourceSpans":` + string(list) + `}`))
	if err != nil {
		tb.Fatal(err)
	}
	data, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(traces)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func BenchmarkDecode(b *testing.B) {
	for _, bench := range []struct {
		name string
		data []byte
	}{
		{"progress", recording(b, "alpha/rawjson/001.jsonl.gz")},
		{"record", recording(b, "alpha/dockerbuild/001.dockerbuild")},
		{"otlp-json", recording(b, "alpha/otlp/001.json.gz")},
		{"otlp-proto", protoOf(b, recording(b, "alpha/otlp/001.json.gz"))},
		{"jaeger", recording(b, "alpha/jaeger/001.json.gz")},
		{"stubs", traceIn(b, "alpha/dockerbuild/001.dockerbuild")},
		{"progress-10k-steps", progressOf(10_000)},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.SetBytes(int64(len(bench.data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := Decode(b.Context(), "f", bench.data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
