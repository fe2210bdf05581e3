package buildkit

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
)

// A Vertex is one message on a vertex. BuildKit sends several for each: it is
// announced, started, completed; some are started and completed several times.
type Vertex struct {
	Digest    string    `json:"digest"`
	Inputs    []string  `json:"inputs"`
	Name      string    `json:"name"`
	Started   time.Time `json:"started"`
	Completed time.Time `json:"completed"`
	Cached    bool      `json:"cached"`
	Error     string    `json:"error"`
}

// A Status is one message on a part of a vertex's work, such as one layer.
type Status struct {
	ID        string    `json:"id"`
	Vertex    string    `json:"vertex"`
	Current   int64     `json:"current"`
	Timestamp time.Time `json:"timestamp"`
	Started   time.Time `json:"started"`
	Completed time.Time `json:"completed"`
}

// A Warning is what the builder says of the Dockerfile.
type Warning struct {
	Short []byte `json:"short"`
}

// A Log is a piece of what a vertex printed.
type Log struct {
	Vertex    string    `json:"vertex"`
	Data      []byte    `json:"data"`
	Timestamp time.Time `json:"timestamp"`
}

// A Progress gathers the messages on one solve, or on the several that one bake
// makes. It keeps what steps need and no message. The zero value is empty.
type Progress struct {
	vertices map[string]*vertex
	order    []*vertex // as announced
	statuses int
	inputs   int
	last     time.Time // latest time seen
	guessed  bool      // when the build began is told by its vertices, see began

	damaged []string        // messages that could not be read, see Damaged
	begun   map[string]bool // what builds begin with, see IsNext
	worked  bool            // more than a beginning was taken in

	warnings []string // of the builder
}

// A vertex is what all messages on it say together. Which of its intervals are its time,
// rules tells.
type vertex struct {
	digest   string
	name     string
	names    []string // all that it was given: each target of a bake tells of it under its own
	inputs   []string
	cached   bool
	err      string
	failedAt time.Time // end of the interval that failed
	parts    bool      // statuses were told of it, which its times may follow from
	lostBy   time.Time // where its end is lost: it was not after this
	open     time.Time // start of an interval that has not ended
	started  time.Time // last interval that ended
	ended    time.Time

	worked intervals // that ended well, but for those in which it was found in a cache
	failed intervals // that ended in an error
	loaded intervals // in which it was found in a cache

	log       []byte               // its end
	printed   *printed             // what else is kept of what it printed; nil for nothing
	written   map[string]bool      // layers of a cache
	transfers map[string]*transfer // by layer
	pushRef   string
	pushed    intervals
	pushStart time.Time // of what has not ended
	resolved  bool      // its image's manifest was looked up
}

// A transfer is one layer, or one set of files, that a vertex moved or unpacked.
type transfer struct {
	bytes      int64
	start, end time.Time
}

var (
	errTooManyVertices = fmt.Errorf("more than %d vertices", MaxVertices)
	errTooManyInputs   = fmt.Errorf("more than %d inputs of vertices", MaxInputs)
)

// Vertex takes in a message on a vertex.
func (p *Progress) Vertex(m Vertex) error {
	if m.Digest == "" {
		return errors.New("vertex without a digest")
	}
	v := p.vertices[m.Digest]
	if v == nil {
		if len(p.order) == MaxVertices {
			return errTooManyVertices
		}
		v = &vertex{digest: m.Digest}
		if p.vertices == nil {
			p.vertices = map[string]*vertex{}
		}
		p.vertices[m.Digest] = v
		p.order = append(p.order, v)
	}
	if m.Name != "" {
		v.name = fetch.Cut(m.Name, 4*MaxName)
		if len(v.names) < maxTargets && !slices.Contains(v.names, v.name) {
			p.note(m.Name)
			v.names = append(v.names, v.name)
		}
	}
	if n := len(m.Inputs); n > 0 {
		if p.inputs += n - len(v.inputs); p.inputs > MaxInputs {
			return errTooManyInputs
		}
		v.inputs = m.Inputs
	}
	v.cached = v.cached || m.Cached
	m.Started, m.Completed = fetch.PlausibleOrZero(m.Started), fetch.PlausibleOrZero(m.Completed)
	p.advance(m.Started, m.Completed)
	v.note(m)
	switch {
	case m.Started.IsZero():
	case m.Completed.IsZero():
		v.open = m.Started
	case !m.Completed.Before(v.ended):
		v.started, v.ended, v.open = m.Started, m.Completed, time.Time{}
	}
	switch {
	case m.Error != "":
		v.failed.add(m.Started, m.Completed)
	case m.Cached:
		v.loaded.add(m.Started, m.Completed)
	default:
		v.worked.add(m.Started, m.Completed)
	}
	return nil
}

// note keeps whether the vertex has failed: what failed or was cancelled, and began
// once more after that, has not.
func (v *vertex) note(m Vertex) {
	switch {
	case m.Error != "":
		if !m.Completed.Before(v.ended) || m.Completed.IsZero() {
			v.err, v.failedAt = m.Error, m.Completed
		}
	case m.Completed.After(v.failedAt), !v.failedAt.IsZero() && !m.Started.Before(v.failedAt):
		v.err, v.failedAt = "", time.Time{}
	}
}

