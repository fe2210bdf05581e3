package spans

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/buildregress/buildregress/fetch"
)

const maxID = 64 // bytes, twice what an id has

// hexID is an id in lower case, "" if it is all zero, which means none.
func hexID(id string) string {
	id = strings.ToLower(strings.TrimSpace(id))
	if strings.Trim(id, "0") == "" {
		return ""
	}
	if strings.Trim(id, "0123456789abcdef") != "" {
		return fetch.Clean(id, maxID) // no id, but it may still tell spans apart
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

var idField = regexp.MustCompile(`"(traceId|spanId|parentSpanId|trace_id|span_id|parent_span_id)"\s*:\s*"([^"\\]*(?:\\/[^"\\]*)*)"`)

// hexIDs rewrites ids in base64, which Tempo and protojson write, as the hex
// that OTLP prescribes. No string of the document can be mistaken for a field:
// quotes inside of strings are escaped.
func hexIDs(document []byte) []byte {
	if m := idField.FindSubmatch(document); m == nil || isHexID(m[2]) {
		return document
	}
	return idField.ReplaceAllFunc(document, func(field []byte) []byte {
		m := idField.FindSubmatch(field)
		if isHexID(m[2]) {
			return field
		}
		id, err := base64.StdEncoding.DecodeString(string(bytes.ReplaceAll(m[2], []byte(`\/`), []byte("/"))))
		if err != nil {
			return field
		}
		return []byte(`"` + string(m[1]) + `":"` + hex.EncodeToString(id) + `"`)
	})
}

// isHexID tells whether an id is in hex. One of 16 or 8 bytes in base64 has 24
// or 12 digits.
func isHexID(id []byte) bool {
	_, err := hex.DecodeString(string(id))
	return err == nil && len(id) != 24 && len(id) != 12
}
