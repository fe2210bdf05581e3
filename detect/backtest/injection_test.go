package backtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// A step that is slowed down moves what waited for it, and nothing else.
func TestSlowDown(t *testing.T) {
	b := appBuild("main", 1)
	at := func(b *timeline.Build, name string) (int, *timeline.Step) {
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
		build func(timeline.Build) timeline.Build
	}{
		{"inputs are known", func(b timeline.Build) timeline.Build { return b }},
		{"only times are known", func(b timeline.Build) timeline.Build {
			for i := range b.Steps {
				b.Steps[i].Inputs = nil
			}
			return b
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := tt.build(appBuild("main", 1))
			slowed := SlowDown(&b, i, 1.5)
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
		steps := make([]step, 20_000)
		for i := range steps {
			steps[i] = step{name: fmt.Sprint("RUN ./task ", i), took: time.Second}
			if i > 0 {
				steps[i].inputs = []string{steps[i-1].name}
			}
		}
		b := newBuild("main", 1, steps)
		slowed := SlowDown(&b, 1, 2)
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
		if slowed := SlowDown(&b, docs, 1.5); slowed.Duration > b.Duration+time.Duration(float64(b.Steps[docs].Duration)*0.5) {
			t.Errorf("%v becomes %v", b.Duration, slowed.Duration)
		}
		b := appBuild("main", 1)
		for i := range b.Steps {
			b.Steps[i].Start = time.Time{}
		}
		if slowed := SlowDown(&b, docs, 1.5); slowed.Duration <= b.Duration {
			t.Error("without times, a slower step costs nothing")
		}
	})
}
