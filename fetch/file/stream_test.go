package file

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch/builds"
	"github.com/google/go-cmp/cmp"
)

// largeFile is a builds file of so many builds, larger than largeFrom, with a bad line.
func largeFile(t *testing.T, n int) string {
	t.Helper()
	var list []timeline.Build
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	log := strings.Repeat("x", largeFrom/n)
	for i := range n {
		list = append(list, timeline.Build{
			ID: "b" + start.Add(time.Duration(i)).Format("150405.000000000"), Pipeline: "p", Start: start.Add(time.Duration(i) * time.Minute), Duration: time.Second,
			Log: []string{log[:min(len(log), 1000)], log[:min(len(log), 2000)], log, log}, Steps: []timeline.Step{{Name: "RUN x", Key: "RUN x", Duration: time.Second}},
		})
	}
	path := filepath.Join(t.TempDir(), "large.jsonl")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := builds.Encode(f, list[:n/2]); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("{\"id\":7}\n\n"); err != nil {
		t.Fatal(err)
	}
	if err := builds.Encode(f, list[n/2:]); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestLargeIsRead checks that a file that is read piece by piece has the same builds, in
// the same order, as one that is read at once.
func TestLargeIsRead(t *testing.T) {
	const n = 3000
	path := largeFile(t, n)
	want, warnings, err := Open(t.Context(), path, Options{})
	if err != nil || len(want) != n || len(warnings) != 1 {
		t.Fatalf("%d builds, %v, %v", len(want), warnings, err)
	}
	large := OpenLarge(path)
	if large == nil {
		t.Fatal("it is not taken for a large one")
	}
	survey, err := large.Look(t.Context())
	if err != nil || survey.Builds != n+1 || !survey.Newest.Equal(want[n-1].Start) {
		t.Errorf("a look tells %v, %v", survey, err)
	}
	var got []timeline.Build
	pieces := 0
	problems, err := large.Stream(t.Context(), func(list []timeline.Build) error {
		got = append(got, list...)
		pieces++
		return nil
	})
	if err != nil || pieces < 3 {
		t.Fatalf("%d pieces, %v", pieces, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if problems == nil || problems.Error() != warnings[0].Error() {
		t.Errorf("problems are %v, want %v", problems, warnings)
	}

	stop := errors.New("stop")
	if _, err := large.Stream(t.Context(), func([]timeline.Build) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("after an error it is %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := large.Stream(ended, func([]timeline.Build) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("when its time is over it is %v", err)
	}
}

// TestLargeIsBuildsFile checks that nothing else is taken for a large builds file.
func TestLargeIsBuildsFile(t *testing.T) {
	for name, text := range map[string]string{
		"small":    `{"id":"a","steps":[{"name":"x","duration_seconds":1}]}` + "\n",
		"progress": strings.Repeat("#1 [1/2] RUN x\n", largeFrom/10),
		"trace":    strings.Repeat(`{"resourceSpans":[]}`+"\n", largeFrom/10),
		"one line": `{"id":"a","log":["` + strings.Repeat("x", largeFrom) + `"],"steps":[]}`,
	} {
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if OpenLarge(path) != nil {
			t.Errorf("%s is taken for one", name)
		}
	}
	if OpenLarge(t.TempDir()) != nil || OpenLarge("not there") != nil {
		t.Error("what is no file is taken for one")
	}
}
