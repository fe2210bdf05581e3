package file

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/buildkit"
	"github.com/buildregress/buildregress/fetch/builds/buildtest"
)

func gzipOf(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(data)
	w.Close()
	return b.Bytes()
}

func zipOf(members map[string][]byte) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, data := range members {
		w, _ := z.Create(name)
		w.Write(data)
	}
	z.Close()
	return b.Bytes()
}

func tarOf(members map[string][]byte) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, data := range members {
		w.WriteHeader(&tar.Header{Name: name, Size: int64(len(data)), Mode: 0o644, Format: tar.FormatUSTAR})
		w.Write(data)
	}
	w.Close()
	return b.Bytes()
}

func TestWrongInput(t *testing.T) {
	record := buildtest.Recording(t, "alpha/dockerbuild/001.dockerbuild")
	otlp := buildtest.Recording(t, "alpha/otlp/001.json.gz")
	progress := buildtest.Recording(t, "alpha/rawjson/001.jsonl.gz")
	digest := "sha256:" + strings.Repeat("a", 64)
	vertex := func(fields string) string {
		return `{"vertexes":[{"digest":"` + digest + `","name":"n"` + fields + `}]}`
	}
	for _, tt := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "f: the file is empty"},
		{"blank", []byte(" \n\t\n"), "the file is empty"},
		{"a mark alone", []byte("\ufeff"), "empty"},
		{"zstd", []byte("\x28\xb5\x2f\xfdabc"), "zstd"},
		{"a Dockerfile", []byte("FROM scratch\nRUN x"), "a Dockerfile"},
		{"text", []byte("hello\nworld\n"), "looks like plain text"},
		{"HTML", []byte("<!DOCTYPE html><title>Sign in"), "login page"},
		{"plain progress", []byte("#0 building with \"r\"\n\n#1 [internal] load\n"), "--progress=rawjson"},
		{"a program", []byte("\x7fELF\x02\x01\x01"), "a program"},
		{"binary", []byte{1, 2, 3, 0, 5, 6}, "binary data"},
		{"other JSON", []byte(`{"hello":"world"}`), "looks like JSON"},
		{"JSON of nothing", []byte(`[[[]]]`), "looks like JSON"},
		{"gzip of text", gzipOf([]byte("hello")), "looks like plain text"},
		{"gzip cut off", record[:len(record)/2], "cut off"},
		{"gzip header alone", record[:6], "cut off"},
		{"gzip in gzip", gzipOf(gzipOf(gzipOf(gzipOf(gzipOf(gzipOf([]byte("x"))))))), "archives in each other"},
		{"zip of nothing", zipOf(nil), "no build in it"},
		{"zip of text", zipOf(map[string][]byte{"a/b.txt": []byte("hello")}), "f/a/b.txt: looks like plain text"},
		{"tar of an image", tarOf(map[string][]byte{"index.json": []byte(`{"manifests":[]}`)}), "holds no build record"},
		{"tar of files", tarOf(map[string][]byte{"a.txt": []byte("a")}), "has no index.json"},
		{"index of text", tarOf(map[string][]byte{"index.json": []byte("hello")}), "index: bad JSON"},
		{"blob missing", tarOf(map[string][]byte{"index.json": []byte(`{"manifests":[{"digest":"` + digest + `"}]}`)}), "blob sha256:aaaaaaaaaaaa is missing"},
		{"digest wrong", tarOf(map[string][]byte{"index.json": []byte(`{"manifests":[{"digest":"../../x"}]}`)}), `digest "../../x"`},
		{"blob damaged", tarOf(map[string][]byte{
			"index.json":                 []byte(`{"manifests":[{"digest":"` + digest + `"}]}`),
			"blobs/sha256/" + digest[7:]: []byte("x"),
		}), "does not match its digest"},
		{"OTLP cut off", otlp[:len(otlp)/2], "cut off"},
		{"OTLP of no list", []byte(`{"resourceSpans":{}}`), "resourceSpans is no list"},
		{"OTLP with a number of a million digits", []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":` + strings.Repeat("9", 1e6) + `}]}]}]}`), "a number too large"},
		{"OTLP with an id that is none", []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"spanId":"zz"}]}]}]}`), "an id not 16 or 32 digits"},
		{"OTLP of wrong types", []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":5}]}]}]}`), "bad OTLP"},
		{"OTLP nested", []byte(`{"resourceSpans":[{"resource":{"attributes":` + strings.Repeat("[", 100_000)), "nested more than 200 deep"},
		{"OTLP without a build", []byte(`{"resourceSpans":[]}`), "no build in it"},
		{"Jaeger, nothing found", []byte(`{"data":null,"errors":[{"code":404}]}`), "no build in it"},
		{"Jaeger, why nothing was found", []byte(`{"data":null,"errors":[{"code":404,"msg":"trace not found"}]}`), "but an error: trace not found"},
		{"Jaeger's later API", []byte(`{"error":{"httpCode":404,"message":"no such trace"}}`), "an answer that tells of an error: no such trace"},
		{"Jaeger of wrong types", []byte(`{"data":[{"spans":[{"startTime":"soon"}]}]}`), "bad JSON"},
		{"Jaeger in the year 300000", []byte(`{"data":[{"spans":[{"startTime":9223372036854775807}]}]}`), "no usable number of microseconds"},
		{"stubs of wrong types", []byte(`{"Name":1,"SpanContext":{}}`), "Name is a number"},
		{"stubs cut off", []byte(`{"Name":"a","SpanContext":{"TraceID":"`), "cut off"},
		{"progress of nothing", []byte(`{"vertexes":[]}`), "no vertex in it"},
		{"progress of wrong types", []byte(vertex(`,"cached":"yes"`)), "line 1: vertexes.cached is a string"},
		{"progress without a digest", []byte(`{"vertexes":[{"name":"a"}]}`), "line 1: vertex without a digest"},
		{"progress cut off", progress[:40], "line 1: cut off"},
		{"builds of wrong types", []byte(`{"steps":5}`), "f: line 1: steps is a number"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			builds, warnings, err := Decode(t.Context(), "f", tt.data)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it; builds %v, warnings %v", err, tt.want, builds, warnings)
			}
			var located *fetch.DecodeError
			if err != nil && !errors.As(err, &located) && !errors.Is(err, fetch.ErrNoBuilds) {
				t.Errorf("%T is no DecodeError", err)
			}
			if err != nil && !strings.HasPrefix(err.Error(), "f") {
				t.Errorf("%v does not begin with the file's name", err)
			}
		})
	}
}

