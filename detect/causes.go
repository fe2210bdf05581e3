package detect

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// Why a step is slower, and not only since when: what differs between the last build in
// which it took its usual time and the first slow one. A difference is a cause only if it
// can reach the step, and explains nothing if it is there in every build. A wrong "likely"
// costs more trust than none: what is not known for sure to be the only difference is
// possible at most.

// An Explanation is one cause of a finding.
type Explanation struct {
	Kind      Kind      `json:"kind"`
	Certainty Certainty `json:"certainty"`
	Text      string    `json:"text"`               // English, with names between backticks
	Before    string    `json:"before,omitempty"`   // what was, in the last build at the usual level
	After     string    `json:"after,omitempty"`    // what is
	Evidence  []string  `json:"evidence,omitempty"` // files, revisions and the like
}

// A Certainty says how sure a cause is.
type Certainty string

const (
	Is       Certainty = "is"       // it was measured
	Likely   Certainty = "likely"   // it is the only difference that can reach the step
	Possible Certainty = "possible" // it is one of several, or not all is known
)

// Kinds of explanations, besides KindMachineOverloaded and KindOtherMachine.
const (
	KindStepStarved     Kind = "step-starved"     // it did the same work, and waited for the machine
	KindStepThrottled   Kind = "step-throttled"   // by a quota
	KindStepMemory      Kind = "step-memory"      // it was short of memory
	KindMoreWork        Kind = "more-work"        // it used more processor time
	KindInstruction     Kind = "instruction"      // it was edited, or one that it is made from
	KindArgument        Kind = "argument"         // a build argument has another value
	KindEnvironment     Kind = "environment"      // a variable of its environment has
	KindBaseImage       Kind = "base-image"       // one that it is made from is another
	KindFile            Kind = "file"             // one that it reads changed
	KindLockFile        Kind = "lock-file"        // … that says what is installed
	KindMoreBytes       Kind = "more-bytes"       // it moved more
	KindSlowerTransfer  Kind = "slower-transfer"  // it moved as much as usual, more slowly
	KindExporter        Kind = "exporter"         // the result is written in another way
	KindCacheImport     Kind = "cache-import"     // other caches were to be read
	KindFrontend        Kind = "frontend"         // what reads the Dockerfile is another
	KindNothingRecorded Kind = "nothing-recorded" // of what can reach it has changed
)

// Changed are the paths that differ between two revisions, from the root of the
// repository with slashes; known is false where that cannot be told.
type Changed func(before, after string) (files []string, known bool)

const maxCauses = 3 // that are told of one finding

// Explain fills in the causes of what was found in a build, which was judged against a
// history. It asks changed, which may be nil, for a few pairs of revisions.
func (r *Result) Explain(build *Build, history *History, changed Changed) {
	if build.Outcome != OK {
		return
	}
	history = history.orEmpty()
	if changed == nil {
		changed = func(string, string) ([]string, bool) { return nil, false }
	}
	e := explainer{result: r, build: build, changed: changed, older: slices.Concat(history.Branch, history.Base), own: len(history.Branch)}
	if len(history.Branch) == 0 && build.PullRequest == "" && (build.Branch == history.BaseBranch || build.Branch == "") {
		e.own = len(history.Base) // builds of its own branch
	}
	for i := range build.Steps {
		s := &r.Steps[i]
		switch s.Status {
		case StatusSlower, StatusSuspect, StatusOverBudget:
			s.Causes, s.RuledOut = e.step(&build.Steps[i], s)
		}
	}
	for i := range r.Cache.Losses {
		l := &r.Cache.Losses[i]
		at := slices.IndexFunc(build.Steps, func(s Step) bool { return s.Key == l.Step })
		if at >= 0 && !r.Cache.Cold {
			l.Causes = e.loss(&build.Steps[at])
		}
	}
}

// An explainer finds the causes of what was found in one build.
type explainer struct {
	result  *Result
	build   *Build
	changed Changed
	older   []Build    // newest first: those of its branch, then those of the baseline
	own     int        // how many of them, from the first, are under suspicion themselves
	pairs   [][]string // see changes
}

