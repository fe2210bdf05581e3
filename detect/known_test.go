package detect

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// This file holds answers that are known beforehand, as people would ask for them:
// all through Judge, so through all that a check does with its builds.

const only = "[build 1/1] RUN it"

// historyOf is main's builds of one step, given as times newest first.
func historyOf(times []time.Duration) *History {
	return mainHistory(len(times), func(n int, _ *rand.Rand) []stepSpec {
		return []stepSpec{ran(only, times[len(times)-1-n])}
	})
}

// afterwards judges the last of a branch's builds, which took those times.
func afterwards(t *testing.T, h *History, times ...float64) (*StepResult, *Result) {
	t.Helper()
	var r Result
	for i, s := range times {
		b := newBuild("pr", 1000+i, ran(only, seconds(s)))
		r = Judge(&b, h, defaults)
		h.Branch = append([]timeline.Build{b}, h.Branch...)
	}
	h.Branch = nil
	return stepOf(t, &r, only), &r
}

func wantStatus(t *testing.T, s *StepResult, want ...Status) {
	t.Helper()
	if !slices.Contains(want, s.Status) {
		t.Errorf("%v (p %.5f, q %.5f, evidence %+v, usually %v), want one of %v", s.Status, s.P, s.Q, s.Evidence, s.Usual, want)
	}
}

func TestKnownModes(t *testing.T) {
	h := historyOf(mixed(times(17, 7), times(3, 945)))
	s, r := afterwards(t, h, 945)
	wantStatus(t, s, StatusSame)
	if len(s.Modes) != 2 || s.Modes[1].Seconds.D() != seconds(945) || s.Modes[1].Share != 3.0/20 || r.Verdict != Pass {
		t.Errorf("modes %+v, want one of 945 s in 3 of 20 builds; verdict %v", s.Modes, r.Verdict)
	}
	// Ratio and range are those of the nearest mode below.
	if s.Usual.D() != seconds(7) || math.Abs(s.Ratio-135) > 1e-9 {
		t.Errorf("usually %v, ratio %g; want 7 s, 135", s.Usual, s.Ratio)
	}
	s, r = afterwards(t, h, 945, 945, 945, 945, 945)
	wantStatus(t, s, StatusSlower)
	if r.Verdict != Regressed || s.Evidence.Builds != 5 || s.Evidence.Slow != 5 {
		t.Errorf("verdict %v, evidence %+v", r.Verdict, s.Evidence)
	}
	s, _ = afterwards(t, h, 2000)
	wantStatus(t, s, StatusSlower, StatusSuspect)
}

func TestKnownSpike(t *testing.T) {
	h := historyOf(mixed(times(19, 10), times(1, 30)))
	// What was seen once is no surprise, nor is less: 15 s is never judged more severely
	// than 30 s. Seen again and again, both are.
	for _, took := range []float64{15, 30} {
		s, _ := afterwards(t, h, took)
		wantStatus(t, s, StatusSame, StatusSuspect)
		s, _ = afterwards(t, h, took, took, took)
		wantStatus(t, s, StatusSlower)
	}
}

func TestKnownConstant(t *testing.T) {
	h := historyOf(times(20, 7))
	s, r := afterwards(t, h, 70)
	wantStatus(t, s, StatusSlower)
	if r.Verdict != Regressed {
		t.Errorf("verdict %v", r.Verdict)
	}
	s, _ = afterwards(t, h, 7.001)
	wantStatus(t, s, StatusSame)
}

func TestKnownTooFew(t *testing.T) {
	// Of the build, and of one step.
	_, r := afterwards(t, historyOf(times(7, 7)), 70)
	if r.Verdict != Unjudged || r.Reason != (Note{KindTooLittleHistory, "too little history: 7 of 8 builds of main"}) || stepOf(t, r, only).Status != StatusUnjudged {
		t.Errorf("%v, %q", r.Verdict, r.Reason)
	}
	h := mainHistory(20, func(n int, rng *rand.Rand) []stepSpec {
		s := thirty(rng, 1)
		if n >= 13 {
			s = append(s, ran("[late 1/1] RUN late", seconds(10)))
		}
		return s
	})
	b := newBuild("pr", 100, append(thirty(rand.New(rand.NewPCG(4, 4)), 1), ran("[late 1/1] RUN late", seconds(100)))...)
	result := Judge(&b, h, defaults)
	if s := stepOf(t, &result, "[late 1/1] RUN late"); s.Status != StatusUnjudged || s.Reason != (Note{KindTooLittleHistory, "too few builds: 7 of 8"}) {
		t.Errorf("%v, %q", s.Status, s.Reason)
	}
}

