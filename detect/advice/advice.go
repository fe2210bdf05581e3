// Package advice tells where it would pay to work: what would make builds faster, and how much
// at most. It is reckoned by replaying the newest builds, and no more is promised than the
// replay gives. Nothing is judged, and nothing fails.
package advice

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect/align"
	"github.com/buildregress/buildregress/detect/glob"
	"github.com/buildregress/buildregress/detect/stepname"
	"github.com/buildregress/buildregress/detect/timeline"
)

// An Advice is something that would make builds faster.
type Advice struct {
	Kind  Kind     `json:"kind"`
	Steps []string `json:"steps"` // keys of the steps that it is about, the most important first
	Names []string `json:"names"` // the same, as the newest build shows them
	// Saves is by how much a build would be shorter on average, Share what part of its
	// duration that is, and PerWeek what it is for all builds of a week: 0 if it is not
	// known how many these are.
	Saves   timeline.Seconds `json:"saves_seconds"`
	Share   float64          `json:"share"`
	PerWeek timeline.Seconds `json:"saves_seconds_per_week,omitempty"`
	Builds  int              `json:"builds"` // that were replayed
	Ran     int              `json:"ran"`    // in how many of them one of the steps ran
	// OnPath is the share of the builds' durations that the steps had on the critical path.
	OnPath float64 `json:"path_share"`
	// Took is how long the steps took where they ran, on average, and Bytes what they moved
	// then: 0 where it is not known.
	Took  timeline.Seconds `json:"took_seconds"`
	Bytes int64            `json:"bytes,omitempty"`
	// Alone is what each step saves by itself, of Together.
	Alone []timeline.Seconds `json:"alone_seconds,omitempty"`
	// With and Without are the median durations of builds in which the steps ran and did
	// not, and Reads the paths that the first one reads: of Misses.
	With    timeline.Seconds `json:"with_seconds,omitempty"`
	Without timeline.Seconds `json:"without_seconds,omitempty"`
	Reads   []string         `json:"reads,omitempty"`
	// Resolve, Fetch and Unpack are how long images were asked for at their registry, fetched
	// and unpacked where they were, on average: of Images.
	Resolve timeline.Seconds `json:"resolve_seconds,omitempty"`
	Fetch   timeline.Seconds `json:"fetch_seconds,omitempty"`
	Unpack  timeline.Seconds `json:"unpack_seconds,omitempty"`
	// Hits is what steps that builds found in the cache had taken at most, on average, and
	// Others how many builds of other branches were looked at as well: of CacheExport.
	Hits   timeline.Seconds `json:"hits_seconds,omitempty"`
	Others int              `json:"other_builds,omitempty"`
	// CPUs is how many processors the machine has, Used what the steps used of them, in
	// seconds of one, and Waited how long they waited for one, on average: of Processors
	// and Idle.
	CPUs   float64          `json:"cpus,omitempty"`
	Used   timeline.Seconds `json:"cpu_seconds,omitempty"`
	Waited timeline.Seconds `json:"cpu_wait_seconds,omitempty"`
	// Tool is what fetches: of Indexes and Mounts.
	Tool string `json:"tool,omitempty"`
	// Needs are the files that the step needs, as far as its commands say, and Unneeded the
	// builds in which it ran though none of them had changed: of Order; or in which the layer
	// was the same: of Layers.
	Needs    []string `json:"needs,omitempty"`
	Unneeded int      `json:"unneeded,omitempty"`
	// Packages is how many the step fetched each time, on average: of Mounts.
	Packages int `json:"packages,omitempty"`
}

// A Kind says what would have to be different.
type Kind string

const (
	Step     Kind = "step"     // a step would take no time
	Together Kind = "together" // several would, of which one alone gains little: they run beside each other
	Misses   Kind = "misses"   // steps would be found in the cache each time
	Transfer Kind = "transfer" // what is written, pushed or fetched would take no time
	Context  Kind = "context"  // the build context would take no time
	Series   Kind = "series"   // two steps would run beside each other, if neither needs the other

	Images      Kind = "images"       // images would be there, and known
	CacheExport Kind = "cache-export" // the cache would not be written: it costs more than it saved
	Processors  Kind = "processors"   // the machine had twice the processors: steps wait for one
	Idle        Kind = "idle"         // a step would use all processors, not one
	Indexes     Kind = "indexes"      // an index of packages would be fetched once, not in several steps
	Order       Kind = "order"        // a step would run only when what it needs has changed
	Layers      Kind = "layers"       // a layer that is the same would not be written and pushed again
	Mounts      Kind = "cache-mounts" // a cache mount would still hold what was put there
)

