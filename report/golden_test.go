package report

import (
	"bytes"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/stepname"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

const goldenRoot = "../testdata/golden"

// golden compares got with a golden file, or writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join(goldenRoot, filepath.FromSlash(name))
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs; go test ./report -update writes it anew (-want +got):\n%s", name, diff)
	}
}

func render(t testing.TB, write func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	for _, f := range fixtures() {
		t.Run(f.name, func(t *testing.T) {
			text := func(o TextOptions) string {
				return render(t, func(w io.Writer) error { return Text(w, f.report, o) })
			}
			golden(t, "text/"+f.name+".txt", text(TextOptions{}))
			if f.name == "regressed" || f.name == "cache-loss" || f.name == "hostile" {
				golden(t, "text/"+f.name+"-40.txt", text(TextOptions{Width: 40}))
				golden(t, "text/"+f.name+"-120.txt", text(TextOptions{Width: 120}))
				golden(t, "text/"+f.name+"-color.txt", text(TextOptions{Color: true}))
			}
			golden(t, "markdown/"+f.name+".md", render(t, func(w io.Writer) error { return Markdown(w, f.report, Code{}) }))

			golden(t, "junit/"+f.name+".xml", render(t, func(w io.Writer) error { return JUnit(w, f.report) }))

			document := render(t, func(w io.Writer) error { return JSON(w, f.report) })
			if f.name != "200-steps" { // a third of a megabyte that shows nothing new
				golden(t, "json/"+f.name+".json", document)
			}
			back, err := ReadJSON(strings.NewReader(document))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(f.report, back, cmpopts.EquateEmpty()); diff != "" && f.name != "hostile" {
				t.Errorf("read back (-want +got):\n%s", diff)
			}
			if again := render(t, func(w io.Writer) error { return JSON(w, back) }); again != document {
				t.Error("what was read back renders differently")
			}
		})
	}
}

func TestColorChangesNothingElse(t *testing.T) {
	for _, f := range fixtures() {
		plain := render(t, func(w io.Writer) error { return Text(w, f.report, TextOptions{}) })
		colored := render(t, func(w io.Writer) error { return Text(w, f.report, TextOptions{Color: true}) })
		if got := stepname.Sequences.ReplaceAllString(colored, ""); got != plain {
			t.Errorf("%s: colours change the text: %s", f.name, cmp.Diff(plain, got))
		}
	}
}

func TestRenderingLeavesTheReportAlone(t *testing.T) {
	for _, f := range fixtures() {
		render(t, func(w io.Writer) error { return Text(w, f.report, TextOptions{}) })
		render(t, func(w io.Writer) error { return Markdown(w, f.report, Code{}) })
		render(t, func(w io.Writer) error { return JSON(w, f.report) })
	}
	for i, f := range fixtures() {
		want := fixtures()[i].report
		render(t, func(w io.Writer) error { return JSON(w, f.report) })
		if diff := cmp.Diff(want, f.report); diff != "" {
			t.Errorf("%s changed:\n%s", f.name, diff)
		}
	}
}

func TestMarkdownIsBounded(t *testing.T) {
	big := reportOf(manySteps(2000))
	for i := range big.Results[0].Steps {
		big.Results[0].Steps[i].Status = detect.StatusSlower
		big.Results[0].Steps[i].Name = strings.Repeat("`&<", 300) + big.Results[0].Steps[i].Name
	}
	many := make([]detect.Result, 150)
	for i := range many {
		many[i] = manySteps(10)
	}
	for name, r := range map[string]*detect.Report{"2000 slow steps": big, "150 targets": reportOf(many...), "hostile": hostileReport(strings.Repeat("@#<&", 1<<18))} {
		text := render(t, func(w io.Writer) error { return Markdown(w, r, Code{}) })
		if len(text) > maxMarkdown {
			t.Errorf("%s: %d bytes, want at most %d", name, len(text), maxMarkdown)
		}
		if name != "hostile" && !strings.Contains(text, "left out here") {
			t.Errorf("%s: does not say what was left out", name)
		}
	}
}

func TestJSONHoldsWhatCannotBeEncoded(t *testing.T) {
	r := reportOf(regressedResult())
	s := &r.Results[0].Steps[3]
	s.Ratio, s.P, s.Q, s.MinDetectable, s.Evidence.Value = math.NaN(), math.NaN(), math.Inf(1), math.Inf(1), math.Inf(-1)
	r.Results[0].RunnerFactor.Low = math.NaN()
	r.Results[0].Cache.Losses = []detect.CacheLoss{{Share: math.NaN()}}
	r.Results[0].Build.Start = time.Date(123456, 1, 1, 0, 0, 0, 0, time.UTC)
	document := render(t, func(w io.Writer) error { return JSON(w, r) })
	if strings.Contains(document, "null") {
		t.Error("null stands in it")
	}
	back, err := ReadJSON(strings.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	if got := back.Results[0].Steps[3]; got.Ratio != 0 || got.P != 1 || got.Q != 1 {
		t.Errorf("ratio, p, q = %v, %v, %v, want 0, 1, 1", got.Ratio, got.P, got.Q)
	}
	render(t, func(w io.Writer) error { return Text(w, r, TextOptions{}) })
	if text := render(t, func(w io.Writer) error { return Markdown(w, r, Code{}) }); strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
		t.Error("NaN or Inf is shown")
	}
}

func TestReadJSONErrors(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"empty", "", "no JSON report of buildregress"},
		{"no object", "[]", "no JSON report of buildregress"},
		{"something else", `{"results":[]}`, "it has no schema_version"},
		{"newer", `{"schema_version":3}`, "report of schema version 3: this buildregress reads versions 1 and 2"},
		{"wrong verdict", `{"schema_version":1,"verdict":"great"}`, "verdict"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := ReadJSON(strings.NewReader(test.in))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("ReadJSON(%q) = %v, want %q in it", test.in, err, test.want)
			}
		})
	}
}

func BenchmarkRender(b *testing.B) {
	r := reportOf(manySteps(200))
	for _, format := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{"text", func(w io.Writer) error { return Text(w, r, TextOptions{}) }},
		{"markdown", func(w io.Writer) error { return Markdown(w, r, Code{}) }},
		{"json", func(w io.Writer) error { return JSON(w, r) }},
	} {
		b.Run(format.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := format.write(io.Discard); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
