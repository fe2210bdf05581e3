package buildkit

import (
	"iter"
	"maps"
	"net/url"
	"strconv"
	"strings"
	"time"
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
	Code              int               // of a gRPC call
	Resource          map[string]string // those attributes that are used, see IsUsed
	Service           string            // service.name of the resource
	Tags              map[string]string // attributes, of the span or its resource, that a decoder was asked to keep
}

// Set takes in an attribute. Decoders call it for each.
func (s *Span) Set(key, value string) {
	switch key {
	case "vertex":
		s.Vertex = value
	case "http.method", "http.request.method":
		s.Method = value
	case "http.url", "url.full":
		s.URL = bareURL(value)
	case "exception.message":
		if s.Message == "" {
			s.Message = value
		}
	}
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
	default:
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

// A Trace is the tree of its spans.
type Trace struct {
	id    string
	nodes []*node
}

// A node is a span in its trace.
type node struct {
	Span
	parent *node
	solve  *solve // the build it belongs to, nil if none
	seen   bool   // its solve has been looked up
	walk   int    // in which it was met, see breakCycles
}

// NewTrace makes the tree of one trace. A span that arrived twice is one: client
// and daemon may both have exported it, and only one of the copies tells the
// error.
func NewTrace(id string, spans []Span) *Trace {
	byID := make(map[string]*node, len(spans))
	t := &Trace{id: id, nodes: make([]*node, 0, len(spans))}
	room := make([]node, len(spans))
	for i := range spans {
		s := &spans[i]
		n := byID[s.ID]
		if n == nil {
			n = &room[len(t.nodes)]
			n.Span = *s
			n.Start, n.End = instant(s.Start), instant(s.End)
			byID[s.ID] = n
			t.nodes = append(t.nodes, n)
			continue
		}
		if s.Failed && !n.Failed {
			n.Failed, n.Message = true, s.Message
		}
		if n.Code == 0 {
			n.Code = s.Code
		}
		if !isTold(n.Resource) && isTold(s.Resource) {
			n.Resource = maps.Clone(s.Resource)
		}
	}
	for _, n := range t.nodes {
		if p := byID[n.Parent]; p != nil && p != n {
			n.parent = p
		}
	}
	breakCycles(t.nodes)
	return t
}

// Spans is how many spans the trace has, each once.
func (t *Trace) Spans() int { return len(t.nodes) }

// ancestors are the spans above n, the nearest first, as far up as any real
// trace goes.
func (n *node) ancestors() iter.Seq[*node] {
	const deepest = 64
	return func(yield func(*node) bool) {
		at := n.parent
		for i := 0; at != nil && i < deepest && yield(at); i++ {
			at = at.parent
		}
	}
}

// breakCycles cuts loops of parents, which no tracer makes but a file may hold. A walk
// up from each node ends where an earlier one was.
func breakCycles(list []*node) {
	for i, n := range list {
		walk := i + 1
		for at := n; at != nil && at.walk == 0; at = at.parent {
			at.walk = walk
			if at.parent != nil && at.parent.walk == walk {
				at.parent = nil
			}
		}
	}
}
