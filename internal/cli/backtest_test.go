package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/backtest"
	"github.com/buildregress/buildregress/detect/dockerfile"
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
	if err := json.Unmarshal([]byte(out), &b); err != nil || code != exitOK || b.SchemaVersion != detect.SchemaVersion {
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
		if verdicts[r.Verdict]++; code == exitVerdict {
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
	files := append([]string{"--branch", "main", "testdata/builds/alpha/dockerbuild"}, fine...)
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

// longHistory is n builds of main of so many steps each, a few of them executed
// rarely, as of a builds file.
func longHistory(n, steps int) []detect.Build {
	rng := rand.New(rand.NewPCG(7, 7))
	list := make([]detect.Build, n)
	for i := range list {
		b := &list[i]
		*b = detect.Build{ID: fmt.Sprint("b", i), Pipeline: "app", Origin: detect.Origin{Branch: "main", Revision: fmt.Sprintf("%07x", i)}, Start: scriptStart.Add(time.Duration(i) * time.Hour)}
		for k := range steps {
			text := fmt.Sprintf("RUN make part%d", k)
			s := detect.Step{
				Key: dockerfile.Key("", "build", text), Name: fmt.Sprintf("[build %d/%d] %s", k+1, steps, text), Stage: "build", Index: k + 1, Count: steps,
				Start: b.Start.Add(b.Duration), Duration: time.Duration(float64(2+k%9) * 1e9 * math.Exp(0.08*rng.NormFloat64())),
			}
			if k%10 == 0 && i%10 != 0 {
				s.State, s.Duration = detect.Cached, 0
			}
			b.Steps = append(b.Steps, s)
			b.Duration += s.Duration
		}
	}
	return list
}

// Of more cases than are tried, the same are drawn each time, and it is said.
func TestBacktestDraws(t *testing.T) {
	var plan backtestPlan
	plan.policy.Thresholds, plan.inject, plan.builds = detect.DefaultThresholds, 3, 200
	w := &world{stderr: io.Discard, env: func(string) string { return "" }, now: scriptStart}
	names := &namer{now: w.now}
	names.given.baseBranch = "main"
	const most = 20
	replay := func() *backtest.Injection {
		r := newReplayer(w, &plan, names, longHistory(20, 12))
		r.maxCases = most
		out, _, err := r.replay(t.Context(), "app")
		if err != nil {
			t.Fatal(err)
		}
		return out.Injection
	}
	a := replay()
	if a.Possible <= most || a.Cases != most || a.Seed != caseSeed || a.Looks[0].Cases != most {
		t.Errorf("%d cases of %d, seed %d", a.Cases, a.Possible, a.Seed)
	}
	if b := replay(); !cmp.Equal(a, b) {
		t.Error(cmp.Diff(a, b))
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
		code := run(t.Context(), &world{
			args: []string{"backtest", "--branch", "main", "testdata/builds/alpha/dockerbuild"}, env: func(string) string { return "" },
			stdout: &out, stderr: &errs, errTerminal: terminal, now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC),
		})
		shown := strings.Contains(errs.String(), "\rreplaying ")
		if code != exitOK || shown != terminal || !terminal && errs.Len() > 0 || strings.Contains(out.String(), "\r") {
			t.Errorf("terminal %v: exit code %d, on standard error %q", terminal, code, errs.String())
		}
		if terminal && !strings.HasSuffix(errs.String(), "\r\x1b[K") {
			t.Errorf("the line is left behind: %q", errs.String())
		}
	}
}

func TestInParallel(t *testing.T) {
	done := make([]bool, 1000)
	if err := inParallel(t.Context(), len(done), func(i int) error { done[i] = true; return nil }); err != nil {
		t.Fatal(err)
	}
	for i, d := range done {
		if !d {
			t.Fatalf("%d is not done", i)
		}
	}
	if err := inParallel(t.Context(), 1000, func(i int) error { return fmt.Errorf("number %d", i) }); err == nil || !strings.HasPrefix(err.Error(), "number ") {
		t.Errorf("error %v", err)
	}
	if err := inParallel(t.Context(), 3, func(int) error { panic("oh") }); err == nil || !strings.Contains(err.Error(), "internal error: oh") {
		t.Errorf("of a panic: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := inParallel(ctx, 3, func(int) error { t.Error("done in spite of the end"); return nil }); err != context.Canceled {
		t.Errorf("when it is over: %v", err)
	}
}

// BenchmarkBacktest replays 1,000 builds of 40 steps; "asking" is what it costs
// without the judgement.
func BenchmarkBacktest(b *testing.B) {
	var plan backtestPlan
	plan.policy.Thresholds, plan.builds, plan.lookback = detect.DefaultThresholds, 1000, 30*24*time.Hour
	w := &world{stderr: io.Discard, env: func(string) string { return "" }, now: scriptStart}
	names := &namer{now: w.now}
	names.given.baseBranch = "main"
	list := longHistory(1000, 40)
	for _, inject := range []float64{0, 1.5} {
		b.Run(fmt.Sprintf("inject=%g", inject), func(b *testing.B) {
			plan.inject = inject
			for b.Loop() {
				if _, _, err := newReplayer(w, &plan, names, list).replay(b.Context(), "app"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("asking", func(b *testing.B) {
		for b.Loop() {
			r := newReplayer(w, &plan, names, list)
			err := inParallel(b.Context(), len(list), func(i int) error {
				_, err := r.memory.History(b.Context(), r.query(&list[i]))
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

// A server is replayed by way of a file, and it is told how.
func TestBacktestOfServer(t *testing.T) {
	s := newTraced(t)
	if code, _, stderr := s.run(nil, "backtest", s.http); code != exitUsage || !strings.Contains(stderr, "/api/traces?service=buildx") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}
