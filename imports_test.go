package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/buildregress/buildregress"

// mayImport says what the packages of a folder may import, besides the standard
// library and packages below themselves.
func mayImport(folder, path string) bool {
	inside := func(p string) bool { return path == p || strings.HasPrefix(path, p+"/") }
	switch folder {
	case ".":
		return true
	case "detect":
		return inside(module+"/detect") || inside("gonum.org/v1/gonum")
	case "fetch":
		return inside(module+"/detect") || inside(module+"/fetch") || !inside(module) && !inside("github.com/urfave")
	case "report":
		return inside(module+"/detect") || inside(module+"/report") || !inside(module) && !inside("github.com/urfave")
	}
	return false
}

// knowGitHub are the folders that may know how GitHub is talked to.
var knowGitHub = []string{".", "fetch/github", "report/github"}

// ambient is what only the root package takes from the system.
var ambient = map[string][]string{
	"os":      {"Getenv", "LookupEnv", "Environ", "Exit", "Stdin", "Stdout", "Stderr", "Args", "Getwd"},
	"time":    {"Now", "Since", "Until", "Sleep", "After", "Tick"},
	"fmt":     {"Print", "Printf", "Println"},
	"log":     {"Print", "Printf", "Println", "Fatal", "Fatalf", "Fatalln", "Panic"},
	"os/exec": {"Command"},
}

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
		folder, _, nested := strings.Cut(filepath.ToSlash(path), "/")
		if !nested {
			folder = "."
		}
		checkFile(t, folder, path)
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
		if dir := filepath.ToSlash(filepath.Dir(path)); strings.HasPrefix(imported, "github.com/google/go-github/") && !slices.Contains(knowGitHub, dir) {
			t.Errorf("%s imports %s", path, imported)
		}
		first, _, _ := strings.Cut(imported, "/")
		if strings.Contains(first, ".") && !mayImport(folder, imported) {
			t.Errorf("%s imports %s", path, imported)
		}
	}
	if folder == "." {
		return
	}
	ast.Inspect(file, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := s.X.(*ast.Ident); ok && slices.Contains(ambient[names[x.Name]], s.Sel.Name) {
			t.Errorf("%s uses %s.%s", path, names[x.Name], s.Sel.Name)
		}
		return true
	})
}

// The top level holds what the design gives a place there, and nothing else.
func TestTopLevel(t *testing.T) {
	allowed := []string{
		"detect", "docs", "fetch", "report", "testdata", "action.yml", "go.mod", "go.sum",
		"README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md",
		"buildregress", "buildregress.exe", // as go build leaves it, ignored by git
	}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := e.Name()
		if !slices.Contains(allowed, name) && !strings.HasPrefix(name, ".") && !strings.HasSuffix(name, ".go") {
			t.Errorf("%s has no place at the top level", name)
		}
	}
}
