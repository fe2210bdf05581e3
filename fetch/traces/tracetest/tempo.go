package tracetest

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/protobuf/encoding/protowire"
)

// A Tempo holds builds, and answers as Grafana Tempo does.
type Tempo struct {
	JSON    bool   // it knows no protobuf
	Older   bool   // it has no second version of the way to single traces
	Empty   bool   // an unknown trace is an empty one, not 404
	Partial string // id of a trace of which it sends a part

	mu     sync.Mutex
	builds []Build
	asked  []string
	header http.Header
}

// Add adds builds.
func (s *Tempo) Add(builds ...Build) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.builds = append(s.builds, builds...)
}

// Asked are the paths and queries asked for.
func (s *Tempo) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked = nil
	return asked
}

// Header is that of the last question.
func (s *Tempo) Header() http.Header {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.header
}

var number = regexp.MustCompile(`\.([a-z.]+) = ([0-9]+)`)

var condition = regexp.MustCompile(`([a-z.]+) = "([^"]*)"`)

func (s *Tempo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.URL.RequestURI())
	s.header = r.Header.Clone()
	path := r.URL.Path
	switch {
	case path == "/api/search":
		s.search(w, r)
	case strings.HasPrefix(path, "/api/v2/traces/") && !s.Older:
		s.send(w, only(s.builds, path), true)
	case strings.HasPrefix(path, "/api/traces/"):
		s.send(w, only(s.builds, path), false)
	default:
		http.NotFound(w, r)
	}
}

func (s *Tempo) search(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	from, _ := strconv.ParseInt(q.Get("start"), 10, 64)
	to, _ := strconv.ParseInt(q.Get("end"), 10, 64)
	if to-from > 168*3600 {
		http.Error(w, "range specified by start and end exceeds 168h0m0s", http.StatusBadRequest)
		return
	}
	tags, service := map[string]string{}, ""
	if numbers := number.FindAllStringSubmatch(q.Get("q"), -1); len(numbers) > 0 { // text never equals one
		for _, m := range numbers {
			tags[m[1]] = m[2]
		}
	}
	for _, m := range condition.FindAllStringSubmatch(q.Get("q"), -1) {
		if m[1] == "resource.service.name" {
			service = m[2]
		} else {
			if key := strings.TrimPrefix(m[1], "."); tags[key] == "" {
				tags[key] = m[2]
			}
		}
	}
	type hit struct {
		TraceID  string `json:"traceID"`
		Start    string `json:"startTimeUnixNano"`
		Duration int    `json:"durationMs"`
	}
	hits := []hit{}
	for _, b := range find(s.builds, service, tags, time.Unix(from, 0), time.Unix(to, 0), q.Get("limit"), Faults{}) {
		hits = append(hits, hit{strings.TrimLeft(b.ID(), "0"), strconv.FormatInt(b.Start.UnixNano(), 10), 60_000})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"traces": hits, "metrics": map[string]any{}})
}

func (s *Tempo) send(w http.ResponseWriter, builds []Build, second bool) {
	t := ptrace.NewTraces()
	status, partial := "COMPLETE", false
	if len(builds) > 0 {
		t = builds[0].Spans()
		if partial = builds[0].ID() == s.Partial; partial {
			status = "PARTIAL"
		}
	} else if !s.Empty {
		http.Error(w, "trace not found", http.StatusNotFound)
		return
	}
	if s.JSON {
		data, err := (&ptrace.JSONMarshaler{}).MarshalTraces(t)
		if err != nil {
			panic(err)
		}
		text := named(string(data))
		w.Header().Set("Content-Type", "application/json")
		if second {
			fmt.Fprintf(w, `{"trace":%s,"metrics":{},"status":%q,"message":"too large"}`, text, status)
		} else {
			fmt.Fprint(w, strings.Replace(text, `"resourceSpans"`, `"batches"`, 1))
		}
		return
	}
	data, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(t)
	if err != nil {
		panic(err)
	}
	if second {
		data = protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), data)
		data = protowire.AppendBytes(protowire.AppendTag(data, 2, protowire.BytesType), nil)
		if partial {
			data = protowire.AppendVarint(protowire.AppendTag(data, 3, protowire.VarintType), 1)
		}
	}
	w.Header().Set("Content-Type", "application/protobuf")
	_, _ = w.Write(data)
}

var (
	ids   = regexp.MustCompile(`"(traceId|spanId|parentSpanId)":"([0-9a-f]*)"`)
	kinds = strings.NewReplacer(`"kind":1`, `"kind":"SPAN_KIND_INTERNAL"`, `"kind":2`, `"kind":"SPAN_KIND_SERVER"`, `"kind":3`, `"kind":"SPAN_KIND_CLIENT"`,
		`"code":2`, `"code":"STATUS_CODE_ERROR"`)
)

// named writes ids in base64 and enums as names, as Tempo does.
func named(text string) string {
	return kinds.Replace(ids.ReplaceAllStringFunc(text, func(field string) string {
		m := ids.FindStringSubmatch(field)
		id, _ := hex.DecodeString(m[2])
		return fmt.Sprintf(`"%s":"%s"`, m[1], base64.StdEncoding.EncodeToString(id))
	}))
}
