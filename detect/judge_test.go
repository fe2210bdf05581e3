package detect

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// An app is a Dockerfile of two stages as it builds on main: sources change in
// every build, dependencies hardly ever.
func app(rng *rand.Rand) []stepSpec {
	return []stepSpec{
		ran("[internal] load build context", noisy(rng, seconds(2), .05)),
		hit("[deps 1/3] COPY package.json ."),
		hit("[deps 2/3] RUN npm ci", "[deps 1/3] COPY package.json ."),
		hit("[deps 3/3] RUN npm prune", "[deps 2/3] RUN npm ci"),
		ran("[build 1/4] COPY src /src", noisy(rng, seconds(1), .05), "[internal] load build context", "[deps 3/3] RUN npm prune"),
		ran("[build 2/4] RUN make compile", noisy(rng, seconds(60), .05), "[build 1/4] COPY src /src"),
		ran("[build 3/4] RUN make test", noisy(rng, seconds(40), .05), "[build 2/4] RUN make compile"),
		ran("[build 4/4] RUN make lint", noisy(rng, seconds(20), .05), "[build 3/4] RUN make test"),
		ran("[docs 1/1] RUN make docs", noisy(rng, seconds(30), .05), "[build 1/4] COPY src /src"),
		ran("exporting to image", noisy(rng, seconds(10), .05), "[build 4/4] RUN make lint", "[docs 1/1] RUN make docs"),
	}
}

func appHistory(n int) *History {
	return mainHistory(n, func(_ int, rng *rand.Rand) []stepSpec { return app(rng) })
}

// edit returns a build of a branch after what edit did to the steps of app.
func edit(branch string, n int, edit func([]stepSpec) []stepSpec) timeline.Build {
	return newBuild(branch, n, edit(app(rand.New(rand.NewPCG(9, uint64(n)))))...)
}

func same(s []stepSpec) []stepSpec { return s }

// slow multiplies the time of the step of that name.
func slow(name string, by float64) func([]stepSpec) []stepSpec {
	return func(s []stepSpec) []stepSpec {
		for i := range s {
			if s[i].Name == name {
				s[i].Took = time.Duration(float64(s[i].Took) * by)
			}
		}
		return s
	}
}

// rename gives a step another name, in what waits for it as well.
func rename(s []stepSpec, from, to string) []stepSpec {
	for i := range s {
		if s[i].Name == from {
			s[i].Name = to
		}
		for k := range s[i].Inputs {
			if s[i].Inputs[k] == from {
				s[i].Inputs[k] = to
			}
		}
	}
	return s
}

// flagged lists the names of the steps that are slower or suspect.
func flagged(r *Result) (names []string) {
	for i := range r.Steps {
		if s := r.Steps[i].Status; s == StatusSlower || s == StatusSuspect {
			names = append(names, r.Steps[i].Name)
		}
	}
	return names
}

func TestJudge(t *testing.T) {
	tests := []struct {
		name    string
		edit    func([]stepSpec) []stepSpec
		verdict Verdict
		flagged []string
	}{
		{"nothing changed", same, Pass, nil},
		{"a step four times slower", slow(compile, 4), Regressed, []string{compile}},
		{"a step four times faster", slow(compile, 0.25), Pass, nil},
		{"the same step in a stage that grew above it", func(s []stepSpec) []stepSpec {
			s = rename(s, "[build 3/4] RUN make test", "[build 4/5] RUN make test")
			s = rename(s, "[build 4/4] RUN make lint", "[build 5/5] RUN make lint")
			s = rename(s, compile, "[build 3/5] RUN make compile")
			s = slices.Insert(s, 5, ran("[build 2/5] RUN date", seconds(.2), "[build 1/4] COPY src /src"))
			return slow("[build 3/5] RUN make compile", 4)(s)
		}, Regressed, []string{"[build 3/5] RUN make compile"}},
		{"off the critical path and within its slack", slow("[docs 1/1] RUN make docs", 3), Pass, []string{"[docs 1/1] RUN make docs"}},
	}
	h := appHistory(20)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := edit("pr", 100, tt.edit)
			r := Judge(&b, h, defaults)
			if r.Verdict != tt.verdict || !slices.Equal(flagged(&r), tt.flagged) {
				t.Errorf("%v, flagged %q; want %v, %q", r.Verdict, flagged(&r), tt.verdict, tt.flagged)
			}
		})
	}
}

