package spans

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"strconv"
	"time"

	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/boundjson"
	"github.com/buildregress/buildregress/fetch/buildkit"
)

// A jaegerTrace is a trace as Jaeger's HTTP API and its UI write it.
type jaegerTrace struct {
	Spans     []jaegerSpan             `json:"spans"`
	Processes map[string]jaegerProcess `json:"processes"`
}

type jaegerProcess struct {
	ServiceName string      `json:"serviceName"`
	Tags        []jaegerTag `json:"tags"`
}

type jaegerSpan struct {
	TraceID       string `json:"traceID"`
	SpanID        string `json:"spanID"`
	ParentSpanID  string `json:"parentSpanID"` // deprecated, instead of references
	OperationName string `json:"operationName"`
	References    []struct {
		RefType string `json:"refType"`
		TraceID string `json:"traceID"`
		SpanID  string `json:"spanID"`
	} `json:"references"`
	StartTime json.Number `json:"startTime"` // microseconds
	Duration  json.Number `json:"duration"`  // microseconds
	Tags      []jaegerTag `json:"tags"`
	Logs      []struct {
		Fields []jaegerTag `json:"fields"`
	} `json:"logs"`
	ProcessID string         `json:"processID"`
	Process   *jaegerProcess `json:"process"`
}

type jaegerTag struct {
	Key   string `json:"key"`
	Value any    `json:"value"`
}

func (t jaegerTag) text() string {
	switch v := t.Value.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}

// Jaeger reads the spans of Jaeger JSON: an answer of its HTTP API, which may
// hold many traces, or a bare trace. Several may follow each other. If a later
// trace is bad, the spans of those before it are returned with the error.
func (d Decoder) Jaeger(ctx context.Context, data []byte) ([]buildkit.Span, error) {
	var spans []buildkit.Span
	err := eachJSON(ctx, data, func(document []byte) error {
		for trace, err := range jaegerTraces(document) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return err
			}
			var t jaegerTrace
			if err := boundjson.Unmarshal(trace, &t); err != nil {
				return err
			}
			if spans, err = t.appendTo(spans, d.Extra); err != nil {
				return err
			}
		}
		return nil
	})
	return spans, err
}

// jaegerTraces yields the traces of a document: those in the list that it is, or
// in its field "data", else itself. An answer of errors alone yields these.
func jaegerTraces(document []byte) iter.Seq2[[]byte, error] {
	list, isAnswer := document, document[0] == '['
	var failure error
	for name, value := range boundjson.Fields(document) {
		switch name {
		case "data":
			list, isAnswer = value, true
		case "errors":
			failure = answerError(value)
		}
	}
	return func(yield func([]byte, error) bool) {
		if !isAnswer {
			yield(document, nil)
			return
		}
		empty := true
		for trace := range boundjson.Elements(list) {
			empty = false
			if !yield(trace, nil) {
				return
			}
		}
		if empty && failure != nil {
			yield(nil, failure)
		}
	}
}

// answerError is the first of an answer's errors that says something, nil if
// none does.
func answerError(list []byte) error {
	var errs []struct {
		Msg string `json:"msg"`
	}
	_ = boundjson.Unmarshal(list, &errs) // what has another shape has no message
	for _, e := range errs {
		if e.Msg != "" {
			return fmt.Errorf("the answer holds no trace, but an error: %s", fetch.Clean(e.Msg, 200))
		}
	}
	return nil
}

func (t *jaegerTrace) appendTo(spans []buildkit.Span, extra buildkit.AttributeSet) ([]buildkit.Span, error) {
	if len(spans)+len(t.Spans) > Max {
		return spans, ErrTooMany
	}
	resources := map[string]*buildkit.Resource{}
	for id, p := range t.Processes {
		resources[id] = p.resource(extra)
	}
	unknown := &buildkit.Resource{Extra: extra}
	for i := range t.Spans {
		s, err := t.Spans[i].span(extra)
		if err != nil {
			return spans, fmt.Errorf("span %.32s: %w", t.Spans[i].SpanID, err)
		}
		resource := cmp.Or(resources[t.Spans[i].ProcessID], unknown)
		if p := t.Spans[i].Process; p != nil {
			resource = p.resource(extra)
		}
		resource.Attach(&s)
		spans = append(spans, s)
	}
	return spans, nil
}

func (p *jaegerProcess) resource(extra buildkit.AttributeSet) *buildkit.Resource {
	resource := &buildkit.Resource{Extra: extra}
	resource.Set(buildkit.ServiceName, p.ServiceName)
	for _, tag := range p.Tags {
		if resource.Wants(tag.Key) {
			resource.Set(tag.Key, tag.text())
		}
	}
	return resource
}

func (j *jaegerSpan) span(extra buildkit.AttributeSet) (buildkit.Span, error) {
	s := buildkit.Span{
		Trace: traceID(j.TraceID), ID: hexID(j.SpanID), Parent: hexID(j.ParentSpanID), Name: j.OperationName,
	}
	for _, r := range j.References {
		if r.RefType == "CHILD_OF" && (r.TraceID == "" || traceID(r.TraceID) == s.Trace) {
			s.Parent = hexID(r.SpanID)
			break
		}
	}
	start, err := microseconds(j.StartTime)
	if err != nil {
		return s, fmt.Errorf("startTime %w", err)
	}
	took, err := microseconds(j.Duration)
	if err != nil {
		return s, fmt.Errorf("duration %w", err)
	}
	s.Start = time.UnixMicro(start).UTC()
	s.End = time.UnixMicro(start + took).UTC()
	for _, tag := range j.Tags {
		s.SetJaeger(tag.Key, tag.text())
		if extra[tag.Key] {
			s.Tag(tag.Key, tag.text())
		}
	}
	if s.Failed && s.Message == "" {
		for _, entry := range j.Logs {
			for _, field := range entry.Fields {
				if field.Key == "exception.message" {
					s.Message = field.text()
				}
			}
		}
	}
	return s, nil
}

// microseconds reads a number of them; half of what fits is allowed, so that
// the sum of two fits too.
func microseconds(n json.Number) (int64, error) {
	if n == "" {
		return 0, nil
	}
	const most = math.MaxInt64 / 2000
	i, err := strconv.ParseInt(n.String(), 10, 64)
	if err != nil {
		f, err := n.Float64()
		if err != nil || f != f || math.Abs(f) > most {
			return 0, fmt.Errorf("%.40q is no usable number of microseconds", n)
		}
		i = int64(f)
	}
	if i > most || i < -most {
		return 0, fmt.Errorf("%.40q is no usable number of microseconds", n)
	}
	return i, nil
}