const maxLookedBack = 12 // builds, for the last one at the usual level

// between finds the first slow build and the last one at the usual level, with the step in
// that; nil where none is known that has facts.
func (e *explainer) between(s *Step, r *StepResult) (good, bad *Build, was *Step) {
	limit := max(r.High, r.Usual+r.Usual/10).D()
	bad = e.build
	run := true // of slow builds is not broken
	for i := range e.older[:min(len(e.older), maxLookedBack+e.own)] {
		b := &e.older[i]
		old := stepIn(b, s, r.Was)
		if old == nil || old.State != Executed {
			continue
		}
		if old.Duration > limit {
			if run && i < e.own && b.Facts != nil {
				bad = b
			}
			continue
		}
		run = false
		if b.Facts != nil {
			return b, bad, old
		}
	}
	return nil, bad, nil
}

// stepIn finds a step in another build: of its key, or what it was before it was edited.
func stepIn(b *Build, s *Step, was string) *Step {
	var found *Step
	for i := range b.Steps {
		o := &b.Steps[i]
		if o.Key == s.Key || was != "" && o.Name == was {
			if found != nil && found.Key == o.Key {
				return nil // of equal ones nothing tells which
			}
			if found == nil || o.Key == s.Key {
				found = o
			}
		}
	}
	return found
}

// step finds the causes of a step that took longer, and says what was looked at.
func (e *explainer) step(s *Step, r *StepResult) (causes []Explanation, ruledOut []Note) {
	measured := e.measured(s, r)
	good, bad, was := e.between(s, r)
	if good == nil || bad.Facts == nil {
		return measured, append(ruledOut, Note{KindHistory, "no earlier build of the usual time says what it was made of"})
	}
	now := stepIn(bad, s, "")
	if now == nil {
		now, bad = s, e.build
	}
	d := e.differences(good, bad, was, now)
	ruledOut = append(ruledOut, Note{KindHistory, fmt.Sprintf("compared with build %s%s, the last of its usual time, and %s%s, the first slow one",
		quoted(good.ID), revisionOf(good), quoted(bad.ID), revisionOf(bad))})
	ruledOut = append(ruledOut, d.same...)
	found := d.found
	sure := len(measured) > 0
	for i := range found {
		if sure || len(found) > 1 || !d.complete {
			found[i].Certainty = Possible // one of several
		}
	}
	causes = append(measured, found...)
	if len(causes) == 0 {
		text := "nothing that the records hold has changed for this step: look at the network and at what it downloads"
		if !d.filesKnown && s.Count > 0 {
			text = "nothing that the records hold has changed for this step; which files changed is not known"
			if len(d.reads) > 0 {
				text += " (it reads " + someOf(d.reads) + ")"
			}
		}
		causes = []Explanation{{Kind: KindNothingRecorded, Certainty: Possible, Text: text}}
	}
	return causes[:min(len(causes), maxCauses)], ruledOut
}

func revisionOf(b *Build) string {
	if b.Revision == "" {
		return ""
	}
	return " of " + quoted(b.Revision[:min(len(b.Revision), 10)])
}

