package file

import (
	_ "crypto/sha256" // for digests
	_ "crypto/sha512"
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/buildregress/buildregress/fetch/boundjson"
)

// Media types of what a build record is made of.
const (
	typeRecord    = "application/vnd.buildkit.historyrecord.v0"
	typeTrace     = "application/vnd.buildkit.otlp.json.v0"
	typeStatus    = "application/vnd.buildkit.status.v0"
	typeInToto    = "application/vnd.in-toto+json"
	typeRPCStatus = "application/vnd.googeapis.google.rpc.status+proto" // spelt so
)

const maxRecords = 1000 // in one layout; a builder keeps 50

// layout reads the build records of an OCI image layout.
func (d *decoder) layout(name string, members map[string][]byte) error {
	index, ok := members[ocispec.ImageIndexFile]
	if !ok {
		return decodeError(name, fmt.Errorf("has no %s: a tar, but no build record", ocispec.ImageIndexFile))
	}
	l := newLayoutReader(members)
	if err := l.walkIndex(index, 0); err != nil {
		return decodeError(name, err)
	}
	good, err := d.members(name, len(l.records), func(i int) error { return d.record(name, l, l.records[i]) })
	if err == nil && good == 0 {
		return decodeError(name, errors.New("holds no build record: an image, perhaps?"))
	}
	return err
}

// A layoutReader finds blobs by their digest, and checks it.
type layoutReader struct {
	members map[string][]byte
	records []ocispec.Manifest
	walked  map[digest.Digest]bool // indexes and manifests: none is looked at twice
	left    int                    // bytes of blobs that may yet be read
}

// newLayoutReader allows blobs to be read as often as no file would be large
// enough for: many records may name one large blob, each to decode it anew.
func newLayoutReader(members map[string][]byte) *layoutReader {
	return &layoutReader{members: members, walked: map[digest.Digest]bool{}, left: 2 * MaxFile}
}

// walkIndex gathers the manifests of build records in an index, and in those in
// it: several builds are an index in the index.
func (l *layoutReader) walkIndex(data []byte, depth int) error {
	var index ocispec.Index
	if err := boundjson.Unmarshal(data, &index); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	if depth > maxPacked || len(index.Manifests) > maxRecords {
		return fmt.Errorf("index: more than %d records, or %d indexes in each other", maxRecords, maxPacked)
	}
	for _, m := range index.Manifests {
		if l.walked[m.Digest] {
			continue
		}
		l.walked[m.Digest] = true
		blob, err := l.blob(m.Digest)
		if err != nil {
			return fmt.Errorf("manifest: %w", err)
		}
		if m.MediaType == ocispec.MediaTypeImageIndex {
			if err := l.walkIndex(blob, depth+1); err != nil {
				return err
			}
			continue
		}
		var manifest ocispec.Manifest
		if err := boundjson.Unmarshal(blob, &manifest); err != nil {
			return fmt.Errorf("manifest: %w", err)
		}
		if manifest.Config.MediaType != typeRecord {
			continue
		}
		if len(l.records) == maxRecords {
			return fmt.Errorf("index: more than %d records", maxRecords)
		}
		l.records = append(l.records, manifest)
	}
	return nil
}

// blob finds the content with this digest.
func (l *layoutReader) blob(d digest.Digest) ([]byte, error) {
	if err := d.Validate(); err != nil {
		return nil, fmt.Errorf("digest %.80q: %w", string(d), err)
	}
	data, ok := l.members[ocispec.ImageBlobsDir+"/"+d.Algorithm().String()+"/"+d.Encoded()]
	if !ok {
		return nil, fmt.Errorf("blob %s is missing", short(d))
	}
	if l.left -= len(data); l.left < 0 {
		return nil, fmt.Errorf("blob %s is one too much: they are more than %d MiB, counted each time", short(d), 2*MaxFile>>20)
	}
	if d.Algorithm().FromBytes(data) != d {
		return nil, fmt.Errorf("blob %s is damaged: it does not match its digest", short(d))
	}
	return data, nil
}

func short(d digest.Digest) string {
	return string(d.Algorithm()) + ":" + d.Encoded()[:12]
}

// layers finds the blobs of a media type, in order.
func (l *layoutReader) layers(m ocispec.Manifest, mediaType string) ([][]byte, error) {
	const most = 100 // one for each platform, at most
	var blobs [][]byte
	for _, d := range m.Layers {
		if d.MediaType != mediaType || len(blobs) == most {
			continue
		}
		blob, err := l.blob(d.Digest)
		if err != nil {
			return blobs, err
		}
		blobs = append(blobs, blob)
	}
	return blobs, nil
}

// layer finds the first blob of a media type, nil if there is none.
func (l *layoutReader) layer(m ocispec.Manifest, mediaType string) ([]byte, error) {
	blobs, err := l.layers(m, mediaType)
	if len(blobs) == 0 {
		return nil, err
	}
	return blobs[0], nil
}
