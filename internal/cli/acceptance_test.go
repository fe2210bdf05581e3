package cli

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/internal/cli/clitest"
	"github.com/buildregress/buildregress/internal/command"
	"github.com/buildregress/buildregress/internal/console"
	"github.com/buildregress/buildregress/report"
)

// alpha are recordings of fifty builds of one image, in four formats each: 000
// to 029 are of main; what was done to the others stands in builds.json.
var alpha = map[string]string{
	"dockerbuild": "%03d.dockerbuild", "rawjson": "%03d.jsonl.gz", "otlp": "%03d.json.gz", "jaeger": "%03d.json.gz",
}

// inProcess runs buildregress as one command of a shell would, on a day long
// after the recordings.
func inProcess(tb testing.TB, args ...string) (code int, stdout string) {
	tb.Helper()
	var out, errs bytes.Buffer
	code = Run(tb.Context(), Process{
		Args: args, Getenv: func(string) string { return "" }, Stdin: strings.NewReader(""), Stdout: console.Output{Writer: &out}, Stderr: console.Output{Writer: &errs},
		Clock: clitest.NewClock(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)).Now,
	})
	if code == command.ExitUsage || code == command.ExitTrouble {
		tb.Fatalf("buildregress %s: exit code %d\n%s", strings.Join(args, " "), code, &errs)
	}
	return code, out.String()
}

// An alphaStore is a store that holds the builds of main, read from one format.
type alphaStore struct{ format, url string }

func newAlphaStore(tb testing.TB, format string) alphaStore {
	tb.Helper()
	s := alphaStore{format, "sqlite:" + filepath.Join(tb.TempDir(), "history.db")}
	args := []string{"record", "--store", s.url, "--branch", "main"}
	for i := range 30 {
		args = append(args, s.file(i))
	}
	inProcess(tb, args...)
	return s
}

func (s alphaStore) file(i int) string {
	return filepath.Join(root, "testdata/builds/alpha", s.format, fmt.Sprintf(alpha[s.format], i))
}

// check judges a build of the branch, and returns exit code and result.
func (s alphaStore) check(tb testing.TB, i int, record string) (code int, r *detect.Result) {
	tb.Helper()
	code, out := inProcess(tb, "check", "--store", s.url, "--branch", "feature", "--base-branch", "main", "--record", record,
		"--min-delta", "30ms", "--min-slowdown", "10%", "--format", "json", s.file(i))
	rep, err := report.ReadJSON(strings.NewReader(out))
	if err != nil || len(rep.Results) != 1 {
		tb.Fatalf("build %03d: %d results, %v", i, len(rep.Results), err)
	}
	if code != rep.ExitCode {
		tb.Errorf("build %03d: exit code %d, the report says %d", i, code, rep.ExitCode)
	}
	return code, &rep.Results[0]
}

// called are the keys of the steps with one of the statuses.
func called(r *detect.Result, statuses ...detect.Status) (keys []string) {
	for _, s := range r.Steps {
		for _, status := range statuses {
			if s.Status == status {
				keys = append(keys, s.Key)
			}
		}
	}
	return keys
}

// exactly tells whether there is one key, and it is of that step.
func exactly(keys []string, step string) bool {
	return len(keys) == 1 && strings.Contains(keys[0], "/knobs/"+step)
}

func TestAlpha(t *testing.T) {
	const slower, suspect = detect.StatusSlower, detect.StatusSuspect
	for format := range alpha {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			s := newAlphaStore(t, format)
			for i := 30; i < 50; i++ {
				code, r := s.check(t, i, "never")
				loud, wrong := called(r, slower, suspect), ""
				switch {
				case i <= 37 || i == 45:
					if code != command.ExitOK || len(called(r, slower)) > 0 {
						wrong = "nothing was changed"
					}
					if (i == 30 || i == 33 || i == 36) && len(called(r, detect.StatusCacheLost)) > 0 {
						wrong = "the loss of the cache was the author's doing"
					}
				case i <= 41:
					if len(loud) > 0 && !exactly(loud, "compile") {
						wrong = "at most the compile step is slower"
					}
				case i == 44:
					if code != command.ExitVerdict || r.Verdict != detect.Regressed || !exactly(loud, "integration") || !exactly(called(r, slower), "integration") {
						wrong = "the integration step took three times as long"
					}
				case i <= 43 || i == 46:
					if !exactly(loud, "compile") {
						wrong = "the compile step took twice as long"
					}
				case i <= 48:
					if len(called(r, slower)) > 0 || !r.RunnerFactor.Unusual() || r.RunnerFactor.Value < 1 {
						wrong = "the whole machine was slow"
					}
				default:
					if r.Verdict != detect.Unjudged || r.Build.FailedStep == "" {
						wrong = "the build failed"
					}
				}
				if wrong != "" {
					t.Errorf("build %03d: %s, but exit code %d, %s, %q loud, cache lost at %q, failed at %q",
						i, wrong, code, r.Verdict, loud, called(r, detect.StatusCacheLost), r.Build.FailedStep)
				}
			}
		})
	}
}

// What one build cannot prove, three of a branch can.
func TestAlphaBranch(t *testing.T) {
	for format := range alpha {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			s := newAlphaStore(t, format)
			s.check(t, 42, "always")
			s.check(t, 43, "always")
			code, r := s.check(t, 46, "always")
			loud := called(r, detect.StatusSlower, detect.StatusSuspect)
			if code != command.ExitVerdict || r.Verdict != detect.Regressed || !exactly(loud, "compile") || !exactly(called(r, detect.StatusSlower), "compile") {
				t.Errorf("the third build: exit code %d, %s, %q loud", code, r.Verdict, loud)
			}
		})
	}
}

// Of a build that failed, the report shows where and the last lines of its log,
// where the recording holds them.
func TestFailedBuild(t *testing.T) {
	for _, file := range []string{"dockerbuild/failed.dockerbuild", "rawjson/failed.jsonl.gz"} {
		store := "sqlite:" + filepath.Join(t.TempDir(), "history.db")
		for _, format := range []string{"text", "markdown", "json"} {
			code, out := inProcess(t, "check", "--store", store, "--format", format, filepath.Join(root, "testdata/builds/beta", file))
			for _, want := range []string{"judged", "sh work.sh test 3 --fail", "test: --- FAIL: TestRoundTrip (0.02s)"} {
				if code != command.ExitOK || !strings.Contains(out, want) {
					t.Errorf("%s as %s: exit code %d, no %q in\n%s", file, format, code, want, out)
				}
			}
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	s := newAlphaStore(b, "dockerbuild")
	for b.Loop() {
		s.check(b, 44, "never")
	}
}
