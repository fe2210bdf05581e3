package pipeline

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/glob"
)

// What of a tree counts: levels, attempts, jobs.

// levels is how many levels have no more steps than are taken together.
func (r *run) levels() int {
	var spans, leaves [deepest + 1]int
	var count func(s *span, level int)
	count = func(s *span, level int) {
		spans[level]++
		isLeaf := true
		for _, kid := range s.kids {
			if level < deepest && r.isOwn(kid) {
				isLeaf = false
				count(kid, level+1)
			}
		}
		if isLeaf {
			leaves[level]++
		}
	}
	count(r.root, 0)
	above := 0
	for level := range deepest {
		if level > 1 && above+spans[level] > maxSteps/2 { // waits are steps as well
			return level - 1
		}
		above += leaves[level]
	}
	return deepest
}

// counted are the kids that are parts of a level: the emitter's own that were not left out.
func (w *walk) counted(s *span, level int) (kids []*span) {
	if level >= w.depth {
		return nil
	}
	for _, kid := range s.kids {
		if !w.isOwn(kid) {
			continue
		}
		if w.foreign != nil && w.foreign.MatchString(kid.Name) {
			continue
		}
		switch {
		case w.isHidden(kid):
			kids = append(kids, w.counted(kid, level+1)...)
		case w.isSuperseded(kid):
			w.superseded++
		case w.wordOf(kid) == left && !w.isQueue(kid), kid.Start.IsZero() || kid.End.IsZero(), kid.Own[w.background] == "true":
			// skipped, never run, or beside the others
		default:
			kids = append(kids, kid)
		}
	}
	slices.SortStableFunc(kids, (*span).compare)
	if over := len(kids) - maxSteps; over > 0 {
		kids, w.beyond = kids[:maxSteps], w.beyond+over
	}
	return w.withoutAttempts(kids)
}

func (e *emitter) isHidden(s *span) bool {
	return slices.ContainsFunc(e.hidden, func(key string) bool { return s.Own[key] == "true" })
}

// isSuperseded tells whether something was run again, or is of an earlier attempt at all:
// it ended before this one began.
func (w *walk) isSuperseded(s *span) bool {
	if slices.ContainsFunc(w.emitter.superseded, func(key string) bool { return s.Own[key] != "" }) {
		return true
	}
	const clocks = 2 * time.Second // by which GitHub's times contradict each other
	return !s.End.IsZero() && s.End.Before(w.root.Start.Add(-clocks))
}

// withoutAttempts leaves out all attempts at a step but the last.
func (w *walk) withoutAttempts(kids []*span) []*span {
	newest := map[string]int{}
	number := func(s *span) int { n, _ := strconv.Atoi(s.Own[w.again]); return n }
	again := w.again != ""
	rerun := func(s *span) string { return s.Own["com.circleci.workflow.rerun"] }
	for _, kid := range kids {
		if again {
			newest[kid.Name] = max(newest[kid.Name], number(kid))
		}
	}
	return slices.DeleteFunc(kids, func(kid *span) bool {
		old := again && number(kid) < newest[kid.Name]
		if !old && again && rerun(kid) == "false" { // a workflow, beside one that ran it again
			old = slices.ContainsFunc(kids, func(other *span) bool {
				return other != kid && other.Name == kid.Name && rerun(other) == "true" && other.Start.After(kid.Start)
			})
		}
		if old {
			w.superseded++
		}
		return old
	})
}

// chosen leaves the steps of the jobs that the glob names, and tells when they ran.
func (w *walk) chosen() (start, end time.Time) {
	if w.jobs == "" {
		return w.root.Start, w.root.End
	}
	pattern := glob.Pattern(w.jobs)
	kept := w.steps[:0]
	var spans []*span
	for i := range w.steps {
		job, name, _ := strings.Cut(strings.TrimPrefix(w.steps[i].Key, "["), "] ")
		if w.stage != "" && name != WaitName { // a step is a job, listed flat
			job += " / " + name
		}
		if !pattern.Match(job) && !slices.ContainsFunc(strings.Split(job, " / "), pattern.Match) {
			continue
		}
		s := w.steps[i]
		if start.IsZero() || s.Start.Before(start) {
			start = s.Start
		}
		if e := s.Start.Add(s.Duration); e.After(end) {
			end = e
		}
		kept, spans = append(kept, s), append(spans, w.spans[i])
	}
	w.steps, w.spans = kept, spans
	return start, end
}

// warnings tell what was left out, and what is odd.
func (w *walk) warnings() (list []error) {
	tell := func(n int, what string) {
		if n > 0 {
			list = append(list, fmt.Errorf("%s: %d %s", w.pipeline(), n, what))
		}
	}
	tell(w.superseded, "that ran again are left out: the last attempt counts")
	tell(w.beyond, "beyond the first "+strconv.Itoa(maxSteps)+" are left out")
	tell(w.odd, "ended before they began, by the clock of their source: they are not judged")
	return list
}
