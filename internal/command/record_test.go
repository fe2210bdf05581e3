package command

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/builds"
	"github.com/buildregress/buildregress/fetch/source"
	"github.com/buildregress/buildregress/internal/cli/clitest"
	"github.com/buildregress/buildregress/internal/console"
)

// writeBuilds writes a builds file that is at least so large.
func writeBuilds(t *testing.T, path string, list []timeline.Build, size int64) {
	t.Helper()
	var out bytes.Buffer
	if err := builds.Encode(&out, list); err != nil {
		t.Fatal(err)
	}
	for int64(out.Len()) < size {
		out.WriteString(strings.Repeat("\n", 1<<20))
	}
	if err := os.WriteFile(path, out.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}

// recordEnv is the surroundings of a recording, some time after the builds of clitest.
func recordEnv(stdout *bytes.Buffer, stderr io.Writer) *Env {
	return &Env{
		Stdout: stdout, Console: &console.Console{Output: console.Output{Writer: stderr}}, Variables: func(string) string { return "" },
		Now: clitest.Start.AddDate(1, 0, 0), Clock: clitest.NewClock(clitest.Start.AddDate(1, 0, 0)).Now,
		Open: func(address string, _ fetch.Cache) (source.Source, error) {
			return source.Open(address, source.Options{})
		},
	}
}

// A large source that cannot be read is in trouble by itself: nothing was stopped, and the
// same command would not go on.
func TestRecordOfWhatCannotBeRead(t *testing.T) {
	t.Chdir(t.TempDir())
	writeBuilds(t, "good.jsonl", clitest.Builds(0, 3, "main", nil), 0)
	writeBuilds(t, "large.jsonl", clitest.Builds(3, 3, "main", nil), 9<<20)
	var stdout, stderr bytes.Buffer
	env := recordEnv(&stdout, &stderr)
	open := env.Open
	env.Open = func(address string, c fetch.Cache) (source.Source, error) {
		s, err := open(address, c)
		if address == "large.jsonl" {
			if s.Large == nil {
				t.Error("it is not large")
			}
			err = errors.Join(err, os.Remove(address))
		}
		return s, err
	}
	err := Record(t.Context(), env, &RecordOptions{Sources: []string{"large.jsonl", "good.jsonl"}, Store: "sqlite:" + filepath.Join(t.TempDir(), "s.db")})
	if !errors.Is(err, fs.ErrNotExist) || strings.Contains(stderr.String(), "stopped") || !strings.HasPrefix(stdout.String(), "3 builds read, 3 new") {
		t.Errorf("%v\n%s%s", err, &stdout, &stderr)
	}
}
