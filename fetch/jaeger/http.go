package jaeger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/buildregress/buildregress/fetch/boundjson"
	"github.com/buildregress/buildregress/fetch/buildkit"
	"github.com/buildregress/buildregress/fetch/httpclient"
	"github.com/buildregress/buildregress/fetch/spans"
	"github.com/buildregress/buildregress/fetch/traces"
)

// HTTP asks over HTTP: for single traces by the stable API, which tells times to
// the nanosecond, and searches by the one of Jaeger's own pages, which alone knows
// tags in all versions that have it; where a server no longer has that, by the
// stable one.
type HTTP struct {
	name       string
	client     *httpclient.Client
	decoder    spans.Decoder
	stableOnly bool // the server has no search but that of the stable API
	noStable   bool // the server has no stable API
}

// NewHTTP asks the server at base, named so to people. extra names attributes to
// keep with the spans.
func NewHTTP(name string, base *url.URL, o httpclient.Options, extra buildkit.AttributeSet) (*HTTP, error) {
	client, err := httpclient.NewClient(base, o)
	if err != nil {
		return nil, err
	}
	return &HTTP{name: name, client: client, decoder: spans.Decoder{Extra: extra}}, nil
}

// Bounds are none: a server says itself how many traces it gives.
func (h *HTTP) Bounds() traces.Bounds { return traces.Bounds{} }

const (
	asJSON     = "application/json"
	maxElement = spans.MaxBytes // bytes of a trace
)

// Trace returns the spans of a trace.
func (h *HTTP) Trace(ctx context.Context, id string) (found []buildkit.Span, err error) {
	take := func(_ string, more []buildkit.Span) error {
		if len(found)+len(more) > spans.Max {
			return fmt.Errorf("trace %s: %w", id, spans.ErrTooMany)
		}
		found = append(found, more...)
		return nil
	}
	if !h.noStable {
		_, err = h.stableAPI(ctx, "/api/v3/traces/"+id, nil, take, nil)
		h.noStable = errors.Is(err, errNoSuchAPI)
	}
	if h.noStable {
		_, err = h.pagesAPI(ctx, "/api/traces/"+id, url.Values{"raw": {"true"}}, take, nil)
	}
	if err == nil && len(found) == 0 {
		err = traces.ErrNoTrace
	}
	return found, h.wrapError(ctx, "get trace", err)
}

// Search finds traces.
func (h *HTTP) Search(ctx context.Context, q traces.Question, take func(string, []buildkit.Span) error) (n int, err error) {
	tags, err := json.Marshal(q.Tags)
	if err != nil {
		return 0, err
	}
	if !h.stableOnly {
		query := url.Values{
			"service": {q.Service},
			"start":   {strconv.FormatInt(q.From.UnixMicro(), 10)},
			"end":     {strconv.FormatInt(q.To.UnixMicro(), 10)},
			"limit":   {strconv.Itoa(q.Limit)},
			"raw":     {"true"},
		}
		if len(q.Tags) > 0 {
			query.Set("tags", string(tags))
		}
		n, err = h.pagesAPI(ctx, "/api/traces", query, take, q.Warn)
		h.stableOnly = errors.Is(err, errNoSuchAPI)
	}
	if h.stableOnly {
		n, err = h.stableAPI(ctx, "/api/v3/traces", url.Values{
			"query.service_name":   {q.Service},
			"query.start_time_min": {q.From.UTC().Format(time.RFC3339Nano)},
			"query.start_time_max": {q.To.UTC().Format(time.RFC3339Nano)},
			"query.num_traces":     {strconv.Itoa(q.Limit)},
			"query.raw_traces":     {"true"},
			"query.attributes":     {string(tags)},
		}, take, q.Warn)
	}
	if errors.Is(err, traces.ErrNoTrace) {
		err = nil
	}
	return n, h.wrapError(ctx, "find traces", err)
}

