package detect

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// Equal steps keep their histories when lines come and go around them; where it
// cannot be told which is which, nothing is claimed.
func TestEqualStepsKeepApart(t *testing.T) {
	// A spec is "name seconds"; times are noisy.
	type spec struct {
		text string
		took float64
	}
	stage := func(name string, specs ...spec) (out []spec) {
		for i, s := range specs {
			out = append(out, spec{fmt.Sprintf("[%s%d/%d] %s", name, i+1, len(specs), s.text), s.took})
		}
		return out
	}
	build := func(rng *rand.Rand, specs []spec) (steps []stepSpec) {
		for _, s := range specs {
			steps = append(steps, ran(s.text, noisy(rng, seconds(s.took), .05)))
		}
		return steps
	}
	update := func(took float64) spec { return spec{"RUN apt-get update", took} }
	tests := []struct {
		name    string
		history []spec
		now     []spec
		slower  string // the one step that is, "" for none
	}{
		{
			"one of three is removed",
			stage("b ", update(6), spec{"RUN make a", 3}, update(6), spec{"RUN make b", 3}, update(27), spec{"RUN make c", 3}),
			stage("b ", update(6), spec{"RUN make a", 3}, update(27), spec{"RUN make c", 3}), "",
		},
		{
			"one is inserted",
			stage("b ", update(6), spec{"RUN make a", 3}, update(27), spec{"RUN make b", 3}),
			stage("b ", update(6), spec{"RUN make a", 3}, update(9), spec{"RUN make x", 3}, update(27), spec{"RUN make b", 3}), "",
		},
		{
			"one is inserted and another slower",
			stage("b ", update(6), spec{"RUN make a", 3}, update(27), spec{"RUN make b", 3}),
			stage("b ", update(60), spec{"RUN make a", 3}, update(9), spec{"RUN make x", 3}, update(27), spec{"RUN make b", 3}),
			"[b 1/6] RUN apt-get update",
		},
		{
			"unnamed stages",
			append(stage("stage-0 ", spec{"COPY a /", 1}, spec{"RUN npm ci", 60}, spec{"RUN make a", 3}), stage("stage-1 ", spec{"COPY b /", 1}, spec{"RUN npm ci", 5}, spec{"RUN make b", 3})...),
			append(stage("stage-0 ", spec{"COPY a /", 1}, spec{"RUN echo", 1}, spec{"RUN echo", 1}, spec{"RUN npm ci", 60}, spec{"RUN make a", 3}), stage("stage-1 ", spec{"COPY b /", 1}, spec{"RUN npm ci", 5}, spec{"RUN make b", 3})...), "",
		},
		{
			"without positions, one more in front",
			[]spec{{"setup", 2}, {"checkout", 9}, {"checkout", 90}, {"test", 30}},
			[]spec{{"setup", 2}, {"checkout", 40}, {"checkout", 9}, {"checkout", 90}, {"test", 30}},
			"",
		},
		{
			"nothing came or went, and one is slower",
			stage("b ", update(6), spec{"RUN make a", 3}, update(27), spec{"RUN make b", 3}),
			stage("b ", update(6), spec{"RUN make a", 3}, update(270), spec{"RUN make b", 3}),
			"[b 3/4] RUN apt-get update",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := mainHistory(20, func(_ int, rng *rand.Rand) []stepSpec { return build(rng, tt.history) })
			b := newBuild("pr", 100, build(rand.New(rand.NewPCG(41, 42)), tt.now)...)
			r := Judge(&b, h, defaults)
			for i := range r.Steps {
				s := &r.Steps[i]
				loud := s.Status == StatusSlower || s.Status == StatusSuspect || s.Status == StatusFaster
				if loud != (s.Name == tt.slower) {
					t.Errorf("%s is %v: %v, usually %v", s.Name, s.Status, s.Current, s.Usual)
				}
			}
		})
	}
}

