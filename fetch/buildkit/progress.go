package buildkit

import (
	"errors"
	"fmt"
	"strings"
	"time"

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

	damaged []string        // messages that could not be read, see Damaged
	begun   map[string]bool // what builds begin with, see IsNext
	worked  bool            // more than a beginning was taken in
}

// A vertex is what all messages on it say together.
//
// Note: of a vertex that worked in several intervals, as the pull of an image
// does that is asked for by several stages, the last that ended is its time:
// only that one tells how long its result was waited for, and traces show no
// other. What went on in the earlier ones is part of the build's wall time only.
type vertex struct {
	digest   string
	name     string
	inputs   []string
	cached   bool
	err      string
	failedAt time.Time // end of the interval that failed
	parts    bool      // statuses were told of it, which its times may follow from
	lostBy   time.Time // where its end is lost: it was not after this
	open     time.Time // start of an interval that has not ended
	started  time.Time // last interval that ended
	ended    time.Time

	log       []byte           // its end
	bytes     map[string]int64 // by layer or transfer
	pushRef   string
	pushStart time.Time
	pushEnd   time.Time
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
		if v.name == "" {
			p.note(m.Name)
		}
		v.name = fetch.Cut(m.Name, 4*MaxName)
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
	p.advance(fetch.PlausibleOrZero(m.Timestamp), m.Completed)
	switch {
	case strings.HasPrefix(m.ID, "pushing "):
		if v.pushStart.IsZero() || m.Started.Before(v.pushStart) && !m.Started.IsZero() {
			v.pushStart = m.Started
		}
		if m.Completed.After(v.pushEnd) {
			v.pushEnd = m.Completed
		}
		if ref, ok := strings.CutPrefix(m.ID, "pushing manifest for "); ok {
			v.pushRef = fetch.Cut(ref, MaxName)
		}
	case strings.HasPrefix(m.ID, "transferring "), strings.HasPrefix(m.ID, "sha256:"):
		if v.bytes == nil {
			v.bytes = map[string]int64{}
		}
		if _, known := v.bytes[m.ID]; !known {
			if p.statuses == MaxStatuses {
				return
			}
			p.statuses++
		}
		v.bytes[m.ID] = max(v.bytes[m.ID], m.Current)
	}
}

// Log takes in what a vertex printed.
func (p *Progress) Log(m Log) {
	const enough = 4 * MaxLogLines * MaxLogLine
	v := p.vertices[m.Vertex]
	if v == nil {
		return
	}
	p.advance(fetch.PlausibleOrZero(m.Timestamp))
	v.log = append(v.log, m.Data...)
	if len(v.log) > 2*enough {
		v.log = append(v.log[:0], v.log[len(v.log)-enough:]...)
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
	for _, n := range v.bytes {
		if n > 0 && sum+n > 0 {
			sum += n
		}
	}
	return sum
}

// running tells whether the vertex had begun and not ended when the progress
// broke off.
func (v *vertex) running() bool { return v.open.After(v.ended) }

// neverStarted tells whether the vertex was only announced.
func (v *vertex) neverStarted() bool {
	return !v.cached && v.ended.IsZero() && v.open.IsZero()
}