// TestTruncated cuts recordings off at many places.
func TestTruncated(t *testing.T) {
	for _, path := range []string{
		"alpha/dockerbuild/049.dockerbuild", "alpha/rawjson/049.jsonl.gz", "alpha/otlp/049.json.gz", "alpha/jaeger/049.json.gz",
	} {
		data := buildtest.Recording(t, path)
		for _, in := range [][]byte{data, zipOf(map[string][]byte{"a": data})} {
			for end := 0; end < len(in); end += 1 + len(in)/67 {
				builds, _, err := Decode(t.Context(), "f", in[:end])
				if err == nil && len(builds) == 0 {
					t.Errorf("%s cut at %d: neither builds nor an error", path, end)
				}
				for i := range builds {
					if err := buildtest.Check(&builds[i]); err != nil {
						t.Errorf("%s cut at %d: %v", path, end, err)
					}
				}
			}
		}
	}
}

func TestOddInput(t *testing.T) {
	const d = `"digest":"sha256:%d"`
	long := strings.Repeat("ü", 1<<19)
	for _, tt := range []struct {
		name, data string
		want       timeline.Step // what of it matters
		warning    string
	}{
		{
			"clock going backwards",
			`{"vertexes":[{` + d + `,"name":"[1/1] RUN x","started":"2026-01-01T00:00:05Z","completed":"2026-01-01T00:00:01Z"}]}`,
			timeline.Step{Name: "[1/1] RUN x"},
			`"[-] RUN x"`,
		},
		{
			"invalid UTF-8",
			`{"vertexes":[{` + d + `,"name":"[1/1] RUN ` + "\xff\xfe" + `","started":"2026-01-01T00:00:05Z","completed":"2026-01-01T00:00:05Z"}]}`,
			timeline.Step{Name: "[1/1] RUN \uFFFD\uFFFD"},
			"",
		},
		{
			"a name of a megabyte",
			`{"vertexes":[{` + d + `,"name":"` + long + `","started":"2026-01-01T00:00:05Z","completed":"2026-01-01T00:00:05Z"}]}`,
			timeline.Step{Name: long[:2044] + "…"},
			"",
		},
		{
			"a step without a name",
			`{"vertexes":[{` + d + `,"started":"2026-01-01T00:00:05Z","completed":"2026-01-01T00:00:05Z"}]}`,
			timeline.Step{Name: "unnamed"},
			"",
		},
		{
			"a time no build has",
			`{"vertexes":[{` + d + `,"name":"a","started":"0001-01-02T00:00:05Z","completed":"9999-12-31T23:59:59-11:00"}]}`,
			timeline.Step{Name: "a"},
			"",
		},
		{
			"a line that is broken",
			`{"vertexes":[{` + d + `,"name":"a","started":"2026-01-01T00:00:05Z","completed":"2026-01-01T00:00:05Z"}]}` + "\n" + `{"vertexes":[{"started":"`,
			timeline.Step{Name: "a"},
			"line 2: cut off",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			builds, warnings, err := Decode(t.Context(), "f", []byte(strings.ReplaceAll(tt.data, "%d", "1234")))
			if err != nil {
				t.Fatal(err)
			}
			if err := buildtest.Check(&builds[0]); err != nil {
				t.Error(err)
			}
			if got := builds[0].Steps[0]; got.Name != tt.want.Name || got.Duration != tt.want.Duration {
				t.Errorf("step %.100q of %v, want %.100q of %v", got.Name, got.Duration, tt.want.Name, tt.want.Duration)
			}
			if got := errors.Join(warnings...); (got == nil) != (tt.warning == "") {
				t.Errorf("warnings %v, want %q", got, tt.warning)
			}
		})
	}
}

