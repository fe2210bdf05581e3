package advice

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// Processors that are too few, or that one step leaves idle. Both are told by what was
// measured of the steps and of the machine, and by nothing else.

const (
	// starved is in what part of a build something waits for a processor where these are too few.
	starved = 0.5
	// mostStolen is what part of a machine a host may give to its others: more processors of
	// such a host are no more of a machine.
	mostStolen = 0.1
	// mostSteps are named of those that wait.
	mostSteps = 4
	// oneThread is what a step uses of a processor, at least, that has one thread of work and
	// waits for nothing else; mostThread, at most.
	oneThread, mostThread = 0.8, 1.1
	// mostWaiting is what part of its time such a step waits for a processor where others are idle.
	mostWaiting = 0.1
)

// ofMachine is that processors are too few, or else that they are idle.
func (a *adviser) ofMachine() []Advice {
	if few := a.processors(); len(few) > 0 {
		return few
	}
	return a.idle()
}

// processors are what twice the processors are worth. While a step waits for one, all are
// busy: that time becomes half as long at best.
func (a *adviser) processors() []Advice {
	waited := map[int]time.Duration{}
	for i := range a.builds {
		b := &a.builds[i]
		if !b.isStarved() {
			continue
		}
		for _, k := range b.Order {
			if d, ok := waitedFor(&b.Steps[k]); ok && b.of[k] >= 0 && d > 0 {
				waited[b.of[k]] += d
			}
		}
	}
	if len(waited) == 0 {
		return nil
	}
	ids := make([]int, 0, len(waited))
	for id := range waited {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(x, y int) int { return cmp.Or(cmp.Compare(waited[y], waited[x]), cmp.Compare(x, y)) })
	ids = ids[:min(len(ids), mostSteps)]
	saved := make([]time.Duration, len(a.builds))
	var wait, used time.Duration
	cpus := map[float64]int{}
	for i := range a.builds {
		b := &a.builds[i]
		if !b.isStarved() {
			continue
		}
		less := map[int]time.Duration{}
		for _, id := range ids {
			k, ok := b.at[id]
			if !ok {
				continue
			}
			if d, ok := waitedFor(&b.Steps[k]); ok {
				less[k] = d / 2
				wait += d
				if cpu := b.Steps[k].Usage.CPU; cpu != nil {
					used += cpu.D()
				}
			}
		}
		saved[i] = b.Shorter(less)
		cpus[math.Round(b.build.Machine.CPUs)]++
	}
	x, ok := a.advice(Processors, ids, saved)
	if !ok || len(cpus) != 1 {
		return nil
	}
	for n, builds := range cpus {
		if x.CPUs = n; 2*builds < len(a.builds) {
			return nil // now and then a machine is busy
		}
	}
	n := time.Duration(len(a.builds))
	x.Waited, x.Used = timeline.Seconds(wait/n), timeline.Seconds(used/n)
	return []Advice{x}
}

// isStarved tells whether processors were too few in most of a build.
func (b *advised) isStarved() bool {
	m := b.build.Machine
	return m != nil && m.Window >= timeline.MinWatched && 2*m.Window >= timeline.Seconds(b.build.Duration) && m.CPUs >= 0.5 &&
		m.CPUWait != nil && *m.CPUWait >= starved && m.Steal <= mostStolen
}

// waitedFor is how long a step waited for a processor, if that is known, and if no quota made it wait.
func waitedFor(s *timeline.Step) (time.Duration, bool) {
	u := s.Usage
	if s.State != timeline.Executed || u == nil || u.CPUWait == nil || u.Throttled != nil && float64(*u.Throttled) > mostWaiting*float64(*u.CPUWait) {
		return 0, false
	}
	return min(u.CPUWait.D(), s.Duration), true
}

// idle is what it is worth most that a step used all processors, whose one thread leaves the
// others idle. Its work takes as long, but is split.
func (a *adviser) idle() []Advice {
	var best *Advice
	for _, id := range a.onPaths() {
		saved := make([]time.Duration, len(a.builds))
		var used time.Duration
		cpus := map[float64]int{}
		ran := 0
		for i := range a.builds {
			b := &a.builds[i]
			k, ok := b.at[id]
			if !ok || b.Steps[k].State != timeline.Executed {
				continue
			}
			ran++
			less, ok := b.idleBeside(k)
			if !ok {
				continue
			}
			saved[i] = b.Shorter(map[int]time.Duration{k: less})
			used += b.Steps[k].Usage.CPU.D()
			cpus[math.Round(b.build.Machine.CPUs)]++
		}
		// So it is on one kind of machine, and in most of the builds.
		if len(cpus) != 1 {
			continue
		}
		for n, builds := range cpus {
			x, ok := a.advice(Idle, []int{id}, saved)
			if x.CPUs, x.Used = n, timeline.Seconds(used/time.Duration(builds)); ok && 2*builds > ran && (best == nil || x.Saves > best.Saves) {
				best = &x
			}
		}
	}
	if best == nil {
		return nil
	}
	return []Advice{*best}
}

// idleBeside is by how much shorter a step of one thread had been on all processors that
// others leave it.
func (b *advised) idleBeside(k int) (less time.Duration, ok bool) {
	s, m := &b.Steps[k], b.build.Machine
	if s.Duration <= 0 || s.Usage == nil || s.Usage.CPU == nil || s.Usage.CPUWait == nil || s.Usage.Throttled != nil && *s.Usage.Throttled > 0 {
		return 0, false
	}
	if m == nil || m.Window < timeline.MinWatched || m.CPUs < 1.5 || m.CPUWait == nil || *m.CPUWait >= starved || m.Steal > mostStolen {
		return 0, false
	}
	took, cpu := s.Duration.Seconds(), s.Usage.CPU.D().Seconds()
	if share := cpu / took; share < oneThread || share > mostThread || s.Usage.CPUWait.D().Seconds() > mostWaiting*took {
		return 0, false
	}
	spare := m.CPUs
	for _, o := range b.Order {
		other := &b.Steps[o]
		from, to := other.Start, other.Start.Add(other.Duration)
		if from.Before(s.Start) {
			from = s.Start
		}
		if end := s.Start.Add(s.Duration); to.After(end) {
			to = end
		}
		if o == k || other.State != timeline.Executed || other.IsWait() || !to.After(from) {
			continue
		}
		busy := 1.0 // processors, where it was not measured
		if u := other.Usage; u != nil && u.CPU != nil {
			busy = u.CPU.D().Seconds() / other.Duration.Seconds()
		}
		spare -= busy * to.Sub(from).Seconds() / took
	}
	if spare <= 1 {
		return 0, false
	}
	return time.Duration((took - cpu/spare) * float64(time.Second)), true
}
