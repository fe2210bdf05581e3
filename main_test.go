package main

import (
	"archive/zip"
	"context"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch/builds"
	"github.com/buildregress/buildregress/fetch/file"
	"github.com/buildregress/buildregress/internal/cli"
	"github.com/buildregress/buildregress/internal/cli/clitest"
	"github.com/buildregress/buildregress/internal/console"
	"github.com/rogpeppe/go-internal/testscript"
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
		Stdout: console.Output{Writer: os.Stdout}, Stderr: console.Output{Writer: os.Stderr}, Clock: clitest.NewClock(now).Now,
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
			e.Setenv("GORACE", "atexit_sleep_ms=0") // the race detector waits a second at the end of each process
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
// that answer: the file of this name, an error on standard error, or "hang". Of a
// folder it is a docker whose builder keeps the records in it. Without one there is
// no docker.
func installDocker(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 1 {
		ts.Fatalf("usage: docker [ANSWER]")
	}
	path := filepath.SplitList(ts.Getenv("PATH"))[:1] // where buildregress is
	if len(args) == 1 {
		self, err := os.Executable()
		ts.Check(err)
		dir := ts.MkAbs("docker-bin")
		ts.Check(os.MkdirAll(dir, 0o700))
		name := "docker"
		if runtime.GOOS == "windows" {
			name += ".exe"
		}
		// A link, as a file cannot be run while any process has it open for writing: one
		// that another script starts just then has.
		docker := filepath.Join(dir, name)
		if _, err := os.Lstat(docker); err != nil && os.Link(self, docker) != nil {
			ts.Check(os.Symlink(self, docker))
		}
		path = append(path, dir)
		ts.Setenv("DOCKER_ANSWER", args[0])
	}
	ts.Setenv("PATH", strings.Join(path, string(filepath.ListSeparator)))
}

// fakeDocker is the docker of installDocker.
func fakeDocker() int {
	answer := os.Getenv("DOCKER_ANSWER")
	if answer == "hang" {
		return hang()
	}
	switch os.Args[2] {
	case "inspect":
		fmt.Print("Name: r\nDriver: remote\n\nNodes:\nName: r0\nEndpoint: tcp://builder.example:1234\nBuildKit version: v0.25.2\n")
		return 0
	case "version":
		fmt.Println("github.com/docker/buildx v0.29.1 a32761ae")
		return 0
	}
	if info, err := os.Stat(answer); err == nil && info.IsDir() {
		return fakeBuilder(answer, os.Args[1:])
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

// hang does not end for a minute, nor does what it started, which has its output.
func hang() int {
	if len(os.Args) > 1 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), "DOCKER_ANSWER=hang")
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		if child.Start() != nil {
			return 1
		}
	}
	time.Sleep(time.Minute)
	return 1
}

// fakeBuilder answers docker buildx history as a builder does that keeps the records in
// a folder, but that what it exports is a zip of them. With a file "hang" in the folder it
// never tells which there are.
func fakeBuilder(folder string, args []string) int {
	ctx := context.Background()
	paths, err := filepath.Glob(filepath.Join(folder, "*.dockerbuild"))
	if err != nil || len(paths) == 0 {
		fmt.Fprintln(os.Stderr, "ERROR: no records found")
		return 1
	}
	of := map[string]string{} // paths, by ref
	var kept []timeline.Build
	for _, path := range paths {
		list, _, err := file.Open(ctx, path, file.Options{})
		if err != nil {
			panic(err)
		}
		of[list[0].ID] = path
		kept = append(kept, list[0])
	}
	slices.SortFunc(kept, func(a, b timeline.Build) int { return b.Start.Compare(a.Start) })
	if slices.Contains(args, "ls") {
		if _, err := os.Stat(filepath.Join(folder, "hang")); err == nil {
			return hang()
		}
		for _, b := range kept {
			fmt.Printf("{\"ref\":\"r/r0/%s\",\"created_at\":%q,\"completed_at\":%q}\n", b.ID, b.Start.Format(time.RFC3339Nano), b.Start.Add(b.Duration).Format(time.RFC3339Nano))
		}
		return 0
	}
	refs := []string{kept[0].ID}
	if at := slices.Index(args, "--"); at >= 0 {
		refs = args[at+1:]
	}
	w := zip.NewWriter(os.Stdout)
	defer w.Close()
	for _, ref := range refs {
		data, err := os.ReadFile(of[ref])
		if err != nil {
			fmt.Fprintf(os.Stderr, "ERROR: no record found for ref %q\n", ref)
			return 1
		}
		member, err := w.Create(ref + ".dockerbuild")
		if err != nil {
			panic(err)
		}
		if _, err := member.Write(data); err != nil {
			panic(err)
		}
	}
	return 0
}

const module = "github.com/buildregress/buildregress"

