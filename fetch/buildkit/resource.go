package buildkit

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/attribute"
)

// apply fills in what the resource attributes of OpenTelemetry's conventions
// for CI/CD and version control say, see
// https://opentelemetry.io/docs/specs/semconv/registry/attributes/.
func apply(b *timeline.Build, attributes map[string]string) {
	set := func(field *string, values ...string) {
		for _, v := range values {
			if *field == "" {
				*field = fetch.Clean(v, MaxName)
			}
		}
	}
	set(&b.Pipeline, attributes["cicd.pipeline.name"])
	set(&b.Branch, branch(attributes))
	set(&b.Revision, attributes["vcs.ref.head.revision"])
	set(&b.Repository, Repository(attributes["vcs.repository.url.full"]), attributes["vcs.repository.name"])
	set(&b.URL, attributes["cicd.pipeline.run.url.full"])
	set(&b.PullRequest, attributes["vcs.change.id"])
}

func branch(attributes map[string]string) string {
	if kind := attributes["vcs.ref.head.type"]; kind == "tag" {
		return ""
	}
	return strings.TrimPrefix(attributes["vcs.ref.head.name"], "refs/heads/")
}

// Repository writes the address of a repository without credentials, and in one
// way: "git@host:owner/name.git" is "https://host/owner/name" too.
func Repository(address string) string {
	address = strings.TrimSpace(address)
	if !strings.Contains(address, "://") {
		host, path, found := strings.Cut(address, ":")
		if !found || strings.Contains(host, "/") {
			return strings.TrimSuffix(address, ".git")
		}
		_, after, found := strings.Cut(host, "@")
		if found {
			host = after
		}
		address = "ssh://" + host + "/" + path
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return ""
	}
	host := u.Host
	if u.Scheme == "ssh" || u.Scheme == "git" {
		host = u.Hostname()
		u.Scheme = "https"
	}
	return u.Scheme + "://" + host + strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), ".git")
}

// usedAttributes are the resource attributes that apply uses.
var usedAttributes = []string{
	"cicd.pipeline.name", "cicd.pipeline.run.url.full",
	"vcs.ref.head.name", "vcs.ref.head.type", "vcs.ref.head.revision",
	"vcs.repository.url.full", "vcs.repository.name", "vcs.change.id",
}

// IsUsed tells whether a resource attribute matters for builds. Decoders drop
// all others: a resource of a million would be looked through for each span.
func IsUsed(attribute string) bool { return slices.Contains(usedAttributes, attribute) }

// ServiceName is the attribute that says which program a resource is.
const ServiceName = "service.name"

// An AttributeSet names attributes that are kept beside those that are used.
type AttributeSet map[string]bool

// A Resource is what made some spans, a process, as far as it matters for builds.
// Decoders fill in what it wants, and then give it to the spans.
type Resource struct {
	Extra      AttributeSet
	attributes map[string]string
	service    string
	tags       map[string]string
	shared     attribute.Values
}

// Wants tells whether an attribute matters.
func (r *Resource) Wants(key string) bool {
	return key == ServiceName || r.Extra[key] || IsUsed(key) || attribute.IsKept(key)
}

// Set takes in an attribute that r wants.
func (r *Resource) Set(key, value string) {
	if key == ServiceName {
		r.service = value
	}
	r.shared.Keep(key, value)
	if r.Extra[key] {
		if r.tags == nil {
			r.tags = map[string]string{}
		}
		r.tags[key] = value
	}
	if IsUsed(key) {
		if r.attributes == nil {
			r.attributes = map[string]string{}
		}
		r.attributes[key] = value
	}
}

// Attach says that r made s. What was kept of r is shared by all of its spans.
func (r *Resource) Attach(s *Span) {
	s.Resource, s.Service, s.Shared = r.attributes, r.service, r.shared
	if s.Tags == nil {
		s.Tags = r.tags
		return
	}
	for key, value := range r.tags {
		if _, own := s.Tags[key]; !own {
			s.Tags[key] = value
		}
	}
}

// Tag keeps an attribute of the span itself, which goes before the resource's.
func (s *Span) Tag(key, value string) {
	s.Tags = maps.Clone(s.Tags)
	if s.Tags == nil {
		s.Tags = map[string]string{}
	}
	s.Tags[key] = value
}

// hasUsed tells whether attributes hold any that apply uses.
func hasUsed(attributes map[string]string) bool {
	for _, key := range usedAttributes {
		if attributes[key] != "" {
			return true
		}
	}
	return false
}
