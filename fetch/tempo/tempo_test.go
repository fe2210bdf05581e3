package tempo

import (
	"bytes"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/buildregress/buildregress/fetch/spans"
	"github.com/buildregress/buildregress/fetch/traces"
)

// Values are quoted in a question, so that none of them asks for anything else.
func TestTraceQL(t *testing.T) {
	q := traces.Question{Service: "buildx", Tags: map[string]string{"vcs.ref.head.name": `a" || true || "`, "my key}": "x\\y"}}
	want := `{ resource.service.name = "buildx" && ."my key}" = "x\\y" && .vcs.ref.head.name = "a\" || true || \"" }`
	if got := traceQL(q); got != want {
		t.Errorf("asked\n%s, want\n%s", got, want)
	}
}

// Ids come without their leading zeros.
func TestTraceID(t *testing.T) {
	if got := traceID("D6e9329d67b6146a"); got != strings.Repeat("0", 16)+"d6e9329d67b6146a" {
		t.Error(got)
	}
}

func FuzzAnswer(f *testing.F) {
	trace := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), []byte{10, 0})
	f.Add(trace)
	f.Add(protowire.AppendVarint(protowire.AppendTag(trace, 3, protowire.VarintType), 1))
	f.Add([]byte(`{"trace":{"resourceSpans":[]},"status":"PARTIAL"}`))
	f.Add([]byte(`{"`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if trace, err := unwrap(data); err == nil {
			if len(trace) > len(data) {
				t.Errorf("%d bytes out of %d", len(trace), len(data))
			}
			_, _ = spans.Decoder{}.OTLPProto(t.Context(), trace)
		}
		if bytes.HasPrefix(data, []byte("{")) {
			_ = checkComplete(data)
		}
	})
}
