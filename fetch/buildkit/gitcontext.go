package buildkit

import (
	"cmp"
	"net/url"
	"path"
	"regexp"
	"strings"

	"github.com/buildregress/buildregress/detect/timeline"
)

// A GitContext is where a builder got its context from, if that is a repository, as in
// "https://github.com/acme/shop.git#refs/heads/main:services/web".
type GitContext struct {
	Repository  string // without credentials
	Revision    string // commit, if that was asked for
	Branch      string // if that was, and is no tag
	PullRequest string // its number, of GitHub's refs
	Folder      string // in the repository, "" for its root
}

var (
	commit  = regexp.MustCompile(`^(?:[0-9a-f]{40}|[0-9a-f]{64})$`)
	pullRef = regexp.MustCompile(`^refs/pull/(\d{1,10})/(?:head|merge)$`)
	scpLike = regexp.MustCompile(`^[\w.-]+@[\w.-]+:[^#?]+`)
)

// ParseGitContext reads what was given as the context of a build. ok is false for a
// folder, an archive, or anything else that is no repository. See
// https://docs.docker.com/build/concepts/context/#git-repositories.
func ParseGitContext(context string) (g GitContext, ok bool) {
	address, fragment, _ := strings.Cut(context, "#")
	address, query, _ := strings.Cut(address, "?")
	switch {
	case strings.HasPrefix(address, "http://"), strings.HasPrefix(address, "https://"):
		if !strings.HasSuffix(strings.TrimSuffix(address, "/"), ".git") {
			return g, false // a file
		}
	case strings.HasPrefix(address, "git://"), strings.HasPrefix(address, "ssh://"), scpLike.MatchString(address):
	case strings.HasPrefix(address, "github.com/"):
		address = "https://" + address
	default:
		return g, false
	}
	if g.Repository = Repository(address); g.Repository == "" {
		return g, false
	}
	ref, folder, _ := strings.Cut(fragment, ":")
	asked, _ := url.ParseQuery(query) // as far as it can be read
	g.Folder = strings.TrimPrefix(path.Clean("/"+cmp.Or(folder, asked.Get("subdir"))), "/")
	g.Branch = asked.Get("branch")
	for _, said := range []string{ref, asked.Get("ref"), asked.Get("commit"), asked.Get("checksum")} {
		if commit.MatchString(said) {
			g.Revision = said
		}
		if pull := pullRef.FindStringSubmatch(said); pull != nil {
			g.PullRequest = pull[1]
		}
		if branch, isBranch := strings.CutPrefix(said, "refs/heads/"); isBranch {
			g.Branch = branch
		}
	}
	return g, true
}

// gitSource begins the name of the vertex that gets a context out of a repository.
const gitSource = "[internal] load git source "

// applyGitContext says where a build comes from whose context is a repository, as far as
// that is not known otherwise. Which Dockerfile it was, and so which pipeline, no
// context tells.
func (m *Metadata) applyGitContext(context string) {
	g, ok := ParseGitContext(context)
	if !ok || m.Repository != "" && Repository(m.Repository) != g.Repository {
		return
	}
	m.Repository = cmp.Or(m.Repository, g.Repository)
	m.Revision = cmp.Or(m.Revision, g.Revision)
	m.Branch = cmp.Or(m.Branch, g.Branch)
	m.PullRequest = cmp.Or(m.PullRequest, g.PullRequest)
}

// applyGitContext says the same by the name of the client's command, "build CONTEXT".
func (s *solve) applyGitContext(b *timeline.Build) {
	if s.root == nil {
		return
	}
	for n := range s.root.ancestors() {
		context, ok := strings.CutPrefix(n.Name, "build ")
		if !ok {
			continue
		}
		m := Metadata{Repository: b.Repository, Revision: b.Revision, Branch: b.Branch, PullRequest: b.PullRequest}
		m.applyGitContext(context)
		m.describe(b)
		return
	}
}

// gitContextOf is the context that the vertices load, "" if they load none, or several.
func gitContextOf(vertices []*vertex, prefix string) (context string) {
	for _, v := range vertices {
		found, ok := strings.CutPrefix(v.nameFor(prefix), gitSource)
		if !ok || found == context {
			continue
		}
		if context != "" {
			return ""
		}
		context = found
	}
	return context
}

// ContextOf is the repository that the context of a build came from, as far as its steps
// show.
func ContextOf(b *timeline.Build) (g GitContext, ok bool) {
	for i := range b.Steps {
		if context, found := strings.CutPrefix(b.Steps[i].Name, gitSource); found {
			return ParseGitContext(context)
		}
	}
	return g, false
}
