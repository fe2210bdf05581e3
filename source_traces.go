package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/httpclient"
	"github.com/buildregress/buildregress/fetch/jaeger"
	"github.com/buildregress/buildregress/fetch/tempo"
	"github.com/buildregress/buildregress/fetch/traces"
)

// tracesOptions are those of the servers of traces.
var tracesOptions = []option{
	{name: "trace-id"},
	{name: "run-id"},
	{name: "service", many: true},
	{name: "tag", many: true},
	{name: "ui-url"},
	{name: "ca-file"},
	{name: "cert-file"},
	{name: "key-file"},
	{name: "server-name"},
	{name: "insecure", toggle: true},
	{name: "header", many: true},
	{name: "tenant"},
	{name: "user"},
	{name: "password", secret: true},
	{name: "password-file"},
	{name: "token", secret: true},
	{name: "token-file"},
}

// openJaeger opens jaeger://HOST[:PORT], or jaegers:// with TLS.
func openJaeger(_ context.Context, w *world, s settings, address string, shelf fetch.Cache) (origin, error) {
	u, err := serverURL(address)
	if err != nil {
		return origin{}, err
	}
	if u.Path != "" && u.Path != "/" {
		return origin{}, usageError{address + ": gRPC knows no path", "write it jaeger://HOST:PORT, or give the address of its HTTP API as jaeger+http://HOST:PORT/PATH"}
	}
	if u.Port() == "" {
		u.Host += ":16685"
	}
	name := u.Scheme + "://" + u.Host
	o, d, err := planTraces(w, s, name, "X-Tenant", shelf)
	if err != nil {
		return origin{}, err
	}
	server, err := jaeger.NewGRPC(u.Host, u.Scheme == "jaegers", d, traces.Kept(o.Tags))
	if err != nil {
		return origin{}, fmt.Errorf("%s: %w", name, err)
	}
	from := traces.New(server, o)
	ui := ""
	if u.Port() == "16685" && u.Scheme == "jaeger" {
		ui = "http://" + u.Hostname() + ":16686"
	}
	return origin{Source: from, name: name, past: from, ui: traces.UI(ui)}, nil
}

// openJaegerHTTP opens jaeger+http://HOST[:PORT][/PATH], or jaeger+https://.
func openJaegerHTTP(_ context.Context, w *world, s settings, address string, shelf fetch.Cache) (origin, error) {
	name, base, err := httpURL(address, "16686")
	if err != nil {
		return origin{}, err
	}
	o, d, err := planTraces(w, s, name, "X-Tenant", shelf)
	if err != nil {
		return origin{}, err
	}
	server, err := jaeger.NewHTTP(name, base, d, traces.Kept(o.Tags))
	if err != nil {
		return origin{}, fmt.Errorf("%s: %w", name, err)
	}
	from := traces.New(server, o)
	return origin{Source: from, name: name, past: from, ui: traces.UI(base.String())}, nil
}

// openTempo opens tempo+http://HOST[:PORT][/PATH], or tempo+https://.
func openTempo(_ context.Context, w *world, s settings, address string, shelf fetch.Cache) (origin, error) {
	name, base, err := httpURL(address, "3200")
	if err != nil {
		return origin{}, err
	}
	o, d, err := planTraces(w, s, name, "X-Scope-OrgID", shelf)
	if err != nil {
		return origin{}, err
	}
	server, err := tempo.New(name, base, d, traces.Kept(o.Tags))
	if err != nil {
		return origin{}, fmt.Errorf("%s: %w", name, err)
	}
	from := traces.New(server, o)
	return origin{Source: from, name: name, past: from}, nil
}

// httpURL reads the URL of a server that is asked over HTTP. port is the one that
// it has if none is given and no TLS is spoken.
func httpURL(address, port string) (name string, base *url.URL, err error) {
	u, err := serverURL(address)
	if err != nil {
		return "", nil, err
	}
	_, u.Scheme, _ = strings.Cut(u.Scheme, "+")
	if u.Port() == "" && u.Scheme == "http" {
		u.Host += ":" + port
	}
	u.Path = strings.TrimRight(u.Path, "/")
	kind, _, _ := strings.Cut(address, "+")
	return kind + "+" + u.String(), u, nil
}