// The history of a step survives what authors do to a Dockerfile.
func TestHistoryCarriesOver(t *testing.T) {
	tests := []struct {
		name, step string
		edit       func([]stepSpec) []stepSpec
		edited     bool
	}{
		{"a RUN is edited", "[build 2/4] RUN make compile --verbose", func(s []stepSpec) []stepSpec {
			return rename(s, compile, "[build 2/4] RUN make compile --verbose")
		}, true},
		{"a RUN is edited and a line inserted above", "[build 3/5] RUN make -j 8 compile", func(s []stepSpec) []stepSpec {
			s = rename(s, compile, "[build 3/5] RUN make -j 8 compile")
			s = rename(s, "[build 3/4] RUN make test", "[build 4/5] RUN make test")
			s = rename(s, "[build 4/4] RUN make lint", "[build 5/5] RUN make lint")
			return slices.Insert(s, 5, ran("[build 2/5] RUN date", seconds(.2)))
		}, true},
		{"an ARG has another value, a commit", "[build 2/4] RUN make REV=77b0c2a compile", func(s []stepSpec) []stepSpec {
			return rename(s, compile, "[build 2/4] RUN make REV=77b0c2a compile")
		}, true},
		{"the stage is numbered anew", "[build 12/14] RUN make compile", func(s []stepSpec) []stepSpec {
			return rename(s, compile, "[build 12/14] RUN make compile")
		}, false},
	}
	h := appHistory(20)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := edit("pr", 100, tt.edit)
			r := Judge(&b, h, defaults)
			s := stepOf(t, &r, tt.step)
			if s.N != 20 || s.Status != StatusSame {
				t.Errorf("%d samples, %v; want 20, same", s.N, s.Status)
			}
			if edited := len(s.Notes) > 0 && s.Notes[0].Kind == KindEdited; edited != tt.edited {
				t.Errorf("notes %q, want edited: %v", s.Notes, tt.edited)
			}
		})
	}

	t.Run("edited on main, and the old name counts on", func(t *testing.T) {
		h := mainHistory(20, func(n int, rng *rand.Rand) []stepSpec {
			if s := app(rng); n < 15 {
				return s
			} else {
				return rename(s, compile, "[build 2/4] RUN make compile --verbose")
			}
		})
		b := edit("pr", 100, func(s []stepSpec) []stepSpec {
			return slow("[build 2/4] RUN make compile --verbose", 4)(rename(s, compile, "[build 2/4] RUN make compile --verbose"))
		})
		r := Judge(&b, h, defaults)
		if s := stepOf(t, &r, "[build 2/4] RUN make compile --verbose"); s.N != 20 || s.Status != StatusSlower {
			t.Errorf("%d samples, %v; want 20, slower", s.N, s.Status)
		}
	})

	t.Run("an ARG has another value in every build", func(t *testing.T) {
		h := mainHistory(20, func(n int, rng *rand.Rand) []stepSpec {
			return rename(app(rng), compile, fmt.Sprintf("[build 2/4] RUN make REV=%07x VERSION=1.%d compile", 0x9a0b1c2+n, n))
		})
		b := edit("pr", 100, func(s []stepSpec) []stepSpec {
			return rename(s, compile, "[build 2/4] RUN make REV=0123abcd VERSION=2.0-rc1 compile")
		})
		r := Judge(&b, h, defaults)
		if s := stepOf(t, &r, "[build 2/4] RUN make REV=0123abcd VERSION=2.0-rc1 compile"); s.N != 20 || s.Status != StatusSame || len(s.Notes) > 0 {
			t.Errorf("%d samples, %v, notes %q; want 20, same, none", s.N, s.Status, s.Notes)
		}
	})

	t.Run("a stage is added, and the unnamed one is told by its content", func(t *testing.T) {
		h := mainHistory(20, func(_ int, rng *rand.Rand) []stepSpec {
			return []stepSpec{ran("[1/2] COPY x /", noisy(rng, seconds(3), .05)), ran("[2/2] RUN echo a", noisy(rng, seconds(9), .05))}
		})
		b := newBuild("pr", 100, ran("[tools 1/1] RUN apk add curl", seconds(5)),
			ran("[stage-1 1/3] COPY x /", seconds(3)), ran("[stage-1 2/3] RUN echo a", seconds(9)), ran("[stage-1 3/3] COPY --from=tools /bin/curl /", seconds(.1)))
		r := Judge(&b, h, defaults)
		if s := stepOf(t, &r, "[stage-1 2/3] RUN echo a"); s.N != 20 || s.Status != StatusSame {
			t.Errorf("%d samples, %v; want 20, same", s.N, s.Status)
		}
		if s := stepOf(t, &r, "[tools 1/1] RUN apk add curl"); s.Status != StatusNew {
			t.Errorf("the new stage is %v", s.Status)
		}
	})

	t.Run("what is in the cache is not taken for what is new", func(t *testing.T) {
		// A trace shows only what ran: on main "npm test", here "npm audit".
		h := mainHistory(20, func(_ int, rng *rand.Rand) []stepSpec {
			return []stepSpec{hit("[b 2/5] RUN npm ci"), ran("[b 4/5] RUN npm test", noisy(rng, seconds(30), .05))}
		})
		for i := range h.Base {
			h.Base[i].Partial = true
		}
		b := newBuild("pr", 100, hit("[b 2/5] RUN npm ci"), ran("[b 3/5] RUN npm audit", seconds(100)))
		b.Partial = true
		r := Judge(&b, h, defaults)
		if s := stepOf(t, &r, "[b 3/5] RUN npm audit"); s.N != 0 || s.Status == StatusSlower {
			t.Errorf("RUN npm audit is judged by %d samples: %v", s.N, s.Status)
		}
		if r.Counts[StatusGone] != 0 {
			t.Errorf("%d steps gone: a trace cannot tell", r.Counts[StatusGone])
		}
	})
}

