// Package source opens what a SOURCE or a baseline names: one table says which
// schemes there are. It is the only place that knows them.
package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/redact"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/file"
	"github.com/buildregress/buildregress/fetch/pipeline"
	"github.com/buildregress/buildregress/fetch/store"
	"github.com/buildregress/buildregress/fetch/traces"
)

// A Source has builds to judge, and, if it is a server, those to judge them against as
// well.
type Source struct {
	fetch.Source
	Name    string              // as it is shown, without credentials
	History fetch.HistorySource // nil if it is no history by itself
	UI      traces.UI           // where people see its builds, "" if that is not known
	// Kept is the SOURCE of all builds that are kept, for a while, where those of this one
	// are: the records of a builder. It is "" where there is none.
	Kept string
	// Traced finds the record of a build that a trace tells of, which began about then, with
	// the builder that this names; nil for none. It is nil where this is no builder.
	Traced func(ctx context.Context, trace string, began time.Time) (*timeline.Build, error)
	// Large has the builds of Source as well, where they are too many to be read at once;
	// nil where they are not.
	Large *file.Large
	// Mixed is set where its builds may be of any image: nobody has chosen them.
	Mixed bool
}

// Options are all that any source is opened with.
type Options struct {
	Stdin io.Reader
	Now   func() time.Time
	// Sleep waits by that clock, or until ctx ends, which is its error.
	Sleep func(ctx context.Context, d time.Duration) error
	// Timeout is how long the whole command may take, 0 for as long as it takes.
	Timeout time.Duration
	// Lookback is how far back builds are searched.
	Lookback time.Duration
	// Pipeline replaces what the builds of a server say, if it is not "".
	Pipeline string
	// Pipelines say how traces of CI pipelines are read.
	Pipelines Pipelines
	Revision  string      // the commit that is checked out here, "" if that is not known
	Cache     fetch.Cache // keeps what was fetched; nil for none
	Traces    TracesOptions
	GitHub    GitHubOptions
	GitLab    GitLabOptions
	// Host tells what the machine is that we run on, nil where neither that nor the builder
	// is to be asked what can explain builds.
	Host func() (image string, machine timeline.Machine)
	// DockerHost is the address of Docker that is in force instead of its own, "" for none.
	DockerHost string

	// Debugf is told what is being done, Waiting what is being waited for ("" for
	// nothing more), Missing once of what is not there yet, and for how long it is waited
	// for, and Progress that so many things are to be read: it returns what
	// is to be called after each of them, by several at a time, and at the end.
	Debugf   func(format string, args ...any)
	Waiting  func(text string)
	Missing  func(text string)
	Progress func(what string, n int) (read, done func())
}

// An AddressError tells that an address cannot be one of a source.
type AddressError struct {
	Problem string
	Advice  string // what to write instead, may be ""
}

func (e *AddressError) Error() string { return e.Problem }

// Hint says what to write instead.
func (e *AddressError) Hint() string { return e.Advice }

// A Scheme is a kind of source that is asked for builds.
type Scheme struct {
	Prefix string // of the address, with what ends it: "buildx:", "jaeger://"
	// Form is how an address is written, and Help what it names, in a few words; ""
	// where another scheme's help tells of it.
	Form, Help string
	Section    Section // of the help on servers
	open       func(o *Options, address string) (Source, error)
	check      func(address string) error // nil where only opening it tells
	// isTraceServer is set where TracesOptions, and the secrets in them, go to the
	// host in the address.
	isTraceServer bool
}

// A Section is a part of the help on servers.
type Section int

const (
	NoServer Section = iota // the help on the command tells of it
	GitHubServers
	GitLabServers
	TraceServers
)

// Schemes are those that are known.
func Schemes() []Scheme {
	return []Scheme{
		{Prefix: "buildx:", Form: "buildx:[BUILDER/][REF]", Help: "a build record of the local builder, or all: buildx:*", open: openBuildx},
		{Prefix: "github://", Form: "github://OWNER/NAME", Help: "build records among the artifacts of runs", Section: GitHubServers, open: openGitHub, check: checkGitHub},
		{Prefix: "github-steps://", Form: "github-steps://OWNER/NAME", Help: "times of jobs and their steps, in seconds", Section: GitHubServers, open: openGitHubSteps, check: checkGitHub},
		{Prefix: "gitlab://", Form: "gitlab://GROUP/PROJECT", Help: "times of the jobs of pipelines", Section: GitLabServers, open: openGitLab, check: checkGitLab},
		{Prefix: "jaeger://", Form: "jaeger://HOST[:16685]", Help: "Jaeger's gRPC; jaegers:// with TLS", Section: TraceServers, open: openJaeger, check: checkServer, isTraceServer: true},
		{Prefix: "jaegers://", open: openJaeger, check: checkServer, isTraceServer: true},
		{Prefix: "jaeger+http://", Form: "jaeger+http://HOST[:16686][/PATH]", Help: "Jaeger's HTTP; jaeger+https:// with TLS", Section: TraceServers, open: openJaegerHTTP, check: checkServer, isTraceServer: true},
		{Prefix: "jaeger+https://", open: openJaegerHTTP, check: checkServer, isTraceServer: true},
		{Prefix: "tempo+http://", Form: "tempo+http://HOST[:3200][/PATH]", Help: "Grafana Tempo; tempo+https:// with TLS", Section: TraceServers, open: openTempo, check: checkServer, isTraceServer: true},
		{Prefix: "tempo+https://", open: openTempo, check: checkServer, isTraceServer: true},
	}
}

