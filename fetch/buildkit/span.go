package buildkit

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/buildregress/buildregress/fetch/attribute"
)

// A Kind is the side of a call that a span shows, as OTLP counts them.
type Kind int

const (
	KindUnknown Kind = iota
	KindInternal
	KindServer
	KindClient
)

// A Span is what BuildKit's spans say that matters for builds.
type Span struct {
	Trace, ID, Parent string // lower-case hex; Parent "" or unknown for a root
	Name              string
	Kind              Kind
	Start, End        time.Time
	Failed            bool              // its status is Error
	Message           string            // of the status, or of the exception
	Vertex            string            // digest
	Method, URL       string            // of an HTTP request, the URL without query and credentials
	Bytes             int64             // of an answer to an HTTP request, or of a layer
	Code              int               // of a gRPC call
	Resource          map[string]string // those attributes that are used, see IsUsed
	Service           string            // service.name of the resource
	Tags              map[string]string // attributes, of the span or its resource, that a decoder was asked to keep
	Own, Shared       attribute.Values  // what emitters of pipelines write, of the span itself and of its resource
	Request           bool              // it is a call of another program, by its attributes
	Scope             string            // the program's part that made it
}

// Set takes in an attribute. Decoders call it for each.
func (s *Span) Set(key, value string) {
	switch key {
	case "vertex":
		if isDigest(value) {
			s.Vertex = value
		}
	case "rpc.response.status_code": // of later conventions, a name
		s.Code = codeNamed(value)
	case "http.method", "http.request.method":
		s.Method = value
	case "http.url", "url.full":
		s.URL = bareURL(value)
	case "http.response_content_length", "http.response.body.size", "size":
		if n, err := strconv.ParseInt(value, 10, 64); err == nil && n > 0 {
			s.Bytes = n
		}
	case "exception.message":
		if s.Message == "" {
			s.Message = value
		}
	}
}

// Keep takes in an attribute as far as pipelines are read by it.
func (s *Span) Keep(key, value string) {
	s.Own.Keep(key, value)
	s.Request = s.Request || attribute.IsRequest(key)
}

// codeNamed is the code of a gRPC call as far as it matters: whether it went well, was
// cancelled, or failed.
func codeNamed(name string) int {
	const cancelled, unknown = 1, 2
	if code, err := strconv.Atoi(name); err == nil {
		return code
	}
	switch strings.ToUpper(name) {
	case "", "OK":
		return 0
	case "CANCELLED", "CANCELED":
		return cancelled
	}
	return unknown
}

// IsSize tells whether an attribute is a number of bytes that Set wants, as text.
func IsSize(key string) bool {
	return key == "http.response_content_length" || key == "http.response.body.size" || key == "size"
}

// SetJaeger takes in a tag of Jaeger's, which keeps in tags what OTLP has fields
// for.
func (s *Span) SetJaeger(key, value string) {
	switch key {
	case "span.kind":
		switch value {
		case "internal":
			s.Kind = KindInternal
		case "server":
			s.Kind = KindServer
		case "client":
			s.Kind = KindClient
		}
	case "otel.status_code":
		s.Failed = s.Failed || value == "ERROR"
	case "error":
		s.Failed = s.Failed || value == "true"
	case "otel.status_description":
		s.Message = value
	case "rpc.grpc.status_code":
		s.Code, _ = strconv.Atoi(value)
	case "otel.scope.name", "otel.library.name":
		s.Scope = value
	default:
		s.Keep(key, value)
		s.Set(key, value)
	}
}

// bareURL drops what may hold credentials.
func bareURL(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host + u.Path
}

// repo is the repository in a registry that a request is on, "" if it is on none.
func (s *Span) repo() string {
	for _, part := range []string{"/blobs/", "/manifests/"} {
		if before, _, found := strings.Cut(s.URL, part); found {
			return strings.Replace(before, "/v2/", "/", 1)
		}
	}
	return ""
}

// writes tells whether the span is an HTTP request that changes something.
func (s *Span) writes() bool {
	return s.Method == "POST" || s.Method == "PUT" || s.Method == "PATCH"
}
