package traces_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/httpclient"
	"github.com/buildregress/buildregress/fetch/jaeger"
	"github.com/buildregress/buildregress/fetch/traces"
	"github.com/buildregress/buildregress/fetch/traces/tracetest"
)

// A server that ignores filters in silence gets no build in that nobody asked for.
func TestServerIgnoresFilters(t *testing.T) {
	each(t, func(t *testing.T, j *tracetest.Jaeger, s traces.Server) {
		b := subject()
		j.Add(mains(20)...)
		for i := range 30 {
			j.Add(tracetest.Usual(100+i, noon.Add(-time.Duration(i)*time.Minute)).On("topic"))
			other := tracetest.Usual(200+i, noon.Add(-time.Duration(i)*time.Minute))
			other.Attributes["cicd.pipeline.name"] = "another"
			j.Add(other)
		}
		j.Add(b)
		j.Break(tracetest.Faults{IgnoreFilters: true})
		got, h := judge(t, traces.New(s, quick()), fetch.Selector{RunID: "run-1000"})
		if got.Trace != b.ID() || len(h.Base) != 20 {
			t.Errorf("build %s, %d of main; want %s and 20", got.Trace, len(h.Base), b.ID())
		}
		for _, base := range h.Base {
			if base.Branch != "main" || base.Pipeline != "shop" {
				t.Errorf("%s of %s is in the baseline", base.Branch, base.Pipeline)
			}
		}
	})
}

// A server without the search of Jaeger's pages is searched by the stable API,
// which ignores attributes.
func TestNewerJaeger(t *testing.T) {
	j := &tracetest.Jaeger{}
	j.Add(mains(20)...)
	j.Add(tracetest.Usual(100, noon.Add(-time.Minute)).On("topic"))
	b := subject()
	j.Add(b)
	j.Break(tracetest.Faults{NoSearch: true})
	got, h := judge(t, traces.New(kinds[1].open(t, j, httpclient.Options{}), quick()), fetch.Selector{RunID: "run-1000"})
	if got.Trace != b.ID() || len(h.Base) != 20 {
		t.Errorf("build %s, %d of main; want %s and 20", got.Trace, len(h.Base), b.ID())
	}
}

// Traces that come in pieces are whole.
func TestInterleaved(t *testing.T) {
	j := &tracetest.Jaeger{}
	j.Add(mains(10)...)
	b := subject()
	j.Add(b)
	j.Break(tracetest.Faults{Interleaved: true})
	_, h := judge(t, traces.New(kinds[0].open(t, j, httpclient.Options{}), quick()), fetch.Selector{TraceID: b.ID()})
	if len(h.Base) != 10 {
		t.Fatalf("%d builds, want 10", len(h.Base))
	}
	for _, base := range h.Base {
		if len(base.Steps) != len(b.Steps) {
			t.Errorf("%d steps of %d", len(base.Steps), len(b.Steps))
		}
	}
}

// A server that gives fewer traces at once is asked for fewer.
func TestSearchDepth(t *testing.T) {
	each(t, func(t *testing.T, j *tracetest.Jaeger, s traces.Server) {
		b := subject()
		j.Add(mains(60)...)
		j.Add(b)
		j.Break(tracetest.Faults{MaxDepth: 30})
		if _, h := judge(t, traces.New(s, quick()), fetch.Selector{RunID: "run-1000"}); len(h.Base) != 50 {
			t.Errorf("%d builds, want 50", len(h.Base))
		}
	})
}

// More builds at one time than are sent at once are found by smaller windows.
func TestManyAtOnce(t *testing.T) {
	each(t, func(t *testing.T, j *tracetest.Jaeger, s traces.Server) {
		for i := range 400 {
			j.Add(tracetest.Usual(i, noon.Add(time.Duration(i-400)*5*time.Second)))
		}
		b := subject()
		j.Add(b)
		_, h := judge(t, traces.New(s, quick()), fetch.Selector{TraceID: b.ID()})
		if len(h.Base) != 50 {
			t.Fatalf("%d builds, want 50", len(h.Base))
		}
		if oldest := h.Base[49].Start; noon.Sub(oldest) > 51*5*time.Second {
			t.Errorf("the oldest of 50 began %v ago: newer ones are left out", noon.Sub(oldest))
		}
	})
}

