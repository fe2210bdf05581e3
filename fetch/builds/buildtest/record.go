package buildtest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"google.golang.org/protobuf/encoding/protowire"
)

// A Record is a build record to be made, as a builder exports it: one that no recorded
// build shows.
type Record struct {
	Ref        string
	Attributes map[string]string // of the frontend
	Start      time.Time
	Vertices   []Vertex
	Provenance any // as JSON; nil for none
}

// A Vertex ran from one second after the start of its build to another. Its digest is
// made of its name and its salt.
type Vertex struct {
	Name, Salt string
	From, To   float64
	Error      string
}

// Digest is that of v.
func (v *Vertex) Digest() string { return digest.FromString(v.Name + v.Salt).String() }

// File is the record as a file.
func (r *Record) File(t testing.TB) []byte {
	t.Helper()
	blobs := map[string][]byte{}
	put := func(data []byte, mediaType string) ocispec.Descriptor {
		d := digest.FromBytes(data)
		blobs[ocispec.ImageBlobsDir+"/sha256/"+d.Encoded()] = data
		return ocispec.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(data))}
	}
	putJSON := func(v any, mediaType string) ocispec.Descriptor {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return put(data, mediaType)
	}
	end := 0.0
	for _, v := range r.Vertices {
		end = max(end, v.To)
	}
	manifest := ocispec.Manifest{
		Config: putJSON(map[string]any{
			"Ref": r.Ref, "FrontendAttrs": r.Attributes, "CreatedAt": r.Start, "CompletedAt": r.at(end),
		}, "application/vnd.buildkit.historyrecord.v0"),
		Layers: []ocispec.Descriptor{put(r.status(), "application/vnd.buildkit.status.v0")},
	}
	if r.Provenance != nil {
		manifest.Layers = append(manifest.Layers, putJSON(r.Provenance, "application/vnd.in-toto+json"))
	}
	index := ocispec.Index{Manifests: []ocispec.Descriptor{putJSON(manifest, ocispec.MediaTypeImageManifest)}}
	blobs[ocispec.ImageIndexFile], _ = json.Marshal(index)
	return pack(t, blobs)
}

func (r *Record) at(seconds float64) time.Time {
	return r.Start.Add(time.Duration(seconds * float64(time.Second)))
}

// status is BuildKit's StatusResponse, behind its length.
func (r *Record) status() []byte {
	field := func(to []byte, n protowire.Number, value []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(to, n, protowire.BytesType), value)
	}
	instant := func(at time.Time) (b []byte) {
		b = protowire.AppendVarint(protowire.AppendTag(b, 1, protowire.VarintType), uint64(at.Unix()))
		return protowire.AppendVarint(protowire.AppendTag(b, 2, protowire.VarintType), uint64(at.Nanosecond()))
	}
	var message []byte
	for i, v := range r.Vertices {
		vertex := field(nil, 1, []byte(v.Digest()))
		if i > 0 {
			vertex = field(vertex, 2, []byte(r.Vertices[i-1].Digest()))
		}
		vertex = field(vertex, 3, []byte(v.Name))
		vertex = field(vertex, 5, instant(r.at(v.From)))
		vertex = field(vertex, 6, instant(r.at(v.To)))
		if v.Error != "" {
			vertex = field(vertex, 7, []byte(v.Error))
		}
		message = field(message, 1, vertex)
	}
	return append(binary.LittleEndian.AppendUint32(nil, uint32(len(message))), message...)
}

// pack makes a compressed tar of files.
func pack(t testing.TB, files map[string][]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	for name, data := range files {
		err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(data)), Mode: 0o644})
		if err == nil {
			_, err = w.Write(data)
		}
		if err != nil {
			t.Fatal(fmt.Errorf("%s: %w", name, err))
		}
	}
	for _, close := range []func() error{w.Close, z.Close} {
		if err := close(); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}
