package file

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/fetch/boundjson"
)

// What a program prints is kept by many in a shape of their own: each line in a string of
// JSON, as Docker, fluent-bit and others do, or behind words of the container runtime.
// Where a line was too long for them, it stands in several. What was printed is a file
// again.

// messageFields are the names of the string that holds a line, and who calls it so, the
// first that is there is it.
var messageFields = []string{
	"log",         // Docker's json-file, fluent-bit, fluentd
	"message",     // CloudWatch, Vector, Logstash, Datadog
	"line",        // Loki's logcli
	"MESSAGE",     // journald
	"textPayload", // Google Cloud
	"msg",         //
}

// criLine begins a line of Kubernetes' container runtimes: a time, the stream, and whether
// this is the end of the line (F) or a part of it (P).
var criLine = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d) (stdout|stderr) ([FP])(?::\S*)? `)

// unwrapped is what was printed, out of a log that wraps each line of it; ok is false if
// data is no such log, or holds nothing that is known.
func unwrapped(data []byte) (text []byte, ok bool) {
	const looks = 10 // lines at the beginning that may be another's
	n := 0
	for line := range bytes.Lines(data) {
		if n++; n > looks {
			break
		}
		if criLine.Match(line) {
			text = join(data, criPart)
		} else if _, is := jsonPart(line); is {
			text = joinJSON(data)
		}
		if text != nil {
			break
		}
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, false
	}
	return text, formatOf(text) != unknown || textHint(text) != nil
}

// A part is a line, or a part of one, that was wrapped.
type part struct {
	stream string
	text   []byte
	whole  bool // the line ends with it
	docker bool // as Docker writes it: it has the end of the line
}

// join puts lines together again, those of each stream by themselves: the parts of a line
// are those that come next from the same stream, and what is printed to another is
// another program's.
func join(data []byte, partOf func(line []byte) (part, bool)) []byte {
	type stream struct{ lines, open []byte }
	streams := map[string]*stream{}
	var order []*stream
	for line := range bytes.Lines(data) {
		p, ok := partOf(line)
		if !ok {
			p = part{text: line, whole: true}
		}
		s := streams[p.stream]
		if s == nil {
			if len(streams) == maxVoices {
				return nil // there are two
			}
			s = &stream{}
			streams[p.stream] = s
			order = append(order, s)
		}
		if !p.whole {
			s.open = append(s.open, p.text...)
			continue
		}
		s.lines = appendLine(append(s.lines, s.open...), p.text)
		s.open = s.open[:0]
	}
	out := make([]byte, 0, len(data))
	for _, s := range order {
		out = append(out, s.lines...)
		if len(s.open) > 0 {
			out = appendLine(out, s.open)
		}
	}
	return out
}

func appendLine(out, text []byte) []byte {
	return append(append(out, bytes.TrimRight(text, "\r\n")...), '\n')
}

func criPart(line []byte) (p part, ok bool) {
	m := criLine.FindSubmatch(line)
	if m == nil {
		return p, false
	}
	return part{stream: string(m[1]), text: bytes.TrimRight(line[len(m[0]):], "\r\n"), whole: m[2][0] == 'F'}, true
}

// joinJSON is join for lines that are objects. Docker's end with the end of the line, but
// for a part; others that call it so leave that away, and say by a tag whether it is one.
func joinJSON(data []byte) []byte {
	ends := false
	for line := range bytes.Lines(data) {
		if p, ok := jsonPart(line); ok && p.docker {
			ends = true
			break
		}
	}
	return join(data, func(line []byte) (part, bool) {
		p, ok := jsonPart(line)
		p.whole = p.whole && (!ends || p.docker)
		return p, ok
	})
}

// jsonPart is the string that a line wraps.
func jsonPart(line []byte) (p part, ok bool) {
	const longest = 4 << 20 // bytes; none of them keeps lines that are as long
	line = bytes.TrimSpace(line)
	if len(line) == 0 || len(line) > longest || line[0] != '{' || boundjson.Check(line) != nil || !json.Valid(line) {
		return p, false
	}
	found, rank := []byte(nil), len(messageFields)
	p.whole = true
	for name, value := range boundjson.Fields(line) {
		if value[0] != '"' {
			continue
		}
		if i := slices.Index(messageFields, name); i >= 0 && i < rank {
			found, rank = value, i
		}
		switch name {
		case "stream":
			p.stream = string(value)
		case "logtag", "_p": // of fluent-bit
			p.whole = string(value) != `"P"`
		}
	}
	if found == nil {
		return p, false
	}
	var text string
	if json.Unmarshal(found, &text) != nil {
		return p, false
	}
	p.text = []byte(text)
	p.docker = rank == 0 && p.stream != "" && strings.HasSuffix(text, "\n")
	return p, true
}

// holdsEvents tells whether events of a progress log or spans stand in strings of a
// document, where they are not looked for.
func holdsEvents(data []byte) bool {
	for _, event := range []string{`{\"vertexes\":`, `{\"resourceSpans\":`, `{""vertexes"":`} {
		if bytes.Contains(data, []byte(event)) {
			return true
		}
	}
	return false
}

// eventsHint says of a document that holds events in strings what it looks like.
func eventsHint(data []byte) hint {
	switch {
	case bytes.Contains(data, []byte(`{""`)):
		return hint{"a log as CSV", "give the messages alone, as text"}
	case bytes.Contains(data, []byte(`"values"`)) && bytes.Contains(data, []byte(`"stream"`)):
		return hint{"an answer of Loki", "give the lines alone: jq -r '.data.result[].values[][1]', or logcli query --output=raw"}
	case bytes.Contains(data, []byte(`"ingestionTime"`)) || bytes.Contains(data, []byte(`"logStreamName"`)) || bytes.Contains(data, []byte(`"logEvents"`)):
		return hint{"events of CloudWatch", "give the messages alone: jq -r '(.events // .logEvents)[].message'"}
	case bytes.Contains(data, []byte(`"resourceLogs"`)):
		return hint{"logs of OpenTelemetry", "give their bodies alone: jq -r '.resourceLogs[].scopeLogs[].logRecords[].body.stringValue'"}
	}
	return hint{"a log whose lines stand in strings of JSON", "give the lines alone, as jq -r prints strings"}
}
