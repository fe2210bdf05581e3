package detect

import (
	"time"

	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/enum"
	"github.com/buildregress/buildregress/detect/stepname"
	"github.com/buildregress/buildregress/detect/timeline"
)

// What is found, in the form in which it is written as JSON and read back. Times are in
// seconds there, and 0 where they are not known.

// SchemaVersion is the version of the JSON form of Report. It grows when a
// field changes its meaning or goes; new fields leave it as it is.
const SchemaVersion = 2

// A Report is all that one check found: a Result per build.
type Report struct {
	SchemaVersion int      `json:"schema_version"`
	Verdict       Verdict  `json:"verdict"`   // the worst of the results
	ExitCode      int      `json:"exit_code"` // 0 nothing to fail on, 1 something named in FailOn, 2 no step is what was to be explained, 3 the build could not be recorded
	FailOn        []string `json:"fail_on"`   // verdicts and statuses that fail the check
	Results       []Result `json:"results"`
	Notes         []Note   `json:"notes"`
}

// A Result is the judgement on one build.
type Result struct {
	Verdict      Verdict        `json:"verdict"`
	Reason       Note           `json:"reason"`      // why it is unjudged or unsure
	OverBudget   string         `json:"over_budget"` // in words, if the whole build took longer than it may
	Build        BuildInfo      `json:"build"`
	Baseline     BaselineInfo   `json:"baseline"`
	RunnerFactor *RunnerFactor  `json:"runner_factor"`     // nil where too few steps tell of it
	Machine      *MachineInfo   `json:"machine,omitempty"` // nil where nothing was measured of it
	WallClock    WallClock      `json:"wall_clock"`
	Cache        CacheInfo      `json:"cache"`
	Counts       map[Status]int `json:"counts"`
	Steps        []StepResult   `json:"steps"` // as the build has them, then those that are gone
	Thresholds   Thresholds     `json:"thresholds"`
	Notes        []Note         `json:"notes"`
}

// BuildInfo is what a report tells of the build itself.
type BuildInfo struct {
	ID       string `json:"id"`
	Pipeline string `json:"pipeline"`
	// Targets are the pipelines of the targets of a bake that is judged as one build.
	Targets []string `json:"targets,omitempty"`
	timeline.Origin
	Within     *timeline.Within `json:"within,omitempty"` // the step of a run that made it
	Trace      string           `json:"trace,omitempty"`  // 32 hex digits, where it is known
	Start      time.Time        `json:"start"`
	Duration   timeline.Seconds `json:"duration_seconds"`
	Resolution timeline.Seconds `json:"resolution_seconds,omitempty"` // of its clock, where that is coarse
	Outcome    timeline.Outcome `json:"outcome"`
	Error      string           `json:"error"`       // why it failed
	FailedStep string           `json:"failed_step"` // name of the step at which it failed, "" if none is known
	Log        []string         `json:"log"`         // its last lines, oldest first
}

// BaselineInfo is what the build was compared with.
type BaselineInfo struct {
	Source string `json:"source"` // where the history came from
	Branch string `json:"branch"` // whose builds they are
	// AnyBranch tells that none of them says its branch, and any may be theirs.
	AnyBranch bool `json:"any_branch,omitempty"`

	Builds int      `json:"builds"`
	IDs    []string `json:"ids"`    // newest first
	Filled int      `json:"filled"` // of these, builds of other branches
	// Durations are those of the builds, in the order of IDs; 0 where it is not known.
	Durations []timeline.Seconds `json:"durations_seconds"`
}

// A RunnerFactor is how many times slower than usual the whole machine was.
type RunnerFactor struct {
	Value     float64 `json:"value"` // 1 is as usual, 2 is half as fast
	Low       float64 `json:"low"`   // Value, less its uncertainty
	High      float64 `json:"high"`
	UsualLow  float64 `json:"usual_low"` // the range in which 95 % of the baseline lies
	UsualHigh float64 `json:"usual_high"`
	Steps     int     `json:"steps"` // from how many steps it was estimated
	// Readings are what these say, and Baseline the logarithms of the factors of the
	// baseline's builds, where they are known, ascending.
	Readings []RunnerReading `json:"readings"`
	Baseline []float64       `json:"baseline_ln"`
	// BaselineSD is the usual standard error of these: the rest of what they differ by is
	// the machines'.
	BaselineSD float64 `json:"baseline_sd"`
}

// A RunnerReading is what one step, or several together, say of the machine.
type RunnerReading struct {
	Step string  `json:"step"` // its key; "" for several
	Ln   float64 `json:"ln"`   // natural logarithm of the factor by which it was slower than usual
	SD   float64 `json:"sd"`   // standard deviation of Ln for any one step
}

// Unusual tells whether the factor lies outside its usual range, its own
// uncertainty allowed for.
func (f *RunnerFactor) Unusual() bool {
	return f != nil && (f.Low > f.UsualHigh || f.High < f.UsualLow)
}

