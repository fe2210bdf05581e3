package spans

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/buildregress/buildregress/fetch/attribute"
	"github.com/buildregress/buildregress/fetch/boundjson"
	"github.com/buildregress/buildregress/fetch/buildkit"
)

// OTLP is decoded one element of its list of resource spans after the other: decoded
// as a whole, a document takes many times its size. Before that it is checked for more
// than any build has, and for values that are nested too deep for a recursive decoder.

// OTLPProto reads the spans of an OTLP message TracesData, or of Tempo's Trace,
// which is the same on the wire.
func (d Decoder) OTLPProto(ctx context.Context, data []byte) ([]buildkit.Span, error) {
	if err := checkTraces(data); err != nil {
		return nil, err
	}
	var spans []buildkit.Span
	for len(data) > 0 {
		if err := ctx.Err(); err != nil {
			return spans, err
		}
		// A message with one of the elements is one with a list of them.
		one := data[:protowire.ConsumeFieldValue(1, protowire.BytesType, data[1:])+1]
		data = data[len(one):]
		traces, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(one)
		if err != nil {
			return spans, fmt.Errorf("bad OTLP: %w", err)
		}
		spans = d.fromOTLP(traces, spans)
	}
	return spans, nil
}

// OTLPJSON reads the spans of OTLP JSON as the collector, Jaeger and Tempo write
// it; several documents may follow each other, or be the elements of a list. If a
// later one is bad, the spans of what stands before it are returned with the error.
func (d Decoder) OTLPJSON(ctx context.Context, data []byte) ([]buildkit.Span, error) {
	var spans []buildkit.Span
	err := eachJSON(ctx, data, func(value []byte) (err error) {
		if value[0] != '[' {
			spans, err = d.documentJSON(ctx, value, spans)
			return err
		}
		for document := range boundjson.Elements(value) {
			if spans, err = d.documentJSON(ctx, document, spans); err != nil {
				return err
			}
		}
		return nil
	})
	return spans, err
}

// documentJSON appends the spans of one document to spans.
func (d Decoder) documentJSON(ctx context.Context, document []byte, spans []buildkit.Span) ([]buildkit.Span, error) {
	list, err := unwrap(document, 0)
	if err != nil {
		return spans, err
	}
	for element := range boundjson.Elements(list) {
		if err := ctx.Err(); err != nil {
			return spans, err
		}
		traces, err := resourceSpansJSON(element)
		if err != nil {
			return spans, err
		}
		if len(spans)+traces.SpanCount() > Max {
			return spans, ErrTooMany
		}
		spans = d.fromOTLP(traces, spans)
	}
	return spans, nil
}

// resourceSpansJSON decodes one element of a list of resource spans: all of a
// large document at once would take many times its size.
func resourceSpansJSON(element []byte) (ptrace.Traces, error) {
	if err := boundjson.Check(element); err != nil {
		return ptrace.Traces{}, err
	}
	document := slices.Concat([]byte(`{"resourceSpans":[`), hexIDs(presentNames(element)), []byte(`]}`))
	traces, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(document)
	if err != nil {
		return traces, badJSON{err}
	}
	return traces, nil
}

// A badJSON is the error of JSON that holds other values than OTLP has in their place. The
// decoder's own words, which go on about its buffers, are only to be unwrapped.
type badJSON struct{ err error }

func (badJSON) Error() string {
	return "bad OTLP: a value is of the wrong kind, a number too large, or an id not 16 or 32 digits of hex"
}

func (e badJSON) Unwrap() error { return e.err }

