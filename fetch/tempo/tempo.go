// Package tempo asks Grafana Tempo for traces.
package tempo

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/boundjson"
	"github.com/buildregress/buildregress/fetch/buildkit"
	"github.com/buildregress/buildregress/fetch/httpclient"
	"github.com/buildregress/buildregress/fetch/spans"
	"github.com/buildregress/buildregress/fetch/traces"
)

// A Server is a Tempo, asked over HTTP, see
// https://grafana.com/docs/tempo/latest/api_docs/.
type Server struct {
	name    string
	client  *httpclient.Client
	decoder spans.Decoder
	onlyV1  bool // it has no second version of the way to single traces
}

// New asks the server at base, named so to people. extra names attributes to keep
// with the spans.
func New(name string, base *url.URL, o httpclient.Options, extra buildkit.AttributeSet) (*Server, error) {
	client, err := httpclient.NewClient(base, o)
	if err != nil {
		return nil, err
	}
	return &Server{name: name, client: client, decoder: spans.Decoder{Extra: extra}}, nil
}

// Bounds are a week less an hour: Tempo refuses to search more unless it is told to.
func (s *Server) Bounds() traces.Bounds { return traces.Bounds{Range: 167 * time.Hour} }

const (
	asJSON  = "application/json"
	asProto = "application/protobuf"
)

// Trace returns the spans of a trace.
func (s *Server) Trace(ctx context.Context, id string) (spans []buildkit.Span, err error) {
	err = traces.ErrNoTrace
	if !s.onlyV1 {
		spans, err = s.trace(ctx, "/api/v2/traces/"+id)
	}
	if errors.Is(err, traces.ErrNoTrace) { // or there is no such way
		if spans, err = s.trace(ctx, "/api/traces/"+id); err == nil {
			s.onlyV1 = true
		}
	}
	if err != nil {
		return nil, s.wrapError(ctx, "get trace", err)
	}
	return spans, nil
}

// trace reads one trace. Tempo answers with 404, or with an empty trace, where it
// has none.
func (s *Server) trace(ctx context.Context, path string) ([]buildkit.Span, error) {
	a, err := s.client.Get(ctx, path, nil, asProto)
	var status *httpclient.StatusError
	if errors.As(err, &status) && status.Code == http.StatusNotFound {
		return nil, traces.ErrNoTrace
	}
	if err != nil {
		return nil, err
	}
	defer a.Close()
	data, err := io.ReadAll(io.LimitReader(a, spans.MaxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > spans.MaxBytes {
		return nil, fmt.Errorf("%w, or of %d MiB", spans.ErrTooMany, spans.MaxBytes>>20)
	}
	var spans []buildkit.Span
	if a.Type == asJSON || len(data) > 0 && data[0] == '{' {
		if err := checkComplete(data); err != nil {
			return nil, err
		}
		spans, err = s.decoder.OTLPJSON(ctx, data)
	} else {
		if strings.HasPrefix(path, "/api/v2/") {
			if data, err = unwrap(data); err != nil {
				return nil, err
			}
		}
		spans, err = s.decoder.OTLPProto(ctx, data)
	}
	if err == nil && len(spans) == 0 {
		err = traces.ErrNoTrace
	}
	return spans, err
}

// errPartial tells that Tempo holds more of a trace than it sends.
var errPartial = errors.New("only a part of the trace is sent")

// checkComplete is an error if an answer says that it is not all of the trace.
func checkComplete(data []byte) error {
	var answer struct {
		Status  string `json:"status"`
		Message string `json:"message"`
	}
	for document, err := range boundjson.Values(data) {
		if err != nil {
			return err
		}
		for name, value := range boundjson.Fields(document) {
			switch name {
			case "status":
				_ = json.Unmarshal(value, &answer.Status) // of another kind, it says nothing
			case "message":
				_ = json.Unmarshal(value, &answer.Message)
			}
		}
	}
	if answer.Status == "PARTIAL" {
		return fmt.Errorf("%w: %s", errPartial, fetch.Clean(answer.Message, 200))
	}
	return nil
}

// unwrap takes the trace out of a TraceByIDResponse: fields 1 trace, 3 status, of
// which 1 is PARTIAL.
func unwrap(data []byte) (trace []byte, err error) {
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return nil, errNotTempo
		}
		data = data[n:]
		switch {
		case number == 1 && kind == protowire.BytesType:
			value, n := protowire.ConsumeBytes(data)
			if n < 0 {
				return nil, errNotTempo
			}
			trace, data = append(trace, value...), data[n:]
			continue
		case number == 3 && kind == protowire.VarintType:
			if status, n := protowire.ConsumeVarint(data); n > 0 && status == 1 {
				return nil, errPartial
			}
		}
		if n = protowire.ConsumeFieldValue(number, kind, data); n < 0 {
			return nil, errNotTempo
		}
		data = data[n:]
	}
	return trace, nil
}