// serverURL reads the URL of a server. Secrets do not stand in it: it is shown.
func serverURL(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return nil, usagef("%s: no address of a server", printable(address))
	}
	if u.User != nil {
		u.User = nil
		return nil, usageError{u.String() + ": a login is no part of the address, which is shown to people", "--user names the user, and BUILDREGRESS_PASSWORD or --password-file holds the password"}
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return nil, usagef("%s: an address without query and fragment is wanted", printable(address))
	}
	return u, nil
}

// planTraces reads what the settings say about a server of traces.
func planTraces(w *world, s settings, name, tenantHeader string, shelf fetch.Cache) (o traces.Options, d httpclient.Options, err error) {
	if d, err = planDial(s, tenantHeader); err != nil {
		return o, d, err
	}
	o = traces.Options{
		Name: name, Services: s["service"].values, Pipeline: s.text("pipeline"),
		Normalize: inFull, Now: w.clock(), Waiting: func(text string) {
			if text != "" {
				w.debug("%s", text)
			}
		},
	}
	if w.errTerminal && !w.verbose {
		// The cursor goes back: whatever comes next is written over it.
		o.Waiting = func(text string) { fmt.Fprintf(w.stderr, "\r%.75s\x1b[K\r", printable(text)) }
	}
	for _, tag := range s["tag"].values {
		key, value, ok := strings.Cut(tag, "=")
		if !ok || key == "" || value == "" {
			return o, d, usagef("%s: %q is not KEY=VALUE", s["tag"].from, tag)
		}
		if o.Tags == nil {
			o.Tags = map[string]string{}
		}
		o.Tags[key] = value
	}
	// Of a shared server, a login may be all that tells whose builds it shows.
	o.Tenant = strings.Join(slices.Concat(d.Header.Values(tenantHeader), s["user"].values), " ")
	if o.Lookback, err = s.duration("lookback"); err != nil {
		return o, d, err
	}
	o.Cache, _ = shelf.(fetch.SearchCache)
	o.Own, o.Newest = ownBuild(w.env)
	return o, d, nil
}

// ownBuild says what names the build that was made beside this process, the best
// first, and whether it may be the newest if nothing does: not where a CI system
// runs many.
func ownBuild(e env) (wants []fetch.Selector, newest bool) {
	if id := traceParent(e("TRACEPARENT")); id != "" {
		wants = append(wants, fetch.Selector{TraceID: id})
	}
	said := resourceAttributes(e("OTEL_RESOURCE_ATTRIBUTES"))
	ci := ciIdentity(e)
	if id := said["cicd.pipeline.run.id"]; id != "" { // which the build says, too
		return append(wants, fetch.Selector{RunID: id, Revision: said["vcs.ref.head.revision"]}), false
	}
	for _, id := range runIDs(e) {
		wants = append(wants, fetch.Selector{RunID: id, Revision: ci.revision})
	}
	for _, revision := range unique([]string{said["vcs.ref.head.revision"], ci.revision}) {
		if revision != "" {
			wants = append(wants, fetch.Selector{Revision: revision})
		}
	}
	return wants, !inCI(e)
}

var traceParents = regexp.MustCompile(`^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}`)

// traceParent is the trace id in a TRACEPARENT, "" if there is none, see
// https://www.w3.org/TR/trace-context/.
func traceParent(text string) string {
	m := traceParents.FindStringSubmatch(strings.ToLower(strings.TrimSpace(text)))
	if m == nil || strings.Trim(m[1], "0") == "" {
		return ""
	}
	return m[1]
}

// resourceAttributes reads OTEL_RESOURCE_ATTRIBUTES, see
// https://opentelemetry.io/docs/specs/otel/resource/sdk/.
func resourceAttributes(text string) map[string]string {
	said := map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			continue
		}
		if plain, err := url.PathUnescape(strings.TrimSpace(value)); err == nil {
			said[strings.TrimSpace(key)] = plain
		}
	}
	return said
}

