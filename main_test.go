package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/buildregress/buildregress/fetch/builds"
	"github.com/buildregress/buildregress/internal/cli"
	"github.com/buildregress/buildregress/internal/cli/clitest"
	"github.com/buildregress/buildregress/internal/console"
)

var update = flag.Bool("update", false, "rewrite what scripts compare with")

func TestMain(m *testing.M) {
	if strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe") == "docker" {
		os.Exit(fakeDocker())
	}
	testscript.Main(m, map[string]func(){
		"buildregress": func() { os.Exit(cli.Run(context.Background(), scriptProcess(os.Args[1:]))) },
		// exits CODE ARGS… runs buildregress ARGS… and succeeds if it exits CODE.
		"exits": func() {
			code := cli.Run(context.Background(), scriptProcess(os.Args[2:]))
			if fmt.Sprint(code) != os.Args[1] {
				fmt.Fprintf(os.Stderr, "exit code %d, want %s\n", code, os.Args[1])
				os.Exit(1)
			}
		},
	})
}

// scriptProcess is this process, but for the clock, which $NOW sets.
func scriptProcess(args []string) cli.Process {
	now, err := time.Parse(time.RFC3339, os.Getenv("NOW"))
	if err != nil {
		panic(err)
	}
	return cli.Process{
		Args: args, Getenv: os.Getenv, Environ: os.Environ, Stdin: os.Stdin,
		Stdout: console.Output{Writer: os.Stdout}, Stderr: console.Output{Writer: os.Stderr}, Now: now,
	}
}

func TestScript(t *testing.T) {
	recordings, err := filepath.Abs("testdata/builds")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("NOW", clitest.Start.AddDate(0, 6, 0).Format(time.RFC3339))
			e.Setenv("RECORDINGS", recordings)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"builds": makeBuilds, "docker": installDocker},
	})
}

// makeBuilds is the script command
//
//	builds FILE FIRST COUNT BRANCH [STEP=SECONDS…]
//
// It adds to a builds file COUNT builds of BRANCH, the first of which is build
// number FIRST and begins so many hours after clitest.Start. Steps that are not
// given take as long as they usually do; all vary by a few percent.
func makeBuilds(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 {
		ts.Fatalf("usage: builds FILE FIRST COUNT BRANCH [STEP=SECONDS…]")
	}
	first, err := strconv.Atoi(args[1])
	ts.Check(err)
	count, err := strconv.Atoi(args[2])
	ts.Check(err)
	seconds := map[string]float64{}
	for _, a := range args[4:] {
		step, value, _ := strings.Cut(a, "=")
		seconds[step], err = strconv.ParseFloat(value, 64)
		ts.Check(err)
	}
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	ts.Check(err)
	defer f.Close()
	ts.Check(builds.Encode(f, clitest.Builds(first, count, args[3], seconds)))
}

// installDocker is the script command
//
//	docker [ANSWER]
//
// From then on nothing but buildregress is on the PATH, and a docker that gives
// that answer: the file of this name, an error on standard error, or "hang".
// Without one there is no docker.
func installDocker(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 1 {
		ts.Fatalf("usage: docker [ANSWER]")
	}
	path := filepath.SplitList(ts.Getenv("PATH"))[:1] // where buildregress is
	if len(args) == 1 {
		self, err := os.Executable()
		ts.Check(err)
		data, err := os.ReadFile(self)
		ts.Check(err)
		dir := ts.MkAbs("docker-bin")
		ts.Check(os.MkdirAll(dir, 0o700))
		name := "docker"
		if runtime.GOOS == "windows" {
			name += ".exe"
		}
		ts.Check(os.WriteFile(filepath.Join(dir, name), data, 0o700))
		path = append(path, dir)
		ts.Setenv("DOCKER_ANSWER", args[0])
	}
	ts.Setenv("PATH", strings.Join(path, string(filepath.ListSeparator)))
}

// fakeDocker is the docker of installDocker.
func fakeDocker() int {
	answer := os.Getenv("DOCKER_ANSWER")
	if answer == "hang" {
		// What it started has its output and does not end with it.
		if len(os.Args) > 1 {
			child := exec.Command(os.Args[0])
			child.Stdout, child.Stderr = os.Stdout, os.Stderr
			if child.Start() != nil {
				return 1
			}
		}
		time.Sleep(time.Minute)
		return 1
	}
	record, err := os.ReadFile(answer)
	if err != nil {
		fmt.Fprintln(os.Stderr, answer)
		return 1
	}
	fmt.Fprintf(os.Stderr, "docker %q\n", os.Args[1:])
	os.Stdout.Write(record)
	return 0
}