// A step that the author inserted does not take over the history of another one.
func TestInsertedIsNotEdited(t *testing.T) {
	h := mainHistory(30, func(n int, rng *rand.Rand) []stepSpec {
		name := "[b 2/3] RUN npm ci"
		if n >= 20 {
			name = "[b 2/3] RUN npm ci --no-audit"
		}
		return []stepSpec{ran("[b 1/3] COPY . /", seconds(1)), ran(name, noisy(rng, seconds(10), .05)), ran("[b 3/3] RUN make", noisy(rng, seconds(20), .05))}
	})
	b := newBuild("pr", 100, ran("[b 1/4] COPY . /", seconds(1)), ran("[b 2/4] RUN npm ci --prefix web", seconds(90)),
		ran("[b 3/4] RUN npm ci --no-audit", seconds(10)), ran("[b 4/4] RUN make", seconds(20)))
	r := Judge(&b, h, defaults)
	if s := stepOf(t, &r, "[b 2/4] RUN npm ci --prefix web"); s.Status != StatusNew {
		t.Errorf("the inserted step is %v, notes %q", s.Status, s.Notes)
	}
	if s := stepOf(t, &r, "[b 3/4] RUN npm ci --no-audit"); s.N != 30 || s.Status != StatusSame {
		t.Errorf("the old step has %d samples, %v; want 30, same", s.N, s.Status)
	}

	// In a trace, what is in the cache is absent: it was not edited into anything.
	h = mainHistory(30, func(n int, rng *rand.Rand) []stepSpec {
		steps := []stepSpec{ran("[b 3/3] RUN make", noisy(rng, seconds(20), .05))}
		if n%3 == 0 {
			steps = append(steps, ran("[b 2/3] RUN apt-get install gcc", noisy(rng, seconds(10), .05)))
		}
		return steps
	})
	for i := range h.Base {
		h.Base[i].Partial = true
	}
	b = newBuild("pr", 100, ran("[b 3/4] RUN apt-get install clang", seconds(90)), ran("[b 4/4] RUN make", seconds(20)))
	b.Partial = true
	r = Judge(&b, h, defaults)
	if s := stepOf(t, &r, "[b 3/4] RUN apt-get install clang"); s.Status == StatusSlower || s.N > 0 {
		t.Errorf("the inserted step is %v by %d samples of another", s.Status, s.N)
	}
}

// A rare step keeps its own history, whoever comes before it.
func TestRareStepIsNotTakenOver(t *testing.T) {
	const legacy, web = "[b 2/3] RUN npm ci --prefix legacy", "[b 3/3] RUN npm ci --prefix web"
	h := mainHistory(50, func(_ int, rng *rand.Rand) []stepSpec {
		return []stepSpec{hit("[b 1/3] COPY . /"), ran(web, noisy(rng, seconds(20), .05))}
	})
	for i := range 30 {
		b := newBuild("main", -i-1, ran(legacy, noisy(rand.New(rand.NewPCG(7, uint64(i))), seconds(30), .05)))
		h.Sparse = append(h.Sparse, b)
	}
	for _, steps := range [][]stepSpec{{ran(web, seconds(20)), ran(legacy, seconds(300))}, {ran(legacy, seconds(300)), ran(web, seconds(20))}} {
		b := newBuild("pr", 100, append([]stepSpec{hit("[b 1/3] COPY . /")}, steps...)...)
		r := Judge(&b, h, defaults)
		if s := stepOf(t, &r, legacy); s.Status != StatusSlower || s.N != 30 {
			t.Errorf("%v by %d samples, want slower by its own 30", s.Status, s.N)
		}
		if s := stepOf(t, &r, web); s.N != 50 || s.Status != StatusSame {
			t.Errorf("the other step: %v by %d samples", s.Status, s.N)
		}
	}
}

// The same input gives the same result, to the byte.
func TestJudgeIsDeterministic(t *testing.T) {
	words := func(rng *rand.Rand) (s string) {
		for range 5 {
			s += fmt.Sprintf(" w%d", rng.IntN(30))
		}
		return s
	}
	h := mainHistory(30, func(_ int, rng *rand.Rand) (steps []stepSpec) {
		for i := range 12 {
			steps = append(steps, ran(fmt.Sprintf("[b %d/12] RUN%s", i+1, words(rng)), noisy(rng, seconds(20), .2)))
		}
		return append(steps, ran("make one", seconds(10)), ran("make one", seconds(60)))
	})
	rng := rand.New(rand.NewPCG(3, 3))
	var steps []stepSpec
	for i := range 12 {
		steps = append(steps, ran(fmt.Sprintf("[b %d/12] RUN%s", i+1, words(rng)), seconds(20)))
	}
	b := newBuild("pr", 100, append(steps, ran("make one x", seconds(10)), ran("make one x", seconds(60)))...)
	judge := func() string {
		document, err := json.Marshal(Judge(&b, h, defaults))
		if err != nil {
			t.Fatal(err)
		}
		return string(document)
	}
	first := judge()
	for range 10 {
		if again := judge(); again != first {
			t.Fatalf("two judgements of one build differ:\n%s\n%s", first, again)
		}
	}
}

// Judging what a hostile author wrote takes seconds, not minutes.
func BenchmarkJudgeEdited(b *testing.B) {
	long := func(n, i int) string {
		s := fmt.Sprintf("[b %d/220] RUN", i+1)
		for w := range 150 {
			s += fmt.Sprintf(" w%d", (w*n+i)%400)
		}
		return s
	}
	steps := func(n int) (out []stepSpec) {
		for i := range 220 {
			out = append(out, ran(long(n, i), time.Second))
		}
		return out
	}
	h := mainHistory(10, func(int, *rand.Rand) []stepSpec { return steps(7) })
	for i := range 4 {
		h.Branch = append(h.Branch, newBuild("pr", 99-i, steps(11)...))
	}
	build := newBuild("pr", 100, steps(11)...)
	for b.Loop() {
		Judge(&build, h, defaults)
	}
}

