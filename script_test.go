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

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/fetch/builds"
)

var update = flag.Bool("update", false, "rewrite what scripts compare with")

func TestMain(m *testing.M) {
	if strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe") == "docker" {
		os.Exit(fakeDocker())
	}
	testscript.Main(m, map[string]func(){
		"buildregress": func() { os.Exit(run(context.Background(), scriptWorld(os.Args[1:]))) },
		// exits CODE ARGS… runs buildregress ARGS… and succeeds if it exits CODE.
		"exits": func() {
			code := run(context.Background(), scriptWorld(os.Args[2:]))
			if fmt.Sprint(code) != os.Args[1] {
				fmt.Fprintf(os.Stderr, "exit code %d, want %s\n", code, os.Args[1])
				os.Exit(1)
			}
		},
	})
}

// scriptWorld is the process's, but for the clock, which $NOW sets.
func scriptWorld(args []string) *world {
	now, err := time.Parse(time.RFC3339, os.Getenv("NOW"))
	if err != nil {
		panic(err)
	}
	return &world{args: args, env: os.Getenv, vars: os.Environ, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, now: now}
}

// scriptStart is when the first of the builds begins that a script makes.
var scriptStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

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
			e.Setenv("NOW", scriptStart.AddDate(0, 6, 0).Format(time.RFC3339))
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
// number FIRST and begins so many hours after scriptStart. Steps that are not
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
	ts.Check(builds.Encode(f, made(first, count, args[3], seconds)))
}

// made are builds as makeBuilds makes them, with the seconds of steps that do not
// take as long as they usually do.
func made(first, count int, branch string, seconds map[string]float64) (list []detect.Build) {
	usual := map[string]float64{"compile": 20, "deps": 40, "lint": 9, "test": 30, "pack": 5, "docs": 12}
	for i := first; i < first+count; i++ {
		b := detect.Build{
			ID: fmt.Sprintf("%s-%d", branch, i), Pipeline: "app", Origin: detect.Origin{Branch: branch, Revision: fmt.Sprintf("c%d", i)},
			Start: scriptStart.Add(time.Duration(i) * time.Hour),
		}
		for j, step := range []string{"deps", "compile", "lint", "test", "docs", "pack"} {
			took, said := seconds[step]
			if !said {
				took = usual[step]
			}
			noise := 1 + 0.03*float64((i*7+j*5)%11-5)/5
			d := time.Duration(took * noise * 1e9).Truncate(time.Millisecond)
			text := "RUN make " + step
			b.Steps = append(b.Steps, detect.Step{
				Key: dockerfile.Key("", "build", text), Name: fmt.Sprintf("[build %d/6] %s", j+1, text),
				Stage: "build", Index: j + 1, Count: 6, Start: b.Start.Add(b.Duration), Duration: d,
			})
			b.Duration += d
		}
		list = append(list, b)
	}
	return list
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
