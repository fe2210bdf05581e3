package fetch

import (
	"net/url"
	"strings"

	"github.com/buildregress/buildregress/detect/redact"
	"github.com/buildregress/buildregress/detect/timeline"
)

// Normalize writes what b says of its pipeline and origin as it is shown, stored and
// compared: addresses as names, credentials cut out. Doing it twice changes nothing.
func Normalize(b *timeline.Build) {
	b.Repository = RepositoryName(b.Repository)
	// "https://github.com/o/r Dockerfile" of a record.
	if address, rest, ok := strings.Cut(b.Pipeline, " "); ok && strings.ContainsAny(address, ":@") {
		b.Pipeline = RepositoryName(address) + " " + rest
	}
	for _, text := range append(b.Origin.Texts(), &b.Pipeline) {
		*text = redact.Text(*text)
	}
}

// NamePipeline says which pipeline b is of: that of its target, if it is one of a bake's.
func NamePipeline(b *timeline.Build, name string) {
	b.Pipeline = name
	if b.Target != "" && name != b.Target && !strings.HasSuffix(name, " "+b.Target) {
		b.Pipeline = strings.TrimSpace(name + " " + b.Target)
	}
}

// RepositoryName is the path of a repository's address: "owner/name" for
// "https://github.com/owner/name.git", "git@github.com:owner/name" and itself.
func RepositoryName(address string) string {
	address, _, _ = strings.Cut(address, "#")
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		address = u.Path
	} else if host, path, ok := strings.Cut(address, ":"); ok && strings.Contains(host, "@") {
		address = path
	}
	return strings.TrimSuffix(strings.Trim(address, "/"), ".git")
}
