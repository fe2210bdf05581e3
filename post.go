package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/report"
	"github.com/buildregress/buildregress/report/github"
)

// A postPlan says what is told to the CI system, besides the report. Each is
// auto, always or never.
type postPlan struct {
	comment     string // on the pull request
	checkRun    string // on the commit
	summary     string // of the job
	annotations string // in the job's log
}

func planPost(s settings) (p postPlan, err error) {
	for _, o := range []struct {
		name string
		to   *string
	}{{"comment", &p.comment}, {"check-run", &p.checkRun}, {"summary", &p.summary}, {"annotations", &p.annotations}} {
		if *o.to, err = s.oneOf(o.name, "auto", always, never); err != nil {
			return p, err
		}
	}
	return p, nil
}

// post tells the CI system of a report, and returns what must not stay undone. What
// auto asks for and cannot be had is a warning: the verdict alone decides how the
// process ends.
func (p *postPlan) post(ctx context.Context, w *world, ci identity, r *detect.Report, failing bool, files []outputFile) error {
	ctx, cancel := leaving(ctx, 3*time.Second)
	defer cancel()
	t := poster{w: w, plan: p, report: r, failing: failing, to: destinationOf(w.env, ci)}
	t.connect()
	address := t.comment(ctx)
	annotations := report.Annotations(r, t.failing)
	checked := t.checkRun(ctx, annotations)
	t.annotate(annotations, checked)
	t.summarise()
	t.outputs(address, files)
	return errors.Join(t.errs...)
}

// leaving is a context that ends some time before ctx does, so that there is time
// left to say how it went.
func leaving(ctx context.Context, some time.Duration) (context.Context, context.CancelFunc) {
	if end, limited := ctx.Deadline(); limited {
		return context.WithDeadline(ctx, end.Add(-min(some, time.Until(end)/4)))
	}
	return context.WithCancel(ctx)
}

// A destination is where on GitHub a report belongs. It is told by the event that
// started the workflow, and never by a build: that may come from anywhere.
type destination struct {
	actions     bool   // a workflow of GitHub runs us, and no look-alike
	owner, repo string // whose workflow it is
	commit      string // the head of the pull request, or what was pushed
	pullRequest int    // 0 for none
	run         string // address of the workflow's run, "" if unknown
}

// destinationOf reads it from what the CI system says of the build.
func destinationOf(e env, ci identity) (d destination) {
	if !e.any("GITHUB_ACTIONS") || e.any("GITEA_ACTIONS", "FORGEJO_ACTIONS") {
		return d
	}
	d.actions, d.commit, d.run = true, ci.revision, ci.url
	d.owner, d.repo, _ = strings.Cut(e("GITHUB_REPOSITORY"), "/")
	if n, err := strconv.Atoi(ci.pullRequest); err == nil && n > 0 {
		d.pullRequest = n
	}
	return d
}

// A poster posts one report.
type poster struct {
	w       *world
	plan    *postPlan
	report  *detect.Report
	failing bool
	to      destination
	github  *github.Poster // nil if nothing can be posted
	why     string         // github is nil
	errs    []error
	hinted  bool
}

