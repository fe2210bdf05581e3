package detect

import (
	"slices"

	"github.com/buildregress/buildregress/detect/timeline"
)

// In the time that a job waits for a machine nothing of the pipeline works. It is told,
// with what it usually is and what it cost; it says nothing of the machine, has no part in
// the tests of steps, and is no commit's fault.

// setQueue says of a wait whether it is longer than any of the newest before, by as much as
// a change of a step must have to be reported.
func (step *StepResult) setQueue(s *series, t Thresholds) {
	step.setHistory(s, t)
	step.Status, step.Reason = StatusUnjudged, Note{KindWaiting, "it waited for a runner, which is no step's work"}
	if step.N == 0 {
		return
	}
	newest := slices.Sorted(slices.Values(s.newest(t.Window)))
	low, high := newest[0], newest[len(newest)-1]
	step.Usual, step.Low, step.High = timeline.Seconds(durationMedian(newest)), timeline.Seconds(low), timeline.Seconds(high)
	delta := s.step.Duration - high
	if step.N >= t.MinHistory && delta >= t.MinDelta.D() && float64(delta) >= t.MinSlowdown*float64(high) {
		step.Status = StatusWaiting
		step.Reason = Note{KindWaiting, "it waited for a runner longer than in any of these builds"}
	}
}
