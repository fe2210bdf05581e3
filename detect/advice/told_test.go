package advice_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/advice"
	"github.com/buildregress/buildregress/detect/buildtest"
	"github.com/buildregress/buildregress/detect/timeline"
)

const second = time.Second

// A history is as many builds of some steps, newest first; change makes each what it is.
func history(n int, steps func(i int) []buildtest.Step, change func(i int, b *timeline.Build)) []timeline.Build {
	var builds []timeline.Build
	for i := range n {
		b := buildtest.New("main", i, steps(i)...)
		b.Facts = &timeline.Facts{Text: "1"}
		if change != nil {
			change(i, &b)
		}
		builds = append(builds, b)
	}
	slices.Reverse(builds)
	return builds
}

// of are the advices of a kind.
func of(kind advice.Kind, builds []timeline.Build, terms advice.Terms) (found []advice.Advice) {
	terms.MinDelta = second
	for _, x := range advice.OfBuilds(builds, &terms) {
		if x.Kind == kind {
			found = append(found, x)
		}
	}
	return found
}

func step(b *timeline.Build, name string) *timeline.Step {
	i := slices.IndexFunc(b.Steps, func(s timeline.Step) bool { return s.Name == name })
	return &b.Steps[i]
}

func measured(d time.Duration) *timeline.Seconds {
	s := timeline.Seconds(d)
	return &s
}

// wants is that one advice is told, worth so much, or that none is where that is 0.
func wants(t *testing.T, name string, found []advice.Advice, saves time.Duration, steps int) {
	t.Helper()
	switch {
	case saves == 0 && len(found) > 0:
		t.Errorf("%s: told: %+v", name, found)
	case saves == 0:
	case len(found) != 1:
		t.Errorf("%s: %d are told: %+v", name, len(found), found)
	case (found[0].Saves.D()-saves).Abs() > 10*time.Millisecond || len(found[0].Steps) != steps:
		t.Errorf("%s: %s and %q are told, want %s and %d steps", name, found[0].Saves, found[0].Steps, saves, steps)
	}
}

// Images that are asked for, fetched and unpacked in each build are told as one, with the parts;
// those that the builder has are not, and none of their steps is told by itself.
func TestImages(t *testing.T) {
	const metadata, from = "[internal] load metadata for docker.io/library/node:20", "[app 1/2] FROM docker.io/library/node:20"
	steps := func(asked, fetched time.Duration, state timeline.State) func(int) []buildtest.Step {
		return func(int) []buildtest.Step {
			return []buildtest.Step{
				buildtest.Ran(metadata, asked),
				{Name: from, Took: fetched, State: state, Inputs: []string{metadata}},
				{Name: "[unpack] unpack docker.io/library/node", Took: fetched / 2, State: state},
				buildtest.Ran("[app 2/2] RUN make", 20*second, from),
			}
		}
	}
	unpacks := func(_ int, b *timeline.Build) {
		b.Steps[2].Stage, b.Steps[2].Index, b.Steps[2].Count = timeline.StageUnpack, 0, 0
		b.Steps[2].Start = b.Steps[1].Start.Add(b.Steps[1].Duration - b.Steps[2].Duration)
		b.Steps[1].Inputs = append(b.Steps[1].Inputs, b.Steps[2].ID)
	}
	for name, c := range map[string]struct {
		asked, fetched time.Duration
		state          timeline.State
		saves          time.Duration
		steps          int
	}{
		"fetched in each":        {2 * second, 6 * second, timeline.Executed, 8 * second, 2},
		"only asked for":         {2 * second, 0, timeline.Cached, 2 * second, 1},
		"there":                  {100 * time.Millisecond, 0, timeline.Cached, 0, 0},
		"a part of it by chance": {0, 400 * time.Millisecond, timeline.Executed, 0, 0},
	} {
		builds := history(12, steps(c.asked, c.fetched, c.state), unpacks)
		found := of(advice.Images, builds, advice.Terms{})
		wants(t, name, found, c.saves, c.steps)
		if len(found) == 0 {
			continue
		}
		if found[0].Resolve.D() != c.asked || found[0].Unpack.D() != c.fetched/2 {
			t.Errorf("%s: %+v", name, found[0])
		}
		for _, kind := range []advice.Kind{advice.Step, advice.Transfer} {
			for _, x := range of(kind, builds, advice.Terms{}) {
				if slices.Contains(found[0].Steps, x.Steps[0]) {
					t.Errorf("told twice: %+v", x)
				}
			}
		}
	}
}

