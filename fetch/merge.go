package fetch

import (
	"fmt"
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect/redact"
	"github.com/buildregress/buildregress/detect/timeline"
)

// Merge makes one build of two recordings of it. The steps, and with them the
// id, the times and the outcome, are those of the known one, unless that shows
// only a part of what the seen one shows whole, or was read by an older reader.
// Whatever else is empty is filled from the other. more tells whether seen added
// anything to known.
func Merge(known, seen *timeline.Build) (merged timeline.Build, more bool) {
	fuller := known.Partial && !seen.Partial
	newer := known.Reader < seen.Reader && known.Partial == seen.Partial && len(seen.Steps) > 0
	if fuller || newer || len(known.Steps) == 0 && len(seen.Steps) > 0 {
		merged = *seen
		merged.ID = idOf(known, seen)
		fill(&merged, known)
		return merged, true
	}
	merged = *known
	return merged, fill(&merged, seen)
}

// idOf is the id of two recordings, of which seen has what is kept: its own, unless that is
// also another node's.
func idOf(known, seen *timeline.Build) string {
	if known.ID == seen.NodeID() || seen.ID == known.NodeID() {
		return known.ID
	}
	return seen.ID
}

// fill puts what from knows where b knows nothing, and tells whether it did.
func fill(b, from *timeline.Build) (filled bool) {
	for _, f := range []struct{ to, from *string }{
		{&b.Trace, &from.Trace},
		{&b.Content, &from.Content},
		{&b.Pipeline, &from.Pipeline},
	} {
		if *f.to == "" && *f.from != "" {
			*f.to, filled = *f.from, true
		}
	}
	if b.Pipeline == "" && b.Image == "" && from.Image != "" {
		b.Image, filled = from.Image, true
	}
	if b.Origin.Fill(from.Origin) {
		filled = true
	}
	if b.Outcome == from.Outcome && b.Error == "" && from.Error != "" {
		b.Error, filled = from.Error, true
	}
	if b.Outcome == from.Outcome && len(b.Log) == 0 && len(from.Log) > 0 {
		b.Log, filled = from.Log, true
	}
	return fillFacts(b, from) || filled
}

// JoinFacts puts what a record of a build says of it where b, another recording, says
// nothing of that. Its steps and times stay as they are.
func JoinFacts(b, record *timeline.Build) (joined bool) { return fillFacts(b, record) }

// fillFacts puts what from knows of what b was made of where b knows nothing of it.
func fillFacts(b, from *timeline.Build) (filled bool) {
	if b.Facts == nil && from.Facts != nil {
		b.Facts, filled = from.Facts, true
	}
	if b.Machine == nil && from.Machine != nil {
		b.Machine, filled = from.Machine, true
	}
	more := make(map[string]*timeline.Step, len(from.Steps))
	for i := range from.Steps {
		if s := &from.Steps[i]; s.ID != "" && (s.Facts != nil || s.Usage != nil) {
			more[s.ID] = s
		}
	}
	own := false
	for i := range b.Steps {
		known := &b.Steps[i]
		s := more[known.ID]
		if s == nil || s.Key != known.Key || known.Facts != nil || known.Usage != nil {
			continue
		}
		if !own { // the steps are the caller's
			b.Steps, own, filled = slices.Clone(b.Steps), true, true
		}
		b.Steps[i].Facts, b.Steps[i].Usage = s.Facts, s.Usage
	}
	return filled
}

// Same tells whether a and b are two recordings of one build, as
// detect.SameBuild does within a pipeline. Two pipelines may count their builds
// alike: an id says nothing across them. A build that says no pipeline may be of
// any.
func Same(a, b *timeline.Build) bool {
	if a.ID == b.ID && !maySharePipeline(a, b) {
		return false
	}
	return timeline.SameBuild(a, b)
}

func maySharePipeline(a, b *timeline.Build) bool {
	return a.Pipeline == b.Pipeline || a.Pipeline == "" || b.Pipeline == ""
}

// A Clash tells of two builds that have one id. They count as one, though they
// can hardly be.
type Clash struct {
	ID            string
	First, Second time.Time // their starts
}