// rooms says what the packages of a folder, and those below it, may import of the
// module: "x" is package x alone, "x/..." with all below it. The longest name that
// leads to a package's folder holds for it. Of others, only their use of what
// outsiders says is restricted.
var rooms = map[string][]string{
	".":                {"internal/cli", "internal/console"},
	"internal/cli":     {"internal/command", "internal/ci", "internal/console", "fetch/source", "fetch", "detect/...", "report"},
	"internal/command": {"internal/ci", "internal/console", "fetch/...", "report/...", "detect/..."},
	"internal/ci":      {"fetch", "detect/..."},
	"internal/console": {"report", "detect/redact"},
	"fetch":            {"fetch/...", "detect/..."},
	"report":           {"report/...", "detect/..."},
	"detect":           {"detect/..."},
}

// outsiders are packages of others that not every room may know, and those that may.
var outsiders = map[string][]string{
	"github.com/urfave/cli/":       {"internal/cli"},
	"github.com/google/go-github/": {"fetch/github", "fetch/source", "report/github"},
	"google.golang.org/grpc":       {"fetch/jaeger", "fetch/traces/tracetest"},
	"github.com/jaegertracing/":    {"fetch/jaeger", "fetch/spans", "fetch/traces/tracetest"},
	"github.com/schollz/":          {"internal/console"},
}

// mayImport tells whether the package in a folder may import a path.
func mayImport(folder, path string) bool {
	for outsider, known := range outsiders {
		if strings.HasPrefix(path, outsider) && !slices.Contains(known, folder) {
			return false
		}
	}
	room := roomOf(folder)
	inside, ours := strings.CutPrefix(path, module+"/")
	if !ours {
		return room != "detect" || strings.HasPrefix(path, "gonum.org/v1/gonum/")
	}
	return inside == folder || slices.ContainsFunc(rooms[room], func(may string) bool {
		below, all := strings.CutSuffix(may, "/...")
		return inside == below || all && strings.HasPrefix(inside, below+"/")
	})
}

// roomOf is the room that a folder belongs to, "" if it belongs to none.
func roomOf(folder string) string {
	for folder != "." {
		if _, ok := rooms[folder]; ok {
			return folder
		}
		parent, _, nested := cutLast(folder)
		if !nested {
			return ""
		}
		folder = parent
	}
	return "."
}

func cutLast(path string) (before, after string, found bool) {
	if i := strings.LastIndex(path, "/"); i >= 0 {
		return path[:i], path[i+1:], true
	}
	return path, "", false
}

// ambient is what only main takes from the system. The rest is handed it.
var ambient = map[string][]string{
	"os":      {"Getenv", "LookupEnv", "Environ", "Exit", "Stdin", "Stdout", "Stderr", "Args", "Getwd"},
	"time":    {"Now", "Since"},
	"fmt":     {"Print", "Printf", "Println"},
	"log":     {"Print", "Printf", "Println", "Fatal", "Fatalf", "Fatalln", "Panic"},
	"os/exec": {"Command"},
}

// timers wait for real time, which only the rooms below internal may.
var timers = []string{"Until", "Sleep", "After", "Tick"}

// The packages keep to the walls between them: nothing flows back, and what
// surrounds the process reaches them by way of arguments only.
func TestWalls(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		checkFile(t, filepath.ToSlash(filepath.Dir(path)), path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkFile(t *testing.T, folder, path string) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{} // of packages, as the file calls them
	for _, i := range file.Imports {
		imported := strings.Trim(i.Path.Value, `"`)
		name := imported[strings.LastIndex(imported, "/")+1:]
		if i.Name != nil {
			name = i.Name.Name
		}
		names[name] = imported
		first, _, _ := strings.Cut(imported, "/")
		if strings.Contains(first, ".") && !mayImport(folder, imported) {
			t.Errorf("%s imports %s", path, imported)
		}
	}
	if folder == "." || strings.HasSuffix(folder, "test") { // what helps tests is looked at by .ci/lint
		return
	}
	isInternal := strings.HasPrefix(folder, "internal/")
	ast.Inspect(file, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := s.X.(*ast.Ident)
		if !ok {
			return true
		}
		waits := names[x.Name] == "time" && slices.Contains(timers, s.Sel.Name) && !isInternal
		if waits || slices.Contains(ambient[names[x.Name]], s.Sel.Name) {
			t.Errorf("%s uses %s.%s", path, names[x.Name], s.Sel.Name)
		}
		return true
	})
}

// The judgement can be used as a library: what it exports can be taken in.
func TestDetectIsSmall(t *testing.T) {
	const most = 34
	files, err := filepath.Glob("detect/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.TypeSpec); ok && s.Name.IsExported() {
				types = append(types, s.Name.Name)
			}
			return true
		})
	}
	if len(types) == 0 || len(types) > most {
		t.Errorf("detect exports %d types, more than %d: %s", len(types), most, strings.Join(types, " "))
	}
}

// The top level holds what the design gives a place there, and nothing else.
func TestTopLevel(t *testing.T) {
	allowed := []string{
		"main.go", "main_test.go", "detect", "docs", "fetch", "internal", "report", "testdata", "action.yml", "go.mod", "go.sum",
		"README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md",
		"buildregress", "buildregress.exe", // as go build leaves it, ignored by git
	}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := e.Name()
		if !slices.Contains(allowed, name) && !strings.HasPrefix(name, ".") {
			t.Errorf("%s has no place at the top level", name)
		}
	}
}
