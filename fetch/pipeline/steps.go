package pipeline

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/glob"
	"github.com/buildregress/buildregress/fetch"
	"github.com/buildregress/buildregress/fetch/buildkit"
)

// The leaves of an emitter's own tree are the steps of a run, keyed "[job path] name". A
// job's time in a queue is a step of its own, and so is what lies between a job's start
// and its first step.

// What is made of one run.
const (
	maxSteps = 2000 // more than that are the work of a tool within a step
	setupGap = 2 * time.Second
)

// Names of the steps that are no spans.
const (
	waitName  = "waiting for a runner"
	setupName = "before the first step"
)

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
	steps      []detect.Step
	spans      []*span           // of each step, nil of those that are none
	leftOut    int               // skipped, never run, in the background
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
			w.leftOut++
			continue
		}
		switch {
		case w.isHidden(kid):
			kids = append(kids, w.counted(kid, level+1)...)
		case w.isSuperseded(kid):
			w.superseded++
		case w.wordOf(kid) == left && !w.isQueue(kid), kid.Start.IsZero() || kid.End.IsZero(), kid.Own[w.background] == "true":
			w.leftOut++
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
		at := w.add(w.step(kid, path, waitName, kid.Start, kid.End), kid)
		w.steps[at].Stage = detect.StageQueue
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
		w.steps[at].State, w.steps[at].Error = detect.Executed, ""
		w.steps[at].Stage = detect.StageSetup
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
	at := w.add(w.step(s, path, waitName, start, start.Add(took)), nil)
	w.steps[at].Stage, w.steps[at].State, w.steps[at].Error = detect.StageQueue, detect.Executed, ""
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
	if step := &w.steps[b.last[0]]; bad == failed && step.State == detect.Executed {
		step.State, step.Error = detect.StepFailed, "one of its shards failed"
	}
	return b
}

// label is what a span is called in a path or as a step.
func (w *walk) label(s *span, siblings map[string]bool) string {
	name := s.Name
	for _, key := range w.name1st {
		if v := s.Own[key]; v != "" && (strings.HasPrefix(name, "buildkite.") || strings.Contains(name, "/")) {
			name = v
			break
		}
	}
	if matrix := s.Own["buildkite.job.matrix"]; matrix != "" && name != s.Name {
		name += " " + matrix
	}
	if base, number, ok := cutLast(name, "-"); w.suffix && ok && siblings[base] {
		if n, err := strconv.Atoi(number); err == nil && n > 0 && n < maxSteps {
			name = base
		}
	}
	return clean(w.trimmed(name))
}

// isDropped tells whether a span is of a level that is part of no path.
func (e *emitter) isDropped(s *span) bool {
	if e.shards != nil && e.shards.NumSubexp() == 2 && e.shards.MatchString(s.Name) {
		return true // the one shard that there is
	}
	return slices.Contains(e.dropped, s.Name) || e.droppedBy != "" && s.Own[e.droppedBy] != ""
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i > 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// clean makes a name fit to be stored and shown.
func clean(text string) string {
	if text = fetch.Clean(strings.Join(strings.Fields(text), " "), 200); text == "" {
		return "unnamed"
	}
	return text
}

// stageOf is the stage of a job's steps: what builders call phases has a meaning that a job
// of that name has not.
func stageOf(job string) string {
	switch job {
	case detect.StagePull, detect.StageUnpack, detect.StageInternal, detect.StageExport, detect.StageWait, detect.StageQueue, detect.StageSetup, "push":
		return "job " + job
	}
	if strings.HasPrefix(job, "cache") {
		return "job " + job
	}
	return job
}

// key is the identity of a step. Names are many times the same.
func (w *walk) key(stage, name string) string {
	const none = "[-] "
	key, known := w.keys[name]
	if !known {
		key = dockerfile.Key("", "", name)
		w.keys[name] = key
	}
	if stage == "" {
		return key
	}
	return "[" + stage + "] " + strings.TrimPrefix(key, none)
}

// step makes a step of a span.
func (w *walk) step(s *span, path []string, name string, start, end time.Time) detect.Step {
	stage := strings.Join(path, " / ")
	step := detect.Step{Name: name, Stage: stageOf(stage), Key: w.key(stage, name), Start: start, Duration: end.Sub(start)}
	switch word := w.wordOf(s); {
	case w.isCached(s):
		step.State = detect.Cached
	case word == failed:
		step.State, step.Error = detect.StepFailed, fetch.Clean(cmp.Or(s.Message, "failed"), buildkit.MaxName)
	case word == stopped:
		step.State, step.Error = detect.Interrupted, "it was cancelled"
	}
	if step.Duration < 0 || step.Duration > buildkit.MaxDuration {
		step.Duration, step.State, step.Error = 0, detect.Interrupted, "it ended before it began, by the clock of its source"
		w.odd++
	}
	if name == waitName && step.State != detect.Interrupted {
		step.State, step.Error = detect.Executed, ""
	}
	return step
}

// add adds a step, and returns its place.
func (w *walk) add(step detect.Step, s *span) int {
	step.ID = strconv.Itoa(len(w.steps) + 1)
	w.steps = append(w.steps, step)
	w.spans = append(w.spans, s)
	return len(w.steps) - 1
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
		job, _, _ := strings.Cut(strings.TrimPrefix(w.steps[i].Key, "["), "] ")
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
