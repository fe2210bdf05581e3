package source

import (
	"cmp"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/buildregress/buildregress/detect/redact"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/github"
)

// A GitHub is reached in two ways. What fetches and what posts share one, and with it
// what is known of rate limits.
type GitHub struct {
	Client *gh.Client
	// Anonymous is set where there is no token to show.
	Anonymous bool
	Download  *http.Client // for addresses outside of the API
	Pulls     *github.Pulls
}

// NewGitHub reaches GitHub, or its like at the address of another API, as the owner of
// a token, "" for nobody. tokenName says where the token comes from, for people.
func NewGitHub(address, token, tokenName string, now func() time.Time) (*GitHub, error) {
	api, err := url.Parse(cmp.Or(address, github.PublicAPI))
	if err != nil || api.Scheme != "https" && api.Scheme != "http" || api.Host == "" || api.User != nil || api.RawQuery != "" {
		return nil, &AddressError{"GITHUB_API_URL is no address of an API", "it is written https://api.github.com or https://HOST/api/v3"}
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, &AddressError{"the token for GitHub contains invalid characters", tokenName + " is to hold it and nothing else"}
	}
	a := github.Access{API: api, Token: token, Agent: "buildregress", Now: now}
	client := github.NewClient(a)
	return &GitHub{client, token == "", github.NewDownloader(a), github.NewPulls(client, now)}, nil
}

// GitHubOptions say how GitHub is reached, and which run of a workflow is meant.
type GitHubOptions struct {
	Connect func() (*GitHub, error)
	Run     fetch.Run
}

var githubName = regexp.MustCompile(`^([A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)/([A-Za-z0-9._-]+)$`)

// adviceOnRun says what to give instead of the path of a page of GitHub's; "" for what is
// none.
func adviceOnRun(scheme, path string) string {
	advice, ok := strings.CutPrefix(adviceOnPage("https://github.com/"+path), "github://")
	if !ok || strings.Count(path, "/") < 2 {
		return ""
	}
	return redact.Text(scheme + "://" + advice)
}

// repositoryOf is the owner and the name of the repository in an address.
func repositoryOf(address string) (owner, name string, err error) {
	scheme, path, _ := strings.Cut(address, "://")
	m := githubName.FindStringSubmatch(strings.TrimSuffix(path, "/"))
	if m == nil || strings.Trim(m[2], ".") == "" {
		return "", "", &AddressError{redact.Text(address) + " names no repository", cmp.Or(adviceOnRun(scheme, path), "it is written "+scheme+"://OWNER/NAME")}
	}
	return m[1], m[2], nil
}

func checkGitHub(address string) error {
	_, _, err := repositoryOf(address)
	return err
}

// githubOptions read what an address names.
func githubOptions(o *Options, address string) (github.Options, error) {
	owner, name, err := repositoryOf(address)
	if err != nil {
		return github.Options{}, err
	}
	hub, err := o.GitHub.Connect()
	if err != nil {
		return github.Options{}, err
	}
	to := github.Options{
		Owner: owner, Name: name, Client: hub.Client, Anonymous: hub.Anonymous, Download: hub.Download, Pulls: hub.Pulls, Now: o.Now, Cache: o.Cache,
		Pipeline: o.Pipeline, Normalize: fetch.Normalize, Reserve: min(o.Timeout/4, 15*time.Second),
	}
	to.Progress = func(n int) (read, done func()) {
		o.Debugf("%s: %d to read", address, n)
		return o.Progress("reading "+address, n)
	}
	if run := &o.GitHub.Run; strings.EqualFold(run.Repository, owner+"/"+name) {
		to.Run, to.Workflow, to.Event, to.Job, to.Runner = run.ID, run.Workflow, run.Event, run.Job, run.Runner
	}
	return to, nil
}

func openGitHub(o *Options, address string) (Source, error) {
	to, err := githubOptions(o, address)
	if err != nil {
		return Source{}, err
	}
	records := github.OpenRecords(to)
	return Source{Source: records, Name: address, History: records}, nil
}

func openGitHubSteps(o *Options, address string) (Source, error) {
	to, err := githubOptions(o, address)
	if err != nil {
		return Source{}, err
	}
	steps := github.OpenSteps(to)
	return Source{Source: steps, Name: address, History: steps}, nil
}
