package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A stack is what builds, keeps the traces, and takes the images. What the
// environment names is used as it is:
//
//	E2E_STACK         docker or local; else docker if a daemon answers
//	E2E_BUILDER       a Buildx builder, whose BuildKit exports its spans to Jaeger
//	E2E_OTLP          Jaeger's OTLP endpoint for gRPC, http://HOST:PORT
//	E2E_JAEGER_HTTP   its HTTP API, HOST:PORT
//	E2E_JAEGER_GRPC   its gRPC API, HOST:PORT
//	E2E_BASE_IMAGE    with Docker: an image that has a shell, else busybox
//	E2E_BINARY        the buildregress to prove; else it is built
//
// The three of Jaeger go together. The rest is started on ports of its own and in a
// temporary folder, and ended with the test.
type stack struct {
	ctx      context.Context // ends with an interrupt, and some time before the test would
	dir      string
	buildx   []string // the command, "docker buildx" or "buildx"
	env      []string // of all that runs
	builder  string
	otlp     string
	grpc     string
	http     string
	registry *registry
	base     string // the first lines of the Dockerfile, which make the stage base
	context  map[string][]byte
	// killJaeger ends Jaeger at once; nil if it is not ours.
	killJaeger func()
	// stopBuilder ends the builder, which would wait for a Jaeger that is gone; nil
	// if it need not be.
	stopBuilder func()
	about       string // in words
	binary      string // buildregress

	builds  int    // that were made
	lastRef string // of the newest record
}

// start starts what is missing.
func start(t *testing.T) *stack {
	t.Helper()
	s := newStack(t)
	if s.binary = os.Getenv("E2E_BINARY"); s.binary == "" {
		s.binary = filepath.Join(s.dir, "buildregress")
		if out, err := exec.CommandContext(s.ctx, "go", "build", "-o", s.binary, "../..").CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
	}
	s.startRegistry(t, "127.0.0.1:0")
	if s.otlp = os.Getenv("E2E_OTLP"); s.otlp != "" {
		s.grpc, s.http = os.Getenv("E2E_JAEGER_GRPC"), os.Getenv("E2E_JAEGER_HTTP")
	}
	kind := os.Getenv("E2E_STACK")
	if kind == "" {
		kind = "local"
		if exec.CommandContext(s.ctx, "docker", "info").Run() == nil &&
			exec.CommandContext(s.ctx, "docker", "buildx", "version").Run() == nil {
			kind = "docker"
		}
	}
	switch kind {
	case "docker":
		s.startDocker(t)
	case "local":
		s.startLocal(t)
	default:
		t.Fatalf("E2E_STACK: %q is neither docker nor local", kind)
	}
	s.await(t, "Jaeger", func() error {
		response, err := http.Get("http://" + s.http + "/api/v3/services")
		if err != nil {
			return err
		}
		response.Body.Close()
		c, err := net.DialTimeout("tcp", s.grpc, time.Second)
		if err == nil {
			c.Close()
		}
		return err
	})
	s.await(t, "the builder", func() error {
		_, stderr, err := s.try(s.ctx, s.dir, nil, append(s.buildx, "inspect", "--bootstrap", s.builder)...)
		if err != nil {
			return fmt.Errorf("%w: %s", err, stderr)
		}
		return nil
	})
	return s
}

// newStack is one of which nothing runs yet, in a folder that goes with the test.
func newStack(t *testing.T) *stack {
	t.Helper()
	dir, err := os.MkdirTemp("", "e2e-") //nolint:usetesting // short: the name of a socket is in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt, syscall.SIGTERM)
	t.Cleanup(stop)
	if deadline, ok := t.Deadline(); ok {
		var cancel func()
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-time.Minute))
		t.Cleanup(cancel)
	}
	return &stack{ctx: ctx, dir: dir, env: environment(dir)}
}

// environment is what builds and checks see: nothing of a CI system, nor of what
// people have set for themselves.
func environment(dir string) []string {
	env := []string{"HOME=" + dir, "BUILDX_CONFIG=" + filepath.Join(dir, "buildx"), "NO_COLOR=1"}
	for _, name := range []string{"PATH", "TMPDIR", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "XDG_RUNTIME_DIR"} {
		if value := os.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	if home, err := os.UserHomeDir(); err == nil && os.Getenv("DOCKER_CONFIG") == "" {
		env = append(env, "DOCKER_CONFIG="+filepath.Join(home, ".docker"))
	}
	return env
}

// await waits until something answers.
func (s *stack) await(t *testing.T, what string, ask func() error) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		err := ask()
		if err == nil {
			return
		}
		if time.Now().After(deadline) || s.ctx.Err() != nil {
			t.Fatalf("%s does not answer: %v", what, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// try runs a command in a folder, with more in its environment. An interrupted
// test interrupts it.
func (s *stack) try(ctx context.Context, dir string, env []string, command ...string) (stdout, stderr string, err error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir, cmd.Env = dir, append(slices.Clip(s.env), env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	err = cmd.Run()
	return out.String(), said.String(), err
}

// run runs a command that has to succeed, and returns what it prints.
func (s *stack) run(t *testing.T, command ...string) string {
	t.Helper()
	stdout, stderr, err := s.try(s.ctx, s.dir, nil, command...)
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, stderr)
	}
	return stdout
}

// buildkitConfig lets BuildKit push to our registry, which has no certificate.
func (s *stack) buildkitConfig(t *testing.T) string {
	t.Helper()
	path := filepath.Join(s.dir, "buildkitd.toml")
	write(t, path, fmt.Sprintf("[registry.%q]\n  http = true\n", s.registry.address))
	return path
}

// freeAddress is a port of this machine that nothing listens on. It is none of those
// that systems give to connections and to listeners that ask for any: such a one
// would be another's before the program that it is for begins.
func freeAddress(t *testing.T) string {
	t.Helper()
	const first, last, tries = 20_000, 32_000, 100
	for range tries {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", first+rand.IntN(last-first)))
		if err != nil {
			continue // it is taken
		}
		l.Close()
		return l.Addr().String()
	}
	t.Fatal("no port is free")
	return ""
}

// exitCode is that of a command; -1 if it ended in no orderly way.
func exitCode(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return -1
}

// tailOf is the end of a file, for messages.
func tailOf(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > 1500 {
		f.Seek(-1500, io.SeekEnd)
	}
	data, _ := io.ReadAll(f)
	return string(data)
}
