package buildkit

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch"
)

// What BuildKit does between vertices, and tells nobody: no status, no span. Two such
// waits are long enough to be missed, and known for what they are by what stands around
// them; each is a step of its own, from the end of what it came after to the begin of what
// waited.
//
// The cache key of an instruction that takes files (COPY, ADD, RUN with a bind mount) is
// computed from what is in them: all of them are read and hashed, once all that it is made
// of is there, and caches are asked for the result. BuildKit's CalcSlowCache has no
// progress. What else keeps an instruction from beginning then, such as a limit to how
// many run at once, is in it as well.
//
// The frontend starts in a container of its own where the Dockerfile names one (# syntax=),
// reads the Dockerfile and makes the instructions. Until the first of them begins, nothing
// else is there to wait for where nothing goes on.

// maxLooks bounds how many steps are looked at to find the waits of one build: of large
// real builds it takes a tenth.
const maxLooks = 10_000_000

// Waits that are shorter are none.
const (
	leastKey      = 10 * time.Millisecond
	leastFrontend = 50 * time.Millisecond
)

// A role is what a step has to do with waits.
type role struct {
	text       string
	takesFiles bool   // its key is computed from files
	from       string // … of this stage, image or context; "" is the build context
	fetches    bool   // a frontend asks for it, before any instruction runs
	isContext  bool   // it loads the build context
	isFrontend bool   // it fetches a frontend's image
	apart      bool   // it worked in intervals that lie apart
	either     bool   // an ADD of an address: the download, or what copies it
}

var (
	mounts   = regexp.MustCompile(`--mount=\S+`)
	fromFlag = regexp.MustCompile(`(?:--from=|,from=|=from=)([^\s,]+)`)
)

// roleOf tells it by the name.
func roleOf(info *stepInfo) role {
	r := role{text: info.parsed.Text} // "LINK COPY …" merges what another vertex has copied
	_, isSource := sourceOf(r.text, info.parsed.Stage)
	verb, _, _ := strings.Cut(r.text, " ")
	switch verb = strings.ToUpper(verb); {
	case info.kind == internal, info.kind == auth:
		r.fetches, r.isContext = true, r.text == "load build context"
		r.isFrontend = strings.HasPrefix(r.text, "docker-image://") && info.parsed.Stage == internalStage
	case info.kind != instruction || !info.dockerfile:
	case verb == "ADD" && isSource:
		r.either = true
	case verb == "COPY", verb == "ADD":
		r.takesFiles = true
	case verb == "RUN":
		r.takesFiles = slices.ContainsFunc(mounts.FindAllString(r.text, -1), func(mount string) bool {
			return strings.Contains(mount, "type=bind") || !strings.Contains(mount, "type=")
		})
	default:
		r.fetches = isSource
	}
	if m := fromFlag.FindStringSubmatch(r.text); m != nil && r.takesFiles {
		r.from = m[1]
	}
	return r
}

// addWaits adds the waits of a build that began at an instant. Where the inputs of its
// steps are known they are linked, and the steps in doubt are those that have others too:
// then not all of the build's steps are here.
func (s *steps) addWaits(began time.Time, linked bool, doubted map[string]bool) {
	s.sorted()
	w := &waits{steps: s, began: began, linked: linked, doubted: doubted, byID: map[string]int{}}
	for i := range s.list {
		id := s.list[i].ID
		w.byID[id] = i
		if r := s.roles[id]; r.either && linked {
			r.takesFiles = len(s.list[i].Inputs) > 0 || doubted[id]
			r.fetches = !r.takesFiles
			s.roles[id] = r
		}
	}
	for i := range len(s.list) {
		step := &s.list[i]
		if step.Start.IsZero() || step.State != timeline.Executed || !s.roles[step.ID].takesFiles {
			continue
		}
		if since := w.ready(i); !since.IsZero() && step.Start.Sub(since) >= leastKey {
			w.addKey(i, since)
		}
	}
	if len(doubted) == 0 {
		w.addIdle()
	}
	s.sorted()
}

// A waits finds them in the steps of one build.
type waits struct {
	*steps
	began   time.Time
	linked  bool
	doubted map[string]bool
	byID    map[string]int
	looks   int
}

func endOf(s *timeline.Step) time.Time { return s.Start.Add(s.Duration) }

// works tells whether a step took time that others may have waited for.
func works(s *timeline.Step) bool {
	return !s.Start.IsZero() && (s.State == timeline.Executed && s.Duration > 0 || s.State == timeline.Cached && s.Duration > leastKey)
}

// ready is when all that step i is made of was there, zero where that is not known.
func (w *waits) ready(i int) (since time.Time) {
	of := w.certain(i)
	if w.linked {
		of = w.above(i)
	}
	for _, at := range of {
		since = latest(since, endOf(&w.list[at]))
	}
	if since.IsZero() || since.After(w.list[i].Start.Add(leastKey)) {
		return time.Time{} // it did not wait for it
	}
	return latest(since, w.began)
}

