package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/internal/ci"
	"github.com/buildregress/buildregress/internal/console"
	"github.com/buildregress/buildregress/report"
	"github.com/buildregress/buildregress/report/github"
)

// PostOptions say what is told to the CI system, besides the report.
type PostOptions struct {
	Comment     When   // on the pull request
	CheckRun    When   // on the commit
	Summary     When   // of the job
	Annotations When   // in the job's log
	Issue       When   // on what got slower on the default branch
	Page        string // address of the report as HTML, "" for none
}

// post tells the CI system of a report, and returns what must not be left undone. What
// Auto asks for and cannot be had is a warning: the verdict alone decides how the
// process ends.
func (o *PostOptions) post(ctx context.Context, env *Env, said ci.Identity, r *detect.Report, failing bool, files []OutputFile) error {
	ctx, cancel := withReserve(ctx, 3*time.Second)
	defer cancel()
	p := o.poster(env, said, r)
	p.failing = failing
	// The comment comes last: it may have to wait for other jobs.
	checked := p.checkRun(ctx)
	p.issues(ctx)
	address := p.comment(ctx)
	p.annotate(checked)
	p.summarize()
	p.setOutputs(append(outputsOf(r, files), github.Output{Name: commentURL, Value: address}))
	return errors.Join(p.errs...)
}

// comment tells the pull request alone, of a report that everybody else was told of.
func (o *PostOptions) comment(ctx context.Context, env *Env, said ci.Identity, r *detect.Report) error {
	ctx, cancel := withReserve(ctx, 3*time.Second)
	defer cancel()
	p := o.poster(env, said, r)
	p.setOutputs([]github.Output{{Name: commentURL, Value: p.comment(ctx)}})
	return errors.Join(p.errs...)
}

// poster is who posts a report.
func (o *PostOptions) poster(env *Env, said ci.Identity, r *detect.Report) *poster {
	p := &poster{env: env, options: o, report: r, to: destinationOf(env.Variables, said), code: codeOf(env.Variables, said), hinted: map[string]bool{}}
	if o.Comment != Never || o.CheckRun != Never || o.Issue != Never {
		p.forge, p.missing = openForge(env, p.to)
	}
	return p
}

// withReserve returns a context that ends some time before ctx does, so that there is
// time left to say how it went.
func withReserve(ctx context.Context, reserve time.Duration) (context.Context, context.CancelFunc) {
	if end, limited := ctx.Deadline(); limited {
		return context.WithDeadline(ctx, end.Add(-min(reserve, time.Until(end)/4)))
	}
	return context.WithCancel(ctx)
}

// A poster posts one report.
type poster struct {
	env     *Env
	options *PostOptions
	report  *detect.Report
	failing bool
	to      destination
	code    report.Code
	forge   forge  // nil if nothing can be posted
	missing string // forge is nil because of it
	errs    []error
	hinted  map[string]bool
}

// skipOrFail tells why something was not posted: an error where it must be, else a
// warning. That a token may only read is no error of the build.
func (p *poster) skipOrFail(when When, what string, err error) {
	var refused report.RefusedError
	isRefused := errors.As(err, &refused) && refused.Refused()
	if when == Always && !isRefused {
		p.errs = append(p.errs, postError{what, err})
		return
	}
	p.env.Console.Warn(fmt.Sprintf("%s: %v", what, err))
	if !isRefused {
		return
	}
	hint := "the job needs permissions: pull-requests: write, checks: write; a pull request from a fork cannot have them, unless another workflow judges it"
	if what == noIssue {
		hint = "the job needs permissions: issues: write"
	}
	if own := console.HintOf(err); own != "" { // no permission helps
		hint = own
	}
	if !p.hinted[hint] {
		p.hinted[hint] = true
		p.env.Console.Hint(hint)
	}
}

// A postError tells that something could not be posted.
type postError struct {
	what string
	err  error
}

func (e postError) Error() string { return e.what + ": " + e.err.Error() }
func (e postError) Unwrap() error { return e.err }

// Hint says how it need not be posted.
func (e postError) Hint() string {
	return "with auto instead of always, what cannot be posted is a warning"
}

