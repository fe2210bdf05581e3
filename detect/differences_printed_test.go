package detect

import (
	"slices"
	"strings"
	"testing"

	"github.com/buildregress/buildregress/detect/timeline"
)

// printingHistory is an app's of which is known what a step printed; change makes of each
// build what else it was.
func printingHistory(change func(n int, b *timeline.Build, s *timeline.Step)) *History {
	h := usedHistory()
	for i := range h.Base {
		b := &h.Base[i]
		for j := range b.Steps {
			s := &b.Steps[j]
			s.Facts = &timeline.StepFacts{Op: "o"}
			if s.Name == compile {
				change(i, b, s)
			}
		}
	}
	return h
}

// explainedStep is what is told of compiling, three times as slow, in a build that change
// made what it was.
func explainedStep(t *testing.T, h *History, change func(b *timeline.Build, s *timeline.Step)) *StepResult {
	t.Helper()
	b := edit("x", 100, slow(compile, 3))
	b.Facts = &timeline.Facts{}
	for i := range b.Steps {
		s := &b.Steps[i]
		if s.Facts = (&timeline.StepFacts{Op: "o"}); s.Name == compile {
			s.Usage = used(41, 2)
			change(&b, s)
		}
	}
	r := Judge(&b, h, defaults)
	r.Explain(&b, h, nil)
	return stepOf(t, &r, compile)
}

// wantCause wants the first cause to be of a kind, and as sure.
func wantCause(t *testing.T, s *StepResult, kind Kind, certainty Certainty, says string) {
	t.Helper()
	if len(s.Causes) == 0 || s.Causes[0].Kind != kind || s.Causes[0].Certainty != certainty || !strings.Contains(s.Causes[0].Text, says) {
		t.Errorf("causes %+v, want %s %s: %s", s.Causes, certainty, kind, says)
	}
}

// Other versions than before are the reason, unless they are others in every build.
func TestCausesByVersions(t *testing.T) {
	h := printingHistory(func(_ int, _ *timeline.Build, s *timeline.Step) {
		s.Usage.Versions = []string{"curl 8.7.1", "libcurl 8.7.1"}
	})
	for _, test := range []struct {
		now  []string
		sum  string
		says string
	}{
		{[]string{"curl 8.8.0", "libcurl 8.7.1"}, "", "it installs `curl 8.8.0` (before: 8.7.1)"},
		{[]string{"curl 8.8.0", "libcurl 8.8.0"}, "", "`curl 8.8.0` (before: 8.7.1) and another"},
		{[]string{"brotli 1.0", "curl 8.7.1", "libcurl 8.7.1"}, "", "`brotli 1.0`, which is new"},
		{[]string{"curl 8.7.1"}, "", "no `libcurl` any more"},
		{[]string{"curl 8.7.1", "libcurl 8.7.1"}, "other", "other versions than before"},
	} {
		s := explainedStep(t, h, func(_ *timeline.Build, s *timeline.Step) { s.Usage.Versions, s.Usage.VersionsSum = test.now, test.sum })
		wantCause(t, s, KindDependency, Likely, test.says)
	}
	same := explainedStep(t, h, func(_ *timeline.Build, s *timeline.Step) { s.Usage.Versions = []string{"curl 8.7.1", "libcurl 8.7.1"} })
	wantCause(t, same, KindNothingRecorded, Possible, "nothing")
	if !slices.ContainsFunc(same.RuledOut, func(n Note) bool { return n.Kind == KindDependency }) {
		t.Errorf("ruled out %+v, and not the versions", same.RuledOut)
	}
	// What is found in a cache prints nothing, and is no other version.
	silent := explainedStep(t, h, func(_ *timeline.Build, s *timeline.Step) { s.Usage.Versions = nil })
	wantCause(t, silent, KindNothingRecorded, Possible, "nothing")

	nightly := printingHistory(func(n int, _ *timeline.Build, s *timeline.Step) {
		s.Usage.Versions = []string{"tool 1." + string(rune('A'+n))}
	})
	s := explainedStep(t, nightly, func(_ *timeline.Build, s *timeline.Step) { s.Usage.Versions = []string{"tool 2.0"} })
	wantCause(t, s, KindNothingRecorded, Possible, "nothing")
}

// Where the time went within a step is told if it is one silence that was never so long.
func TestCausesByPhase(t *testing.T) {
	gap := func(before, after string, s float64) timeline.Gap {
		return timeline.Gap{Before: before, After: after, Seconds: timeline.Seconds(seconds(s))}
	}
	h := printingHistory(func(n int, _ *timeline.Build, s *timeline.Step) {
		s.Usage.Gaps = []timeline.Gap{gap("link", "done", 20+float64(n%3)), gap("fetch", "resolve", 5)}
	})
	for _, test := range []struct {
		name string
		gaps []timeline.Gap
		want Kind
		says string
	}{
		{"the same lines", []timeline.Gap{gap("fetch", "resolve", 90), gap("link", "done", 21)}, KindPhase, "between `fetch` and `resolve`, usually 5 s"},
		{"other lines", []timeline.Gap{gap("fetch", "new", 90), gap("link", "done", 21)}, KindPhase, "and never for more than 22 s before"},
		{"before the first line", []timeline.Gap{gap("", "resolve", 90)}, KindPhase, "before `resolve`"},
		{"after the last line", []timeline.Gap{gap("done", "", 90)}, KindPhase, "after `done`"},
		{"as usual", []timeline.Gap{gap("link", "done", 22), gap("fetch", "resolve", 5)}, KindNothingRecorded, "nothing"},
		{"a little of everything", []timeline.Gap{gap("link", "done", 45), gap("fetch", "resolve", 14)}, KindNothingRecorded, "nothing"},
		{"no lines", nil, KindNothingRecorded, "nothing"},
	} {
		s := explainedStep(t, h, func(_ *timeline.Build, s *timeline.Step) { s.Usage.Gaps = test.gaps })
		certainty := Is
		if test.want == KindNothingRecorded {
			certainty = Possible
		}
		t.Run(test.name, func(t *testing.T) { wantCause(t, s, test.want, certainty, test.says) })
	}
	// It says where, and not why: it is told with what differs.
	s := explainedStep(t, h, func(_ *timeline.Build, s *timeline.Step) {
		s.Usage.Gaps, s.Facts.Op = []timeline.Gap{gap("fetch", "resolve", 90)}, "other"
	})
	wantCause(t, s, KindInstruction, Likely, "executed for it has changed, though it is written as before (it printed nothing for 90 s between")
}

