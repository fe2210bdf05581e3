package file

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
)

// alphaBuild is a recording of alpha, at a revision of its own.
func alphaBuild(t *testing.T, n int) timeline.Build {
	t.Helper()
	b := open(t, fmt.Sprintf("alpha/dockerbuild/%03d.dockerbuild", n))[0]
	b.Branch, b.Pipeline, b.Revision = "main", "app", fmt.Sprintf("%040d", n)
	if n >= 30 {
		b.Branch = "pull"
	}
	return b
}

// alphaHistory are the builds of the base branch.
func alphaHistory(t *testing.T) *detect.History {
	t.Helper()
	h := &detect.History{BaseBranch: "main"}
	for n := range 30 {
		h.Base = append(h.Base, alphaBuild(t, 29-n))
	}
	return h
}

// changedBy is a repository of which a build was made each time: sources change with each,
// the lock file with every third, and the last revision changes some files.
func changedBy(files ...string) detect.Changed {
	return func(before, after string) ([]string, bool) {
		var n int
		if _, err := fmt.Sscanf(after, "%d", &n); err != nil {
			return nil, false
		}
		if n >= 30 {
			return files, true
		}
		if n%3 == 0 {
			return []string{"deps.lock"}, true
		}
		return []string{"src/main.txt"}, true
	}
}

const integration = "[build 6/6] RUN --mount=type=bind,source=knobs/integration,target=/knobs/integration python3 /tools/nap.py /knobs/integration 0.15"

// explained are the causes of a step that is called slower.
func explained(t *testing.T, h *detect.History, b timeline.Build, step string, changed detect.Changed) []detect.Explanation {
	t.Helper()
	r := detect.Judge(&b, h, detect.Policy{Thresholds: detect.DefaultThresholds})
	for i := range r.Steps {
		if r.Steps[i].Name == step {
			r.Steps[i].Status = detect.StatusSlower
			r.Explain(&b, h, changed)
			return r.Steps[i].Causes
		}
	}
	t.Fatalf("no step %q", step)
	return nil
}

// What was done to a recorded build is named, and nothing else.
func TestCausesOfRecordings(t *testing.T) {
	h := alphaHistory(t)
	alter := func(n int, change func(*timeline.Build, *timeline.Step)) timeline.Build {
		b := alphaBuild(t, n)
		b.Steps = slices.Clone(b.Steps)
		for i := range b.Steps {
			if s := &b.Steps[i]; s.Name == integration {
				s.Duration = max(s.Duration, 2e9)
				f := *s.Facts
				s.Facts = &f
				facts := *b.Facts
				b.Facts = &facts
				change(&b, s)
			}
		}
		return b
	}
	nothing := func(*timeline.Build, *timeline.Step) {}
	for _, test := range []struct {
		injected  string
		build     timeline.Build
		changed   detect.Changed
		kind      detect.Kind
		certainty detect.Certainty
	}{
		{"its file", alphaBuild(t, 44), changedBy("knobs/integration", "docs/x.md"), detect.KindFile, detect.Likely},
		{"its file, by nobody known", alphaBuild(t, 44), nil, detect.KindNothingRecorded, detect.Possible},
		{"a file of none", alphaBuild(t, 44), changedBy("docs/x.md", "README.md", "knobs/integration.md"), detect.KindNothingRecorded, detect.Possible},
		{"the file of another step behind it", alphaBuild(t, 44), changedBy("rootfs.md"), detect.KindNothingRecorded, detect.Possible},
		{"sources, as always", alphaBuild(t, 44), changedBy("src/main.txt"), detect.KindNothingRecorded, detect.Possible},
		{"sources, as never", alphaBuild(t, 44), changedBy("src/huge.bin"), detect.KindFile, detect.Possible},
		{"the lock file, as often", alphaBuild(t, 44), changedBy("deps.lock"), detect.KindLockFile, detect.Possible},
		{"its file and another", alphaBuild(t, 44), changedBy("knobs/integration", "tools/nap.py"), detect.KindFile, detect.Possible},
		{"the machine", alter(47, nothing), changedBy("docs/x.md"), detect.KindMachineOverloaded, detect.Is},
		{"the machine, and a file", alter(48, nothing), changedBy("knobs/integration"), detect.KindMachineOverloaded, detect.Is},
		{"the instruction", alter(30, func(_ *timeline.Build, s *timeline.Step) { s.Facts.Op = "changed" }), changedBy(), detect.KindInstruction, detect.Likely},
		{"the frontend", alter(30, func(b *timeline.Build, _ *timeline.Step) { b.Facts.Frontend = "docker/dockerfile:2" }), changedBy(), detect.KindFrontend, detect.Possible},
		{"an argument", alter(30, func(b *timeline.Build, s *timeline.Step) {
			b.Facts.Args, s.Facts.Args = []timeline.BuildArg{{Name: "MODE", Value: "prod", Hash: "1"}}, []string{"MODE"}
		}), changedBy("docs/x.md"), detect.KindArgument, detect.Likely},
		{"an argument of no step", alter(30, func(b *timeline.Build, _ *timeline.Step) {
			b.Facts.Args = []timeline.BuildArg{{Name: "MODE", Value: "prod", Hash: "1"}}
		}), changedBy("docs/x.md"), detect.KindNothingRecorded, detect.Possible},
	} {
		t.Run(test.injected, func(t *testing.T) {
			causes := explained(t, h, test.build, integration, test.changed)
			if len(causes) == 0 || causes[0].Kind != test.kind || causes[0].Certainty != test.certainty {
				t.Fatalf("named %+v, want %s %s", causes, test.certainty, test.kind)
			}
			t.Logf("%s: %s, %s: %s", test.injected, causes[0].Certainty, causes[0].Kind, causes[0].Text)
			for _, c := range causes[1:] {
				if c.Certainty != detect.Possible {
					t.Errorf("beside it %+v", c)
				}
			}
		})
	}
}