// pagesAPI asks the API of Jaeger's own pages. Traces that are too large are left out
// where there is somebody to warn.
func (h *HTTP) pagesAPI(ctx context.Context, path string, query url.Values, take func(string, []buildkit.Span) error, warn func(error)) (n int, err error) {
	a, err := h.get(ctx, path, query)
	if err != nil {
		return 0, err
	}
	defer a.Close()
	for trace, err := range boundjson.Stream(a, maxElement, "data") {
		if err != nil {
			return n, err
		}
		decoded, err := h.decoder.Jaeger(ctx, trace)
		n++
		if errors.Is(err, spans.ErrTooMany) && warn != nil {
			warn(fmt.Errorf("a trace of %w", err))
			continue
		}
		if err != nil {
			return n, err
		}
		for id, spans := range byTrace(decoded) {
			if err := take(id, spans); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// byTrace yields spans trace by trace. There is one, as a rule.
func byTrace(spans []buildkit.Span) map[string][]buildkit.Span {
	if len(spans) == 0 {
		return nil
	}
	if id := spans[0].Trace; !slices.ContainsFunc(spans, func(s buildkit.Span) bool { return s.Trace != id }) {
		return map[string][]buildkit.Span{id: spans}
	}
	traces := map[string][]buildkit.Span{}
	for _, s := range spans {
		traces[s.Trace] = append(traces[s.Trace], s)
	}
	return traces
}

// stableAPI asks the stable API, which sends the spans of all traces in one list.
func (h *HTTP) stableAPI(ctx context.Context, path string, query url.Values, take func(string, []buildkit.Span) error, warn func(error)) (n int, err error) {
	a, err := h.get(ctx, path, query)
	if err != nil {
		return 0, err
	}
	defer a.Close()
	gather := traces.Gatherer{Take: take, Warn: warn}
	for element, err := range boundjson.Stream(a, maxElement, "result", "resourceSpans") {
		if err != nil {
			return gather.Traces, err
		}
		spans, err := h.decoder.OTLPJSON(ctx, slices.Concat([]byte(`{"resourceSpans":[`), element, []byte(`]}`)))
		if err != nil {
			return gather.Traces, err
		}
		for _, s := range spans {
			if err := gather.Add(s); err != nil {
				return gather.Traces, err
			}
		}
	}
	err = gather.End()
	return gather.Traces, err
}

// errNoSuchAPI tells that the server does not have one of the APIs.
var errNoSuchAPI = errors.New("the server has no such API")

// get asks. Jaeger tells of what it has not in JSON; where it has no such API,
// it shows its own page, or that there is none.
func (h *HTTP) get(ctx context.Context, path string, query url.Values) (*httpclient.Response, error) {
	a, err := h.client.Get(ctx, path, query, asJSON)
	var status *httpclient.StatusError
	switch {
	case errors.As(err, &status) && status.Code == http.StatusNotFound && strings.HasPrefix(status.Text, "{"):
		return nil, traces.ErrNoTrace
	case errors.As(err, &status) && status.Code == http.StatusNotFound:
		return nil, errNoSuchAPI
	case err != nil:
		return nil, err
	case a.Type != asJSON:
		_ = a.Close() // it holds nothing of use
		return nil, errNoSuchAPI
	}
	return a, nil
}

// wrapError says what an error means, and what to do.
func (h *HTTP) wrapError(ctx context.Context, doing string, err error) error {
	if err == nil || errors.Is(err, traces.ErrNoTrace) {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var status *httpclient.StatusError
	if errors.As(err, &status) && depthLimit.MatchString(status.Text) {
		return &traces.LimitError{Err: traces.WrapError(h.name, doing, err)}
	}
	t := traces.WrapError(h.name, doing, err)
	switch {
	case errors.Is(err, errNoSuchAPI):
		t.Err = fmt.Errorf("%s: it is no API of Jaeger that answers there", doing)
		t.Advice = "give the address of Jaeger's pages, with the path that they are under"
	case errors.Is(err, httpclient.ErrNotHTTP):
		t.Err, t.Advice = err, "gRPC is written jaeger://, and HTTP has another port, usually 16686"
	}
	return t
}
