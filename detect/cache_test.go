package detect

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/buildregress/buildregress/detect/timeline"
)

// misses makes the steps of those names run, each for 50 s.
func misses(names ...string) func([]stepSpec) []stepSpec {
	return func(s []stepSpec) []stepSpec {
		for i := range s {
			if slices.Contains(names, s[i].Name) {
				s[i].State, s[i].Took = timeline.Executed, seconds(50)
			}
		}
		return s
	}
}

func TestCacheLoss(t *testing.T) {
	const pkg, ci, prune = "[deps 1/3] COPY package.json .", "[deps 2/3] RUN npm ci", "[deps 3/3] RUN npm prune"
	tests := []struct {
		name     string
		edit     func([]stepSpec) []stepSpec
		step     string // at which it is told, "" for no loss
		dragged  int
		cause    string
		expected bool
	}{
		{"none", same, "", 0, "", false},
		{"a RUN with all that hangs on it", misses(ci, prune), "[deps] RUN npm ci", 1, "nothing that it is built from changed", false},
		{"a copied file", misses(pkg, ci, prune), "[deps] COPY package.json .", 2, "files that it copies changed", true},
		{"the last of the chain", misses(prune), "[deps] RUN npm prune", 0, "nothing", false},
		{"edited", func(s []stepSpec) []stepSpec {
			return rename(misses(ci, prune)(s), ci, "[deps 2/3] RUN npm ci --no-audit")
		}, "[deps] RUN npm ci --no-audit", 1, "the instruction was edited", true},
		{"a line inserted above", func(s []stepSpec) []stepSpec {
			s = misses(ci, prune)(s)
			for i := range s {
				if s[i].Name == ci {
					s[i].Inputs = []string{"[deps 2/4] RUN date"}
				}
			}
			return slices.Insert(s, 2, ran("[deps 2/4] RUN date", seconds(1), pkg))
		}, "[deps] RUN npm ci", 1, "`[deps] RUN date` above it is new", true},
	}
	// Something else stays in the cache, so that losing the chain is not a cold cache.
	with := func(edit func([]stepSpec) []stepSpec) func([]stepSpec) []stepSpec {
		return func(s []stepSpec) []stepSpec { return edit(append(s, hit("[tools 1/1] RUN apk add curl"))) }
	}
	h := mainHistory(20, func(_ int, rng *rand.Rand) []stepSpec { return with(same)(app(rng)) })
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := edit("pr", 100, with(tt.edit))
			r := Judge(&b, h, defaults)
			if r.Verdict != Pass {
				t.Errorf("verdict %v: a cache loss alone is no regression", r.Verdict)
			}
			if tt.step == "" {
				if len(r.Cache.Losses) > 0 || r.Counts[StatusCacheLost] > 0 {
					t.Errorf("losses %+v", r.Cache.Losses)
				}
				return
			}
			if len(r.Cache.Losses) != 1 || r.Counts[StatusCacheLost] != 1 {
				t.Fatalf("%d losses, %d steps: %+v; want one", len(r.Cache.Losses), r.Counts[StatusCacheLost], r.Cache.Losses)
			}
			l := r.Cache.Losses[0]
			if l.Step != tt.step || len(l.Dragged) != tt.dragged || l.Expected != tt.expected || !strings.HasPrefix(l.Cause.Text, tt.cause) {
				t.Errorf("loss %+v; want %q dragging %d, cause %q, expected %v", l, tt.step, tt.dragged, tt.cause, tt.expected)
			}
			if want := timeline.Seconds(seconds(50 * float64(1+tt.dragged))); l.Cost != want {
				t.Errorf("cost %v, want %v", l.Cost.D(), want.D())
			}
			if l.Lasting || l.Finding() != !tt.expected {
				t.Errorf("lasting %v, finding %v", l.Lasting, l.Finding())
			}
			if i := slices.IndexFunc(r.WallClock.Parts, func(p WallClockPart) bool { return p.Cause == CauseCacheLoss && p.Step == tt.step }); i < 0 || r.WallClock.Parts[i].Seconds != l.Cost {
				t.Errorf("the account does not tell the loss: %+v", r.WallClock.Parts)
			}
		})
	}

	t.Run("lost again is lasting", func(t *testing.T) {
		again := *h
		again.Branch = []timeline.Build{edit("pr", 99, with(misses(pkg, ci, prune)))}
		b := edit("pr", 100, with(misses(pkg, ci, prune)))
		r := Judge(&b, &again, defaults)
		if len(r.Cache.Losses) != 1 || !r.Cache.Losses[0].Lasting || !r.Cache.Losses[0].Finding() {
			t.Errorf("losses %+v, want one that lasts", r.Cache.Losses)
		}
	})
	t.Run("a cold cache is one notice", func(t *testing.T) {
		b := edit("pr", 100, with(misses(pkg, ci, prune, "[tools 1/1] RUN apk add curl")))
		r := Judge(&b, h, defaults)
		if !r.Cache.Cold || len(r.Cache.Losses) != 1 || r.Cache.Losses[0].Finding() || r.Counts[StatusCacheLost] != 0 || r.Verdict != Pass {
			t.Errorf("cold %v, losses %+v, %v", r.Cache.Cold, r.Cache.Losses, r.Verdict)
		}
		if l := r.Cache.Losses[0]; len(l.Dragged) != 3 || l.Cost != timeline.Seconds(seconds(200)) {
			t.Errorf("the loss of all is %+v", l)
		}
		again := *h
		again.Branch = []timeline.Build{b}
		next := edit("pr", 101, with(misses(pkg, ci, prune, "[tools 1/1] RUN apk add curl")))
		if r := Judge(&next, &again, defaults); !r.Cache.Cold || !r.Cache.Losses[0].Finding() || r.Counts[StatusCacheLost] != 1 {
			t.Errorf("cold again: %+v, %v", r.Cache, r.Counts)
		}
	})
}

