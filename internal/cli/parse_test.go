package cli

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/fetch/source"
	"github.com/buildregress/buildregress/internal/cli/clitest"
	"github.com/buildregress/buildregress/internal/command"
	"github.com/buildregress/buildregress/internal/console"
	"github.com/google/go-cmp/cmp"
)

func TestParseDuration(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"0": 0, "90s": 90 * time.Second, "30d": 30 * day, "1.5d": 36 * time.Hour, "1d12h": 36 * time.Hour, "1d0.5s": day + 500*time.Millisecond,
	} {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("parseDuration(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "d", "3", "-1s", "-1d", "1d-1h", "1h1d", "1e9d", "99999999999d", "1dd", "NaN", "infd", "2000000h2000000h"} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("parseDuration(%q) = %v", text, got)
		}
	}
}

func TestEnvironment(t *testing.T) {
	t.Chdir(t.TempDir())
	env := map[string]string{
		"BUILDREGRESS_WINDOW":   "20",
		"BUILDREGRESS_BRANCH":   " ",
		"BUILDREGRESS_PIPELINE": "a, b",
		"BUILDREGRESS_OUTPUT":   "json=a b.json\r\n\ntext=x,y\n",
		"BUILDREGRESS_FORMAT":   "json",
	}
	p := &Process{Getenv: func(name string) string { return env[name] }, Environ: func() []string { return nil }}
	s, err := commandNamed("check").parse(p, map[string]given{"format": {[]string{"text"}, "--format"}})
	if err != nil {
		t.Fatal(err)
	}
	want := []command.OutputFile{{Format: "json", Path: "a b.json"}, {Format: "text", Path: "x,y"}}
	if s.thresholds.Window != 20 || s.branch != "" || s.pipeline != "a, b" || s.format != "text" || !cmp.Equal(s.output, want) {
		t.Errorf("%+v", s)
	}
	for field, from := range map[any]string{&s.thresholds.Window: "BUILDREGRESS_WINDOW", &s.branch: "", &s.format: "--format", &s.lookback: ""} {
		if s.from[field] != from {
			t.Errorf("said in %q, want %q", s.from[field], from)
		}
	}
}

// The defaults are those of the rooms that they are for.
func TestDefaults(t *testing.T) {
	s := newSettings()
	if s.thresholds != detect.DefaultThresholds {
		t.Errorf("%+v", s.thresholds)
	}
	if s.store != source.DefaultStore || s.timeout != 2*time.Minute || s.record != command.Auto || s.keep != 0 {
		t.Errorf("%+v", s)
	}
}

// All that is wrong with a command line is told at once, with what to do.
func TestAllFaultsAtOnce(t *testing.T) {
	t.Chdir(t.TempDir())
	config := "fdr: 7\nwidow: 3\nsteps:\n- min-delta: soon\n"
	if err := os.WriteFile(configPath, []byte(config), 0o666); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"BUILDREGRESS_MIN_DELTA": "soon"}
	var errs bytes.Buffer
	code := Run(t.Context(), Process{
		Args:   strings.Fields("check a b --widow=3 --window two --explain x --format json --output xml=y --baseline nowhere://x --branch"),
		Getenv: func(name string) string { return env[name] }, Stderr: console.Output{Writer: &errs}, Clock: clitest.NewClock(clitest.Start).Now,
	})
	if code != command.ExitUsage {
		t.Errorf("exit code %d", code)
	}
	contains(t, "standard error", errs.String(),
		"error: unknown flag --widow\nbuildregress: hint: did you mean --window?\n", "error: --branch needs a value\n",
		"--window: \"two\" is not", "BUILDREGRESS_MIN_DELTA: \"soon\" is not", "--output: format \"xml\" is not", "one SOURCE expected, and then \"b\"",
		configPath+":1: fdr: \"7\" is not", configPath+":2: unknown key \"widow\"\nbuildregress: hint: keys are window",
		configPath+":4: \"soon\" is not a duration", "--explain: explanations are text", "nowhere://x: no source is known as nowhere://")
}

func TestUnknownVariables(t *testing.T) {
	got := unknownVariables([]string{"HOME=/", "BUILDREGRESS_WINDOW=3", "BUILDREGRESS_X=", "BUILDREGRESS=1", "BUILDREGRESS_MINDELTA=1=2"})
	if diff := cmp.Diff([]string{"BUILDREGRESS_MINDELTA", "BUILDREGRESS_X"}, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte("window: 20\nfail-on: [regressed, unsure]\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("- x\n---\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseConfig("c.yaml", data)
		if err != nil {
			if !errors.As(err, new(usageError)) {
				t.Errorf("%v is no usage error", err)
			}
			return
		}
		for name, value := range c.said {
			if len(value.values) == 0 || allowedInConfig("", name) != nil {
				t.Errorf("%s: %v", name, value)
			}
		}
	})
}