// comment makes, edits or resolves the comment on the pull request, and returns its
// address.
func (p *poster) comment(ctx context.Context) (address string) {
	const what = "no comment"
	when := p.options.Comment
	if when == Never || when == Auto && !p.to.isWorkflow {
		return ""
	}
	if p.forge == nil {
		p.skipOrFail(when, what, errors.New(p.missing))
		return ""
	}
	if p.to.pullRequest == 0 {
		if when == Always {
			p.env.Console.Warn("no comment: there is no open pull request of which " + p.to.commit + " is the head")
		}
		return ""
	}
	limit, _ := p.forge.Limits()
	c, ok := report.CommentOn(p.report, report.CommentOptions{
		Code: p.code, Page: p.options.Page, Asked: when == Always, Now: p.env.Now, Limit: limit,
	})
	if !ok {
		return ""
	}
	c.Group, c.Address = p.to.workflow, p.to.run
	address, err := p.forge.Comment(ctx, p.to.pullRequest, c)
	if err != nil {
		p.skipOrFail(when, what, err)
	}
	return address
}

// checkRun makes the check run, and tells whether there is one.
func (p *poster) checkRun(ctx context.Context) bool {
	const what = "no check run"
	when := p.options.CheckRun
	if when == Never || when == Auto && !p.to.isWorkflow || len(p.report.Results) == 0 {
		return false
	}
	if p.forge == nil {
		if when == Always || p.options.Comment == Never { // else it was said already
			p.skipOrFail(when, what, errors.New(p.missing))
		}
		return false
	}
	_, limit := p.forge.Limits()
	c := report.NewCheckRun(p.report, p.code, p.failing, limit)
	c.Commit, c.Address = p.to.commit, p.to.run
	_, err := p.forge.CheckRun(ctx, c)
	if part := new(report.PartError); errors.As(err, &part) {
		p.skipOrFail(Auto, "the check run is not whole", err)
		return true
	}
	if err != nil {
		p.skipOrFail(when, what, err)
	}
	return err == nil
}

const noIssue = "no issue"

// issues opens an issue for each build of the default branch that is slower, unless one tells
// of that already.
func (p *poster) issues(ctx context.Context) {
	when := p.options.Issue
	if when == Never || when == Auto && !p.to.isWorkflow {
		return
	}
	if p.forge == nil {
		if when == Always || p.options.Comment == Never && p.options.CheckRun == Never { // else it was said already
			p.skipOrFail(when, noIssue, errors.New(p.missing))
		}
		return
	}
	if p.to.branch == "" {
		return // a pull request, which has a comment, or some other branch
	}
	limit, _ := p.forge.Limits()
	for _, i := range report.IssuesOn(p.report, p.code, p.to.branch, p.to.run, limit) {
		if _, err := p.forge.Issue(ctx, i); err != nil {
			p.skipOrFail(when, noIssue, err)
			return
		}
	}
}

// annotate writes annotations as commands into the log of the job. The runner takes
// them from standard error as well, where they are in nobody's way.
func (p *poster) annotate(checked bool) {
	switch when := p.options.Annotations; {
	case when == Never, when == Auto && (checked || !ci.OnGitHubOrAlike(p.env.Variables)):
		return
	}
	if err := report.Commands(p.env.Console, report.Annotations(p.report, p.failing)); err != nil {
		p.errs = append(p.errs, err)
	}
}

// summarize adds the report to the summary of the job.
func (p *poster) summarize() {
	const what = "no job summary"
	path := p.env.Variables("GITHUB_STEP_SUMMARY")
	switch when := p.options.Summary; {
	case when == Never, when == Auto && path == "":
		return
	case path == "":
		p.skipOrFail(when, what, errors.New("GITHUB_STEP_SUMMARY is not set"))
		return
	}
	render := func(room int) string { return report.MarkdownWithin(p.report, p.code, room) }
	if err := github.AddSummary(path, render); err != nil {
		p.skipOrFail(p.options.Summary, what, err)
	}
}

const commentURL = "comment-url"

// outputsOf are the outputs of the step on a report, but for what was posted.
func outputsOf(r *detect.Report, files []OutputFile) []github.Output {
	paths := map[report.Format]string{}
	for _, f := range files {
		paths[f.Format] = f.Path
	}
	return []github.Output{
		{Name: "verdict", Value: r.Verdict.String()},
		{Name: "regressions", Value: fmt.Sprint(report.Regressions(r))},
		{Name: "report-json", Value: paths["json"]},
		{Name: "report-html", Value: paths["html"]},
	}
}

// setOutputs sets outputs of the step, for the steps after it.
func (p *poster) setOutputs(outputs []github.Output) {
	path := p.env.Variables("GITHUB_OUTPUT")
	if path == "" {
		return
	}
	if err := github.AddOutputs(path, outputs); err != nil {
		p.env.Console.Warn(fmt.Sprintf("no outputs of the step: %v", outputError{path, err}))
	}
}