// measured are the causes that are numbers of the machine, of the step, or of what it moved.
func (e *explainer) measured(s *Step, r *StepResult) (causes []Explanation) {
	add := func(kind Kind, certainty Certainty, before, after, format string, args ...any) {
		causes = append(causes, Explanation{Kind: kind, Certainty: certainty, Text: fmt.Sprintf(format, args...), Before: before, After: after})
	}
	delta := r.Delta
	if m := e.result.Machine; m != nil && machineExplain(s, r) {
		if m.Overloaded {
			certainty, before := Possible, ""
			if m.UsualHigh != nil {
				certainty, before = Is, percentNumber(*m.UsualLow)+"–"+percentOf(*m.UsualHigh)
			}
			add(KindMachineOverloaded, certainty, before, percentOf(*m.CPUWait), "%s", m.overload())
		}
		if m.Other {
			add(KindOtherMachine, Is, hardware(m.UsualCPUs, m.UsualMemory), hardware(m.CPUs, m.Memory), "%s", m.otherMachine())
		}
	}
	if usual := e.usualUse(s); usual != nil && s.Usage != nil && delta > 0 {
		more := func(now *Seconds, usual Seconds) Seconds {
			if now == nil {
				return 0
			}
			return *now - usual
		}
		cpu, wait, disk := more(s.Usage.CPU, usual.cpu), more(s.Usage.CPUWait, usual.wait), more(s.Usage.IOWait, usual.disk)
		const same, grown, part = 1.3, 1.4, 0.5
		sameWork := s.Usage.CPU != nil && float64(*s.Usage.CPU) <= same*float64(usual.cpu)
		most := Seconds(part * float64(delta))
		if quota := s.Usage.Throttled; quota != nil && *quota-usual.throttled >= most {
			add(KindStepThrottled, Is, usual.throttled.String(), quota.String(), "it was throttled for %s by a quota of processor time", quota)
		}
		if s.Usage.OOMKills > usual.kills {
			add(KindStepMemory, Is, "", "", "a process of it was killed for memory (peak %.3g GB)", float64(s.Usage.MemoryPeak)/1e9)
		} else if memory := more(s.Usage.MemoryWait, usual.memory); memory >= most {
			add(KindStepMemory, Is, usual.memory.String(), s.Usage.MemoryWait.String(), "it waited %s for memory, usually %s", s.Usage.MemoryWait, usual.memory)
		}
		switch {
		case s.Usage.CPU != nil && cpu >= most && float64(*s.Usage.CPU) >= grown*float64(usual.cpuMost):
			add(KindMoreWork, Is, usual.cpu.String(), s.Usage.CPU.String(), "it used %s of processor time, usually %s: it has more to do", s.Usage.CPU, usual.cpu)
		case sameWork && wait >= most:
			add(KindStepStarved, Is, usual.wait.String(), s.Usage.CPUWait.String(), "it did the same work (%s of processor time, usually %s) and waited %s for a processor", s.Usage.CPU, usual.cpu, s.Usage.CPUWait)
		case sameWork && disk >= most:
			add(KindStepStarved, Is, usual.disk.String(), s.Usage.IOWait.String(), "it did the same work (%s of processor time, usually %s) and waited %s for a disk", s.Usage.CPU, usual.cpu, s.Usage.IOWait)
		}
	}
	causes = append(causes, e.moved(s)...)
	return causes[:min(len(causes), maxCauses)]
}

// moved tells of a transfer that moved more, or as much at a lower speed. How much of a
// context is moved depends on what the builder has of it: only more than ever was is more.
func (e *explainer) moved(s *Step) []Explanation {
	const least = 1e6
	if s.Bytes < least {
		return nil
	}
	var bytes []int64
	var speeds []float64
	for i := range e.older[e.ownFrom():] {
		o := stepIn(&e.older[e.ownFrom()+i], s, "")
		if o == nil || o.State != Executed || o.Bytes <= 0 {
			continue
		}
		bytes = append(bytes, o.Bytes)
		if o.Bytes > least && o.Duration > 0 {
			speeds = append(speeds, float64(o.Bytes)/o.Duration.Seconds())
		}
	}
	if len(bytes) < leastUsual {
		return nil
	}
	before := slices.Max(bytes)
	if float64(s.Bytes) >= 1.5*float64(before) && s.Bytes-before >= least {
		return []Explanation{{
			Kind: KindMoreBytes, Certainty: Is, Before: megabytes(before), After: megabytes(s.Bytes),
			Text: fmt.Sprintf("it moved %s, and never more than %s before", megabytes(s.Bytes), megabytes(before)),
		}}
	}
	if len(speeds) < leastUsual || s.Duration <= 0 {
		return nil
	}
	slices.Sort(speeds)
	usual, now := speeds[len(speeds)/2], float64(s.Bytes)/s.Duration.Seconds()
	if now > 0.7*usual {
		return nil
	}
	return []Explanation{{
		Kind: KindSlowerTransfer, Certainty: Possible, Before: megabytes(int64(usual)) + "/s", After: megabytes(int64(now)) + "/s",
		Text: fmt.Sprintf("it moved %s, no more than before, at %s/s instead of %s/s", megabytes(s.Bytes), megabytes(int64(now)), megabytes(int64(usual))),
	}}
}

