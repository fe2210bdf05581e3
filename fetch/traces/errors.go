package traces

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/httpclient"
	"github.com/buildregress/buildregress/fetch/pipeline"
)

// ErrNoTrace is returned where a server has no trace of an id.
var ErrNoTrace = errors.New("no such trace")

// A ServerError is what went wrong with a server of traces.
type ServerError struct {
	Server string // its URL, without credentials
	Err    error
	Advice string // what to do about it, "" if only Err may know
}

func (t *ServerError) Error() string { return fmt.Sprintf("%s: %v", t.Server, t.Err) }
func (t *ServerError) Unwrap() error { return t.Err }

// Hint is what people can do about it, "" if that is not known.
func (t *ServerError) Hint() string {
	var inner interface{ Hint() string }
	if t.Advice == "" && errors.As(t.Err, &inner) {
		return inner.Hint()
	}
	return t.Advice
}

// A LimitError is a server's answer to a question for more traces than it gives.
type LimitError struct{ Err error }

func (e *LimitError) Error() string { return fmt.Sprintf("too many traces asked for: %v", e.Err) }
func (e *LimitError) Unwrap() error { return e.Err }

// What is to be done where nothing is found.
const (
	hintNotFound = "the usual causes: the builder does not export its traces there (OTEL_EXPORTER_OTLP_ENDPOINT of BuildKit, --driver-opt env.… of docker buildx create); " +
		"the build was not tagged (OTEL_RESOURCE_ATTRIBUTES=cicd.pipeline.run.id=… on the docker buildx command); " +
		"or the trace has not arrived yet, in this store, for this tenant (--timeout allows for more time)"
	hintNoBranch = "say it when building: OTEL_RESOURCE_ATTRIBUTES=vcs.ref.head.name=BRANCH,cicd.pipeline.name=NAME,vcs.ref.head.revision=COMMIT docker buildx build …; or compare with builds of any branch: --baseline-any-branch, of those alone that have an attribute: --tag KEY=VALUE"
	hintNoDaemon = "the client's spans came, the daemon's did not: let BuildKit export its traces, too (OTEL_EXPORTER_OTLP_ENDPOINT of the daemon, --driver-opt env.… of docker buildx create)"
	hintForeign  = "it is the trace of another program: --trace-id and --run-id name a build's; " +
		"for a build to be in the trace of its job, give it the job's TRACEPARENT"
	hintNotEnded = "a build that was killed, or whose client exports nothing, has no end; --build and --trace-id name another"
)

// hintOf is what an error on a trace without a build says is to be done.
func hintOf(err error) string {
	var hinted interface{ Hint() string }
	if early, ok := errors.AsType[*pipeline.NoBuildError](err); ok && early.Rootless {
		return early.Hint()
	}
	if errors.As(err, &hinted) {
		return hintForeign + "; " + hinted.Hint()
	}
	return hintForeign
}

// WrapError says what an error of a server that was asked over HTTP means, and what
// to do about it.
func WrapError(server, doing string, err error) *ServerError {
	t := &ServerError{Server: server, Err: fmt.Errorf("%s: %w", doing, err)}
	if status, ok := errors.AsType[*httpclient.StatusError](err); ok {
		t.Err = fmt.Errorf("%s: %s", doing, fetch.Cut(status.Error(), 300))
		switch status.Code {
		case http.StatusUnauthorized:
			t.Advice = HintAuth
		case http.StatusForbidden:
			t.Advice = HintForbidden
		case http.StatusTooManyRequests, http.StatusServiceUnavailable:
			t.Advice = "the server is busy: try again later"
		}
		return t
	}
	t.Err = fmt.Errorf("%s: %s", doing, fetch.Cut(err.Error(), 300))
	switch httpclient.FaultOf(err) {
	case httpclient.NoTLS:
		t.Err, t.Advice = errors.New("the server speaks no TLS there"), "without TLS the address begins with "+strings.Replace(server[:strings.Index(server, ":")], "+https", "+http", 1)+"://"
	case httpclient.Untrusted:
		t.Advice = HintCertificate
	case httpclient.Refused, httpclient.NoSuchHost:
		t.Advice = "is the server running, and is this its address?"
	}
	return t
}

// What is to be done about servers that want to know us, or that we do not know.
const (
	HintAuth        = "BUILDREGRESS_TOKEN or --token-file holds a token; --user and BUILDREGRESS_PASSWORD a login; --tenant names the tenant"
	HintForbidden   = "who asks may not read there: another token (BUILDREGRESS_TOKEN) or login (--user) may, or it is for another tenant (--tenant)"
	HintCertificate = "--ca-file names the certificates to trust, --server-name the name in the server's"
)