// A WallClock accounts for the difference between this build's duration and the
// usual one. The parts sum to Delta exactly.
type WallClock struct {
	// Usual is the median of the baseline, its builds taken at the levels that the steps
	// on the critical path have by now.
	Usual timeline.Seconds `json:"usual_seconds"`
	Delta timeline.Seconds `json:"delta_seconds"`
	Parts []WallClockPart  `json:"parts"` // dearest first, Rest last
}

// A WallClockPart is what one cause added to (or took from) the wall clock.
type WallClockPart struct {
	Cause   Cause            `json:"cause"`
	Step    string           `json:"step,omitempty"` // key, for causes that are one step
	Seconds timeline.Seconds `json:"seconds"`
}

// A Cause names a kind of WallClockPart.
type Cause string

const (
	CauseStep      Cause = "step"       // one step took longer or shorter than expected
	CauseCacheLoss Cause = "cache-loss" // a step ran that is usually cached, with those after it that ran because of it
	CauseQueue     Cause = "queue"      // jobs waited for machines
	CauseRunner    Cause = "runner"     // the whole machine was slower or faster
	CauseOther     Cause = "other"      // the small differences of all other steps on the critical path
	CausePath      Cause = "path"       // more or less of one step is on the critical path than usually, besides what it took longer
	CauseGap       Cause = "gap"        // between steps: before one of them, or "" after the last
	CauseRest      Cause = "rest"       // what is left of these two where it is no large part
)

// CacheInfo is what became of the cache.
type CacheInfo struct {
	Cached   int `json:"cached"`   // steps of this build
	Executed int `json:"executed"` // steps of this build, but for waits
	// Untold is set where the build's trace tells of no cache, nor does its baseline: that
	// nothing was cached is not known then.
	Untold bool        `json:"untold,omitempty"`
	Cold   bool        `json:"cold"` // nothing that is usually cached was found in the cache; Losses then holds it all as one
	Losses []CacheLoss `json:"losses"`
}

// A CacheLoss is a chain of steps that ran and are usually cached.
type CacheLoss struct {
	Step     string           `json:"step"`         // key of the first step of the chain
	Cost     timeline.Seconds `json:"cost_seconds"` // time that all steps of the chain took
	Dragged  []string         `json:"dragged"`      // keys of the others, downstream of it
	Cause    Note             `json:"cause"`        // why the first step ran
	Expected bool             `json:"expected"`     // the author changed this instruction or its input
	Lasting  bool             `json:"lasting"`      // the build of this branch before had lost it too
	Share    float64          `json:"share"`        // of the baseline builds that reached it, in how many it was cached
	Reached  int              `json:"reached"`      // how many did
	// Causes say why the first step ran, see Result.Explain.
	Causes []Explanation `json:"causes,omitempty"`
}

// Finding tells whether the loss is one that somebody should look at.
func (l *CacheLoss) Finding() bool { return !l.Expected || l.Lasting }

// A StepResult is the judgement on one step. Times are zero where the step has
// none, ratios zero where they cannot be computed.
type StepResult struct {
	Key      string         `json:"key"`
	Name     string         `json:"name"`
	Stage    string         `json:"stage"`
	Platform string         `json:"platform"`
	Status   Status         `json:"status"`
	Reason   Note           `json:"reason"` // always given where the status is unjudged
	State    timeline.State `json:"state"`
	Critical bool           `json:"critical"` // on this build's critical path

	Start    timeline.Seconds `json:"start_seconds"` // after the start of the build; below 0 if another build had begun it
	Current  timeline.Seconds `json:"current_seconds"`
	Bytes    int64            `json:"bytes,omitempty"`  // that it moved, where the source tells
	Usual    timeline.Seconds `json:"usual_seconds"`    // median of the history
	Low      timeline.Seconds `json:"low_seconds"`      // the range in which it usually lies
	High     timeline.Seconds `json:"high_seconds"`     //
	Expected timeline.Seconds `json:"expected_seconds"` // Usual on a machine as fast as this one
	Delta    timeline.Seconds `json:"delta_seconds"`    // Current - Usual
	Ratio    float64          `json:"ratio"`            // Current / Usual
	P        float64          `json:"p"`                // probability of values as slow as these if nothing changed
	Q        float64          `json:"q"`                // smallest false discovery rate at which the step counts as slower
	N        int              `json:"n"`                // executed samples in the history
	// Conditions are what was asked of it; none if it was not put to the test.
	Conditions []Condition `json:"conditions,omitempty"`
	Basis      *Basis      `json:"basis,omitempty"` // what else it was judged by; nil if it was not put to the test
	History    []Point     `json:"history"`         // those samples, newest first
	Cut        string      `json:"cut"`             // revision since which the history counts, "" for all of it
	Modes      []Mode      `json:"modes"`           // clusters of the history, fastest first; one for most steps

	Evidence         Evidence         `json:"evidence"`
	MinDetectable    float64          `json:"min_detectable_ratio"`   // smallest slowdown that one build would show
	MinDetectable3   float64          `json:"min_detectable_ratio_3"` // … that three builds of a branch would show
	WallClockSeconds timeline.Seconds `json:"wall_clock_seconds"`     // what the change cost the whole build
	Slack            timeline.Seconds `json:"slack_seconds"`          // how much longer it could take and cost nothing
	WaitsFor         []int            `json:"waits_for,omitempty"`    // indices in Steps of those that it waited for, where the source tells

	// Was is the name that it had before it was edited, "" if it was not.
	Was string `json:"was,omitempty"`
	// Causes say why it is slower, the surest first, and RuledOut what was looked at besides;
	// see Result.Explain.
	Causes   []Explanation `json:"causes,omitempty"`
	RuledOut []Note        `json:"ruled_out,omitempty"`

	Source dockerfile.Position `json:"source"`
	Links  struct {
		Trace   string `json:"trace"`
		Compare string `json:"compare"` // beside a usual build
	} `json:"links"` // addresses where people can see the step
	Notes []Note `json:"notes"`
}

