package tracetest

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jaegertracing/jaeger-idl/model/v1"
	"github.com/jaegertracing/jaeger-idl/proto-gen/api_v2"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/buildregress/buildregress/fetch/jaeger"
)

// A Jaeger holds builds. Its faults may be changed while it runs.
type Jaeger struct {
	api_v2.UnimplementedQueryServiceServer

	mu     sync.Mutex
	builds []Build
	faults Faults
	asked  []string
	md     metadata.MD
	header http.Header
}

// Faults are what a server may do wrong.
type Faults struct {
	IgnoreFilters bool // it finds everything
	MaxDepth      int  // more traces than this are refused; 0 is 1000
	CutAfter      int  // spans, or bytes over HTTP, after which an answer breaks off; 0 is never
	Silent        bool // it accepts, and says nothing
	Code          int  // of every answer, of gRPC or of HTTP; 0 is none
	RetryAfter    string
	Times         int  // that Code is answered; 0 is always
	Interleaved   bool // traces come in pieces
	NoSearch      bool // the API of Jaeger's pages is gone, as from version 2.21
}

// Add adds builds.
func (j *Jaeger) Add(builds ...Build) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.builds = append(j.builds, builds...)
}

// Set replaces the builds.
func (j *Jaeger) Set(builds ...Build) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.builds = builds
}

// Break sets the faults.
func (j *Jaeger) Break(f Faults) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.faults = f
}

// Asked are the questions so far, in short, and forgets them.
func (j *Jaeger) Asked() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	asked := j.asked
	j.asked = nil
	return asked
}

// Metadata is that of the last question over gRPC.
func (j *Jaeger) Metadata() metadata.MD {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.md
}

// Header is that of the last question over HTTP.
func (j *Jaeger) Header() http.Header {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.header
}

func (j *Jaeger) begin(what string) (Faults, []Build) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.asked = append(j.asked, what)
	f := j.faults
	if f.MaxDepth == 0 {
		f.MaxDepth = 1000
	}
	if f.Code != 0 && f.Times > 0 {
		if j.faults.Times--; j.faults.Times == 0 {
			j.faults.Code = 0
		}
	}
	return f, j.builds
}

// ServeGRPC serves until the test ends, and returns the address.
func (j *Jaeger) ServeGRPC(t testing.TB, options ...grpc.ServerOption) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(append(options, grpc.ForceServerCodecV2(jaeger.Codec{}), grpc.MaxSendMsgSize(64<<20))...)
	api_v2.RegisterQueryServiceServer(s, j)
	go s.Serve(l)
	t.Cleanup(s.Stop)
	return l.Addr().String()
}

const depthMessage = "search depth must be greater than 0 and less than max traces"

// FindTraces finds traces.
func (j *Jaeger) FindTraces(r *api_v2.FindTracesRequest, stream api_v2.QueryService_FindTracesServer) error {
	q := r.Query
	f, builds := j.begin(fmt.Sprintf("find %s %s", q.ServiceName, q.StartTimeMax.Sub(q.StartTimeMin)))
	j.seeMetadata(stream.Context())
	if err := f.grpc(stream.Context()); err != nil {
		return err
	}
	if q.SearchDepth <= 0 || int(q.SearchDepth) > f.MaxDepth {
		return status.Error(codes.Unknown, depthMessage)
	}
	var found []Build
	for _, b := range builds {
		if f.IgnoreFilters || b.matches(q.ServiceName, q.Tags, q.StartTimeMin, q.StartTimeMax) {
			found = append(found, b)
		}
	}
	found = newest(found, int(q.SearchDepth), f)
	return send(stream, found, f)
}

// GetTrace sends a trace.
func (j *Jaeger) GetTrace(r *api_v2.GetTraceRequest, stream api_v2.QueryService_GetTraceServer) error {
	id := fmt.Sprintf("%016x%016x", r.TraceID.High, r.TraceID.Low)
	f, builds := j.begin("get " + id)
	j.seeMetadata(stream.Context())
	if err := f.grpc(stream.Context()); err != nil {
		return err
	}
	for _, b := range builds {
		if b.ID() == id {
			return send(stream, []Build{b}, f)
		}
	}
	return status.Error(codes.NotFound, "trace not found")
}

func (j *Jaeger) seeMetadata(ctx context.Context) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.md, _ = metadata.FromIncomingContext(ctx)
}