// What says what to do has a place among what is told, however much three steps are worth.
func TestRemediesHaveAPlace(t *testing.T) {
	const from = "[app 1/4] FROM docker.io/library/node:20"
	for fetched, want := range map[time.Duration][]advice.Kind{
		4 * second:  {advice.Step, advice.Step, advice.Images},
		45 * second: {advice.Step, advice.Images, advice.Step},
		0:           {advice.Step, advice.Step, advice.Step},
	} {
		builds := history(12, func(int) []buildtest.Step {
			return []buildtest.Step{
				buildtest.Ran(from, fetched), buildtest.Ran("[app 2/4] RUN a", 50*second, from),
				buildtest.Ran("[app 3/4] RUN b", 40*second, "[app 2/4] RUN a"), buildtest.Ran("[app 4/4] RUN c", 30*second, "[app 3/4] RUN b"),
			}
		}, nil)
		var kinds []advice.Kind
		for _, x := range advice.OfBuilds(builds, &advice.Terms{MinDelta: second}) {
			kinds = append(kinds, x.Kind)
		}
		if !slices.Equal(kinds, want) {
			t.Errorf("%s: %q, want %q", fetched, kinds, want)
		}
	}
}

// A cache that is written is told if it costs more than what was found in one had taken, in
// these builds and in those of other branches; and not where that is not known.
func TestCacheExport(t *testing.T) {
	const install, export = "[app 2/3] RUN npm ci", "[cache export] exporting cache to registry"
	builds := func(hit func(i int) bool) []timeline.Build {
		return history(20, func(i int) []buildtest.Step {
			first := buildtest.Ran(install, 30*second)
			if hit(i) {
				first = buildtest.Hit(install)
			}
			return []buildtest.Step{first, buildtest.Ran("[app 3/3] RUN make", 40*second, install), buildtest.Ran(export, 10*second, "[app 3/3] RUN make")}
		}, func(_ int, b *timeline.Build) {
			s := step(b, export)
			s.Stage, s.Index, s.Count = timeline.StageCacheExport, 0, 0
		})
	}
	branch := func(n int, steps ...buildtest.Step) (others []timeline.Build) {
		for i := range n {
			others = append(others, buildtest.New("topic", i, steps...))
		}
		return others
	}
	for name, c := range map[string]struct {
		hit    func(i int) bool
		others []timeline.Build
		saves  time.Duration
		many   bool
	}{
		"nothing was ever found":           {func(int) bool { return false }, nil, 10 * second, false},
		"found in one of five":             {func(i int) bool { return i%5 == 0 }, nil, 4 * second, false},
		"found in half":                    {func(i int) bool { return i%2 == 0 }, nil, 0, false},
		"found in all, and never seen run": {func(int) bool { return true }, nil, 0, false},
		"found by a branch now and then":   {func(int) bool { return false }, branch(2, buildtest.Hit(install)), 7 * second, false},
		"found by branches":                {func(int) bool { return false }, branch(10, buildtest.Hit(install)), 0, false},
		"too many branches":                {func(int) bool { return false }, nil, 0, true},
		"a branch has another step":        {func(int) bool { return false }, branch(1, buildtest.Hit("[app 2/3] RUN yarn")), 0, false},
	} {
		found := of(advice.CacheExport, builds(c.hit), advice.Terms{Others: func(from, to time.Time) ([]timeline.Build, bool) {
			if from != buildtest.Epoch || to != buildtest.Epoch.Add(19*time.Hour) {
				t.Errorf("%s: asked for %s to %s", name, from, to)
			}
			return c.others, !c.many
		}})
		wants(t, name, found, c.saves, 1)
		if len(found) > 0 && found[0].Others != len(c.others) {
			t.Errorf("%s: %+v", name, found[0])
		}
	}
}

