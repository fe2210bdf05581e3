package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/github"
)

// A githubAccess is GitHub as the environment says to reach it. What fetches
// and what posts share one, and with it what is known of rate limits.
type githubAccess struct {
	client   *gh.Client
	download *http.Client // for addresses outside of the API
}

// githubTokens are the variables that a token is taken from, the first that is set.
// It is sent to the API's host alone, and never shown.
var githubTokens = []string{"BUILDREGRESS_GITHUB_TOKEN", "GITHUB_TOKEN", "GH_TOKEN"}

// githubToken is the token for GitHub, "" for none.
func githubToken(e env) string { return strings.TrimSpace(e.first(githubTokens...)) }

// github reaches GitHub, or its like that GITHUB_API_URL names.
func (w *world) github() (*githubAccess, error) {
	if w.hub != nil {
		return w.hub, nil
	}
	address := cmp.Or(w.env("GITHUB_API_URL"), github.PublicAPI)
	api, err := url.Parse(address)
	if err != nil || api.Scheme != "https" && api.Scheme != "http" || api.Host == "" || api.User != nil || api.RawQuery != "" {
		return nil, usageError{"GITHUB_API_URL is no address of an API", "it is written https://api.github.com or https://HOST/api/v3"}
	}
	token := githubToken(w.env)
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, usageError{"the token for GitHub holds what no token does", "one of " + strings.Join(githubTokens, ", ") + " is to hold it and nothing else"}
	}
	a := github.Access{API: api, Token: token, Agent: "buildregress", Now: time.Now}
	w.hub = &githubAccess{github.NewClient(a), github.NewDownloader(a)}
	return w.hub, nil
}

var githubName = regexp.MustCompile(`^([A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)/([A-Za-z0-9._-]+)$`)

// githubOptions read what a github:// address names, and what the CI system says
// of the run that is meant.
func githubOptions(w *world, s settings, scheme, address string, shelf fetch.Cache) (github.Options, error) {
	m := githubName.FindStringSubmatch(strings.TrimSuffix(strings.TrimPrefix(address, scheme), "/"))
	if m == nil || strings.Trim(m[2], ".") == "" {
		return github.Options{}, usageError{fmt.Sprintf("%s names no repository", printable(address)), "it is written " + scheme + "OWNER/NAME"}
	}
	hub, err := w.github()
	if err != nil {
		return github.Options{}, err
	}
	timeout, err := s.duration("timeout")
	if err != nil {
		return github.Options{}, err
	}
	o := github.Options{
		Owner: m[1], Name: m[2], Client: hub.client, Download: hub.download, Now: time.Now, Cache: shelf,
		Pipeline: s.text("pipeline"), Normalize: inFull, Reserve: min(timeout/4, 15*time.Second),
	}
	o.Progress = func(n int) (read, done func()) {
		w.debug("%s: %d to read", address, n)
		bar := w.progress("reading "+address, n)
		return func() { bar.add(1) }, bar.done
	}
	if e := env(w.env); e.any("GITHUB_ACTIONS") && strings.EqualFold(e("GITHUB_REPOSITORY"), m[0]) {
		githubRun(e, &o)
	}
	return o, nil
}

// githubRun says which run is meant: the one that we run in, or the one whose end
// started it.
func githubRun(e env, o *github.Options) {
	o.Run, _ = strconv.ParseInt(e("GITHUB_RUN_ID"), 10, 64)
	o.Workflow = workflowFile(e("GITHUB_WORKFLOW_REF"))
	o.Event, o.Job, o.Runner = e("GITHUB_EVENT_NAME"), e("GITHUB_JOB"), e("RUNNER_NAME")
	if run := readEvent(e("GITHUB_EVENT_PATH")).WorkflowRun; run != nil && e("GITHUB_EVENT_NAME") == "workflow_run" {
		o.Run, o.Workflow = run.ID, workflowFile(run.Path)
		o.Event, o.Job, o.Runner = run.Event, "", ""
	}
}

// workflowFile is the name of a workflow's file: "ci.yml" for
// "o/r/.github/workflows/ci.yml@refs/heads/main". Workflows that GitHub makes by
// itself have none.
func workflowFile(ref string) string {
	ref, _, _ = strings.Cut(ref, "@")
	if !strings.Contains(ref, ".github/workflows/") {
		return ""
	}
	return path.Base(ref)
}

func openGithub(_ context.Context, w *world, s settings, address string, shelf fetch.Cache) (origin, error) {
	o, err := githubOptions(w, s, "github://", address, shelf)
	if err != nil {
		return origin{}, err
	}
	records := github.OpenRecords(o)
	return origin{Source: records, name: address, past: records}, nil
}

func openGithubSteps(_ context.Context, w *world, s settings, address string, shelf fetch.Cache) (origin, error) {
	o, err := githubOptions(w, s, "github-steps://", address, shelf)
	if err != nil {
		return origin{}, err
	}
	steps := github.OpenSteps(o)
	return origin{Source: steps, name: address, past: steps}, nil
}

// askGithub completes what the event says of a run of a fork's pull request: which
// one that is, and its target. GitHub leaves it out of the event.
func (n *namer) askGithub(ctx context.Context, w *world) error {
	e := env(w.env)
	run := readEvent(e("GITHUB_EVENT_PATH")).WorkflowRun
	base := strings.Split(n.ci.baseRepository, "/")
	if !e.any("GITHUB_ACTIONS") || run == nil || n.ci.pullRequest != "" || !strings.HasPrefix(run.Event, "pull_request") || len(base) != 2 || !strings.Contains(n.ci.repository, "/") {
		return nil
	}
	hub, err := w.github()
	if err != nil {
		return err
	}
	pull, err := github.PullOf(ctx, hub.client, base[0], base[1], n.ci.repository, run.HeadBranch, run.HeadSHA)
	if err == nil && pull.Number == 0 {
		err = errors.New("no open one, or several, have its commit as their head")
	}
	if err != nil {
		return fmt.Errorf("the pull request of the run: %w", err)
	}
	n.ci.pullRequest, n.ci.baseBranch = strconv.Itoa(pull.Number), cmp.Or(pull.BaseBranch, n.ci.baseBranch)
	return nil
}