// Steps that share a key are told apart by where they stand.
func TestEqualSteps(t *testing.T) {
	h := mainHistory(20, func(_ int, rng *rand.Rand) []stepSpec {
		return []stepSpec{
			ran("[b 1/4] COPY a /", seconds(.1)),
			ran("[b 2/4] RUN <<EOT (set -e...)", noisy(rng, seconds(5), .05)),
			ran("[b 3/4] COPY b /", seconds(.1)),
			ran("[b 4/4] RUN <<EOT (set -e...)", noisy(rng, seconds(50), .05)),
		}
	})
	// The first of them is in the cache, which a trace does not show.
	b := newBuild("pr", 100, ran("[b 3/4] COPY b /", seconds(.1)), ran("[b 4/4] RUN <<EOT (set -e...)", seconds(50)))
	b.Partial = true
	r := Judge(&b, h, defaults)
	s := stepOf(t, &r, "[b 4/4] RUN <<EOT (set -e...)")
	if s.Status != StatusSame || s.Usual.D() < seconds(40) {
		t.Errorf("%v against %v: it is compared with the other one", s.Status, s.Usual.D())
	}
}

func TestUnjudged(t *testing.T) {
	failed := edit("pr", 100, same)
	failed.Outcome, failed.Error, failed.Log = timeline.Failed, "exit code: 2", []string{"no such file"}
	failed.Steps[5].State = timeline.StepFailed
	cancelled := edit("pr", 100, same)
	cancelled.Outcome = timeline.Cancelled
	tests := []struct {
		name    string
		build   timeline.Build
		history int
		reason  Note
	}{
		{"failed", failed, 20, Note{KindBuildFailed, "the build failed"}},
		{"cancelled", cancelled, 20, Note{KindBuildCancelled, "the build was cancelled"}},
		{"no history", edit("pr", 100, same), 0, Note{KindNoHistory, "no history: 0 of 8 builds of main"}},
		{"too little history", edit("pr", 100, same), 7, Note{KindTooLittleHistory, "too little history: 7 of 8 builds of main"}},
		{
			"another image", newBuild("pr", 100, ran("[x 1/2] RUN a", 9), ran("[x 2/2] RUN b", 9)), 20,
			Note{KindOtherImage, "only 0 of its 2 steps occur in the baseline: this looks like another image; give --pipeline"},
		},
		{"empty", newBuild("pr", 100), 20, Note{KindNoSteps, "the build has no steps"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := Judge(&tt.build, appHistory(tt.history), defaults)
			if r.Verdict != Unjudged || r.Reason != tt.reason {
				t.Errorf("%v, %q; want unjudged, %q", r.Verdict, r.Reason, tt.reason)
			}
			for i := range r.Steps {
				if s := &r.Steps[i]; s.Status != StatusUnjudged || s.Reason.Kind != tt.reason.Kind || s.Reason.Text == "" {
					t.Errorf("%s is %v, reason %q", s.Name, s.Status, s.Reason)
				}
			}
			if rep := NewReport([]Result{r}, []string{"regressed", "unsure"}, nil); rep.ExitCode != 0 {
				t.Errorf("exit %d", rep.ExitCode)
			}
		})
	}
	failed.Steps[4].State = timeline.Interrupted
	r := Judge(&failed, appHistory(20), defaults)
	if r.Build.FailedStep != "[build 2/4] RUN make compile" || r.Build.Error != "exit code: 2" || len(r.Build.Log) != 1 {
		t.Errorf("the failure is told as %+v", r.Build)
	}
}