// thirty are the steps of a build, one after the other, as many times as slow.
func thirty(rng *rand.Rand, by float64) (s []stepSpec) {
	for i := range 30 {
		spec := ran(fmt.Sprintf("[build %d/30] RUN task%c%c", i+1, 'a'+i/26, 'a'+i%26), noisy(rng, seconds(by*float64(3+i)), .05))
		if i > 0 {
			spec.Inputs = []string{s[i-1].Name}
		}
		s = append(s, spec)
	}
	return s
}

func TestKnownRunner(t *testing.T) {
	h := mainHistory(20, func(_ int, rng *rand.Rand) []stepSpec { return thirty(rng, 1) })
	b := newBuild("pr", 100, thirty(rand.New(rand.NewPCG(3, 3)), 2)...)
	r := Judge(&b, h, defaults)
	if names := flagged(&r); len(names) > 0 || r.Counts[StatusFaster] > 0 || r.Verdict != Pass {
		t.Errorf("all ×2: %v, flagged %q, %v", r.Verdict, names, r.Counts)
	}
	if f := r.RunnerFactor; !f.Unusual() || f.Value < 1.9 || f.Value > 2.1 || f.Steps != 30 {
		t.Errorf("all ×2: factor %+v", f)
	}
	if rep := NewReport([]Result{r}, []string{"regressed", "unsure"}, nil); rep.ExitCode != 0 {
		t.Errorf("all ×2: exit code %d", rep.ExitCode)
	}
	for _, at := range []int{0, 12, 29} {
		s := thirty(rand.New(rand.NewPCG(3, 3)), 2)
		s[at].Took *= 2 // four times as slow as usual
		b := newBuild("pr", 100, s...)
		r := Judge(&b, h, defaults)
		if names := flagged(&r); !slices.Equal(names, []string{s[at].Name}) {
			t.Errorf("all ×2, step %d ×4: flagged %q", at, names)
		}
	}
}

// With two of three steps slower, nobody can tell the machine's mood.
func TestKnownTwoOfThree(t *testing.T) {
	three := func(rng *rand.Rand, by float64) []stepSpec {
		return []stepSpec{
			hit("[deps 1/1] RUN npm ci"),
			ran("[build 1/3] RUN a", noisy(rng, seconds(20*by), .05), "[deps 1/1] RUN npm ci"),
			ran("[build 2/3] RUN b", noisy(rng, seconds(40*by), .05), "[build 1/3] RUN a"),
			ran("[build 3/3] RUN c", noisy(rng, seconds(30), .05), "[build 2/3] RUN b"),
		}
	}
	h := mainHistory(20, func(_ int, rng *rand.Rand) []stepSpec { return three(rng, 1) })
	rng := rand.New(rand.NewPCG(6, 6))
	for n := range 3 {
		b := newBuild("pr", 100+n, three(rng, 1.5)...)
		r := Judge(&b, h, defaults)
		if r.RunnerFactor != nil || r.Counts[StatusFaster] > 0 {
			t.Errorf("build %d: factor %+v, %v", n+1, r.RunnerFactor, r.Counts)
		}
		for _, name := range []string{"[build 1/3] RUN a", "[build 2/3] RUN b"} {
			s := stepOf(t, &r, name)
			if s.Expected != s.Usual {
				t.Errorf("build %d: %v is expected of %s, usually %v", n+1, s.Expected, name, s.Usual)
			}
			wantStatus(t, s, [][]Status{{StatusSlower, StatusSuspect}, {StatusSlower, StatusSuspect}, {StatusSlower}}[n]...)
		}
		wantStatus(t, stepOf(t, &r, "[build 3/3] RUN c"), StatusSame)
		h.Branch = append([]timeline.Build{b}, h.Branch...)
	}
}

