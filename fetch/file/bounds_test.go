package file

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch/boundjson"
	"github.com/buildregress/buildregress/fetch/builds"
	"github.com/buildregress/buildregress/fetch/builds/buildtest"
	"github.com/buildregress/buildregress/fetch/spans"
	"github.com/opencontainers/go-digest"
)

// TestManyInOne gives each decoder more than it may decode at once: two bytes
// of JSON can stand for some hundred bytes of memory.
func TestManyInOne(t *testing.T) {
	objects := strings.Repeat("{},", boundjson.MaxObjects) + "{}"
	spans := strings.Repeat("{},", spans.Max) + "{}"
	message := strings.Repeat("\x0a\x00", boundjson.MaxObjects+1) // field 1, empty
	for _, tt := range []struct{ name, data, want string }{
		{"steps", `{"id":"x","steps":[` + objects + `]}`, "line 1: more than 1000000 objects"},
		{"vertices", `{"vertexes":[` + objects + `]}`, "line 1: more than 1000000 objects"},
		{"OTLP", `{"resourceSpans":[{"scopeSpans":[{"spans":[` + objects + `]}]}]}`, "more than 1000000 objects"},
		{"OTLP spans", `{"resourceSpans":[{"scopeSpans":[{"spans":[` + spans + `]}]}]}`, "more than 200000 spans"},
		{"OTLP messages", "\x0a" + string(binary.AppendUvarint(nil, uint64(len(message)+5))) + // resource spans
			"\x0a" + string(binary.AppendUvarint(nil, uint64(len(message)))) + message, "looks like binary data"},
		{"Jaeger", `{"data":[{"spans":[` + objects + `]}]}`, "more than 1000000 objects"},
		{"Jaeger spans", `{"data":[{"spans":[` + spans + `]}]}`, "more than 200000 spans"},
		{"a stub", `[{"SpanContext":{},"Attributes":[` + objects + `]}]`, "more than 1000000 objects"},
		{"manifests", string(tarOf(map[string][]byte{"index.json": []byte(`{"manifests":[` + objects + `]}`)})), "index: more than 1000000 objects"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			list, _, err := Decode(t.Context(), "f", []byte(tt.data))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%d builds, error %v, want %q", len(list), err, tt.want)
			}
		})
	}
}

// TestManyBuilds checks that what is within the bounds of all files is kept.
func TestManyBuilds(t *testing.T) {
	const two = "{\"id\":\"1\",\"steps\":[]}\n{\"id\":\"2\",\"steps\":[]}\n"
	for _, d := range []*decoder{
		{ctx: t.Context(), left: MaxFile, builds: make([]timeline.Build, builds.MaxBuilds-1)},
		{ctx: t.Context(), left: MaxFile, builds: make([]timeline.Build, 1), entries: builds.MaxEntries - 1},
	} {
		one := `{"id":"0","steps":[{"name":"a","duration_seconds":1}]}` + "\n"
		before := len(d.builds)
		err := d.decode("f", zipOf(map[string][]byte{"a": []byte(one + one + two)}), 0)
		list, warnings, _ := d.partial(err)
		if len(list) != before+1 || len(warnings) != 1 || !errors.Is(warnings[0], errTooMany) {
			t.Errorf("%d builds more, warnings %v; want one, and a warning", len(list)-before, warnings)
		}
	}
}

