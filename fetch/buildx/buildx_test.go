package buildx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/buildregress/buildregress/fetch"
)

const aRecord = "../../testdata/builds/alpha/dockerbuild/000.dockerbuild"

// TestMain makes this binary the commands under the names of which it was copied.
func TestMain(m *testing.M) {
	name := strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe")
	if name == "docker" || name == "buildx" {
		os.Exit(fake(name, os.Args[1:]))
	}
	os.Exit(m.Run())
}

// fake acts as the command does in a situation that the environment names.
func fake(name string, args []string) int {
	if path := os.Getenv("FAKE_ARGS"); path != "" {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(f, "%s %q\n", name, args)
		f.Close()
	}
	act := os.Getenv("FAKE_" + strings.ToUpper(name))
	act, rest, _ := strings.Cut(act, ":")
	switch act {
	case "record":
		f, err := os.Open(rest)
		if err != nil {
			panic(err)
		}
		io.Copy(os.Stdout, f)
		return 0
	case "builder":
		return fakeBuilder(rest, args)
	case "print":
		fmt.Print(rest)
		return 0
	case "flood":
		for {
			if _, err := os.Stdout.Write(make([]byte, 1<<16)); err != nil {
				return 1
			}
		}
	case "hang": // as docker does: the work is its child's, which has its output
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), "FAKE_DOCKER=wait:"+rest, "FAKE_BUILDX=wait:"+rest)
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		if err := child.Start(); err != nil {
			panic(err)
		}
		wait(rest)
	case "wait":
		wait(rest)
	}
	fmt.Fprintln(os.Stderr, rest)
	return 1
}

// wait tells the test that it runs, and waits for ever.
func wait(address string) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		panic(err)
	}
	io.Copy(io.Discard, c)
}

