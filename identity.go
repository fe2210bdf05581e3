package main

import (
	"cmp"
	"net/url"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/redact"
)

// An identity is what somebody other than the build itself says about it: a
// flag, the CI system, the checkout. Empty fields are unknown.
type identity struct {
	pipeline       string
	repository     string // of the head
	revision       string
	merge          string // what the CI system made of revision and the pull request's target, if anything
	branch         string // of the head
	baseBranch     string // the pull request's target, else the default branch
	baseRepository string
	pullRequest    string
	url            string
	runner         string
}

// recent is how long after its end a build counts as just made: what the CI
// system and the checkout say now is then true of it.
const recent = 24 * time.Hour

func justMade(b *detect.Build, now time.Time) bool {
	return now.Sub(b.Start.Add(b.Duration)).Abs() < recent
}

// A namer completes what builds say about themselves.
type namer struct {
	given    identity // by flags and the like
	ci       identity
	checkout identity
	now      time.Time
	newest   time.Time // start of the newest of all builds seen
}

func newNamer(w *world, s settings) *namer {
	return &namer{
		given: identity{
			pipeline: s.text("pipeline"), branch: s.text("branch"), revision: s.text("revision"),
			runner: s.text("runner"), baseBranch: s.text("base-branch"),
		},
		ci:       ciIdentity(w.env),
		checkout: checkoutIdentity("."),
		now:      w.now,
	}
}

// see takes notice of builds that stand beside each other.
func (n *namer) see(builds []detect.Build) {
	for i := range builds {
		if builds[i].Start.After(n.newest) {
			n.newest = builds[i].Start
		}
	}
}

// complete settles the identity of b, one of the builds seen. What a flag says is
// believed first, then what the build itself says, then, only for a build that was
// just made, what the CI system says, and then the checkout.
//
// Both speak of one revision, and of the builds made of it: of those seen, that is
// the newest, with all that ran beside it, and those that say that revision.
func (n *namer) complete(b *detect.Build) {
	override(b, n.given)
	if justMade(b, n.now) {
		newest := !b.Start.Add(b.Duration).Before(n.newest)
		if newest || isRevision(b, n.ci.revision) || isRevision(b, n.ci.merge) {
			asHead(b, n.ci)
			fill(b, n.ci)
		}
		fill(b, identity{pipeline: n.ci.pipeline, repository: n.ci.repository, runner: n.ci.runner})
		if newest && b.Revision == "" || isRevision(b, n.checkout.revision) {
			fill(b, n.checkout)
		}
	}
	inFull(b)
}

// isRevision tells whether b was made of a commit, as it says itself. Buildx
// marks that of a checkout with changes.
func isRevision(b *detect.Build, commit string) bool {
	return commit != "" && strings.TrimSuffix(b.Revision, "-dirty") == commit
}

// asHead makes a build of a pull request one of its head. It was checked out of the
// repository that the pull request is for, often as a merge, and says so.
func asHead(b *detect.Build, ci identity) {
	if ci.pullRequest == "" || b.PullRequest != "" && b.PullRequest != ci.pullRequest {
		return
	}
	if isRevision(b, ci.merge) {
		b.Revision = ci.revision + strings.TrimPrefix(b.Revision, ci.merge)
	}
	if strings.EqualFold(repositoryName(b.Repository), ci.baseRepository) {
		b.Repository = ci.repository
	}
}

// inFull writes the identity of b as it is shown, stored and compared.
func inFull(b *detect.Build) {
	b.Repository = repositoryName(b.Repository)
	// "https://github.com/o/r Dockerfile" of a record.
	if address, rest, ok := strings.Cut(b.Pipeline, " "); ok && strings.ContainsAny(address, ":@") {
		b.Pipeline = repositoryName(address) + " " + rest
	}
	for _, text := range append(b.Origin.Texts(), &b.Pipeline) {
		*text = redact.Text(*text)
	}
}

// override replaces what b says by all that id knows.
func override(b *detect.Build, id identity) {
	b.Pipeline = cmp.Or(id.pipeline, b.Pipeline)
	b.Revision = cmp.Or(id.revision, b.Revision)
	b.Branch = cmp.Or(id.branch, b.Branch)
	b.Runner = cmp.Or(id.runner, b.Runner)
}

// fill adds to b what it does not know.
func fill(b *detect.Build, id identity) {
	b.Pipeline = cmp.Or(b.Pipeline, id.pipeline)
	b.Repository = cmp.Or(b.Repository, id.repository)
	b.Revision = cmp.Or(b.Revision, id.revision)
	b.Branch = cmp.Or(b.Branch, id.branch)
	b.PullRequest = cmp.Or(b.PullRequest, id.pullRequest)
	b.URL = cmp.Or(b.URL, id.url)
	b.Runner = cmp.Or(b.Runner, id.runner)
}

// base is the branch, and its repository, whose builds a build is compared
// with. repository is "" where any will do.
func (n *namer) base(b *detect.Build) (branch, repository string) {
	branch = redact.Text(cmp.Or(n.given.baseBranch, n.ci.baseBranch, n.checkout.baseBranch, "main"))
	switch {
	case b.Repository == n.ci.repository, b.Repository == n.ci.baseRepository:
		return branch, n.ci.baseRepository
	case b.PullRequest == "":
		return branch, b.Repository
	}
	// The build calls its repository something that the CI system does not: a
	// mirror, say. Base builds will, too; and those of pull requests are told by
	// their number.
	return branch, ""
}

// repositoryName is the path of a repository's address: "owner/name" for
// "https://github.com/owner/name.git", "git@github.com:owner/name" and itself.
func repositoryName(address string) string {
	address, _, _ = strings.Cut(address, "#")
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		address = u.Path
	} else if host, path, ok := strings.Cut(address, ":"); ok && strings.Contains(host, "@") {
		address = path
	}
	return strings.TrimSuffix(strings.Trim(address, "/"), ".git")
}

// branchName is a git ref as people say it: "main" for "refs/heads/main", and
// "tags/v1" for a tag, which is no branch of that name.
func branchName(ref string) string {
	if branch, ok := strings.CutPrefix(ref, "refs/heads/"); ok {
		return branch
	}
	return strings.TrimPrefix(ref, "refs/")
}