// A server that breaks off is told of. What came is used if it is enough.
func TestCutOff(t *testing.T) {
	each(t, func(t *testing.T, j *tracetest.Jaeger, s traces.Server) {
		b := subject()
		for i := range 100 {
			j.Add(tracetest.Usual(i, noon.Add(time.Duration(i-100)*time.Minute)))
		}
		j.Add(b)
		o := traces.New(s, quick())
		builds, _, err := o.Builds(t.Context(), fetch.Selector{TraceID: b.ID()})
		if err != nil {
			t.Fatal(err)
		}
		j.Break(tracetest.Faults{CutAfter: 260})
		if _, overHTTP := s.(*jaeger.HTTP); overHTTP {
			j.Break(tracetest.Faults{CutAfter: 200_000})
		}
		h, err := o.History(t.Context(), query(&builds[0], 50))
		if err != nil {
			t.Fatal(err)
		}
		if n := len(h.Base); n < 8 || n >= 50 {
			t.Errorf("%d builds of a broken answer", n)
		}
		if len(h.Notes) != 1 || !strings.Contains(h.Notes[0].Text, "incomplete") {
			t.Errorf("notes %q", h.Notes)
		}

		j.Break(tracetest.Faults{CutAfter: 20})
		if _, err := o.History(t.Context(), query(&builds[0], 50)); err == nil {
			t.Error("no error, with no build of a broken answer")
		}
	})
}

// What a server says instead of an answer is an error that tells what to do, soon.
func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		kind   int
		faults tracetest.Faults
		want   string // in error or hint
	}{
		{0, tracetest.Faults{Code: int(codes.Unauthenticated)}, "BUILDREGRESS_TOKEN"},
		{0, tracetest.Faults{Code: int(codes.PermissionDenied)}, "BUILDREGRESS_TOKEN"},
		{0, tracetest.Faults{Code: int(codes.Unavailable)}, "as it was told to"},
		{0, tracetest.Faults{Code: int(codes.Unimplemented)}, "4317"},
		{0, tracetest.Faults{Silent: true}, "no answer for 50ms"},
		{1, tracetest.Faults{Code: 401}, "BUILDREGRESS_TOKEN"},
		{1, tracetest.Faults{Code: 403}, "BUILDREGRESS_TOKEN"},
		{1, tracetest.Faults{Code: 404}, "no API of Jaeger"},
		{1, tracetest.Faults{Code: 429, RetryAfter: "3600"}, "come again in 1h0m0s"},
		{1, tracetest.Faults{Code: 500}, "500 Internal Server Error"},
		{1, tracetest.Faults{Code: 503, RetryAfter: "0"}, "503 Service Unavailable"},
		{1, tracetest.Faults{Silent: true}, "no answer for 50ms"},
	} {
		t.Run(kinds[test.kind].name+" "+test.want, func(t *testing.T) {
			t.Parallel()
			j := &tracetest.Jaeger{}
			silence := 20 * time.Second
			if test.faults.Silent {
				silence = 50 * time.Millisecond
			}
			s := kinds[test.kind].open(t, j, httpclient.Options{IdleTimeout: silence, Backoff: time.Millisecond})
			j.Break(test.faults)
			within(t, 20*time.Second, func(ctx context.Context) {
				for _, w := range []fetch.Selector{{TraceID: strings.Repeat("ab", 16)}, {RunID: "7"}} {
					_, _, err := traces.New(s, quick()).Builds(ctx, w)
					if err == nil || !strings.Contains(err.Error()+" "+hintOf(err), test.want) {
						t.Errorf("%+v: error %v, hint %q; want %q in them", w, err, hintOf(err), test.want)
					}
				}
			})
		})
	}
}

