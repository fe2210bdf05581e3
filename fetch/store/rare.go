package store

import (
	"cmp"
	"maps"
	"slices"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/fetch"
)

const samplesOfStep = "SELECT s.build, s.ordinal, s.sample_start, " + stepColumns + stepTables + `
	WHERE s.sample_line = ? AND s.key = (SELECT id FROM keys WHERE key = ?)
	AND s.sample_start BETWEEN ? AND ? ORDER BY s.sample_start DESC`

// A sample is an executed step, and where it stands.
type sample struct {
	build, start int64
	ordinal      int
	step         detect.Step
}

// rare searches the older builds for steps that the whole ones hold too few
// samples of, and returns them as builds with nothing but those steps.
func (r *reader) rare(whole []detect.Build, older []place, lines []int64) ([]detect.Build, error) {
	since := instant(r.q.Since())
	older = slices.Clone(older)
	for i, p := range older {
		if p.start < since {
			older = older[:i]
			break
		}
	}
	if len(older) == 0 {
		return nil, nil
	}
	rank := map[int64]int{}
	for i, p := range older {
		rank[p.id] = i
	}
	found := map[int64][]sample{}
	wanted := fetch.MissingSamples(whole, r.q)
	for _, key := range slices.Sorted(maps.Keys(wanted)) {
		var all []sample
		for _, line := range lines {
			samples, err := r.samples(line, key, wanted[key], older, rank)
			if err != nil {
				return nil, err
			}
			all = append(all, samples...)
		}
		for _, s := range newestBuilds(all, wanted[key], rank) {
			found[s.build] = append(found[s.build], s)
		}
	}
	older = slices.DeleteFunc(older, func(p place) bool { return len(found[p.id]) == 0 })
	builds, err := r.bare(older)
	if err != nil {
		return nil, err
	}
	for i, p := range older {
		steps := found[p.id]
		slices.SortFunc(steps, func(a, b sample) int { return cmp.Compare(a.ordinal, b.ordinal) })
		for _, s := range steps {
			builds[i].Steps = append(builds[i].Steps, s.step)
		}
	}
	return builds, nil
}

// samples reads the newest samples of a step on a line, out of as many of the
// ranked builds as are wanted and all that began together with the last of them.
// The index gives them in order, so the rest is never read.
func (r *reader) samples(line int64, key string, wanted int, older []place, rank map[int64]int) ([]sample, error) {
	rows, err := r.tx.query(r.ctx, samplesOfStep, line, clean(key), older[len(older)-1].start, older[0].start)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []sample
	builds := map[int64]bool{}
	for rows.Next() {
		var s sample
		if s.step, err = scanStep(rows, &s.build, &s.ordinal, &s.start); err != nil {
			return nil, err
		}
		if len(builds) >= wanted && s.start < out[len(out)-1].start {
			break
		}
		if _, ok := rank[s.build]; ok {
			builds[s.build] = true
			out = append(out, s)
		}
	}
	return out, rows.Err()
}

// newestBuilds keeps the samples of the newest builds, as many as are wanted.
func newestBuilds(samples []sample, wanted int, rank map[int64]int) []sample {
	slices.SortStableFunc(samples, func(a, b sample) int { return cmp.Compare(rank[a.build], rank[b.build]) })
	builds := map[int64]bool{}
	for i, s := range samples {
		if builds[s.build] = true; len(builds) > wanted {
			return samples[:i]
		}
	}
	return samples
}
