// Package docs holds the manual. Its tests keep the pages in step with each other
// and with the code.
package docs

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/buildregress/buildregress/detect"
)

// pages are the texts of all that people read of the manual, by path from the root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("*.md")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	texts := map[string]string{}
	for _, p := range append(paths, "../README.md", "../CONTRIBUTING.md", "../CHANGELOG.md") {
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		texts[path.Join("docs", filepath.ToSlash(p))] = string(data)
	}
	return texts
}

var (
	fenced  = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	link    = regexp.MustCompile(`\]\(([^)\s]*)\)`)
	picture = regexp.MustCompile(`<[^>]*(src|srcset)="([^"]*)"[^>]*>`)
	marks   = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// prose is a page without its fenced blocks.
func prose(page string) string { return fenced.ReplaceAllString(page, "") }

// anchors are the names that GitHub gives the headings of a page.
func anchors(page string) map[string]bool {
	names := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(prose(page), -1) {
		name := marks.ReplaceAllString(strings.ToLower(m[1]), "")
		names[strings.ReplaceAll(name, " ", "-")] = true
	}
	return names
}

// Links lead to pages and files that are there, and to headings on them.
func TestLinks(t *testing.T) {
	texts := pages(t)
	n := 0
	for at, text := range texts {
		for _, m := range link.FindAllStringSubmatch(prose(text), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			n++
			to := at
			if target != "" {
				to = path.Join(path.Dir(at), target)
			}
			if _, err := os.Stat(filepath.Join("..", filepath.FromSlash(to))); err != nil {
				t.Errorf("%s links to %s, which is not there", at, m[1])
			} else if anchor != "" && !anchors(texts[to])[anchor] {
				t.Errorf("%s links to %s, and no heading there has that name", at, m[1])
			}
		}
	}
	if n == 0 {
		t.Error("no link found")
	}
}

// Pictures are there, and say in words what is on them.
func TestPictures(t *testing.T) {
	n := 0
	for at, text := range pages(t) {
		for _, m := range picture.FindAllStringSubmatch(text, -1) {
			n++
			if _, err := os.Stat(filepath.Join("..", filepath.FromSlash(path.Join(path.Dir(at), m[2])))); err != nil {
				t.Errorf("%s shows %s, which is not there", at, m[2])
			}
			if m[1] == "src" && !strings.Contains(m[0], `alt="`) {
				t.Errorf("%s does not say what is on %s", at, m[2])
			}
		}
	}
	if n == 0 {
		t.Error("no picture found")
	}
}

// Every page begins with the same line of links to all others, and README leads to
// each.
func TestNavigation(t *testing.T) {
	texts := pages(t)
	first, _, _ := strings.Cut(texts["docs/map.md"], "\n")
	for at, text := range texts {
		name, ok := strings.CutPrefix(at, "docs/")
		if !ok {
			continue
		}
		if line, _, _ := strings.Cut(text, "\n"); line != first {
			t.Errorf("%s begins with another line of links than docs/map.md", at)
		}
		if !strings.Contains(first, "("+name+")") {
			t.Errorf("the first line of the pages does not lead to %s", at)
		}
		if !strings.Contains(texts["README.md"], "("+at+")") {
			t.Errorf("README.md does not lead to %s", at)
		}
	}
}

// README is an overview.
func TestReadmeIsShort(t *testing.T) {
	const most = 150
	if n := strings.Count(pages(t)["README.md"], "\n"); n >= most {
		t.Errorf("README.md has %d lines, want less than %d", n, most)
	}
}

// What the pages show of YAML is YAML. Their workflows are looked at by .ci/lint.
func TestYAML(t *testing.T) {
	n := 0
	for at, text := range pages(t) {
		for _, m := range fenced.FindAllStringSubmatch(text, -1) {
			if m[1] != "yaml" {
				continue
			}
			n++
			var document any
			if err := yaml.Unmarshal([]byte(m[2]), &document); err != nil {
				t.Errorf("%s: %v in\n%s", at, err, m[2])
			}
		}
	}
	if n < 10 {
		t.Errorf("%d blocks of YAML", n)
	}
}

// Every field of the JSON report is described.
func TestReportFields(t *testing.T) {
	page := pages(t)["docs/reports.md"]
	seen := map[reflect.Type]bool{reflect.TypeFor[detect.Basis](): true, reflect.TypeFor[time.Time](): true}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || seen[typ] {
			return
		}
		seen[typ] = true
		for f := range typ.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name != "" && !strings.Contains(page, "`"+name+"`") && !strings.Contains(page, `"`+name+`"`) {
				t.Errorf("docs/reports.md does not say what %s is, of a %s", name, typ.Name())
			}
			walk(f.Type)
		}
	}
	walk(reflect.TypeFor[detect.Report]())
}

// The map of the code has every room.
func TestMap(t *testing.T) {
	page := pages(t)["docs/map.md"]
	rooms := map[string]bool{}
	err := filepath.WalkDir("..", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != ".." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return fs.SkipDir
		}
		if strings.HasSuffix(p, ".go") && !strings.HasSuffix(p, "_test.go") {
			rooms[path.Join("docs", filepath.ToSlash(filepath.Dir(p)))] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for room := range rooms {
		if room != "." && !strings.HasSuffix(room, "test") && !strings.Contains(page, "`"+room+"`") {
			t.Errorf("docs/map.md does not say what %s is", room)
		}
	}
}

// The fuzz targets that CONTRIBUTING names exist.
func TestFuzzTargets(t *testing.T) {
	found := regexp.MustCompile(`go test (\S+) .*-fuzz='\^(\w+)\$'`).FindAllStringSubmatch(pages(t)["CONTRIBUTING.md"], -1)
	if len(found) == 0 {
		t.Fatal("CONTRIBUTING.md shows no fuzz target")
	}
	for _, m := range found {
		files, err := filepath.Glob(filepath.Join("..", filepath.FromSlash(m[1]), "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(files, func(file string) bool {
			data, err := os.ReadFile(file)
			return err == nil && strings.Contains(string(data), "func "+m[2]+"(")
		}) {
			t.Errorf("CONTRIBUTING.md names %s in %s, which is not there", m[2], m[1])
		}
	}
}

// Each field of a build's origin has its row in the table of who is believed: a rank
// for each of those that can say it, from 1 on, without gaps.
func TestWhoIsBelieved(t *testing.T) {
	page := pages(t)["docs/configuration.md"]
	_, table, ok := strings.Cut(page, "| Field | Flag | Build | CI system | Git checkout | Otherwise |\n|:--|:--|:--|:--|:--|:--|\n")
	if !ok {
		t.Fatal("docs/configuration.md has no table of who is believed")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	var fields []string
	for row := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(row, "|\n "), " | ")
		fields = append(fields, cells[0])
		var ranks []string
		for _, cell := range cells[1 : len(cells)-1] {
			if rank, _, _ := strings.Cut(cell, " "); rank != "–" {
				ranks = append(ranks, rank)
			}
		}
		slices.Sort(ranks)
		if want := []string{"1", "2", "3", "4"}[:len(ranks)]; !slices.Equal(ranks, want) || len(cells) != 6 {
			t.Errorf("%s is said by %v, want %v", cells[0], ranks, want)
		}
	}
	want := []string{"pipeline", "repository", "revision", "branch", "base branch", "base repository", "pull request", "url", "runner"}
	if !slices.Equal(fields, want) {
		t.Errorf("fields are %q, want %q", fields, want)
	}
}
