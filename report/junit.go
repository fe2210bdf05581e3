package report

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
)

// JUnit's XML is what CI systems show as tests: a suite for each build, a case for each
// step, and one for the build itself. A case fails only for what the check fails on.
// Readers agree on little more than the elements written here. They tell cases apart by class
// and name, some (GitLab) whatever suite they are of: these are the same in each build, and no
// two are equal.

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name      string      `xml:"name,attr"`
	Tests     int         `xml:"tests,attr"`
	Failures  int         `xml:"failures,attr"`
	Errors    int         `xml:"errors,attr"`
	Skipped   int         `xml:"skipped,attr"`
	Time      string      `xml:"time,attr"`
	Timestamp string      `xml:"timestamp,attr,omitempty"`
	Cases     []junitCase `xml:"testcase"`
	Output    string      `xml:"system-out,omitempty"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Time    string        `xml:"time,attr"`
	Skipped *junitSkipped `xml:"skipped"`
	Failure *junitFailure `xml:"failure"`
	Output  string        `xml:"system-out,omitempty"`
}

type junitSkipped struct {
	Message string `xml:"message,attr"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

// maxJUnitName is how many cells of a name are written: some readers have columns of 255
// characters for class and name together.
const maxJUnitName = 120

// JUnit writes a report as JUnit XML.
func JUnit(w io.Writer, r *detect.Report) error {
	all := junitSuites{Name: "buildregress", Suites: []junitSuite{}}
	var total timeline.Seconds
	var pipelines []string
	for i := range r.Results {
		pipelines = append(pipelines, r.Results[i].Build.Pipeline)
	}
	several := len(distinct(pipelines)) > 1
	taken := map[[2]string]bool{}
	for i := range r.Results {
		s := junitSuiteOf(&r.Results[i], r.FailOn)
		for k := range s.Cases {
			c := &s.Cases[k]
			if several {
				c.Class = cut(s.Name, maxJUnitName/2) + " " + cut(c.Class, maxJUnitName/2)
			}
			c.makeDistinct(taken)
		}
		all.Tests, all.Failures = all.Tests+s.Tests, all.Failures+s.Failures
		total += max(r.Results[i].Build.Duration, 0)
		all.Suites = append(all.Suites, s)
	}
	all.Time = junitTime(total)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(all); err != nil {
		return fmt.Errorf("report as JUnit XML: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func junitSuiteOf(r *detect.Result, failOn []string) junitSuite {
	n, v := newNames(r), viewOfResult(r)
	s := junitSuite{Name: cmp.Or(cut(v.pipeline, maxJUnitName), "build"), Time: junitTime(r.Build.Duration)}
	if start := encodableTime(r.Build.Start); !start.IsZero() {
		s.Timestamp = start.Format("2006-01-02T15:04:05")
	}
	for i := range r.Steps {
		step := &r.Steps[i]
		if step.Status == detect.StatusGone {
			continue
		}
		s.add(junitCaseOf(r, step, n, failOn))
	}
	whole := junitCase{Class: "build", Name: "the whole build", Time: s.Time}
	switch {
	case r.Fails(failOn) && (s.Failures == 0 || r.OverBudget != ""):
		whole.Failure = &junitFailure{Message: plain(v.headline, maxTextErrors), Type: r.Verdict.String()}
		if r.OverBudget != "" {
			whole.Failure.Message, whole.Failure.Type = Clean(r.OverBudget), detect.StatusOverBudget.String()
		}
		whole.Failure.Text = junitLines(slices.Concat(v.findings, v.suspects))
	case r.Verdict == detect.Unjudged:
		whole.Skipped = &junitSkipped{plain(v.headline, maxTextErrors)}
	}
	s.add(whole)
	s.Output = junitLines(slices.Concat([]line{v.headline}, v.findings, v.suspects, []line{v.next, v.history}, v.notices, v.facts, []line{v.coverage, v.baseline}))
	return s
}

func (s *junitSuite) add(c junitCase) {
	s.Cases = append(s.Cases, c)
	s.Tests++
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Skipped != nil:
		s.Skipped++
	}
}

// makeDistinct tells a case that is called as another by a number.
func (c *junitCase) makeDistinct(taken map[[2]string]bool) {
	name := c.Name
	for n := 2; taken[[2]string{c.Class, c.Name}]; n++ {
		c.Name = fmt.Sprintf("%s (%d)", name, n)
	}
	taken[[2]string{c.Class, c.Name}] = true
}

func junitCaseOf(r *detect.Result, s *detect.StepResult, n *names, failOn []string) junitCase {
	c := junitCase{
		Class: cmp.Or(cut(strings.TrimSpace(Clean(s.Platform)+" "+Clean(s.Stage)), maxJUnitName), "steps"),
		Name:  cmp.Or(cut(Clean(n.of(s)), maxJUnitName), "(no name)"),
		Time:  junitTime(s.Current),
	}
	told := ""
	switch s.Status {
	case detect.StatusSlower, detect.StatusSuspect, detect.StatusOverBudget:
		told = plain(slowerLine(s, n, false), maxTextErrors)
	case detect.StatusCacheLost:
		told = Clean(s.Reason.Text)
	}
	switch {
	case failsOn(r, s, failOn):
		c.Failure = &junitFailure{Message: verdictOf(s), Type: s.Status.String(), Text: told}
	case s.Status == detect.StatusUnjudged, s.Status == detect.StatusNew:
		c.Skipped = &junitSkipped{cmp.Or(reasonOf(s), verdictOf(s))}
	default:
		c.Output = told
	}
	return c
}

// failsOn tells whether a step is something that makes its result fail.
func failsOn(r *detect.Result, s *detect.StepResult, failOn []string) bool {
	verdict := func(least detect.Verdict) bool {
		return r.Verdict == detect.Regressed && slices.Contains(failOn, detect.Regressed.String()) && least == detect.Regressed ||
			r.Verdict.Severity() >= detect.Unsure.Severity() && slices.Contains(failOn, detect.Unsure.String())
	}
	switch s.Status {
	case detect.StatusSlower:
		return verdict(detect.Regressed)
	case detect.StatusSuspect:
		return verdict(detect.Unsure)
	case detect.StatusOverBudget:
		return verdict(detect.Regressed) || slices.Contains(failOn, s.Status.String())
	case detect.StatusCacheLost:
		isFound := func(l detect.CacheLoss) bool { return l.Step == s.Key && l.Finding() }
		return slices.Contains(failOn, s.Status.String()) && slices.ContainsFunc(r.Cache.Losses, isFound)
	}
	return false
}

func junitLines(lines []line) string {
	var b strings.Builder
	for _, l := range lines {
		if len(l) > 0 {
			b.WriteString(plain(l, maxTextErrors) + "\n")
		}
	}
	return strings.ReplaceAll(b.String(), lineBreak+" ", "")
}

// junitTime is a time in seconds, as JUnit has it.
func junitTime(s timeline.Seconds) string { return fmt.Sprintf("%.3f", max(s, 0).D().Seconds()) }