// ownFrom is where the builds begin that are not of the pull request itself.
func (e *explainer) ownFrom() int {
	if e.own == len(e.older) {
		return 0
	}
	return e.own
}

func megabytes(n int64) string { return fmt.Sprintf("%.3g MB", float64(n)/1e6) }

// A use is what a step usually uses.
type use struct {
	cpu, cpuMost, wait, disk, memory, throttled Seconds
	kills                                       int64
}

// usualUse is that of the baseline's builds, nil where too few tell.
func (e *explainer) usualUse(s *Step) *use {
	var cpu, wait, disk, memory, throttled []Seconds
	u := &use{}
	for i := e.ownFrom(); i < len(e.older); i++ {
		o := stepIn(&e.older[i], s, "")
		if o == nil || o.State != Executed || o.Usage == nil {
			continue
		}
		for _, f := range []struct {
			list *[]Seconds
			from *Seconds
		}{{&cpu, o.Usage.CPU}, {&wait, o.Usage.CPUWait}, {&disk, o.Usage.IOWait}, {&memory, o.Usage.MemoryWait}} {
			if f.from != nil {
				*f.list = append(*f.list, *f.from)
			}
		}
		quota := Seconds(0)
		if o.Usage.Throttled != nil {
			quota = *o.Usage.Throttled
		}
		throttled = append(throttled, quota)
		u.kills = max(u.kills, o.Usage.OOMKills)
	}
	if len(cpu) < leastUsual {
		return nil
	}
	u.cpu, u.cpuMost = middle(cpu), slices.Max(cpu)
	u.wait, u.disk, u.memory, u.throttled = middle(wait), middle(disk), middle(memory), middle(throttled)
	return u
}

func middle(list []Seconds) Seconds {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[len(list)/2]
}

// differences are what two builds differ by that can reach a step.
type differences struct {
	found      []Explanation // each as if it were alone
	same       []Note        // what was looked at and is no difference
	reads      []string      // paths of the context that reach the step
	filesKnown bool
	complete   bool // nothing that can reach the step is unknown
}

// differences compares what reaches the step, which is was in good and now in bad.
func (e *explainer) differences(good, bad *Build, was, now *Step) differences {
	d := differences{complete: true}
	reached := reaches(bad, now)
	if now.Facts == nil && now.Count == 0 {
		// It is no instruction: what it needs is not known, but for the image that it pulls.
		d.complete = false
		if now.isPart() {
			e.images(&d, good, bad, was, now, usersOf(bad, now))
		}
		e.builder(&d, good, bad, now)
		return d
	}
	e.instructions(&d, good, was, now, reached)
	e.arguments(&d, good, bad, reached)
	e.images(&d, good, bad, was, now, reached)
	e.files(&d, good, bad, now, reached)
	e.builder(&d, good, bad, now)
	return d
}

// reaches are the step and all that it is made from.
func reaches(b *Build, s *Step) (list []*Step) {
	byID := make(map[string]*Step, len(b.Steps))
	for i := range b.Steps {
		if id := b.Steps[i].ID; id != "" {
			byID[id] = &b.Steps[i]
		}
	}
	seen := map[*Step]bool{s: true}
	list = []*Step{s}
	for at := 0; at < len(list); at++ {
		for _, id := range list[at].Inputs {
			if in := byID[id]; in != nil && !seen[in] {
				seen[in] = true
				list = append(list, in)
			}
		}
	}
	return list
}

