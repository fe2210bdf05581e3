package buildkit

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/google/go-cmp/cmp"
)

// seenUnder are the builds of one bake, whose steps stand under its targets: "api: [lib 1/2]
// COPY a, [api 1/1] RUN b". "!" in front of a step is one of its own where others have it too.
func seenUnder(bake int, targets ...string) (list []timeline.Build) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(bake) * time.Hour)
	for _, text := range targets {
		name, steps, _ := strings.Cut(text, ":")
		b := timeline.Build{
			ID: fmt.Sprint(name, bake), Trace: fmt.Sprint("trace", bake), Pipeline: "shop " + name, Target: name,
			Origin: timeline.Origin{Branch: "main"}, Start: start, Duration: time.Minute, Partial: true,
		}
		at := start
		for s := range strings.SplitSeq(steps, ", ") {
			if s = strings.TrimSpace(s); s == "" {
				continue
			}
			own, isOwn := strings.CutPrefix(s, "!")
			parsed := dockerfile.ParseName(own)
			id := fmt.Sprint(own, bake)
			if isOwn {
				id += name
			}
			b.Steps = append(b.Steps, timeline.Step{
				ID: id, Name: own, Key: dockerfile.Key(parsed.Platform, parsed.Stage, parsed.Text), Stage: parsed.Stage, Index: parsed.Index, Count: parsed.Count,
				Start: at, Duration: time.Second,
			})
			at = at.Add(time.Second)
		}
		list = append(list, b)
	}
	return list
}

