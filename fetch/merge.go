package fetch

import "github.com/buildregress/buildregress/detect"

// Merge makes one build of two recordings of it. The steps, and with them the
// id, the times and the outcome, are those of the known one, unless that shows
// only a part of what the seen one shows whole. Whatever else is empty is filled
// from the other. more tells whether seen added anything to known.
func Merge(known, seen *detect.Build) (merged detect.Build, more bool) {
	if known.Partial && !seen.Partial || len(known.Steps) == 0 && len(seen.Steps) > 0 {
		merged = *seen
		fill(&merged, known)
		return merged, true
	}
	merged = *known
	return merged, fill(&merged, seen)
}

// fill puts what from knows where b knows nothing, and tells whether it did.
func fill(b, from *detect.Build) (filled bool) {
	for _, f := range []struct{ to, from *string }{
		{&b.Trace, &from.Trace},
		{&b.Content, &from.Content},
		{&b.Pipeline, &from.Pipeline},
		{&b.Repository, &from.Repository},
		{&b.Revision, &from.Revision},
		{&b.Branch, &from.Branch},
		{&b.PullRequest, &from.PullRequest},
		{&b.URL, &from.URL},
		{&b.Runner, &from.Runner},
	} {
		if *f.to == "" && *f.from != "" {
			*f.to, filled = *f.from, true
		}
	}
	if b.Outcome == from.Outcome && b.Error == "" && from.Error != "" {
		b.Error, filled = from.Error, true
	}
	if b.Outcome == from.Outcome && len(b.Log) == 0 && len(from.Log) > 0 {
		b.Log, filled = from.Log, true
	}
	return filled
}

// Distinct returns the builds with all recordings of one build merged into the
// first of them, in the order of the first.
func Distinct(builds []detect.Build) []detect.Build {
	var out []detect.Build
	byID := map[string]int{}
	byContent := map[string][]int{}
	for i := range builds {
		b := &builds[i]
		at, known := byID[b.ID]
		if !known && b.Content != "" {
			for _, j := range byContent[b.Content] {
				if detect.SameBuild(&out[j], b) {
					at, known = j, true
					break
				}
			}
		}
		if known {
			out[at], _ = Merge(&out[at], b)
		} else {
			at = len(out)
			out = append(out, *b)
		}
		byID[b.ID] = at
		byContent[b.Content] = append(byContent[b.Content], at)
	}
	return out
}
