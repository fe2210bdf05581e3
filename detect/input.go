package detect

import (
	"slices"

	"github.com/buildregress/buildregress/detect/align"
	"github.com/buildregress/buildregress/detect/timeline"
)

// This file brings what callers hand in into the form that the judgement counts on.

// minSamples is the fewest samples of which a spread can be told.
const minSamples = 3

// OrDefaults are the thresholds that are used: DefaultThresholds for zero ones, else
// those given, brought into their ranges. Window, MinHistory and FDR that are 0 are the
// default's, as they mean nothing; MinSlowdown and MinDelta of 0 ask for every change.
func (t Thresholds) OrDefaults() Thresholds {
	d := DefaultThresholds
	if t == (Thresholds{}) {
		return d
	}
	if t.Window <= 0 {
		t.Window = d.Window
	}
	if t.MinHistory <= 0 {
		t.MinHistory = d.MinHistory
	}
	if !(t.FDR > 0 && t.FDR < 1) {
		t.FDR = d.FDR
	}
	if !(t.MinSlowdown >= 0) { // NaN as well
		t.MinSlowdown = 0
	}
	t.MinHistory, t.MinDelta = max(t.MinHistory, minSamples), max(t.MinDelta, 0)
	t.Window = max(t.Window, t.MinHistory)
	return t
}

// orEmpty is the history with each list newest first; nil is no history. h stays as it is.
func (h *History) orEmpty() *History {
	if h == nil {
		return &History{}
	}
	out := *h
	for _, builds := range []*[]timeline.Build{&out.Base, &out.Sparse, &out.Other, &out.Branch} {
		*builds = newestFirst(*builds)
	}
	return &out
}

// newestFirst are the builds by their start; a copy of them if they are not yet.
func newestFirst(builds []timeline.Build) []timeline.Build {
	order := func(x, y timeline.Build) int { return y.Start.Compare(x.Start) }
	if slices.IsSortedFunc(builds, order) {
		return builds
	}
	builds = slices.Clone(builds)
	slices.SortStableFunc(builds, order)
	return builds
}

// withoutSalt returns the build and its history with steps that have the same names in all
// builds, see align.WithoutSalt. Neither is changed.
func (h *History) withoutSalt(build *timeline.Build) (*timeline.Build, *History) {
	newest := make([]timeline.Build, 0, 1+len(h.Base))
	lists := align.WithoutSalt(1, append(append(newest, *build), h.Base...), h.Sparse, h.Other, h.Branch)
	plain := *h
	plain.Base, plain.Sparse, plain.Other, plain.Branch = lists[0][1:], lists[1], lists[2], lists[3]
	return &lists[0][0], &plain
}
