package pipeline

import (
	"slices"
	"strconv"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// The leaves of an emitter's own tree are the steps of a run, keyed "[job path] name". A
// job's time in a queue is a step of its own, and so is what lies between a job's start
// and its first step.

// What is made of one run.
const (
	maxSteps = 2000 // more than that are the work of a tool within a step
	setupGap = 2 * time.Second
)

// WaitName is what the time is called that a job waited for a machine.
const WaitName = "waiting for a runner"

const setupName = "before the first step" // of a job

// A block is a part of a run, a step or a job: its steps, and those of them that begin it
// and end it.
type block struct {
	start, end  time.Time
	first, last []int // of the walk's steps
}

// A walk gathers the steps of a run.
type walk struct {
	*run
	depth      int // levels that are looked at
	resolution time.Duration
	steps      []timeline.Step
	spans      []*span           // of each step, nil of those that are none
	superseded int               // run again
	odd        int               // end before they begin
	beyond     int               // more than are looked at
	keys       map[string]string // what names become in keys
}

// walkRun gathers the steps, of so many levels that there are not too many.
func (r *run) walkRun(resolution time.Duration) *walk {
	w := &walk{run: r, depth: r.levels(), resolution: resolution, keys: map[string]string{}}
	w.container(r.root, nil, 0)
	w.steps = w.steps[:min(len(w.steps), maxSteps)]
	return w
}

// container adds the steps of a level, and tells what block they are. level counts from
// the root, which is 0.
func (w *walk) container(s *span, path []string, level int) (b block) {
	b = block{start: s.Start, end: s.End}
	kids := w.counted(s, level)
	waited := s.Start // until then it had no machine
	var work []*span
	for _, kid := range kids {
		if !w.isQueue(kid) {
			work = append(work, kid)
			continue
		}
		at := w.add(w.step(kid, path, WaitName, kid.Start, kid.End), kid)
		w.steps[at].Stage = timeline.StageQueue
		if kid.End.After(waited) {
			waited = kid.End
		}
		b.first = append(b.first, at)
		work = append(work, w.counted(kid, level+1)...) // as receivers before 0.144 hung them
	}
	if level > 0 && len(b.first) == 0 {
		waited = w.addWait(s, path, &b)
	}
	slices.SortStableFunc(work, (*span).compare)
	if len(work) == 0 {
		if level == 0 {
			return b
		}
		w.leaf(s, path, waited, &b)
		return b
	}
	entry := b.first // what the first of the work waits for
	if gap := work[0].Start.Sub(waited); level > 0 && gap > setupGap && gap > w.resolution {
		at := w.add(w.step(s, path, setupName, waited, work[0].Start), nil)
		w.steps[at].State, w.steps[at].Error = timeline.Executed, ""
		w.steps[at].Stage = timeline.StageSetup
		w.link([]int{at}, entry)
		if len(b.first) == 0 {
			b.first = []int{at}
		}
		entry = []int{at}
	}
	w.sequence(work, path, level, entry, &b)
	return b
}

// addWait adds the time that a job waited, as its attributes tell, and returns when it had
// a machine.
func (w *walk) addWait(s *span, path []string, b *block) time.Time {
	took := w.waitedFor(s)
	start := s.Start
	if !w.waitInside {
		start = s.Start.Add(-took)
		if start.Before(w.root.Start) {
			start, took = w.root.Start, max(0, s.Start.Sub(w.root.Start))
		}
	} else if took > s.End.Sub(s.Start) {
		took = max(0, s.End.Sub(s.Start))
	}
	if took == 0 {
		return s.Start
	}
	at := w.add(w.step(s, path, WaitName, start, start.Add(took)), nil)
	w.steps[at].Stage, w.steps[at].State, w.steps[at].Error = timeline.StageQueue, timeline.Executed, ""
	b.first, b.start = append(b.first, at), start
	return start.Add(took)
}

// sequence adds parts that stand beside each other: each waits for that which ended last
// before it began.
func (w *walk) sequence(work []*span, path []string, level int, entry []int, b *block) {
	var blocks []block
	names := map[string]int{}
	byName := map[string]bool{}
	for _, kid := range work {
		byName[kid.Name] = true
	}
	for _, group := range w.grouped(work) {
		kid := group[0]
		label := w.label(kid, byName)
		if len(group) > 1 {
			label = w.shardOf(kid)
		}
		dropped := w.isDropped(kid)
		if !dropped {
			names[label]++
			if n := names[label]; n > 1 {
				label += " #" + strconv.Itoa(n)
			}
		}
		var inner block
		below := slices.Clone(path)
		if stage := kid.Own[w.stage]; stage != "" && w.stage != "" {
			below = append(below, clean(stage))
		}
		if !dropped {
			below = append(below, label)
		}
		switch {
		case len(group) > 1:
			inner = w.merged(group, below)
		case dropped && level+1 < w.depth:
			inner = w.container(kid, path, level+1)
		default:
			inner = w.container(kid, below, level+1)
		}
		inputs := w.before(inner.start, blocks, entry)
		w.link(inner.first, inputs)
		if len(inputs) == 0 {
			b.first = append(b.first, inner.first...)
		}
		blocks = append(blocks, inner)
	}
	b.last = w.endOf(blocks)
}

// before are the steps that end what ended last before a time, or else those of entry.
func (w *walk) before(start time.Time, blocks []block, entry []int) []int {
	limit := start.Add(w.resolution)
	var last *block
	for i := range blocks {
		if o := &blocks[i]; len(o.last) > 0 && !o.end.After(limit) && o.start.Before(start.Add(1)) && (last == nil || !o.end.Before(last.end)) {
			last = o
		}
	}
	if last == nil {
		return entry
	}
	return last.last
}

// endOf are the steps with which the last of some blocks ended.
func (w *walk) endOf(blocks []block) []int {
	var last *block
	for i := range blocks {
		if o := &blocks[i]; len(o.last) > 0 && (last == nil || !o.end.Before(last.end)) {
			last = o
		}
	}
	if last == nil {
		return nil
	}
	return last.last
}

func (w *walk) link(steps, inputs []int) {
	for _, at := range steps {
		for _, in := range inputs {
			if in != at {
				w.steps[at].Inputs = append(w.steps[at].Inputs, w.steps[in].ID)
			}
		}
	}
}

// leaf adds a step. A job that has none is one itself.
func (w *walk) leaf(s *span, path []string, since time.Time, b *block) {
	name := path[len(path)-1]
	job := path[:len(path)-1]
	if len(job) == 0 {
		job = path
	}
	step := w.step(s, job, name, since, s.End)
	at := w.add(step, s)
	w.link([]int{at}, b.first)
	if len(b.first) == 0 {
		b.first = []int{at}
	}
	b.last = []int{at}
}
