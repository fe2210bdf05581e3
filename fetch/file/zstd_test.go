package file

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/buildregress/buildregress/fetch/builds/buildtest"
)

func zstdOf(tb testing.TB, data []byte, options ...zstd.EOption) []byte {
	tb.Helper()
	w, err := zstd.NewWriter(nil, append(options, zstd.WithEncoderConcurrency(1))...)
	if err != nil {
		tb.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll(data, nil)
}

// packedFramesOf is what the collector's file exporter writes with compression.
func packedFramesOf(tb testing.TB, messages ...[]byte) (frames []byte) {
	tb.Helper()
	for _, m := range messages {
		packed := zstdOf(tb, m)
		frames = binary.BigEndian.AppendUint32(frames, uint32(len(packed)))
		frames = append(frames, packed...)
	}
	return frames
}

// What is compressed is read as if it were not.
func TestZstd(t *testing.T) {
	document := buildtest.Recording(t, "alpha/otlp/001.json.gz")
	log := buildtest.Recording(t, "alpha/rawjson/001.jsonl.gz")
	other := []byte(`{"resourceMetrics":[{"scopeMetrics":[]}]}`)
	traces, builds := open(t, "alpha/otlp/001.json.gz"), open(t, "alpha/rawjson/001.jsonl.gz")
	skippable := append([]byte("\x50\x2a\x4d\x18\x03\x00\x00\x00abc"), zstdOf(t, log)...)
	half := len(log) / 2
	for name, test := range map[string]struct {
		data []byte
		want any
	}{
		"a log":                             {zstdOf(t, log), builds},
		"a log in two frames":               {append(zstdOf(t, log[:half]), zstdOf(t, log[half:])...), builds},
		"a log behind a frame to skip":      {skippable, builds},
		"a log, gzipped as well":            {gzipOf(zstdOf(t, log)), builds},
		"a trace":                           {zstdOf(t, document), traces},
		"a record":                          {zstdOf(t, buildtest.Recording(t, "alpha/dockerbuild/001.dockerbuild")), open(t, "alpha/dockerbuild/001.dockerbuild")},
		"the collector's JSON":              {packedFramesOf(t, other, document, other), traces},
		"the collector's protobuf":          {packedFramesOf(t, buildtest.OTLPProto(t, document)), traces},
		"the collector's, compressed again": {zstdOf(t, packedFramesOf(t, document)), traces},
	} {
		got, warnings, err := Decode(t.Context(), "f", test.data)
		if diff := cmp.Diff(test.want, any(got)); diff != "" || len(warnings) > 0 || err != nil {
			t.Errorf("%s: warnings %v, error %v, (-want +got):\n%s", name, warnings, err, diff)
		}
	}
}

// Of messages that are compressed one by one, a damaged one costs none of the others.
func TestZstdDamaged(t *testing.T) {
	document := buildtest.Recording(t, "alpha/otlp/001.json.gz")
	good := packedFramesOf(t, document)
	bad := slices.Clone(good)
	bad[len(bad)/2] ^= 0xff
	for name, data := range map[string][]byte{"damaged": slices.Concat(good, bad), "cut": slices.Concat(good, good[:len(good)/2])} {
		got, warnings, err := Decode(t.Context(), "f", data)
		if len(got) != 1 || err != nil || len(warnings) != 1 || !strings.Contains(warnings[0].Error(), "message 2: zstd: ") {
			t.Errorf("%s: %d builds, warnings %v, error %v", name, len(got), warnings, err)
		}
	}
	if got, _, err := Decode(t.Context(), "f", bad); len(got) > 0 || err == nil || !strings.Contains(err.Error(), "message 1: zstd: ") {
		t.Errorf("%d builds, error %v", len(got), err)
	}
}

// A bomb unpacks no further than all else, and no file makes a decoder take more memory
// than its bound.
func TestZstdBounds(t *testing.T) {
	const most = 1 << 20
	content := make([]byte, most+1)
	for name, data := range map[string][]byte{"a file": zstdOf(t, content), "messages": packedFramesOf(t, content[:most/2], content[:most/2], content[:2])} {
		d := newDecoder(t.Context())
		d.left = most
		if err := d.decode("f", data, 0); !errors.Is(err, errUnpacked) || d.left != 0 {
			t.Errorf("%s: error %v, %d bytes left", name, err, d.left)
		}
	}
	// The header of a frame whose window is 1 GiB, and a block behind it.
	const window = 20 << 3 // 2^(10+20) bytes
	wide := []byte("\x28\xb5\x2f\xfd\x00")
	wide = append(wide, window, 0x01, 0x00, 0x00)
	if _, _, err := Decode(t.Context(), "f", wide); err == nil || !strings.Contains(err.Error(), "more than 128 MiB of memory") {
		t.Errorf("a window of 1 GiB: %v", err)
	}
	if !bytes.HasPrefix(wide, []byte(zstdMagic)) {
		t.Error("it is no zstd")
	}
}
