package file

import (
	"context"
	"fmt"
	"strings"

	"github.com/buildregress/buildregress/fetch/boundjson"
	"github.com/buildregress/buildregress/fetch/buildkit"
)

// Spans reads the spans of traces. Its zero value keeps of their attributes what
// builds are made of.
type Spans struct {
	Keep buildkit.Keep // in addition
}

// ErrTooManySpans is the error of a trace that is larger than any real build's.
var ErrTooManySpans = fmt.Errorf("more than %d spans", MaxSpans)

// spans reads a trace file of one of the formats.
func (d *decoder) spans(name string, data []byte, decode func(context.Context, []byte) ([]buildkit.Span, error)) error {
	spans, err := decode(d.ctx, data)
	if err != nil && len(spans) == 0 {
		return err
	}
	if err != nil {
		d.warn(name, err)
	}
	builds, warnings := buildkit.Builds(spans)
	return d.add(name, builds, warnings)
}

// eachJSON calls f with each of the JSON values that follow each other in data.
func eachJSON(ctx context.Context, data []byte, f func(value []byte) error) error {
	for value, err := range boundjson.Values(data) {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = f(value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

const maxID = 64 // bytes, twice what an id has

// hexID is an id in lower case, "" if it is all zero, which means none.
func hexID(id string) string {
	id = strings.ToLower(strings.TrimSpace(id))
	if strings.Trim(id, "0") == "" {
		return ""
	}
	if strings.Trim(id, "0123456789abcdef") != "" {
		return buildkit.Clean(id, maxID) // no id, but it may still tell spans apart
	}
	return id[:min(len(id), maxID)]
}

// traceID is a trace's id with the zeros that some tools leave out.
func traceID(id string) string {
	id = hexID(id)
	if id == "" || len(id) >= 32 {
		return id
	}
	return strings.Repeat("0", 32-len(id)) + id
}
