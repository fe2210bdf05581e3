package detect

import (
	"fmt"
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
	KindBuildWithin     Kind = "build-within"     // a build that it makes took longer
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
