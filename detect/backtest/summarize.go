package backtest

import (
	"cmp"
	"math"
	"slices"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
)

// Summarize adds up the replays of the builds of one pipeline, which are in order of
// start.
func Summarize(pipeline string, replays []Replay) Result {
	out := Result{
		Pipeline: pipeline, Builds: len(replays), Verdicts: map[detect.Verdict]int{},
		Reasons: []ReasonCount{}, Stopped: []StoppedBuild{}, Steps: []StepRecord{},
	}
	steps := map[string]*stepChecks{}
	for i := range replays {
		r := &replays[i]
		if i == 0 {
			out.First = r.Start
		}
		out.Last = r.Start
		out.addVerdict(r)
		for k := range r.Checks {
			c := &r.Checks[k]
			s := steps[c.Key]
			if s == nil {
				s = &stepChecks{key: c.Key}
				steps[c.Key] = s
			}
			s.add(c)
			out.Checks++
			out.Calls.add(c.Status)
		}
	}
	if out.Judged > 0 {
		out.RegressedShare = float64(out.Verdicts[detect.Regressed]) / float64(out.Judged)
		out.UnsureShare = float64(out.Verdicts[detect.Unsure]) / float64(out.Judged)
	}
	out.Rates = out.Calls.per1000(out.Checks)
	for _, s := range steps {
		if len(s.one) > 0 {
			out.Steps = append(out.Steps, s.record())
		}
	}
	slices.SortFunc(out.Steps, func(x, y StepRecord) int {
		return cmp.Or(-cmp.Compare(x.Usual, y.Usual), cmp.Compare(x.Key, y.Key))
	})
	slices.SortStableFunc(out.Reasons, func(x, y ReasonCount) int { return cmp.Compare(y.Builds, x.Builds) })
	return out
}

// addVerdict counts the verdict on a build, and why it was not judged or was stopped.
func (r *Result) addVerdict(replay *Replay) {
	r.Verdicts[replay.Verdict]++
	if replay.Verdict != detect.Unjudged {
		r.Judged++
	} else {
		r.addReason(inGeneral(replay.Reason))
	}
	if replay.Stopped != nil {
		r.Stopped = append(r.Stopped, *replay.Stopped)
	}
}

func (r *Result) addReason(reason detect.Note) {
	for i := range r.Reasons {
		if r.Reasons[i].Reason == reason {
			r.Reasons[i].Builds++
			return
		}
	}
	r.Reasons = append(r.Reasons, ReasonCount{reason, 1})
}

// inGeneral is the reason for which a build was not judged, without the numbers of the
// one build.
func inGeneral(reason detect.Note) detect.Note {
	switch reason.Kind {
	case detect.KindOtherImage:
		reason.Text = "looks like another image"
	case detect.KindNoHistory, detect.KindTooLittleHistory:
		reason = detect.Note{Kind: detect.KindTooLittleHistory, Text: "too little history"}
	}
	return reason
}

// stepChecks are the checks of one step in all builds.
type stepChecks struct {
	key, name  string
	calls      Calls
	usual      []float64
	one, three []float64 // smallest slowdowns that could be shown, +Inf for none
}

func (s *stepChecks) add(c *Check) {
	s.name = c.Name
	s.calls.add(c.Status)
	s.usual = append(s.usual, float64(c.Usual))
	if !c.Tested {
		return
	}
	s.one = append(s.one, orInf(c.MinDetectable))
	s.three = append(s.three, orInf(c.MinDetectable3))
}

func (s *stepChecks) record() StepRecord {
	return StepRecord{
		Key: s.key, Name: s.name, Checks: len(s.usual), Calls: s.calls, Usual: timeline.Seconds(upperMedian(s.usual)),
		MinDetectable: orZero(upperMedian(s.one)), MinDetectable3: orZero(upperMedian(s.three)),
	}
}

// upperMedian is the median of values, the larger one of two: it must not make a mean
// of what can be shown and what cannot.
func upperMedian(values []float64) float64 {
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