// A server that is busy for a moment is asked again.
func TestBusyForAMoment(t *testing.T) {
	for i, f := range []tracetest.Faults{{Code: int(codes.Unavailable), Times: 1}, {Code: 429, RetryAfter: "0", Times: 2}} {
		j := &tracetest.Jaeger{}
		s := kinds[i].open(t, j, httpclient.Options{Backoff: time.Millisecond})
		b := subject()
		j.Add(b)
		j.Break(f)
		if _, _, err := traces.New(s, quick()).Builds(t.Context(), fetch.Selector{TraceID: b.ID()}); err != nil {
			t.Errorf("%s: %v", kinds[i].name, err)
		}
	}
}

// Whoever speaks something else is told how to be spoken to.
func TestWrongPorts(t *testing.T) {
	j := &tracetest.Jaeger{}
	overGRPC := j.ServeGRPC(t)
	plain := httptest.NewServer(j)
	t.Cleanup(plain.Close)
	secure := httptest.NewUnstartedServer(j)
	secure.EnableHTTP2 = true
	secure.StartTLS()
	t.Cleanup(secure.Close)
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()

	host := func(s *httptest.Server) string { u, _ := url.Parse(s.URL); return u.Host }
	asGRPC := func(address string, tls bool) traces.Server {
		s, err := jaeger.NewGRPC(address, tls, httpclient.Options{IdleTimeout: 10 * time.Second, Backoff: time.Millisecond}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	asHTTP := func(address string) traces.Server {
		base, _ := url.Parse(address)
		s, err := jaeger.NewHTTP("jaeger+"+address, base, httpclient.Options{IdleTimeout: 10 * time.Second, Backoff: time.Millisecond}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, test := range []struct {
		name   string
		server traces.Server
		want   string
	}{
		{"gRPC to nobody", asGRPC(nobody.Addr().String(), false), "is Jaeger running"},
		{"HTTP to nobody", asHTTP("http://" + nobody.Addr().String()), "is the server running"},
		{"gRPC to HTTP", asGRPC(host(plain), false), "jaeger+http://"},
		{"HTTP to gRPC", asHTTP("http://" + overGRPC), "jaeger://"},
		{"TLS to gRPC without", asGRPC(overGRPC, true), "without TLS it is jaeger://"},
		{"TLS to HTTP without", asHTTP("https://" + host(plain)), "speaks no TLS"},
		{"HTTP to unknown TLS", asHTTP(secure.URL), "--ca-file"},
		{"gRPC to unknown TLS", asGRPC(host(secure), true), "--ca-file"},
		{"gRPC to TLS without", asGRPC(host(secure), false), "jaegers://"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			within(t, 20*time.Second, func(ctx context.Context) {
				_, _, err := traces.New(test.server, quick()).Builds(ctx, fetch.Selector{RunID: "7"})
				if err == nil || !strings.Contains(err.Error()+" "+hintOf(err), test.want) {
					t.Errorf("error %v, hint %q; want %q in them", err, hintOf(err), test.want)
				}
			})
		})
	}
}

// TLS with a CA of one's own, and a certificate that the server asks for.
func TestMutualTLS(t *testing.T) {
	j := &tracetest.Jaeger{}
	b := subject()
	j.Add(b)
	ca := newCA(t)
	server := httptest.NewUnstartedServer(j)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{ca.issue(t, "jaeger.test", false)}, ClientCAs: ca.pool(), ClientAuth: tls.RequireAndVerifyClientCert}
	server.StartTLS()
	defer server.Close()
	base, _ := url.Parse(server.URL)
	certFile, keyFile := ca.client(t)
	for _, test := range []struct {
		name string
		dial httpclient.Options
		want string // in the error, "" for none
	}{
		{"all", httpclient.Options{CAFile: ca.file(t), CertFile: certFile, KeyFile: keyFile, ServerName: "jaeger.test"}, ""},
		{"insecure", httpclient.Options{CertFile: certFile, KeyFile: keyFile, Insecure: true}, ""},
		{"another name", httpclient.Options{CAFile: ca.file(t), CertFile: certFile, KeyFile: keyFile}, "x509"},
		{"no client", httpclient.Options{CAFile: ca.file(t), ServerName: "jaeger.test"}, "certificate required"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := jaeger.NewHTTP("jaeger+"+server.URL, base, test.dial, traces.FilterAttributes(nil))
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = traces.New(s, quick()).Builds(t.Context(), fetch.Selector{TraceID: b.ID()})
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

// A server that speaks TLS, and offers no HTTP/2 in it, is told as that: gRPC's own words
// for it are about its releases.
func TestTLSWithoutHTTP2(t *testing.T) {
	ca := newCA(t)
	server, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{ca.issue(t, "jaeger.test", false)}})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(io.Discard, conn)
			}()
		}
	}()
	s, err := jaeger.NewGRPC(server.Addr().String(), true, httpclient.Options{CAFile: ca.file(t), ServerName: "jaeger.test", Backoff: time.Millisecond}, nil)
	if err != nil {
		t.Fatal(err)
	}
	within(t, 20*time.Second, func(ctx context.Context) {
		_, _, err := traces.New(s, quick()).Builds(ctx, fetch.Selector{TraceID: strings.Repeat("7", 32)})
		if err == nil || !strings.Contains(err.Error(), "does not offer HTTP/2") || !strings.Contains(hintOf(err), "ALPN") {
			t.Errorf("error %v, hint %q", err, hintOf(err))
		}
	})
}

