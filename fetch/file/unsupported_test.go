package file

import (
	"encoding/binary"
	"strings"
	"testing"
)

// What cannot be judged is named, with what to give instead.
func TestUnsupported(t *testing.T) {
	const ref = `"buildx.build.ref":"ci/ci0/8yw5cp9fdhsqzbg6hx4f6mpvy"`
	for name, tt := range map[string]struct{ data, what, give string }{
		"metadata":             {`{"containerimage.config.digest":"sha256:aa",` + ref + `}`, "--metadata-file", "buildx:@m.json"},
		"metadata, laid out":   {"{\n  \"containerimage.descriptor\": {\n    \"size\": 1\n  },\n  " + ref + "\n}\n", "--metadata-file", "buildx:@m.json"},
		"metadata of a bake":   {`{"api":{` + ref + `},"web":{` + ref + `}}`, "--metadata-file", "buildx:@m.json"},
		"with provenance":      {`{"buildx.build.provenance":{"buildType":"x","materials":[]},` + ref + `}`, "--metadata-file", "buildx:@m.json"},
		"inspect":              {`{"Name":"app","Ref":"8yw5","Context":".","VCSRepository":"","NumTotalSteps":8}`, "history inspect", "history export"},
		"history ls":           {`{"ref":"ci/ci0/8yw5","name":"app","status":"Completed","total_steps":12}`, "history ls", "history export"},
		"provenance":           {`{"buildDefinition":{"buildType":"x"},"runDetails":{}}`, "provenance", "history export"},
		"attestation":          {`{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"https://slsa.dev/provenance/v0.2"}`, "attestation", "history export"},
		"a bake's definition":  {`{"group":{"default":{"targets":["a"]}},"target":{"a":{"context":"."}}}`, "a bake", "printed or recorded"},
		"manifest":             {`{"schemaVersion":2,"manifests":[]}`, "manifest of an image", "recorded"},
		"image inspect":        {`[{"Id":"sha256:aa","RootFS":{"Layers":[]}}]`, "image inspect", "recorded"},
		"jobs of the API":      {`{"total_count":1,"jobs":[{"id":1,"steps":[{"name":"Set up job"}]}]}`, "jobs of a workflow run", "github-steps://"},
		"jobs of gh":           {"{\n  \"jobs\": [\n    {\n      \"databaseId\": 1,\n      \"steps\": []\n    }\n  ]\n}", "jobs of a workflow run", "github-steps://"},
		"a job":                {`{"id":1,"run_id":2,"steps":[{"name":"Set up job","status":"completed"}]}`, "a job of a workflow run", "github-steps://"},
		"a job, laid out":      {"{\n  \"id\": 1,\n  \"run_id\": 2,\n  \"steps\": [\n    {\n      \"name\": \"Set up job\"\n    }\n  ]\n}", "a job of a workflow run", "github-steps://"},
		"a list of jobs":       {`[{"databaseId":1,"conclusion":"success","steps":[]}]`, "GitHub", "github-steps://"},
		"runs":                 {`{"total_count":1,"workflow_runs":[{"id":1}]}`, "workflow runs", "github-steps://"},
		"a webhook":            {`{"action":"completed","workflow_job":{"id":1,"steps":[]}}`, "webhook", "github-steps://"},
		"debug exporter":       {"2026-11-11T08:00:00.123Z\tinfo\tTraces\t{\"spans\": 3}\nResourceSpans #0\nResource SchemaURL:\n", "debug exporter", "file exporter"},
		"console exporter":     {"{\n  resource: {\n    attributes: {}\n  },\n  instrumentationScope: { name: 'a' },\n  traceId: 'b'\n}\n", "console exporter", "OTLP"},
		"artifacts":            {`{"total_count":1,"artifacts":[{"id":1}]}`, "artifacts", "github://"},
		"a log through jq":     {"{\n  \"vertexes\": [\n    {\n      \"digest\": \"sha256:aa\"\n    }\n  ]\n}\n", "progress log laid out", "jq -c"},
		"a job's log of it":    {"+ jq . build.jsonl\n{\n    \"vertexes\": [\n        {}\n    ]\n}\n", "progress log laid out", "jq -c"},
		"the terminal":         {"[+] Building 12.3s (8/8) FINISHED\n => [internal] load build definition from Dockerfile   0.0s\n", "terminal", "--progress=rawjson"},
		"Compose's":            {"time=\"x\" level=warning\r\n[+] Building 0.5s (3/3) FINISHED\r\n", "terminal", "--progress=rawjson"},
		"the plain progress":   {strings.Repeat("npm http fetch\n", 3000) + "#7 [build 2/3] RUN make\n#7 DONE 3.0s\n", "plain progress", "--progress=rawjson"},
		"plain, coloured":      {"\x1b[36m2026-11-11T08:00:00.12Z\x1b[0m #12 CACHED\n", "plain progress", "--progress=rawjson"},
		"plain, Compose":       {"builder-1  | #0 building with \"default\" instance using docker driver\n", "plain progress", "--progress=rawjson"},
		"plain, UTF-16":        {string(utf16Of("\ufeff#1 [internal] load build definition\r\n", binary.LittleEndian)), "plain progress", "--progress=rawjson"},
		"the old builder":      {"Sending build context to Docker daemon  2.048kB\nStep 1/3 : FROM alpine\n", "old builder", "BuildKit"},
		"Buildah":              {"STEP 1/3: FROM alpine\nSTEP 2/3: RUN true\n", "Buildah", "BuildKit"},
		"a Dockerfile":         {"# the shop\n\nARG GO=1.26\nFROM --platform=$BUILDPLATFORM golang:${GO} AS build\nRUN go build\n", "a Dockerfile", "recorded"},
		"a small Dockerfile":   {"from scratch\ncopy . /\n", "a Dockerfile", "recorded"},
		"a letter":             {"From the team\nwe write\n", "plain text", "--progress=rawjson"},
		"zstd of a collector":  {"\x00\x00\x01\x00\x28\xb5\x2f\xfd\x04\x00", "zstd", "ends in the middle"},
		"half a file of one":   {"\x00\x00\x3f\x9b\n\x03abc", "cut off", ""},
		"JSON of another kind": {`{"level":"info","msg":"x"}`, "looks like JSON", ""},
		"Chrome's":             {`{"traceEvents":[]}`, "Chrome", "no OTLP"},
	} {
		list, _, err := Decode(t.Context(), "m.json", []byte(tt.data))
		if err == nil || len(list) > 0 || !strings.Contains(err.Error(), tt.what) || !strings.Contains(err.Error(), tt.give) {
			t.Errorf("%s: %d builds, error %v; want %q and %q", name, len(list), err, tt.what, tt.give)
		}
	}
}

// A builds file may hold fields that others have, too.
func TestBuildsFileWithFieldsOfOthers(t *testing.T) {
	const data = `{"run_id":7,"id":"x","steps":[{"name":"a","duration_seconds":1}]}`
	if list, _, err := Decode(t.Context(), "f", []byte(data)); err != nil || len(list) != 1 {
		t.Errorf("%d builds, error %v", len(list), err)
	}
}
