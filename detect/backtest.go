package detect

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// A Backtest is what became of a history's builds when each was judged as if it
// were new, by nothing but the builds before it.
type Backtest struct {
	SchemaVersion int              `json:"schema_version"` // that of Report
	FailOn        []string         `json:"fail_on"`        // verdicts and statuses that stop a build
	Thresholds    Thresholds       `json:"thresholds"`
	Results       []BacktestResult `json:"results"` // one a pipeline, the most built first
	Notes         []Note           `json:"notes"`
}

// A BacktestResult is what became of the builds of one pipeline.
type BacktestResult struct {
	Pipeline string          `json:"pipeline"`
	Builds   int             `json:"builds"` // that were replayed
	First    time.Time       `json:"first"`  // start of the oldest of them
	Last     time.Time       `json:"last"`   // start of the newest
	Judged   int             `json:"judged"` // of these, builds with another verdict than unjudged
	Verdicts map[Verdict]int `json:"verdicts"`
	Reasons  []ReasonCount   `json:"unjudged"` // why the others were not judged, the most frequent first

	RegressedShare float64 `json:"regressed_share"` // of the judged builds
	UnsureShare    float64 `json:"unsure_share"`

	Checks  int            `json:"step_checks"` // steps that were judged, over all builds
	Calls   Calls          `json:"calls"`
	Rates   CallRates      `json:"calls_per_1000"` // of Checks
	Stopped []StoppedBuild `json:"stopped"`        // builds that FailOn names, oldest first
	Steps   []StepRecord   `json:"steps"`          // the longest first

	Injection *Injection `json:"injection"` // nil if nothing was slowed down
}

// A ReasonCount is why so many builds were not judged.
type ReasonCount struct {
	Reason Note `json:"reason"`
	Builds int  `json:"builds"`
}

// Calls count what steps were called.
type Calls struct {
	Slower  int `json:"slower"`
	Suspect int `json:"suspect"`
	Faster  int `json:"faster"`
}

// CallRates are Calls, of 1,000 checks each.
type CallRates struct {
	Slower  float64 `json:"slower"`
	Suspect float64 `json:"suspect"`
	Faster  float64 `json:"faster"`
}

// A StoppedBuild is one that would have failed its check.
type StoppedBuild struct {
	ID          string        `json:"id"`
	Revision    string        `json:"revision"`
	Branch      string        `json:"branch"`
	PullRequest string        `json:"pull_request"`
	URL         string        `json:"url"`
	Start       time.Time     `json:"start"`
	Verdict     Verdict       `json:"verdict"`
	OverBudget  string        `json:"over_budget"`
	Steps       []StoppedStep `json:"steps"` // that were called, the largest ratio first
}

// A StoppedStep is why a build was stopped.
type StoppedStep struct {
	Key     string  `json:"key"`
	Name    string  `json:"name"`
	Status  Status  `json:"status"`
	Ratio   float64 `json:"ratio"` // Current / Usual, 0 if it has no history
	Current Seconds `json:"current_seconds"`
	Usual   Seconds `json:"usual_seconds"`
}

// A StepRecord is how one step did over all builds in which it was judged.
type StepRecord struct {
	Key    string  `json:"key"`
	Name   string  `json:"name"` // in the newest of them
	Checks int     `json:"step_checks"`
	Calls  Calls   `json:"calls"`
	Usual  Seconds `json:"usual_seconds"` // median of what was usual for it
	// Medians of the smallest slowdowns that one build, and three of a branch, would
	// have shown where it was long enough; 0 if in most builds there was none.
	MinDetectable  float64 `json:"min_detectable_ratio"`
	MinDetectable3 float64 `json:"min_detectable_ratio_3"`
}

// An Injection tells how often a slowdown was found that was put into builds of the
// base branch: each case is a step of one build, slowed down in it and in the next
// builds in which it ran as well, as if these were the first builds of a branch.
type Injection struct {
	Factor   float64 `json:"factor"`
	Possible int     `json:"possible_cases"` // steps of builds that were judged, and would be slower by enough to be told
	Cases    int     `json:"cases"`          // of these, cases that were tried
	Seed     uint64  `json:"seed"`           // by which they were drawn; 0 if all were tried
	Looks    []Look  `json:"looks"`          // at the first, the second and the third build
}

