package advice

import (
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// What was promised before builds became faster, to be told beside what that saved. An advice
// was followed if its steps take less since than chance explains, be it a part of what could be
// had.

// leastDone is what part of what steps took they take less, at least, if advice was followed.
const leastDone = 0.1

// Kept are the advices that were followed between two levels of a pipeline, both newest first,
// and what they promise together: what the builds before say by the same rules as ever.
func Kept(after, before []timeline.Build, terms *Terms) (promised timeline.Seconds, followed []Advice) {
	if len(before) < MinBuilds || len(after) == 0 {
		return 0, nil
	}
	a := newAdviser(slices.Concat(after, before), len(before), terms)
	if len(a.builds) < MinBuilds {
		return 0, nil
	}
	free := make([][]int, len(a.builds)) // of each build, the steps of what was followed
	for _, x := range a.best(terms) {
		ids := a.idsOf(x.Steps)
		was, now := a.took(ids), a.tookLater(ids)
		if less := was - now; less < max(a.minDelta, time.Duration(leastDone*float64(was))) {
			continue
		}
		followed = append(followed, x)
		promised += x.Saves
		for i := range a.builds {
			for _, id := range ids {
				if k, ok := a.builds[i].at[id]; ok && !slices.Contains(free[i], k) {
					free[i] = append(free[i], k)
				}
			}
		}
	}
	if len(followed) > 1 {
		// Together they are worth no more than all of their steps.
		var whole time.Duration
		for i := range a.builds {
			whole += a.builds[i].Without(free[i]...) / time.Duration(len(a.builds))
		}
		promised = min(promised, timeline.Seconds(whole))
	}
	return promised, followed
}

// idsOf are the steps of these keys.
func (a *adviser) idsOf(keys []string) (ids []int) {
	for id := range a.steps {
		if slices.Contains(keys, a.steps[id].Key) {
			ids = append(ids, id)
		}
	}
	return ids
}

// took is how long steps took in a build, on average over all of them: nothing where they did
// not run.
func (a *adviser) took(ids []int) (mean time.Duration) {
	for i := range a.builds {
		for _, id := range ids {
			if k, ok := a.builds[i].at[id]; ok && a.builds[i].Steps[k].State == timeline.Executed {
				mean += a.builds[i].Steps[k].Duration / time.Duration(len(a.builds))
			}
		}
	}
	return mean
}

// tookLater is the same of the builds after them.
func (a *adviser) tookLater(ids []int) (mean time.Duration) {
	for _, b := range a.later {
		for k, id := range b.of {
			if s := &b.build.Steps[k]; s.State == timeline.Executed && slices.Contains(ids, id) {
				mean += s.Duration / time.Duration(len(a.later))
			}
		}
	}
	return mean
}