// A step that runs in every third build is not lost when it runs, and is judged by
// the builds in which it ran.
func TestSometimesCached(t *testing.T) {
	third := func(n int, rng *rand.Rand) []stepSpec {
		if s := app(rng); n%3 == 0 {
			return misses("[deps 1/3] COPY package.json .", "[deps 2/3] RUN npm ci", "[deps 3/3] RUN npm prune")(s)
		} else {
			return s
		}
	}
	b := newBuild("pr", 99, third(99, rand.New(rand.NewPCG(3, 4)))...)
	r := Judge(&b, mainHistory(30, third), defaults)
	s := stepOf(t, &r, "[deps 2/3] RUN npm ci")
	if len(r.Cache.Losses) > 0 || s.Status != StatusSame || s.N != 10 {
		t.Errorf("losses %+v, %v of %d samples; want none, same, 10", r.Cache.Losses, s.Status, s.N)
	}
}

// In traces a step below a cache hit is absent. Once it runs, it was in the cache
// in all builds before.
func TestCacheLossOfWhatATraceNeverShowed(t *testing.T) {
	h := mainHistory(20, func(_ int, rng *rand.Rand) []stepSpec {
		return []stepSpec{hit("[deps 3/3] RUN npm ci"), ran("[build 1/1] RUN make", noisy(rng, seconds(9), .05))}
	})
	for i := range h.Base {
		h.Base[i].Partial = true
	}
	b := newBuild("pr", 100, ran("[deps 2/3] RUN apk add node", seconds(30)), ran("[deps 3/3] RUN npm ci", seconds(20)), ran("[build 1/1] RUN make", seconds(9)))
	b.Partial = true
	r := Judge(&b, h, defaults)
	if len(r.Cache.Losses) != 1 || r.Cache.Losses[0].Step != "[deps] RUN apk add node" || len(r.Cache.Losses[0].Dragged) != 1 {
		t.Errorf("losses %+v, want one at apk add that drags npm ci along", r.Cache.Losses)
	}
}

// Loading a cached layer is a step of its own, and no sample of the instruction.
func TestSlowLoadOfACachedLayer(t *testing.T) {
	load := func(took float64) func(int, *rand.Rand) []stepSpec {
		return func(_ int, rng *rand.Rand) []stepSpec {
			s := hit("[base 1/1] FROM big")
			s.Took = noisy(rng, seconds(took), .05)
			return append(app(rng), s)
		}
	}
	b := newBuild("pr", 100, load(60)(0, rand.New(rand.NewPCG(5, 6)))...)
	r := Judge(&b, mainHistory(20, load(4)), defaults)
	if s := stepOf(t, &r, "[base 1/1] FROM big"); s.Status != StatusCached {
		t.Errorf("the cached step is %v", s.Status)
	}
	if s := stepOf(t, &r, "load cache: [base 1/1] FROM big"); s.Status != StatusSlower || s.Key != "[base] load cache: FROM big" || s.Usual.D() > seconds(5) {
		t.Errorf("its load is %v, %q, usually %v", s.Status, s.Key, s.Usual.D())
	}
}