// A Look is what the cases came to at one build of their branch.
type Look struct {
	Builds    int     `json:"builds"`    // of the branch so far
	Cases     int     `json:"cases"`     // with so many builds in which the step ran
	Slower    int     `json:"slower"`    // in which the step was called slower
	Suspect   int     `json:"suspect"`   // … or suspect
	Regressed int     `json:"regressed"` // in which the build was
	Found     float64 `json:"found"`     // Slower / Cases, set by Merge
}

// A Replay is what is kept of the result of one build of a backtest.
type Replay struct {
	Verdict Verdict
	Reason  Note
	Start   time.Time
	Stopped *StoppedBuild // nil if it was not
	Checks  []StepCheck
}

// A StepCheck is one step that was judged in one build.
type StepCheck struct {
	Place     int // in Build.Steps; -1 for the load of a cached layer
	Key, Name string
	Status    Status
	Current   Seconds
	Usual     Seconds
	Tested    bool // it is long enough for a change to be told
	// MinDetectable and MinDetectable3 are those of StepResult, if it was tested.
	MinDetectable, MinDetectable3 float64
	MinDelta                      Seconds // that is asked of this step
	MinSlowdown                   float64
}

// NewReplay keeps of a result what a backtest needs. p is the policy that it was
// judged by, and failOn is as for Sum.
func NewReplay(r *Result, p *Policy, failOn []string) Replay {
	out := Replay{Verdict: r.Verdict, Reason: r.Reason, Start: r.Build.Start}
	if r.fails(failOn) {
		out.Stopped = r.stopped()
	}
	for i := range r.Steps {
		s := &r.Steps[i]
		if s.Status == StatusUnjudged || s.N < r.Thresholds.MinHistory {
			continue
		}
		rule := p.rulingOf(s.Key)
		place := i
		if s.State != Executed {
			place = -1
		}
		out.Checks = append(out.Checks, StepCheck{
			Place: place, Key: s.Key, Name: s.Name, Status: s.Status, Current: s.Current, Usual: s.Usual,
			MinDetectable: s.MinDetectable, MinDetectable3: s.MinDetectable3,
			Tested:   max(s.Current, medianOf(s.History)) >= rule.MinDelta, // as matters has it
			MinDelta: rule.MinDelta, MinSlowdown: rule.MinSlowdown,
		})
	}
	return out
}

func medianOf(points []Point) Seconds {
	times := make([]time.Duration, len(points))
	for i := range points {
		times[i] = points[i].Seconds.D()
	}
	return Seconds(durationMedian(times))
}

// stopped is what a backtest tells of a build that fails its check.
func (r *Result) stopped() *StoppedBuild {
	b := &r.Build
	out := &StoppedBuild{
		ID: b.ID, Revision: b.Revision, Branch: b.Branch, PullRequest: b.PullRequest, URL: b.URL,
		Start: b.Start, Verdict: r.Verdict, OverBudget: r.OverBudget, Steps: []StoppedStep{},
	}
	for i := range r.Steps {
		s := &r.Steps[i]
		switch s.Status {
		case StatusSlower, StatusSuspect, StatusOverBudget, StatusCacheLost:
			out.Steps = append(out.Steps, StoppedStep{s.Key, s.Name, s.Status, s.Ratio, s.Current, s.Usual})
		}
	}
	slices.SortStableFunc(out.Steps, func(x, y StoppedStep) int {
		return cmp.Or(-cmp.Compare(x.Status, y.Status), -cmp.Compare(x.Ratio, y.Ratio))
	})
	return out
}

// Injectable tells whether the step, slowed down by a factor, would be slower by
// enough to be told: else nothing can be learnt from doing so.
func (c *StepCheck) Injectable(factor float64) bool {
	by := float64(c.Current) * (factor - 1)
	return c.Place >= 0 && c.Tested && by >= float64(c.MinDelta) && factor-1 >= c.MinSlowdown
}