// Status takes in a message on a part of a vertex's work.
func (p *Progress) Status(m Status) {
	v := p.vertices[m.Vertex]
	if v == nil {
		return
	}
	v.parts = true
	m.Started, m.Completed = fetch.PlausibleOrZero(m.Started), fetch.PlausibleOrZero(m.Completed)
	m.Timestamp = fetch.PlausibleOrZero(m.Timestamp)
	p.advance(m.Timestamp, m.Completed)
	switch {
	case strings.HasPrefix(m.ID, "pushing "):
		v.push(m)
	case strings.HasPrefix(m.ID, cacheLayerPrefix):
		if v.written == nil {
			v.written = map[string]bool{}
		}
		if len(v.written) < maxCacheLayers {
			v.written[m.ID] = true
		}
	case strings.HasPrefix(m.ID, "resolve "):
		v.resolved = true
	case strings.HasPrefix(m.ID, "transferring "), strings.HasPrefix(m.ID, layerPrefix), strings.HasPrefix(m.ID, unpackPrefix):
		p.transfer(v, m)
	}
}

// What the statuses of an image's layers begin with.
const (
	layerPrefix      = "sha256:"
	unpackPrefix     = "extracting "
	cacheLayerPrefix = "writing layer " // of a cache
)

const maxCacheLayers = 10_000 // that are counted

// push takes in what was pushed.
func (v *vertex) push(m Status) {
	if ref, ok := strings.CutPrefix(m.ID, "pushing manifest for "); ok {
		v.pushRef = fetch.Cut(ref, MaxName)
	}
	if !m.Completed.IsZero() {
		v.pushed.add(m.Started, m.Completed)
	} else if !m.Started.IsZero() && (v.pushStart.IsZero() || m.Started.Before(v.pushStart)) {
		v.pushStart = m.Started
	}
}

// transfer takes in what was moved.
func (p *Progress) transfer(v *vertex, m Status) {
	t := v.transfers[m.ID]
	if t == nil {
		if p.statuses == MaxStatuses {
			return
		}
		p.statuses++
		if v.transfers == nil {
			v.transfers = map[string]*transfer{}
		}
		t = &transfer{}
		v.transfers[m.ID] = t
	}
	t.bytes = max(t.bytes, m.Current)
	if t.start.IsZero() || !m.Started.IsZero() && m.Started.Before(t.start) {
		t.start = m.Started
	}
	t.end = latest(t.end, m.Completed)
	if m.Completed.IsZero() {
		t.end = latest(t.end, m.Timestamp)
	}
}

// Log takes in what a vertex printed.
func (p *Progress) Log(m Log) {
	const enough = 4 * MaxLogLines * MaxLogLine
	v := p.vertices[m.Vertex]
	if v == nil {
		return
	}
	at := fetch.PlausibleOrZero(m.Timestamp)
	p.advance(at)
	if v.printed == nil {
		v.printed = &printed{}
	}
	v.printed.add(at, m.Data)
	v.log = append(v.log, m.Data...)
	if len(v.log) > 2*enough {
		v.log = append(v.log[:0], v.log[len(v.log)-enough:]...)
	}
}

// Warning takes in what the builder says of the Dockerfile.
func (p *Progress) Warning(m Warning) {
	text := string(m.Short[:min(len(m.Short), 4*timeline.MaxFact)])
	if at := strings.LastIndex(text, " (line "); at > 0 {
		text = text[:at] // which others can change
	}
	text = cleanFact(strings.Join(strings.Fields(text), " "))
	if text != "" && !slices.Contains(p.warnings, text) && len(p.warnings) < timeline.MaxWarnings {
		p.warnings = append(p.warnings, text)
	}
}

// Empty tells whether nothing was taken in.
func (p *Progress) Empty() bool { return len(p.order) == 0 }

// Has tells whether a vertex of this digest was taken in.
func (p *Progress) Has(digest string) bool { return p.vertices[digest] != nil }

func (p *Progress) advance(times ...time.Time) {
	for _, t := range times {
		if t.After(p.last) {
			p.last = t
		}
	}
}

// transferred is how many bytes the vertex transferred.
func (v *vertex) transferred() int64 {
	var sum int64
	for _, t := range v.transfers {
		if t.bytes > 0 && sum+t.bytes > 0 {
			sum += t.bytes
		}
	}
	return sum
}

// layers are when the statuses of this prefix went on.
func (v *vertex) layers(prefix string) (list intervals) {
	for id, t := range v.transfers {
		if strings.HasPrefix(id, prefix) {
			list.add(t.start, t.end)
		}
	}
	return list
}

// ran tells whether the vertex ran before it was found in the cache: by one target of a
// bake, when the next asked for it. One without inputs is asked for its key first.
func (v *vertex) ran() bool {
	if len(v.inputs) == 0 || len(v.loaded) == 0 {
		return false
	}
	for _, in := range v.worked {
		if in.end.After(in.start) && !in.end.After(v.loaded[0].start) {
			return true
		}
	}
	return false
}

// running tells whether the vertex had begun and not ended when the progress
// broke off.
func (v *vertex) running() bool { return v.open.After(v.ended) }

// neverStarted tells whether the vertex was only announced.
func (v *vertex) neverStarted() bool {
	return !v.cached && v.ended.IsZero() && v.open.IsZero()
}
