package spans

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"github.com/buildregress/buildregress/fetch/buildkit"
	"github.com/buildregress/buildregress/fetch/builds/buildtest"
)

// fuzz runs a decoder: it must not panic, and the builds in what it returns must
// hold.
func fuzz(f *testing.F, decode decode, seeds ...[]byte) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		spans, _ := decode(t.Context(), data)
		builds, _ := buildkit.Builds(spans)
		for i := range builds {
			if err := buildtest.Check(&builds[i]); err != nil {
				t.Error(err)
			}
		}
	})
}

func FuzzOTLPJSON(f *testing.F) {
	fuzz(f, Decoder{}.OTLPJSON, thin(f, "alpha/otlp/049.json.gz", 3), thin(f, "beta/otlp/push.json.gz", 2),
		[]byte(asOld(string(thin(f, "beta/otlp/push.json.gz", 2)))), slices.Concat([]byte("["), thin(f, "alpha/otlp/049.json.gz", 1), []byte(",{}]")))
}

func FuzzOTLPProto(f *testing.F) {
	fuzz(f, Decoder{}.OTLPProto, buildtest.OTLPProto(f, thin(f, "alpha/otlp/049.json.gz", 3)), buildtest.OTLPProto(f, thin(f, "beta/otlp/push.json.gz", 2)))
}

func FuzzOTLPFrames(f *testing.F) {
	lines := thin(f, "alpha/otlp/049.json.gz", 2)
	fuzz(f, Decoder{}.OTLPFrames, framesOf(f, lines), append(framesOf(f, lines), framesOf(f, lines)...), []byte("\x00\x00\x00\x00"), []byte("\x00\x00\x00\x14{\"resourceSpans\":[]}"))
}

func FuzzJaeger(f *testing.F) {
	fuzz(f, Decoder{}.Jaeger, thin(f, "alpha/jaeger/049.json.gz", 4), thin(f, "beta/jaeger/bake-two.json.gz", 3))
}

func FuzzStubs(f *testing.F) {
	lines := bytes.SplitAfter(buildtest.SpanStubs(f, "alpha/dockerbuild/049.dockerbuild"), []byte("\n"))
	fuzz(f, Stubs, bytes.Join(lines[:min(200, len(lines))], nil))
}

// thin leaves the last n spans of each list of a recording: a fuzzer gets
// nowhere with a hundred thousand bytes.
func thin(tb testing.TB, path string, n int) []byte {
	tb.Helper()
	var value any
	if err := json.Unmarshal(buildtest.Recording(tb, path), &value); err != nil {
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