// What real stores hold beside sound builds.
func TestOddTraces(t *testing.T) {
	for _, test := range []struct {
		name  string
		build func(b *tracetest.Build)
		want  string // in the error, "" for none
	}{
		{"10,000 spans", func(b *tracetest.Build) { b.Padding = 10_000 }, ""},
		{"a span of 5 MB", func(b *tracetest.Build) { b.Big = 5 << 20 }, ""},
		{"each span twice", func(b *tracetest.Build) { b.Duplicates = true }, ""},
		{"the daemon's clock an hour ahead", func(b *tracetest.Build) { b.Skew = time.Hour }, ""},
		{"the daemon's clock an hour behind", func(b *tracetest.Build) { b.Skew = -time.Hour }, ""},
		{"the client's spans only", func(b *tracetest.Build) { b.Steps, b.NoDaemon = nil, true }, "5 spans by service `buildx`, root `build .`; no BuildKit build in it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			each(t, func(t *testing.T, j *tracetest.Jaeger, s traces.Server) {
				b := subject()
				test.build(&b)
				j.Add(mains(10)...)
				j.Add(b)
				options := quick()
				options.Now = func() time.Time { return noon.Add(3 * time.Hour) }
				o := traces.New(s, options)
				builds, _, err := o.Builds(t.Context(), fetch.Selector{RunID: "run-1000"})
				if test.want != "" {
					if err == nil || !strings.Contains(err.Error(), test.want) || hintOf(err) == "" {
						t.Errorf("error %v", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if len(builds) != 1 || len(builds[0].Steps) != len(b.Steps) || builds[0].Branch != "main" {
					t.Fatalf("found %+v", builds)
				}
				h, err := o.History(t.Context(), query(&builds[0], 50))
				if err != nil {
					t.Fatal(err)
				}
				want := 10
				if b.Skew < 0 { // what seems to have begun after it is left out
					want = 8
				}
				if len(h.Base) != want {
					t.Errorf("a history of %d, want %d", len(h.Base), want)
				}
			})
		})
	}
}

// Two builds in one trace are two.
func TestSharedTrace(t *testing.T) {
	each(t, func(t *testing.T, j *tracetest.Jaeger, s traces.Server) {
		a := subject()
		a.Trace = strings.Repeat("5", 32)
		bake := tracetest.Bake(a, "api", "worker")
		j.Add(bake)
		builds, _, err := traces.New(s, quick()).Builds(t.Context(), fetch.Selector{TraceID: a.Trace})
		if err != nil {
			t.Fatal(err)
		}
		var pipelines []string
		for i := range builds {
			pipelines = append(pipelines, builds[i].Pipeline)
			if len(builds[i].Steps) != len(a.Steps) {
				t.Errorf("%s has %d steps, want its own %d", builds[i].Pipeline, len(builds[i].Steps), len(a.Steps))
			}
		}
		if got := strings.Join(pipelines, ", "); got != "shop api, shop worker" {
			t.Errorf("builds of %s", got)
		}
	})
}
