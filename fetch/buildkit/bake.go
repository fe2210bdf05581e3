package buildkit

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
)

// A bake builds several targets at once, and a step that several of them need runs once.
// In a trace it stands under the one that asked for it first, another one in each bake:
// nothing there says who else waited for it. Other bakes say: a step that was seen under
// a target is one that this target needs, wherever it stands, unless both have been seen
// with one of their own.

// A Target is the build of one target of a bake, and what it is judged against. Each
// holds no more than was seen under it.
type Target struct {
	Build   timeline.Build
	History *detect.History
}

// maxCompared is of how many targets is asked which of them need what the others do. That
// takes time with their square; real bakes have some ten.
const maxCompared = 40

// CompleteBake gives each target of one bake the steps that it shares with others, in
// its build and in its history. Untold are the names of steps that ran, of which nothing
// tells who needs them.
func CompleteBake(targets []Target) (complete []Target, untold []string) {
	if len(targets) > maxCompared {
		for i := range targets {
			for _, s := range targets[i].Build.Steps {
				untold = append(untold, s.Name)
			}
		}
		slices.Sort(untold)
		return nil, slices.Compact(untold)
	}
	k := learn(targets)
	for i := range targets {
		b, u := k.complete(&targets[i].Build)
		untold = append(untold, u...)
		complete = append(complete, Target{b, k.completeHistory(targets[i].History)})
	}
	slices.Sort(untold)
	return complete, slices.Compact(untold)
}

// CompleteBakes gives each build of a target the steps that it shares with others, as all
// of the builds tell.
func CompleteBakes(list []timeline.Build) []timeline.Build {
	isTarget := func(b timeline.Build) bool { return b.Target != "" }
	perTrace := map[string]int{}
	for i := range list {
		if isTarget(list[i]) {
			perTrace[list[i].Trace]++
		}
	}
	for _, n := range perTrace {
		if n > maxCompared {
			return list
		}
	}
	if len(perTrace) == 0 {
		return list
	}
	k := learn([]Target{{History: &detect.History{Base: slices.DeleteFunc(slices.Clone(list), func(b timeline.Build) bool { return !isTarget(b) })}}})
	complete := slices.Clone(list)
	for i := range complete {
		if isTarget(complete[i]) {
			complete[i], _ = k.complete(&complete[i])
		}
	}
	return complete
}

// A place is where a step stands in its Dockerfile, and what it does there.
type place struct {
	position
	key string
}

// A position is where a step stands; the zero position is none.
type position struct {
	stageAt
	index int
}

type stageAt struct {
	platform, stage string
	count           int
}

func placeOf(s *timeline.Step) place {
	p := place{key: s.Key}
	if s.Count > 0 {
		p.position = position{stageAt{s.Platform, s.Stage, s.Count}, s.Index}
	}
	return p
}

// anywhere is the place without its number, by which steps are found of a stage that has
// another length now.
func (p place) anywhere() place {
	if p.count > 0 {
		p.position = position{stageAt{p.platform, p.stage, 0}, 0}
	}
	return p
}

// knowledge is what bakes tell of who needs what. Targets are called by their pipelines.
type knowledge struct {
	bakes map[string]map[string]*timeline.Build // by trace and target
	seen  map[place]map[string]bool             // under which targets
	known map[place]bool                        // seen in another bake than the one that is judged
	long  map[stageAt]bool                      // stages of this length were seen in another bake
	at    map[position]map[string]bool          // targets that were seen with anything there
	apart map[place]map[[2]string]bool          // pairs of targets that each had one of their own
	same  map[string]map[string]bool            // under which targets a vertex was seen, by its id
}

func learn(targets []Target) *knowledge {
	k := &knowledge{
		bakes: map[string]map[string]*timeline.Build{}, seen: map[place]map[string]bool{}, known: map[place]bool{}, long: map[stageAt]bool{},
		at: map[position]map[string]bool{}, apart: map[place]map[[2]string]bool{}, same: map[string]map[string]bool{},
	}
	for i := range targets {
		k.see(&targets[i].Build, false)
	}
	for i := range targets {
		if h := targets[i].History; h != nil {
			for _, list := range [][]timeline.Build{h.Base, h.Branch, h.Other, h.Sparse} {
				for j := range list {
					k.see(&list[j], true)
				}
			}
		}
	}
	for _, bake := range k.bakes {
		k.compare(bake)
	}
	return k
}