// A bake's steps go to the targets that earlier bakes have seen to need them.
func TestCompleteBake(t *testing.T) {
	const lib = "[lib 1/2] COPY a, [lib 2/2] RUN a"
	for name, test := range map[string]struct {
		past   [][]string // the oldest first
		bake   []string
		want   []string // the steps of each target, by their texts
		untold string
	}{
		"a shared stage goes to and fro": {
			[][]string{{"api: " + lib + ", [api 1/1] RUN b", "web: [web 1/1] RUN c"}, {"api: [api 1/1] RUN b", "web: " + lib + ", [web 1/1] RUN c"}},
			[]string{"api: " + lib + ", [api 1/1] RUN b", "web: [web 1/1] RUN c"},
			[]string{"COPY a, RUN a, RUN b", "RUN c, COPY a, RUN a"},
			"",
		},
		"one target alone ever had it": {
			[][]string{{"api: " + lib, "web: [web 1/1] RUN c"}},
			[]string{"api: " + lib, "web: [web 1/1] RUN c"},
			[]string{"COPY a, RUN a", "RUN c"},
			"",
		},
		"nothing tells": {
			nil, []string{"api: " + lib, "web: [web 1/1] RUN c"}, []string{"COPY a, RUN a", "RUN c"}, "[lib 1/2] COPY a, [lib 2/2] RUN a, [web 1/1] RUN c",
		},
		"each has its own, and one was cached": {
			[][]string{{"api: ![lib 1/1] RUN a", "web: ![lib 1/1] RUN a"}, {"api: ", "web: ![lib 1/1] RUN a"}},
			[]string{"api: ![lib 1/1] RUN a", "web: "},
			[]string{"RUN a", ""},
			"",
		},
		"each has its own": {
			[][]string{{"api: [lib 1/1] RUN a", "web: "}, {"api: ", "web: [lib 1/1] RUN a"}},
			[]string{"api: ![lib 1/1] RUN a", "web: ![lib 1/1] RUN a"},
			[]string{"RUN a", "RUN a"},
			"",
		},
		"another step before it makes it another one": {
			[][]string{{"api: [lib 1/2] COPY api, [lib 2/2] RUN a", "web: "}, {"api: ", "web: [lib 1/2] COPY web, [lib 2/2] RUN a"}},
			[]string{"api: [lib 1/2] COPY api, [lib 2/2] RUN a", "web: "},
			[]string{"COPY api, RUN a", ""},
			"",
		},
		"who needs a step needs those before it": {
			[][]string{{"api: " + lib, "web: "}, {"api: ", "web: [lib 2/2] RUN a"}},
			[]string{"api: " + lib, "web: "},
			[]string{"COPY a, RUN a", "COPY a, RUN a"},
			"",
		},
		"an edited step is needed as the rest of its stage is": {
			[][]string{{"api: " + lib, "web: "}, {"api: ", "web: " + lib}},
			[]string{"api: [lib 1/2] COPY a, [lib 2/2] RUN new", "web: "},
			[]string{"COPY a, RUN new", "COPY a, RUN new"},
			"",
		},
		"a line more": {
			[][]string{{"api: " + lib, "web: "}, {"api: ", "web: " + lib}},
			[]string{"api: [lib 1/3] COPY a, [lib 2/3] RUN new, [lib 3/3] RUN a", "web: "},
			[]string{"COPY a, RUN new, RUN a", "COPY a, RUN new, RUN a"},
			"",
		},
		"an edited step of one target": {
			[][]string{{"api: [api 1/2] COPY a, [api 2/2] RUN b", "web: "}},
			[]string{"api: [api 1/2] COPY a, [api 2/2] RUN new", "web: "},
			[]string{"COPY a, RUN new", ""},
			"",
		},
		"exports are each target's own": {
			[][]string{{"api: [export] exporting to image", "web: "}, {"api: ", "web: [export] exporting to image"}},
			[]string{"api: [export] exporting to image", "web: "},
			[]string{"exporting to image", ""},
			"",
		},
		"a context is loaded for several": {
			[][]string{{"api: [internal] load build context", "web: "}, {"api: ", "web: [internal] load build context"}},
			[]string{"api: ", "web: [internal] load build context"},
			[]string{"load build context", "load build context"},
			"",
		},
	} {
		t.Run(name, func(t *testing.T) {
			bake := seenUnder(len(test.past), test.bake...)
			targets := make([]Target, len(bake))
			for i := range bake {
				targets[i] = Target{bake[i], &detect.History{BaseBranch: "main"}}
			}
			for n, past := range slices.Backward(test.past) {
				for i, b := range seenUnder(n, past...) {
					targets[i].History.Base = append(targets[i].History.Base, b)
				}
			}
			complete, untold := CompleteBake(targets)
			var got []string
			for i := range complete {
				got = append(got, textsOf(&complete[i].Build))
				for j := range complete[i].History.Base {
					if b := &complete[i].History.Base[j]; b.Pipeline != complete[i].Build.Pipeline {
						t.Errorf("history of %s has a build of %s", complete[i].Build.Pipeline, b.Pipeline)
					}
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
			if text := strings.Join(untold, ", "); text != test.untold {
				t.Errorf("untold: %s, want %s", text, test.untold)
			}
		})
	}
}

func textsOf(b *timeline.Build) string {
	var list []string
	for i := range b.Steps {
		list = append(list, dockerfile.ParseName(b.Steps[i].Name).Text)
	}
	return strings.Join(list, ", ")
}

// What was not done yet when a target was is nothing that it waited for.
func TestCompleteBakeUntilItsEnd(t *testing.T) {
	const lib = "[lib 1/1] RUN a"
	bake := seenUnder(2, "api: [api 1/1] RUN b, "+lib, "web: ")
	bake[1].Duration = time.Second
	targets := []Target{{bake[0], &detect.History{}}, {bake[1], &detect.History{}}}
	for n, past := range [][]string{{"api: [api 1/1] RUN b, " + lib, "web: "}, {"api: ", "web: " + lib}} {
		for i, b := range seenUnder(n, past...) {
			targets[i].History.Base = append(targets[i].History.Base, b)
		}
	}
	complete, untold := CompleteBake(targets)
	if len(untold) > 0 || textsOf(&complete[0].Build) != "RUN b, RUN a" || textsOf(&complete[1].Build) != "" {
		t.Errorf("untold %q, %q and %q", untold, textsOf(&complete[0].Build), textsOf(&complete[1].Build))
	}
	for i := range complete {
		if n := len(complete[i].History.Base[0].Steps) + len(complete[i].History.Base[1].Steps); n != 3-i {
			t.Errorf("%d samples in the history of %s, want %d", n, complete[i].Build.Pipeline, 3-i)
		}
	}
}

// A bake as one build holds each step once, with what belongs to one target called so.
func TestOneBuild(t *testing.T) {
	bake := seenUnder(1, "api: ![internal] load build context, [lib 1/1] RUN a, [export] exporting to image", "web: ![internal] load build context, [lib 1/1] RUN a, [export] exporting to image")
	bake[1].Outcome, bake[1].Error = timeline.Failed, "exit code: 1"
	past := seenUnder(0, "api: ![internal] load build context, [lib 1/1] RUN a", "web: ![internal] load build context")
	alone := seenUnder(-1, "api: [lib 1/1] RUN a")
	one := OneBuild([]Target{{bake[0], &detect.History{Base: []timeline.Build{past[0], alone[0]}}}, {bake[1], &detect.History{Base: past[1:]}}})
	want := "load build context (api), load build context (web), RUN a, exporting to image (api), exporting to image (web)"
	if got := textsOf(&one.Build); got != want {
		t.Errorf("steps %q, want %q", got, want)
	}
	if b := &one.Build; b.Pipeline != "shop" || b.Outcome != timeline.Failed || b.Error != "exit code: 1" || b.ID == bake[0].ID {
		t.Errorf("%+v", b)
	}
	if base := one.History.Base; len(base) != 1 || textsOf(&base[0]) != "load build context (api), load build context (web), RUN a" {
		t.Errorf("history: %d builds: %+v", len(base), base)
	}
	if want := bake[0].Steps[0].Key + " (api)"; one.Build.Steps[0].Key != want || one.History.Base[0].Steps[0].Key != want {
		t.Errorf("keys %q and %q, want %q", one.Build.Steps[0].Key, one.History.Base[0].Steps[0].Key, want)
	}
}

// Of more targets than anybody has, it is not asked.
func TestCompleteBakeOfMany(t *testing.T) {
	var texts []string
	for i := range maxCompared + 1 {
		texts = append(texts, fmt.Sprintf("t%d: [lib 1/1] RUN a", i))
	}
	bake := seenUnder(0, texts...)
	targets := make([]Target, len(bake))
	for i := range bake {
		targets[i].Build = bake[i]
	}
	if _, untold := CompleteBake(targets); len(untold) == 0 {
		t.Error("it was asked")
	}
	if one := OneBuild(targets); len(one.Build.Steps) != 1 {
		t.Errorf("%d steps of one vertex", len(one.Build.Steps))
	}
	if list := CompleteBakes(bake); len(list) != len(bake) {
		t.Errorf("%d builds", len(list))
	}
}