func (c *Clash) Error() string {
	return fmt.Sprintf("build %s: one that began at %s and one that began at %s have this id and count as one build: ids are to be unique in a pipeline",
		redact.Text(c.ID), c.First.UTC().Format(time.DateTime), c.Second.UTC().Format(time.DateTime))
}

// ClashOf returns the *Clash of two recordings of one build, nil if there is
// none. Recordings of one build may differ in what they take for its start, but
// hardly by a minute.
func ClashOf(known, seen *timeline.Build) error {
	if known.ID != seen.ID || known.Start.IsZero() || seen.Start.IsZero() || known.Start.Sub(seen.Start).Abs() < time.Minute {
		return nil
	}
	return &Clash{known.ID, known.Start, seen.Start}
}

// Distinct returns the builds with all recordings of one build merged into the
// first of them, in the order of the first, and what clashes there are.
func Distinct(builds []timeline.Build) (distinct []timeline.Build, clashes []error) {
	var known recordings
	for i := range builds {
		at, isNew := known.find(&builds[i])
		if isNew {
			continue
		}
		if c := ClashOf(known.builds[at], &builds[i]); c != nil {
			clashes = append(clashes, c)
		}
		known.merge(at, &builds[i])
	}
	for _, b := range known.builds {
		distinct = append(distinct, *b)
	}
	return distinct, clashes
}

// recordings holds builds so that other recordings of them are found without
// looking at each.
type recordings struct {
	builds  []*timeline.Build
	indexes map[alias][]int // of builds
}

// An alias is something that recordings of one build have in common.
type alias struct {
	kind, text string
	time       int64
}

// find returns the index of a build of which b is another recording, or adds b. If another
// node's build has its id, it gets one of its own.
func (r *recordings) find(b *timeline.Build) (at int, isNew bool) {
	id := b.ID
	for _, at := range r.indexes[alias{kind: "id", text: id}] {
		if !maySharePipeline(r.builds[at], b) {
			continue
		}
		if Same(r.builds[at], b) {
			return at, false
		}
		id = b.NodeID()
	}
	at = len(r.builds)
	for _, a := range contentAliases(b, 1) {
		// Thousands of builds of the same content at the same time are none of
		// people's: they are not compared with each other.
		const most = 100
		for _, i := range r.indexes[a][:min(len(r.indexes[a]), most)] {
			if i < at && Same(r.builds[i], b) {
				at = i
			}
		}
	}
	if at < len(r.builds) {
		return at, false
	}
	own := *b
	own.ID = id
	r.builds = append(r.builds, &own)
	r.addAliases(at, b)
	r.addAliases(at, &own)
	return at, true
}

// merge completes the build at an index with another recording of it.
func (r *recordings) merge(at int, seen *timeline.Build) {
	*r.builds[at], _ = Merge(r.builds[at], seen)
	r.addAliases(at, seen)
}

// addAliases makes the build at an index known by what b is known by.
func (r *recordings) addAliases(at int, b *timeline.Build) {
	if r.indexes == nil {
		r.indexes = map[alias][]int{}
	}
	for _, a := range append(contentAliases(b, 0), idAlias(b)) {
		if !slices.Contains(r.indexes[a], at) {
			r.indexes[a] = append(r.indexes[a], at)
		}
	}
}

func idAlias(b *timeline.Build) alias { return alias{kind: "id", text: b.ID} }

// contentAliases are the aliases by which detect.SameBuild compares contents: the
// trace, and the time of the start, to which come those of so many
// seconds before and after.
func contentAliases(b *timeline.Build, around int64) (out []alias) {
	if b.Content == "" {
		return nil
	}
	if b.Trace != "" {
		out = append(out, alias{kind: "trace " + b.Trace, text: b.Content})
	}
	at := b.Start.Unix() // a second is longer than what SameBuild takes for one time
	for t := at - around; t <= at+around; t++ {
		out = append(out, alias{kind: "start", text: b.Content, time: t})
	}
	return out
}