// Tally adds the replays of the builds of one pipeline up, which are in order of
// start.
func Tally(pipeline string, replays []Replay) BacktestResult {
	out := BacktestResult{
		Pipeline: pipeline, Builds: len(replays), Verdicts: map[Verdict]int{},
		Reasons: []ReasonCount{}, Stopped: []StoppedBuild{}, Steps: []StepRecord{},
	}
	steps := map[string]*stepTally{}
	for i := range replays {
		r := &replays[i]
		if i == 0 {
			out.First = r.Start
		}
		out.Last = r.Start
		out.Verdicts[r.Verdict]++
		if r.Verdict == Unjudged {
			out.unjudged(r.Reason)
		} else {
			out.Judged++
		}
		if r.Stopped != nil {
			out.Stopped = append(out.Stopped, *r.Stopped)
		}
		for k := range r.Checks {
			c := &r.Checks[k]
			t := steps[c.Key]
			if t == nil {
				t = &stepTally{key: c.Key}
				steps[c.Key] = t
			}
			t.add(c)
			out.Checks++
			out.Calls.add(c.Status)
		}
	}
	if out.Judged > 0 {
		out.RegressedShare = float64(out.Verdicts[Regressed]) / float64(out.Judged)
		out.UnsureShare = float64(out.Verdicts[Unsure]) / float64(out.Judged)
	}
	out.Rates = out.Calls.of(out.Checks)
	for _, t := range steps {
		if len(t.one) > 0 {
			out.Steps = append(out.Steps, t.record())
		}
	}
	slices.SortFunc(out.Steps, func(x, y StepRecord) int {
		return cmp.Or(-cmp.Compare(x.Usual, y.Usual), cmp.Compare(x.Key, y.Key))
	})
	slices.SortStableFunc(out.Reasons, func(x, y ReasonCount) int { return cmp.Compare(y.Builds, x.Builds) })
	return out
}

// unjudged counts why a build was not judged, without the numbers of the one build.
func (b *BacktestResult) unjudged(reason Note) {
	switch reason.Kind {
	case KindOtherImage:
		reason.Text = "looks like another image"
	case KindNoHistory, KindTooLittleHistory:
		reason = Note{KindTooLittleHistory, "too little history"}
	}
	for i := range b.Reasons {
		if b.Reasons[i].Reason == reason {
			b.Reasons[i].Builds++
			return
		}
	}
	b.Reasons = append(b.Reasons, ReasonCount{reason, 1})
}

func (c *Calls) add(s Status) {
	switch s {
	case StatusSlower:
		c.Slower++
	case StatusSuspect:
		c.Suspect++
	case StatusFaster:
		c.Faster++
	}
}

// of are the calls of 1,000 checks, when there were so many.
func (c Calls) of(checks int) CallRates {
	if checks == 0 {
		return CallRates{}
	}
	rate := func(n int) float64 { return 1000 * float64(n) / float64(checks) }
	return CallRates{rate(c.Slower), rate(c.Suspect), rate(c.Faster)}
}

// A stepTally gathers the checks of one step.
type stepTally struct {
	key, name  string
	calls      Calls
	usual      []float64
	one, three []float64 // smallest slowdowns that could be shown, +Inf for none
}

func (t *stepTally) add(c *StepCheck) {
	t.name = c.Name
	t.calls.add(c.Status)
	t.usual = append(t.usual, float64(c.Usual))
	if !c.Tested {
		return
	}
	t.one = append(t.one, orInf(c.MinDetectable))
	t.three = append(t.three, orInf(c.MinDetectable3))
}

func (t *stepTally) record() StepRecord {
	return StepRecord{
		Key: t.key, Name: t.name, Checks: len(t.usual), Calls: t.calls, Usual: Seconds(middle(t.usual)),
		MinDetectable: orZero(middle(t.one)), MinDetectable3: orZero(middle(t.three)),
	}
}

// middle is the median of values, the larger one of two: it must not make a mean of
// what can be shown and what cannot.
func middle(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

func orInf(ratio float64) float64 {
	if ratio == 0 {
		return math.Inf(1)
	}
	return ratio
}

func orZero(ratio float64) float64 {
	if math.IsInf(ratio, 1) {
		return 0
	}
	return ratio
}

// Add adds a case: the result of the build, and the place of the slowed step in it.
func (l *Look) Add(r *Result, place int) {
	l.Cases++
	switch r.Steps[place].Status {
	case StatusSlower:
		l.Slower++
	case StatusSuspect:
		l.Suspect++
	}
	if r.Verdict == Regressed {
		l.Regressed++
	}
}

// Merge adds what other cases came to at the same build.
func (l *Look) Merge(o *Look) {
	l.Cases += o.Cases
	l.Slower += o.Slower
	l.Suspect += o.Suspect
	l.Regressed += o.Regressed
	if l.Cases > 0 {
		l.Found = float64(l.Slower) / float64(l.Cases)
	}
}
