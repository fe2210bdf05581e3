// Package clitest makes builds that tests of the command line judge.
package clitest

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
)

// Start is when build 0 begins.
var Start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// A Clock stands still until somebody sleeps by it, and is then where they wake up, at
// once. Several goroutines may use it.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock is a clock that shows a time.
func NewClock(now time.Time) *Clock { return &Clock{now: now} }

// Now is what it shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Sleep sets the clock forward. It fails with the error of a context that has ended.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return ctx.Err()
}

// Builds are count builds of a branch of pipeline "app", the first of which is build
// number first and begins so many hours after Start. seconds are the times of steps
// that do not take as long as they usually do; all vary by a few percent.
func Builds(first, count int, branch string, seconds map[string]float64) (list []timeline.Build) {
	usual := map[string]float64{"compile": 20, "deps": 40, "lint": 9, "test": 30, "pack": 5, "docs": 12}
	for i := first; i < first+count; i++ {
		b := timeline.Build{
			ID: fmt.Sprintf("%s-%d", branch, i), Pipeline: "app", Origin: timeline.Origin{Branch: branch, Revision: fmt.Sprintf("c%d", i)},
			Start: Start.Add(time.Duration(i) * time.Hour),
		}
		for j, step := range []string{"deps", "compile", "lint", "test", "docs", "pack"} {
			took, said := seconds[step]
			if !said {
				took = usual[step]
			}
			noise := 1 + 0.03*float64((i*7+j*5)%11-5)/5
			d := time.Duration(took * noise * 1e9).Truncate(time.Millisecond)
			text := "RUN make " + step
			b.Steps = append(b.Steps, timeline.Step{
				Key: dockerfile.Key("", "build", text), Name: fmt.Sprintf("[build %d/6] %s", j+1, text),
				Stage: "build", Index: j + 1, Count: 6, Start: b.Start.Add(b.Duration), Duration: d,
			})
			b.Duration += d
		}
		list = append(list, b)
	}
	return list
}

// History is n builds of main of so many steps each, a few of them executed
// rarely, as of a builds file.
func History(n, steps int) []timeline.Build {
	rng := rand.New(rand.NewPCG(7, 7))
	list := make([]timeline.Build, n)
	for i := range list {
		b := &list[i]
		*b = timeline.Build{ID: fmt.Sprint("b", i), Pipeline: "app", Origin: timeline.Origin{Branch: "main", Revision: fmt.Sprintf("%07x", i)}, Start: Start.Add(time.Duration(i) * time.Hour)}
		for k := range steps {
			text := fmt.Sprintf("RUN make part%d", k)
			s := timeline.Step{
				Key: dockerfile.Key("", "build", text), Name: fmt.Sprintf("[build %d/%d] %s", k+1, steps, text), Stage: "build", Index: k + 1, Count: steps,
				Start: b.Start.Add(b.Duration), Duration: time.Duration(float64(2+k%9) * 1e9 * math.Exp(0.08*rng.NormFloat64())),
			}
			if k%10 == 0 && i%10 != 0 {
				s.State, s.Duration = timeline.Cached, 0
			}
			b.Steps = append(b.Steps, s)
			b.Duration += s.Duration
		}
	}
	return list
}
