package file

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/buildregress/buildregress/fetch/boundjson"
	"github.com/buildregress/buildregress/fetch/spans"
)

// What a file holds shows in its first bytes, or in the names of the fields of its
// first object: its own name says nothing. An archive's members are files again.

// A format is what a file holds.
type format int

const (
	unknown format = iota
	gzipped
	zipped
	tarred
	zstandard
	packedFrames
	progressLog
	otlpJSON
	otlpProto
	otlpFrames
	jaegerJSON
	spanStubs
	buildsFile
)

// decode reads data of whatever format; depth counts the archives around it.
func (d *decoder) decode(name string, data []byte, depth int) error {
	if depth > maxPacked {
		return decodeError(name, fmt.Errorf("more than %d archives in each other", maxPacked))
	}
	if text, ok, err := fromUTF16(data); ok {
		if err != nil {
			return decodeError(name, err)
		}
		data = text
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if len(bytes.TrimSpace(data)) == 0 {
		return decodeError(name, errors.New("the file is empty"))
	}
	if err := d.ctx.Err(); err != nil {
		return err
	}
	if text, ok := unwrapped(data); ok {
		return d.decode(name, text, depth+1)
	}
	var err error
	before := len(d.builds)
	switch formatOf(data) {
	case gzipped:
		return d.gunzip(name, data, depth)
	case zipped:
		return d.unzip(name, data, depth)
	case tarred:
		return d.untar(name, data)
	case zstandard:
		return d.unzstd(name, data, depth)
	case packedFrames:
		err = d.packedFrames(name, data)
	case progressLog:
		err = d.progressLog(name, data)
	case otlpJSON:
		err = d.trace(name, data, spans.Decoder{}.OTLPJSON)
	case otlpProto:
		err = d.trace(name, data, spans.Decoder{}.OTLPProto)
	case otlpFrames:
		err = d.trace(name, data, spans.Decoder{}.OTLPFrames)
	case jaegerJSON:
		err = d.trace(name, data, spans.Decoder{}.Jaeger)
	case spanStubs:
		err = d.trace(name, data, spans.Stubs)
	case buildsFile:
		err = d.buildsFile(name, data)
	default:
		err = unsupported(name, data)
	}
	if len(d.builds) == before && !d.isFatal(err) && holdsEvents(data) {
		err = eventsHint(data).error()
	}
	if err != nil {
		return decodeError(name, err)
	}
	return nil
}

// formatOf recognises a format by its first bytes, or by the names of the first
// fields in it.
func formatOf(data []byte) format {
	switch {
	case bytes.HasPrefix(data, []byte("\x1f\x8b")):
		return gzipped
	case bytes.HasPrefix(data, []byte("PK\x03\x04")), bytes.HasPrefix(data, []byte("PK\x05\x06")):
		return zipped
	case len(data) > 262 && string(data[257:262]) == "ustar":
		return tarred
	case isZstd(data):
		return zstandard
	case isPackedFrames(data):
		return packedFrames
	case isProgress(data):
		return progressLog
	}
	start := bytes.TrimLeft(data, " \t\r\n")
	if start[0] == '{' || start[0] == '[' {
		if f := formatOfJSON(start); f != unknown {
			return f
		}
	}
	if spans.IsOTLPProto(data) {
		return otlpProto
	}
	if spans.IsOTLPFrames(data) {
		return otlpFrames
	}
	return unknown
}

// fields tell formats apart: no two formats share one at the top.
var fields = map[string]format{
	"resourceSpans": otlpJSON, "resource_spans": otlpJSON, "result": otlpJSON, "batches": otlpJSON, "trace": otlpJSON,
	"scopeSpans": otlpJSON, "scope_spans": otlpJSON, "instrumentationLibrarySpans": otlpJSON, "instrumentation_library_spans": otlpJSON,
	"resourceMetrics": otlpJSON, "resourceLogs": otlpJSON, // what a collector writes into the same file
	"data": jaegerJSON, "traceID": jaegerJSON, "spans": jaegerJSON, "processes": jaegerJSON,
	"SpanContext": spanStubs, "Parent": spanStubs, "StartTime": spanStubs, "SpanKind": spanStubs,
	"vertexes": progressLog, "statuses": progressLog, "logs": progressLog, "warnings": progressLog,
	"steps": buildsFile, "duration_seconds": buildsFile, "outcome": buildsFile, "pipeline": buildsFile,
}

// formatOfJSON looks at the fields of the first object. It reads no more of it
// than it must: the first field is often the whole file.
func formatOfJSON(data []byte) format {
	depth, key := 0, true
	opened := 0 // depth of the first object
	for i := 0; i < len(data); i++ {
		switch c := data[i]; c {
		case '{', '[':
			depth++
			switch {
			case opened > 0:
			case c == '{':
				opened, key = depth, true
			case depth > 1:
				return unknown // no format is a list of lists
			}
		case '}', ']':
			depth--
			if opened > 0 && depth < opened {
				return unknown
			}
		case ',':
			key = true
		case ':':
			key = false
		case '"':
			end := boundjson.Closing(data, i)
			if end < 0 {
				return unknown
			}
			if key && depth == opened && opened > 0 {
				if f, ok := fields[string(data[i+1:end])]; ok {
					return f
				}
			}
			i = end
		}
	}
	return unknown
}