// DefaultStore is the store that is used if no other is named.
const DefaultStore = store.Default

// IsStore tells whether an address is one of a store, which keeps builds and is no
// source of builds to judge.
func IsStore(address string) bool { return store.Is(address) }

// CheckStore tells what is wrong with an address of a store, as far as reading it tells.
func CheckStore(address string) error { return store.Check(address) }

// StorePath is the file that a store is kept in, "" for none.
func StorePath(address string) string { return store.PathOf(address) }

// schemeOf is the scheme of an address, nil for a path or a scheme that is not known.
func schemeOf(address string) *Scheme {
	for _, known := range Schemes() {
		if strings.HasPrefix(address, known.Prefix) {
			return &known
		}
	}
	return nil
}

// Check tells what is wrong with an address as far as reading it tells: an
// *AddressError, or nil.
func Check(address string) error {
	known := schemeOf(address)
	if known != nil && known.check != nil {
		return known.check(address)
	}
	if known != nil {
		return nil
	}
	if store.Is(address) {
		return &AddressError{store.Name(address) + " is a store, not builds to read", "give it with --store or --baseline"}
	}
	if advice := adviceOnPage(address); advice != "" {
		return &AddressError{redact.Text(address) + " is a page, not a source", advice}
	}
	if scheme, rest, isURL := strings.Cut(address, "://"); isURL {
		advice := "give a file, a folder, github://OWNER/NAME, or - for standard input"
		for _, known := range Schemes() {
			if known.Prefix == scheme+"+http://" {
				advice = "its address is " + known.Prefix + redact.Text(rest)
			}
		}
		return &AddressError{fmt.Sprintf("%s: no source is known as %s://", redact.Text(address), redact.Text(scheme)), advice}
	}
	return nil
}

// adviceOnPage says what to give instead of the address of a page that people have open:
// Jaeger's, Tempo's or GitHub's. "" for what is none.
func adviceOnPage(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return ""
	}
	if owner, name, ok := strings.Cut(strings.Trim(u.Path, "/"), "/"); ok && u.Hostname() == "github.com" {
		name, rest, _ := strings.Cut(name, "/")
		if run, isRun := strings.CutPrefix(rest, "actions/runs/"); isRun {
			run, _, _ = strings.Cut(run, "/")
			return "github://" + owner + "/" + name + " with --run-id " + run
		}
		return "github://" + owner + "/" + name
	}
	base, named, _ := pageOf(u)
	if u.Port() == "3200" {
		return "tempo+" + u.Scheme + "://" + u.Host + base + named
	}
	return "Jaeger's address is jaeger+" + u.Scheme + "://" + u.Host + base + named + "; Tempo's begins with tempo+" + u.Scheme + "://"
}

// Open opens what an address names: a server, a local builder, files at a path, or
// standard input ("-"). What it uses stays open until the process ends. A wrong
// address is an *AddressError.
func Open(address string, o Options) (Source, error) {
	if err := Check(address); err != nil {
		return Source{}, err
	}
	if known := schemeOf(address); known != nil {
		return known.open(&o, address)
	}
	return Source{Source: files{address, file.Options{Stdin: o.Stdin, Pipelines: o.Pipelines}}, Name: address, Large: file.OpenLarge(address)}, nil
}

// TraceHost is the host that TracesOptions go to for an address, "" if they go
// nowhere.
func TraceHost(address string) string {
	if known := schemeOf(address); known == nil || !known.isTraceServer {
		return ""
	}
	u, err := serverURL(address)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// Pipelines say how traces of CI pipelines are read.
type Pipelines = pipeline.Options

// PlaintextHost is the host that TracesOptions go to in clear for an address, "" if they
// are encrypted, stay on this machine, or go nowhere.
func PlaintextHost(address string) string {
	host := TraceHost(address)
	scheme, _, _ := strings.Cut(address, "://")
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() || scheme == "jaegers" || strings.HasSuffix(scheme, "+https") {
		return ""
	}
	return host
}

// files are those at a path.
type files struct {
	path    string
	options file.Options
}

// Builds reads the builds at the path. All of them are wanted: who asks for one
// names it by what the CI system and the checkout add as well.
func (f files) Builds(ctx context.Context, _ fetch.Selector) ([]timeline.Build, []error, error) {
	builds, problems, err := file.Open(ctx, f.path, f.options)
	if errors.Is(err, fs.ErrNotExist) && hostLike.MatchString(f.path) {
		err = &hostError{err, adviceOnPage("http://" + f.path)}
	}
	return builds, problems, err
}

// hostLike are paths that look like the address of a server, written without its scheme.
var hostLike = regexp.MustCompile(`^(?:github\.com/[\w.-]+/|[A-Za-z0-9][A-Za-z0-9.-]*:\d{2,5}(?:/|$))`)

// A hostError is the error on a file that is not there, and perhaps was not meant.
type hostError struct {
	error
	advice string
}

func (e *hostError) Unwrap() error { return e.error }

// Hint says what was perhaps meant.
func (e *hostError) Hint() string { return e.advice }
