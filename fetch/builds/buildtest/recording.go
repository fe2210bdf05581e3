package buildtest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Recordings is the folder of recorded builds, from that of a package two below
// the top.
const Recordings = "../../testdata/builds"

// Recording reads a recorded file, unpacked if it is named so.
func Recording(tb testing.TB, path string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join(Recordings, path))
	if err != nil {
		tb.Fatal(err)
	}
	if strings.HasSuffix(path, ".gz") {
		return gunzip(tb, data)
	}
	return data
}

// SpanStubs are the spans that a recorded build record keeps.
func SpanStubs(tb testing.TB, path string) []byte {
	tb.Helper()
	archive := tar.NewReader(bytes.NewReader(gunzip(tb, Recording(tb, path))))
	for {
		_, err := archive.Next()
		if errors.Is(err, io.EOF) {
			tb.Fatalf("%s: no spans in it", path)
		}
		if err != nil {
			tb.Fatal(err)
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			tb.Fatal(err)
		}
		if bytes.Contains(data, []byte(`"SpanContext":`)) {
			return data
		}
	}
}

// OTLPProto is a trace in protobuf that was recorded as OTLP in JSON.
func OTLPProto(tb testing.TB, recorded []byte) []byte {
	tb.Helper()
	var answer struct { // as Jaeger wraps it
		Result json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(recorded, &answer); err != nil {
		tb.Fatal(err)
	}
	if answer.Result != nil {
		recorded = answer.Result
	}
	traces, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(recorded)
	if err != nil {
		tb.Fatal(err)
	}
	data, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(traces)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func gunzip(tb testing.TB, data []byte) []byte {
	tb.Helper()
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		tb.Fatal(err)
	}
	if data, err = io.ReadAll(r); err != nil {
		tb.Fatal(err)
	}
	return data
}
