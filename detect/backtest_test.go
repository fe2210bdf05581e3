package detect

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// A step that is slowed down moves what waited for it, and nothing else.
func TestSlowed(t *testing.T) {
	b := edit("main", 1, same)
	at := func(b *Build, name string) (int, *Step) {
		for i := range b.Steps {
			if b.Steps[i].Name == name {
				return i, &b.Steps[i]
			}
		}
		t.Fatalf("no step %q", name)
		return 0, nil
	}
	i, _ := at(&b, compile)
	before := b.Steps[i].Duration
	tests := []struct {
		name  string
		build func(Build) Build
	}{
		{"inputs are known", func(b Build) Build { return b }},
		{"only times are known", func(b Build) Build {
			for i := range b.Steps {
				b.Steps[i].Inputs = nil
			}
			return b
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := tt.build(edit("main", 1, same))
			slowed := Slowed(&b, i, 1.5)
			delta := before / 2
			if got := slowed.Steps[i].Duration - before; (got - delta).Abs() > time.Microsecond {
				t.Errorf("the step takes %v longer, want %v", got, delta)
			}
			if b.Steps[i].Duration != before {
				t.Error("the build itself was changed")
			}
			if got := slowed.Duration - b.Duration; (got - delta).Abs() > time.Microsecond {
				t.Errorf("the build takes %v longer, want %v", got, delta)
			}
			for _, name := range []string{"[build 1/4] COPY src /src", "[docs 1/1] RUN make docs", compile} {
				_, was := at(&b, name)
				_, is := at(&slowed, name)
				if !is.Start.Equal(was.Start) {
					t.Errorf("%s is moved by %v", name, is.Start.Sub(was.Start))
				}
			}
			for _, name := range []string{makeTest, "[build 4/4] RUN make lint", "exporting to image"} {
				_, was := at(&b, name)
				_, is := at(&slowed, name)
				if moved := is.Start.Sub(was.Start); (moved - delta).Abs() > time.Microsecond {
					t.Errorf("%s is moved by %v, want %v", name, moved, delta)
				}
			}
		})
	}
	t.Run("of very many, each waits for the one before", func(t *testing.T) {
		steps := make([]stepSpec, 20_000)
		for i := range steps {
			steps[i] = ran(fmt.Sprint("RUN ./task ", i), time.Second)
			if i > 0 {
				steps[i].inputs = []string{steps[i-1].name}
			}
		}
		b := newBuild("main", 1, steps...)
		slowed := Slowed(&b, 1, 2)
		for _, i := range []int{0, 1, 2, 3, len(steps) - 1} {
			want := b.Steps[i].Start
			if i > 1 {
				want = want.Add(time.Second)
			}
			if got := slowed.Steps[i].Start; !got.Equal(want) {
				t.Errorf("step %d begins %v later than it should", i, got.Sub(want))
			}
		}
		if slowed.Duration != b.Duration+time.Second {
			t.Errorf("%v becomes %v", b.Duration, slowed.Duration)
		}
	})
	t.Run("within its slack", func(t *testing.T) {
		docs, _ := at(&b, "[docs 1/1] RUN make docs")
		if slowed := Slowed(&b, docs, 1.5); slowed.Duration > b.Duration+time.Duration(float64(b.Steps[docs].Duration)*0.5) {
			t.Errorf("%v becomes %v", b.Duration, slowed.Duration)
		}
		b := edit("main", 1, same)
		for i := range b.Steps {
			b.Steps[i].Start = time.Time{}
		}
		if slowed := Slowed(&b, docs, 1.5); slowed.Duration <= b.Duration {
			t.Error("without times, a slower step costs nothing")
		}
	})
}

