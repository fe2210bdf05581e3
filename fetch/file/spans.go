package file

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/buildregress/buildregress/fetch/buildkit"
)

var errTooManySpans = fmt.Errorf("more than %d spans", MaxSpans)

// spans reads a trace file of one of the formats.
func (d *decoder) spans(name string, data []byte, decode func([]byte) ([]buildkit.Span, error)) error {
	spans, err := decode(data)
	if err != nil && len(spans) == 0 {
		return err
	}
	if err != nil {
		d.warn(name, err)
	}
	builds, warnings := buildkit.Builds(spans)
	d.add(name, builds, warnings)
	return nil
}

// eachJSON calls f with each of the JSON values that follow each other in data.
func eachJSON(data []byte, f func(json.RawMessage) error) error {
	if err := checkNesting(data); err != nil {
		return err
	}
	values := json.NewDecoder(bytes.NewReader(data))
	for {
		var value json.RawMessage
		err := values.Decode(&value)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = f(value)
		} else {
			err = jsonError(err)
		}
		if err != nil {
			return err
		}
	}
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
