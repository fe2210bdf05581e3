package advice

import (
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// A cache that is written and costs more than it ever saved. What it saved is at most what all
// steps that were found in a cache had taken, one after the other: more than is true, as some
// run beside each other, and the builder may have kept a cache of its own. Where a step was
// found there that was never seen to run, what it saved is not known, and nothing is told.

// cacheExports are what it is worth not to write the cache. besides tells of the other builds of
// that time.
func (a *adviser) cacheExports(besides func(from, to time.Time) ([]timeline.Build, bool)) []Advice {
	var ids []int
	for id := range a.steps {
		for i := range a.builds {
			if k, ok := a.builds[i].at[id]; ok && a.builds[i].Steps[k].Stage == timeline.StageCacheExport && a.builds[i].Steps[k].IsWriting() {
				ids = append(ids, id)
				break
			}
		}
	}
	if len(ids) == 0 {
		return nil
	}
	var others []timeline.Build
	if besides != nil {
		var known bool
		if others, known = besides(a.builds[0].build.Start, a.builds[len(a.builds)-1].build.Start); !known {
			return nil
		}
	}
	longest := a.longest(others)
	saved := make([]time.Duration, len(a.builds))
	var hits time.Duration
	for i := range a.builds {
		b := &a.builds[i]
		var steps []int
		for _, id := range ids {
			if k, ok := b.at[id]; ok && b.Steps[k].State == timeline.Executed {
				steps = append(steps, k)
			}
		}
		gain, known := longest.found(b.build)
		if !known {
			return nil
		}
		saved[i] = b.Without(steps...) - gain
		hits += gain / time.Duration(len(a.builds))
	}
	var gained time.Duration
	for i := range others {
		gain, known := longest.found(&others[i])
		if !known {
			return nil
		}
		gained += gain / time.Duration(len(a.builds))
	}
	for i := range saved {
		saved[i] -= gained
	}
	x, ok := a.advice(CacheExport, ids, saved)
	if !ok {
		return nil
	}
	x.Hits, x.Others = timeline.Seconds(hits+gained), len(others)
	return []Advice{x}
}

// A times is how long steps take where they run, by key.
type times map[string]time.Duration

// longest are the longest ones: no less than what a step that is found may have taken.
func (a *adviser) longest(others []timeline.Build) times {
	out := times{}
	add := func(b *timeline.Build) {
		for k := range b.Steps {
			if s := &b.Steps[k]; s.State == timeline.Executed {
				out[s.Key] = max(out[s.Key], s.Duration)
			}
		}
	}
	for i := range a.builds {
		add(a.builds[i].build)
	}
	for i := range others {
		add(&others[i])
	}
	return out
}

// found is what the steps of a build that were found in a cache had taken, if that is known.
// What a frontend needs is in no cache that a build writes.
func (t times) found(b *timeline.Build) (whole time.Duration, known bool) {
	const most = 366 * 24 * time.Hour // of a build whose source tells nonsense
	if b.Partial {
		return 0, false // what was found is not told whole
	}
	for k := range b.Steps {
		s := &b.Steps[k]
		if s.State != timeline.Cached || s.IsWait() || s.IsPart() || s.Stage == timeline.StageInternal && s.Index == 0 && s.Count == 0 {
			continue
		}
		took, ok := t[s.Key]
		if !ok {
			return 0, false
		}
		if whole += took; whole > most {
			return 0, false
		}
	}
	return whole, true
}
