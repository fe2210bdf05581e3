package detect

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/glob"
	"github.com/buildregress/buildregress/detect/stepname"
)

// Where it would pay to work: what would make builds faster, and how much at most. It is
// reckoned by replaying the newest builds, and no more is promised than the replay gives.
// Nothing is judged, and nothing fails.

// An Advice is something that would make builds faster.
type Advice struct {
	Kind  AdviceKind `json:"kind"`
	Steps []string   `json:"steps"` // keys of the steps that it is about, the most important first
	Names []string   `json:"names"` // the same, as the newest build shows them
	// Saves is by how much a build would be shorter on average, Share what part of its
	// duration that is, and PerWeek what it is for all builds of a week: 0 if it is not
	// known how many these are.
	Saves   Seconds `json:"saves_seconds"`
	Share   float64 `json:"share"`
	PerWeek Seconds `json:"saves_seconds_per_week,omitempty"`
	Builds  int     `json:"builds"` // that were replayed
	Ran     int     `json:"ran"`    // in how many of them one of the steps ran
	// OnPath is the share of the builds' durations that the steps had on the critical path.
	OnPath float64 `json:"path_share"`
	// Took is how long the steps took where they ran, on average, and Bytes what they moved
	// then: 0 where it is not known.
	Took  Seconds `json:"took_seconds"`
	Bytes int64   `json:"bytes,omitempty"`
	// Alone is what each step saves by itself, of AdviceTogether.
	Alone []Seconds `json:"alone_seconds,omitempty"`
	// With and Without are the median durations of builds in which the steps ran and did
	// not, and Reads the paths that the first one reads: of AdviceMisses.
	With    Seconds  `json:"with_seconds,omitempty"`
	Without Seconds  `json:"without_seconds,omitempty"`
	Reads   []string `json:"reads,omitempty"`
}

// An AdviceKind says what would have to be different.
type AdviceKind string

const (
	AdviceStep     AdviceKind = "step"     // a step would take no time
	AdviceTogether AdviceKind = "together" // several would, of which one alone gains little: they run beside each other
	AdviceMisses   AdviceKind = "misses"   // steps would be found in the cache each time
	AdviceTransfer AdviceKind = "transfer" // what is written, pushed or fetched would take no time
	AdviceContext  AdviceKind = "context"  // the build context would take no time
	AdviceSeries   AdviceKind = "series"   // two steps would run beside each other, if neither needs the other
)

// AdviceKinds are all of them.
var AdviceKinds = []AdviceKind{AdviceStep, AdviceTogether, AdviceMisses, AdviceTransfer, AdviceContext, AdviceSeries}

// A Dismissal says that an advice is not wanted.
type Dismissal struct {
	Step glob.Pattern // as of a Rule
	Kind AdviceKind   // "" for any
	Why  string
	From string // where it stands, for people
}

// What is told is worth it, and holds: it was so in the older and in the newer half of the
// builds that were replayed.
const (
	maxAdvice      = 3
	minAdviceShare = 0.02 // of the builds' durations, and Thresholds.MinDelta
	minReplayed    = 10   // builds
	minMisses      = 3    // in which a step was not found in the cache, and in which it was
	// maxTogether is how many steps an advice of the kind is about at most; fewer look free
	// if one of them is the others' equal.
	maxTogether = 4
	gainsLittle = 3 // times as much together as each by itself
	// unusual bounds what one build says: so many times the median of those that say anything.
	unusual = 2
)