// Too few processors are told where steps wait for one, most of most builds; idle ones, where a
// step of one thread leaves them so.
func TestProcessors(t *testing.T) {
	share := func(s float64) *float64 { return &s }
	const compile, test = "[app 1/1] RUN make", "[test 1/1] RUN make test"
	for name, c := range map[string]struct {
		cpu, wait, throttled time.Duration
		busy, steal, cpus    float64
		few                  func(i int) bool // in which this was so; else nothing waited
		beside               time.Duration    // that another step takes
		processors, idle     time.Duration
	}{
		"starved":            {cpu: 60 * second, wait: 20 * second, busy: 0.9, cpus: 2, processors: 10 * second},
		"now and then":       {cpu: 60 * second, wait: 20 * second, busy: 0.9, cpus: 2, few: func(i int) bool { return i%3 == 0 }},
		"a quota":            {cpu: 20 * second, wait: 20 * second, throttled: 20 * second, busy: 0.9, cpus: 2},
		"stolen":             {cpu: 60 * second, wait: 20 * second, busy: 0.9, steal: 0.4, cpus: 2},
		"it waits for disks": {cpu: 5 * second, busy: 0.1, cpus: 4},
		"one thread":         {cpu: 40 * second, busy: 0.1, cpus: 4, idle: 30 * second},
		"one processor":      {cpu: 40 * second, busy: 0.1, cpus: 1},
		"others are busy":    {cpu: 40 * second, busy: 0.1, cpus: 2, beside: 40 * second},
		"all are used":       {cpu: 150 * second, busy: 0.3, cpus: 4},
	} {
		builds := history(15, func(int) []buildtest.Step {
			all := []buildtest.Step{buildtest.Ran(compile, 40*second)}
			if c.beside > 0 {
				all = append(all, buildtest.Ran(test, c.beside))
			}
			return all
		}, func(i int, b *timeline.Build) {
			b.Machine = &timeline.Machine{Window: timeline.Seconds(b.Duration), CPUs: c.cpus, CPUWait: share(c.busy), Steal: c.steal}
			step(b, compile).Usage = &timeline.Usage{CPU: measured(c.cpu), CPUWait: measured(c.wait)}
			if c.throttled > 0 {
				step(b, compile).Usage.Throttled = measured(c.throttled)
			}
			if c.few != nil && !c.few(i) {
				b.Machine.CPUWait, step(b, compile).Usage = share(0.1), &timeline.Usage{CPU: measured(c.cpu), CPUWait: measured(0)}
			}
		})
		wants(t, name, of(advice.Processors, builds, advice.Terms{}), c.processors, 1)
		wants(t, name, of(advice.Idle, builds, advice.Terms{}), c.idle, 1)
		for i := range builds { // nothing is measured
			builds[i].DropFacts()
		}
		wants(t, name, of(advice.Processors, builds, advice.Terms{}), 0, 0)
		wants(t, name, of(advice.Idle, builds, advice.Terms{}), 0, 0)
	}
}

// An index that several steps fetch is told, if it is one index, and each fetches it.
func TestIndexes(t *testing.T) {
	const from, left = "[base 1/2] FROM docker.io/library/debian:12", "[base 2/2] RUN apt-get update && apt-get install -y git"
	const base = left + " && rm -r /var/lib/apt/lists/*"
	for name, c := range map[string]struct {
		second, stage string
		from          string
		saves         time.Duration
	}{
		"in one stage":           {"RUN apt-get update && apt-get install -y make", "app", base, 5 * second},
		"in another image":       {"RUN apt-get update && apt-get install -y make", "app", "[other 1/1] FROM docker.io/library/debian:11", 0},
		"of what is there":       {"RUN apt-get install -y make", "app", base, 0},
		"what is kept":           {"RUN --mount=type=cache,target=/var/lib/apt apt-get update && apt-get install -y make", "app", base, 0},
		"another manager":        {"RUN apk add --no-cache make", "app", base, 0},
		"in what the first left": {"RUN apt-get update && apt-get install -y make", "app", left, 0},
		"in a text":              {"RUN echo 'apt-get update' >/help", "app", base, 0},
	} {
		first := base
		if c.from == left {
			first = left
		}
		builds := history(12, func(int) []buildtest.Step {
			return []buildtest.Step{
				buildtest.Hit(from), buildtest.Hit("[other 1/1] FROM docker.io/library/debian:11"),
				buildtest.Ran(first, 5*second, from),
				buildtest.Ran("["+c.stage+" 1/1] "+c.second, 9*second, c.from, first),
			}
		}, func(_ int, b *timeline.Build) {
			if c.from != first {
				b.Steps[3].Inputs = []string{b.Steps[1].ID}
				b.Steps[3].Start = b.Steps[2].Start.Add(b.Steps[2].Duration)
			}
		})
		wants(t, name, of(advice.Indexes, builds, advice.Terms{}), c.saves, 2)
	}
}

