package github

import (
	"strings"

	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch/buildkit"
	gh "github.com/google/go-github/v60/github"
)

// matches tells whether b is a build of what the other builds, the one to be judged.
// A name that was given by hand is in no record, and some records know none:
// then it is that of which half the steps are the same, out of the same Dockerfile as
// far as both say out of which.
func (s *Records) matches(b, judged *timeline.Build) bool {
	if b.Pipeline == judged.Pipeline {
		return true
	}
	if b.Pipeline != "" && s.Pipeline == "" {
		// Records name the repository that they were checked out of: a fork's says
		// the fork's.
		what, own := strings.CutPrefix(b.Pipeline, b.Repository+" ")
		other, forked := strings.CutPrefix(judged.Pipeline, judged.Repository+" ")
		return own && forked && what == other
	}
	return buildkit.LooksAlike(b, judged)
}

// ofOwnJob leaves out the records of other jobs, where names tell: where one is
// called buildregress- and the name of the pipeline that was given by hand, or else
// of the job that runs us, it is the one.
func (s *Records) ofOwnJob(artifacts []*gh.Artifact) []*gh.Artifact {
	for _, name := range []string{s.Pipeline, s.Job} {
		var own []*gh.Artifact
		for _, a := range artifacts {
			if name != "" && strings.EqualFold(a.GetName(), "buildregress-"+name) {
				own = append(own, a)
			}
		}
		if len(own) > 0 {
			return own
		}
	}
	return artifacts
}
