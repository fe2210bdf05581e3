package file

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"strings"
	"testing"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch/buildkit"
	"github.com/buildregress/buildregress/fetch/builds/buildtest"
)

// fuzz runs a decoder: it must not panic, and what it returns must hold.
func fuzz(f *testing.F, decode func(d *decoder, data []byte) error, seeds ...[]byte) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d := &decoder{ctx: t.Context(), left: 16 << 20} // what is fuzzed is small, and so may be what it unpacks to
		_ = decode(d, data)
		for i := range d.builds {
			if err := buildtest.Check(&d.builds[i]); err != nil {
				t.Error(err)
			}
		}
	})
}

// lines are some of the lines of a recording.
func lines(data []byte, from, to int) []byte {
	all := bytes.SplitAfter(data, []byte("\n"))
	return bytes.Join(all[min(from, len(all)):min(to, len(all))], nil)
}

func FuzzRawJSON(f *testing.F) {
	fuzz(f, func(d *decoder, data []byte) error { return d.progressLog("f", data) },
		lines(buildtest.Recording(f, "alpha/rawjson/049.jsonl.gz"), 20, 30), lines(buildtest.Recording(f, "beta/rawjson/bake-two.jsonl.gz"), 0, 10),
		lines(buildtest.Recording(f, "beta/rawjson/push.jsonl.gz"), 40, 60), []byte("{}\nERROR: target a: failed to solve: b"))
}

// FuzzLog fuzzes what CI systems and others add to a progress log.
func FuzzLog(f *testing.F) {
	log := string(lines(buildtest.Recording(f, "beta/rawjson/push.jsonl.gz"), 36, 44))
	seeds := [][]byte{[]byte(log[:len(log)/2] + "Uploading 45%" + log[len(log)/2:]), []byte(log + "ERROR: failed to solve: x\n" + log)}
	for _, data := range handedOut(log) {
		if len(data) < 32<<10 {
			seeds = append(seeds, data)
		}
	}
	fuzz(f, func(d *decoder, data []byte) error { return d.progressLog("f", data) }, seeds...)
}

// FuzzWrapped fuzzes logs that keep what was printed in a shape of their own.
func FuzzWrapped(f *testing.F) {
	log := string(lines(buildtest.Recording(f, "beta/rawjson/failed.jsonl.gz"), 36, 40))
	var seeds [][]byte
	for _, data := range wrappedLogs(log) {
		seeds = append(seeds, data)
	}
	fuzz(f, func(d *decoder, data []byte) error {
		if text, ok := unwrapped(data); ok {
			return d.decode("f", text, 1)
		}
		_ = eventsHint(data)
		return nil
	}, seeds...)
}

// FuzzZstd fuzzes the compression, and what is in it, in the messages of a collector.
func FuzzZstd(f *testing.F) {
	log := lines(buildtest.Recording(f, "beta/rawjson/push.jsonl.gz"), 36, 40)
	f.Add(log, true)
	f.Add([]byte(`{"resourceSpans":[]}`), false)
	f.Add([]byte("\x0a\x00"), false)
	f.Fuzz(func(t *testing.T, data []byte, whole bool) {
		for _, packed := range [][]byte{data, zstdOf(t, data)} {
			d := &decoder{ctx: t.Context(), left: 16 << 20}
			if whole {
				_ = d.unzstd("f", packed, 0)
				continue
			}
			_ = d.packedFrames("f", packed)
			_ = d.packedFrames("f", packedFramesOf(t, data, data))
		}
	})
}

// FuzzUTF16 makes text into UTF-16 and back.
func FuzzUTF16(f *testing.F) {
	for _, seed := range []string{"{\"vertexes\":[]}", "\u00e4\U0001f642\r\n", ""} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, text string, little bool) {
		text = strings.ToValidUTF8(text, "\uFFFD")
		var order binary.AppendByteOrder = binary.BigEndian
		if little {
			order = binary.LittleEndian
		}
		got, ok, err := fromUTF16(utf16Of("\ufeff"+text, order))
		if err != nil || !ok || string(got) != "\ufeff"+text {
			t.Errorf("%q became %q, error %v", text, got, err)
		}
		_, _, _ = fromUTF16([]byte(text))
	})
}

// FuzzUnsupported fuzzes what looks at files that are none of ours.
func FuzzUnsupported(f *testing.F) {
	for _, seed := range []string{"{\"a\":{\"buildx.build.ref\":1}}", "[{\"jobs\":[", "#1 [a]", "[+] Building 1", "FROM a\n", "\x1b_x\x07x | y"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(bytes.TrimSpace(data)) == 0 {
			return
		}
		if err := unsupported("f", data); err == nil || err.Error() == "" {
			t.Error("nothing is said")
		}
	})
}

// FuzzDockerbuild fuzzes what is in the compression, which no fuzzer gets through.
func FuzzDockerbuild(f *testing.F) {
	var seeds [][]byte
	for _, path := range []string{"alpha/dockerbuild/049.dockerbuild", "beta/dockerbuild/bake-two-both.dockerbuild"} {
		r, err := gzip.NewReader(bytes.NewReader(buildtest.Recording(f, path)))
		if err != nil {
			f.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			f.Fatal(err)
		}
		seeds = append(seeds, content)
	}
	fuzz(f, func(d *decoder, data []byte) error { return d.untar("f", data) }, seeds...)
}

