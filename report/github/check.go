package github

import (
	"context"
	"fmt"
	"net/http"

	"github.com/google/go-github/v60/github"

	"github.com/buildregress/buildregress/report"
)

// A check run is complete from the start: what comes after its first fifty annotations may
// fail, and leaves it as it is then.

const (
	// maxSummary is the most that a check run's summary may take, in bytes. GitHub
	// takes 65,535 characters.
	maxSummary = 65_000
	// perRequest is how many annotations GitHub takes at once. More are added by
	// more requests.
	perRequest = 50
	// maxAnnotations bounds the requests. Nobody reads as many.
	maxAnnotations = 250
)

var levels = map[report.Level]string{report.Notice: "notice", report.Warning: "warning", report.Failure: "failure"}

// CheckRun makes a check run, which is complete from the start: what comes after
// its first fifty annotations may fail, and leaves it as it is then.
func (p *Poster) CheckRun(ctx context.Context, c report.CheckRun) (address string, err error) {
	all := c.Annotations[:min(len(c.Annotations), maxAnnotations)]
	if more := len(c.Annotations) - len(all); more > 0 {
		c.Summary += fmt.Sprintf("\n%d more findings have no annotation: it would be too many.\n", more)
	}
	first := all[:min(len(all), perRequest)]
	status, conclusion := "completed", string(c.Conclusion)
	now := p.Now()
	options := github.CreateCheckRunOptions{
		Name: c.Name, HeadSHA: c.Commit, Status: &status, Conclusion: &conclusion,
		CompletedAt: &github.Timestamp{Time: now}, Output: output(&c, first),
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
	err = p.retry(ctx, "create the check run", create)
	if err != nil && isStatus(err, http.StatusUnprocessableEntity) && len(first) > 0 {
		// A verdict without its annotations is better than none.
		cause := err
		options.Output, all, first = output(&c, nil), nil, nil
		if err = p.retry(ctx, "create the check run", create); err == nil {
			return run.GetHTMLURL(), &report.PartError{Missing: "the check run has no annotations", Err: cause}
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
			Name: c.Name, Output: output(&c, batch),
		})
		if err != nil {
			return run.GetHTMLURL(), &report.PartError{Missing: "the check run lacks annotations", Err: wrapError("add them", err)}
		}
	}
	return run.GetHTMLURL(), nil
}

// output is what a check run says, with some of its annotations.
func output(c *report.CheckRun, annotations []report.Annotation) *github.CheckRunOutput {
	o := &github.CheckRunOutput{Title: &c.Title, Summary: &c.Summary}
	for _, a := range annotations {
		level := levels[a.Level]
		o.Annotations = append(o.Annotations, &github.CheckRunAnnotation{
			Path: &a.File, StartLine: &a.Line, EndLine: &a.Line, AnnotationLevel: &level, Title: &a.Title, Message: &a.Message,
		})
	}
	return o
}
