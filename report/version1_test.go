package report

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/buildregress/buildregress/detect"
)

// What version 1 wrote is rendered as it was then, and written anew it is a document
// of this version.
func TestReadVersion1(t *testing.T) {
	files, err := filepath.Glob("../testdata/version1/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			r := readVersion1(t, file)
			golden(t, "text/"+name+".txt", render(t, func(w io.Writer) error { return Text(w, r, TextOptions{}) }))
			golden(t, "markdown/"+name+".md", render(t, func(w io.Writer) error { return Markdown(w, r, Code{}) }))
			document := render(t, func(w io.Writer) error { return JSON(w, r) })
			back, err := ReadJSON(strings.NewReader(document))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(r, back); diff != "" || back.SchemaVersion != detect.SchemaVersion {
				t.Errorf("written as version %d, and read back (-want +got):\n%s", back.SchemaVersion, diff)
			}
		})
	}
}

func readVersion1(t *testing.T, file string) *detect.Report {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := ReadJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestKindsOfVersion1(t *testing.T) {
	document := `{"schema_version":1,"notes":["a"],"results":[{"reason":"too little history: 3 of 8 builds of main","notes":["b"],
		"wall_clock":{"parts":[{"cause":"cache-loss"}]},"cache":{"losses":[{"cause":"c"}]},
		"steps":[{"reason":"ignored: d","notes":["edited; was ` + "`e`" + `","accepted since f","by a rule of its own: g","level shifted since h"]}]}]}`
	r, err := ReadJSON(strings.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	one := &r.Results[0]
	got := append([]detect.Note{r.Notes[0], one.Reason, one.Notes[0], one.Cache.Losses[0].Cause, one.Steps[0].Reason}, one.Steps[0].Notes...)
	want := []detect.Note{
		{Text: "a"},
		{Kind: detect.KindTooLittleHistory, Text: "too little history: 3 of 8 builds of main"},
		{Text: "b"},
		{Text: "c"},
		{Kind: detect.KindIgnored, Text: "ignored: d"},
		{Kind: detect.KindEdited, Text: "edited; was `e`"},
		{Kind: detect.KindAccepted, Text: "accepted since f"},
		{Kind: detect.KindOwnThresholds, Text: "by a rule of its own: g"},
		{Kind: detect.KindLevelShift, Text: "level shifted since h"},
	}
	if diff := cmp.Diff(want, got); diff != "" || one.WallClock.Parts[0].Cause != detect.CauseCacheLoss {
		t.Errorf("notes (-want +got):\n%s\npart %q", diff, one.WallClock.Parts[0].Cause)
	}
}