// Of a build in which nothing changed, no cause is sure, whichever step is taken for slower.
func TestUnchangedBuildsHaveNoCause(t *testing.T) {
	h := alphaHistory(t)
	asked := 0
	for n := 30; n <= 37; n++ {
		clean := alphaBuild(t, n)
		for i := range clean.Steps {
			if clean.Steps[i].State != timeline.Executed {
				continue
			}
			for _, changed := range []detect.Changed{nil, changedBy(), changedBy("docs/x.md"), changedBy("src/main.txt")} {
				b := clean
				b.Steps = slices.Clone(clean.Steps)
				b.Steps[i].Duration *= 2
				asked++
				for _, c := range explained(t, h, b, b.Steps[i].Name, changed) {
					if c.Certainty != detect.Possible {
						t.Errorf("%03d, %s: %+v", n, b.Steps[i].Name, c)
					}
				}
			}
		}
	}
	if asked < 300 {
		t.Errorf("only %d steps were asked about", asked)
	}
}

// Another image under the same tag reaches all that is made from it, and nothing else.
func TestMovedBaseImage(t *testing.T) {
	from := open(t, "beta/dockerbuild/from-image.dockerbuild")[0]
	from.Branch, from.Pipeline = "main", "app"
	h := &detect.History{BaseBranch: "main"}
	for n := range 10 {
		b := from
		b.ID, b.Steps = fmt.Sprint(n), slices.Clone(from.Steps)
		before := -time.Duration(n+1) * time.Hour
		b.Start = from.Start.Add(before)
		for i := range b.Steps { // else they would be one execution
			b.Steps[i].Start = b.Steps[i].Start.Add(before)
		}
		h.Base = append(h.Base, b)
	}
	b := from
	facts := *from.Facts
	facts.Sources = slices.Clone(facts.Sources)
	facts.Sources[0].Digest = "sha256:00112233"
	b.Facts, b.Branch = &facts, "pull"
	b.Steps = slices.Clone(b.Steps)
	const run = "[deps 4/4] RUN sh work.sh install 6"
	for i := range b.Steps {
		if b.Steps[i].Name == run {
			b.Steps[i].Duration *= 5
		}
	}
	same := func(string, string) ([]string, bool) { return nil, true }
	if c := explained(t, h, b, run, same); len(c) != 1 || c[0].Kind != detect.KindBaseImage || c[0].Certainty != detect.Likely {
		t.Errorf("named %+v", c)
	}
	if c := explained(t, h, b, "[internal] load .dockerignore", same); len(c) != 1 || c[0].Kind != detect.KindNothingRecorded {
		t.Errorf("of what is made from nothing it named %+v", c)
	}
}
