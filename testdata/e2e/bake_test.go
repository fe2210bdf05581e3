package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// bakeFile has two targets of the image.
const bakeFile = `{
	"group": {"default": {"targets": ["one", "other"]}},
	"target": {
		"one": {"target": "deps", "output": ["type=cacheonly"]},
		"other": {"target": "base", "output": ["type=cacheonly"]}
	}
}`

// testBake gets the records of all targets of a bake, by its metadata file and as
// the text of that, out of the builder in use.
func (s *stack) testBake(t *testing.T) {
	dir := s.folder(t, plan{name: "bake"}, "bake")
	metadata := filepath.Join(dir, "meta.json")
	write(t, filepath.Join(dir, "context", "bake.json"), bakeFile)
	env := []string{"BUILDX_BUILDER=" + s.builder}
	if _, stderr, err := s.try(s.ctx, filepath.Join(dir, "context"), env,
		append(slices.Clip(s.buildx), "bake", "--file", "bake.json", "--progress", "plain", "--metadata-file", metadata)...); err != nil {
		t.Fatalf("bake: %v\n%s", err, stderr)
	}
	text, err := os.ReadFile(metadata)
	if err != nil {
		t.Fatal(err)
	}
	for _, place := range []string{"@" + metadata, string(text)} {
		stdout, stderr, err := s.try(s.ctx, s.dir, env, s.binary, "check", "buildx:"+place, "--record", "never", "--format", "json", s.storeFlag("bake"))
		var r report
		if json.Unmarshal([]byte(stdout), &r) != nil || err != nil || len(r.Results) != 2 {
			t.Errorf("%v, %d results, want those of two targets: %s%s", err, len(r.Results), stderr, stdout)
		}
	}
	stdout, stderr, err := s.try(s.ctx, s.dir, env, s.binary, "check", "--record", "never", "--format", "json", s.storeFlag("bake"))
	var r report
	if json.Unmarshal([]byte(stdout), &r) != nil || err != nil || len(r.Results) != 1 {
		t.Errorf("without SOURCE: %v, %d results, want the newest build: %s", err, len(r.Results), stderr)
	}
}
