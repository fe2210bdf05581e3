package cli

import (
	"bytes"
	"encoding/json"
	"math"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/backtest"
	"github.com/buildregress/buildregress/internal/cli/clitest"
	"github.com/buildregress/buildregress/internal/command"
	"github.com/buildregress/buildregress/internal/console"
)

// alphaHistory is a store that holds the recorded builds as they were made: thirty
// of main, and twenty of a branch.
func alphaHistory(tb testing.TB) (url string) {
	s := newAlphaStore(tb, "dockerbuild")
	args := []string{"record", "--store", s.url, "--branch", "feature"}
	for i := 30; i < 50; i++ {
		args = append(args, s.file(i))
	}
	inProcess(tb, args...)
	return s.url
}

var fine = []string{"--min-delta", "30ms", "--min-slowdown", "10%"}

func backtestJSON(tb testing.TB, args ...string) (b backtest.Report) {
	tb.Helper()
	code, out := inProcess(tb, append([]string{"backtest", "--format", "json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &b); err != nil || code != command.ExitOK || b.SchemaVersion != detect.SchemaVersion {
		tb.Fatalf("exit code %d, schema version %d, %v", code, b.SchemaVersion, err)
	}
	return b
}

// What a backtest says of a build is what check said when the build was new.
func TestBacktestIsCheck(t *testing.T) {
	s := newAlphaStore(t, "dockerbuild")
	var stopped []string
	verdicts := map[detect.Verdict]int{}
	for i := 30; i < 50; i++ {
		code, r := s.check(t, i, "always")
		if verdicts[r.Verdict]++; code == command.ExitVerdict {
			stopped = append(stopped, r.Build.ID)
		}
	}
	// Those of main, by files in their order.
	fresh := "sqlite:" + filepath.Join(t.TempDir(), "history.db")
	for i := range 30 {
		_, out := inProcess(t, append([]string{"check", "--store", fresh, "--branch", "main", "--record", "always", "--fail-on", "never", "--format", "json", s.file(i)}, fine...)...)
		var r detect.Report
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatal(err)
		}
		verdicts[r.Verdict]++
	}
	got := backtestJSON(t, append([]string{"--store", s.url, "--base-branch", "main"}, fine...)...)
	if len(got.Results) != 1 {
		t.Fatalf("%d pipelines", len(got.Results))
	}
	var ids []string
	for _, b := range got.Results[0].Stopped {
		ids = append(ids, b.ID)
	}
	if diff := cmp.Diff(stopped, ids); diff != "" {
		t.Errorf("builds that check stopped (-), and backtest (+):\n%s", diff)
	}
	if diff := cmp.Diff(verdicts, got.Results[0].Verdicts); diff != "" {
		t.Errorf("verdicts of check (-), and of backtest (+):\n%s", diff)
	}
	if len(stopped) == 0 {
		t.Error("nothing was stopped: this shows nothing")
	}
}

// The same history says the same, from the store or from files, on one processor or
// on several.
func TestBacktestIsDeterministic(t *testing.T) {
	url := alphaHistory(t)
	args := append([]string{"backtest", "--store", url, "--inject", "2"}, fine...)
	_, want := inProcess(t, args...)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for range 2 {
		if _, got := inProcess(t, args...); got != want {
			t.Error(cmp.Diff(want, got))
		}
	}
	runtime.GOMAXPROCS(1)
	if _, got := inProcess(t, args...); got != want {
		t.Error(cmp.Diff(want, got))
	}
	files := append([]string{"--branch", "main", filepath.Join(root, "testdata/builds/alpha/dockerbuild")}, fine...)
	fromFiles := backtestJSON(t, files...)
	if r := fromFiles.Results[0]; r.Builds != 50 || r.Judged != 41 {
		t.Errorf("from files: %d builds, %d judged", r.Builds, r.Judged)
	}
}

func TestBacktestInjects(t *testing.T) {
	url := alphaHistory(t)
	args := append([]string{"--store", url, "--base-branch", "main"}, fine...)
	if b := backtestJSON(t, args...); b.Results[0].Injection != nil {
		t.Error("injected, and nobody asked")
	}
	found := func(factor string) *backtest.Injection {
		return backtestJSON(t, append(args, "--inject", factor)...).Results[0].Injection
	}
	large, small := found("3"), found("1.2")
	for k, l := range large.Looks {
		if l.Builds != k+1 || l.Cases < 50 || l.Found < small.Looks[k].Found || math.Abs(l.Found-float64(l.Slower)/float64(l.Cases)) > 1e-9 {
			t.Errorf("×3 at build %d: %+v; ×1.2: %+v", k+1, l, small.Looks[k])
		}
	}
	if large.Looks[0].Found < 0.5 || large.Looks[2].Found < 0.9 || large.Cases != large.Possible || large.Seed != 0 {
		t.Errorf("×3: %+v", large)
	}
}

// Only so many of the newest builds are replayed; those before are their history.
func TestBacktestOfTheNewest(t *testing.T) {
	url := alphaHistory(t)
	got := backtestJSON(t, append([]string{"--store", url, "--builds", "5"}, fine...)...)
	if r := got.Results[0]; r.Builds != 5 || r.Judged != 4 || r.Verdicts[detect.Unjudged] != 1 {
		t.Errorf("%d builds, %d judged, %v", r.Builds, r.Judged, r.Verdicts)
	}
}

// Progress is for people who look at a terminal.
func TestBacktestProgress(t *testing.T) {
	for _, terminal := range []bool{false, true} {
		var out, errs bytes.Buffer
		code := Run(t.Context(), Process{
			Args: []string{"backtest", "--branch", "main", filepath.Join(root, "testdata/builds/alpha/dockerbuild")}, Getenv: func(string) string { return "" },
			Stdout: console.Output{Writer: &out}, Stderr: console.Output{Writer: &errs, Terminal: terminal}, Clock: clitest.NewClock(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)).Now,
		})
		shown := strings.Contains(errs.String(), "\rreplaying ")
		if code != command.ExitOK || shown != terminal || !terminal && errs.Len() > 0 || strings.Contains(out.String(), "\r") {
			t.Errorf("terminal %v: exit code %d, on standard error %q", terminal, code, errs.String())
		}
		if terminal && !strings.HasSuffix(errs.String(), "   \r") {
			t.Errorf("the line is left behind: %q", errs.String())
		}
	}
}

// A server is replayed by way of a file, and it is told how.
func TestBacktestOfServer(t *testing.T) {
	s := newTraced(t)
	if code, _, stderr := s.run(nil, "backtest", s.http); code != command.ExitUsage || !strings.Contains(stderr, "/api/traces?service=buildx") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}
