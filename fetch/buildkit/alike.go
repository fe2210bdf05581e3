package buildkit

import (
	"slices"

	"github.com/buildregress/buildregress/detect/timeline"
)

// OfOneImage tells whether two builds are of one image by what they say themselves:
// their pipelines, or, where neither says one, their steps.
func OfOneImage(a, b *timeline.Build) bool {
	if a.Pipeline != "" || b.Pipeline != "" {
		return a.Pipeline == b.Pipeline
	}
	return LooksAlike(a, b)
}

// LooksAlike tells whether half the steps of two builds are the same, out of the same
// Dockerfile as far as both say out of which. Loading a context and exporting an image is
// part of every build: where there are instructions, they alone count. Of a build that is
// not whole only some steps are known: they are to be half of its own.
func LooksAlike(a, b *timeline.Build) bool {
	for _, dockerfile := range []func(*timeline.Build) string{sourceFile, func(b *timeline.Build) string { return DefinitionOf(b.Steps) }} {
		if one, other := dockerfile(a), dockerfile(b); one != "" && other != "" && one != other {
			return false
		}
	}
	all := !slices.ContainsFunc(a.Steps, isInstruction) || !slices.ContainsFunc(b.Steps, isInstruction)
	keys, n := map[string]int{}, 0
	for _, step := range a.Steps {
		if all || isInstruction(step) {
			keys[step.Key]++
			n++
		}
	}
	shared, m := 0, 0
	for _, step := range b.Steps {
		if !all && !isInstruction(step) {
			continue
		}
		m++
		if keys[step.Key] > 0 {
			keys[step.Key]--
			shared++
		}
	}
	if a.Partial || b.Partial {
		return shared > 0 && 2*shared >= min(n, m)
	}
	return 2*shared >= max(n, m)
}

// isInstruction tells whether a step is one of a Dockerfile.
func isInstruction(s timeline.Step) bool { return s.Count > 0 }

// sourceFile is the path of the Dockerfile that the first of a build's steps stands in
// whose place is known.
func sourceFile(b *timeline.Build) string {
	for i := range b.Steps {
		if file := b.Steps[i].Source.File; file != "" {
			return file
		}
	}
	return ""
}