// TestDetailsOfFailure checks that damaged details hide no other.
func TestDetailsOfFailure(t *testing.T) {
	for range 10 { // in any order
		var meta buildkit.Metadata
		err := readDetails(map[string][]byte{
			"x/errdefs.Source+json": []byte(`{"info":5}`),
			"x/errdefs.Vertex+json": []byte(`{"digest":"sha256:a"}`),
		}, &meta)
		if err == nil || meta.FailedAt != "sha256:a" {
			t.Errorf("failed at %q, error %v", meta.FailedAt, err)
		}
	}
}

// progressOf makes the progress of a build of n steps.
func progressOf(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, `{"vertexes":[{"digest":"sha256:%064x","name":"[build %d/%d] RUN make target-%d","started":"2026-01-01T00:00:05.1Z","completed":"2026-01-01T00:00:05.2Z"}]}`+"\n", i, i+1, n, i)
	}
	return b.Bytes()
}

func TestManySteps(t *testing.T) {
	builds, _, err := Decode(t.Context(), "f", progressOf(10_000))
	if err != nil || len(builds) != 1 || len(builds[0].Steps) != 10_000 {
		t.Fatalf("%d builds, error %v, want one of 10000 steps", len(builds), err)
	}
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	for name, data := range map[string][]byte{
		"b.txt":      buildtest.Recording(t, "alpha/dockerbuild/001.dockerbuild"),
		"a":          buildtest.Recording(t, "alpha/rawjson/000.jsonl.gz"),
		"c.json":     []byte("no build"),
		"d.zip":      zipOf(map[string][]byte{"x.dockerbuild": buildtest.Recording(t, "beta/dockerbuild/bake-two-both.dockerbuild"), "y": []byte("?")}),
		"deeper/e":   []byte("not read"),
		"f.json.log": nil,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	builds, warnings, err := Open(t.Context(), dir, Options{})
	if err != nil || len(builds) != 4 || len(warnings) != 3 {
		t.Errorf("%d builds, warnings %v, error %v; want 4 builds, 3 warnings", len(builds), warnings, err)
	}
	if _, _, err := Open(t.Context(), filepath.Join(dir, "deeper"), Options{}); !errors.Is(err, fetch.ErrNoBuilds) {
		t.Errorf("error %v, want no builds", err)
	}
	if _, _, err := Open(t.Context(), filepath.Join(dir, "none"), Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want that it does not exist", err)
	}
	builds, _, err = Open(t.Context(), "-", Options{Stdin: bytes.NewReader(buildtest.Recording(t, "alpha/otlp/000.json.gz"))})
	if err != nil || len(builds) != 1 {
		t.Errorf("standard input: %d builds, error %v", len(builds), err)
	}
}