// A step that installs what a file lists, and runs whenever anything changes, is told with the
// builds in which that file did not change; and not where another thing may have invalidated it,
// where the cache is empty, or where it is not known what changed.
func TestOrder(t *testing.T) {
	const workdir, copied = "[app 2/4] WORKDIR /src", "[app 3/4] COPY . ."
	files := func(i int) []string {
		if i%5 == 0 {
			return []string{"src/main.js", "package-lock.json"}
		}
		return []string{"src/main.js"}
	}
	for name, c := range map[string]struct {
		run     string
		changed func(i int) ([]string, bool)
		change  func(i int, b *timeline.Build)
		saves   time.Duration
	}{
		"a lock file":          {"RUN npm ci", func(i int) ([]string, bool) { return files(i), true }, nil, 24 * second},
		"system packages":      {"RUN apt-get update && apt-get install -y git && rm -rf /var/lib/apt/lists/*", func(i int) ([]string, bool) { return files(i), true }, nil, 30 * second},
		"it builds as well":    {"RUN npm ci && npm run build", func(i int) ([]string, bool) { return files(i), true }, nil, 0},
		"it always changes":    {"RUN npm ci", func(int) ([]string, bool) { return []string{"package-lock.json", "a.js"}, true }, nil, 0},
		"nothing is known":     {"RUN npm ci", func(int) ([]string, bool) { return nil, false }, nil, 0},
		"it did not change":    {"RUN npm ci", func(int) ([]string, bool) { return []string{}, true }, nil, 0},
		"outside of the cache": {"RUN npm ci", func(i int) ([]string, bool) { return files(i), true }, func(_ int, b *timeline.Build) { step(b, workdir).State = timeline.Executed }, 0},
		"another argument": {"RUN npm ci", func(i int) ([]string, bool) { return files(i), true }, func(i int, b *timeline.Build) {
			b.Facts.Args = []timeline.BuildArg{{Name: "N", Hash: fmt.Sprint(i)}}
			step(b, "[app 4/4] RUN npm ci").Facts.Args = []string{"N"}
		}, 0},
		"another argument for others": {"RUN npm ci", func(i int) ([]string, bool) { return files(i), true }, func(i int, b *timeline.Build) {
			b.Facts.Args = []timeline.BuildArg{{Name: "REVISION", Hash: fmt.Sprint(i)}}
		}, 24 * second},
		"another Dockerfile": {"RUN npm ci", func(i int) ([]string, bool) { return files(i), true }, func(i int, b *timeline.Build) { b.Facts.Text = fmt.Sprint(i) }, 0},
		"the instruction changed": {"RUN npm ci", func(i int) ([]string, bool) { return files(i), true }, func(i int, b *timeline.Build) {
			step(b, "[app 4/4] RUN npm ci").Facts.Op = fmt.Sprint(i)
		}, 0},
		"another folder is copied": {"RUN npm ci", func(i int) ([]string, bool) { return files(i), true }, func(_ int, b *timeline.Build) { step(b, copied).Facts.Reads = []string{"/lib"} }, 0},
	} {
		builds := history(21, func(int) []buildtest.Step {
			return []buildtest.Step{
				buildtest.Hit("[app 1/4] FROM docker.io/library/node:20"), buildtest.Hit(workdir),
				buildtest.Ran(copied, second, workdir), buildtest.Ran("[app 4/4] "+c.run, 30*second, copied),
			}
		}, func(i int, b *timeline.Build) {
			step(b, copied).Facts = &timeline.StepFacts{Op: "copy", Reads: []string{"/"}}
			step(b, "[app 4/4] "+c.run).Facts = &timeline.StepFacts{Op: "run", Env: "e"}
			if c.change != nil {
				c.change(i, b)
			}
		})
		at := func(b *timeline.Build) (i int) {
			fmt.Sscanf(b.ID, "main-%d", &i)
			return i
		}
		found := of(advice.Order, builds, advice.Terms{Changed: func(before, after *timeline.Build) ([]string, bool) {
			if at(after) != at(before)+1 {
				t.Errorf("asked for %s and %s", before.ID, after.ID)
			}
			return c.changed(at(after))
		}})
		wants(t, name, found, c.saves, 1)
		if len(found) > 0 && (found[0].Ran != 20 || found[0].Unneeded != int(20*c.saves/(30*second))) {
			t.Errorf("%s: %+v", name, found[0])
		}
		wants(t, name, of(advice.Order, builds, advice.Terms{}), 0, 0) // nobody can be asked
	}
}

