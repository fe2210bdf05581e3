package source

import (
	"cmp"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/redact"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/gitlab"
	"github.com/buildregress/buildregress/fetch/httpclient"
)

// GitLabOptions say how GitLab is reached, and which pipeline is meant.
type GitLabOptions struct {
	API   string // its address, "" for gitlab.com's
	Token string // "" for none; sent to that host alone
	// JobToken tells that the token is that of a job, which may read less.
	JobToken bool
	Run      fetch.Run
}

var gitlabPath = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)+$`)

// projectOf is the path of the project in an address.
func projectOf(address string) (string, error) {
	_, path, _ := strings.Cut(address, "://")
	path = strings.TrimSuffix(path, "/")
	if !gitlabPath.MatchString(path) {
		advice := "it is written gitlab://GROUP/PROJECT"
		if project, _, ok := strings.Cut(path, "/-/"); ok && gitlabPath.MatchString(project) {
			advice = "gitlab://" + project + "; --run-id names one of its pipelines"
		}
		return "", &AddressError{redact.Text(address) + " names no project", advice}
	}
	return path, nil
}

func checkGitLab(address string) error {
	_, err := projectOf(address)
	return err
}

func openGitLab(o *Options, address string) (Source, error) {
	project, err := projectOf(address)
	if err != nil {
		return Source{}, err
	}
	api, err := url.Parse(cmp.Or(o.GitLab.API, gitlab.PublicAPI))
	if err != nil || api.Scheme != "https" && api.Scheme != "http" || api.Host == "" || api.User != nil || api.RawQuery != "" {
		return Source{}, &AddressError{"CI_API_V4_URL, or CI_SERVER_URL, is no address of a GitLab", "CI_SERVER_URL is written https://gitlab.example.com"}
	}
	header := http.Header{"User-Agent": {"buildregress"}}
	if token := o.GitLab.Token; token != "" {
		if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return Source{}, &AddressError{"the token for GitLab contains invalid characters", "GITLAB_TOKEN is to hold it and nothing else"}
		}
		name := "PRIVATE-TOKEN"
		if o.GitLab.JobToken {
			name = "JOB-TOKEN"
		}
		header.Set(name, token)
	}
	client, err := httpclient.NewClient(api, httpclient.Options{Header: header, LongestWait: gitlab.LongestWait})
	if err != nil {
		return Source{}, err
	}
	to := gitlab.Options{
		Project: project, Client: client, API: strings.TrimSuffix(api.String(), "/"), JobToken: o.GitLab.JobToken, Anonymous: o.GitLab.Token == "",
		Cache: o.Cache, Jobs: o.Pipelines.Jobs, Pipeline: o.Pipeline, Normalize: fetch.Normalize, Reserve: min(o.Timeout/4, 15*time.Second),
	}
	to.Progress = func(n int) (read, done func()) {
		o.Debugf("%s: %d pipelines to read", address, n)
		return o.Progress("reading "+address, n)
	}
	if run := &o.GitLab.Run; strings.EqualFold(run.Repository, project) {
		to.Run = run.ID
	}
	pipelines := gitlab.Open(to)
	return Source{Source: pipelines, Name: address, History: pipelines}, nil
}