// see takes in a build of a target. One that is recorded whole tells all that it needs.
func (k *knowledge) see(b *timeline.Build, before bool) {
	if b.Partial && b.Trace != "" {
		if k.bakes[b.Trace] == nil {
			k.bakes[b.Trace] = map[string]*timeline.Build{}
		}
		if known := k.bakes[b.Trace][b.Pipeline]; known == nil || len(known.Steps) < len(b.Steps) {
			k.bakes[b.Trace][b.Pipeline] = b
		}
	}
	for i := range b.Steps {
		s := &b.Steps[i]
		if !mayBeShared(s) {
			continue
		}
		mark(k.same, s.ID, b.Pipeline)
		for _, p := range []place{placeOf(s), placeOf(s).anywhere()} {
			mark(k.seen, p, b.Pipeline)
			k.known[p] = k.known[p] || before
		}
		if p := placeOf(s); s.Count > 0 {
			mark(k.at, p.position, b.Pipeline)
			k.long[p.stageAt] = k.long[p.stageAt] || before
		}
	}
}

// compare finds what the targets of one bake have each for themselves.
func (k *knowledge) compare(bake map[string]*timeline.Build) {
	first := map[place]map[string]string{} // ids by target
	for target, b := range bake {
		for i := range b.Steps {
			s := &b.Steps[i]
			if !mayBeShared(s) {
				continue
			}
			for _, p := range []place{placeOf(s), placeOf(s).anywhere()} {
				if first[p] == nil {
					first[p] = map[string]string{}
				}
				first[p][target] = s.ID
			}
		}
	}
	for p, ids := range first {
		for a, x := range ids {
			for b, y := range ids {
				if a != b && x != y {
					mark(k.apart, p, [2]string{a, b})
				}
			}
		}
	}
}

func mark[K, V comparable](in map[K]map[V]bool, key K, value V) {
	if in[key] == nil {
		in[key] = map[V]bool{}
	}
	in[key][value] = true
}

// mayBeShared tells whether a step is a vertex, or a part of one. What a target writes at
// its end is its own.
func mayBeShared(s *timeline.Step) bool {
	switch s.Stage {
	case exportStage, pushStage, cacheExportStage:
		return false
	}
	return s.ID != "" && s.Key != ""
}

// An answer says whether a target needs a step that was seen under another.
type answer int

const (
	untold answer = iota
	needed
	alone  // other bakes have it, and never under this target
	itsOwn // the target has one of its own
)

// complete is a build with all that it shares with the others of its bake, and the names
// of the steps that none of these is known to need or not to.
func (k *knowledge) complete(b *timeline.Build) (out timeline.Build, unknown []string) {
	out = *b
	if !b.Partial || b.Trace == "" {
		return out, nil
	}
	bake := k.bakes[b.Trace]
	own, ids := map[place]bool{}, map[string]bool{}
	for i := range b.Steps {
		own[placeOf(&b.Steps[i])], ids[b.Steps[i].ID] = true, true
	}
	for _, name := range slices.Sorted(maps.Keys(bake)) {
		if name == b.Pipeline {
			continue
		}
		owner := bake[name]
		answers := k.ask(owner, b.Pipeline, own)
		for i := range owner.Steps {
			s := &owner.Steps[i]
			if !mayBeShared(s) || ids[s.ID] || endsAfter(s, b) {
				continue
			}
			switch {
			case answers[i] == needed:
				ids[s.ID] = true
				out.Steps = append(slices.Clip(out.Steps), *s)
			case answers[i] == untold && s.State == timeline.Executed:
				unknown = append(unknown, s.Name)
			}
		}
	}
	slices.SortStableFunc(out.Steps, func(x, y timeline.Step) int { return x.Start.Compare(y.Start) })
	return out, unknown
}

// endsAfter tells whether s was not done yet when b had all that it needs.
func endsAfter(s *timeline.Step, b *timeline.Build) bool {
	const clock = time.Millisecond // what servers cut off
	return b.Outcome == timeline.OK && s.Start.Add(s.Duration).After(b.Start.Add(b.Duration).Add(clock))
}

// ask tells of each step of owner whether target needs it, which has those that are own.
func (k *knowledge) ask(owner *timeline.Build, target string, own map[place]bool) []answer {
	answers := make([]answer, len(owner.Steps))
	stages := map[stageAt][]int{}
	for i := range owner.Steps {
		s := &owner.Steps[i]
		p := placeOf(s)
		if s.Count > 0 {
			stages[p.stageAt] = append(stages[p.stageAt], i)
			if !k.long[p.stageAt] {
				p = p.anywhere()
			}
		}
		switch {
		case own[placeOf(s)]:
			answers[i] = itsOwn
		case k.same[s.ID][target]:
			answers[i] = needed
		case k.apart[p][[2]string{owner.Pipeline, target}]:
			answers[i] = itsOwn
		case k.seen[p][target]:
			answers[i] = needed
		case k.known[p]:
			answers[i] = alone
		}
	}
	for _, list := range stages {
		slices.SortStableFunc(list, func(a, b int) int { return cmp.Compare(owner.Steps[a].Index, owner.Steps[b].Index) })
		k.follow(owner, target, list, answers)
	}
	return answers
}

