package file

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/fetch/boundjson"
	"github.com/buildregress/buildregress/fetch/buildkit"
)

// A progressLine is one event of --progress=rawjson.
type progressLine struct {
	Vertices []buildkit.Vertex  `json:"vertexes"`
	Statuses []buildkit.Status  `json:"statuses"`
	Logs     []buildkit.Log     `json:"logs"`
	Warnings []buildkit.Warning `json:"warnings"`
}

// Bounds of one log.
const (
	maxVoices  = 100 // services that build
	maxResyncs = 10  // beginnings of an event that are tried in a damaged line
)

// A logReader reads the builds in a log: those that follow each other, and those
// that several services make at the same time.
type logReader struct {
	d        *decoder
	name     string
	voices   map[string]*logBuild
	order    []*logBuild
	builds   int
	events   int
	bad      int   // events that were left
	firstBad error // and why the first of them
	// damaged is the last event that could not be read, until the next comes: at the
	// end of a log it is one that was cut.
	damaged   []byte
	damagedOf *logBuild
}

// A logBuild is what a log has told of one build so far, or of those of a bake.
type logBuild struct {
	progress buildkit.Progress
	front    string           // what stands in front of its lines, beside a time and a service
	err      string           // the builder's own
	between  buildkit.Between // since the last event
	apart    bool             // something that is not the builder's came since then
	excerpt  bool             // in what the builder shows of the step that failed
	heading  string           // the line before, if it may be one of an excerpt of a Dockerfile
	failedIn string           // where in a Dockerfile it failed, as the first such excerpt says
	troubled *bool            // whether a vertex has failed or has no end; nil if not asked yet
}

// progressLog reads the output of --progress=rawjson, which is not JSON alone: buildx
// prints warnings before it and the reason of a failure after it, and in the log of a
// CI system it is a part of all that a job prints.
func (d *decoder) progressLog(name string, data []byte) error {
	r := logReader{d: d, name: name, voices: map[string]*logBuild{}}
	n := 0
	for line := range bytes.Lines(data) {
		if err := d.ctx.Err(); err != nil {
			return err
		}
		n++
		if err := r.line(n, bytes.TrimRight(line, "\r\n")); err != nil {
			return err
		}
	}
	if bytes.HasSuffix(r.damaged, []byte("}")) {
		r.settleDamage()
	}
	for _, b := range r.order {
		if err := r.flush(b); err != nil {
			return err
		}
	}
	return r.problems()
}

// problems tells of what could not be read: an error if nothing could.
func (r *logReader) problems() error {
	switch {
	case r.builds == 0 && r.firstBad != nil:
		return r.firstBad
	case r.events == 0:
		return errLaidOut
	case r.builds == 0:
		return errors.New("no vertex in it")
	case r.bad == 1:
		r.d.warn(r.name, r.firstBad)
	case r.bad > 1:
		r.d.warn(r.name, fmt.Errorf("%w (and %d more lines like it)", r.firstBad, r.bad-1))
	}
	return nil
}

// line reads line n of the log.
func (r *logReader) line(n int, line []byte) error {
	at := nextEvent(line)
	if at < 0 {
		r.text(n, line)
		return nil
	}
	b := r.voice(line[:at])
	if b == nil {
		r.leave(fmt.Errorf("line %d: more than %d services build", n, maxVoices))
		return nil
	}
	for tried := 0; at >= 0 && tried <= maxResyncs; {
		line = line[at:]
		value := boundjson.First(line)
		r.events++
		if fault := r.event(b, value); fault != nil {
			if errors.Is(fault, errTooMany) || r.d.ctx.Err() != nil {
				return fault
			}
			r.damage(b, n, value, fault)
			tried++
			if len(value) == len(line) {
				value = value[:2] // it has no end: the next may begin in it
			}
		}
		line = line[len(value):]
		at = nextEvent(line)
	}
	return nil
}

// voice is the build that a service is at, by what stands in front of an event. What is
// no service was written by the CI system, or by somebody else to the same terminal. It
// is nil for more services than are told apart.
func (r *logReader) voice(text []byte) *logBuild {
	name, front := bare(string(text))
	if r.voices[name] == nil && strings.TrimSpace(front) != "" {
		name = ""
	}
	b := r.voices[name]
	if b == nil && len(r.order) == maxVoices {
		return nil
	}
	if b == nil {
		b = &logBuild{}
		r.voices[name] = b
		r.order = append(r.order, b)
	}
	b.front = front
	return b
}

// damage notes an event of b that could not be read.
func (r *logReader) damage(b *logBuild, n int, event []byte, fault error) {
	r.settleDamage()
	r.damaged, r.damagedOf = event, b
	r.leave(fmt.Errorf("line %d: %w", n, fault))
}