// presentNames writes resource spans of OTLP before 0.15, which Tempo 1 and Grafana
// hand out, with the names of today: what was an instrumentation library is a scope.
// Field by field both hold the same.
func presentNames(element []byte) []byte {
	if !bytes.Contains(element, []byte(`"instrumentationLibrarySpans"`)) && !bytes.Contains(element, []byte(`"instrumentation_library_spans"`)) {
		return element
	}
	var renamed bytes.Buffer
	for name, value := range boundjson.Fields(element) {
		switch name {
		case "instrumentationLibrarySpans", "instrumentation_library_spans":
			name = "scopeSpans"
		}
		separator := byte(',')
		if renamed.Len() == 0 {
			separator = '{'
		}
		renamed.WriteByte(separator)
		renamed.WriteString(`"` + name + `":`)
		renamed.Write(value)
	}
	if renamed.Len() == 0 {
		return element // it is no object
	}
	renamed.WriteByte('}')
	return renamed.Bytes()
}

// unwrap finds the list of resource spans, which Jaeger wraps in "result" and
// Tempo in "trace", or calls "batches". A document may also be an element of it.
func unwrap(document []byte, depth int) ([]byte, error) {
	var inner []byte
	isElement := false
	for name, value := range boundjson.Fields(document) {
		switch name {
		case "resourceSpans", "resource_spans", "batches":
			if value[0] == '[' {
				return value, nil
			}
			if string(value) != "null" {
				return nil, errors.New("resourceSpans is no list")
			}
		case "scopeSpans", "scope_spans", "instrumentationLibrarySpans", "instrumentation_library_spans":
			isElement = true
		case "result", "trace":
			if value[0] == '{' {
				inner = value
			}
		}
	}
	if isElement {
		return slices.Concat([]byte("["), document, []byte("]")), nil
	}
	if inner == nil || depth == 3 {
		return nil, nil
	}
	return unwrap(inner, depth+1)
}

// fromOTLP appends the spans of traces to spans.
func (d Decoder) fromOTLP(traces ptrace.Traces, spans []buildkit.Span) []buildkit.Span {
	for _, rs := range traces.ResourceSpans().All() {
		resource := buildkit.Resource{Extra: d.Extra}
		for key, value := range rs.Resource().Attributes().All() {
			if resource.Wants(key) {
				resource.Set(key, textOf(value))
			}
		}
		for _, scope := range rs.ScopeSpans().All() {
			for _, s := range scope.Spans().All() {
				span := fromOTLPSpan(s, &resource)
				span.Scope = scope.Scope().Name()
				spans = append(spans, span)
			}
		}
	}
	return spans
}

// textOf writes a value as text, a list of texts as one with commas.
func textOf(v pcommon.Value) string {
	if v.Type() != pcommon.ValueTypeSlice {
		return v.AsString()
	}
	var list []string
	for _, element := range v.Slice().All() {
		list = append(list, element.AsString())
	}
	return strings.Join(list, ",")
}

func fromOTLPSpan(s ptrace.Span, resource *buildkit.Resource) buildkit.Span {
	span := buildkit.Span{
		Trace:   traceID(s.TraceID().String()),
		ID:      hexID(s.SpanID().String()),
		Parent:  hexID(s.ParentSpanID().String()),
		Name:    s.Name(),
		Start:   s.StartTimestamp().AsTime(),
		End:     s.EndTimestamp().AsTime(),
		Failed:  s.Status().Code() == ptrace.StatusCodeError,
		Message: s.Status().Message(),
	}
	resource.Attach(&span)
	switch s.Kind() {
	case ptrace.SpanKindInternal:
		span.Kind = buildkit.KindInternal
	case ptrace.SpanKindServer:
		span.Kind = buildkit.KindServer
	case ptrace.SpanKindClient:
		span.Kind = buildkit.KindClient
	}
	for key, value := range s.Attributes().All() {
		if resource.Extra[key] {
			span.Tag(key, value.AsString())
		}
		if attribute.IsKept(key) || attribute.IsRequest(key) {
			span.Keep(key, textOf(value))
		}
		switch {
		case key == "rpc.grpc.status_code":
			span.Code = int(value.Int())
		case value.Type() == pcommon.ValueTypeStr, buildkit.IsSize(key):
			span.Set(key, value.AsString())
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
