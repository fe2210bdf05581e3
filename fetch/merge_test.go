package fetch

import (
	"slices"
	"testing"

	"github.com/buildregress/buildregress/detect/timeline"
)

// Two nodes of one builder give their builds one id: what ran in them tells them apart.
func TestNodesOfOneBuild(t *testing.T) {
	node := func(content string, change func(*timeline.Build)) timeline.Build {
		return at("ref", 0, func(b *timeline.Build) {
			b.Content, b.Reader = content, timeline.ReaderVersion
			if change != nil {
				change(b)
			}
		})
	}
	amd, arm := node("aaaa", nil), node("bbbb", nil)
	for _, tt := range []struct {
		name   string
		builds []timeline.Build
		want   []string
	}{
		{"two nodes", []timeline.Build{amd, arm}, []string{"ref", "ref-bbbb"}},
		{"read twice", []timeline.Build{amd, arm, amd, arm}, []string{"ref", "ref-bbbb"}},
		{"the other first", []timeline.Build{arm, amd, arm}, []string{"ref", "ref-aaaa"}},
		{"one known by its own id", []timeline.Build{node("bbbb", func(b *timeline.Build) { b.ID = "ref-bbbb" }), amd, arm}, []string{"ref-bbbb", "ref"}},
		{"a part of one", []timeline.Build{node("cc", func(b *timeline.Build) { b.Partial = true }), amd}, []string{"ref"}},
		{"of another reader", []timeline.Build{node("cc", func(b *timeline.Build) { b.Reader = 0 }), amd}, []string{"ref"}},
		{"content not known", []timeline.Build{node("", nil), amd}, []string{"ref"}},
		{"in two pipelines", []timeline.Build{amd, node("bbbb", func(b *timeline.Build) { b.Pipeline = "q" })}, []string{"ref", "ref"}},
	} {
		got, clashes := Distinct(tt.builds)
		if !slices.Equal(ids(got), tt.want) || len(clashes) > 0 {
			t.Errorf("%s: %v, %v; want %v", tt.name, ids(got), clashes, tt.want)
		}
	}
}

// A build that was recorded by an older reader and is read again is as the newer reads it.
func TestMergeOfReaders(t *testing.T) {
	older := at("1", 0, func(b *timeline.Build) { b.Steps = []timeline.Step{{Key: "FROM", Duration: 11}} })
	newer := at("1", 0, func(b *timeline.Build) {
		b.Branch, b.Reader, b.Steps = "", timeline.ReaderVersion, []timeline.Step{{Key: "FROM", Duration: 8000, Rule: 1}}
	})
	m, more := Merge(&older, &newer)
	if !more || m.Steps[0].Duration != 8000 || m.Reader != timeline.ReaderVersion || m.Branch != "main" {
		t.Errorf("%+v, %v", m, more)
	}
	if m, more = Merge(&newer, &older); m.Steps[0].Duration != 8000 || !more || m.Branch != "main" {
		t.Errorf("the other way: %+v, %v", m, more)
	}
	newer.Partial = true
	if m, _ = Merge(&older, &newer); m.Steps[0].Duration != 11 {
		t.Error("a part took the place of the whole")
	}
}

// A recording that knows what a build was made of completes one that does not.
func TestMergeFacts(t *testing.T) {
	known := timeline.Build{ID: "x", Reader: 1, Steps: []timeline.Step{{Key: "a", ID: "1"}, {Key: "b", ID: "2"}}}
	seen := timeline.Build{
		ID: "x", Reader: 1, Facts: &timeline.Facts{Frontend: "f"}, Machine: &timeline.Machine{CPUs: 2},
		Steps: []timeline.Step{{Key: "a", ID: "1", Facts: &timeline.StepFacts{Op: "o"}}, {Key: "other", ID: "2", Facts: &timeline.StepFacts{Op: "p"}}},
	}
	steps := known.Steps
	merged, more := Merge(&known, &seen)
	if !more || merged.Facts != seen.Facts || merged.Machine != seen.Machine || merged.Steps[0].Facts != seen.Steps[0].Facts {
		t.Errorf("more: %v, %+v", more, merged)
	}
	if merged.Steps[1].Facts != nil || steps[0].Facts != nil {
		t.Error("another step's facts were taken, or the known build was changed")
	}
	if _, again := Merge(&merged, &seen); again {
		t.Error("the same again added something")
	}
}
