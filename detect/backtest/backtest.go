// Package backtest counts what the judgement would have said of a history: each of
// its builds is judged as if it were new, by nothing but the builds before it, and
// steps that are slowed down on purpose tell how often a slowdown would be found.
//
// Who replays a history judges its builds (detect.Judge), keeps of each result a
// Replay and adds these up (Summarize). To try a slowdown, it judges builds with one
// slowed down (SlowDown) and counts the results in Looks. The package starts nothing and
// reads nothing; it is as pure as detect.
package backtest

import (
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
)

// A Report is what became of a history's builds when each was judged as if it were
// new.
type Report struct {
	SchemaVersion int               `json:"schema_version"` // that of detect.Report
	FailOn        []string          `json:"fail_on"`        // verdicts and statuses that stop a build
	Thresholds    detect.Thresholds `json:"thresholds"`
	Results       []Result          `json:"results"` // one a pipeline, the most built first
	Notes         []detect.Note     `json:"notes"`
}

// A Result is what became of the builds of one pipeline.
type Result struct {
	Pipeline string                 `json:"pipeline"`
	Builds   int                    `json:"builds"` // that were replayed
	First    time.Time              `json:"first"`  // start of the oldest of them
	Last     time.Time              `json:"last"`   // start of the newest
	Judged   int                    `json:"judged"` // of these, builds with another verdict than unjudged
	Verdicts map[detect.Verdict]int `json:"verdicts"`
	Reasons  []ReasonCount          `json:"unjudged"` // why the others were not judged, the most frequent first

	RegressedShare float64 `json:"regressed_share"` // of the judged builds
	UnsureShare    float64 `json:"unsure_share"`

	Checks  int            `json:"step_checks"` // steps that were judged, over all builds
	Calls   Calls          `json:"calls"`
	Rates   Rates          `json:"calls_per_1000"` // of Checks
	Stopped []StoppedBuild `json:"stopped"`        // builds that FailOn names, oldest first
	Steps   []StepRecord   `json:"steps"`          // the longest first

	Injection *Injection `json:"injection"` // nil if nothing was slowed down
}

// A ReasonCount is why so many builds were not judged.
type ReasonCount struct {
	Reason detect.Note `json:"reason"`
	Builds int         `json:"builds"`
}

// Calls count what steps were called.
type Calls struct {
	Slower  int `json:"slower"`
	Suspect int `json:"suspect"`
	Faster  int `json:"faster"`
}

// Rates are Calls, of 1,000 checks each.
type Rates struct {
	Slower  float64 `json:"slower"`
	Suspect float64 `json:"suspect"`
	Faster  float64 `json:"faster"`
}

func (c *Calls) add(s detect.Status) {
	switch s {
	case detect.StatusSlower:
		c.Slower++
	case detect.StatusSuspect:
		c.Suspect++
	case detect.StatusFaster:
		c.Faster++
	}
}

// per1000 are the calls of 1,000 checks, when there were so many.
func (c Calls) per1000(checks int) Rates {
	if checks == 0 {
		return Rates{}
	}
	rate := func(n int) float64 { return 1000 * float64(n) / float64(checks) }
	return Rates{rate(c.Slower), rate(c.Suspect), rate(c.Faster)}
}

// A StoppedBuild is one that would have failed its check.
type StoppedBuild struct {
	ID string `json:"id"`
	timeline.Origin
	Start      time.Time      `json:"start"`
	Verdict    detect.Verdict `json:"verdict"`
	OverBudget string         `json:"over_budget"`
	Steps      []StoppedStep  `json:"steps"` // that were called, the largest ratio first
}

// A StoppedStep is why a build was stopped.
type StoppedStep struct {
	Key     string           `json:"key"`
	Name    string           `json:"name"`
	Status  detect.Status    `json:"status"`
	Ratio   float64          `json:"ratio"` // Current / Usual, 0 if it has no history
	Current timeline.Seconds `json:"current_seconds"`
	Usual   timeline.Seconds `json:"usual_seconds"`
}

// A StepRecord is how one step did over all builds in which it was judged.
type StepRecord struct {
	Key    string           `json:"key"`
	Name   string           `json:"name"` // in the newest of them
	Checks int              `json:"step_checks"`
	Calls  Calls            `json:"calls"`
	Usual  timeline.Seconds `json:"usual_seconds"` // median of what was usual for it
	// Medians of the smallest slowdowns that one build, and three of a branch, would
	// have shown where it was long enough; 0 if in most builds there was none.
	MinDetectable  float64 `json:"min_detectable_ratio"`
	MinDetectable3 float64 `json:"min_detectable_ratio_3"`
}