// A cache that could not be written fails a build, or the builder ignores it: then it is
// told. What is written elsewhere than before is another step.
func TestCacheExports(t *testing.T) {
	const toRegistry, toFolder = "[cache export] exporting cache to registry", "[cache export] exporting cache to client directory"
	h := mainHistory(20, func(_ int, rng *rand.Rand) []stepSpec {
		return append(app(rng), ran(toRegistry, noisy(rng, seconds(2), .05)))
	})
	cached := func(name string, state timeline.State) timeline.Build {
		return edit("pr", 100, func(s []stepSpec) []stepSpec { return append(s, stepSpec{Name: name, Took: seconds(60), State: state}) })
	}
	b := cached(toFolder, timeline.Executed)
	r := Judge(&b, h, defaults)
	if s := stepOf(t, &r, toFolder); s.Status != StatusNew || len(s.Notes) > 0 || r.Verdict != Pass || r.Counts[StatusGone] != 1 {
		t.Errorf("to a folder: %v %v, %v", s.Status, s.Notes, r.Verdict)
	}
	b = cached(toRegistry, timeline.StepFailed)
	r = Judge(&b, h, defaults)
	if r.Verdict != Pass || len(r.Notes) != 1 || r.Notes[0].Kind != KindFailureIgnored || r.Build.FailedStep != "" {
		t.Errorf("ignored: %v, %v, failed at %q", r.Verdict, r.Notes, r.Build.FailedStep)
	}
	b.Outcome = timeline.Failed
	if r = Judge(&b, h, defaults); r.Verdict != Unjudged || len(r.Notes) > 0 || r.Build.FailedStep != toRegistry {
		t.Errorf("failed: %v, %v, failed at %q", r.Verdict, r.Notes, r.Build.FailedStep)
	}
	b.Steps[4].State = timeline.StepFailed
	if r = Judge(&b, h, defaults); r.Build.FailedStep != b.Steps[4].Name {
		t.Errorf("failed at %q, want %q", r.Build.FailedStep, b.Steps[4].Name)
	}
	b = cached("[cache import] importing cache manifest", timeline.StepFailed)
	if r = Judge(&b, h, defaults); len(r.Notes) > 0 || r.Build.FailedStep != "" {
		t.Errorf("not there: %v, failed at %q", r.Notes, r.Build.FailedStep)
	}
}

