package timeline

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// minTolerance is how far a step may begin before one that it waited for has ended: the
// clocks of a build's events are that uneven. A coarser clock allows for more.
const minTolerance = 10 * time.Millisecond

// What decided how long a build took is told by the critical path method. Steps are the
// nodes of a graph of what waited for what: as the source says, or else as stages and
// "COPY --from" suggest. The critical path is followed back from the step that ended last,
// each time to the input that ended last; the slack of a step is how much later it could
// have ended without delaying any other. All comparisons of times allow for a tolerance.

// A Graph is what each step of one build waited for.
type Graph struct {
	Steps  []Step
	Inputs [][]int // indices of the steps waited for
	// Linked tells whether the source said so; else inputs are guessed from
	// stages and "COPY --from".
	Linked bool
	// Parts are the steps whose time is within that of this one, such as the pull of its
	// image. Nothing else waits for them.
	Parts     [][]int
	Timed     bool // the steps have start times
	tolerance time.Duration
}

var fromStage = regexp.MustCompile(`(?:--from=|,from=|^FROM )([\w.-]+)`)

// NewGraph finds what each step of a build waited for.
func NewGraph(build *Build) *Graph {
	g := &Graph{Steps: build.Steps, Inputs: make([][]int, len(build.Steps)), Parts: make([][]int, len(build.Steps)), tolerance: max(minTolerance, build.Resolution)}
	byID := map[string]int{}
	for i := range g.Steps {
		if g.Steps[i].ID != "" {
			byID[g.Steps[i].ID] = i
		}
		g.Timed = g.Timed || !g.Steps[i].Start.IsZero()
	}
	for i := range g.Steps {
		for _, id := range g.Steps[i].Inputs {
			at, ok := byID[id]
			switch {
			case !ok || at == i:
			case g.Steps[at].IsPart():
				g.Parts[i] = append(g.Parts[i], at)
			default:
				g.Inputs[i] = append(g.Inputs[i], at)
				g.Linked = g.Linked || !g.Steps[at].IsWait()
			}
		}
	}
	if !g.Linked {
		g.guess()
	}
	return g
}

// guess takes as inputs of an instruction the one before it in its stage, and the
// last one of each stage that it copies from.
func (g *Graph) guess() {
	type stage struct{ platform, name string }
	last := map[stage]int{}
	order := make([]int, 0, len(g.Steps))
	for i := range g.Steps {
		if g.Steps[i].Index > 0 {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(x, y int) int { return g.Steps[x].Index - g.Steps[y].Index })
	previous := map[stage]int{}
	for _, i := range order {
		s := &g.Steps[i]
		at := stage{s.Platform, s.Stage}
		if p, ok := previous[at]; ok && s.Stage != "" {
			g.Inputs[i] = append(g.Inputs[i], p)
		}
		previous[at], last[at] = i, i
	}
	for _, i := range order {
		s := &g.Steps[i]
		text := s.Key[strings.IndexByte(s.Key, ']')+1:]
		if !strings.Contains(text, "from=") && !strings.Contains(text, "FROM ") {
			continue // hardly any does
		}
		for _, m := range fromStage.FindAllStringSubmatch(strings.TrimSpace(text), -1) {
			if from, ok := last[stage{s.Platform, m[1]}]; ok && from != i {
				g.Inputs[i] = append(g.Inputs[i], from)
			}
		}
	}
	for i := range g.Steps { // a wait waits for what the step does
		for _, at := range g.Inputs[i] {
			if g.Steps[at].IsWait() {
				g.Inputs[at] = slices.DeleteFunc(slices.Clone(g.Inputs[i]), func(in int) bool { return in == at })
			}
		}
	}
}

// Ancestors calls visit for everything that step i waited for, each once, nearest
// first, and goes no further up where visit returns false.
func (g *Graph) Ancestors(i int, visit func(int) bool) {
	seen := map[int]bool{i: true}
	queue := slices.Clone(g.Inputs[i])
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		if seen[at] {
			continue
		}
		seen[at] = true
		if visit(at) {
			queue = append(queue, g.Inputs[at]...)
		}
	}
}

func (g *Graph) end(i int) time.Time { return g.Steps[i].Start.Add(g.Steps[i].Duration) }

