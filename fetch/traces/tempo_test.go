package traces_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/httpclient"
	"github.com/buildregress/buildregress/fetch/tempo"
	"github.com/buildregress/buildregress/fetch/traces"
	"github.com/buildregress/buildregress/fetch/traces/tracetest"
)

func openTempo(t *testing.T, handler http.Handler, o httpclient.Options) traces.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	base, _ := url.Parse(server.URL)
	s, err := tempo.New("tempo+"+server.URL, base, o, traces.FilterAttributes(nil))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Tempo in each of the forms in which it answers finds the same.
func TestTempo(t *testing.T) {
	for name, server := range map[string]*tracetest.Tempo{
		"protobuf":         {},
		"JSON":             {JSON: true},
		"older":            {Older: true},
		"older JSON":       {Older: true, JSON: true},
		"empty if unknown": {Empty: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := subject()
			b.Trace = "0000000000000000" + strings.Repeat("d6", 8) // of which a search names the second half
			server.Add(mains(70)...)
			server.Add(tracetest.Usual(300, noon.Add(-time.Minute)).On("topic"), b)
			s := openTempo(t, server, httpclient.Options{})
			for _, w := range []fetch.Selector{{TraceID: b.Trace}, {RunID: "run-1000"}} {
				got, h := judge(t, traces.New(s, quick()), w)
				if got.Trace != b.Trace || got.Branch != "main" || len(got.Steps) != len(b.Steps) || len(h.Base) != 50 {
					t.Errorf("%+v: trace %s of %q with %d steps, %d builds of main", w, got.Trace, got.Branch, len(got.Steps), len(h.Base))
				}
			}
			_, _, err := traces.New(s, quick()).Builds(t.Context(), fetch.Selector{TraceID: strings.Repeat("7", 32)})
			if err == nil || !strings.Contains(err.Error(), "no trace of the build") {
				t.Errorf("error %v of a trace that is not there", err)
			}
		})
	}
}

// A trace of which Tempo sends a part is not history: steps that it lacks would
// look faster, or gone.
func TestTempoPartial(t *testing.T) {
	for _, asJSON := range []bool{false, true} {
		list := mains(10)
		server := &tracetest.Tempo{JSON: asJSON, Partial: list[5].ID()}
		b := subject()
		server.Add(list...)
		server.Add(b)
		_, h := judge(t, traces.New(openTempo(t, server, httpclient.Options{}), quick()), fetch.Selector{TraceID: b.ID()})
		if len(h.Base) != 9 || len(h.Notes) != 1 || !strings.Contains(h.Notes[0].Text, list[5].ID()) {
			t.Errorf("JSON %v: %d builds, notes %q", asJSON, len(h.Base), h.Notes)
		}
	}
}

// A build without history within a month is not asked for in ranges that Tempo
// refuses.
func TestTempoRange(t *testing.T) {
	server := &tracetest.Tempo{}
	b := subject()
	server.Add(tracetest.Usual(1, noon.Add(-25*24*time.Hour)), b)
	if _, h := judge(t, traces.New(openTempo(t, server, httpclient.Options{}), quick()), fetch.Selector{TraceID: b.ID()}); len(h.Base) != 1 {
		t.Errorf("%d builds, want that of 25 days ago", len(h.Base))
	}
}

// What is no Tempo, or is one that refuses, is told of.
func TestTempoRefuses(t *testing.T) {
	for code, want := range map[int]string{401: "BUILDREGRESS_TOKEN", 404: "port 3200", 500: "500 Internal"} {
		s := openTempo(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }), httpclient.Options{})
		_, _, err := traces.New(s, quick()).Builds(t.Context(), fetch.Selector{RunID: "7"})
		if err == nil || !strings.Contains(err.Error()+hintOf(err), want) {
			t.Errorf("%d: error %v, hint %q; want %q", code, err, hintOf(err), want)
		}
	}
	s := openTempo(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>Log in")) }), httpclient.Options{})
	if _, _, err := traces.New(s, quick()).Builds(t.Context(), fetch.Selector{RunID: "7"}); !strings.Contains(hintOf(err), "port 3200") {
		t.Errorf("error %v, hint %q of a page", err, hintOf(err))
	}
}

// Credentials go to the server they are for, over both protocols, and follow no
// redirect elsewhere.
func TestHeaders(t *testing.T) {
	header := http.Header{"Authorization": {"Bearer s3cret"}, "X-Tenant": {"blue"}}
	b := subject()
	j := &tracetest.Jaeger{}
	j.Add(b)
	for _, k := range kinds {
		if _, _, err := traces.New(k.open(t, j, httpclient.Options{Header: header}), quick()).Builds(t.Context(), fetch.Selector{TraceID: b.ID()}); err != nil {
			t.Fatal(err)
		}
	}
	if h := j.Header(); h.Get("Authorization") != "Bearer s3cret" || h.Get("X-Tenant") != "blue" {
		t.Errorf("HTTP got %v", h)
	}
	if md := j.Metadata(); strings.Join(md["authorization"], "") != "Bearer s3cret" || strings.Join(md["bearer.token"], "") != "s3cret" || strings.Join(md["x-tenant"], "") != "blue" {
		t.Errorf("gRPC got %v", md)
	}

	stranger := &tracetest.Tempo{}
	elsewhere := httptest.NewServer(stranger)
	defer elsewhere.Close()
	s := openTempo(t, http.RedirectHandler(elsewhere.URL+"/api/search", http.StatusFound), httpclient.Options{Header: header})
	_, _, err := traces.New(s, quick()).Builds(t.Context(), fetch.Selector{RunID: "7"})
	if err == nil || !strings.Contains(err.Error(), "sends us elsewhere") || len(stranger.Asked()) > 0 {
		t.Errorf("error %v; the stranger got %v", err, stranger.Header())
	}
}