// What another build had begun ends when it ended.
func TestBegunBefore(t *testing.T) {
	b := edit("pr", 100, func(s []stepSpec) []stepSpec { return s })
	b.Steps[0].Duration = 2 * time.Second
	for after, want := range map[time.Duration]timeline.Seconds{
		time.Second: timeline.Seconds(time.Second), -time.Second: timeline.Seconds(-time.Second), -time.Hour: timeline.Seconds(-2 * time.Second), // the last is of another clock
	} {
		b.Steps[0].Start = b.Start.Add(after)
		if r := Judge(&b, appHistory(20), defaults); r.Steps[0].Start != want {
			t.Errorf("begun %v after the build: at %v, want %v", after, r.Steps[0].Start, want)
		}
	}
}

func TestStepTooYoung(t *testing.T) {
	h := mainHistory(20, func(n int, rng *rand.Rand) []stepSpec {
		if s := app(rng); n < 15 {
			return s
		} else {
			return append(s, ran("[scan 1/1] RUN scan everything", seconds(10)))
		}
	})
	b := edit("pr", 100, func(s []stepSpec) []stepSpec { return append(s, ran("[scan 1/1] RUN scan everything", seconds(100))) })
	r := Judge(&b, h, defaults)
	if s := stepOf(t, &r, "[scan 1/1] RUN scan everything"); s.Status != StatusUnjudged || s.Reason != (Note{KindTooLittleHistory, "too few builds: 5 of 8"}) || s.N != 5 {
		t.Errorf("%v, %q, n %d", s.Status, s.Reason, s.N)
	}
}

// What a branch's builds say adds up, and a fix clears it.
func TestEvidenceOfABranch(t *testing.T) {
	h := appHistory(20)
	var verdicts []Verdict
	var last Result
	for i, factor := range []float64{1.35, 1.35, 1.35, 1} {
		b := edit("pr", 100+i, slow(compile, factor))
		last = Judge(&b, h, defaults)
		verdicts = append(verdicts, last.Verdict)
		if i == 2 {
			if e := stepOf(t, &last, compile).Evidence; e.Builds != 3 || e.Slow != 3 {
				t.Errorf("evidence after three builds: %+v", e)
			}
		}
		h.Branch = append([]timeline.Build{b}, h.Branch...)
	}
	if verdicts[0] == Regressed || verdicts[2] != Regressed || verdicts[3] != Pass {
		t.Errorf("verdicts %v: want the third regressed, the first not, and the fix to pass", verdicts)
	}
	if e := stepOf(t, &last, compile).Evidence; e.Builds != 1 {
		t.Errorf("after the fix %d builds count", e.Builds)
	}
}

// On the base branch the newest builds are not their own level.
func TestBaseBranchDoesNotLearnASlowdownAtOnce(t *testing.T) {
	h := mainHistory(23, func(n int, rng *rand.Rand) []stepSpec {
		if s := app(rng); n < 20 {
			return s
		} else {
			return slow(compile, 1.5)(s)
		}
	})
	b := edit("main", 23, slow(compile, 1.5))
	r := Judge(&b, h, defaults)
	s := stepOf(t, &r, compile)
	if s.Status != StatusSlower || s.Evidence.Builds != 4 {
		t.Errorf("%v with evidence of %d builds; want slower, 4", s.Status, s.Evidence.Builds)
	}
}

