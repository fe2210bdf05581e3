package detect

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/buildregress/buildregress/detect/timeline"
)

// By what a cache was lost is told: what changed since the last build that found it.
func TestCausesOfLosses(t *testing.T) {
	const pkg, ci, prune, tools = "[deps 1/3] COPY package.json .", "[deps 2/3] RUN npm ci", "[deps 3/3] RUN npm prune", "[tools 1/1] RUN apk add curl"
	// With something else that stays in the cache, it is not a cold one.
	with := func(edit func([]stepSpec) []stepSpec) func([]stepSpec) []stepSpec {
		return func(s []stepSpec) []stepSpec { return edit(append(s, hit(tools))) }
	}
	const commit = "0123456789012345678901234567890123456789"
	told := func(b *timeline.Build) {
		b.Revision, b.Facts = commit, &timeline.Facts{
			CacheIn: []string{"registry r.example/cache"}, Args: []timeline.BuildArg{{Name: "MODE", Value: "dev", Hash: "1"}},
			Sources: []timeline.Artifact{{Name: "node:22 linux/amd64", Digest: "sha256:0123456789abcdef"}},
		}
		for i := range b.Steps {
			s := &b.Steps[i]
			if s.Facts = (&timeline.StepFacts{Op: "o"}); s.Name == pkg {
				s.Facts.Reads = []string{"/package.json"}
			}
			if s.Name == ci {
				s.Facts.Args, s.Facts.Image = []string{"MODE"}, "node:22 linux/amd64"
			}
		}
	}
	for _, test := range []struct {
		name      string
		lost      []string // steps that ran
		change    func(b *timeline.Build)
		files     []string
		kind      Kind
		certainty Certainty
		says      string
	}{
		{"a file that it copies", []string{pkg, ci, prune}, func(*timeline.Build) {}, []string{"docs/x", "package.json"}, KindFile, Likely, "`package.json` changed in `ffffff"},
		{"a lock file among them", []string{pkg, ci, prune}, func(b *timeline.Build) { stepOfBuild(b, pkg).Facts.Reads = []string{"/package-lock.json"} }, []string{"package-lock.json"}, KindLockFile, Likely, "this step reads it"},
		{"an argument", []string{ci, prune}, func(b *timeline.Build) { b.Facts.Args[0] = timeline.BuildArg{Name: "MODE", Value: "prod", Hash: "2"} }, nil, KindArgument, Likely, "`MODE` changed (dev → prod)"},
		{"an image that moved", []string{ci, prune}, func(b *timeline.Build) { b.Facts.Sources[0].Digest = "sha256:fedcba9876543210" }, nil, KindBaseImage, Likely, "`node:22` is another image than before"},
		{"a cache that is read no more", []string{ci, prune}, func(b *timeline.Build) { b.Facts.CacheIn = nil }, nil, KindCacheImport, Likely, "other caches were to be read"},
		{"what is executed", []string{ci, prune}, func(b *timeline.Build) { stepOfBuild(b, ci).Facts.Op = "other" }, nil, KindInstruction, Likely, "what is executed for it has changed"},
		{"two things", []string{ci, prune}, func(b *timeline.Build) { b.Facts.CacheIn, stepOfBuild(b, ci).Facts.Op = nil, "other" }, nil, KindInstruction, Possible, "executed"},
		{"nothing that is known", []string{ci, prune}, func(*timeline.Build) {}, []string{"docs/x"}, "", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := mainHistory(20, func(_ int, rng *rand.Rand) []stepSpec { return with(same)(app(rng)) })
			for i := range h.Base {
				told(&h.Base[i])
			}
			b := edit("pr", 100, with(misses(test.lost...)))
			told(&b)
			b.Revision = strings.Repeat("f", 40)
			test.change(&b)
			r := Judge(&b, h, defaults)
			r.Explain(&b, h, func(before, after string) ([]string, bool) {
				if before == commit && after == b.Revision {
					return test.files, true
				}
				return nil, true
			})
			if len(r.Cache.Losses) != 1 {
				t.Fatalf("losses %+v, want one", r.Cache.Losses)
			}
			causes := r.Cache.Losses[0].Causes
			switch {
			case test.kind == "":
				for _, c := range causes {
					if c.Certainty != Possible {
						t.Errorf("causes %+v, want none that is sure", causes)
					}
				}
			case len(causes) == 0 || causes[0].Kind != test.kind || causes[0].Certainty != test.certainty || !strings.Contains(causes[0].Text, test.says):
				t.Errorf("causes %+v, want %s %s: %s", causes, test.certainty, test.kind, test.says)
			}
		})
	}
}

// Of a cache that was lost in the build before as well, what was lost it first is told.
func TestCausesOfLastingLosses(t *testing.T) {
	const ci, prune = "[deps 2/3] RUN npm ci", "[deps 3/3] RUN npm prune"
	with := func(edit func([]stepSpec) []stepSpec) func([]stepSpec) []stepSpec {
		return func(s []stepSpec) []stepSpec { return edit(append(s, hit("[tools 1/1] RUN apk add curl"))) }
	}
	told := func(b *timeline.Build, caches ...string) {
		b.Facts = &timeline.Facts{CacheIn: caches}
		for i := range b.Steps {
			b.Steps[i].Facts = &timeline.StepFacts{Op: "o"}
		}
	}
	h := mainHistory(20, func(_ int, rng *rand.Rand) []stepSpec { return with(same)(app(rng)) })
	for i := range h.Base {
		told(&h.Base[i], "registry r.example/cache")
	}
	before := edit("pr", 99, with(misses(ci, prune)))
	told(&before)
	h.Branch = []timeline.Build{before}
	b := edit("pr", 100, with(misses(ci, prune)))
	told(&b)
	r := Judge(&b, h, defaults)
	r.Explain(&b, h, nil)
	if l := r.Cache.Losses; len(l) != 1 || !l[0].Lasting || len(l[0].Causes) == 0 || l[0].Causes[0].Kind != KindCacheImport {
		t.Errorf("losses %+v, want that no cache was read any more", l)
	}
}

func stepOfBuild(b *timeline.Build, name string) *timeline.Step {
	for i := range b.Steps {
		if b.Steps[i].Name == name {
			return &b.Steps[i]
		}
	}
	return nil
}
