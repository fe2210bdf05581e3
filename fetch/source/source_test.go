package source

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/fetch/github"
)

func options() Options {
	return Options{
		Now:     func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) },
		Debugf:  func(string, ...any) {},
		Waiting: func(string) {},
		GitHub: GitHubOptions{Connect: func() (*GitHub, error) {
			return NewGitHub("", "", "nobody", func() time.Time { return time.Time{} })
		}},
	}
}

// An address is one of a source, or the error says what is wrong with it, and what to
// write.
func TestOpen(t *testing.T) {
	for _, test := range []struct {
		address, name, ui string
		isHistory         bool
		problem, hint     string
	}{
		{address: "records", name: "records"},
		{address: "-", name: "-"},
		{address: "C:/records", name: "C:/records"},
		{address: "buildx:", name: "buildx:"},
		{address: "buildx:ci/8p2m4k0zq1x7v5n3b6c9d2f4g", name: "buildx:ci/8p2m4k0zq1x7v5n3b6c9d2f4g"},
		{address: "buildx:a b", problem: "buildx: ", hint: "buildx:[BUILDER/][REF]"},
		{address: "github://o/r", name: "github://o/r", isHistory: true},
		{address: "github-steps://o/r/", name: "github-steps://o/r/", isHistory: true},
		{address: "github://o", problem: "github://o names no repository", hint: "github://OWNER/NAME"},
		{address: "github-steps://o/..", problem: "names no repository", hint: "github-steps://OWNER/NAME"},
		{address: "gitlab://g/sub/p", name: "gitlab://g/sub/p", isHistory: true},
		{address: "gitlab://g/../p", problem: "names no project", hint: "gitlab://GROUP/PROJECT"},
		{address: "gitlab://g/p/-/jobs/1", problem: "names no project", hint: "gitlab://g/p; --run-id"},
		{address: "jaeger://h", name: "jaeger://h:16685", ui: "http://h:16686", isHistory: true},
		{address: "jaegers://h:443/", name: "jaegers://h:443", isHistory: true},
		{address: "jaeger://h/ui", problem: "gRPC knows no path", hint: "jaeger+http://HOST:PORT/PATH"},
		{address: "jaeger+http://h", name: "jaeger+http://h:16686", ui: "http://h:16686", isHistory: true},
		{address: "jaeger+https://h/base/", name: "jaeger+https://h/base", ui: "https://h/base", isHistory: true},
		{address: "tempo+http://h/tempo", name: "tempo+http://h:3200/tempo", isHistory: true},
		{address: "tempo+https://u:p@h", problem: "a login is no part of the address", hint: "--user"},
		{address: "tempo+https://h?x=y", problem: "without query and fragment"},
		{address: "jaeger://", problem: "no address of a server"},
		{address: "sqlite:x.db", problem: "is a store", hint: "--store or --baseline"},
		{address: "nowhere://h", problem: "no source is known as nowhere://", hint: "github://OWNER/NAME"},
	} {
		s, err := Open(test.address, options())
		if test.problem != "" {
			var wrong *AddressError
			if !errors.As(err, &wrong) || !strings.Contains(wrong.Error(), test.problem) || !strings.Contains(wrong.Hint(), test.hint) || strings.Contains(wrong.Error(), "u:p") {
				t.Errorf("%s: %v, want %q", test.address, err, test.problem)
			}
			continue
		}
		if err != nil || s.Name != test.name || (s.History != nil) != test.isHistory || string(s.UI) != test.ui {
			t.Errorf("%s: %+v, %v", test.address, s, err)
		}
	}
}

// Whoever gives secrets for servers of traces is told which host they go to.
func TestTraceHost(t *testing.T) {
	for address, want := range map[string]string{
		"jaeger://a:1": "a", "jaegers://a": "a", "jaeger+https://a/b": "a", "tempo+http://[::1]:3200": "::1",
		"github://a/b": "", "buildx:": "", "a": "", "-": "", "sqlite:a": "", "https://a": "",
	} {
		if got := TraceHost(address); got != want {
			t.Errorf("TraceHost(%q) = %q, want %q", address, got, want)
		}
	}
}

// Each scheme opens by itself, and says in the help what it is, or is another's.
func TestSchemes(t *testing.T) {
	for i, s := range Schemes() {
		for _, other := range Schemes()[:i] {
			if strings.HasPrefix(s.Prefix, other.Prefix) {
				t.Errorf("%s is never reached: %s comes before it", s.Prefix, other.Prefix)
			}
		}
		if (s.Form == "") != (s.Help == "") || s.open == nil || (s.Section == NoServer) != (s.Form == "" || s.Prefix == LocalBuilder) {
			t.Errorf("%s: form %q, help %q", s.Prefix, s.Form, s.Help)
		}
	}
}

// The tenant goes to each kind of server in the header that it reads, and into no
// options but a copy.
func TestTenant(t *testing.T) {
	o := options()
	o.Traces.Tenant, o.Traces.Connection.Header = "blue", http.Header{"X-Other": {"y"}}
	for header := range map[string]bool{jaegerTenant: true, tempoTenant: true} {
		c := o.connection(header)
		if c.Header.Get(header) != "blue" || c.Header.Get("X-Other") != "y" || o.Traces.Connection.Header.Get(header) != "" {
			t.Errorf("%s: %v of %v", header, c.Header, o.Traces.Connection.Header)
		}
	}
}

func TestNewGitHub(t *testing.T) {
	now := func() time.Time { return time.Time{} }
	for _, address := range []string{"ftp://h", "h", "https://u:p@h", "https://h?x", "https://h\x00"} {
		if _, err := NewGitHub(address, "", "T", now); !errors.As(err, new(*AddressError)) || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%q: %v", address, err)
		}
	}
	if _, err := NewGitHub("", "two\nlines", "TOKEN", now); !errors.As(err, new(*AddressError)) || strings.Contains(err.Error(), "two") {
		t.Errorf("token: %v", err)
	}
	hub, err := NewGitHub("", "t", "TOKEN", now)
	if err != nil || hub.Client.BaseURL.String() != github.PublicAPI+"/" {
		t.Errorf("%v, %v", hub, err)
	}
}
