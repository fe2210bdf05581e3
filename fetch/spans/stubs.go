package spans

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/buildregress/buildregress/fetch/boundjson"
	"github.com/buildregress/buildregress/fetch/buildkit"
)

// A spanStub is a span as the Go SDK's test package prints it. BuildKit keeps
// the trace of a build record so, whatever the media type says.
type spanStub struct {
	Name        string
	SpanContext stubContext
	Parent      stubContext
	SpanKind    int
	StartTime   time.Time
	EndTime     time.Time
	Attributes  []stubAttribute
	Events      []struct {
		Attributes []stubAttribute
	}
	Status struct {
		Code        json.RawMessage
		Description string
	}
	Resource []stubAttribute
}

type stubContext struct {
	TraceID string
	SpanID  string
}

type stubAttribute struct {
	Key   string
	Value struct {
		Value any
	}
}

// Stubs reads the spans of a stream of span stubs, or of arrays of them. If
// a later one is bad, those before it are returned with the error.
func Stubs(ctx context.Context, data []byte) ([]buildkit.Span, error) {
	var spans []buildkit.Span
	one := func(value []byte) error {
		var stub spanStub
		if err := boundjson.Unmarshal(value, &stub); err != nil {
			return err
		}
		if len(spans) == Max {
			return ErrTooMany
		}
		spans = append(spans, stub.span())
		return ctx.Err()
	}
	err := eachJSON(ctx, data, func(value []byte) error {
		if value[0] != '[' {
			return one(value)
		}
		for element := range boundjson.Elements(value) {
			if err := one(element); err != nil {
				return err
			}
		}
		return nil
	})
	return spans, err
}

func (stub *spanStub) span() buildkit.Span {
	s := buildkit.Span{
		Trace:    traceID(stub.SpanContext.TraceID),
		ID:       hexID(stub.SpanContext.SpanID),
		Parent:   hexID(stub.Parent.SpanID),
		Name:     stub.Name,
		Start:    stub.StartTime.UTC(),
		End:      stub.EndTime.UTC(),
		Failed:   stub.failed(),
		Message:  stub.Status.Description,
		Resource: map[string]string{},
	}
	if stub.SpanKind >= 0 && stub.SpanKind <= int(buildkit.KindClient) {
		s.Kind = buildkit.Kind(stub.SpanKind)
	}
	for _, a := range stub.Attributes {
		switch v := a.Value.Value.(type) {
		case string:
			s.Set(a.Key, v)
		case float64:
			switch {
			case a.Key == "rpc.grpc.status_code":
				s.Code = int(v)
			case buildkit.IsSize(a.Key):
				s.Set(a.Key, strconv.FormatFloat(v, 'f', 0, 64))
			}
		}
	}
	for _, a := range stub.Resource {
		text, ok := a.Value.Value.(string)
		if ok && a.Key == buildkit.ServiceName {
			s.Service = text
		}
		if ok && buildkit.IsUsed(a.Key) {
			s.Resource[a.Key] = text
		}
	}
	if s.Failed && s.Message == "" {
		for _, e := range stub.Events {
			for _, a := range e.Attributes {
				if text, ok := a.Value.Value.(string); ok && a.Key == "exception.message" {
					s.Message = text
				}
			}
		}
	}
	return s
}

// failed reads the status. As a number it is one of the Go SDK, where 1 is the
// error and 2 is fine; OTLP has it the other way round.
func (stub *spanStub) failed() bool {
	code := string(stub.Status.Code)
	return code == "1" || code == `"Error"`
}
