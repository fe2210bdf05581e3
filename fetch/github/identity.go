package github

import (
	"github.com/buildregress/buildregress/detect/timeline"
	gh "github.com/google/go-github/v60/github"
)

// deleted is the repository of a run whose fork was deleted.
const deleted = "(deleted)"

// identify says of which commit, branch and repository a build is, by the run that
// made it. What the build says of that itself is not believed, and no clock asked: a
// run is of one commit however long ago it was. pull is the pull request that the run
// is known to be of, "" where it has to tell.
func (s *source) identify(b *timeline.Build, r *gh.WorkflowRun, pull string) {
	b.Repository = r.GetHeadRepository().GetFullName()
	if b.Repository == "" {
		b.Repository = deleted
	}
	b.Revision, b.Branch, b.URL = r.GetHeadSHA(), r.GetHeadBranch(), r.GetHTMLURL()
	b.PullRequest = pull
	if pull == "" {
		b.PullRequest = namedPull(r)
	}
	if s.Normalize != nil {
		s.Normalize(b)
	}
}