// Advise tells where it would pay to work, from the builds that Follow told the course of.
func (c *Course) Advise(builds []Build, p Policy) {
	c.Advice = []Advice{}
	newest := slices.Clone(builds)
	slices.SortStableFunc(newest, func(a, b Build) int { return cmp.Or(b.Start.Compare(a.Start), cmp.Compare(b.ID, a.ID)) })
	n := min(len(newest), RecentBuilds)
	if levels := c.WallClock.Levels; len(levels) > 1 { // what was before the last change is past
		n = min(n, len(newest)-c.WallClock.Points[levels[len(levels)-1].Point].Build)
	}
	if n < minReplayed {
		return
	}
	last, rest := withoutSalt(&newest[0], &History{Base: newest[1:n]})
	newest = append([]Build{*last}, rest.Base...)
	alignment := align(newest, nil)
	a := &adviser{thresholds: p.Thresholds.orDefaults(), perWeek: c.perWeek()}
	newer := map[*track]*track{}
	for _, t := range alignment.order {
		if t.older != nil {
			newer[t.older] = t
		}
	}
	at := map[*track]int{}
	for i := range newest {
		of := make([]int, len(newest[i].Steps))
		seen := map[int]bool{}
		for k, t := range alignment.base[i].tracks {
			for range len(alignment.order) {
				if newer[t] == nil {
					break
				}
				t = newer[t]
			}
			id, known := at[t]
			if !known {
				s := &newest[i].Steps[k]
				id = len(a.steps)
				at[t] = id
				a.steps = append(a.steps, stepname.Name{Key: s.Key, Name: s.Name})
			}
			if of[k] = id; seen[id] {
				of[k] = -1 // a second one of the same, which nothing tells apart
			}
			seen[id] = true
		}
		a.add(&newest[i], of)
	}
	slices.Reverse(a.builds)
	c.Advice = a.best(p.Dismiss)
}

// perWeek is how many builds a week has lately, 0 if that is not known.
func (c *Course) perWeek() float64 {
	const week, weeks = 7 * 24 * time.Hour, 4
	if len(c.Builds) == 0 {
		return 0
	}
	last := c.Builds[len(c.Builds)-1].Start
	span := min(last.Sub(c.Builds[0].Start), weeks*week)
	if span < week || c.Builds[0].Start.IsZero() {
		return 0
	}
	n := 0
	for i := range c.Builds {
		if last.Sub(c.Builds[i].Start) < span {
			n++
		}
	}
	return float64(n) / (float64(span) / float64(week))
}

// AdviseOne tells where it would have paid in one build: what that is worth in others is
// not known.
func AdviseOne(b *Build, p Policy) []Advice {
	a := &adviser{thresholds: p.Thresholds.orDefaults(), single: true}
	of := make([]int, len(b.Steps))
	for i := range b.Steps {
		of[i] = i
		a.steps = append(a.steps, stepname.Name{Key: b.Steps[i].Key, Name: b.Steps[i].Name})
	}
	if b.Outcome == OK {
		a.add(b, of)
	}
	return a.best(p.Dismiss)
}

// An adviser has the builds that are replayed, oldest first.
type adviser struct {
	builds     []advised
	steps      []stepname.Name // by the number that adviser and advised have for a step
	thresholds Thresholds
	perWeek    float64 // builds, 0 if not known
	single     bool    // one build is all there is
}

// An advised is a build that is replayed.
type advised struct {
	*schedule
	build  *Build
	at     map[int]int // of each step of the adviser: its index in the build
	of     []int       // the other way round; -1 for none
	onPath []Seconds   // of each step of the build
}

func (a *adviser) add(b *Build, of []int) {
	s := scheduleOf(b)
	if s == nil || b.Duration <= 0 {
		return
	}
	one := advised{schedule: s, build: b, at: map[int]int{}, of: of, onPath: pathOf(b)}
	for k, id := range of {
		if id >= 0 {
			one.at[id] = k
		}
	}
	a.builds = append(a.builds, one)
}