func TestUnpackBound(t *testing.T) {
	const most = 1 << 20
	content := make([]byte, most+1)
	for name, data := range map[string][]byte{"gzip": gzipOf(content), "zip": zipOf(map[string][]byte{"a": content})} {
		d := newDecoder(t.Context())
		d.left = most
		if err := d.decode("f", data, 0); !errors.Is(err, errUnpacked) || d.left != 0 {
			t.Errorf("%s: error %v, %d bytes left", name, err, d.left)
		}
	}
	// Members of an archive that share their bytes are unpacked until the first
	// that is too much, not one after the other.
	many := zipOf(map[string][]byte{"a": content})
	end := bytes.LastIndex(many, []byte("PK\x05\x06"))
	start := binary.LittleEndian.Uint32(many[end+16:])
	entry := many[start:end]
	var overlapping bytes.Buffer
	overlapping.Write(many[:start])
	overlapping.Write(bytes.Repeat(entry, 100))
	tail := bytes.Clone(many[end:])
	binary.LittleEndian.PutUint16(tail[8:], 100)
	binary.LittleEndian.PutUint16(tail[10:], 100)
	binary.LittleEndian.PutUint32(tail[12:], uint32(100*len(entry)))
	overlapping.Write(tail)
	d := newDecoder(t.Context())
	d.left = 2 * most
	if err := d.decode("f", overlapping.Bytes(), 0); !errors.Is(err, errUnpacked) {
		t.Errorf("error %v, want %v", err, errUnpacked)
	}
	// What is damaged at its end costs as much as what is not.
	damaged := gzipOf(content)
	damaged[len(damaged)-6] ^= 1
	d = newDecoder(t.Context())
	if err := d.decode("f", damaged, 0); err == nil || d.left != MaxFile-most-1 {
		t.Errorf("error %v, %d bytes left", err, d.left)
	}
}

// TestSharedBlobs makes indexes that name the same index a thousand times each,
// and a thousand records of one large blob.
func TestSharedBlobs(t *testing.T) {
	members := map[string][]byte{}
	put := func(data []byte) string {
		d := digest.FromBytes(data)
		members["blobs/sha256/"+d.Encoded()] = data
		return `"digest":"` + string(d) + `"`
	}
	list := func(entry string) []byte {
		return []byte(`{"manifests":[` + strings.Repeat(entry+",", 999) + entry + `]}`)
	}
	index := []byte(`{"manifests":[]}`)
	for range maxPacked {
		index = list(`{"mediaType":"application/vnd.oci.image.index.v1+json",` + put(index) + `}`)
	}
	members["index.json"] = index
	if _, _, err := Decode(t.Context(), "f", tarOf(members)); err == nil || !strings.Contains(err.Error(), "holds no build record") {
		t.Errorf("error %v", err)
	}
	l := newLayoutReader(members)
	blob := digest.FromString(`{"manifests":[]}`)
	l.left = 40
	for i := range 3 {
		if _, err := l.blob(blob); (err != nil) != (i == 2) {
			t.Errorf("reading %d of a blob: %v", i, err)
		}
	}
}

// endsAfter is a context that ends when it has been asked n times.
type endsAfter struct {
	context.Context
	n *int
}

func (c endsAfter) Err() error {
	if *c.n--; *c.n < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

// TestTimeout checks that no decoder goes on when its time is over.
func TestTimeout(t *testing.T) {
	progress := buildtest.Recording(t, "alpha/rawjson/001.jsonl.gz")
	var jaeger struct{ Data []json.RawMessage }
	if err := json.Unmarshal(buildtest.Recording(t, "alpha/jaeger/001.json.gz"), &jaeger); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"record":   buildtest.Recording(t, "alpha/dockerbuild/001.dockerbuild"),
		"zip":      zipOf(map[string][]byte{"a": progress, "b": progress}),
		"progress": progress,
		"OTLP":     buildtest.Recording(t, "alpha/otlp/001.json.gz"),
		"protobuf": buildtest.OTLPProto(t, buildtest.Recording(t, "alpha/otlp/001.json.gz")),
		"Jaeger":   buildtest.Recording(t, "alpha/jaeger/001.json.gz"),
		"stubs":    buildtest.SpanStubs(t, "alpha/dockerbuild/001.dockerbuild"),
		"builds":   []byte(`{"id":"x","steps":[]}`),
	} {
		for _, n := range []int{0, 1, 2, 5} {
			left := n
			builds, _, err := Decode(endsAfter{t.Context(), &left}, "f", data)
			if left >= 0 {
				continue // it was done before
			}
			if !errors.Is(err, context.DeadlineExceeded) || len(builds) > 0 {
				t.Errorf("%s, ended after %d: %d builds, error %v", name, n, len(builds), err)
			}
		}
	}
}