// StepNames are the names of the steps of the result, in their order.
func (r *Result) StepNames() (names []stepname.Name) {
	for i := range r.Steps {
		names = append(names, stepname.Name{Key: r.Steps[i].Key, Name: r.Steps[i].Name})
	}
	return names
}

// A Point is one sample of a step's history.
type Point struct {
	ID      string           `json:"id"` // of the build
	Seconds timeline.Seconds `json:"seconds"`
}

// A Mode is a cluster of a step's durations.
type Mode struct {
	Seconds timeline.Seconds `json:"seconds"` // its median
	Share   float64          `json:"share"`   // of the history, in (0,1]
}

// Evidence is what the builds of one branch say together: that a step is slower, or, of one
// that is faster, that.
type Evidence struct {
	Builds int     `json:"builds"` // how many of them count, this one included
	Slow   int     `json:"slow"`   // in how many the step was slower than usual
	Value  float64 `json:"value"`  // by how many powers of ten the error of believing them lies below 1
	Since  string  `json:"since"`  // revision of the first of them, where there are several
}

// A Verdict is the judgement on a build. The zero value is Unjudged: absence of
// evidence never reads as a pass.
type Verdict int

// What a verdict asks of people is nothing, then a look, then a second build, then
// a fix: Pass, Unjudged, Unsure, Regressed.
const (
	Unjudged Verdict = iota
	Pass
	Unsure
	Regressed
)

var verdictNames = []string{"unjudged", "pass", "unsure", "regressed"}

func (v Verdict) String() string                { return enum.Text(verdictNames, int(v)) }
func (v Verdict) MarshalText() ([]byte, error)  { return []byte(v.String()), nil }
func (v *Verdict) UnmarshalText(b []byte) error { return enum.Parse(verdictNames, b, "verdict", v) }

// A Status is the judgement on a step. The zero value is StatusUnjudged.
type Status int

const (
	StatusUnjudged   Status = iota // for the Reason given
	StatusSame                     // as usual, or not different enough to be reported
	StatusFaster                   // than usual, proven as StatusSlower is
	StatusCached                   // it did not run
	StatusNew                      // the baseline does not have it
	StatusGone                     // the newest build of the baseline had it, this one has not
	StatusWaiting                  // for a runner, longer than in any build of the window
	StatusCacheLost                // it ran and is usually cached, and nothing before it did so
	StatusSuspect                  // it looks slower, and this build does not prove it
	StatusOverBudget               // it took longer than the policy allows
	StatusSlower                   // than usual, with an error of at most SlowerP
)

var statusNames = []string{"unjudged", "same", "faster", "cached", "new", "gone", "waiting", "cache-lost", "suspect", "over-budget", "slower"}

func (s Status) String() string                { return enum.Text(statusNames, int(s)) }
func (s Status) MarshalText() ([]byte, error)  { return []byte(s.String()), nil }
func (s *Status) UnmarshalText(b []byte) error { return enum.Parse(statusNames, b, "status", s) }

// Thresholds say how much of what counts as a finding. Zero Thresholds stand for
// DefaultThresholds; in others, a Window, MinHistory or FDR out of its range is brought
// into it. A Result tells those that were used.
type Thresholds struct {
	Window      int              `json:"window"`            // samples of a step that are looked at, the newest; ≥ MinHistory
	MinHistory  int              `json:"min_history"`       // fewer samples than this are not judged by; ≥ 3
	FDR         float64          `json:"fdr"`               // false discovery rate over the steps of a build, in (0,1)
	MinSlowdown float64          `json:"min_slowdown"`      // smallest relative change that is reported; 0.15 is 15 %
	MinDelta    timeline.Seconds `json:"min_delta_seconds"` // smallest absolute change that is reported
}

// DefaultThresholds are what buildregress uses if nothing else is said.
var DefaultThresholds = Thresholds{
	Window:      50,
	MinHistory:  8,
	FDR:         0.04,
	MinSlowdown: 0.15,
	MinDelta:    timeline.Seconds(time.Second),
}
