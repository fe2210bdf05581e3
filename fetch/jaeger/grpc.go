// Package jaeger asks Jaeger for traces: over gRPC (jaeger.api_v2) and over HTTP.
package jaeger

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/jaegertracing/jaeger-idl/model/v1"
	"github.com/jaegertracing/jaeger-idl/proto-gen/api_v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/buildkit"
	"github.com/buildregress/buildregress/fetch/httpclient"
	"github.com/buildregress/buildregress/fetch/spans"
	"github.com/buildregress/buildregress/fetch/traces"
)

// maxMessage bounds one message, which holds some ten spans. A span with a stack
// trace may take megabytes.
const maxMessage = 64 << 20

// window is how many bytes the server may send before we have read them.
const window = 4 << 20

// retries are for what was not answered at all. A stream that began is not begun
// again: its traces may have been taken.
func retries(o *httpclient.Options) string {
	first := o.FirstBackoff().Seconds()
	return fmt.Sprintf(`{"methodConfig": [{
		"name": [{"service": "jaeger.api_v2.QueryService"}],
		"retryPolicy": {"maxAttempts": 3, "initialBackoff": "%fs", "maxBackoff": "%fs", "backoffMultiplier": 3,
			"retryableStatusCodes": ["UNAVAILABLE"]}
	}]}`, first, 10*first)
}

// GRPC asks over gRPC.
type GRPC struct {
	address string
	secure  bool
	options httpclient.Options
	extra   buildkit.AttributeSet
	conn    *grpc.ClientConn
	last    *atomic.Pointer[handshake]
}

// NewGRPC asks the server at address, "host:port", with TLS if secure. extra names
// attributes to keep with the spans. It connects when it is first asked.
func NewGRPC(address string, secure bool, o httpclient.Options, extra buildkit.AttributeSet) (*GRPC, error) {
	creds := insecure.NewCredentials()
	if secure {
		c, err := o.TLS()
		if err != nil {
			return nil, err
		}
		c.VerifyConnection = offersHTTP2
		creds = credentials.NewTLS(c)
	}
	last := new(atomic.Pointer[handshake])
	conn, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(observed{creds, last}),
		grpc.WithDefaultServiceConfig(retries(&o)),
		grpc.WithDisableServiceConfig(), // what DNS says of it
		// So that the server need not wait for us after each few spans.
		grpc.WithInitialWindowSize(window), grpc.WithInitialConnWindowSize(window), grpc.WithReadBufferSize(256<<10),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(Codec{}), grpc.MaxCallRecvMsgSize(maxMessage)),
	)
	if err != nil {
		return nil, err
	}
	return &GRPC{address: address, secure: secure, options: o, extra: extra, conn: conn, last: last}, nil
}

// Bounds are none: a server says itself how many traces it gives.
func (g *GRPC) Bounds() traces.Bounds { return traces.Bounds{} }

// outgoing adds the headers. Jaeger hands the token of "bearer.token" on to its
// storage.
func (g *GRPC) outgoing(ctx context.Context) context.Context {
	md := metadata.MD{}
	for name, values := range g.options.Header {
		md.Append(strings.ToLower(name), values...)
		for _, v := range values {
			if token, ok := strings.CutPrefix(v, "Bearer "); ok && strings.EqualFold(name, "authorization") {
				md.Append("bearer.token", token)
			}
		}
	}
	return metadata.NewOutgoingContext(ctx, md)
}

// Trace returns the spans of a trace.
func (g *GRPC) Trace(ctx context.Context, id string) ([]buildkit.Span, error) {
	parsed, err := model.TraceIDFromString(id)
	if err != nil {
		return nil, fmt.Errorf("trace id %.40q is not 32 digits of hex", id)
	}
	var found []buildkit.Span
	gather := traces.Gatherer{Take: func(_ string, more []buildkit.Span) error {
		if len(found)+len(more) > spans.Max {
			return fmt.Errorf("trace %s: %w", id, spans.ErrTooMany)
		}
		found = append(found, more...)
		return nil
	}}
	err = g.stream(ctx, func(ctx context.Context) (receiver, error) {
		return api_v2.NewQueryServiceClient(g.conn).GetTrace(ctx, &api_v2.GetTraceRequest{TraceID: parsed, RawTraces: true})
	}, gather.Add)
	if err == nil {
		err = gather.End()
	}
	if status.Code(err) == codes.NotFound || err == nil && len(found) == 0 {
		return nil, traces.ErrNoTrace
	}
	if err != nil {
		return nil, g.wrapError(ctx, "get trace", err)
	}
	return found, nil
}