// Traces show a part of a build. By which unnamed stage it is of, a step is told from
// its equal in another one, though nothing else in the two parts differs.
func TestEqualStepsOfUnnamedStagesInTraces(t *testing.T) {
	first, between, second := "[stage-0 2/3] RUN npm ci", "[stage-1 2/3] RUN make", "[stage-2 2/3] RUN npm ci"
	h := mainHistory(30, func(n int, rng *rand.Rand) []stepSpec {
		steps := []stepSpec{ran(first, noisy(rng, seconds(60), .05)), ran(second, noisy(rng, seconds(5), .05)), ran(between, noisy(rng, seconds(30), .05))}
		if n < 15 {
			return steps
		}
		return steps[1:]
	})
	for i := range h.Base {
		h.Base[i].Partial = true
	}
	for name, took := range map[string]float64{first: 60, second: 5} {
		b := newBuild("pr", 100, ran(name, seconds(took)), ran(between, seconds(30)))
		b.Partial = true
		r := Judge(&b, h, defaults)
		wantStatus(t, stepOf(t, &r, name), StatusSame)
	}
}

// However many equal steps are deleted, or inserted, what is left is not called slower or
// faster, and neither are its neighbours; and the account names what they took together.
func TestEqualStepsThatComeAndGo(t *testing.T) {
	type step struct {
		text string
		took float64
	}
	stageOf := func(prefix string, list []step) (out []stepSpec) {
		for i, s := range list {
			out = append(out, ran(fmt.Sprintf("[%s%d/%d] %s", prefix, i+1, len(list), s.text), seconds(s.took)))
		}
		return out
	}
	loud := 0
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 8))
		kinds := []string{"RUN <<EOT (set -ex...)", "RUN <<EOT (set -ex...)", "RUN npm ci"}
		random := func(n int) step {
			if rng.IntN(4) == 0 {
				return step{fmt.Sprintf("RUN make t%d", n), 3}
			}
			return step{kinds[rng.IntN(len(kinds))], float64(2 + rng.IntN(60))}
		}
		var before []step
		for i := range 4 + rng.IntN(5) {
			before = append(before, random(i))
		}
		var after []step
		for i, s := range before {
			switch {
			case seed%2 == 0 && rng.IntN(3) == 0: // deleted
			case seed%2 == 1 && rng.IntN(3) == 0: // one inserted in front of it
				after = append(after, random(100+i), s)
			default:
				after = append(after, s)
			}
		}
		prefix := []string{"b ", ""}[rng.IntN(2)]
		h := mainHistory(12, func(_ int, rng *rand.Rand) []stepSpec {
			specs := stageOf(prefix, before)
			for i := range specs {
				specs[i].Took = noisy(rng, specs[i].Took, .03)
			}
			return specs
		})
		b := newBuild("pr", 100, stageOf(prefix, after)...)
		r := Judge(&b, h, defaults)
		for i := range r.Steps {
			switch s := &r.Steps[i]; s.Status {
			case StatusSlower, StatusSuspect, StatusFaster:
				t.Errorf("seed %d: %s is %v: %v, usually %v\nbefore %v\nafter  %v", seed, s.Name, s.Status, s.Current, s.Usual, before, after)
			case StatusUnjudged:
				loud++
			}
		}
	}
	if loud == 0 {
		t.Error("no step was ever left unjudged: nothing was tested")
	}
}

// What equal steps take that cannot be told apart is compared all together.
func TestEqualStepsInTheAccount(t *testing.T) {
	const heredoc = "RUN <<EOT (set -ex...)"
	chain := func(took ...float64) (out []stepSpec) {
		for i, s := range took {
			name := fmt.Sprintf("[b %d/%d] %s", i+1, len(took), heredoc)
			if i == 0 {
				out = append(out, ran(name, seconds(s)))
				continue
			}
			out = append(out, ran(name, seconds(s), out[i-1].Name))
		}
		return out
	}
	h := mainHistory(12, func(int, *rand.Rand) []stepSpec { return chain(5, 40, 15) })
	b := newBuild("pr", 100, chain(40, 15)...)
	r := Judge(&b, h, defaults)
	want := []WallClockPart{
		{Cause: CauseStep, Step: "[b] " + heredoc, Seconds: timeline.Seconds(-5 * time.Second)},
		{Cause: CauseRest},
	}
	if !slices.Equal(r.WallClock.Parts, want) {
		t.Errorf("parts %v, want %v", r.WallClock.Parts, want)
	}
	for i := range r.Steps {
		if s := &r.Steps[i]; s.Status != StatusUnjudged || s.Reason.Kind != KindEqualSteps {
			t.Errorf("%s is %v, %v", s.Name, s.Status, s.Reason)
		}
	}
	if b = newBuild("pr", 100, chain(5, 40, 150)...); stepOf(t, new(Judge(&b, h, defaults)), "[b 3/3] "+heredoc).Status != StatusSlower {
		t.Error("as many as before, and the last is not slower")
	}
}

