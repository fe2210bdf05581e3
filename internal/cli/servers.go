package cli

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect/redact"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/source"
	"github.com/buildregress/buildregress/internal/ci"
)

// opener returns what opens sources as the settings say.
func (p *Process) opener(s *settings) func(address string, cache fetch.Cache) (source.Source, error) {
	spinner := p.console.Spinner()
	return func(address string, cache fetch.Cache) (source.Source, error) {
		o := source.Options{
			Stdin: p.Stdin, Now: p.Clock, Sleep: p.Sleep, Timeout: s.timeout, Lookback: s.lookback, Pipeline: s.pipeline, Cache: cache,
			Revision:   ci.Checkout(".").Revision,
			Pipelines:  source.Pipelines{Any: s.anyTrace, Jobs: s.jobs},
			GitHub:     source.GitHubOptions{Connect: p.github, Run: ci.RunOf(p.Getenv)},
			GitLab:     p.gitlab(),
			DockerHost: p.Getenv("DOCKER_HOST"),
			Debugf:     p.console.Debugf,
			Waiting:    spinner.Show,
			Missing:    p.console.Waiting,
			Progress: func(what string, n int) (read, done func()) {
				bar := p.console.Progress(what, n)
				return func() { bar.Add(1) }, bar.Done
			},
		}
		if s.asksBuilder {
			o.Host = func() (string, timeline.Machine) { return ci.Host(p.Getenv) }
		}
		if source.TraceHost(address) != "" {
			var err error
			if o.Traces, err = s.servers(); err != nil {
				return source.Source{}, err
			}
		}
		return source.Open(address, o)
	}
}

// addressFaults are those of addresses, and of what is said of servers where one of
// them is a server.
func (s *settings) addressFaults(addresses ...string) (faults []error) {
	isServer := false
	for _, address := range addresses {
		faults = append(faults, source.Check(address), s.refusePlaintext(address))
		isServer = isServer || source.TraceHost(address) != ""
	}
	if isServer {
		faults = append(faults, s.connectionFaults()...)
	}
	return faults
}

// refusePlaintext refuses secrets that everybody on the way to a server could read.
func (s *settings) refusePlaintext(address string) error {
	host := source.PlaintextHost(address)
	if host == "" || s.allowPlaintext {
		return nil
	}
	for _, field := range []any{&s.token, &s.tokenFile, &s.password, &s.passwordFile} {
		if said := s.from[field]; said != "" {
			return usageError{
				masked("%s: it would travel in clear to %s", said, host),
				"with TLS the address begins with jaegers://, jaeger+https:// or tempo+https://; in a network that nobody else is in, --allow-plaintext-token sends it anyway",
			}
		}
	}
	for name := range s.header {
		if slices.Contains(secretHeaders, strings.ToLower(name)) {
			return usageError{masked("%s: the header %s would travel in clear to %s", s.from[&s.header], name, host), "with TLS the address begins with jaegers://, jaeger+https:// or tempo+https://; in a network that nobody else is in, --allow-plaintext-token sends it anyway"}
		}
	}
	return nil
}

// connectionFaults are what is wrong with what is said of servers, as far as it shows
// without reading files: they may be pipes, and what they hold is a secret.
func (s *settings) connectionFaults() (faults []error) {
	if (s.certFile == "") != (s.keyFile == "") {
		faults = append(faults, usagef("--cert-file and --key-file go together"))
	}
	token, password := s.token+s.tokenFile != "", s.password+s.passwordFile != ""
	switch {
	case token && (s.user != "" || password):
		faults = append(faults, usagef("a token and a login are given: give only one"))
	case !token && s.user != "" && !password:
		faults = append(faults, usageError{"--user is given without a password", "BUILDREGRESS_PASSWORD or --password-file holds it"})
	}
	return faults
}

// traces says how a server of traces is reached and what is asked of it.
func (s *settings) traces(env ci.Env) (o source.TracesOptions, err error) {
	o = source.TracesOptions{
		Tenant: s.tenant, User: s.user, Services: s.services, Tags: s.tags, AnyBranch: s.anyBranch,
		Connection: source.Connection{
			CAFile: s.caFile, CertFile: s.certFile, KeyFile: s.keyFile,
			ServerName: s.serverName, Insecure: s.insecure, Header: s.header.Clone(),
		},
	}
	o.Own, o.Newest = ci.OwnBuild(env)
	if o.Connection.Header == nil {
		o.Connection.Header = http.Header{}
	}
	authorization, err := s.authorization()
	if authorization != "" {
		o.Connection.Header.Set("Authorization", authorization)
	}
	return o, err
}

// authorization is what tells a server who asks, "" for nothing.
func (s *settings) authorization() (string, error) {
	token, err := s.secret(s.token, &s.tokenFile)
	if err != nil {
		return "", err
	}
	password, err := s.secret(s.password, &s.passwordFile)
	if err != nil {
		return "", err
	}
	switch {
	case token != "":
		return "Bearer " + token, nil
	case s.user != "" && password == "":
		return "", usageError{"--user is given without a password", "BUILDREGRESS_PASSWORD or --password-file holds it"}
	case password != "":
		login := base64.StdEncoding.EncodeToString([]byte(s.user + ":" + password))
		redact.Own(login)
		return "Basic " + login, nil
	}
	return "", nil
}

// secret is a secret from the environment, or what the file holds that a field names.
func (s *settings) secret(fromEnvironment string, file *string) (string, error) {
	if *file == "" {
		return strings.TrimSpace(fromEnvironment), nil
	}
	const most = 64 << 10
	info, err := os.Stat(*file)
	if err == nil && info.Size() > most {
		err = fmt.Errorf("larger than %d bytes", most)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", s.from[file], err)
	}
	data, err := os.ReadFile(*file)
	if err != nil {
		return "", fmt.Errorf("%s: %w", s.from[file], err)
	}
	value := strings.TrimSpace(string(data))
	redact.Own(value)
	return value, nil
}

// refuseSharedSecrets refuses secrets where a source and a baseline are two servers of
// traces: they are for one, and would go to both.
func (s *settings) refuseSharedSecrets(from, baseline string) error {
	a, b := source.TraceHost(from), source.TraceHost(baseline)
	if a == "" || b == "" || a == b {
		return nil
	}
	for _, field := range []any{&s.token, &s.tokenFile, &s.password, &s.passwordFile, &s.header, &s.certFile} {
		if said := s.from[field]; said != "" {
			return usageError{
				fmt.Sprintf("%s is given, and %s and %s are two servers: it would go to both", said, a, b),
				"buildregress record puts the builds of one of them into a store, which --baseline can name",
			}
		}
	}
	return nil
}