// connect makes what is needed to post, if anything is to be posted.
func (t *poster) connect() {
	switch {
	case t.plan.comment == never && t.plan.checkRun == never:
		return
	case !t.to.actions:
		t.why = "no workflow of GitHub Actions runs this"
	case t.to.owner == "" || t.to.repo == "":
		t.why = "GITHUB_REPOSITORY does not name a repository"
	case githubToken(t.w.env) == "":
		t.why = "GITHUB_TOKEN is not set"
	}
	if t.why != "" {
		return
	}
	access, err := t.w.github()
	if err != nil {
		t.why = err.Error()
		return
	}
	t.github = &github.Poster{
		Client: access.client, Owner: t.to.owner, Repo: t.to.repo, Now: time.Now,
		Wait: func(ctx context.Context, d time.Duration) error {
			timer := time.NewTimer(d)
			defer timer.Stop()
			select {
			case <-timer.C:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		},
	}
}

// undone tells why something was not posted: an error where it must be, else a
// warning. That a token may only read is no error of the build.
func (t *poster) undone(plan string, what string, err error) {
	refused := new(github.Error)
	isRefused := errors.As(err, &refused) && refused.Refused()
	if plan == always && !isRefused {
		t.errs = append(t.errs, postError{what, err})
		return
	}
	t.w.say("warning", fmt.Sprintf("%s: %v", what, err))
	if isRefused && !t.hinted {
		t.hinted = true
		t.w.say("hint", "the job needs permissions: pull-requests: write, checks: write; a pull request from a fork cannot have them, unless another workflow judges it")
	}
}

// A postError tells that something could not be posted.
type postError struct {
	what string
	err  error
}

func (e postError) Error() string { return e.what + ": " + e.err.Error() }
func (e postError) Unwrap() error { return e.err }

// comment makes, edits or resolves the comment on the pull request, and returns
// its address.
func (t *poster) comment(ctx context.Context) (address string) {
	const what = "no comment"
	plan := t.plan.comment
	if plan == never || plan == "auto" && !t.to.actions {
		return ""
	}
	if t.github == nil {
		t.undone(plan, what, errors.New(t.why))
		return ""
	}
	if t.to.pullRequest == 0 {
		if plan == always {
			t.w.say("warning", "no comment: there is no open pull request of which "+t.to.commit+" is the head")
		}
		return ""
	}
	c, ok := commentOn(t.report, plan == always)
	if !ok {
		return ""
	}
	if c.Began.IsZero() || c.Began.After(t.w.now) {
		// It says no start, or one that cannot be: no comment after this one would
		// count as newer.
		c.Began = t.w.now
	}
	if t.to.run != "" {
		c.Body += fmt.Sprintf("\n<sub>[The whole report](%s) is the summary of the job that posted this.</sub>\n", t.to.run)
	}
	address, err := t.github.Comment(ctx, t.to.pullRequest, c)
	if err != nil {
		t.undone(plan, what, err)
	}
	return address
}

// commentOn is what a report has to say on a pull request: nothing, to begin with,
// but what costs every build from now on. What was said is kept up to date, and
// resolved by a build that was judged and passed.
func commentOn(r *detect.Report, asked bool) (c github.Comment, ok bool) {
	passed := len(r.Results) > 0
	for i := range r.Results {
		result := &r.Results[i]
		c.Pipelines = append(c.Pipelines, result.Build.Pipeline)
		if result.Build.Start.After(c.Began) {
			c.Began = result.Build.Start
		}
		lasting := slices.ContainsFunc(result.Cache.Losses, func(l detect.CacheLoss) bool { return l.Lasting })
		c.Create = c.Create || result.Verdict == detect.Regressed || lasting
		passed = passed && result.Verdict == detect.Pass && !lasting
	}
	const footer = 500
	switch unjudged := r.Verdict == detect.Unjudged; {
	case len(r.Results) == 0 || unjudged && !c.Create && !asked:
		return c, false // it does not know whether what was said still holds
	case passed && !asked:
		c.Body = report.Resolved(r, github.MaxComment-footer)
	default:
		c.Body = report.MarkdownWithin(r, github.MaxComment-footer)
	}
	c.Create = c.Create || asked
	return c, true
}

// checkRun makes the check run, and tells whether there is one.
func (t *poster) checkRun(ctx context.Context, annotations []report.Annotation) bool {
	const what = "no check run"
	plan := t.plan.checkRun
	if plan == never || plan == "auto" && !t.to.actions || len(t.report.Results) == 0 {
		return false
	}
	if t.github == nil {
		if plan == always || t.plan.comment == never { // else it was said already
			t.undone(plan, what, errors.New(t.why))
		}
		return false
	}
	c := checkRunOf(t.report, t.failing)
	c.Commit, c.Address, c.Annotations = t.to.commit, t.to.run, annotations
	_, err := t.github.CheckRun(ctx, c)
	if part := new(github.PartError); errors.As(err, &part) {
		t.undone("auto", "the check run is not whole", err)
		return true
	}
	if err != nil {
		t.undone(plan, what, err)
	}
	return err == nil
}

func checkRunOf(r *detect.Report, failing bool) github.CheckRun {
	c := github.CheckRun{
		Name: checkName(r), Conclusion: github.Success, Title: report.Headline(r),
		Summary: report.MarkdownWithin(r, github.MaxSummary),
	}
	for i := range r.Results {
		if start := r.Results[i].Build.Start; start.After(c.Began) {
			c.Began = start
		}
	}
	switch n := suspects(r); {
	case failing:
		c.Conclusion = github.Failure
	case r.Verdict == detect.Unsure && n > 0:
		c.Title = fmt.Sprintf("Passed; %s to watch", count(n, "step"))
	case r.Verdict == detect.Regressed, r.Verdict == detect.Unjudged: // and nobody wants it to fail
		c.Conclusion = github.Neutral
	}
	return c
}

// checkName is that of the check run: the same for each build of a pipeline, as
// rules for branches name it.
func checkName(r *detect.Report) string {
	const longest = 100
	var name string
	for i := range r.Results {
		pipeline := report.Clean(r.Results[i].Build.Pipeline)
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

// suspects are the steps that look slower, and may not be.
func suspects(r *detect.Report) (n int) {
	for i := range r.Results {
		for j := range r.Results[i].Steps {
			if r.Results[i].Steps[j].Status == detect.StatusSuspect {
				n++
			}
		}
	}
	return n
}
