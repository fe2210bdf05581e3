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
)

// Kinds are all of them.
var Kinds = []Kind{Step, Together, Misses, Transfer, Context, Series}

// A Dismissal says that an advice is not wanted.
type Dismissal struct {
	Step glob.Pattern // as of a detect.Rule
	Kind Kind         // "" for any
	Why  string
	From string // where it stands, for people
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
}

// OfBuilds tells where it would pay to work from builds of one pipeline, newest first, that
// are all at its present level. Of fewer than ten nothing is told.
func OfBuilds(newest []timeline.Build, terms *Terms) []Advice {
	if len(newest) < MinBuilds {
		return []Advice{}
	}
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
		a.add(&newest[i], of)
	}
	slices.Reverse(a.builds)
	return a.best(terms.Dismiss)
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
	return a.best(terms.Dismiss)
}

// An adviser has the builds that are replayed, oldest first.
type adviser struct {
	builds   []advised
	steps    []stepname.Name // by the number that adviser and advised have for a step
	minDelta time.Duration
	perWeek  float64 // builds, 0 if not known
	single   bool    // one build is all there is
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
func (a *adviser) best(dismissed []Dismissal) []Advice {
	out := []Advice{}
	if len(a.builds) == 0 || len(a.builds) < MinBuilds && !a.single {
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
		if x.Kind == Series {
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
		if all[i].Kind == Misses {
			tell(&all[i])
		}
	}
	for i := range all {
		x := &all[i]
		isOwn := x.Kind == Misses || x.Kind == Series
		if len(out) == Most || !isOwn && slices.ContainsFunc(x.Steps, func(key string) bool { return told[key] }) {
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