// above are the nearest steps above step i that took time; none unless all of those above
// it are known.
func (w *waits) above(i int) (of []int) {
	seen := map[int]bool{i: true}
	for queue := []int{i}; len(queue) > 0; {
		at := queue[0]
		step := &w.list[at]
		queue = queue[1:]
		if w.doubted[step.ID] || at != i && step.State != timeline.Cached && step.State != timeline.Executed {
			return nil
		}
		for _, id := range step.Inputs {
			if w.looks++; w.looks > maxLooks {
				return nil
			}
			at, ok := w.byID[id]
			if !ok || seen[at] {
				continue
			}
			seen[at] = true
			if works(&w.list[at]) {
				of = append(of, at)
			} else {
				queue = append(queue, at)
			}
		}
	}
	return of
}

// certain is, in a trace, what ended last before step i began, if that is surely above it:
// one before it in its stage, or what it takes its files from. None where it is another:
// step i may have waited for that, or for something before. Where that is the context, the
// step right before step i has to be there too: what a trace lacks may have been executed
// for another build meanwhile.
func (w *waits) certain(i int) []int {
	step, last, built := &w.list[i], -1, false
	if w.looks += len(w.list); w.looks > maxLooks {
		return nil
	}
	for at := range w.list {
		other := &w.list[at]
		if at == i || other.Start.IsZero() {
			continue
		}
		isLoad := other.State == timeline.Cached && !works(other)
		built = built || isSibling(other, step) && other.Index == step.Index-1 ||
			step.Index == 1 && isLoad && step.Start.Sub(other.Start).Abs() < leastKey
		if isLoad || endOf(other).After(step.Start.Add(leastKey)) {
			continue
		}
		if last < 0 || endOf(other).After(endOf(&w.list[last])) {
			last = at
		}
	}
	if last < 0 || !works(&w.list[last]) || strings.Contains(w.list[last].Name, "] LINK ") { // its merging has no span
		return nil
	}
	other, from := &w.list[last], w.roles[step.ID].from
	switch isFrom := from != "" && other.Count > 0 && other.Platform == step.Platform && other.Stage == from; {
	case isSibling(other, step) && other.Index < step.Index,
		isFrom,
		built && from != "" && other.Stage == "context "+from,
		built && from == "" && w.roles[other.ID].isContext:
		return []int{last}
	}
	return nil
}

// isSibling tells whether two steps are instructions of one stage.
func isSibling(a, b *timeline.Step) bool {
	return a.Count > 0 && a.Platform == b.Platform && a.Stage == b.Stage
}

// addKey adds the wait for the cache key of step i.
func (w *waits) addKey(i int, since time.Time) {
	step := &w.list[i]
	place, text, found := strings.Cut(strings.TrimPrefix(step.Key, "["), "] ")
	if place = " (" + place + ")"; place == " (-)" || !found {
		place = ""
	}
	shown := w.roles[step.ID].text
	info := stepInfo{kind: internal, name: fetch.Clean("cache key of "+shown+place, MaxName)}
	info.parsed.Stage = timeline.StageWait
	info.key, info.cut = shortKey("[" + timeline.StageWait + "] cache key of " + text + place)
	w.addWait(i, info, "key", since)
}

// addWait adds what step i waited for since an instant.
func (w *waits) addWait(i int, info stepInfo, id string, since time.Time) {
	step := &w.list[i]
	inputs := slices.Clone(step.Inputs)
	if !w.linked {
		inputs = nil
	}
	id = w.add(info, id+"-"+step.ID, timeline.Step{Start: since, Duration: step.Start.Sub(since), Inputs: inputs, Source: step.Source}).ID
	step = &w.list[i] // it may have moved
	step.Inputs = append(step.Inputs, id)
}

// addIdle adds the waits before which nothing at all went on.
func (w *waits) addIdle() {
	order := slices.Clone(w.sorted())
	var ended time.Time // of the last
	var last *timeline.Step
	preparing := true // no instruction has begun
	for i := range order {
		step := &order[i]
		r := w.roles[step.ID]
		if step.Start.IsZero() {
			continue
		}
		idle := step.Start.Sub(ended)
		isCached := step.State == timeline.Cached && !works(step) || step.Stage == exportStage
		switch {
		case last == nil || idle < leastKey:
		case isCached && w.linked && w.roles[last.ID].isContext:
			w.addIdleWait(ended, idle, "cache keys of the context's files")
		case preparing && r.fetches && !r.apart && idle >= leastFrontend && (w.linked || w.roles[last.ID].isFrontend):
			_, text, _ := strings.Cut(step.Key, "] ")
			w.addIdleWait(ended, idle, "frontend before "+text)
		}
		preparing = preparing && r.fetches
		if end := endOf(step); end.After(ended) {
			ended, last = end, step
		}
	}
}

// addIdleWait adds a wait that began at an instant.
func (w *waits) addIdleWait(since time.Time, took time.Duration, name string) {
	info := stepInfo{kind: internal, name: fetch.Clean(name, MaxName)}
	info.parsed.Stage = timeline.StageWait
	info.key, info.cut = shortKey(dockerfile.Key("", timeline.StageWait, name))
	w.add(info, "idle", timeline.Step{Start: since, Duration: took})
}