// CriticalPath returns the chain of steps that decided when the build ended, the
// last one first: each is the one that the next was last to wait for. It is
// empty if the steps have no times.
func (g *Graph) CriticalPath() []int {
	if !g.Timed {
		return nil
	}
	var work []int // by end, latest first
	for i := range g.Steps {
		// What was found in the cache at once decides nothing.
		if s := &g.Steps[i]; !s.IsPart() && !s.Start.IsZero() && (s.State == Executed && s.Duration > 0 || s.State == Cached && s.Duration > g.tolerance) {
			work = append(work, i)
		}
	}
	slices.SortStableFunc(work, func(x, y int) int { return g.end(y).Compare(g.end(x)) })
	var path []int
	for len(work) > 0 {
		i := work[0]
		path = append(append(path, i), g.Parts[i]...)
		work = work[1:]
		if next := g.lastInput(i); next >= 0 {
			if at := slices.Index(work, next); at >= 0 {
				work = work[at:]
				continue
			}
		}
		// Nothing that is known to be waited for: whatever ended last before it.
		limit := g.Steps[i].Start.Add(g.tolerance)
		for len(work) > 0 && (g.end(work[0]).After(limit) || g.Steps[work[0]].Start.After(g.Steps[i].Start)) {
			work = work[1:]
		}
	}
	return path
}

// lastInput returns the step that step i was last to wait for, looking through
// those that took no time; -1 if none is known, or if it ended so long before
// that something unknown came between.
func (g *Graph) lastInput(i int) int {
	best := -1
	g.Ancestors(i, func(at int) bool {
		if g.Steps[at].Duration == 0 || g.Steps[at].Start.IsZero() {
			return true
		}
		if !g.end(at).After(g.Steps[i].Start.Add(g.tolerance)) && (best < 0 || g.end(at).After(g.end(best))) {
			best = at
		}
		return false
	})
	const gap = 100 * time.Millisecond
	if best >= 0 && g.Steps[i].Start.Sub(g.end(best)) > max(gap, g.tolerance) {
		return -1
	}
	return best
}

// consumers returns for each step the indices of those that waited for it.
func (g *Graph) consumers() [][]int {
	consumers := make([][]int, len(g.Steps))
	for i := range g.Inputs {
		for _, in := range g.Inputs[i] {
			consumers[in] = append(consumers[in], i)
		}
	}
	return consumers
}

// waitedFor tells of each step whether it waited for step i, by itself or through
// others.
func (g *Graph) waitedFor(i int) []bool {
	consumers := g.consumers()
	waited := make([]bool, len(g.Steps))
	for queue := []int{i}; len(queue) > 0; {
		at := queue[0]
		queue = queue[1:]
		for _, c := range consumers[at] {
			if !waited[c] {
				waited[c] = true
				queue = append(queue, c)
			}
		}
	}
	return waited
}

// Downstream tells of each step whether it would have begun later if step number i had
// ended later: those that waited for it, by themselves or through others; where the
// source does not tell what waited for what, all that began after its end.
func (b *Build) Downstream(i int) []bool {
	g := NewGraph(b)
	downstream := g.waitedFor(i)
	end := g.end(i).Add(-g.tolerance)
	for k := range downstream {
		s := &g.Steps[k]
		downstream[k] = k != i && !s.Start.IsZero() && !s.Start.Before(end) && (!g.Linked || downstream[k])
	}
	return downstream
}

// Slack returns for each step how much longer it could have taken without any
// other step beginning later; 0 where the source does not tell what waited for it.
func (g *Graph) Slack(end time.Time) []time.Duration {
	slack := make([]time.Duration, len(g.Steps))
	if !g.Linked || !g.Timed {
		return slack
	}
	consumers := g.consumers()
	const unknown, busy = -1, -2
	for i := range slack {
		slack[i] = unknown
	}
	var of func(i int) time.Duration
	of = func(i int) time.Duration {
		if slack[i] != unknown {
			return max(slack[i], 0) // a cycle ends here
		}
		slack[i] = busy
		free := max(0, end.Sub(g.end(i)))
		for _, c := range consumers[i] {
			if !g.Steps[c].Start.IsZero() {
				free = min(free, max(0, g.Steps[c].Start.Sub(g.end(i)))+of(c))
			}
		}
		slack[i] = free
		return free
	}
	for i := range slack {
		if g.Steps[i].Start.IsZero() {
			slack[i] = 0
		} else {
			of(i)
		}
	}
	for i, parts := range g.Parts {
		for _, part := range parts {
			slack[part] = slack[i]
		}
	}
	return slack
}
