package pipeline

import (
	"strconv"

	"github.com/buildregress/buildregress/detect/timeline"
)

// Shards are parts of one job that its emitter numbers: they are one step.

// grouped puts the shards together that the emitter numbered; all others are alone.
func (w *walk) grouped(work []*span) (groups [][]*span) {
	of := map[string][]*span{}
	for _, s := range work {
		if name := w.shardOf(s); name != "" {
			of[name] = append(of[name], s)
		}
	}
	for _, s := range work {
		name := w.shardOf(s)
		all := of[name]
		switch {
		case name == "" || len(all) == 1 || !w.areAllShards(all):
			groups = append(groups, []*span{s})
		case all[0] == s:
			groups = append(groups, all)
		}
	}
	return groups
}

// shardOf is the name that a span shares with the other shards, "" if it is none.
func (w *walk) shardOf(s *span) string {
	if w.parallel != "" && s.Name == w.parallel {
		return w.label(s, nil)
	}
	if w.shards == nil {
		return ""
	}
	m := w.shards.FindStringSubmatch(w.trimmed(s.Name))
	if m == nil {
		return ""
	}
	return m[1]
}

// areAllShards tells whether all that were numbered are there, where it is told how many
// those are: else an author may have called them so.
func (w *walk) areAllShards(all []*span) bool {
	if w.shards == nil {
		return true
	}
	seen := map[string]bool{}
	for _, s := range all {
		m := w.shards.FindStringSubmatch(w.trimmed(s.Name))
		if len(m) > 3 && m[3] != strconv.Itoa(len(all)) || seen[m[2]] {
			return false
		}
		seen[m[2]] = true
	}
	return true
}

// merged adds the longest of some shards as one step: what each of them does may be
// another part of the work in every run.
func (w *walk) merged(group []*span, path []string) (b block) {
	longest := group[0]
	b = block{start: group[0].Start, end: group[0].End}
	bad := word(unsaid)
	for _, s := range group {
		if s.End.Sub(s.Start) > longest.End.Sub(longest.Start) {
			longest = s
		}
		if s.End.After(b.end) {
			b.end = s.End
		}
		bad = max(bad, w.wordOf(s))
	}
	since := w.addWait(longest, path, &b)
	w.leaf(longest, path, since, &b)
	if step := &w.steps[b.last[0]]; bad == failed && step.State == timeline.Executed {
		step.State, step.Error = timeline.StepFailed, "one of its shards failed"
	}
	return b
}