// Search finds traces.
func (g *GRPC) Search(ctx context.Context, q traces.Question, take func(string, []buildkit.Span) error) (int, error) {
	gather := traces.Gatherer{Take: take, Warn: q.Warn}
	err := g.stream(ctx, func(ctx context.Context) (receiver, error) {
		return api_v2.NewQueryServiceClient(g.conn).FindTraces(ctx, &api_v2.FindTracesRequest{Query: &api_v2.TraceQueryParameters{
			ServiceName: q.Service, Tags: q.Tags, StartTimeMin: q.From, StartTimeMax: q.To,
			SearchDepth: int32(q.Limit), RawTraces: true,
		}})
	}, gather.Add)
	if status.Code(err) == codes.NotFound { // of a service, or of anything
		err = nil
	}
	if err != nil { // the trace that was coming is not whole
		return gather.Traces, g.wrapError(ctx, "find traces", err)
	}
	return gather.Traces, gather.End()
}

// depthLimit recognizes the refusal of a search for more traces than the server gives.
// Its storages word it each in their own way, and have no code for it.
var depthLimit = regexp.MustCompile(`(?i)search[ _]?depth|max traces`)

// wrapError says what an error means, and what to do.
func (g *GRPC) wrapError(ctx context.Context, doing string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	t := &traces.ServerError{Server: g.name(), Err: fmt.Errorf("%s: %w", doing, err)}
	s, ok := status.FromError(err)
	if !ok {
		return t
	}
	text := g.options.Redact(s.Message())
	t.Err = fmt.Errorf("%s: %s", doing, withoutStatus(text))
	switch s.Code() {
	case codes.DeadlineExceeded:
		// The server may notice first that our time is over.
		if _, limited := ctx.Deadline(); limited {
			return context.DeadlineExceeded
		}
	case codes.Canceled: // and not by us, as our time is not over
		t.Err, t.Advice = fmt.Errorf("%s: the server broke the answer off: %s", doing, withoutStatus(text)), "try again; what stands between may have a time limit of its own"
	case codes.Unavailable:
		g.unavailable(t)
	case codes.Unauthenticated:
		t.Advice = traces.HintAuth
	case codes.PermissionDenied:
		t.Advice = traces.HintForbidden
	case codes.Unimplemented:
		t.Err, t.Advice = fmt.Errorf("%s: the server speaks gRPC, and is no query service of Jaeger: %s", doing, withoutStatus(text)), "the port of Jaeger's gRPC queries is usually 16685; that of OTLP, 4317, only takes traces"
	case codes.ResourceExhausted, codes.InvalidArgument, codes.Unknown, codes.Internal, codes.OutOfRange:
		if depthLimit.MatchString(text) {
			return &traces.LimitError{Err: t}
		}
	}
	return t
}

// unavailable says more of an error without an answer.
func (g *GRPC) unavailable(t *traces.ServerError) {
	last := g.last.Load()
	if last == nil {
		last = &handshake{}
	}
	switch fault := last.fault(); {
	case errors.Is(last.err, errNoHTTP2):
		t.Err, t.Advice = errNoHTTP2, "what stands before Jaeger has to offer h2 (ALPN); or give jaeger+https://"+g.address+" where it passes on HTTP"
	case fault == httpclient.NoTLS:
		t.Err, t.Advice = errors.New("the server speaks no TLS there"), "without TLS it is jaeger://"+g.address
	case fault == httpclient.Untrusted:
		t.Advice = traces.HintCertificate
	case last.conn == nil:
		t.Advice = "is Jaeger running, and is this the port of its gRPC queries, usually 16685?"
	case last.conn.SpeaksHTTP():
		t.Err, t.Advice = errors.New("the server speaks HTTP there, not gRPC"), "give jaeger+http://"+g.address+", or the port of gRPC, usually 16685"
	case !last.speaksHTTP2():
		t.Advice = "is this the port of Jaeger's gRPC queries, usually 16685? With TLS it is jaegers://"
	default:
		t.Advice = "is Jaeger running, and is this the port of its gRPC queries, usually 16685?"
	}
}

func (g *GRPC) name() string {
	if g.secure {
		return "jaegers://" + g.address
	}
	return "jaeger://" + g.address
}

// withoutStatus is a message in one line, without what gRPC says around it.
func withoutStatus(text string) string {
	const around = "desc = "
	if i := strings.LastIndex(text, around); i >= 0 {
		text = strings.Trim(text[i+len(around):], `"`)
	}
	return fetch.Clean(text, 300)
}
