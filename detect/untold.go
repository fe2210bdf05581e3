package detect

import (
	"slices"

	"github.com/buildregress/buildregress/detect/timeline"
)

// KindNoFacts is the kind of the note that why steps are slower is not known, as the source
// does not tell what the build was made of.
const KindNoFacts Kind = "no-facts"

// tellUntold says of a build with findings that nothing tells why, and what would: traces and
// progress logs tell of no more than times. Of what is no Dockerfile's, no record tells.
func (r *Result) tellUntold(build *timeline.Build) {
	if build.Facts != nil || !slices.ContainsFunc(build.Steps, func(s timeline.Step) bool { return s.Count > 0 }) {
		return
	}
	if slices.ContainsFunc(r.Steps, func(s StepResult) bool {
		return len(s.Causes) == 0 && (s.Status == StatusSlower || s.Status == StatusSuspect || s.Status == StatusOverBudget)
	}) {
		r.Notes = append(r.Notes, Note{KindNoFacts, "why is not known: this source tells times alone; a build record tells what each step did and read (docker buildx history export)"})
	}
}
