package file

import (
	"fmt"
	"path"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/buildregress/buildregress/fetch/boundjson"
	"github.com/buildregress/buildregress/fetch/buildkit"
)

// failure fills in which vertex failed and where it stands: in the details of
// the record's error, or in a blob of its own in newer records. A failed build
// has no provenance. Details that cannot be read are worth a warning only where
// the record does not say in words why it failed.
func (d *decoder) failure(name string, l *layoutReader, m ocispec.Manifest, r *historyRecord, meta *buildkit.Metadata) {
	if r.Error == nil {
		return
	}
	details := map[string][]byte{}
	for _, detail := range r.Error.Details {
		details[detail.TypeURL] = detail.Value
	}
	blob, err := l.layer(m, typeRPCStatus)
	if err == nil {
		err = rpcDetails(blob, details)
	}
	if bad := readDetails(details, meta); err == nil {
		err = bad
	}
	if err != nil && r.Error.Message == "" {
		d.warn(name, fmt.Errorf("details of its failure: %w", err))
	}
}

// rpcDetails takes the details out of a google.rpc.Status.
func rpcDetails(blob []byte, details map[string][]byte) error {
	return eachField(blob, func(number protowire.Number, value []byte, _ uint64) error {
		if number != 3 {
			return nil
		}
		var kind string
		var content []byte
		err := eachField(value, func(number protowire.Number, value []byte, _ uint64) error {
			switch number {
			case 1:
				kind = string(value)
			case 2:
				content = value
			}
			return nil
		})
		details[kind] = content
		return err
	})
}

// readDetails takes in the details that it can read, and returns what is wrong
// with another.
func readDetails(details map[string][]byte, meta *buildkit.Metadata) (bad error) {
	var vertex struct {
		Digest string `json:"digest"`
	}
	var source struct {
		Info   sourceInfo    `json:"info"`
		Ranges []sourceRange `json:"ranges"`
	}
	for kind, content := range details {
		var into any
		switch path.Base(kind) {
		case "errdefs.Vertex+json":
			into = &vertex
		case "errdefs.Source+json":
			into = &source
		default:
			continue
		}
		if err := boundjson.Unmarshal(content, into); err != nil {
			bad = err
		}
	}
	meta.FailedAt = vertex.Digest
	file := newDockerfile(source.Info, path.Dir(meta.Dockerfile))
	at, ok := file.instruction(source.Ranges)
	switch {
	case ok && !strings.Contains(meta.FailedAt, ":"): // it cannot be read
		meta.FailedIn = fmt.Sprintf("%s:%d", at.Position.File, at.Position.Line)
	case ok:
		if meta.Instructions == nil {
			meta.Instructions = map[string]buildkit.Instruction{}
		}
		meta.Instructions[meta.FailedAt] = at
	}
	return bad
}