// leave notes that an event was left for this reason.
func (r *logReader) leave(reason error) {
	if r.bad++; r.firstBad == nil {
		r.firstBad = reason
	}
}

// settleDamage hands the last damaged event on: more came after it.
func (r *logReader) settleDamage() {
	if r.damagedOf != nil {
		r.damagedOf.progress.Damaged(r.damaged)
		r.damaged, r.damagedOf = nil, nil
	}
}

// event takes in an event of b.
func (r *logReader) event(b *logBuild, data []byte) error {
	var event progressLine
	if err := boundjson.Unmarshal(data, &event); err != nil {
		return err
	}
	r.settleDamage()
	for _, v := range event.Vertices {
		if !isDigest(v.Digest) {
			return errors.New("vertex without a digest")
		}
		if b.progress.IsNext(v, b.between) {
			if err := r.flush(b); err != nil {
				return err
			}
			*b = logBuild{front: b.front}
		}
		if err := b.progress.Vertex(v); err != nil {
			return err
		}
		b.between, b.apart, b.excerpt, b.troubled = buildkit.Nothing, false, false, nil
		b.heading, b.failedIn = "", ""
	}
	for _, s := range event.Statuses {
		if !isDigest(s.Vertex) {
			return errors.New("status without a vertex")
		}
		b.progress.Status(s)
	}
	for _, l := range event.Logs {
		b.progress.Log(l)
	}
	for _, w := range event.Warnings {
		b.progress.Warning(w)
	}
	return nil
}

// isDigest tells whether a digest is whole. What another program wrote into the middle
// of one leaves JSON that is sound.
func isDigest(digest string) bool {
	return digest != "" && !strings.ContainsFunc(digest, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune(":+._-", r)
	})
}

// What is left of an event whose beginning is gone: the digest in it, or, where that
// is gone too, the times.
var (
	eventDigest = regexp.MustCompile(`"(?:digest|vertex)":\s*"sha256:[0-9a-f]{64}".*"(?:started|completed)":`)
	eventTime   = regexp.MustCompile(`"(?:started|completed)":\s*"\d{4}-\d\d-\d\dT`)
)

func isEventPart(text string) bool {
	if !strings.Contains(text, `ed":`) { // most lines need no more than a glance
		return false
	}
	return eventDigest.MatchString(text) || eventTime.MatchString(text) && !json.Valid([]byte(text))
}

// text takes in a line that is no event.
func (r *logReader) text(n int, line []byte) {
	if len(r.order) == 0 {
		return
	}
	const longest = 64 << 10 // bytes of a line that somebody wrote
	voice, text := bare(string(line[:min(len(line), longest)]))
	b := r.voices[voice]
	if b == nil {
		// It may be a line in which a bar means nothing.
		if b = r.voices[""]; b == nil {
			return
		}
		text = voice + " | " + text
	}
	text = withoutTime(afterFront(text, b.front))
	if isEventPart(text) {
		r.damage(b, n, line, errors.New("part of an event, without its beginning"))
		return
	}
	b.text(text)
}

// text takes in a line that stands between the events of a build. The builder's error
// comes at once after them; where they tell that something went wrong, and where it is that
// which a step failed with, others may have written before it.
func (b *logBuild) text(line string) {
	if b.between == buildkit.EndOfAll {
		return
	}
	if message := builderError(line); message != "" && (!b.apart || b.isTroubled() || b.progress.IsError(message)) {
		b.err, b.between = message, buildkit.EndOfAll
		return
	}
	if b.apart {
		return
	}
	if line == dockerfileRule && b.failedIn == "" {
		b.failedIn = b.heading
	}
	if b.heading = ""; dockerfilePlace.MatchString(line) {
		b.heading = line
	}
	if line == "------" {
		b.excerpt = !b.excerpt
	}
	if !b.excerpt && !builderLine.MatchString(line) {
		b.apart, b.between = true, buildkit.Text
	}
}

func (b *logBuild) isTroubled() bool {
	if b.troubled == nil {
		troubled := b.progress.Troubled()
		b.troubled = &troubled
	}
	return *b.troubled
}

// flush adds what was told of b to what was read.
func (r *logReader) flush(b *logBuild) error {
	if b.progress.Empty() {
		return nil
	}
	builds, warnings := b.progress.Builds(buildkit.Metadata{Error: b.err, FailedIn: b.failedIn, Cancelled: strings.HasSuffix(b.err, "context canceled")})
	r.builds += len(builds)
	return r.d.add(r.name, slices.DeleteFunc(builds, r.d.isKnownLog), warnings)
}
