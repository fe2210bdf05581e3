package backtest

import (
	"cmp"
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
)

// A Replay is what is kept of the result of one build of a backtest.
type Replay struct {
	Verdict detect.Verdict
	Reason  detect.Note
	Start   time.Time
	Stopped *StoppedBuild // nil if it was not
	Checks  []Check
}

// A Check is one step that was judged in one build.
type Check struct {
	Index     int // in Build.Steps; -1 for the load of a cached layer
	Key, Name string
	Status    detect.Status
	Current   timeline.Seconds
	Usual     timeline.Seconds
	Tested    bool // it is long enough for a change to be told
	// MinDetectable and MinDetectable3 are those of StepResult, if it was tested.
	MinDetectable, MinDetectable3 float64
	MinDelta                      timeline.Seconds // that is asked of this step
	MinSlowdown                   float64
}

// NewReplay keeps of a result what a backtest needs; failOn is as for detect.Sum.
func NewReplay(r *detect.Result, failOn []string) Replay {
	out := Replay{Verdict: r.Verdict, Reason: r.Reason, Start: r.Build.Start}
	if r.Fails(failOn) {
		out.Stopped = stopped(r)
	}
	for i := range r.Steps {
		s := &r.Steps[i]
		if s.Status == detect.StatusUnjudged || s.Basis == nil || s.N < r.Thresholds.MinHistory {
			continue
		}
		index := i
		if s.State != timeline.Executed {
			index = -1
		}
		out.Checks = append(out.Checks, Check{
			Index: index, Key: s.Key, Name: s.Name, Status: s.Status, Current: s.Current, Usual: s.Usual,
			MinDetectable: s.MinDetectable, MinDetectable3: s.MinDetectable3,
			Tested:   max(s.Current, median(s.History)) >= s.Basis.MinDelta, // shorter ones are not put to the test
			MinDelta: s.Basis.MinDelta, MinSlowdown: s.Basis.MinSlowdown,
		})
	}
	return out
}

// median is that of a step's history, 0 if it has none.
func median(history []detect.Point) timeline.Seconds {
	if len(history) == 0 {
		return 0
	}
	times := make([]timeline.Seconds, len(history))
	for i := range history {
		times[i] = history[i].Seconds
	}
	slices.Sort(times)
	a, b := times[(len(times)-1)/2], times[len(times)/2]
	return a + (b-a)/2
}

// stopped is what a backtest tells of a build that fails its check.
func stopped(r *detect.Result) *StoppedBuild {
	b := &r.Build
	out := &StoppedBuild{
		ID: b.ID, Origin: b.Origin, Start: b.Start, Verdict: r.Verdict, OverBudget: r.OverBudget, Steps: []StoppedStep{},
	}
	for i := range r.Steps {
		s := &r.Steps[i]
		switch s.Status {
		case detect.StatusSlower, detect.StatusSuspect, detect.StatusOverBudget, detect.StatusCacheLost:
			out.Steps = append(out.Steps, StoppedStep{s.Key, s.Name, s.Status, s.Ratio, s.Current, s.Usual})
		}
	}
	slices.SortStableFunc(out.Steps, func(x, y StoppedStep) int {
		return cmp.Or(-cmp.Compare(x.Status, y.Status), -cmp.Compare(x.Ratio, y.Ratio))
	})
	return out
}