func (f *Faults) grpc(ctx context.Context) error {
	if f.Silent {
		<-ctx.Done()
		return ctx.Err()
	}
	if f.Code != 0 {
		return status.Error(codes.Code(f.Code), "as it was told to")
	}
	return nil
}

// newest are the newest builds, not in order.
func newest(builds []Build, most int, f Faults) []Build {
	if f.IgnoreFilters || len(builds) <= most {
		return builds
	}
	return builds[len(builds)-most:]
}

func (b *Build) matches(service string, tags map[string]string, from, to time.Time) bool {
	if b.Start.Before(from) || b.Start.After(to) || service != cmp.Or(b.Run, "buildx") {
		return false
	}
	for key, value := range tags {
		if b.Attributes[key] != value {
			return false
		}
	}
	return true
}

var errCut = errors.New("cut off")

// send sends spans in chunks of ten, as Jaeger does.
func send(stream interface {
	Send(*api_v2.SpansResponseChunk) error
}, builds []Build, f Faults,
) error {
	var spans []model.Span
	for i := range builds {
		spans = append(spans, modelOf(builds[i].Spans())...)
	}
	if f.Interleaved {
		half := len(spans) / 2
		var mixed []model.Span
		for i := range half {
			mixed = append(mixed, spans[i], spans[half+i])
		}
		spans = append(mixed, spans[2*half:]...)
	}
	for n := 0; n < len(spans); n += 10 {
		if f.CutAfter > 0 && n >= f.CutAfter {
			return errCut
		}
		if err := stream.Send(&api_v2.SpansResponseChunk{Spans: spans[n:min(n+10, len(spans))]}); err != nil {
			return err
		}
	}
	return nil
}

// keyValue is a tag of the type that the attribute has.
func keyValue(key string, value pcommon.Value) model.KeyValue {
	switch value.Type() {
	case pcommon.ValueTypeInt:
		return model.Int64(key, value.Int())
	case pcommon.ValueTypeDouble:
		return model.Float64(key, value.Double())
	}
	return model.String(key, value.Str())
}

func modelOf(t ptrace.Traces) (spans []model.Span) {
	for _, rs := range t.ResourceSpans().All() {
		process := &model.Process{}
		for key, value := range rs.Resource().Attributes().All() {
			if key == "service.name" {
				process.ServiceName = value.Str()
				continue
			}
			process.Tags = append(process.Tags, keyValue(key, value))
		}
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				trace, id, parent := s.TraceID(), s.SpanID(), s.ParentSpanID()
				tid := model.NewTraceID(binary.BigEndian.Uint64(trace[:8]), binary.BigEndian.Uint64(trace[8:]))
				m := model.Span{
					TraceID: tid, SpanID: model.NewSpanID(binary.BigEndian.Uint64(id[:])), OperationName: s.Name(),
					StartTime: s.StartTimestamp().AsTime(), Duration: s.EndTimestamp().AsTime().Sub(s.StartTimestamp().AsTime()),
					Process: process,
					Tags:    []model.KeyValue{model.String("span.kind", strings.ToLower(s.Kind().String()))},
				}
				if !parent.IsEmpty() {
					m.References = []model.SpanRef{model.NewChildOfRef(tid, model.NewSpanID(binary.BigEndian.Uint64(parent[:])))}
				}
				if s.Status().Code() == ptrace.StatusCodeError {
					m.Tags = append(m.Tags, model.String("otel.status_code", "ERROR"), model.String("otel.status_description", s.Status().Message()))
				}
				for key, value := range s.Attributes().All() {
					m.Tags = append(m.Tags, keyValue(key, value))
				}
				spans = append(spans, m)
			}
		}
	}
	return spans
}

