package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
)

// The list of all steps: what each is called, what its cells say, and the line on how many
// were judged and why the others were not.

// names knows how the steps of one build are called in its report: by their
// instruction alone, as long as that is no other step's too.
type names struct {
	byKey  map[string]string
	byName map[string]string
}

func newNames(r *detect.Result) *names {
	shared := map[string]int{}
	for i := range r.Steps {
		shared[instruction(r.Steps[i].Name)]++
	}
	n := &names{byKey: map[string]string{}, byName: map[string]string{}}
	for i := range r.Steps {
		s := &r.Steps[i]
		label := instruction(s.Name)
		if shared[label] > 1 || label == "" {
			label = s.Name
		}
		n.byName[s.Name] = label
		if _, taken := n.byKey[s.Key]; !taken {
			n.byKey[s.Key] = label
		}
	}
	return n
}

// instruction is a step's name in short.
func instruction(name string) string { return dockerfile.Shown(bounded(name)) }

func (n *names) of(s *detect.StepResult) string { return n.byName[s.Name] }

// ofKey falls back to the key itself, which is readable.
func (n *names) ofKey(key string) string { return cmp.Or(n.byKey[key], key) }

func (n *names) ofName(name string) string { return cmp.Or(n.byName[name], name) }

// A row is a step in the list of all steps.
type row struct {
	status     detect.Status
	state      timeline.State
	critical   bool
	stopped    bool   // it ran when the build was cancelled
	name       string // clean
	took       string
	usual      string
	verdict    string // "slower ×1.5"
	reason     string // why it was not judged, clean; "" where the verdict tells
	detectable string // what one build and three builds could have shown
	start      timeline.Seconds
	current    timeline.Seconds
	effect     timeline.Seconds // on the wall clock
	short      bool             // it takes less than what is worth telling of a change
}

// rows lists the steps in the order of the build, and how long it took.
func rows(r *detect.Result, n *names) (list []row, total timeline.Seconds, starts bool) {
	total = r.Build.Duration
	for i := range r.Steps {
		s := &r.Steps[i]
		list = append(list, row{
			status: s.Status, state: s.State, critical: s.Critical,
			stopped:    s.State == timeline.Interrupted || s.State == timeline.StepFailed && r.Build.Outcome == timeline.Cancelled,
			name:       Clean(n.of(s)),
			took:       tookCell(s),
			usual:      usualRange(s),
			verdict:    verdictOf(s),
			reason:     reasonOf(s),
			detectable: detectableCell(s),
			start:      s.Start,
			current:    s.Current,
			effect:     s.WallClockSeconds,
			short:      max(s.Current, s.High) < r.Thresholds.MinDelta,
		})
		if s.Status == detect.StatusGone {
			continue
		}
		starts = starts || s.Start > 0
		if end := s.Start + s.Current; end > total { // an overflow is below, and left out
			total = end
		}
	}
	return list, total, starts
}

func tookCell(s *detect.StepResult) string {
	switch {
	case s.Status == detect.StatusGone:
		return "–"
	case s.State == timeline.NeverStarted:
		return "not run"
	case s.State == timeline.Cached && s.Current.D() < time.Second: // to load it is worth no word
		return "cached"
	}
	return s.Current.String()
}

// usualRange is the range in which a step usually lies, "" if it has no history.
func usualRange(s *detect.StepResult) string {
	switch {
	case s.N == 0, s.Status == detect.StatusCached, s.Usual == 0 && s.High == 0:
		return ""
	case s.Low == 0 && s.High == 0:
		return s.Usual.String()
	}
	return between(s.Low, s.High)
}

// verdictOf says in a word or two what became of a step.
func verdictOf(s *detect.StepResult) string {
	switch s.Status {
	case detect.StatusSlower, detect.StatusSuspect, detect.StatusFaster:
		return strings.TrimSpace(statusWords[s.Status] + " " + ratio(s.Ratio))
	}
	return statusWords[s.Status]
}

// reasonOf says why a step was not judged, "" where its verdict tells.
func reasonOf(s *detect.StepResult) string {
	if s.Status == detect.StatusUnjudged {
		return Clean(s.Reason.Text)
	}
	return ""
}

var statusWords = map[detect.Status]string{
	detect.StatusUnjudged:   "not judged",
	detect.StatusSame:       "same",
	detect.StatusFaster:     "faster",
	detect.StatusCached:     "cached",
	detect.StatusNew:        "new",
	detect.StatusGone:       "gone",
	detect.StatusWaiting:    "waited longer",
	detect.StatusCacheLost:  "cache lost",
	detect.StatusSuspect:    "suspect",
	detect.StatusOverBudget: "over budget",
	detect.StatusSlower:     "slower",
}

func detectableCell(s *detect.StepResult) string {
	one, three := leastFactor(s.MinDetectable), leastFactor(s.MinDetectable3)
	if one == "" || three == "" {
		return one
	}
	return one + " / " + three
}

// coverage is the line on what was judged and why the rest was not: "Judged 27
// of 31 steps; 4 not: 2 new, 1 cached, 1 too few builds."
func coverage(r *detect.Result) line {
	if r.Build.Outcome != timeline.OK {
		return nil // that nothing was judged is the headline
	}
	steps, judged, gone, inHeadline := 0, 0, 0, 0
	why := map[string]int{}
	for i := range r.Steps {
		switch s := &r.Steps[i]; s.Status {
		case detect.StatusGone:
			gone++
			continue
		case detect.StatusSlower, detect.StatusSuspect, detect.StatusFaster, detect.StatusSame, detect.StatusOverBudget:
			judged++
		default:
			why[cmp.Or(reasonOf(s), verdictOf(s))]++
			if s.Reason == r.Reason {
				inHeadline++
			}
		}
		steps++
	}
	if r.Verdict == detect.Unjudged && inHeadline == steps {
		return nil
	}
	l := lineOf(fmt.Sprintf("Judged %d of %s", judged, Count(steps, "step")))
	if judged < steps {
		l = lineOf(l, fmt.Sprintf("; %d not: ", steps-judged), reasons(why))
	}
	if gone > 0 {
		l = lineOf(l, fmt.Sprintf("; %d gone", gone))
	}
	return lineOf(l, ".")
}

// reasons lists the commonest first, and no more than a line holds.
func reasons(why map[string]int) line {
	const most = 5
	all := make([]string, 0, len(why))
	for reason := range why {
		all = append(all, reason)
	}
	slices.SortFunc(all, func(a, b string) int {
		return cmp.Or(cmp.Compare(why[b], why[a]), cmp.Compare(a, b))
	})
	var parts []line
	other := 0
	for i, reason := range all {
		if i >= most {
			other += why[reason]
			continue
		}
		parts = append(parts, lineOf(fmt.Sprintf("%d ", why[reason]), prose(reason)))
	}
	if other > 0 {
		parts = append(parts, lineOf(fmt.Sprintf("%d other", other)))
	}
	return joined(parts, ", ")
}

func countOf(r *detect.Result, status detect.Status) int {
	n := 0
	for i := range r.Steps {
		if r.Steps[i].Status == status {
			n++
		}
	}
	return n
}

// costOf is the wall clock that all steps of the given statuses cost together.
func costOf(r *detect.Result, statuses ...detect.Status) timeline.Seconds {
	var cost timeline.Seconds
	for i := range r.Steps {
		if slices.Contains(statuses, r.Steps[i].Status) {
			cost += r.Steps[i].WallClockSeconds
		}
	}
	return cost
}
