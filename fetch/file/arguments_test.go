package file

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/buildregress/buildregress/fetch/builds/buildtest"
)

// BuildKit writes values of arguments into names of steps. Those of arguments whose names
// say that they are secret show nowhere, and no other does less.
func TestSecretArgumentsOfRecords(t *testing.T) {
	const file = "FROM alpine AS a\nARG DEPLOY_TOKEN=Walnut7tree\nARG COLOUR=turquoise99\nENV POSTGRES_PASSWORD=postgres\nRUN make\n"
	b := decodeOne(t, buildtest.Record{
		Attributes: map[string]string{"build-arg:NPM_TOKEN": "Cobalt8garden", "build-arg:VERSION": "release-77", "target": "a"},
		Provenance: map[string]any{"buildType": "https://mobyproject.org/buildkit@v1", "buildConfig": map[string]any{"digestMapping": map[string]string{"sha256:0": "step0"}}, "metadata": map[string]any{
			"https://mobyproject.org/buildkit@v1#metadata": map[string]any{"source": map[string]any{
				"infos": []any{map[string]any{"filename": "Dockerfile", "data": base64.StdEncoding.EncodeToString([]byte(file))}},
			}},
		}},
		Vertices: []buildtest.Vertex{
			{Name: `[a 1/3] RUN curl "https://h/Cobalt8garden/x"`, To: 1},
			{Name: "[a 2/3] RUN make turquoise99 release-77 postgres:16", To: 2},
			{Name: "[a 3/3] RUN deploy Walnut7tree", To: 3, Error: "process \"deploy Walnut7tree\" did not complete"},
		},
	})
	all := fmt.Sprintf("%+v", b)
	for _, secret := range []string{"Walnut7tree", "Cobalt8garden"} {
		if strings.Contains(all, secret) {
			t.Errorf("%s shows in %s", secret, all)
		}
	}
	for _, open := range []string{"turquoise99", "release-77", "postgres:16"} {
		if !strings.Contains(all, open) {
			t.Errorf("%s is cut out of %s", open, all)
		}
	}
}

// A value that one step calls secret is cut out of the others, whatever tells of the build.
func TestSecretOfAnotherStep(t *testing.T) {
	for _, path := range []string{"rawjson/030.jsonl.gz", "otlp/030.json.gz", "jaeger/030.json.gz"} {
		f, err := os.Open(filepath.Join("../../testdata/builds/alpha", path))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		data = bytes.ReplaceAll(data, []byte("COPY src /src"), []byte("COPY src /src/Walnut7tree"))
		data = bytes.ReplaceAll(data, []byte("RUN head -c"), []byte("RUN NPM_TOKEN=Walnut7tree head -c"))
		builds, _, err := Decode(t.Context(), path, data)
		if err != nil || len(builds) != 1 {
			t.Fatalf("%s: %d builds, %v", path, len(builds), err)
		}
		all := fmt.Sprintf("%+v", builds)
		if strings.Contains(all, "Walnut7tree") || strings.Count(all, "COPY src /src/*****") < 2 || !strings.Contains(all, "RUN NPM_TOKEN=***** head -c 2000000") {
			t.Errorf("%s: %s", path, all)
		}
	}
}