// The spread of the times before a shift is not forgotten: ten builds after it, the
// step can show more than with ten builds of history.
func TestKnownShift(t *testing.T) {
	h := shiftedHistory(10, slow(compile, 1.5))
	b := edit("pr", 100, slow(compile, 1.5))
	r := Judge(&b, h, defaults)
	s := stepOf(t, &r, compile)
	wantStatus(t, s, StatusSame)
	if s.Usual.D() < seconds(80) || s.Usual.D() > seconds(100) || s.Cut != "main0030" {
		t.Errorf("usually %v since %q", s.Usual, s.Cut)
	}
	short := *h
	short.Base = h.Base[:10]
	r = Judge(&b, &short, defaults)
	if alone := stepOf(t, &r, compile); s.MinDetectable >= alone.MinDetectable {
		t.Errorf("with the builds before, ×%.3g could be shown; with those since alone, ×%.3g", s.MinDetectable, alone.MinDetectable)
	}
	b = edit("pr", 100, slow(compile, 2.25))
	r = Judge(&b, h, defaults)
	wantStatus(t, stepOf(t, &r, compile), StatusSlower, StatusSuspect)
}

// variedBuilds are a history of 25 builds and a branch of three, with a clock that
// counts in so much, all times scaled, and the steps in an order of their own.
func variedBuilds(scale float64, resolution time.Duration, order *rand.Rand) (*History, timeline.Build) {
	rng := rand.New(rand.NewPCG(8, 8))
	mult := []float64{1, 1, 1.3, 3, .3, 1, 2, 1, 1.15, 1, 6, 1}
	make12 := func(branch string, n int, changed bool) timeline.Build {
		var s []stepSpec
		for i := range 12 {
			took := noisy(rng, seconds(math.Pow(1.6, float64(i))), 0.02+0.02*float64(i%5))
			if changed {
				took = time.Duration(float64(took) * mult[i])
			}
			took = took.Round(10 * time.Millisecond)
			spec := ran(fmt.Sprintf("[build %d/12] RUN task%c", i+1, 'a'+i), time.Duration(math.Round(float64(took)*scale)))
			if i > 0 {
				spec.Inputs = []string{s[i-1].Name}
			}
			s = append(s, spec)
		}
		b := newBuild(branch, n, s...)
		b.Resolution = resolution
		if order != nil {
			order.Shuffle(len(b.Steps), func(i, j int) { b.Steps[i], b.Steps[j] = b.Steps[j], b.Steps[i] })
		}
		return b
	}
	h := &History{BaseBranch: "main"}
	for n := range 25 {
		h.Base = slices.Insert(h.Base, 0, make12("main", n, false))
	}
	for n := range 2 {
		h.Branch = slices.Insert(h.Branch, 0, make12("pr", 100+n, true))
	}
	return h, make12("pr", 102, true)
}

// verdictsOf are a result's verdicts, by the step's name.
func verdictsOf(r *Result) string {
	var lines []string
	for _, s := range r.Steps {
		lines = append(lines, s.Name+": "+s.Status.String())
	}
	slices.Sort(lines)
	return r.Verdict.String() + "\n" + strings.Join(lines, "\n")
}

func TestKnownScale(t *testing.T) {
	for _, resolution := range []time.Duration{0, 10 * time.Millisecond, time.Second} {
		h, b := variedBuilds(1, resolution, nil)
		r := Judge(&b, h, defaults)
		want := verdictsOf(&r)
		for _, status := range []Status{StatusSlower, StatusFaster, StatusSame} {
			if r.Counts[status] == 0 {
				t.Fatalf("nothing is %v: this shows little: %s", status, want)
			}
		}
		for _, scale := range []float64{0.1, 7, 60} {
			h, b := variedBuilds(scale, time.Duration(float64(resolution)*scale), nil)
			p := defaults
			p.MinDelta = timeline.Seconds(float64(p.MinDelta) * scale)
			if r := Judge(&b, h, p); verdictsOf(&r) != want {
				t.Errorf("resolution %v, all ×%g: %s\nwant %s", resolution, scale, verdictsOf(&r), want)
			}
		}
	}
}