var errNotTempo = errors.New("the answer is no trace of Tempo's, or is cut off")

// errPage tells that a page for people came, such as that of a login.
var errPage = errors.New("a page is what answers there, not Tempo's API")

// A hit is a trace that a search names.
type hit struct {
	TraceID string      `json:"traceID"`
	Start   json.Number `json:"startTimeUnixNano"`
}

// Search finds traces.
func (s *Server) Search(ctx context.Context, q traces.Question, take func(string, []buildkit.Span) error) (int, error) {
	hits, err := s.hits(ctx, q)
	if err != nil {
		return 0, s.wrapError(ctx, "find traces", err)
	}
	slices.SortStableFunc(hits, func(a, b hit) int {
		x, _ := a.Start.Int64() // 0 is as good as unknown
		y, _ := b.Start.Int64()
		return cmp.Compare(y, x)
	})
	for _, h := range hits {
		id := traceID(h.TraceID)
		if q.Has != nil && q.Has(id) {
			continue
		}
		found, err := s.Trace(ctx, id)
		switch {
		case errors.Is(err, traces.ErrNoTrace): // it is gone by now
			continue
		case (errors.Is(err, errPartial) || errors.Is(err, spans.ErrTooMany)) && q.Warn != nil:
			q.Warn(fmt.Errorf("trace %s: %w", id, err))
			continue
		case err != nil:
			return len(hits), err
		}
		if err := take(id, found); err != nil {
			return len(hits), err
		}
	}
	return len(hits), nil
}

func (s *Server) hits(ctx context.Context, q traces.Question) (hits []hit, err error) {
	a, err := s.client.Get(ctx, "/api/search", url.Values{
		"q":     {traceQL(q)},
		"limit": {strconv.Itoa(q.Limit)},
		"spss":  {"1"},
		"start": {strconv.FormatInt(q.From.Unix(), 10)},
		"end":   {strconv.FormatInt(q.To.Unix()+1, 10)},
	}, asJSON)
	if err != nil {
		return nil, err
	}
	defer a.Close()
	if a.Type == "text/html" {
		return nil, errPage
	}
	const most = 1 << 20 // bytes of a hit
	for element, err := range boundjson.Stream(a, most, "traces") {
		if err != nil {
			return nil, err
		}
		var h hit
		if err := boundjson.Unmarshal(element, &h); err != nil {
			return nil, err
		}
		if strings.Trim(h.TraceID, "0123456789abcdefABCDEF") == "" && h.TraceID != "" && len(h.TraceID) <= 32 {
			hits = append(hits, h)
		}
		if len(hits) > q.Limit { // more than it was asked for
			break
		}
	}
	return hits, nil
}

// traceQL asks for spans with the service and the attributes, be they their own or
// their resource's.
func traceQL(q traces.Question) string {
	parts := []string{"resource.service.name = " + strconv.Quote(q.Service)}
	for _, key := range slices.Sorted(maps.Keys(q.Tags)) {
		name := "." + key
		if strings.ContainsFunc(key, func(r rune) bool {
			return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '.' || r == '_' || r == '-')
		}) {
			name = "." + strconv.Quote(key)
		}
		value := q.Tags[key]
		is := name + " = " + strconv.Quote(value)
		if isNumber.MatchString(value) { // which no text ever equals
			is = "(" + is + " || " + name + " = " + value + ")"
		}
		parts = append(parts, is)
	}
	return "{ " + strings.Join(parts, " && ") + " }"
}

// isNumber knows the ids of runs that may have been written as numbers.
var isNumber = regexp.MustCompile(`^(?:0|[1-9]\d{0,17})$`)

// traceID is an id with the zeros that Tempo leaves out.
func traceID(id string) string {
	return strings.Repeat("0", max(0, 32-len(id))) + strings.ToLower(id)
}

// wrapError says what an error means, and what to do.
func (s *Server) wrapError(ctx context.Context, doing string, err error) error {
	switch {
	case errors.Is(err, traces.ErrNoTrace), errors.Is(err, errPartial), errors.Is(err, spans.ErrTooMany):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	}
	t := traces.WrapError(s.name, doing, err)
	if status := new(httpclient.StatusError); errors.Is(err, errPage) || errors.As(err, &status) && status.Code == http.StatusNotFound {
		t.Advice = "give the address of Tempo's API, usually on port 3200, with the path that it is under"
	}
	return t
}
