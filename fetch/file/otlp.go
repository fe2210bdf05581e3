package file

import (
	"encoding/json"
	"fmt"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/buildregress/buildregress/fetch/buildkit"
)

// OTLPProto reads the spans of an OTLP message TracesData, or of Tempo's Trace,
// which is the same on the wire.
func OTLPProto(data []byte) ([]buildkit.Span, error) {
	if err := checkTraces(data); err != nil {
		return nil, err
	}
	traces, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(data)
	if err != nil {
		return nil, fmt.Errorf("bad OTLP: %w", err)
	}
	return fromOTLP(traces, nil), nil
}

// OTLPJSON reads the spans of OTLP JSON as the collector, Jaeger and Tempo write
// it; several documents may follow each other. If a later one is bad, the spans
// of those before it are returned with the error.
func OTLPJSON(data []byte) ([]buildkit.Span, error) {
	var spans []buildkit.Span
	err := eachJSON(data, func(value json.RawMessage) error {
		resourceSpans, err := unwrap(value, 0)
		if err != nil || len(resourceSpans) == 0 {
			return err
		}
		document := append([]byte(`{"resourceSpans":`), hexIDs(resourceSpans)...)
		traces, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(append(document, '}'))
		if err != nil {
			return fmt.Errorf("bad OTLP: %w", err)
		}
		if len(spans)+traces.SpanCount() > MaxSpans {
			return errTooManySpans
		}
		spans = fromOTLP(traces, spans)
		return nil
	})
	return spans, err
}

// unwrap finds the list of resource spans, which Jaeger wraps in "result" and
// Tempo in "trace", or calls "batches".
func unwrap(value json.RawMessage, depth int) (json.RawMessage, error) {
	var envelope struct {
		ResourceSpans json.RawMessage `json:"resourceSpans"`
		SnakeCase     json.RawMessage `json:"resource_spans"`
		Batches       json.RawMessage `json:"batches"`
		Result        json.RawMessage `json:"result"`
		Trace         json.RawMessage `json:"trace"`
	}
	if err := json.Unmarshal(value, &envelope); err != nil {
		return nil, jsonError(err)
	}
	for _, list := range []json.RawMessage{envelope.ResourceSpans, envelope.SnakeCase, envelope.Batches} {
		if len(list) > 0 && list[0] == '[' {
			return list, nil
		}
		if len(list) > 0 && string(list) != "null" {
			return nil, fmt.Errorf("resourceSpans is no list")
		}
	}
	for _, inner := range []json.RawMessage{envelope.Result, envelope.Trace} {
		if len(inner) > 0 && inner[0] == '{' && depth < 3 {
			return unwrap(inner, depth+1)
		}
	}
	return nil, nil
}

// fromOTLP appends the spans of traces to spans.
func fromOTLP(traces ptrace.Traces, spans []buildkit.Span) []buildkit.Span {
	for _, rs := range traces.ResourceSpans().All() {
		resource := map[string]string{}
		for key, value := range rs.Resource().Attributes().All() {
			resource[key] = value.AsString()
		}
		for _, scope := range rs.ScopeSpans().All() {
			for _, s := range scope.Spans().All() {
				spans = append(spans, fromOTLPSpan(s, resource))
			}
		}
	}
	return spans
}

func fromOTLPSpan(s ptrace.Span, resource map[string]string) buildkit.Span {
	span := buildkit.Span{
		Trace:    traceID(s.TraceID().String()),
		ID:       hexID(s.SpanID().String()),
		Parent:   hexID(s.ParentSpanID().String()),
		Name:     s.Name(),
		Start:    s.StartTimestamp().AsTime(),
		End:      s.EndTimestamp().AsTime(),
		Failed:   s.Status().Code() == ptrace.StatusCodeError,
		Message:  s.Status().Message(),
		Resource: resource,
	}
	switch s.Kind() {
	case ptrace.SpanKindInternal:
		span.Kind = buildkit.KindInternal
	case ptrace.SpanKindServer:
		span.Kind = buildkit.KindServer
	case ptrace.SpanKindClient:
		span.Kind = buildkit.KindClient
	}
	for key, value := range s.Attributes().All() {
		switch {
		case key == "rpc.grpc.status_code":
			span.Code = int(value.Int())
		case value.Type() == pcommon.ValueTypeStr:
			span.Set(key, value.Str())
		}
	}
	if span.Failed && span.Message == "" {
		for _, e := range s.Events().All() {
			if text, ok := e.Attributes().Get("exception.message"); ok {
				span.Message = strings.TrimSpace(text.AsString())
			}
		}
	}
	return span
}