// planDial reads what the settings say about connections.
func planDial(s settings, tenantHeader string) (d httpclient.Options, err error) {
	d = httpclient.Options{
		CAFile: s.text("ca-file"), CertFile: s.text("cert-file"), KeyFile: s.text("key-file"),
		ServerName: s.text("server-name"), Header: http.Header{},
	}
	if (d.CertFile == "") != (d.KeyFile == "") {
		return d, usagef("--cert-file and --key-file go together")
	}
	if d.Insecure, err = s.on("insecure"); err != nil {
		return d, err
	}
	said := s["header"]
	for _, line := range said.values {
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || name == "" || strings.ContainsAny(name, " \t=") {
			return d, usagef("%s: headers are written NAME: VALUE", said.from)
		}
		if strings.HasPrefix(said.from, "--") && slices.Contains(secretHeaders, strings.ToLower(name)) {
			return d, usageError{fmt.Sprintf("--header: %s is a secret, and flags are seen by others", name), "set BUILDREGRESS_HEADER, or BUILDREGRESS_TOKEN for a bearer token"}
		}
		d.Header.Add(name, value)
	}
	if tenant := s.text("tenant"); tenant != "" {
		d.Header.Set(tenantHeader, tenant)
	}
	token, err := secretOf(s, "token")
	if err != nil {
		return d, err
	}
	password, err := secretOf(s, "password")
	if err != nil {
		return d, err
	}
	user := s.text("user")
	switch {
	case token != "" && (user != "" || password != ""):
		return d, usagef("a token and a login are given: one of them is too much")
	case token != "":
		d.Header.Set("Authorization", "Bearer "+token)
	case user != "" && password == "":
		return d, usageError{"--user is given without a password", "BUILDREGRESS_PASSWORD or --password-file holds it"}
	case password != "":
		d.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
	}
	return d, nil
}

// forOne refuses secrets where SOURCE and baseline are two servers of traces: they
// are for one, and would go to both.
func forOne(s settings, source, baseline string) error {
	a, b := hostOfTraces(source), hostOfTraces(baseline)
	if a == "" || b == "" || a == b {
		return nil
	}
	for _, o := range []string{"token", "token-file", "password", "password-file", "header", "cert-file"} {
		if said, ok := s[o]; ok {
			return usageError{
				fmt.Sprintf("%s is given, and %s and %s are two servers: it would go to both", said.from, a, b),
				"buildregress record puts the builds of one of them into a store, which --baseline can name",
			}
		}
	}
	return nil
}

// hostOfTraces is the host of a server of traces, "" if the address is of none.
func hostOfTraces(address string) string {
	scheme, _, _ := strings.Cut(address, "://")
	kind, _, _ := strings.Cut(scheme, "+")
	u, err := url.Parse(address)
	if err != nil || !slices.Contains([]string{"jaeger", "jaegers", "tempo"}, kind) {
		return ""
	}
	return u.Hostname()
}

// secretHeaders are those that no flag may set.
var secretHeaders = []string{"authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-auth-token"}

// secretOf is a secret from the environment, or from the file that is named.
func secretOf(s settings, option string) (string, error) {
	path := s.text(option + "-file")
	if path == "" {
		return strings.TrimSpace(s.text(option)), nil
	}
	const most = 64 << 10
	info, err := os.Stat(path)
	if err == nil && info.Size() > most {
		err = fmt.Errorf("larger than %d bytes", most)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", s[option+"-file"].from, err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", s[option+"-file"].from, err)
	}
	return strings.TrimSpace(string(data)), nil
}

// clock is the time as it goes on from w.now.
func (w *world) clock() func() time.Time {
	began := time.Now()
	return func() time.Time { return w.now.Add(time.Since(began)) }
}

// linked links the findings on b to its trace, and to the comparison with a
// typical build of its baseline.
func linked(r *detect.Result, b *detect.Build, h *detect.History, ui traces.UI) {
	if ui == "" || b.Trace == "" {
		return
	}
	compare := ui.Compare(traces.Typical(h.Base), b.Trace)
	ids := map[string]string{}
	for i := range b.Steps {
		ids[b.Steps[i].Key] = b.Steps[i].ID
	}
	for i := range r.Steps {
		step := &r.Steps[i]
		switch step.Status {
		case detect.StatusSlower, detect.StatusSuspect, detect.StatusFaster, detect.StatusOverBudget, detect.StatusCacheLost:
			step.Links.Trace, step.Links.Compare = ui.Trace(b.Trace, ids[step.Key]), compare
		}
	}
}
