package source

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect/redact"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/httpclient"
	"github.com/buildregress/buildregress/fetch/jaeger"
	"github.com/buildregress/buildregress/fetch/tempo"
	"github.com/buildregress/buildregress/fetch/traces"
)

// A Connection says how a server is reached.
type Connection = httpclient.Options

// TracesOptions say how a server of traces is reached and what is asked of it.
type TracesOptions struct {
	Connection Connection        // its headers hold secrets, which go to one server
	Tenant     string            // whose builds a shared server shows
	User       string            // who asks; of a shared server it may be all that tells whose builds it shows
	Services   []string          // whose spans say what a build says of itself; nil for the usual ones
	Tags       map[string]string // attributes that builds must have
	AnyBranch  bool              // builds that say no branch may be the baseline, where none says one
	// Own are what names the build that was made beside this process, the best first,
	// and Newest whether it may be the newest if nothing does.
	Own    []fetch.Selector
	Newest bool
}

// Headers that name the tenant.
const (
	jaegerTenant = "X-Tenant"
	tempoTenant  = "X-Scope-OrgID"
)

// openJaeger opens jaeger://HOST[:PORT], or jaegers:// with TLS.
func openJaeger(o *Options, address string) (Source, error) {
	u, err := serverURL(address)
	if err != nil {
		return Source{}, err
	}
	if u.Port() == "" {
		u.Host += ":16685"
	}
	name := u.Scheme + "://" + u.Host
	server, err := jaeger.NewGRPC(u.Host, u.Scheme == "jaegers", o.connection(jaegerTenant), traces.FilterAttributes(o.Traces.Tags))
	if err != nil {
		return Source{}, fmt.Errorf("%s: %w", name, err)
	}
	var ui traces.UI
	if u.Port() == "16685" && u.Scheme == "jaeger" {
		ui = traces.UI("http://" + u.Hostname() + ":16686")
	}
	return o.traceServer(server, name, jaegerTenant, ui), nil
}

// openJaegerHTTP opens jaeger+http://HOST[:PORT][/PATH], or jaeger+https://.
func openJaegerHTTP(o *Options, address string) (Source, error) {
	name, base, err := httpURL(address, "16686")
	if err != nil {
		return Source{}, err
	}
	server, err := jaeger.NewHTTP(name, base, o.connection(jaegerTenant), traces.FilterAttributes(o.Traces.Tags))
	if err != nil {
		return Source{}, fmt.Errorf("%s: %w", name, err)
	}
	return o.traceServer(server, name, jaegerTenant, traces.UI(base.String())), nil
}

// openTempo opens tempo+http://HOST[:PORT][/PATH], or tempo+https://.
func openTempo(o *Options, address string) (Source, error) {
	name, base, err := httpURL(address, "3200")
	if err != nil {
		return Source{}, err
	}
	server, err := tempo.New(name, base, o.connection(tempoTenant), traces.FilterAttributes(o.Traces.Tags))
	if err != nil {
		return Source{}, fmt.Errorf("%s: %w", name, err)
	}
	return o.traceServer(server, name, tempoTenant, ""), nil
}

// connection says how a server is reached that takes the tenant from a header.
func (o *Options) connection(tenantHeader string) Connection {
	c := o.Traces.Connection
	if o.Traces.Tenant != "" {
		c.Header = c.Header.Clone()
		if c.Header == nil {
			c.Header = http.Header{}
		}
		c.Header.Set(tenantHeader, o.Traces.Tenant)
	}
	return c
}

// traceServer makes a source of a server.
func (o *Options) traceServer(server traces.Server, name, tenantHeader string, ui traces.UI) Source {
	tenant := o.connection(tenantHeader).Header.Values(tenantHeader)
	if o.Traces.User != "" {
		tenant = append(slices.Clone(tenant), o.Traces.User)
	}
	searches, _ := o.Cache.(fetch.SearchCache)
	from := traces.New(server, traces.Options{
		Name: name, Tenant: strings.Join(tenant, " "), Services: o.Traces.Services, Tags: o.Traces.Tags, AnyBranch: o.Traces.AnyBranch,
		Own: o.Traces.Own, Newest: o.Traces.Newest, Lookback: o.Lookback, Pipeline: o.Pipeline, Pipelines: o.Pipelines,
		Normalize: fetch.Normalize, Cache: searches, Now: o.Now, Sleep: o.Sleep, Waiting: o.Waiting, Missing: o.Missing,
	})
	return Source{Source: from, Name: name, History: from, UI: ui}
}

// httpURL reads the URL of a server that is asked over HTTP. port is the one that it
// has if none is given and no TLS is spoken.
func httpURL(address, port string) (name string, base *url.URL, err error) {
	u, err := serverURL(address)
	if err != nil {
		return "", nil, err
	}
	kind, scheme, _ := strings.Cut(u.Scheme, "+")
	u.Scheme = scheme
	if u.Port() == "" && u.Scheme == "http" {
		u.Host += ":" + port
	}
	u.Path = strings.TrimRight(u.Path, "/")
	return kind + "+" + u.String(), u, nil
}

func checkServer(address string) error {
	_, err := serverURL(address)
	return err
}

// serverURL reads the URL of a server. Secrets do not stand in it: it is shown.
func serverURL(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return nil, &AddressError{Problem: redact.Text(address) + ": no address of a server"}
	}
	if u.User != nil {
		u.User = nil
		return nil, &AddressError{u.String() + ": a login is no part of the address, which is shown to people", "--user names the user, and BUILDREGRESS_PASSWORD or --password-file holds the password"}
	}
	if base, named, isPage := pageOf(u); isPage && strings.Contains(u.Scheme, "+") {
		return nil, &AddressError{redact.Text(address) + " is a page of the server", redact.Text("its address is " + u.Scheme + "://" + u.Host + base + named)}
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return nil, &AddressError{Problem: redact.Text(address) + ": an address without query and fragment is wanted"}
	}
	if isGRPC := !strings.Contains(u.Scheme, "+"); isGRPC && strings.Trim(u.Path, "/") != "" {
		return nil, &AddressError{address + ": gRPC knows no path", "write it jaeger://HOST:PORT, or give the address of its HTTP API as jaeger+http://HOST:PORT/PATH"}
	}
	return u, nil
}

// page is what follows the path of a server in the address of one of its pages, or of a
// request to it, with the id of a trace.
var page = regexp.MustCompile(`/(?:trace|search|compare|dependencies|monitor|explore|api/(?:(?:v[23]/)?traces|v[23]/search|search|services))(?:/([0-9a-fA-F]{1,32}))?(?:/.*)?$`)

// pageOf takes the address of a page apart: the path of the server, without a slash at its
// end, and the flag that names the trace that is shown, "" for none.
func pageOf(u *url.URL) (base, named string, isPage bool) {
	at := page.FindStringSubmatchIndex(u.Path)
	if at == nil {
		return strings.TrimSuffix(u.Path, "/"), "", false
	}
	if at[2] >= 0 {
		named = " with --trace-id " + u.Path[at[2]:at[3]]
	}
	return strings.TrimSuffix(u.Path[:at[0]], "/"), named, true
}