// Kinds are all of them.
var Kinds = []Kind{Step, Together, Misses, Transfer, Context, Series, Images, CacheExport, Processors, Idle, Indexes, Order, Layers, Mounts}

// isQuestion tells whether only the author of the steps knows if what is told can be done.
func (k Kind) isQuestion() bool { return k == Series || k == Idle }

// isOwn tells whether it is about the machine, or about parts of steps, and told beside what
// the steps are worth.
func (k Kind) isOwn() bool { return k.isQuestion() || k == Processors || k == Indexes }

// isRemedy tells whether it says what to do about its steps: that they could take no time
// is not told then.
func (k Kind) isRemedy() bool {
	switch k {
	case Misses, Images, CacheExport, Order, Layers, Mounts:
		return true
	}
	return false
}

// A Dismissal says that an advice is not wanted.
type Dismissal struct {
	Step glob.Pattern // as of a detect.Rule
	Kind Kind         // "" for any
	Why  string
	From string // where it stands, for people
}

// Of are the keys of the steps that it means: those that its glob matches, or, where that
// matches none, those that are called so.
func (d *Dismissal) Of(steps []stepname.Name) (keys []string) {
	for i := range steps {
		if d.Step.Match(steps[i].Key) {
			keys = append(keys, steps[i].Key)
		}
	}
	if keys == nil {
		keys = stepname.Keys(string(d.Step), steps)
	}
	return keys
}

// What is told is worth it, and holds: it was so in the older and in the newer half of the
// builds that were replayed.
const (
	Most      = 3    // that are told
	MinShare  = 0.02 // of the builds' durations, and Terms.MinDelta
	MinBuilds = 10   // builds
	minMisses = 3    // in which a step was not found in the cache, and in which it was
	// maxTogether is how many steps an advice of the kind is about at most; fewer look free
	// if one of them is the others' equal.
	maxTogether = 4
	gainsLittle = 3 // times as much together as each by itself
	// unusual bounds what one build says: so many times the median of those that say anything.
	unusual = 2
)

// Terms are what an advice has to be worth.
type Terms struct {
	MinDelta time.Duration // by which a build has to be shorter at least
	PerWeek  float64       // builds a week, 0 if it is not known
	Dismiss  []Dismissal   // what is not wanted
	// Others are the builds of the pipeline on other branches that began from then until then:
	// they may read a cache that is written here. It may be nil, and is asked where one is;
	// known is false where they are too many to be looked at.
	Others func(from, to time.Time) (builds []timeline.Build, known bool)
	// Changed tells which files of the repository differ between what two builds were made
	// from. It may be nil, and is asked where a step is looked at that may run for nothing.
	Changed func(before, after *timeline.Build) (files []string, known bool)
}

// OfBuilds tells where it would pay to work from builds of one pipeline, newest first, that
// are all at its present level. Of fewer than ten nothing is told.
func OfBuilds(newest []timeline.Build, terms *Terms) []Advice {
	if len(newest) < MinBuilds {
		return []Advice{}
	}
	return newAdviser(newest, len(newest), terms).best(terms)
}