// What a backtest counts is what stands in the results.
func TestTally(t *testing.T) {
	p := defaults
	p.Rules = []Rule{{Step: "*make lint*", Ignore: "flaky"}}
	h := appHistory(20)
	var replays []Replay
	for n, change := range []func([]stepSpec) []stepSpec{same, slow(compile, 4), slow(makeTest, 5), same} {
		b := edit("pr", 100+n, change)
		r := Judge(&b, h, p)
		replays = append(replays, NewReplay(&r, &p, []string{"regressed"}))
	}
	failed := edit("pr", 110, same)
	failed.Outcome = Failed
	young := edit("pr", 111, same)
	for _, tt := range []struct {
		b Build
		h *History
	}{{failed, h}, {young, appHistory(3)}, {young, appHistory(4)}} {
		r := Judge(&tt.b, tt.h, p)
		replays = append(replays, NewReplay(&r, &p, []string{"regressed"}))
	}
	got := Tally("image", replays)

	if got.Builds != 7 || got.Judged != 4 || got.Verdicts[Regressed] != 2 || got.Verdicts[Unjudged] != 3 || got.RegressedShare != 0.5 {
		t.Errorf("builds %d, judged %d, %v, share %v", got.Builds, got.Judged, got.Verdicts, got.RegressedShare)
	}
	if len(got.Reasons) != 2 || got.Reasons[0] != (ReasonCount{Note{KindTooLittleHistory, "too little history"}, 2}) || got.Reasons[1] != (ReasonCount{Note{KindBuildFailed, "the build failed"}, 1}) {
		t.Errorf("reasons %+v", got.Reasons)
	}
	if got.Calls.Slower != 2 || got.Calls.Suspect != 0 || math.Abs(got.Rates.Slower-2000/float64(got.Checks)) > 1e-9 {
		t.Errorf("calls %+v, of 1,000 %+v, checks %d", got.Calls, got.Rates, got.Checks)
	}
	checks := 0
	for _, s := range got.Steps {
		checks += s.Checks
		if s.Name == "[build 4/4] RUN make lint" || s.Name == "[deps 2/3] RUN npm ci" {
			t.Errorf("%s counts as checked", s.Name)
		}
		if s.MinDetectable <= s.MinDetectable3 || s.MinDetectable3 <= 1.1 {
			t.Errorf("%s could show ×%g in one build, ×%g in three", s.Name, s.MinDetectable, s.MinDetectable3)
		}
	}
	if checks > got.Checks || got.Steps[0].Name != compile || got.Steps[0].Checks != 4 || got.Steps[0].Calls.Slower != 1 {
		t.Errorf("%d checks of steps, %d in all; first %+v", checks, got.Checks, got.Steps[0])
	}
	if len(got.Stopped) != 2 || got.Stopped[0].ID != "pr-101" || got.Stopped[1].Revision != "pr0102" || got.Stopped[1].Branch != "pr" {
		t.Fatalf("stopped %+v", got.Stopped)
	}
	if s := got.Stopped[0].Steps; len(s) != 1 || s[0].Name != compile || s[0].Ratio < 3.5 || s[0].Ratio > 4.5 || s[0].Status != StatusSlower {
		t.Errorf("stopped by %+v", s)
	}
}

// Half of the builds could show something, half nothing: that is not the mean of both.
func TestMedianOfWhatCouldBeShown(t *testing.T) {
	check := func(ratio float64) Replay {
		return Replay{Verdict: Pass, Checks: []StepCheck{{Key: "k", Status: StatusSame, Tested: true, MinDetectable: ratio, MinDetectable3: 1.5}}}
	}
	for _, tt := range []struct {
		ratios []float64
		want   float64
	}{{[]float64{2, 0, 3}, 3}, {[]float64{2, 0}, 0}, {[]float64{0, 0, 2}, 0}, {[]float64{2}, 2}} {
		var replays []Replay
		for _, r := range tt.ratios {
			replays = append(replays, check(r))
		}
		if got := Tally("p", replays).Steps[0]; got.MinDetectable != tt.want || got.MinDetectable3 != 1.5 {
			t.Errorf("of %v: %g, %g; want %g, 1.5", tt.ratios, got.MinDetectable, got.MinDetectable3, tt.want)
		}
	}
}