// ServeHTTP answers as Jaeger's query service does.
func (j *Jaeger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, builds := j.begin(r.URL.Path)
	j.mu.Lock()
	j.header = r.Header.Clone()
	j.mu.Unlock()
	if f.http(w, r) {
		return
	}
	if f.CutAfter > 0 {
		w = &cutting{w, f.CutAfter}
	}
	path := r.URL.Path
	switch {
	case strings.HasPrefix(path, "/api/v3/traces/"):
		j.v3(w, only(builds, path), f)
	case strings.HasPrefix(path, "/api/traces/"):
		v1(w, only(builds, path))
	case path == "/api/v3/traces":
		q := r.URL.Query()
		from, _ := time.Parse(time.RFC3339Nano, q.Get("query.start_time_min"))
		to, _ := time.Parse(time.RFC3339Nano, q.Get("query.start_time_max"))
		j.v3(w, find(builds, q.Get("query.service_name"), nil, from, to, q.Get("query.num_traces"), f), f)
	case path == "/api/traces" && !f.NoSearch:
		q := r.URL.Query()
		tags := map[string]string{}
		_ = json.Unmarshal([]byte(q.Get("tags")), &tags)
		from, _ := strconv.ParseInt(q.Get("start"), 10, 64)
		to, _ := strconv.ParseInt(q.Get("end"), 10, 64)
		if n, _ := strconv.Atoi(q.Get("limit")); n > f.MaxDepth {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprintf(w, `{"data":null,"errors":[{"code":500,"msg":%q}]}`, depthMessage)
			return
		}
		v1(w, find(builds, q.Get("service"), tags, time.UnixMicro(from), time.UnixMicro(to), q.Get("limit"), f))
	default:
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!doctype html><title>Jaeger UI</title>")
	}
}

// http does what a fault wants, and tells whether that is all.
func (f *Faults) http(w http.ResponseWriter, r *http.Request) bool {
	if f.Silent {
		<-r.Context().Done()
		return true
	}
	if f.Code == 0 {
		return false
	}
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	w.WriteHeader(f.Code)
	fmt.Fprint(w, "as it was told to")
	return true
}

// cutting breaks the connection off after some bytes.
type cutting struct {
	http.ResponseWriter
	left int
}

func (c *cutting) Write(p []byte) (int, error) {
	if c.left -= len(p); c.left < 0 {
		c.ResponseWriter.Write(p[:len(p)+c.left])
		c.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	return c.ResponseWriter.Write(p)
}

func only(builds []Build, path string) []Build {
	id := path[strings.LastIndex(path, "/")+1:]
	for _, b := range builds {
		if b.ID() == id {
			return []Build{b}
		}
	}
	return nil
}

func find(builds []Build, service string, tags map[string]string, from, to time.Time, limit string, f Faults) []Build {
	var found []Build
	for _, b := range builds {
		if f.IgnoreFilters || b.matches(service, tags, from, to) {
			found = append(found, b)
		}
	}
	n, _ := strconv.Atoi(limit)
	return newest(found, n, f)
}

func (j *Jaeger) v3(w http.ResponseWriter, builds []Build, _ Faults) {
	w.Header().Set("Content-Type", "application/json")
	if len(builds) == 0 {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error":{"httpCode":404,"message":"No traces found"}}`)
		return
	}
	all := ptrace.NewTraces()
	for i := range builds {
		builds[i].Spans().ResourceSpans().MoveAndAppendTo(all.ResourceSpans())
	}
	data, err := (&ptrace.JSONMarshaler{}).MarshalTraces(all)
	if err != nil {
		panic(err)
	}
	fmt.Fprintf(w, `{"result":%s}`, data)
}

func v1(w http.ResponseWriter, builds []Build) {
	w.Header().Set("Content-Type", "application/json")
	type tag struct {
		Key   string `json:"key"`
		Type  string `json:"type"`
		Value any    `json:"value"`
	}
	type object map[string]any
	tagsOf := func(list []model.KeyValue) (tags []tag) {
		for _, t := range list {
			tags = append(tags, tag{t.Key, strings.ToLower(t.VType.String()), t.Value()})
		}
		return tags
	}
	data := []object{}
	for i := range builds {
		processes, spans := object{}, []object{}
		for _, s := range modelOf(builds[i].Spans()) {
			process := fmt.Sprintf("p%p", s.Process) // several may have one service
			processes[process] = object{"serviceName": s.Process.ServiceName, "tags": tagsOf(s.Process.Tags)}
			references := []object{}
			for _, r := range s.References {
				references = append(references, object{"refType": "CHILD_OF", "traceID": builds[i].ID(), "spanID": r.SpanID.String()})
			}
			spans = append(spans, object{
				"traceID": builds[i].ID(), "spanID": s.SpanID.String(), "operationName": s.OperationName, "references": references,
				"startTime": s.StartTime.UnixMicro(), "duration": s.Duration.Microseconds(), "tags": tagsOf(s.Tags), "processID": process,
			})
		}
		data = append(data, object{"traceID": builds[i].ID(), "spans": spans, "processes": processes, "warnings": nil})
	}
	_ = json.NewEncoder(w).Encode(object{"data": data, "total": 0, "limit": 0, "offset": 0, "errors": nil})
}
