package file

import (
	"strings"
	"testing"
)

// Where in a Dockerfile a build failed is told by a record, of the step that failed, and
// by what Buildx shows after the progress.
func TestFailedIn(t *testing.T) {
	const beta = "../../testdata/builds/beta/"
	for _, test := range []struct {
		path, place string
		ofStep      bool
	}{
		{"dockerbuild/failed.dockerbuild", "Dockerfile:18", true},
		{"dockerbuild/dockerfile-error.dockerbuild", "Dockerfile:17", false},
		{"rawjson/failed.jsonl.gz", "Dockerfile:18", false},
		{"rawjson/dockerfile-error.jsonl.gz", "Dockerfile:17", false},
		{"rawjson/bake-failed.jsonl.gz", "Dockerfile.broken:9", false},
		{"rawjson/cancelled.jsonl.gz", "", false},
		{"rawjson/cache-first-miss.jsonl.gz", "", false},
	} {
		builds, _, err := Open(t.Context(), beta+test.path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		inError, inStep := false, false
		for _, b := range builds {
			if strings.HasSuffix(b.Error, ")") && strings.Contains(b.Error, "(Dockerfile") {
				inError = strings.HasSuffix(b.Error, " ("+test.place+")")
			}
			for _, s := range b.Steps {
				inStep = inStep || s.Source.File == "Dockerfile" && s.Source.Line == 18
			}
		}
		if inStep != test.ofStep || inError != (test.place != "" && !test.ofStep) {
			t.Errorf("%s: in its error %v, at a step %v: %q", test.path, inError, inStep, builds[0].Error)
		}
	}
}

// What other programs print is no such place.
func TestFailedInOfOthers(t *testing.T) {
	const (
		event = `{"vertexes":[{"digest":"sha256:aa","name":"[1/1] RUN x","started":"2026-01-01T00:00:00Z","completed":"2026-01-01T00:00:01Z","error":"exit code: 1"}]}` + "\n"
		end   = "ERROR: failed to build: failed to solve: exit code: 1\n"
		rule  = "--------------------\n"
	)
	for log, want := range map[string]string{
		event + "Dockerfile:3\n" + rule + " 3 | >>> RUN x\n" + rule + end:                             "exit code: 1 (Dockerfile:3)",
		event + "Dockerfile:3\n" + rule + " 3 | >>> RUN x\n" + rule + "b.yml:7\n" + rule + rule + end: "exit code: 1 (Dockerfile:3)",
		"12:00:01 | " + event + "12:00:02 | Dockerfile:3\n12:00:02 | " + rule + "12:00:02 | " + end:   "exit code: 1 (Dockerfile:3)",
		"src/a.go:3\n" + rule + event + end:                                                           "exit code: 1",
		event + "src/a.go:3\nnot good\n" + rule + end:                                                 "exit code: 1",
		event + "src/a.go:3\n" + end:                                                                  "exit code: 1",
		event + "make: failed\nsrc/a.go:3\n" + rule + rule + end:                                      "exit code: 1",
		"src/a.go:3\n" + rule + event + event + "\n" + rule + end:                                     "exit code: 1",
		event + "DB_PASSWORD=hunter2secret:3\n" + rule + rule + end:                                   "exit code: 1 (DB_PASSWORD=*****)",
	} {
		builds, _, err := Decode(t.Context(), "log", []byte(log))
		if err != nil || len(builds) != 1 || builds[0].Error != want {
			t.Errorf("%q: %v, %v, want %q", log, builds, err, want)
		}
	}
}