// A cache mount is told if the step fetches in each build what it had fetched before, and keeps
// it where it looks for it.
func TestCacheMounts(t *testing.T) {
	fetched := []string{"github.com/a/b v1.0.0", "golang.org/x/sys v0.1.0", "github.com/c/d v2.0.0"}
	for name, c := range map[string]struct {
		mount   string
		fetched func(i int) []string
		saves   time.Duration
	}{
		"empty in each":      {"--mount=type=cache,target=/go/pkg/mod", func(int) []string { return fetched }, 18 * second},
		"filled since":       {"--mount=type=cache,target=/go/pkg/mod", func(i int) []string { return fetched[:3*((20-i)/20)] }, 0},
		"other modules":      {"--mount=type=cache,target=/go/pkg/mod", func(i int) []string { return []string{fmt.Sprintf("github.com/a/b v1.0.%d", i)} }, 0},
		"of something else":  {"--mount=type=cache,target=/root/.cache", func(int) []string { return fetched }, 0},
		"no mount":           {"", func(int) []string { return fetched }, 0},
		"installed packages": {"--mount=type=cache,target=/go/pkg/mod", func(int) []string { return []string{"libcurl 8.7.1-r0"} }, 0},
	} {
		run := "[app 1/1] RUN " + c.mount + " go build ./..."
		builds := history(20, func(int) []buildtest.Step { return []buildtest.Step{buildtest.Ran(run, 20*second)} }, func(i int, b *timeline.Build) {
			step(b, run).Usage = &timeline.Usage{Versions: c.fetched(i)}
		})
		found := of(advice.Mounts, builds, advice.Terms{})
		if c.saves > 0 {
			c.saves = 19 * 20 * second / 20 // the first time is no second one
		}
		wants(t, name, found, c.saves, 1)
		if len(found) > 0 && found[0].Packages != len(fetched) {
			t.Errorf("%s: %+v", name, found[0])
		}
	}
}

// A layer that is the same is told if it is written and pushed again for what stands before it,
// by its share of the bytes; and not where it may be another one, or is not pushed.
func TestLayers(t *testing.T) {
	const deps, src, copied = "[deps 2/2] RUN npm ci", "[app 2/3] COPY src /src", "[app 3/3] COPY --from=deps /deps /deps"
	const export, push = "[export] exporting to image", "[push] pushing to registry"
	for name, c := range map[string]struct {
		change func(i int, b *timeline.Build)
		saves  time.Duration
	}{
		"behind what changes": {func(int, *timeline.Build) {}, 2*second + 8*second + 16*second},
		"the stage ran":       {func(_ int, b *timeline.Build) { step(b, deps).State = timeline.Executed }, 0},
		"the stage runs now and then": {func(i int, b *timeline.Build) {
			if i%3 > 0 {
				step(b, deps).State = timeline.Executed
			}
		}, 0},
		"nothing ran before it": {func(_ int, b *timeline.Build) { step(b, src).State = timeline.Cached }, 0},
		"a small one":           {func(_ int, b *timeline.Build) { step(b, copied).Usage.Layer = 1000 }, 0},
		"not known":             {func(_ int, b *timeline.Build) { step(b, copied).Usage = nil }, 0},
		"not pushed": {func(_ int, b *timeline.Build) {
			b.Steps = slices.DeleteFunc(b.Steps, func(s timeline.Step) bool { return s.Name == push })
		}, 0},
		"linked": {func(_ int, b *timeline.Build) {
			step(b, copied).Name = "[app 3/3] COPY --link --from=deps /deps /deps"
		}, 0},
	} {
		builds := history(15, func(int) []buildtest.Step {
			return []buildtest.Step{
				buildtest.Hit(deps), buildtest.Hit("[app 1/3] WORKDIR /app"), buildtest.Ran(src, second, "[app 1/3] WORKDIR /app"), buildtest.Ran(copied, 2*second, src, deps),
				buildtest.Ran(export, 10*second, copied), buildtest.Ran(push, 20*second, export),
			}
		}, func(i int, b *timeline.Build) {
			step(b, copied).Usage = &timeline.Usage{Layer: 80_000_000}
			for _, of := range []string{export, push} {
				s := step(b, of)
				s.Index, s.Count, s.Bytes = 0, 0, 100_000_000
			}
			c.change(i, b)
		})
		found := of(advice.Layers, builds, advice.Terms{})
		wants(t, name, found, c.saves, 3)
		if len(found) > 0 && (found[0].Bytes != 80_000_000 || found[0].Unneeded != 15) {
			t.Errorf("%s: %+v", name, found[0])
		}
	}
}