// usersOf are the steps that wait for one.
func usersOf(b *Build, s *Step) (list []*Step) {
	for i := range b.Steps {
		if s.ID != "" && slices.Contains(b.Steps[i].Inputs, s.ID) {
			list = append(list, &b.Steps[i])
		}
	}
	return list
}

// A difference that is there in so many pairs of builds that follow each other explains
// nothing, or is hardly the reason.
const always, seldom = 0.5, 0.15

// add keeps a difference; one that is there in many builds explains nothing, and one that
// came before without a slowdown is possible at most.
func (d *differences) add(x Explanation, often float64) {
	if often >= always {
		d.same = append(d.same, Note{x.Kind, x.Text + ": so it does in most builds, without being slower"})
		return
	}
	x.Certainty = Likely
	if often >= seldom {
		d.complete = false
	}
	d.found = append(d.found, x)
}

func (d *differences) rule(kind Kind, text string) { d.same = append(d.same, Note{kind, text}) }

// often is in what part of the pairs of builds that follow each other in the baseline, and
// both have facts, something differs.
func (e *explainer) often(differ func(older, newer *Build) bool) float64 {
	pairs, changes := 0, 0
	var newer *Build
	for i := e.ownFrom(); i < len(e.older) && pairs < 30; i++ {
		b := &e.older[i]
		if b.Facts == nil {
			continue
		}
		if newer != nil {
			pairs++
			if differ(b, newer) {
				changes++
			}
		}
		newer = b
	}
	if pairs == 0 {
		return 0
	}
	return float64(changes) / float64(pairs)
}

// instructions looks for instructions that were edited, or came.
func (e *explainer) instructions(d *differences, good *Build, was, now *Step, reached []*Step) {
	differs := func(a, b *Step) bool {
		return a.Key != b.Key || isEdit(a, b) || a.Facts != nil && b.Facts != nil && a.Facts.Op != b.Facts.Op
	}
	before := map[string]*Step{}
	for i := range good.Steps {
		before[good.Steps[i].Key] = &good.Steps[i]
	}
	often := func(key string) float64 {
		return e.often(func(older, newer *Build) bool {
			a, b := stepIn(older, &Step{Key: key}, ""), stepIn(newer, &Step{Key: key}, "")
			return (a == nil) != (b == nil) || a != nil && differs(a, b)
		})
	}
	found := false
	for _, s := range reached {
		if s.Facts == nil || s.Facts.Op == "" {
			continue // no instruction
		}
		old := before[s.Key]
		if s == now {
			old = was
		}
		switch {
		case old == nil:
			found = true
			d.add(Explanation{Kind: KindInstruction, Text: quoted(s.Name) + ", which it is made from, is new or was edited", After: s.Name}, often(s.Key))
		case !differs(old, s):
		case s == now:
			found = true
			text, a, b := "its instruction was edited", written(old), written(s)
			if a == b {
				text = "what is executed for it has changed, though it is written as before"
			} else {
				x, y := excerpts(a, b)
				text += ": `" + x + "` became `" + y + "`"
			}
			d.add(Explanation{Kind: KindInstruction, Text: text, Before: a, After: b}, often(s.Key))
		default:
			found = true
			d.add(Explanation{Kind: KindInstruction, Text: quoted(s.Name) + ", which it is made from, was edited", Before: written(old), After: written(s)}, often(s.Key))
		}
	}
	if !found {
		d.rule(KindInstruction, "its instruction is the same, and so are those that it is made from")
	}
}

