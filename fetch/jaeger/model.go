package jaeger

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strconv"
	"time"

	"github.com/jaegertracing/jaeger-idl/model/v1"

	"github.com/buildregress/buildregress/fetch/buildkit"
)

// A translator makes spans as BuildKit's builds are made of. Spans that follow each
// other are mostly of one trace and one process: what is made of these they share.
type translator struct {
	extra    buildkit.AttributeSet
	trace    model.TraceID
	traceHex string
	process  *model.Process
	resource buildkit.Resource
}

// span makes a span of Jaeger's.
func (t *translator) span(j *model.Span) buildkit.Span {
	if t.traceHex == "" || j.TraceID != t.trace {
		t.trace, t.traceHex = j.TraceID, traceID(j.TraceID)
	}
	s := buildkit.Span{
		Trace: t.traceHex, ID: spanID(j.SpanID), Name: j.OperationName,
		Start: j.StartTime.UTC(), End: j.StartTime.Add(clamp(j.Duration)).UTC(),
	}
	for _, r := range j.References {
		if r.RefType == model.SpanRefType_CHILD_OF && r.TraceID == j.TraceID {
			s.Parent = spanID(r.SpanID)
			break
		}
	}
	for i := range j.Tags {
		tag := &j.Tags[i]
		s.SetJaeger(tag.Key, text(tag))
		if t.extra[tag.Key] {
			s.Tag(tag.Key, text(tag))
		}
	}
	if s.Failed && s.Message == "" {
		for i := range j.Logs {
			for k := range j.Logs[i].Fields {
				if f := &j.Logs[i].Fields[k]; f.Key == "exception.message" {
					s.Message = text(f)
				}
			}
		}
	}
	if p := j.Process; p != nil {
		if t.process == nil || !p.Equal(t.process) {
			t.process = nil
			if len(p.Tags) <= maxKept {
				t.process = &model.Process{ServiceName: p.ServiceName, Tags: slices.Clone(p.Tags)}
			}
			t.resource = buildkit.Resource{Extra: t.extra}
			t.resource.Set(buildkit.ServiceName, p.ServiceName)
			for i := range p.Tags {
				if tag := &p.Tags[i]; t.resource.Wants(tag.Key) {
					t.resource.Set(tag.Key, text(tag))
				}
			}
		}
		t.resource.Attach(&s)
	}
	return s
}

// clamp is a duration that no clock's sum with overflows.
func clamp(d time.Duration) time.Duration {
	const most = 100 * 365 * 24 * time.Hour
	return max(-most, min(d, most))
}

func text(t *model.KeyValue) string {
	switch t.VType {
	case model.ValueType_STRING:
		return t.VStr
	case model.ValueType_BOOL:
		return strconv.FormatBool(t.VBool)
	case model.ValueType_INT64:
		return strconv.FormatInt(t.VInt64, 10)
	case model.ValueType_FLOAT64:
		return strconv.FormatFloat(t.VFloat64, 'f', -1, 64)
	}
	return ""
}

// traceID and spanID write ids in hex, once for each span and reference.
func traceID(id model.TraceID) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], id.High)
	binary.BigEndian.PutUint64(b[8:], id.Low)
	return hex.EncodeToString(b[:])
}

func spanID(id model.SpanID) string {
	if id == 0 {
		return ""
	}
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(id))
	return hex.EncodeToString(b[:])
}