// newAdviser has the builds, newest first, but for those before the oldest so many, whose
// steps it knows.
func newAdviser(newest []timeline.Build, oldest int, terms *Terms) *adviser {
	newest = align.WithoutSalt(-1, newest)[0]
	alignment := align.Align(newest, nil)
	a := &adviser{minDelta: terms.MinDelta, perWeek: terms.PerWeek}
	at := map[*align.Track]int{}
	for i := range newest {
		of := make([]int, len(newest[i].Steps))
		seen := map[int]bool{}
		for k, t := range alignment.Base[i].Tracks {
			t = alignment.Latest(t)
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
		if i < len(newest)-oldest {
			a.later = append(a.later, later{&newest[i], of})
			continue
		}
		a.add(&newest[i], of)
	}
	slices.Reverse(a.builds)
	return a
}

// OfBuild tells where it would have paid in one build: what that is worth in others is
// not known.
func OfBuild(b *timeline.Build, terms *Terms) []Advice {
	a := &adviser{minDelta: terms.MinDelta, single: true}
	of := make([]int, len(b.Steps))
	for i := range b.Steps {
		of[i] = i
		a.steps = append(a.steps, stepname.Name{Key: b.Steps[i].Key, Name: b.Steps[i].Name})
	}
	if b.Outcome == timeline.OK {
		a.add(b, of)
	}
	return a.best(terms)
}

// An adviser has the builds that are replayed, oldest first.
type adviser struct {
	builds   []advised
	steps    []stepname.Name // by the number that adviser and advised have for a step
	minDelta time.Duration
	perWeek  float64 // builds, 0 if not known
	single   bool    // one build is all there is
	later    []later // builds that are not replayed
}

// A later is a build after those that are replayed.
type later struct {
	build *timeline.Build
	of    []int // of each step of the build: that of the adviser, -1 for none
}

// An advised is a build that is replayed.
type advised struct {
	*timeline.Schedule
	build  *timeline.Build
	at     map[int]int        // of each step of the adviser: its index in the build
	of     []int              // the other way round; -1 for none
	onPath []timeline.Seconds // of each step of the build
}

func (a *adviser) add(b *timeline.Build, of []int) {
	s := timeline.NewSchedule(b)
	if s == nil || b.Duration <= 0 {
		return
	}
	one := advised{Schedule: s, build: b, at: map[int]int{}, of: of, onPath: timeline.OnPath(b)}
	for k, id := range of {
		if id >= 0 {
			one.at[id] = k
		}
	}
	a.builds = append(a.builds, one)
}

// best are the advices that are worth it and hold: what is known first, then what saves most.
func (a *adviser) best(terms *Terms) []Advice {
	out := []Advice{}
	if len(a.builds) == 0 || len(a.builds) < MinBuilds && !a.single {
		return out
	}
	singles, saves := a.singles()
	all := slices.Concat(a.togethers(saves), singles, a.inSeries(), a.images(), a.indexes(), a.ofMachine())
	if !a.single {
		all = slices.Concat(all, a.misses(), a.cacheExports(terms.Others), a.order(terms.Changed), a.layers(), a.mounts())
	}
	for i := range terms.Dismiss {
		d := &terms.Dismiss[i]
		keys := d.Of(a.steps)
		all = slices.DeleteFunc(all, func(x Advice) bool {
			return (d.Kind == "" || d.Kind == x.Kind) && slices.ContainsFunc(x.Steps, func(key string) bool { return slices.Contains(keys, key) })
		})
	}
	asks := func(x *Advice) int {
		if x.Kind.isQuestion() {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(all, func(x, y Advice) int {
		return cmp.Or(cmp.Compare(asks(&x), asks(&y)), cmp.Compare(y.Saves, x.Saves), cmp.Compare(x.Kind, y.Kind), slices.Compare(x.Steps, y.Steps))
	})
	// Of each step one thing is told: what to do about it, or else what is worth most. What
	// is a question, or is about the machine or about parts of steps, is a thing of its own.
	told, remedied := map[string]bool{}, map[string]bool{}
	plain := Most // that may be told of what says no more than how much a step is worth
	for i := range all {
		x := &all[i]
		if x.Kind.isRemedy() || x.Kind.isOwn() && !x.Kind.isQuestion() {
			plain = Most - 1
		}
		if x.Kind.isRemedy() {
			for _, key := range x.Steps {
				told[key] = true
			}
		}
	}
	for i := range all {
		x := &all[i]
		switch {
		case len(out) == Most:
			return out
		case x.Kind.isRemedy():
			if remedied[x.Steps[0]] {
				continue
			}
			remedied[x.Steps[0]] = true
		case !x.Kind.isOwn():
			if plain == 0 || slices.ContainsFunc(x.Steps, func(key string) bool { return told[key] }) {
				continue
			}
			plain--
			for _, key := range x.Steps {
				told[key] = true
			}
		}
		out = append(out, *x)
	}
	return out
}

// advice is the one of a kind about these steps, and whether it is worth it and holds, from
// what each build would have been shorter.
func (a *adviser) advice(kind Kind, ids []int, saved []time.Duration) (Advice, bool) {
	mean, holds := a.holds(saved)
	x := Advice{Kind: kind, Saves: timeline.Seconds(mean), Builds: len(a.builds)}
	var whole, took, onPath, bytes float64
	for i := range a.builds {
		b := &a.builds[i]
		whole += b.build.Duration.Seconds()
		ran := false
		for _, id := range ids {
			k, ok := b.at[id]
			if !ok || b.Steps[k].State != timeline.Executed {
				continue
			}
			ran = true
			took += b.Steps[k].Duration.Seconds()
			onPath += b.onPath[k].D().Seconds()
			bytes += float64(b.Steps[k].Bytes)
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
		x.Took, x.Bytes = timeline.Seconds(took/float64(x.Ran)*float64(time.Second)), int64(min(bytes/float64(x.Ran), math.MaxInt64/2))
	}
	x.PerWeek = timeline.Seconds(min(a.perWeek*float64(x.Saves), math.MaxInt64/2))
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
	return max(a.minDelta, time.Duration(MinShare*float64(whole)))
}