// best are the advices that are worth it and hold: what is known first, then what saves most.
func (a *adviser) best(dismissed []Dismissal) []Advice {
	out := []Advice{}
	if len(a.builds) == 0 || len(a.builds) < minReplayed && !a.single {
		return out
	}
	singles, saves := a.singles()
	all := append(a.togethers(saves), singles...)
	all = append(all, a.inSeries()...)
	if !a.single {
		all = append(all, a.misses()...)
	}
	for _, d := range dismissed {
		keys := map[string]bool{}
		for _, key := range stepname.Keys(string(d.Step), a.steps) {
			keys[key] = true
		}
		all = slices.DeleteFunc(all, func(x Advice) bool {
			return (d.Kind == "" || d.Kind == x.Kind) && slices.ContainsFunc(x.Steps, func(key string) bool { return d.Step.Match(key) || keys[key] })
		})
	}
	// That two steps could run beside each other is a question: it comes last.
	asks := func(x *Advice) int {
		if x.Kind == AdviceSeries {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(all, func(x, y Advice) int {
		return cmp.Or(cmp.Compare(asks(&x), asks(&y)), cmp.Compare(y.Saves, x.Saves), cmp.Compare(x.Kind, y.Kind), slices.Compare(x.Steps, y.Steps))
	})
	// Of each step one thing is told: its misses, or else what is worth most; but that two
	// could run beside each other is a thing of its own.
	told := map[string]bool{}
	tell := func(x *Advice) {
		for _, key := range x.Steps {
			told[key] = true
		}
	}
	for i := range all {
		if all[i].Kind == AdviceMisses {
			tell(&all[i])
		}
	}
	for i := range all {
		x := &all[i]
		isOwn := x.Kind == AdviceMisses || x.Kind == AdviceSeries
		if len(out) == maxAdvice || !isOwn && slices.ContainsFunc(x.Steps, func(key string) bool { return told[key] }) {
			continue
		}
		if !isOwn {
			tell(x)
		}
		out = append(out, *x)
	}
	return out
}

// advice is the one of a kind about these steps, and whether it is worth it and holds, from
// what each build would have been shorter.
func (a *adviser) advice(kind AdviceKind, ids []int, saved []time.Duration) (Advice, bool) {
	mean, holds := a.holds(saved)
	x := Advice{Kind: kind, Saves: Seconds(mean), Builds: len(a.builds)}
	var whole, took, onPath, bytes float64
	for i := range a.builds {
		b := &a.builds[i]
		whole += b.build.Duration.Seconds()
		ran := false
		for _, id := range ids {
			k, ok := b.at[id]
			if !ok || b.steps[k].State != Executed {
				continue
			}
			ran = true
			took += b.steps[k].Duration.Seconds()
			onPath += b.onPath[k].D().Seconds()
			bytes += float64(b.steps[k].Bytes)
		}
		if ran {
			x.Ran++
		}
	}
	for _, id := range ids {
		x.Steps, x.Names = append(x.Steps, a.steps[id].Key), append(x.Names, a.steps[id].Name)
	}
	x.Share, x.OnPath = x.Saves.D().Seconds()*float64(len(a.builds))/whole, onPath/whole
	if x.Ran > 0 {
		x.Took, x.Bytes = Seconds(took/float64(x.Ran)*float64(time.Second)), int64(min(bytes/float64(x.Ran), math.MaxInt64/2))
	}
	x.PerWeek = Seconds(min(a.perWeek*float64(x.Saves), math.MaxInt64/2))
	return x, holds
}

// holds is the mean of what the builds would be shorter, and whether it is worth it and was
// so in the older and the newer half of them. A single build counts no more than twice the
// usual one.
func (a *adviser) holds(saved []time.Duration) (mean time.Duration, ok bool) {
	var some []time.Duration
	for _, d := range saved {
		if d > 0 {
			some = append(some, d)
		}
	}
	if len(some) == 0 {
		return 0, false
	}
	slices.Sort(some)
	most := unusual * some[len(some)/2]
	average := func(from, to int) time.Duration {
		var sum float64
		for _, d := range saved[from:to] {
			sum += float64(min(d, most))
		}
		return time.Duration(sum / float64(to-from))
	}
	least := a.least()
	mean = average(0, len(saved))
	if a.single {
		return mean, mean >= least
	}
	half := len(saved) / 2
	return mean, len(some) >= minMisses && mean >= least && average(0, half) >= least && average(half, len(saved)) >= least
}

// least is how much a build has to be shorter on average for it to be worth telling.
func (a *adviser) least() time.Duration {
	var whole time.Duration
	for i := range a.builds {
		whole += a.builds[i].build.Duration / time.Duration(len(a.builds))
	}
	return max(a.thresholds.MinDelta.D(), time.Duration(minAdviceShare*float64(whole)))
}

// onPaths are the steps on the critical path of any build.
func (a *adviser) onPaths() []int {
	on := map[int]bool{}
	for i := range a.builds {
		for k, d := range a.builds[i].onPath {
			if id := a.builds[i].of[k]; d > 0 && id >= 0 {
				on[id] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(on))
}

// singles are what each step by itself is worth, and what each build had been shorter.
func (a *adviser) singles() (all []Advice, saves map[int][]time.Duration) {
	saves = map[int][]time.Duration{}
	least := a.least()
	for _, id := range a.onPaths() {
		var most time.Duration // that it can save
		for i := range a.builds {
			if k, ok := a.builds[i].at[id]; ok {
				most += a.builds[i].steps[k].Duration / time.Duration(len(a.builds))
			}
		}
		if most < least {
			continue
		}
		saved := make([]time.Duration, len(a.builds))
		kind := AdviceStep
		for i := range a.builds {
			b := &a.builds[i]
			k, ok := b.at[id]
			if !ok || b.steps[k].isWait() && !b.steps[k].isQueue() {
				continue
			}
			kind = b.steps[k].adviceKind()
			if b.steps[k].State == Executed && b.onPath[k] > 0 {
				saved[i] = b.without(k)
			}
		}
		saves[id] = saved
		if x, ok := a.advice(kind, []int{id}, saved); ok {
			all = append(all, x)
		}
	}
	return all, saves
}

// adviceKind says what kind of work a step is, by its stage and what it moved.
func (s *Step) adviceKind() AdviceKind {
	switch {
	case s.Index == 0 && s.Count == 0 && s.Stage == StageInternal && s.Bytes > 0:
		return AdviceContext
	case s.isWriting() || s.Bytes > 0:
		return AdviceTransfer
	}
	return AdviceStep
}

// togethers are what steps are worth together that gain little alone, as they run beside
// each other.
func (a *adviser) togethers(saves map[int][]time.Duration) (all []Advice) {
	told := map[string]bool{}
	for _, id := range slices.Sorted(maps.Keys(saves)) {
		var onPath, whole, alone time.Duration
		for i := range a.builds {
			b := &a.builds[i]
			whole += b.build.Duration
			if k, ok := b.at[id]; ok && !b.steps[k].isWait() {
				onPath += b.onPath[k].D()
				alone += saves[id][i]
			}
		}
		// Most of its time the build would not be shorter for it.
		if float64(onPath) < minAdviceShare*float64(whole) || gainsLittle*alone > onPath {
			continue
		}
		set := []int{id}
		var found *Advice
		for len(set) < maxTogether {
			next := a.remaining(set)
			if next < 0 {
				break
			}
			set = append(set, next)
			if x, ok := a.together(set); ok && (found == nil || x.Saves.D()/time.Duration(len(set)) > found.Saves.D()/time.Duration(len(found.Steps))) {
				found = &x
			}
		}
		if found == nil {
			continue
		}
		key := slices.Sorted(slices.Values(found.Steps))
		if name := strings.Join(key, "\n"); !told[name] {
			told[name] = true
			all = append(all, *found)
		}
	}
	return all
}

// remaining is the step that would decide most often when builds end if these took no time.
func (a *adviser) remaining(ids []int) int {
	votes := map[int]int{}
	for i := range a.builds {
		b := &a.builds[i]
		free := map[int]bool{}
		for _, id := range ids {
			if k, ok := b.at[id]; ok {
				free[k] = true
			}
		}
		if next := b.schedule.remaining(free); next >= 0 && b.of[next] >= 0 && !slices.Contains(ids, b.of[next]) {
			votes[b.of[next]]++
		}
	}
	best := -1
	for _, id := range slices.Sorted(maps.Keys(votes)) {
		if best < 0 || votes[id] > votes[best] {
			best = id
		}
	}
	return best
}

// together is what these steps are worth together, if that is several times what each of
// them is.
func (a *adviser) together(ids []int) (Advice, bool) {
	saved := make([]time.Duration, len(a.builds))
	alone := make([]Seconds, len(ids))
	for i := range a.builds {
		b := &a.builds[i]
		var steps []int
		for n, id := range ids {
			if k, ok := b.at[id]; ok && b.steps[k].State == Executed {
				steps = append(steps, k)
				alone[n] += Seconds(b.without(k)) / Seconds(len(a.builds))
			}
		}
		saved[i] = b.without(steps...)
	}
	x, ok := a.advice(AdviceTogether, ids, saved)
	x.Alone = alone
	return x, ok && x.Saves > gainsLittle*slices.Max(alone)
}

// inSeries are pairs of instructions of one stage of which one waits for the other, though
// each reads something else of the build context, and each takes long. Whether the second
// needs what the first one leaves behind nobody knows but its author.
func (a *adviser) inSeries() (all []Advice) {
	type pair struct{ first, second int }
	found := map[pair][][2]int{} // of each build: the two steps
	most := map[pair]time.Duration{}
	var order []pair
	for i := range a.builds {
		b := &a.builds[i]
		for _, k := range b.order {
			for _, p := range b.waits[k] {
				of := pair{b.of[p], b.of[k]}
				if !b.mayBeApart(p, k) || of.first < 0 || of.second < 0 {
					continue
				}
				if found[of] == nil {
					found[of] = make([][2]int, len(a.builds))
					order = append(order, of)
				}
				found[of][i] = [2]int{p, k}
				most[of] += min(b.steps[p].Duration, b.steps[k].Duration) / time.Duration(len(a.builds))
			}
		}
	}
	for _, of := range order {
		if most[of] < a.least() {
			continue
		}
		saved := make([]time.Duration, len(a.builds))
		for i, at := range found[of] {
			if at[0] != at[1] {
				saved[i] = a.builds[i].abreast(at[0], at[1])
			}
		}
		if x, ok := a.advice(AdviceSeries, []int{of.first, of.second}, saved); ok {
			all = append(all, x)
		}
	}
	// One of each stage is enough, the later of two that are worth about the same: what comes
	// last is needed least.
	slices.SortStableFunc(all, func(x, y Advice) int { return cmp.Compare(y.Saves, x.Saves) })
	const alike = 0.9
	if len(all) > 1 {
		best := 0
		for i := range all {
			if float64(all[i].Saves) >= alike*float64(all[0].Saves) && all[i].Steps[0] == all[best].Steps[1] {
				best = i
			}
		}
		all = all[best : best+1]
	}
	return all
}

// mayBeApart tells of two steps of one stage, of which the second waited for the first,
// whether each reads paths of the build context of its own.
func (b *advised) mayBeApart(first, second int) bool {
	x, y := &b.steps[first], &b.steps[second]
	if x.State != Executed || y.State != Executed || x.Stage != y.Stage || x.Platform != y.Platform || x.Index == 0 || y.Index != x.Index+1 {
		return false
	}
	if !x.runs() || !y.runs() {
		return false // files that are copied are there to be used
	}
	return x.Facts != nil && y.Facts != nil && len(x.Facts.Reads) > 0 && len(y.Facts.Reads) > 0 && apartPaths(x.Facts.Reads, y.Facts.Reads)
}

// runs tells whether a step of a Dockerfile executes something.
func (s *Step) runs() bool {
	_, text, _ := strings.Cut(s.Key, "] ")
	return strings.HasPrefix(text, "RUN ")
}

// apartPaths tells whether no path is, or lies within, one of the other ones.
func apartPaths(a, b []string) bool {
	within := func(path, folder string) bool {
		folder = strings.TrimSuffix(folder, "/")
		return path == folder || strings.HasPrefix(path, folder+"/")
	}
	for _, x := range a {
		for _, y := range b {
			if within(x, y) || within(y, x) {
				return false
			}
		}
	}
	return true
}

// misses are what it costs that steps are now and then not found in the cache, by the first
// one that was not: what invalidates it drags the others along.
func (a *adviser) misses() (all []Advice) {
	cached, ran := map[int]int{}, map[int]int{}
	for i := range a.builds {
		b := &a.builds[i]
		for id, k := range b.at {
			switch b.steps[k].State {
			case Cached:
				cached[id]++
			case Executed:
				ran[id]++
			}
		}
	}
	chains := map[int][][]int{} // by the first step: of each build, the steps that ran for it
	for i := range a.builds {
		b := &a.builds[i]
		// A step that is found in the cache as often as not could have been.
		missed := func(k int) bool {
			id := b.of[k]
			return id >= 0 && b.steps[k].State == Executed && cached[id] >= max(ran[id], minMisses)
		}
		lost := make([]bool, len(b.steps))
		for k := range lost {
			lost[k] = missed(k)
		}
		for _, c := range chainsOf(b.graph, lost) {
			id := b.of[c.root]
			if chains[id] == nil {
				chains[id] = make([][]int, len(a.builds))
			}
			chains[id][i] = append(c.downstream, c.root)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(chains)) {
		saved := make([]time.Duration, len(a.builds))
		dragged := map[int]time.Duration{}
		for i, chain := range chains[id] {
			b := &a.builds[i]
			saved[i] = b.without(chain...)
			for _, k := range chain {
				dragged[b.of[k]] += b.steps[k].Duration
			}
		}
		delete(dragged, id)
		// The one that invalidates, then what costs most.
		order := slices.SortedFunc(maps.Keys(dragged), func(x, y int) int {
			return cmp.Or(cmp.Compare(dragged[y], dragged[x]), cmp.Compare(x, y))
		})
		x, ok := a.advice(AdviceMisses, append([]int{id}, order[:min(len(order), 2)]...), saved)
		if a.measure(&x, id, chains[id]); ok && x.Saves >= a.thresholds.MinDelta && x.Share >= minAdviceShare {
			all = append(all, x)
		}
	}
	return all
}

// measure tells how long builds took with and without a miss that begins with that step,
// and promises no more than by how much these differ. A build in which another one dragged
// it along is neither.
func (a *adviser) measure(x *Advice, id int, chains [][]int) {
	var with, without []time.Duration
	for i := range a.builds {
		b := &a.builds[i]
		k, ok := b.at[id]
		switch {
		case !ok:
		case len(chains[i]) > 0:
			with = append(with, b.build.Duration)
			if f := b.steps[k].Facts; f != nil {
				x.Reads = f.Reads
			}
		case b.steps[k].State == Cached:
			without = append(without, b.build.Duration)
		}
	}
	x.Ran, x.Builds = len(with), len(with)+len(without)
	if len(with) < minMisses || len(without) < minMisses {
		x.Saves = 0
		return
	}
	middle := func(values []time.Duration) Seconds {
		slices.Sort(values)
		return Seconds((values[(len(values)-1)/2] + values[len(values)/2]) / 2)
	}
	x.With, x.Without = middle(with), middle(without)
	if measured := max((x.With-x.Without)*Seconds(x.Ran)/Seconds(x.Builds), 0); measured < x.Saves {
		scale := float64(measured) / float64(x.Saves)
		x.Saves, x.Share, x.PerWeek = measured, x.Share*scale, Seconds(float64(x.PerWeek)*scale)
	}
}
