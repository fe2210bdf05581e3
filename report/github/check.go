package github

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/buildregress/buildregress/report"
)

// A CheckRun is a verdict on a commit.
type CheckRun struct {
	Name        string // the same for all commits: branch rules name it
	Commit      string // the head of a pull request, never the merge that GitHub tries
	Conclusion  Conclusion
	Title       string
	Summary     string // Markdown, at most MaxSummary
	Address     string // where there is more, "" for nowhere
	Began       time.Time
	Annotations []report.Annotation
}

// A Conclusion is GitHub's word for a verdict.
type Conclusion string

const (
	Success Conclusion = "success"
	Neutral Conclusion = "neutral"
	Failure Conclusion = "failure"
)

const (
	// MaxSummary is the most that a check run's summary may take, in bytes. GitHub
	// takes 65,535 characters.
	MaxSummary = 65_000
	// perRequest is how many annotations GitHub takes at once. More are added by
	// more requests.
	perRequest = 50
	// maxAnnotations bounds the requests. Nobody reads as many.
	maxAnnotations = 250
)

var levels = map[report.Level]string{report.Notice: "notice", report.Warning: "warning", report.Failure: "failure"}

// CheckRun makes a check run, which is complete from the start: what comes after
// its first fifty annotations may fail, and leaves it as it is then.
func (p *Poster) CheckRun(ctx context.Context, c CheckRun) (address string, err error) {
	all := c.Annotations[:min(len(c.Annotations), maxAnnotations)]
	if more := len(c.Annotations) - len(all); more > 0 {
		c.Summary += fmt.Sprintf("\n%d more findings have no annotation: it would be too many.\n", more)
	}
	first := all[:min(len(all), perRequest)]
	status, conclusion := "completed", string(c.Conclusion)
	now := p.Now()
	options := github.CreateCheckRunOptions{
		Name: c.Name, HeadSHA: c.Commit, Status: &status, Conclusion: &conclusion,
		CompletedAt: &github.Timestamp{Time: now}, Output: c.output(first),
	}
	if c.Address != "" {
		options.DetailsURL = &c.Address
	}
	if !c.Began.IsZero() && c.Began.Before(now) {
		options.StartedAt = &github.Timestamp{Time: c.Began}
	}
	var run *github.CheckRun
	create := func() (err error) {
		run, _, err = p.Client.Checks.CreateCheckRun(ctx, p.Owner, p.Repo, options)
		return err
	}
	err = p.attempt(ctx, "create the check run", create)
	if err != nil && isStatus(err, http.StatusUnprocessableEntity) && len(first) > 0 {
		// A verdict without its annotations is better than none.
		cause := err
		options.Output, all, first = c.output(nil), nil, nil
		if err = p.attempt(ctx, "create the check run", create); err == nil {
			return run.GetHTMLURL(), &PartError{"the check run has no annotations", cause}
		}
	}
	if err != nil {
		return "", err
	}
	for rest := all[len(first):]; len(rest) > 0; {
		batch := rest[:min(len(rest), perRequest)]
		rest = rest[len(batch):]
		// Not tried again: what came twice would stand there twice.
		_, _, err := p.Client.Checks.UpdateCheckRun(ctx, p.Owner, p.Repo, run.GetID(), github.UpdateCheckRunOptions{
			Name: c.Name, Output: c.output(batch),
		})
		if err != nil {
			return run.GetHTMLURL(), &PartError{"the check run lacks annotations", explained("add them", err)}
		}
	}
	return run.GetHTMLURL(), nil
}

// A PartError tells that something was posted, and that a part of it is missing.
type PartError struct {
	Missing string
	Err     error
}

func (e *PartError) Error() string { return e.Missing + ": " + e.Err.Error() }
func (e *PartError) Unwrap() error { return e.Err }

func (c *CheckRun) output(annotations []report.Annotation) *github.CheckRunOutput {
	o := &github.CheckRunOutput{Title: &c.Title, Summary: &c.Summary}
	for _, a := range annotations {
		level := levels[a.Level]
		o.Annotations = append(o.Annotations, &github.CheckRunAnnotation{
			Path: &a.File, StartLine: &a.Line, EndLine: &a.Line, AnnotationLevel: &level, Title: &a.Title, Message: &a.Message,
		})
	}
	return o
}
