package detect

import (
	"fmt"
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// What was measured of a slower step and of the machine beneath it, as causes: that is told
// apart from what is different, which may be the reason for it.

// measured is what the numbers of the machine, of the step, and of what it moved say.
func (e *explainer) measured(s *timeline.Step, r *StepResult) (m measurement) {
	past := e.past(s)
	told, printed := e.told(s)
	m.moved, m.printed = append(moved(s, past), told...), printed
	slices.SortStableFunc(m.moved, func(a, b Explanation) int { return isPossible(a) - isPossible(b) })
	if info := e.result.Machine; info != nil && machineExplain(s, r) {
		if info.Overloaded {
			x := Explanation{Kind: KindMachineOverloaded, Certainty: Possible, After: percentOf(*info.CPUWait), Text: info.overload()}
			if info.UsualHigh != nil {
				x.Certainty, x.Before = Is, percentNumber(*info.UsualLow)+"–"+percentOf(*info.UsualHigh)
			}
			m.machine = append(m.machine, x)
		}
		if info.Other {
			m.machine = append(m.machine, Explanation{
				Kind: KindOtherMachine, Certainty: Is, Before: info.usualHardware(), After: info.hardware(), Text: info.otherMachine(),
			})
		}
	}
	m.addUsage(s, r, past)
	if info := e.result.Machine; m.waited == 0 && info != nil && info.Overloaded && (s.Usage == nil || s.Usage.CPUWait == nil) {
		// What it did itself is not known: it is held against the other steps of the build.
		if others := e.slowdown(r); others > 0 {
			m.worked, m.waited = r.Ratio/others, others
		}
	}
	if at := e.phase(s, r); len(at) > 0 {
		m.phase = &at[0]
	}
	return m
}

// slowdown is by how many times the other steps of the build took longer than usual, 0 where
// too few tell.
func (e *explainer) slowdown(except *StepResult) float64 {
	const least = timeline.Seconds(20 * time.Millisecond)
	var ratios []float64
	for i := range e.result.Steps {
		s := &e.result.Steps[i]
		if s != except && s.State == timeline.Executed && s.Usual >= least && s.N >= leastUsual {
			ratios = append(ratios, s.Ratio)
		}
	}
	if len(ratios) < leastUsual {
		return 0
	}
	slices.Sort(ratios)
	return max(1, ratios[len(ratios)/2])
}

// addUsage adds what a step used of the machine.
func (m *measurement) addUsage(s *timeline.Step, r *StepResult, past []*timeline.Step) {
	usual := usualUse(past)
	if usual == nil || s.Usage == nil || r.Delta <= 0 {
		return
	}
	add := func(kind Kind, before, after, format string, args ...any) { // it is nearer than the whole machine
		m.machine = slices.Insert(m.machine, 0, Explanation{Kind: kind, Certainty: Is, Text: fmt.Sprintf(format, args...), Before: before, After: after})
	}
	u := s.Usage
	more := func(now *timeline.Seconds, usual timeline.Seconds) timeline.Seconds {
		if now == nil {
			return 0
		}
		return *now - usual
	}
	const same, grown, part = 1.3, 1.4, 0.5
	most := timeline.Seconds(part * float64(r.Delta))
	if quota := u.Throttled; quota != nil && *quota-usual.throttled >= most {
		add(KindStepThrottled, usual.throttled.String(), quota.String(), "it was throttled for %s by a quota of processor time", quota)
	}
	if u.OOMKills > usual.kills {
		add(KindStepMemory, "", "", "a process of it was killed for memory (peak %.3g GB)", float64(u.MemoryPeak)/1e9)
	} else if more(u.MemoryWait, usual.memory) >= most {
		add(KindStepMemory, usual.memory.String(), u.MemoryWait.String(), "it waited %s for memory, usually %s", u.MemoryWait, usual.memory)
	}
	if u.CPU == nil {
		return
	}
	cpu, wait, disk := *u.CPU-usual.cpu, more(u.CPUWait, usual.wait), more(u.IOWait, usual.disk)
	isSure := slices.ContainsFunc(m.machine, func(x Explanation) bool { return x.Certainty == Is })
	sameWork := float64(*u.CPU) <= same*float64(usual.cpu)
	// What waits for a processor waits the longer, the more it has to do.
	doing := cpu
	if u.CPUWait != nil && *u.CPU > 0 {
		doing += timeline.Seconds(float64(cpu) / float64(*u.CPU) * float64(*u.CPUWait))
	}
	switch {
	case doing >= most && float64(*u.CPU) >= grown*float64(usual.cpuMost):
		m.work = &Explanation{
			Kind: KindMoreWork, Certainty: Is, Before: usual.cpu.String(), After: u.CPU.String(),
			Text: fmt.Sprintf("it has more to do: it used %s of processor time, usually %s", u.CPU, usual.cpu),
		}
	case sameWork && !isSure && wait >= most && *u.CPUWait > usual.waitMost:
		add(KindStepStarved, usual.wait.String(), u.CPUWait.String(), "it did the same work (%s of processor time, usually %s) and waited %s for a processor", u.CPU, usual.cpu, u.CPUWait)
	case sameWork && disk >= most && *u.IOWait > usual.diskMost:
		add(KindStepStarved, usual.disk.String(), u.IOWait.String(), "it did the same work (%s of processor time, usually %s) and waited %s for a disk", u.CPU, usual.cpu, u.IOWait)
	case sameWork && max(wait, disk) < most/2:
		m.sameWork = true
	}
	if m.work != nil && u.CPUWait != nil && usual.cpu > 0 {
		m.worked = float64(*u.CPU) / float64(usual.cpu)
		m.waited = (1 + float64(*u.CPUWait)/float64(*u.CPU)) / (1 + float64(usual.wait)/float64(usual.cpu))
	}
}

// past are the step in the builds of the baseline in which it ran, newest first.
func (e *explainer) past(s *timeline.Step) (list []*timeline.Step) {
	for i := e.ownFrom(); i < len(e.older); i++ {
		if o := stepIn(&e.older[i], s, ""); o != nil && o.State == timeline.Executed {
			list = append(list, o)
		}
	}
	return list
}

// moved tells of a transfer that moved more, or as much at a lower speed. How much of a
// context is moved depends on what the builder has of it: only more than ever was is more.
func moved(s *timeline.Step, past []*timeline.Step) []Explanation {
	const least, moving = 1e6, 1e5 // bytes: that are worth telling, and whose time is not that of asking for them
	if s.Bytes < moving {
		return nil
	}
	var bytes []int64
	var speeds []float64
	for _, o := range past {
		if o.Bytes <= 0 {
			continue
		}
		bytes = append(bytes, o.Bytes)
		if o.Bytes >= moving && o.Duration > 0 {
			speeds = append(speeds, float64(o.Bytes)/o.Duration.Seconds())
		}
	}
	if len(bytes) < leastUsual {
		return nil
	}
	before := slices.Max(bytes)
	if float64(s.Bytes) >= 1.5*float64(before) && s.Bytes-before >= least {
		return []Explanation{{
			Kind: KindMoreBytes, Certainty: Is, Before: bytesOf(before), After: bytesOf(s.Bytes),
			Text: fmt.Sprintf("it moved %s, and never more than %s before", bytesOf(s.Bytes), bytesOf(before)),
		}}
	}
	if len(speeds) < leastUsual || s.Duration <= 0 || s.IsWriting() { // which is compressing, most of all
		return nil
	}
	slices.Sort(speeds)
	usual, now := speeds[len(speeds)/2], float64(s.Bytes)/s.Duration.Seconds()
	const slow = 0.4                                        // of the usual speed: less than half of it, by more than chance
	const moment = timeline.Seconds(300 * time.Millisecond) // that a transfer may wait for anything
	longer := timeline.Seconds(float64(s.Duration) - float64(s.Bytes)/usual*1e9)
	if now > min(slow*usual, speeds[0]) || longer < moment {
		return nil
	}
	return []Explanation{{
		Kind: KindSlowerTransfer, Certainty: Possible, Before: bytesOf(int64(usual)) + "/s", After: bytesOf(int64(now)) + "/s",
		Text: fmt.Sprintf("it moved %s, no more than before, at %s/s instead of %s/s", bytesOf(s.Bytes), bytesOf(int64(now)), bytesOf(int64(usual))),
	}}
}

// filesMoved adds the files that changed to a context that grew.
func (e *explainer) filesMoved(m *measurement, good, bad *timeline.Build, now *timeline.Step) {
	at := slices.IndexFunc(m.moved, func(x Explanation) bool { return x.Kind == KindMoreBytes })
	if at < 0 || now.Facts != nil || now.IsPart() || now.IsWriting() || now.Stage == timeline.StagePush {
		return
	}
	files, _ := e.filesBetween(good, bad)
	files = slices.DeleteFunc(slices.Clone(files), func(file string) bool {
		return !timeline.IsRead(file, "/", bad.Facts.Context) || e.oftenChanged(func(f string) bool { return f == file }) >= seldom
	})
	if len(files) > 0 {
		x := &m.moved[at]
		x.Evidence = files[:min(len(files), maxCauses)]
		x.Text += "; " + someOf(x.Evidence) + " changed"
	}
}

// ownFrom is where the builds begin that are not of the pull request itself.
func (e *explainer) ownFrom() int {
	if e.own == len(e.older) {
		return 0
	}
	return e.own
}

func bytesOf(n int64) string {
	x, unit := float64(n), 0
	for x >= 1000 && unit < 3 {
		x /= 1000
		unit++
	}
	return fmt.Sprintf("%.3g %s", x, [...]string{"B", "kB", "MB", "GB"}[unit])
}

// A use is what a step usually uses, and the most that it did.
type use struct {
	cpu, cpuMost, wait, waitMost, disk, diskMost, memory, throttled timeline.Seconds
	kills                                                           int64
}

// usualUse is that of what it was in earlier builds, nil where too few tell.
func usualUse(past []*timeline.Step) *use {
	var cpu, wait, disk, memory, throttled []timeline.Seconds
	u := &use{}
	for _, o := range past {
		if o.Usage == nil || o.Usage.CPU == nil {
			continue
		}
		for _, f := range []struct {
			list *[]timeline.Seconds
			from *timeline.Seconds
		}{{&cpu, o.Usage.CPU}, {&wait, o.Usage.CPUWait}, {&disk, o.Usage.IOWait}, {&memory, o.Usage.MemoryWait}} {
			if f.from != nil {
				*f.list = append(*f.list, *f.from)
			}
		}
		quota := timeline.Seconds(0)
		if o.Usage.Throttled != nil {
			quota = *o.Usage.Throttled
		}
		throttled = append(throttled, quota)
		u.kills = max(u.kills, o.Usage.OOMKills)
	}
	if len(cpu) < leastUsual {
		return nil
	}
	u.cpu, u.wait, u.disk, u.memory, u.throttled = middle(cpu), middle(wait), middle(disk), middle(memory), middle(throttled)
	u.cpuMost = slices.Max(cpu)
	if len(wait) > 0 {
		u.waitMost = slices.Max(wait)
	}
	if len(disk) > 0 {
		u.diskMost = slices.Max(disk)
	}
	return u
}

func middle(list []timeline.Seconds) timeline.Seconds {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[len(list)/2]
}
