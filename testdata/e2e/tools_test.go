package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// A tool is a program of the stack that is built from its source.
type tool struct {
	module, version string
	command         string // its package in the module, "" for the module's own
	ldflags         string
}

// The versions are those that docs/sources.md names. Newer ones of BuildKit and Buildx
// need a Go module that is not on every proxy.
var (
	jaegerTool   = tool{"github.com/jaegertracing/jaeger", "v1.76.0", "cmd/jaeger", ""} // this is Jaeger 2.13.0
	buildkitTool = tool{"github.com/moby/buildkit", "v0.25.2", "cmd/buildkitd", "-X github.com/moby/buildkit/version.Version=v0.25.2"}
	buildxTool   = tool{"github.com/docker/buildx", "v0.29.1", "cmd/buildx", "-X github.com/docker/buildx/version.Version=v0.29.1"}
	otelTool     = tool{"github.com/equinix-labs/otel-cli", "v0.4.5", "", ""}
	registryTool = tool{"github.com/google/go-containerregistry", "v0.22.1", "cmd/registry", ""}
)

// cacheDir is where the tools are kept between runs.
func cacheDir(t *testing.T) string {
	t.Helper()
	dir, err := os.UserCacheDir() // $XDG_CACHE_HOME or ~/.cache
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "buildregress-e2e")
}

// install builds a tool, if the cache does not hold it, and returns the folder
// that it is in, alone.
func install(t *testing.T, o tool) string {
	t.Helper()
	program := path.Join(o.module, o.command)
	name := path.Base(program)
	dir := filepath.Join(cacheDir(t), fmt.Sprintf("%s-%s-%s", name, o.version, runtime.GOARCH))
	if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
		return dir
	}
	start := time.Now()
	t.Logf("building %s %s from source", name, o.version)
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	work, err := os.MkdirTemp(filepath.Dir(dir), ".building-") //nolint:usetesting // it is renamed, and so on the same disk
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(work)
	run := func(args ...string) []byte {
		t.Helper()
		cmd := exec.Command("go", args...)
		cmd.Dir = work
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off", "CGO_ENABLED=0", "GOOS=", "GOARCH=")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, stderr.Bytes())
		}
		return out
	}
	write(t, filepath.Join(work, "go.mod"), "module tool\n\ngo 1.26\n")
	// The module's own go.sum vouches for what it depends on.
	var at struct{ Dir string }
	if err := json.Unmarshal(run("mod", "download", "-json", o.module+"@"+o.version), &at); err != nil {
		t.Fatal(err)
	}
	if sums, err := os.ReadFile(filepath.Join(at.Dir, "go.sum")); err == nil {
		write(t, filepath.Join(work, "go.sum"), string(sums))
	}
	run("get", program+"@"+o.version)
	run("build", "-trimpath", "-ldflags=-s -w "+o.ldflags, "-o", "bin/", program)
	// A run beside this one may have been quicker: then its tool is as good.
	if err := os.Rename(filepath.Join(work, "bin"), dir); err != nil {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("built %s in %v", name, time.Since(start).Round(time.Second))
	return dir
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