// Too few builds of main are filled up with other branches, which prove nothing.
func TestFilledBaseline(t *testing.T) {
	h := appHistory(4)
	for i := range 8 {
		h.Other = append(h.Other, edit("other"+string(rune('a'+i)), 50+i, same))
	}
	b := edit("pr", 100, slow("[build 2/4] RUN make compile", 6))
	r := Judge(&b, h, defaults)
	if r.Baseline.Builds != 8 || r.Baseline.Filled != 4 || r.Verdict != Unsure {
		t.Errorf("%d builds, %d filled, %v; want 8, 4, unsure", r.Baseline.Builds, r.Baseline.Filled, r.Verdict)
	}
}

// A step that runs in one build of twenty is judged by what older builds tell of
// it, and they do not change how often it counts as cached.
func TestRareStep(t *testing.T) {
	const npm = "[deps 2/3] RUN npm ci"
	h := appHistory(60)
	for i := 40; i < 60; i++ {
		old := h.Base[i]
		old.Steps = []timeline.Step{newBuild("x", 0, ran(npm, noisy(rand.New(rand.NewPCG(5, uint64(i))), seconds(50), .05))).Steps[0]}
		h.Sparse = append(h.Sparse, old)
	}
	h.Base = h.Base[:40]
	b := edit("pr", 100, misses(npm))
	r := Judge(&b, h, defaults)
	s := stepOf(t, &r, npm)
	if s.N != 20 || s.Status != StatusCacheLost || r.Cache.Losses[0].Share != 1 {
		t.Errorf("%d samples, %v, losses %+v; want 20, cache-lost, cached in all of the baseline", s.N, s.Status, r.Cache.Losses)
	}
	b = edit("pr", 100, func(s []stepSpec) []stepSpec { return slow(npm, 5)(misses(npm)(s)) })
	r = Judge(&b, h, defaults)
	if s := stepOf(t, &r, npm); s.Status != StatusSlower {
		t.Errorf("five times slower: %v", s.Status)
	}
}

func TestRunner(t *testing.T) {
	all := func(by float64) func([]stepSpec) []stepSpec {
		return func(s []stepSpec) []stepSpec {
			for i := range s {
				s[i].Took = time.Duration(float64(s[i].Took) * by)
			}
			return s
		}
	}
	h := appHistory(20)

	b := edit("pr", 100, all(2))
	r := Judge(&b, h, defaults)
	if len(flagged(&r)) > 0 || r.Verdict != Pass || !r.RunnerFactor.Unusual() || r.RunnerFactor.Value < 1.8 || r.RunnerFactor.Value > 2.2 {
		t.Errorf("all steps twice as slow: %v, flagged %q, factor %+v", r.Verdict, flagged(&r), r.RunnerFactor)
	}
	h.Branch = []timeline.Build{edit("pr", 99, all(2)), edit("pr", 98, all(2))}
	if r := Judge(&b, h, defaults); r.Verdict != Unsure || len(flagged(&r)) > 0 {
		t.Errorf("the third such build of a branch: %v, flagged %q", r.Verdict, flagged(&r))
	}
	h.Branch = nil

	b = edit("pr", 100, func(s []stepSpec) []stepSpec { return slow("[build 3/4] RUN make test", 2.5)(all(2)(s)) })
	if r := Judge(&b, h, defaults); !slices.Equal(flagged(&r), []string{"[build 3/4] RUN make test"}) {
		t.Errorf("all ×2 and one ×5: flagged %q", flagged(&r))
	}

	// On a fast machine a step that stands still has not become slower.
	b = edit("pr", 100, func(s []stepSpec) []stepSpec { return slow("[build 3/4] RUN make test", 2)(all(.5)(s)) })
	if r := Judge(&b, h, defaults); len(flagged(&r)) > 0 {
		t.Errorf("a machine twice as fast, one step as usual: flagged %q", flagged(&r))
	}

	few := mainHistory(20, func(_ int, rng *rand.Rand) []stepSpec { return app(rng)[5:8] })
	b = edit("pr", 100, func(s []stepSpec) []stepSpec { return all(4)(s)[5:8] })
	if r := Judge(&b, few, defaults); r.RunnerFactor != nil || len(flagged(&r)) != 3 {
		t.Errorf("three steps: factor %+v, flagged %q; want none, all three as they stand", r.RunnerFactor, flagged(&r))
	}
}

