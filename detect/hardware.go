package detect

import (
	"fmt"
	"slices"

	"github.com/buildregress/buildregress/detect/timeline"
)

// Machines of one class may differ: a runner with twice the processors has the same name.
// Where measurements tell them apart, a build is compared with those on machines like its
// own, as it is with those of its class.

// likeWithLike is the history without the builds that are known to have run on other
// machines, if enough are left to judge by; else all of it.
func (h *History) likeWithLike(build *timeline.Build, t Thresholds) *History {
	if build.Machine == nil {
		return h
	}
	alike := func(builds []timeline.Build) (kept []timeline.Build) {
		for i := range builds {
			if !timeline.OtherMachine(builds[i].Machine, build.Machine) {
				kept = append(kept, builds[i])
			}
		}
		return kept
	}
	base := alike(h.Base)
	if len(base) == len(h.Base) || len(base) < t.MinHistory {
		return h
	}
	out := *h
	out.Base, out.Sparse, out.Other, out.Branch = base, alike(h.Sparse), alike(h.Other), alike(h.Branch)
	out.Notes = append(slices.Clip(h.Notes), Note{KindHistory, fmt.Sprintf(
		"compared with the builds on machines like its own (%s): %d on others are left out", timeline.Hardware(build.Machine.CPUs, build.Machine.Memory), len(h.Base)-len(base))})
	return &out
}

// starved tells whether a step that took longer did the same work as usual in a build, and
// waited for the machine by so much more that it explains most of that; and how large a part.
func starved(s *timeline.Step, was string, delta timeline.Seconds, base []timeline.Build) (part float64, is bool) {
	const sameWork = 1.3
	u := s.Usage
	if u == nil || u.CPU == nil || u.CPUWait == nil || delta <= 0 {
		return 0, false
	}
	var cpu, wait []timeline.Seconds
	for i := range base {
		o := stepIn(&base[i], s, was)
		if o != nil && o.State == timeline.Executed && o.Usage != nil && o.Usage.CPU != nil && o.Usage.CPUWait != nil {
			cpu, wait = append(cpu, *o.Usage.CPU), append(wait, *o.Usage.CPUWait)
		}
	}
	if len(cpu) < leastUsual || float64(*u.CPU) > sameWork*float64(middle(cpu)) || u.Throttled != nil {
		return 0, false
	}
	part = float64(*u.CPUWait-middle(wait)) / float64(delta)
	return min(part, 1), part >= starvedPart
}

// starvedPart is the part of a slowdown that a step must have waited for a processor.
const starvedPart = 0.5