// install puts fakes under these names into a PATH of their own.
func install(t *testing.T, names ...string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range names {
		if runtime.GOOS == "windows" {
			name += ".exe"
		}
		copyFile(t, self, filepath.Join(dir, name))
	}
	t.Setenv("PATH", dir)
	t.Setenv("GORACE", "atexit_sleep_ms=0") // the race detector waits a second at the end of each process
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	if os.Link(from, to) == nil {
		return
	}
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, data, 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func record(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(aRecord)
	if err != nil {
		t.Fatal(err)
	}
	return "record:" + path
}

// What is run, and that its output is read.
func TestBuilds(t *testing.T) {
	const ref = "1vwgtsjvrcklwk8zb85egcpn2"
	for _, test := range []struct {
		name  string
		path  []string
		place RecordRef
		want  fetch.Selector
		run   string
	}{
		{"docker", []string{"docker", "buildx"}, RecordRef{}, fetch.Selector{}, `docker ["buildx" "history" "export" "--finalize"]`},
		{"buildx alone", []string{"buildx"}, RecordRef{}, fetch.Selector{}, `buildx ["history" "export" "--finalize"]`},
		{"builder", []string{"buildx"}, RecordRef{Builder: "ci"}, fetch.Selector{}, `buildx ["history" "--builder=ci" "export" "--finalize"]`},
		{"refs", []string{"buildx"}, RecordRef{Builder: "ci", Refs: []string{"a", "b"}}, fetch.Selector{}, `buildx ["history" "--builder=ci" "export" "--finalize" "--" "a" "b"]`},
		{"wanted ref", []string{"buildx"}, RecordRef{}, fetch.Selector{Ref: ref}, `buildx ["history" "export" "--finalize" "--" "` + ref + `"]`},
		{"wanted target", []string{"buildx"}, RecordRef{}, fetch.Selector{Ref: "--all"}, `buildx ["history" "export" "--finalize"]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			install(t, test.path...)
			log := filepath.Join(t.TempDir(), "args")
			t.Setenv("FAKE_ARGS", log)
			t.Setenv("FAKE_DOCKER", record(t))
			t.Setenv("FAKE_BUILDX", record(t))
			builds, problems, err := New(test.place, Options{}).Builds(t.Context(), test.want)
			if err != nil || len(problems) > 0 || len(builds) != 1 {
				t.Fatalf("Builds() = %d builds, %v, %v; want one", len(builds), problems, err)
			}
			if b := builds[0]; b.ID == "" || len(b.Steps) == 0 {
				t.Errorf("build %q has %d steps", b.ID, len(b.Steps))
			}
			ran, err := os.ReadFile(log)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.run+"\n", string(ran)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A docker that knows no build records is no reason to give up where a buildx does.
func TestBuildsBesideDocker(t *testing.T) {
	install(t, "docker", "buildx")
	t.Setenv("FAKE_BUILDX", record(t))
	for _, said := range []string{
		"docker: unknown command: docker buildx\n\nRun 'docker --help' for more information",
		"unknown flag: --finalize\n\nUsage:  docker [OPTIONS] COMMAND [ARG...]\n\nRun 'docker --help' for more information",
		"docker: 'buildx' is not a docker command.\nSee 'docker --help'",
		"unknown flag: --finalize\nSee 'docker buildx --help'.",
	} {
		t.Setenv("FAKE_DOCKER", "say:"+said)
		if builds, _, err := New(RecordRef{}, Options{}).Builds(t.Context(), fetch.Selector{}); err != nil || len(builds) != 1 {
			t.Errorf("docker says %q: %d builds, %v; want one", said, len(builds), err)
		}
	}
}

func TestBuildsErrors(t *testing.T) {
	for _, test := range []struct {
		name, act string
		want      error
		text      string
	}{
		{"no plugin", "say:docker: unknown command: docker buildx\n\nRun 'docker --help' for more information", ErrNoCommand, "PATH"},
		{"plugin before history", "say:ERROR: unknown command: \"history\"", ErrOld, "too old"},
		{"history before export", "say:unknown flag: --finalize\nSee 'docker buildx history --help'.", ErrOld, "too old"},
		{"help instead", "print:Build with BuildKit\n\nUsage:\n  docker buildx [command]\n", ErrOld, "too old"},
		{"no daemon", "say:ERROR: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?", ErrBuilder, "Is the docker daemon running?"},
		{"no builder", `say:ERROR: no builder "ci" found`, ErrBuilder, `no builder "ci" found`},
		{"no records", "say:ERROR: no records found", ErrNoRecord, "no records found"},
		{"no record", `say:warning: something` + "\n" + `ERROR: no record found for ref "x"`, ErrNoRecord, `no record found for ref "x"`},
		{"a secret", "say:ERROR: DB_PASSWORD=hunter2secret is wrong", ErrBuilder, "DB_PASSWORD=***** is wrong"},
		{"nothing", "print:", ErrBuilder, "gave no record"},
		{"long complaint", "say:" + strings.Repeat("x", 1<<16), ErrBuilder, "xxx…"},
		{"no record in it", "print:hello", nil, "looks like plain text"},
		{"half a record", "print:\x1f\x8b\x08", nil, "cut off"},
	} {
		t.Run(test.name, func(t *testing.T) {
			install(t, "docker")
			t.Setenv("FAKE_DOCKER", test.act)
			_, _, err := New(RecordRef{Builder: "ci"}, Options{}).Builds(t.Context(), fetch.Selector{})
			if err == nil || !strings.Contains(err.Error(), test.text) || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("Builds() = %v; want %v with %q", err, test.want, test.text)
			}
			if err != nil && len(err.Error()) > 1000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
}

func TestBuildsWithoutCommand(t *testing.T) {
	install(t)
	if _, _, err := New(RecordRef{}, Options{}).Builds(t.Context(), fetch.Selector{}); !errors.Is(err, ErrNoCommand) {
		t.Errorf("Builds() = %v, want %v", err, ErrNoCommand)
	}
}

func TestRunBoundsOutput(t *testing.T) {
	install(t, "buildx")
	t.Setenv("FAKE_BUILDX", "flood:")
	_, err := run(t.Context(), 1<<20, commands()[0])
	if err == nil || !strings.Contains(err.Error(), "more than 1 MiB") {
		t.Errorf("run() = %v, want that it is too much", err)
	}
}

// The end of the context ends the command and what it started, whoever has its
// output.
func TestBuildsEndsAll(t *testing.T) {
	install(t, "docker")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("FAKE_DOCKER", "hang:"+l.Addr().String())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, _, err := New(RecordRef{}, Options{}).Builds(ctx, fetch.Selector{})
		ended <- err
	}()
	var running []net.Conn
	for range 2 { // the command and its child
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		running = append(running, c)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Builds() = %v, want %v", err, context.Canceled)
	}
	for _, c := range running {
		c.Read(make([]byte, 1)) // returns when the process is gone
		c.Close()
	}
}

func TestTail(t *testing.T) {
	last := &tail{most: 5}
	for _, p := range []string{"abc", "defgh", "ij"} {
		if n, err := io.WriteString(last, p); n != len(p) || err != nil {
			t.Fatalf("Write(%q) = %d, %v", p, n, err)
		}
	}
	if !bytes.Equal(last.data, []byte("fghij")) {
		t.Errorf("kept %q, want %q", last.data, "fghij")
	}
}
