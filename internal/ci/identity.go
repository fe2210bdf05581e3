package ci

import (
	"cmp"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/redact"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
)

// An Identity is what somebody other than the build itself says about it: a flag,
// the CI system, the checkout. Empty fields are unknown.
type Identity struct {
	Pipeline        string
	timeline.Origin        // of the head
	Merge           string // what the CI system made of Revision and the pull request's target, if anything
	BaseBranch      string // the pull request's target, else the default branch
	BaseRepository  string
}

// A Voice is somebody who says something about a build.
type Voice int

// Voices. Recent, ThisRun and ThisCommit are what docs/configuration.md calls so.
const (
	Flag       Voice = iota
	Build            // the build itself
	Recent           // the CI system, about each build that was just made
	ThisRun          // the CI system, about a just made build of the commit that it runs for
	ThisCommit       // the git checkout, about a just made build of its commit
)

// Precedence says of each field who is believed: the first voice that knows it.
var Precedence = []struct {
	Field  string
	Voices []Voice
	of     func(*Identity) *string
}{
	{"pipeline", []Voice{Flag, Build, Recent}, func(id *Identity) *string { return &id.Pipeline }},
	{"repository", []Voice{Build, Recent}, func(id *Identity) *string { return &id.Repository }},
	{"revision", []Voice{Flag, Build, ThisRun, ThisCommit}, func(id *Identity) *string { return &id.Revision }},
	{"branch", []Voice{Flag, Build, ThisRun, ThisCommit}, func(id *Identity) *string { return &id.Branch }},
	{"pull request", []Voice{Build, ThisRun}, func(id *Identity) *string { return &id.PullRequest }},
	{"url", []Voice{Build, ThisRun}, func(id *Identity) *string { return &id.URL }},
	{"runner", []Voice{Flag, Build, Recent}, func(id *Identity) *string { return &id.Runner }},
}

// recent is how long after its end a build counts as just made: what the CI system
// and the checkout say now is then true of it.
const recent = 24 * time.Hour

// IsJustMade tells whether b ended within a day of now.
func IsJustMade(b *timeline.Build, now time.Time) bool {
	return now.Sub(b.Start.Add(b.Duration)).Abs() < recent
}

// A Resolver completes what builds say about themselves.
type Resolver struct {
	given    Identity // by flags and the like
	CI       Identity // what the CI system says
	checkout Identity
	now      time.Time
	newest   time.Time // start of the newest of all builds observed
}

// NewResolver returns a resolver that believes given before all, and for builds made
// shortly before now the CI system and then the checkout around dir.
func NewResolver(given Identity, env Env, dir string, now time.Time) *Resolver {
	return &Resolver{given: given, CI: System(env), checkout: Checkout(dir), now: now}
}

// Observe takes notice of builds that stand beside each other: of several, the CI
// system and the checkout speak of the newest.
func (r *Resolver) Observe(builds []timeline.Build) {
	for i := range builds {
		if builds[i].Start.After(r.newest) {
			r.newest = builds[i].Start
		}
	}
}

// Resolve completes b, one of the builds observed, as Precedence says.
//
// The CI system and the checkout each speak of one revision, and of the builds made
// of it: of those observed, that is the newest, with all that ran beside it, and
// those that say that revision.
func (r *Resolver) Resolve(b *timeline.Build) {
	given := r.given
	// A revision that is given may be the merge as well, which useHead replaces.
	b.Revision, given.Revision = cmp.Or(given.Revision, b.Revision), ""
	said := map[Voice]Identity{Flag: given}
	if IsJustMade(b, r.now) {
		newest := !b.Start.Add(b.Duration).Before(r.newest)
		said[Recent] = r.CI
		if newest || isRevision(b, r.CI.Revision) || isRevision(b, r.CI.Merge) {
			useHead(b, r.CI)
			said[ThisRun] = r.CI
		}
		revision := cmp.Or(b.Revision, said[ThisRun].Revision)
		if newest && revision == "" || r.checkout.Revision != "" && revisionOf(revision) == r.checkout.Revision {
			said[ThisCommit] = r.checkout
		}
	}
	said[Build] = Identity{Pipeline: b.Pipeline, Origin: b.Origin}
	var out Identity
	for _, field := range Precedence {
		for _, voice := range field.Voices {
			from := said[voice]
			if text := *field.of(&from); text != "" {
				*field.of(&out) = text
				break
			}
		}
	}
	b.Origin = out.Origin
	fetch.NamePipeline(b, out.Pipeline)
	fetch.Normalize(b)
}

// OfCheckout is the pipeline of a build that nothing else gives one: the name of the
// checkout's folder, and the image. It is "" where there is no checkout.
func (r *Resolver) OfCheckout(b *timeline.Build) string {
	if r.checkout.Pipeline == "" {
		return ""
	}
	return strings.TrimSpace(r.checkout.Pipeline + " " + b.Image)
}

// Override replaces the pipeline that b says by one that was given, and normalizes
// the rest: of flags, only the pipeline holds for builds to compare with.
func Override(b *timeline.Build, pipeline string) {
	fetch.NamePipeline(b, cmp.Or(pipeline, b.Pipeline))
	fetch.Normalize(b)
}

// isRevision tells whether b was made of a commit, as it says itself.
func isRevision(b *timeline.Build, commit string) bool {
	return commit != "" && revisionOf(b.Revision) == commit
}

// revisionOf is a commit without Buildx's mark of a checkout with changes.
func revisionOf(said string) string { return strings.TrimSuffix(said, "-dirty") }

// useHead makes a build of a pull request one of its head. It was checked out of the
// repository that the pull request is for, often as a merge, and says so.
func useHead(b *timeline.Build, ci Identity) {
	if ci.PullRequest == "" || b.PullRequest != "" && b.PullRequest != ci.PullRequest {
		return
	}
	if isRevision(b, ci.Merge) {
		b.Revision = ci.Revision + strings.TrimPrefix(b.Revision, ci.Merge)
	}
	if strings.EqualFold(fetch.RepositoryName(b.Repository), ci.BaseRepository) {
		b.Repository = ci.Repository
	}
}

// Base is the branch, and its repository, whose builds a build is compared with.
// repository is "" where any will do. Flag, CI system and checkout are believed in this
// order, however old the build is.
func (r *Resolver) Base(b *timeline.Build) (branch, repository string) {
	branch = redact.Text(cmp.Or(r.given.BaseBranch, r.CI.BaseBranch, r.checkout.BaseBranch, "main"))
	switch {
	case b.Repository == r.CI.Repository, b.Repository == r.CI.BaseRepository:
		return branch, r.CI.BaseRepository
	case b.PullRequest == "":
		return branch, b.Repository
	}
	// The build calls its repository something that the CI system does not: a
	// mirror, say. Base builds will, too; and those of pull requests are told by
	// their number.
	return branch, ""
}

// branchName is a git ref as people say it: "main" for "refs/heads/main", and
// "tags/v1" for a tag, which is no branch of that name.
func branchName(ref string) string {
	if branch, ok := strings.CutPrefix(ref, "refs/heads/"); ok {
		return branch
	}
	return strings.TrimPrefix(ref, "refs/")
}