// arguments looks for build arguments that have other values.
func (e *explainer) arguments(d *differences, good, bad *Build, reached []*Step) {
	names := map[string]bool{}
	for _, s := range reached {
		if s.Facts != nil {
			for _, name := range s.Facts.Args {
				names[name] = true
			}
		}
	}
	argument := func(b *Build, name string) BuildArg {
		if b.Facts != nil {
			for _, a := range b.Facts.Args {
				if a.Name == name {
					return a
				}
			}
		}
		return BuildArg{}
	}
	found := false
	for _, name := range slices.Sorted(maps.Keys(names)) {
		a, b := argument(good, name), argument(bad, name)
		if a == b {
			continue
		}
		found = true
		text := "build argument " + quoted(name) + " changed"
		if a.Value != "" && b.Value != "" {
			text += " (" + a.Value + " → " + b.Value + ")"
		} else if a.Name == "" {
			text = "build argument " + quoted(name) + " is new"
		}
		d.add(Explanation{Kind: KindArgument, Text: text, Before: a.Value, After: b.Value, Evidence: []string{name}},
			e.often(func(x, y *Build) bool { return argument(x, name) != argument(y, name) }))
	}
	if !found {
		d.rule(KindArgument, "no build argument that reaches it has changed")
	}
}

// images looks for images and others that are not what they were.
func (e *explainer) images(d *differences, good, bad *Build, was, now *Step, reached []*Step) {
	found := false
	for _, s := range reached {
		if s.Facts == nil || s.Facts.Image == "" {
			continue
		}
		name := s.Facts.Image
		a, b := good.Facts.artifact(name), bad.Facts.artifact(name)
		if b == nil || a != nil && a.Digest == b.Digest {
			continue
		}
		found = true
		short, _, _ := strings.Cut(name, " ")
		x := Explanation{Kind: KindBaseImage, After: b.Digest, Evidence: []string{name}, Text: quoted(short) + ", which it is made from, was not used before"}
		if a != nil {
			x.Before = a.Digest
			x.Text = fmt.Sprintf("%s is another image than before (%s → %s)", quoted(short), shownDigest(a.Digest), shownDigest(b.Digest))
		}
		d.add(x, e.often(func(x, y *Build) bool {
			p, q := x.Facts.artifact(name), y.Facts.artifact(name)
			return p != nil && q != nil && p.Digest != q.Digest
		}))
	}
	if !found {
		d.rule(KindBaseImage, "the images that it is made from are the same")
		if was.Facts != nil && now.Facts != nil && was.Facts.Env != "" && now.Facts.Env != "" && was.Facts.Env != now.Facts.Env {
			d.add(Explanation{Kind: KindEnvironment, Text: "a variable of its environment changed"}, e.often(func(x, y *Build) bool {
				p, q := stepIn(x, now, ""), stepIn(y, now, "")
				return p != nil && q != nil && p.Facts != nil && q.Facts != nil && p.Facts.Env != q.Facts.Env
			}))
		}
	}
}

func shownDigest(digest string) string {
	_, hex, _ := strings.Cut(digest, ":")
	return quoted(hex[:min(len(hex), 8)] + "…")
}

// files looks for files that reach the step and changed.
func (e *explainer) files(d *differences, good, bad *Build, now *Step, reached []*Step) {
	direct := map[string]bool{}
	for _, s := range reached {
		if s.Facts == nil {
			if s.Count > 0 {
				d.complete = false // what it reads is not known
			}
			continue
		}
		for _, read := range s.Facts.Reads {
			direct[read] = direct[read] || s == now
		}
	}
	d.reads = slices.SortedFunc(maps.Keys(direct), func(a, b string) int {
		if direct[a] == direct[b] {
			return strings.Compare(a, b)
		}
		if direct[a] {
			return -1
		}
		return 1
	})
	if len(d.reads) == 0 {
		d.filesKnown = true
		d.rule(KindFile, "it reads nothing of the build context")
		return
	}
	files, known := e.filesBetween(good, bad)
	if d.filesKnown = known; !known {
		d.complete = false
		d.rule(KindFile, "which files changed is not known; it reads "+someOf(d.reads))
		return
	}
	hits := map[string][]string{} // files by what is read
	for _, read := range d.reads {
		if strings.Contains(read, ":") {
			d.complete = false // another context, of which the repository says nothing
			continue
		}
		for _, file := range files {
			if isRead(file, read, bad.Facts.Context) {
				hits[read] = append(hits[read], file)
			}
		}
	}
	if len(hits) == 0 {
		d.rule(KindFile, fmt.Sprintf("%d files changed, and it reads none of them", len(files)))
		return
	}
	// What the step reads itself comes first, and what names least.
	order := slices.SortedFunc(maps.Keys(hits), func(a, b string) int {
		if direct[a] != direct[b] {
			if direct[a] {
				return -1
			}
			return 1
		}
		return len(hits[a]) - len(hits[b])
	})
	told := map[string]bool{}
	for _, read := range order {
		list := slices.DeleteFunc(hits[read], func(file string) bool { return told[file] })
		for _, file := range list {
			told[file] = true
		}
		if len(list) == 0 {
			continue
		}
		if read == "/" {
			d.complete = false // less may be sent: what .dockerignore leaves out
		}
		// A file that hardly ever changes says more than the others in its folder.
		rare := slices.DeleteFunc(slices.Clone(list), func(file string) bool {
			return e.oftenChanged(func(f string) bool { return f == file }) >= seldom
		})
		often := e.oftenChanged(func(f string) bool { return isRead(f, read, bad.Facts.Context) })
		if len(rare) > 0 {
			list, often = rare, min(often, seldom)
		}
		d.add(fileCause(list, read, direct[read], bad), often)
	}
}