func TestKnownOrder(t *testing.T) {
	h, b := variedBuilds(1, 0, nil)
	r := Judge(&b, h, defaults)
	want := verdictsOf(&r)
	for seed := range uint64(5) {
		h, b := variedBuilds(1, 0, rand.New(rand.NewPCG(seed, 9)))
		if r := Judge(&b, h, defaults); verdictsOf(&r) != want {
			t.Errorf("in order %d: %s\nwant %s", seed, verdictsOf(&r), want)
		}
	}
}

// On noise that is symmetric in the logarithm, as many steps are called slower as
// faster: a test that only ever finds one of them finds artefacts.
func TestKnownSymmetry(t *testing.T) {
	rng := rand.New(rand.NewPCG(41, 42))
	value := func() time.Duration {
		y := 0.05 * rng.NormFloat64()
		if rng.Float64() < 0.02 { // one of fifty is far off, on either side
			y += []float64{-1.5, 1.5}[rng.IntN(2)]
		}
		return time.Duration(60e9 * math.Exp(y))
	}
	up, down := 0, 0
	for range 100 {
		trials := make([]Trial, 30)
		for i := range trials {
			for range 20 {
				trials[i].History = append(trials[i].History, value())
			}
			trials[i].New = []time.Duration{value()}
		}
		for _, s := range statuses(trials, DefaultThresholds) {
			switch s {
			case StatusSlower:
				up++
			case StatusFaster:
				down++
			}
		}
	}
	if n := float64(up + down); n < 20 || math.Abs(float64(up-down)) > 3*math.Sqrt(n) {
		t.Errorf("%d slower, %d faster", up, down)
	}
}

// A step that runs in one build of ten is judged by the builds in which it ran.
func TestKnownRareStep(t *testing.T) {
	const rare = "[deps 1/1] RUN npm ci"
	spec := func(n int, rng *rand.Rand) []stepSpec {
		s := thirty(rng, 1)
		if n%10 == 0 {
			return append(s, ran(rare, noisy(rng, seconds(50), .05)))
		}
		return append(s, hit(rare))
	}
	h := mainHistory(250, spec)
	// As a history is read: 50 builds whole, and of those before what ran of steps
	// that are rare in them.
	for _, b := range h.Base[50:] {
		b.Steps = slices.DeleteFunc(slices.Clone(b.Steps), func(s timeline.Step) bool { return s.Name != rare || s.State != timeline.Executed })
		if len(b.Steps) > 0 {
			h.Sparse = append(h.Sparse, b)
		}
	}
	h.Base = h.Base[:50]
	rng := rand.New(rand.NewPCG(2, 3))
	for _, tt := range []struct {
		by   float64
		want []Status
	}{{1, []Status{StatusCacheLost, StatusSame}}, {4, []Status{StatusSlower}}} {
		b := newBuild("pr", 1000, append(thirty(rng, 1), ran(rare, noisy(rng, seconds(50*tt.by), .05)))...)
		r := Judge(&b, h, defaults)
		s := stepOf(t, &r, rare)
		if wantStatus(t, s, tt.want...); s.N != 25 {
			t.Errorf("×%g: judged by %d samples, want 25", tt.by, s.N)
		}
	}
}

// A speed-up is told from the lower of what is usual and the middle of all modes, as a
// slowdown is from the higher: between two modes is neither.
func TestBetweenModes(t *testing.T) {
	var history []time.Duration
	for i := range 20 {
		if i%2 == 0 && i < 18 { // they take turns: no level shifted
			history = append(history, seconds(9.2+.02*float64(i%5)))
		} else {
			history = append(history, seconds(16+.05*float64(i%7)))
		}
	}
	for _, now := range [][]time.Duration{
		{seconds(11.3), seconds(11.1), seconds(10.7)},
		{seconds(12.4), seconds(12.5), seconds(12.6), seconds(12.5)},
	} {
		d := Decide([]Trial{{History: history, New: now}}, DefaultThresholds)[0]
		if d.Status != StatusSame || d.Usual > seconds(10) || d.Evidence.Slow != 0 {
			t.Errorf("%v: %v, %d of them slow, usual %v; want same, none, 9.2s", now, d.Status, d.Evidence.Slow, d.Usual)
		}
	}
	if d := Decide([]Trial{{History: history, New: []time.Duration{seconds(4), seconds(4), seconds(4)}}}, DefaultThresholds)[0]; d.Status != StatusFaster {
		t.Errorf("below both: %v, want faster", d.Status)
	}
}
