package cli

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/internal/cli/clitest"
	"github.com/buildregress/buildregress/internal/console"
)

// A lasting change is told with what changed then.
func TestHistoryTellsCauses(t *testing.T) {
	list := slices.Concat(clitest.Builds(0, 20, "main", nil), clitest.Builds(20, 20, "main", map[string]float64{"compile": 60}))
	list = withReads(list, "shop/app")
	for i := range list {
		list[i].Facts.Sources = []timeline.Artifact{{Name: "golang:1.26 linux/amd64", Digest: "sha256:0123456789abcdef"}}
		if i >= 20 {
			list[i].Facts.Sources[0].Digest = "sha256:fedcba9876543210"
		}
		for k := range list[i].Steps {
			if s := &list[i].Steps[k]; strings.HasSuffix(s.Name, "compile") {
				s.Facts.Image = "golang:1.26 linux/amd64"
			}
		}
	}
	w := newWorkflow(t)
	w.write("builds.jsonl", list)
	for _, format := range []string{"text", "json", "html"} {
		var out, errs bytes.Buffer
		code := Run(t.Context(), Process{
			Args: []string{"history", "--format", format, filepath.Join(w.dir, "builds.jsonl")}, Getenv: func(string) string { return "" }, Stdin: strings.NewReader(""),
			Stdout: console.Output{Writer: &out}, Stderr: console.Output{Writer: &errs}, Clock: clitest.NewClock(clitest.Start).Now,
		})
		if text := strings.Join(strings.Fields(out.String()), " "); code != 0 || !strings.Contains(text, "is another image than before (") {
			t.Errorf("%s: exit code %d\n%s%s", format, code, &out, &errs)
		}
	}
}