func TestSum(t *testing.T) {
	result := func(v Verdict, status ...Status) Result {
		r := Result{Verdict: v, Counts: map[Status]int{}}
		for _, s := range status {
			r.Counts[s]++
			if s == StatusCacheLost {
				r.Cache.Losses = append(r.Cache.Losses, CacheLoss{})
			}
		}
		return r
	}
	expected := result(Pass, StatusCacheLost)
	expected.Cache.Losses[0].Expected = true
	lasting := result(Pass, StatusCacheLost)
	lasting.Cache.Losses[0] = CacheLoss{Expected: true, Lasting: true}
	tests := []struct {
		name    string
		results []Result
		failOn  []string
		verdict Verdict
		exit    int
	}{
		{"the worst verdict counts", []Result{result(Pass), result(Regressed), result(Unsure)}, []string{"regressed"}, Regressed, 1},
		{"unsure does not fail unless named", []Result{result(Unsure, StatusSuspect)}, []string{"regressed"}, Unsure, 0},
		{"unsure named", []Result{result(Unsure, StatusSuspect)}, []string{"regressed", "unsure"}, Unsure, 1},
		{"unsure named includes regressed", []Result{result(Regressed)}, []string{"unsure"}, Regressed, 1},
		{"never", []Result{result(Regressed)}, []string{"never"}, Regressed, 0},
		{"one unjudged among passes shows", []Result{result(Pass), result(Unjudged)}, []string{"regressed"}, Unjudged, 0},
		{"a cache loss alone does not fail", []Result{result(Pass, StatusCacheLost)}, []string{"regressed"}, Pass, 0},
		{"a cache loss named", []Result{result(Pass, StatusCacheLost)}, []string{"cache-lost"}, Pass, 1},
		{"an expected cache loss fails nothing", []Result{expected}, []string{"cache-lost"}, Pass, 0},
		{"unless it lasts", []Result{lasting}, []string{"cache-lost"}, Pass, 1},
		{"faster never fails", []Result{result(Pass, StatusFaster)}, []string{"regressed", "unsure", "cache-lost", "over-budget"}, Pass, 0},
	}
	for _, tt := range tests {
		if got := NewReport(tt.results, tt.failOn, nil); got.Verdict != tt.verdict || got.ExitCode != tt.exit {
			t.Errorf("%s: %v, exit %d; want %v, %d", tt.name, got.Verdict, got.ExitCode, tt.verdict, tt.exit)
		}
	}
}

// Most steps slower by one factor and the rest as ever: that may be a change to
// most steps, and does not pass for the machine's mood.
func TestMostStepsSlower(t *testing.T) {
	h := appHistory(20)
	b := edit("pr", 100, func(s []stepSpec) []stepSpec {
		for _, name := range []string{"[build 2/4] RUN make compile", "[build 3/4] RUN make test", "[build 4/4] RUN make lint", "[docs 1/1] RUN make docs"} {
			s = slow(name, 4)(s)
		}
		return s
	})
	if r := Judge(&b, h, defaults); r.Verdict != Unsure && r.Verdict != Regressed {
		t.Errorf("four of seven steps ×4: %v, factor %+v", r.Verdict, r.RunnerFactor)
	}
}

// The coarse clock of one build does not make the others unjudgeable.
func TestResolutionOfOneBuild(t *testing.T) {
	h := appHistory(20)
	h.Base[3].Resolution = time.Hour
	b := edit("pr", 100, slow(compile, 4))
	b.Resolution = time.Hour
	if r := Judge(&b, h, defaults); r.Verdict != Regressed {
		t.Errorf("%v", r.Verdict)
	}
	for i := range h.Base {
		h.Base[i].Resolution = time.Second
	}
	if r := Judge(&b, h, defaults); r.Verdict != Regressed {
		t.Errorf("on whole seconds: %v", r.Verdict)
	}
}