// FuzzStatus fuzzes a part of a record that its digest hides from the fuzzer.
func FuzzStatus(f *testing.F) {
	fuzz(f, func(d *decoder, data []byte) error {
		var p buildkit.Progress
		if err := statusBlob(d.ctx, &p, data); err != nil {
			return err
		}
		b, warnings := p.Builds(buildkit.Metadata{Ref: "r"})
		d.add("f", b, warnings)
		return nil
	}, statusIn(f, "alpha/dockerbuild/001.dockerbuild"), statusIn(f, "beta/dockerbuild/push.dockerbuild"))
}

// FuzzProvenance fuzzes another.
func FuzzProvenance(f *testing.F) {
	f.Add([]byte(`{"buildConfig":{"digestMapping":{"sha256:a":"step0"}},"metadata":{"https://mobyproject.org/buildkit@v1#metadata":{"source":{"locations":{"step0":{"locations":[{"ranges":[{"start":{"line":1},"end":{"line":2}}]}]}},"infos":[{"filename":"Dockerfile","data":"UlVOIFwKIGVjaG8gJFgK"}]}}}}`))
	f.Add(layerOf(f, "alpha/dockerbuild/044.dockerbuild", typeInToto))
	f.Fuzz(func(t *testing.T, data []byte) {
		var meta buildkit.Metadata
		_ = readProvenance(data, &historyRecord{}, &meta)
		for _, in := range meta.Instructions {
			if in.Position.Line < 1 {
				t.Errorf("line %d", in.Position.Line)
			}
		}
		b := timeline.Build{ID: "x", Facts: meta.Facts, Machine: meta.Machine}
		for digest, facts := range meta.StepFacts {
			b.Steps = append(b.Steps, timeline.Step{Key: "k", Name: "RUN x", Facts: facts, Usage: meta.Usages[digest]})
		}
		b.BoundFacts()
		if err := buildtest.Check(&b); err != nil {
			t.Error(err)
		}
	})
}

func FuzzOpen(f *testing.F) {
	record := buildtest.Recording(f, "alpha/dockerbuild/001.dockerbuild")
	fuzz(f, func(d *decoder, data []byte) error { return d.decode("f", data, 0) },
		record, zipOf(map[string][]byte{"a": record}), buildtest.Recording(f, "alpha/otlp/001.json.gz"), buildtest.Recording(f, "alpha/jaeger/001.json.gz"),
		buildtest.Recording(f, "alpha/rawjson/001.jsonl.gz"), buildtest.OTLPProto(f, buildtest.Recording(f, "alpha/otlp/001.json.gz")),
		utf16Of("\ufeff{\"vertexes\":[{\"digest\":\"a:1\",\"name\":\"a\"}]}\r\n", binary.LittleEndian), []byte("\x00\x00\x00\x02\x0a\x00"), []byte(`[{"resourceSpans":[]}]`), zstdOf(f, []byte("{}")), packedFramesOf(f, []byte(`{"resourceSpans":[]}`)),
		[]byte(`{"id":"x","steps":[{"name":"a","duration_seconds":1}]}`), []byte("<html>"))
}

// statusIn is the progress that a record keeps.
func statusIn(tb testing.TB, path string) []byte { return layerOf(tb, path, typeStatus) }

func layerOf(tb testing.TB, path, mediaType string) []byte {
	tb.Helper()
	r, err := gzip.NewReader(bytes.NewReader(buildtest.Recording(tb, path)))
	if err != nil {
		tb.Fatal(err)
	}
	l := newLayoutReader(map[string][]byte{})
	for archive := tar.NewReader(r); ; {
		h, err := archive.Next()
		if err == io.EOF {
			break
		}
		data, readErr := io.ReadAll(archive)
		if err != nil || readErr != nil {
			tb.Fatal(err, readErr)
		}
		l.members[h.Name] = data
	}
	if err := l.walkIndex(l.members["index.json"], 0); err != nil {
		tb.Fatal(err)
	}
	blob, err := l.layer(l.records[0], mediaType)
	if err != nil || blob == nil {
		tb.Fatalf("%s: no %s: %v", path, mediaType, err)
	}
	return blob
}

func BenchmarkDecode(b *testing.B) {
	for _, bench := range []struct {
		name string
		data []byte
	}{
		{"progress", buildtest.Recording(b, "alpha/rawjson/001.jsonl.gz")},
		{"record", buildtest.Recording(b, "alpha/dockerbuild/001.dockerbuild")},
		{"otlp-json", buildtest.Recording(b, "alpha/otlp/001.json.gz")},
		{"otlp-proto", buildtest.OTLPProto(b, buildtest.Recording(b, "alpha/otlp/001.json.gz"))},
		{"jaeger", buildtest.Recording(b, "alpha/jaeger/001.json.gz")},
		{"stubs", buildtest.SpanStubs(b, "alpha/dockerbuild/001.dockerbuild")},
		{"progress-10k-steps", progressOf(10_000)},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.SetBytes(int64(len(bench.data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := Decode(b.Context(), "f", bench.data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