// The newest build on main says how many equal steps there are, not the one with most.
func TestEqualStepsAfterOneIsGone(t *testing.T) {
	h := mainHistory(20, func(n int, rng *rand.Rand) []stepSpec {
		steps := []stepSpec{
			ran("[b 1/2] RUN npm ci", noisy(rng, seconds(6), .03)),
			ran("[b 2/2] RUN npm ci", noisy(rng, seconds(27), .03)),
		}
		if n < 5 {
			steps = []stepSpec{ran("[b 1/3] RUN npm ci", seconds(99)), ran("[b 2/3] RUN npm ci", seconds(6)), ran("[b 3/3] RUN npm ci", seconds(27))}
		}
		return steps
	})
	b := newBuild("pr", 100, ran("[b 1/2] RUN npm ci", seconds(6)), ran("[b 2/2] RUN npm ci", seconds(80)))
	r := Judge(&b, h, defaults)
	wantStatus(t, stepOf(t, &r, "[b 1/2] RUN npm ci"), StatusSame)
	wantStatus(t, stepOf(t, &r, "[b 2/2] RUN npm ci"), StatusSlower)
}

// Where the bodies of heredocs are known, they tell which of the equal steps came or went.
func TestBodiesTellEqualStepsApart(t *testing.T) {
	const heredoc = "RUN <<EOT (set -ex...)"
	type step struct {
		body string
		took float64
	}
	build := func(rng *rand.Rand, list []step) (b timeline.Build) {
		var specs []stepSpec
		for i, s := range list {
			specs = append(specs, ran(fmt.Sprintf("[b %d/%d] %s", i+1, len(list), heredoc), noisy(rng, seconds(s.took), .03)))
		}
		b = newBuild("pr", 100, specs...)
		for i, s := range list {
			b.Steps[i].Body = s.body
		}
		return b
	}
	before := []step{{"a", 5}, {"b", 40}, {"c", 15}}
	for _, tt := range []struct {
		name  string
		after []step
		want  []Status
		gone  int
	}{
		{"the first deleted", []step{{"b", 40}, {"c", 15}}, []Status{StatusSame, StatusSame}, 1},
		{"deleted, and another slower", []step{{"b", 90}, {"c", 15}}, []Status{StatusSlower, StatusSame}, 1},
		{"one inserted", []step{{"x", 60}, {"a", 5}, {"b", 40}, {"c", 15}}, []Status{StatusNew, StatusSame, StatusSame, StatusSame}, 0},
		{"the first deleted, one appended", []step{{"b", 40}, {"c", 15}, {"x", 60}}, []Status{StatusSame, StatusSame, StatusNew}, 1},
		{"one edited in its place", []step{{"a", 5}, {"x", 90}, {"c", 15}}, []Status{StatusSame, StatusSlower, StatusSame}, 0},
		{"one edited, one inserted beside it", []step{{"a", 5}, {"x", 90}, {"y", 90}, {"c", 15}}, []Status{StatusSame, StatusUnjudged, StatusUnjudged, StatusSame}, 0},
		{"two changed places", []step{{"b", 40}, {"a", 5}, {"c", 15}}, []Status{StatusNew, StatusSame, StatusSame}, 1},
		{"not known", []step{{"", 40}, {"", 15}}, []Status{StatusUnjudged, StatusUnjudged}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := mainHistory(14, func(int, *rand.Rand) []stepSpec { return nil })
			for i := range h.Base {
				b := build(rand.New(rand.NewPCG(uint64(i), 2)), before)
				h.Base[i].Steps, h.Base[i].Duration = b.Steps, b.Duration
			}
			b := build(rand.New(rand.NewPCG(99, 2)), tt.after)
			r := Judge(&b, h, defaults)
			for i, want := range tt.want {
				if s := &r.Steps[i]; s.Status != want {
					t.Errorf("%s with body %q is %v (%v), want %v", s.Name, tt.after[i].body, s.Status, s.Reason, want)
				}
			}
			if n := r.Counts[StatusGone]; n != tt.gone {
				t.Errorf("%d are gone, want %d", n, tt.gone)
			}
		})
	}
}