// A registry that refuses, and a cache that grows, are told by the builder.
func TestCausesThatTheBuilderTells(t *testing.T) {
	h := printingHistory(func(_ int, _ *timeline.Build, s *timeline.Step) { s.Usage.Layers = 3 })
	ofBuilder := func(limited, retries int64) func(*timeline.Build, *timeline.Step) {
		return func(_ *timeline.Build, s *timeline.Step) {
			s.Index, s.Count, s.Usage.Limited, s.Usage.Retries = 0, 0, limited, retries
		}
	}
	wantCause(t, explainedStep(t, h, ofBuilder(3, 2)), KindRegistry, Likely, "a registry refused 3 requests as too many (429), and the builder tried 2 requests again")
	wantCause(t, explainedStep(t, h, ofBuilder(3, 0)), KindRegistry, Likely, "a registry refused 3 requests as too many (429)")
	wantCause(t, explainedStep(t, h, ofBuilder(0, 1)), KindRegistry, Likely, "the builder tried 1 request again")
	cache := explainedStep(t, h, func(_ *timeline.Build, s *timeline.Step) { s.Usage.Layers = 14 })
	wantCause(t, cache, KindCacheExport, Is, "a cache of 14 layers, and never wrote more than 3")
	usual := explainedStep(t, h, func(_ *timeline.Build, s *timeline.Step) { s.Usage.Layers = 4 })
	wantCause(t, usual, KindNothingRecorded, Possible, "nothing")
}

// What a step of the Dockerfile prints, as a test does of a server that it plays, is possible
// at most, and takes nothing from what is known.
func TestCausesThatAStepPrints(t *testing.T) {
	h := printingHistory(func(_ int, _ *timeline.Build, s *timeline.Step) {
		s.Usage.Gaps = []timeline.Gap{{Before: "link", After: "done", Seconds: timeline.Seconds(seconds(5))}}
	})
	for says, change := range map[string]func(*timeline.Step){
		"it printed that a server refused 3 requests as too many (429)": func(s *timeline.Step) { s.Usage.Limited, s.Usage.Retries = 3, 2 },
		"it printed that it tried 1 request again":                      func(s *timeline.Step) { s.Usage.Retries = 1 },
	} {
		alone := explainedStep(t, h, func(_ *timeline.Build, s *timeline.Step) { change(s) })
		wantCause(t, alone, KindRegistry, Possible, says)
		edited := explainedStep(t, h, func(_ *timeline.Build, s *timeline.Step) { s.Facts.Op = "other"; change(s) })
		wantCause(t, edited, KindInstruction, Likely, "executed for it has changed")
		if last := edited.Causes[len(edited.Causes)-1]; len(edited.Causes) != 2 || last.Certainty != Possible || last.Text != says {
			t.Errorf("causes %+v", edited.Causes)
		}
		silent := explainedStep(t, h, func(_ *timeline.Build, s *timeline.Step) {
			change(s)
			s.Usage.Gaps = []timeline.Gap{{Before: "link", After: "done", Seconds: timeline.Seconds(seconds(90))}}
		})
		wantCause(t, silent, KindPhase, Is, "it printed nothing for 90 s")
	}
}

// What built is a possible reason where both builds tell, and something else goes before.
func TestCausesByBuilder(t *testing.T) {
	h := printingHistory(func(_ int, b *timeline.Build, _ *timeline.Step) {
		b.Facts.Builder = &timeline.Builder{BuildKit: "v0.24.0", Runner: "ubuntu24 1"}
	})
	newer := explainedStep(t, h, func(b *timeline.Build, _ *timeline.Step) {
		b.Facts.Builder = &timeline.Builder{BuildKit: "v0.25.2", Runner: "ubuntu24 1"}
	})
	wantCause(t, newer, KindBuilder, Possible, "BuildKit changed (`v0.24.0` → `v0.25.2`)")
	image := explainedStep(t, h, func(b *timeline.Build, _ *timeline.Step) {
		b.Facts.Builder = &timeline.Builder{BuildKit: "v0.24.0", Runner: "ubuntu24 2"}
	})
	wantCause(t, image, KindRunnerImage, Possible, "the runner's image changed (`ubuntu24 1` → `ubuntu24 2`)")
	unknown := explainedStep(t, h, func(b *timeline.Build, _ *timeline.Step) { b.Facts.Builder = nil })
	wantCause(t, unknown, KindNothingRecorded, Possible, "nothing")
	emulated := explainedStep(t, h, func(b *timeline.Build, _ *timeline.Step) {
		b.Facts.Builder = &timeline.Builder{BuildKit: "v0.24.0"}
		b.Facts.Warnings = []string{wrongPlatform + ": Base image was pulled with platform linux/arm64, expected linux/amd64", "StageNameCasing: no reason"}
	})
	wantCause(t, emulated, KindWarning, Possible, "for the first time: `InvalidBaseImagePlatform: ")
}
