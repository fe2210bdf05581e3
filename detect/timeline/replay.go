package timeline

import (
	"cmp"
	"slices"
	"time"
)

// What a build would have taken without a step is told by replaying its schedule: each step
// begins as long after the last of those that it waited for as it did, and takes as long as
// it took. The share of the critical path does not tell that: what ran beside it remains.

// A Schedule is one build whose steps are laid out in time, to be replayed. Times are after
// the first start. A part of another step is within that one's time.
type Schedule struct {
	*Graph
	from   time.Time
	Order  []int   // of the steps that took time, as they began
	byEnd  []int   // the same, as they ended
	Waits  [][]int // by step: those of order that it waited for, and that had ended
	behind []bool  // of each step: it began with the end of what ended last before it, too
}

// NewSchedule lays out a build; nil if its source does not say when steps began.
func NewSchedule(b *Build) *Schedule {
	s := &Schedule{Graph: NewGraph(b)}
	if !s.Timed {
		return nil
	}
	counts := make([]bool, len(b.Steps))
	for i := range b.Steps {
		step := &b.Steps[i]
		if step.IsPart() || step.Start.IsZero() || !(step.State == Executed && step.Duration > 0 || step.State == Cached && step.Duration > s.tolerance) {
			continue
		}
		counts[i] = true
		s.Order = append(s.Order, i)
		if s.from.IsZero() || step.Start.Before(s.from) {
			s.from = step.Start
		}
	}
	if len(s.Order) == 0 {
		return nil
	}
	s.byEnd = slices.Clone(s.Order)
	slices.SortStableFunc(s.Order, func(x, y int) int { return cmp.Or(s.Steps[x].Start.Compare(s.Steps[y].Start), cmp.Compare(x, y)) })
	slices.SortStableFunc(s.byEnd, func(x, y int) int { return cmp.Or(s.end(x).Compare(s.end(y)), cmp.Compare(x, y)) })
	s.Waits, s.behind = make([][]int, len(b.Steps)), make([]bool, len(b.Steps))
	const gap = 100 * time.Millisecond // as in lastInput
	place := make([]int, len(b.Steps))
	for n, i := range s.Order {
		place[i] = n
	}
	for n, i := range s.Order {
		start := s.Steps[i].Start
		var last time.Time
		s.Ancestors(i, func(at int) bool {
			if !counts[at] {
				return true // it took no time: what it waited for counts
			}
			if place[at] < n && !s.end(at).After(start.Add(s.tolerance)) {
				s.Waits[i] = append(s.Waits[i], at)
				if s.end(at).After(last) {
					last = s.end(at)
				}
			}
			return false
		})
		// Something unknown came between: it may have been whatever ended last.
		s.behind[i] = len(s.Waits[i]) == 0 || start.Sub(last) > max(gap, s.tolerance)
	}
	return s
}

// A what is what is different in a replay.
type what struct {
	less   map[int]time.Duration // by how much less a step takes, at most all of it
	beside map[int]int           // a step begins when another one does, for which it had waited
}

// A replayed is a schedule that was replayed.
type replayed struct {
	saved time.Duration // by how much earlier the last step ended, 0 or more
	last  int           // the step that ended last
	by    []int         // of each step, the one that decided when it began, -1 for none
}

// replay replays a schedule. Each step begins no later than it did.
func (s *Schedule) replay(w what) replayed {
	r := replayed{last: -1, by: make([]int, len(s.Steps))}
	ends := make([]time.Duration, len(s.Steps))
	done := make([]bool, len(s.Steps))
	at := func(t time.Time) time.Duration { return t.Sub(s.from) }
	ended, before, latest := 0, -1, time.Duration(0) // the last of those that had ended
	var whole, now time.Duration
	for _, i := range s.Order {
		start := at(s.Steps[i].Start)
		for ended < len(s.byEnd) && done[s.byEnd[ended]] && at(s.end(s.byEnd[ended])) <= start+s.tolerance {
			e := s.byEnd[ended]
			if latest = max(latest, at(s.end(e))); before < 0 || ends[e] > ends[before] {
				before = e
			}
			ended++
		}
		begins, by := time.Duration(0), -1
		after := func(waits []int, skip int) {
			var was time.Duration
			last := -1
			for _, p := range waits {
				was = max(was, at(s.end(p)))
				if p != skip && (last < 0 || ends[p] > ends[last]) {
					last = p
				}
			}
			if last >= 0 && ends[last]+start-was > begins {
				begins, by = ends[last]+start-was, last
			}
		}
		other, isBeside := w.beside[i]
		switch {
		case isBeside:
			begins, by = ends[other]-s.took(other, w)+max(start-at(s.end(other)), 0), other
			after(s.Waits[i], other)
		default:
			after(s.Waits[i], -1)
			if s.behind[i] {
				if before < 0 {
					begins, by = start, -1
				} else if b := ends[before] + start - latest; b > begins {
					begins, by = b, before
				}
			}
		}
		// What waits for a step still waits for the one that this had waited for.
		for _, p := range s.Waits[i] {
			if q, ok := w.beside[p]; ok && ends[q] > begins {
				begins, by = ends[q], q
			}
		}
		begins = min(begins, start)
		ends[i], r.by[i], done[i] = begins+s.took(i, w), by, true
		if whole = max(whole, at(s.end(i))); r.last < 0 || ends[i] > now {
			now, r.last = ends[i], i
		}
	}
	r.saved = max(whole-now, 0)
	return r
}

func (s *Schedule) took(i int, w what) time.Duration {
	return max(s.Steps[i].Duration-w.less[i], 0)
}

// Without is what the build would have been shorter if these steps had taken no time.
func (s *Schedule) Without(steps ...int) time.Duration {
	less := map[int]time.Duration{}
	for _, i := range steps {
		less[i] = s.Steps[i].Duration
	}
	return s.Shorter(less)
}

// Shorter is what the build would have been shorter if each of these steps had taken so much
// less time, at most all of its own.
func (s *Schedule) Shorter(less map[int]time.Duration) time.Duration {
	return s.replay(what{less: less}).saved
}

// Abreast is what the build would have been shorter if the second step, which waited for the
// first, had begun with it: no more than the shorter of them took, as what lay between them
// may remain.
func (s *Schedule) Abreast(first, second int) time.Duration {
	saved := s.replay(what{beside: map[int]int{second: first}}).saved
	return max(min(saved, s.Steps[first].Duration, s.Steps[second].Duration), 0)
}

// Remaining is the longest step that decides when the build ends if those that are free take
// no time, -1 if there is none.
func (s *Schedule) Remaining(free map[int]bool) int {
	less := map[int]time.Duration{}
	for i := range free {
		less[i] = s.Steps[i].Duration
	}
	r := s.replay(what{less: less})
	longest := -1
	for i, n := r.last, 0; i >= 0 && n <= len(s.Order); i, n = r.by[i], n+1 {
		if !free[i] && !s.Steps[i].IsWait() && (longest < 0 || s.Steps[i].Duration > s.Steps[longest].Duration) {
			longest = i
		}
	}
	return longest
}
