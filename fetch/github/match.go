package github

import (
	"strings"

	gh "github.com/google/go-github/v60/github"

	"github.com/buildregress/buildregress/detect"
)

// matches tells whether b is a build of what the other builds, the one to be judged.
// A name that was given by hand is in no record, and some records know none:
// then it is that of which half the steps are the same, out of the same Dockerfile as
// far as both say out of which.
func (s *Records) matches(b, judged *detect.Build) bool {
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
	if one, other := dockerfileOf(b), dockerfileOf(judged); one != "" && other != "" && one != other {
		return false
	}
	return 2*sharedKeys(b, judged) >= max(len(b.Steps), len(judged.Steps))
}

// dockerfileOf is the path of the Dockerfile that the first of a build's steps stands in
// whose place is known.
func dockerfileOf(b *detect.Build) string {
	for i := range b.Steps {
		if file := b.Steps[i].Source.File; file != "" {
			return file
		}
	}
	return ""
}

// sharedKeys counts the steps that two builds have in common.
func sharedKeys(a, b *detect.Build) (n int) {
	keys := map[string]int{}
	for _, step := range a.Steps {
		keys[step.Key]++
	}
	for _, step := range b.Steps {
		if keys[step.Key] > 0 {
			keys[step.Key]--
			n++
		}
	}
	return n
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
