package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect"
)

// What a forge (GitHub and its like) is told of a report, in words that are the same on
// each. How it is told is in the packages below this one.

// A CheckRun is a verdict on a commit.
type CheckRun struct {
	Name        string // the same for all commits: branch rules name it
	Commit      string // the head of a pull request, never the merge that a forge tries
	Conclusion  Conclusion
	Title       string
	Summary     string // Markdown
	Address     string // where there is more, "" for nowhere
	Began       time.Time
	Annotations []Annotation
}

// A Conclusion is what a check run comes to.
type Conclusion string

// Conclusions, in the words that forges share.
const (
	ConclusionSuccess Conclusion = "success"
	ConclusionNeutral Conclusion = "neutral"
	ConclusionFailure Conclusion = "failure"
)

// NewCheckRun is the check run of a report, its summary at most limit bytes long.
// failing tells whether the report has what the check is to fail on.
func NewCheckRun(r *detect.Report, in Code, failing bool, limit int) CheckRun {
	c := CheckRun{
		Name: checkName(r), Conclusion: ConclusionSuccess, Title: Headline(r),
		Summary: MarkdownWithin(r, in, limit), Annotations: Annotations(r, failing),
	}
	for i := range r.Results {
		if start := r.Results[i].Build.Start; start.After(c.Began) {
			c.Began = start
		}
	}
	switch n := suspects(r); {
	case failing:
		c.Conclusion = ConclusionFailure
	case r.Verdict == detect.Unsure && n > 0:
		c.Title = fmt.Sprintf("Passed; %s to watch", Count(n, "step"))
	case r.Verdict == detect.Regressed, r.Verdict == detect.Unjudged: // and nobody wants it to fail
		c.Conclusion = ConclusionNeutral
	}
	return c
}

// pipelinesOf are those that a report is about: of a bake those of its targets, so that
// what is posted stays the same where the next one is judged by each of them.
func pipelinesOf(r *detect.Report) (list []string) {
	for i := range r.Results {
		if b := &r.Results[i].Build; len(b.Targets) > 0 {
			list = append(list, b.Targets...)
		} else {
			list = append(list, b.Pipeline)
		}
	}
	return list
}

// checkName is that of the check run: the same for each build of a pipeline, as rules
// for branches name it.
func checkName(r *detect.Report) string {
	const longest = 100
	var name string
	for i, pipeline := range pipelinesOf(r) {
		pipeline = Clean(pipeline)
		if i == 0 {
			name = pipeline
		}
		for !strings.HasPrefix(pipeline, name) {
			name = name[:len(name)-1]
		}
	}
	name = strings.ToValidUTF8(strings.TrimRight(name[:min(len(name), longest)], " /-_"), "")
	if name == "" {
		return "buildregress"
	}
	return "buildregress (" + name + ")"
}

// suspects is the number of steps that look slower, and may not be.
func suspects(r *detect.Report) (n int) {
	for i := range r.Results {
		n += r.Results[i].Counts[detect.StatusSuspect]
	}
	return n
}

// Regressions is the number of steps and builds that are slower, or over their budgets.
func Regressions(r *detect.Report) (n int) {
	for i := range r.Results {
		result := &r.Results[i]
		n += result.Counts[detect.StatusSlower] + result.Counts[detect.StatusOverBudget]
		if result.OverBudget != "" {
			n++
		}
	}
	return n
}

// A PartError tells that something was posted, and that a part of it is missing.
type PartError struct {
	Missing string
	Err     error
}

func (e *PartError) Error() string { return e.Missing + ": " + e.Err.Error() }
func (e *PartError) Unwrap() error { return e.Err }

// A RefusedError tells that a forge does not grant a request: the token has no right to
// what was asked.
type RefusedError interface {
	error
	Refused() bool
}