// fileCause is the cause that files are which are read by one path.
func fileCause(files []string, read string, direct bool, bad *Build) (x Explanation) {
	const most = 5
	x.Kind = KindFile
	if slices.ContainsFunc(files, isLockFile) {
		x.Kind = KindLockFile
	}
	x.Evidence = slices.Clone(files[:min(len(files), most)])
	what := quoted(files[0])
	if i := slices.IndexFunc(files, isLockFile); i >= 0 {
		what = quoted(files[i])
	}
	switch more := len(files) - 1; {
	case more == 1:
		what += " and another file"
	case more > 1:
		what += fmt.Sprintf(" and %d other files", more)
	}
	since := ""
	if bad.Revision != "" {
		since = " in " + quoted(bad.Revision[:min(len(bad.Revision), 7)])
	}
	reader, object := "this step reads", " it"
	if !direct {
		reader = "this step is made from what reads"
	}
	if len(files) > 1 {
		object = " them"
	}
	x.Text = what + " changed" + since + ", and " + reader + object
	if read != "/" && direct {
		x.After = read
	}
	return x
}

// filesBetween are the files that differ between what two builds were made from.
func (e *explainer) filesBetween(good, bad *Build) (files []string, known bool) {
	a, b := good.Revision, bad.Revision
	if a == "" || b == "" || strings.HasSuffix(a, "-dirty") || strings.HasSuffix(b, "-dirty") || !sameOrUnknown(good.Repository, bad.Repository) {
		return nil, false
	}
	if a == b {
		return nil, true
	}
	return e.changed(a, b)
}

// oftenChanged is in what part of pairs of builds a file changed that is meant.
func (e *explainer) oftenChanged(isMeant func(string) bool) float64 {
	changes := 0
	for _, files := range e.changes() {
		if slices.ContainsFunc(files, isMeant) {
			changes++
		}
	}
	return float64(changes) / float64(max(len(e.pairs), 1))
}

// changes are the files that changed between builds of the baseline that follow each
// other. The newest few are asked for, once.
func (e *explainer) changes() [][]string {
	const most = 8
	if e.pairs != nil {
		return e.pairs
	}
	e.pairs = [][]string{}
	var newer *Build
	for i := e.ownFrom(); i < len(e.older) && len(e.pairs) < most; i++ {
		b := &e.older[i]
		if b.Facts == nil || b.Revision == "" || newer != nil && newer.Revision == b.Revision {
			continue
		}
		if newer != nil {
			if files, known := e.filesBetween(b, newer); known {
				e.pairs = append(e.pairs, files)
			}
		}
		newer = b
	}
	return e.pairs
}

