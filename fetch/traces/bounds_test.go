package traces_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/buildkit"
	"github.com/buildregress/buildregress/fetch/httpclient"
	"github.com/buildregress/buildregress/fetch/jaeger"
	"github.com/buildregress/buildregress/fetch/spans"
	"github.com/buildregress/buildregress/fetch/traces"
	"github.com/buildregress/buildregress/fetch/traces/tracetest"
)

// endless is a server whose answer to a search does not end.
type endless struct{ sent int }

func (*endless) Bounds() traces.Bounds { return traces.Bounds{} }
func (*endless) Trace(context.Context, string) ([]buildkit.Span, error) {
	return nil, traces.ErrNoTrace
}

func (e *endless) Search(_ context.Context, q traces.Question, take func(string, []buildkit.Span) error) (int, error) {
	for {
		id := fmt.Sprintf("%032x", e.sent+1)
		if err := take(id, []buildkit.Span{{Trace: id, ID: "1", Service: q.Service, Start: noon, End: noon, Tags: q.Tags}}); err != nil {
			return e.sent, err
		}
		e.sent++
	}
}

// An answer without an end is broken off.
func TestEndlessAnswer(t *testing.T) {
	s := &endless{}
	_, _, err := traces.New(s, quick()).Builds(t.Context(), fetch.Selector{RunID: "7"})
	if err == nil || !strings.Contains(err.Error(), "of 100 that were asked for") || s.sent > 10_000 {
		t.Errorf("%d traces taken, error %v", s.sent, err)
	}
}

// A trace that is too large for any build is left out, those beside it are not.
func TestTooLargeTrace(t *testing.T) {
	for name, add := range map[string]func(func(buildkit.Span) error) error{
		"spans": func(add func(buildkit.Span) error) error {
			for range spans.Max + 1 {
				if err := add(buildkit.Span{Trace: "b"}); err != nil {
					return err
				}
			}
			return nil
		},
		"text": func(add func(buildkit.Span) error) error {
			long := strings.Repeat("x", 8<<20)
			for range spans.MaxBytes>>23 + 1 {
				if err := add(buildkit.Span{Trace: "b", Name: long}); err != nil {
					return err
				}
			}
			return nil
		},
	} {
		var took []string
		var warned []error
		g := traces.Gatherer{
			Take: func(id string, _ []buildkit.Span) error { took = append(took, id); return nil },
			Warn: func(err error) { warned = append(warned, err) },
		}
		err := errors.Join(g.Add(buildkit.Span{Trace: "a"}), add(g.Add), g.Add(buildkit.Span{Trace: "c"}), g.End())
		if err != nil || !slices.Equal(took, []string{"a", "c"}) || len(warned) != 1 || g.Traces != 3 {
			t.Errorf("%s: took %q of %d, warned %v, error %v", name, took, g.Traces, warned, err)
		}
		alone := traces.Gatherer{Take: g.Take}
		if err := add(alone.Add); !errors.Is(err, spans.ErrTooMany) {
			t.Errorf("%s: error %v where nobody is warned", name, err)
		}
	}
}

// So it is over HTTP.
func TestTooLargeTraceOverHTTP(t *testing.T) {
	span := `{"traceID":"%s","spanID":"1","operationName":"build .","startTime":1773144000000000,"duration":1,"processID":"p"}`
	trace := func(id, spans string) string {
		return `{"traceID":"` + id + `","spans":[` + spans + `],"processes":{"p":{"serviceName":"buildx","tags":[]}}}`
	}
	first, last := strings.Repeat("a", 32), strings.Repeat("c", 32)
	many := strings.Repeat("{},", spans.Max) + "{}"
	body := `{"data":[` + trace(first, fmt.Sprintf(span, first)) + "," + trace(strings.Repeat("b", 32), many) + "," + trace(last, fmt.Sprintf(span, last)) + `]}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(body))
	}))
	defer server.Close()
	base, _ := url.Parse(server.URL)
	s, err := jaeger.NewHTTP("jaeger+"+server.URL, base, httpclient.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var took []string
	var warned []error
	n, err := s.Search(t.Context(), traces.Question{Service: "buildx", From: noon, To: noon, Limit: 10, Warn: func(err error) { warned = append(warned, err) }},
		func(id string, _ []buildkit.Span) error { took = append(took, id); return nil })
	if err != nil || n != 3 || !slices.Equal(took, []string{first, last}) || len(warned) != 1 {
		t.Errorf("took %q of %d, warned %v, error %v", took, n, warned, err)
	}
}

// torn sends the traces of a search in two pieces each, the second pieces last.
type torn struct{ traces.Server }

func (s torn) Search(ctx context.Context, q traces.Question, take func(string, []buildkit.Span) error) (int, error) {
	type piece struct {
		id    string
		spans []buildkit.Span
	}
	var rest []piece
	n, err := s.Server.Search(ctx, q, func(id string, spans []buildkit.Span) error {
		const last = 3
		rest = append(rest, piece{id, append([]buildkit.Span{}, spans[len(spans)-last:]...)})
		return take(id, spans[:len(spans)-last])
	})
	for _, p := range rest {
		if err == nil {
			err = take(p.id, p.spans)
		}
	}
	return n, err
}

// Traces that come in pieces are each one build, with all of its steps.
func TestTornTraces(t *testing.T) {
	each(t, func(t *testing.T, j *tracetest.Jaeger, s traces.Server) {
		j.Add(mains(10)...)
		b := subject()
		j.Add(b)
		got, h := judge(t, traces.New(torn{s}, quick()), fetch.Selector{RunID: "run-1000"})
		if len(got.Steps) != len(b.Steps) {
			t.Errorf("%d steps of %d", len(got.Steps), len(b.Steps))
		}
		for _, base := range h.Base {
			if len(base.Steps) != len(b.Steps) {
				t.Errorf("a build of the history has %d steps of %d", len(base.Steps), len(b.Steps))
			}
		}
	})
}
