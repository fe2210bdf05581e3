package cli

import (
	"testing"
	"time"

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
	env := map[string]string{
		"BUILDREGRESS_WINDOW":   "20",
		"BUILDREGRESS_BRANCH":   " ",
		"BUILDREGRESS_PIPELINE": "a, b",
		"BUILDREGRESS_OUTPUT":   "json=a b.json\r\n\ntext=x,y\n",
		"BUILDREGRESS_FORMAT":   "json",
	}
	s := settings{"format": {[]string{"text"}, "--format"}}
	s.addEnvironment(checkOptions, func(name string) string { return env[name] })
	want := map[string][]string{
		"window": {"20"}, "pipeline": {"a, b"}, "output": {"json=a b.json", "text=x,y"}, "format": {"text"},
	}
	got := map[string][]string{}
	for name, said := range s {
		got[name] = said.values
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
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
		said, _, err := parseConfig("c.yaml", data)
		if err != nil {
			if _, ok := err.(usageError); !ok {
				t.Errorf("%v is no usage error", err)
			}
			return
		}
		for name, value := range said {
			if len(value.values) == 0 || allowedInConfig("", name) != nil {
				t.Errorf("%s: %v", name, value)
			}
		}
	})
}
