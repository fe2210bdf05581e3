package e2e

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// startLocal starts what is missing from programs that are built from source.
func (s *stack) startLocal(t *testing.T) {
	t.Helper()
	busybox := s.require(t)
	s.about = "built from source, Jaeger 2.13.0, BuildKit " + buildkitTool.version + ", Buildx " + buildxTool.version
	buildx := install(t, buildxTool)
	s.buildx = []string{filepath.Join(buildx, "buildx")}
	// Nothing but this buildx is what checks find.
	for i, v := range s.env {
		if strings.HasPrefix(v, "PATH=") {
			s.env[i] = "PATH=" + buildx
		}
	}
	s.base = "FROM scratch AS base\nADD rootfs.tar /\n"
	s.context = map[string][]byte{"rootfs.tar": rootfs(t, busybox, nil)}
	if s.otlp == "" {
		s.startJaeger(t, filepath.Join(install(t, jaegerTool), "jaeger"))
	}
	if s.builder = os.Getenv("E2E_BUILDER"); s.builder == "" {
		s.builder = "e2e"
		socket := "unix://" + filepath.Join(s.dir, "bk.sock")
		s.stopBuilder, _ = s.daemon(t, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + s.otlp, "PATH=" + os.Getenv("PATH")},
			filepath.Join(install(t, buildkitTool), "buildkitd"),
			"--root", filepath.Join(s.dir, "bk"), "--addr", socket, "--config", s.buildkitConfig(t),
			"--oci-worker-net=host", "--containerd-worker=false")
		s.run(t, append(s.buildx, "create", "--name", s.builder, "--driver", "remote", socket)...)
	}
}

// require makes sure that there is what cannot be built, and returns the path of
// busybox. BuildKit without root wants more of a machine than most have.
func (s *stack) require(t *testing.T) (busybox string) {
	t.Helper()
	var missing []string
	if os.Getuid() != 0 && os.Getenv("E2E_BUILDER") == "" {
		missing = append(missing, "root, to run buildkitd")
	}
	if _, err := exec.LookPath("runc"); err != nil && os.Getenv("E2E_BUILDER") == "" {
		missing = append(missing, "runc (apt-get install runc)")
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil || !isStatic(busybox) {
		missing = append(missing, "a static busybox (apt-get install busybox-static)")
	}
	if len(missing) > 0 {
		t.Fatalf("the stack needs Docker with Buildx, or on Linux:\n- %s", strings.Join(missing, "\n- "))
	}
	return busybox
}

func isStatic(path string) bool {
	f, err := elf.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	libraries, err := f.ImportedLibraries()
	return len(libraries) == 0 && (err == nil || f.Section(".dynamic") == nil)
}

// rootfs is an image of busybox and of more programs, by their path in it: no registry can
// be asked for one.
func rootfs(t *testing.T, busybox string, more map[string][]byte) []byte {
	t.Helper()
	program, err := os.ReadFile(busybox)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	add := func(h tar.Header, content []byte) {
		h.Size = int64(len(content))
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"bin", "tmp", "proc", "sys", "dev", "etc"} {
		add(tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o777}, nil)
	}
	add(tar.Header{Typeflag: tar.TypeReg, Name: "bin/busybox", Mode: 0o755}, program)
	for _, name := range []string{"sh", "cat", "sleep", "head", "echo", "mkdir", "awk", "wget", "cp", "dd"} {
		add(tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + name, Linkname: "busybox"}, nil)
	}
	for _, name := range slices.Sorted(maps.Keys(more)) {
		add(tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o755}, more[name])
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// startJaeger starts Jaeger in memory. Its own configuration but for the ports,
// and without the rest that it listens on.
func (s *stack) startJaeger(t *testing.T, program string) {
	t.Helper()
	otlp := freeAddress(t)
	s.grpc, s.http, s.otlp = freeAddress(t), freeAddress(t), "http://"+otlp
	config := filepath.Join(s.dir, "jaeger.yaml")
	write(t, config, fmt.Sprintf(`service:
  extensions: [jaeger_storage, jaeger_query]
  pipelines:
    traces:
      receivers: [otlp]
      processors: [batch]
      exporters: [jaeger_storage_exporter]
  telemetry:
    metrics: {level: none}
extensions:
  jaeger_query:
    storage: {traces: memory}
    grpc: {endpoint: %q}
    http: {endpoint: %q}
  jaeger_storage:
    backends:
      memory: {memory: {max_traces: 100000}}
receivers:
  otlp:
    protocols:
      grpc: {endpoint: %q}
processors:
  batch:
exporters:
  jaeger_storage_exporter: {trace_storage: memory}
`, s.grpc, s.http, otlp))
	_, s.killJaeger = s.daemon(t, nil, program, "--config", config)
}

// endWithUs lets a process end if we are killed.
func endWithUs(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGKILL }
