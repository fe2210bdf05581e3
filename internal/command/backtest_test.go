package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/backtest"
	"github.com/buildregress/buildregress/internal/ci"
	"github.com/buildregress/buildregress/internal/cli/clitest"
	"github.com/buildregress/buildregress/internal/console"
)

// Of more cases than are tried, the same are drawn each time, and it is said.
func TestBacktestDraws(t *testing.T) {
	o := BacktestOptions{Policy: detect.Policy{Thresholds: detect.DefaultThresholds}, Inject: 3, Builds: 200}
	env := &Env{Console: &console.Console{Output: console.Output{Writer: io.Discard}}, Now: clitest.Start}
	names := ci.NewResolver(ci.Identity{BaseBranch: "main"}, func(string) string { return "" }, t.TempDir(), clitest.Start)
	const most = 20
	replay := func() *backtest.Injection {
		r := newReplayer(env, &o, names, clitest.History(20, 12))
		r.maxCases = most
		out, _, err := r.replay(t.Context(), "app")
		if err != nil {
			t.Fatal(err)
		}
		return out.Injection
	}
	a := replay()
	if a.Possible <= most || a.Cases != most || a.Seed != caseSeed || a.Looks[0].Cases != most {
		t.Errorf("%d cases of %d, seed %d", a.Cases, a.Possible, a.Seed)
	}
	if b := replay(); !cmp.Equal(a, b) {
		t.Error(cmp.Diff(a, b))
	}
}

func TestInParallel(t *testing.T) {
	done := make([]bool, 1000)
	if err := inParallel(t.Context(), len(done), func(i int) error { done[i] = true; return nil }); err != nil {
		t.Fatal(err)
	}
	for i, d := range done {
		if !d {
			t.Fatalf("%d is not done", i)
		}
	}
	if err := inParallel(t.Context(), 1000, func(i int) error { return fmt.Errorf("number %d", i) }); err == nil || !strings.HasPrefix(err.Error(), "number ") {
		t.Errorf("error %v", err)
	}
	if err := inParallel(t.Context(), 3, func(int) error { panic("oh") }); err == nil || !strings.Contains(err.Error(), "internal error: oh") {
		t.Errorf("of a panic: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := inParallel(ctx, 3, func(int) error { t.Error("done in spite of the end"); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("when it is over: %v", err)
	}
}

// BenchmarkBacktest replays 1,000 builds of 40 steps; "asking" is what it costs
// without the judgement.
func BenchmarkBacktest(b *testing.B) {
	o := BacktestOptions{Policy: detect.Policy{Thresholds: detect.DefaultThresholds}, Builds: 1000, Lookback: 30 * 24 * time.Hour}
	env := &Env{Console: &console.Console{Output: console.Output{Writer: io.Discard}}, Now: clitest.Start}
	names := ci.NewResolver(ci.Identity{BaseBranch: "main"}, func(string) string { return "" }, b.TempDir(), clitest.Start)
	list := clitest.History(1000, 40)
	for _, inject := range []float64{0, 1.5} {
		b.Run(fmt.Sprintf("inject=%g", inject), func(b *testing.B) {
			o.Inject = inject
			for b.Loop() {
				if _, _, err := newReplayer(env, &o, names, list).replay(b.Context(), "app"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("asking", func(b *testing.B) {
		for b.Loop() {
			r := newReplayer(env, &o, names, list)
			err := inParallel(b.Context(), len(list), func(i int) error {
				_, err := r.memory.History(b.Context(), r.query(&list[i]))
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}