// follow completes the answers of one stage, in order. A step is made of those before it:
// who needs it needs these, and whoever has another one there has others from there on.
// What others take from a stage is its last step, so that nobody needs the half of one.
func (k *knowledge) follow(owner *timeline.Build, target string, stage []int, answers []answer) {
	last, split := -1, len(stage)
	for n, i := range stage {
		p := placeOf(&owner.Steps[i])
		if answers[i] == itsOwn || answers[i] == alone && k.at[p.position][target] {
			split = min(split, n)
		}
		if n > split && answers[i] == needed && !k.same[owner.Steps[i].ID][target] {
			answers[i] = itsOwn
		}
		if answers[i] == needed {
			last = n
		}
	}
	told := slices.ContainsFunc(stage, func(i int) bool { return answers[i] != untold })
	for n, i := range stage {
		switch {
		case n < last && (answers[i] == untold || answers[i] == alone):
			answers[i] = needed
		case answers[i] != untold || !told:
		case split < n:
			answers[i] = itsOwn
		case last < 0:
			answers[i] = alone
		case split == len(stage):
			answers[i] = needed
		}
	}
}

func (k *knowledge) completeHistory(h *detect.History) *detect.History {
	if h == nil {
		return nil
	}
	out := *h
	for _, list := range []*[]timeline.Build{&out.Base, &out.Sparse, &out.Other, &out.Branch} {
		complete := make([]timeline.Build, len(*list))
		for i := range *list {
			complete[i], _ = k.complete(&(*list)[i])
		}
		*list = complete
	}
	return &out
}

// OneBuild makes one build of a bake, with what it is judged against: of earlier bakes
// those of all of the targets.
func OneBuild(targets []Target) Target {
	k := learn(targets)
	names := make([]string, len(targets))
	for i := range targets {
		names[i] = targets[i].Build.Pipeline
	}
	one := func(b *timeline.Build) (timeline.Build, bool) {
		parts := make([]*timeline.Build, len(targets))
		for i, name := range names {
			if parts[i] = k.bakes[b.Trace][name]; parts[i] == nil {
				return timeline.Build{}, false
			}
		}
		return k.join(parts, targets), true
	}
	out := Target{History: &detect.History{}}
	out.Build, _ = one(&targets[0].Build)
	if h := targets[0].History; h != nil {
		*out.History = *h
		for _, list := range []*[]timeline.Build{&out.History.Base, &out.History.Other, &out.History.Branch} {
			var whole []timeline.Build
			for i := range *list {
				if b, ok := one(&(*list)[i]); ok {
					whole = append(whole, b)
				}
			}
			*list = whole
		}
		out.History.Sparse = nil
	}
	return out
}

// join makes one build of the targets of a bake. What each has for itself is called by
// the target too, so that it is the same step in other bakes.
func (k *knowledge) join(parts []*timeline.Build, targets []Target) timeline.Build {
	b := *parts[0]
	first := &targets[0].Build
	b.ID, b.Content, b.Target = b.Trace+"-bake", "", ""
	b.Pipeline = strings.TrimSpace(strings.TrimSuffix(first.Pipeline, first.Target))
	if b.Pipeline == "" {
		for i := range targets {
			b.Pipeline = strings.TrimSpace(b.Pipeline + " " + targets[i].Build.Target)
		}
	}
	b.Steps = nil
	end := b.Start
	ids := map[string]bool{}
	for i, part := range parts {
		if part.Start.Before(b.Start) {
			b.Start = part.Start
		}
		end = latest(end, part.Start.Add(part.Duration))
		// The one that failed stopped the others.
		if part.Outcome == timeline.Failed && b.Outcome != timeline.Failed || part.Outcome != timeline.OK && b.Outcome == timeline.OK {
			b.Outcome, b.Error, b.Log = part.Outcome, part.Error, part.Log
		}
		for _, s := range part.Steps {
			if !mayBeShared(&s) || k.isApart(placeOf(&s)) {
				of := " (" + targets[i].Build.Target + ")"
				s.ID, s.Key, s.Name = s.ID+"-"+targets[i].Build.Target, s.Key+of, s.Name+of
				s.Inputs = nil
			}
			if ids[s.ID] {
				continue // servers may tell it of both
			}
			ids[s.ID] = true
			b.Steps = append(b.Steps, s)
		}
	}
	b.Duration = Lasting(end.Sub(b.Start))
	slices.SortStableFunc(b.Steps, func(x, y timeline.Step) int { return x.Start.Compare(y.Start) })
	return b
}

func (k *knowledge) isApart(p place) bool { return len(k.apart[p]) > 0 }