// isRead tells whether a file of the repository is read by a path of the build context,
// which is a folder there.
func isRead(file, read, context string) bool {
	context = strings.Trim(path.Clean("/"+context), "/")
	if context != "" {
		inside, ok := strings.CutPrefix(file, context+"/")
		if !ok {
			return false
		}
		file = inside
	}
	read = strings.TrimPrefix(path.Clean("/"+read), "/")
	if read == "" || file == read || strings.HasPrefix(file, read+"/") {
		return true
	}
	if !strings.ContainsAny(read, "*?[") {
		return false
	}
	// A pattern names files, or folders of which all is read.
	parts := strings.Split(file, "/")
	depth := strings.Count(read, "/") + 1
	if len(parts) < depth {
		return false
	}
	matched, err := path.Match(read, strings.Join(parts[:depth], "/"))
	return err == nil && matched
}

// isLockFile tells whether a file says which versions are installed.
func isLockFile(file string) bool {
	switch base := path.Base(file); base {
	case "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb", "go.sum", "go.mod",
		"Cargo.lock", "poetry.lock", "Pipfile.lock", "uv.lock", "pdm.lock", "requirements.txt", "composer.lock", "Gemfile.lock",
		"packages.lock.json", "mix.lock", "pubspec.lock", "gradle.lockfile", "flake.lock", "conan.lock", "Package.resolved":
		return true
	default:
		return strings.HasSuffix(base, ".lock") || strings.HasPrefix(base, "requirements") && strings.HasSuffix(base, ".txt")
	}
}

// builder looks at what reads the Dockerfile, and at how the result is written.
func (e *explainer) builder(d *differences, good, bad *Build, now *Step) {
	compare := func(kind Kind, what string, of func(*Facts) string) {
		a, b := of(good.Facts), of(bad.Facts)
		if a == b {
			d.rule(kind, what+" is the same")
			return
		}
		d.add(Explanation{Kind: kind, Text: fmt.Sprintf("%s changed (%s → %s)", what, quoted(a), quoted(b)), Before: a, After: b},
			e.often(func(x, y *Build) bool { return of(x.Facts) != of(y.Facts) }))
	}
	if now.isWriting() || now.Stage == "push" {
		compare(KindExporter, "how the result is written", func(f *Facts) string { return f.Exporter })
	}
	before := len(d.found)
	compare(KindFrontend, "what reads the Dockerfile", func(f *Facts) string { return f.Frontend })
	if len(d.found) > before {
		d.complete = false // it reaches all steps, and hardly makes one slower
	}
}

// loss finds why the first step of a chain of lost caches ran.
func (e *explainer) loss(s *Step) []Explanation {
	for i := range e.older[:min(len(e.older), maxLookedBack)] {
		b := &e.older[i]
		was := stepIn(b, s, "")
		if b.Facts == nil || was == nil || e.build.Facts == nil {
			continue
		}
		d := e.differences(b, e.build, was, s)
		before, after := strings.Join(b.Facts.CacheIn, ", "), strings.Join(e.build.Facts.CacheIn, ", ")
		if before != after {
			d.add(Explanation{Kind: KindCacheImport, Text: "other caches were to be read than before", Before: before, After: after},
				e.often(func(x, y *Build) bool { return !slices.Equal(x.Facts.CacheIn, y.Facts.CacheIn) }))
		}
		if len(d.found) > 1 || !d.complete {
			for j := range d.found {
				d.found[j].Certainty = Possible
			}
		}
		return d.found[:min(len(d.found), maxCauses)]
	}
	return nil
}

// quoted is a name as texts have it, which strangers chose.
func quoted(name string) string {
	const most = 80
	if len(name) > most {
		name = strings.ToValidUTF8(name[:most], "") + "…"
	}
	return "`" + strings.ReplaceAll(name, "`", "'") + "`"
}

// someOf names the first few of what is read.
func someOf(list []string) string {
	const most = 3
	var names []string
	for _, read := range list[:min(len(list), most)] {
		if read == "/" {
			names = append(names, "all of the build context")
		} else {
			names = append(names, quoted(strings.TrimPrefix(read, "/")))
		}
	}
	text := strings.Join(names, ", ")
	if more := len(list) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
