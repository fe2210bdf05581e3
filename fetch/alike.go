package fetch

import "github.com/buildregress/buildregress/detect"

// OfOneImage tells whether two builds are of one image by what they say themselves:
// their pipelines, or, where neither says one, their steps.
func OfOneImage(a, b *detect.Build) bool {
	if a.Pipeline != "" || b.Pipeline != "" {
		return a.Pipeline == b.Pipeline
	}
	return LooksAlike(a, b)
}

// LooksAlike tells whether half the steps of two builds are the same, out of the same
// Dockerfile as far as both say out of which.
func LooksAlike(a, b *detect.Build) bool {
	if one, other := dockerfileOf(a), dockerfileOf(b); one != "" && other != "" && one != other {
		return false
	}
	return 2*sharedKeys(a, b) >= max(len(a.Steps), len(b.Steps))
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
