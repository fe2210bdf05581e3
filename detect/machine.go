package detect

import (
	"fmt"
	"math"
	"slices"

	"github.com/buildregress/buildregress/detect/timeline"
)

// The machine is looked at first: one that is overloaded explains every step, and needs no
// statistics. What it is held against is what was measured in the builds of the baseline;
// a build that is parallel by itself has waited for processors there too.

// A MachineInfo is what was measured of the build's machine, beside the baseline's.
type MachineInfo struct {
	timeline.Machine
	Builds int `json:"builds"` // of the baseline that were watched for long enough
	// The usual shares of the time in which something waited for a processor; nil where too
	// few builds tell.
	UsualLow   *float64 `json:"usual_cpu_wait_low,omitempty"`
	UsualHigh  *float64 `json:"usual_cpu_wait_high,omitempty"`
	Overloaded bool     `json:"overloaded"`
	// Other tells that it is another kind of machine than all of the baseline's, which have
	// so many processors and so much memory.
	Other       bool    `json:"other"`
	UsualCPUs   float64 `json:"usual_cpus,omitempty"`
	UsualMemory int64   `json:"usual_memory_bytes,omitempty"`
	UsualModel  string  `json:"usual_cpu_model,omitempty"`
}

const (
	// A machine that was watched for less says nothing of a build: its first second alone
	// shows shares of a half and more in quiet builds. What is usual is found in all that
	// were watched for half as long.
	leastWatched = 2 * timeline.MinWatched
	leastUsual   = 5 // builds that tell what is usual

	overloaded      = 0.6 // share of the time, where what is usual is known
	beyondUsual     = 0.2 // … that it lies above that
	alwaysOverload  = 0.8 // share, where it is not known
	machineExplains = 0.3 // part of a slowdown that a step must have waited for a processor
)

// machineOf is what is known of the machine of a build; nil where nothing is.
func machineOf(build *timeline.Build, base []timeline.Build) *MachineInfo {
	if build.Machine == nil {
		return nil
	}
	m := &MachineInfo{Machine: *build.Machine}
	var waits, cpus []float64
	var memory []int64
	for i := range base {
		b := base[i].Machine
		if b == nil || b.Window < timeline.MinWatched && b.Window > 0 {
			continue
		}
		if b.Window > 0 {
			m.Builds++
			if b.CPUWait != nil {
				waits = append(waits, *b.CPUWait)
			}
		}
		if b.CPUs > 0 {
			cpus = append(cpus, math.Round(b.CPUs))
		}
		if b.Memory > 0 {
			memory = append(memory, b.Memory)
		}
	}
	if len(waits) >= leastUsual {
		slices.Sort(waits)
		tail := int(0.05 * float64(len(waits)))
		m.UsualLow, m.UsualHigh = &waits[tail], &waits[len(waits)-1-tail]
	}
	if m.Window >= leastWatched && m.CPUWait != nil {
		limit := alwaysOverload
		if m.UsualHigh != nil {
			limit = max(overloaded, *m.UsualHigh+beyondUsual)
		}
		m.Overloaded = *m.CPUWait >= limit
	}
	m.compare(cpus, memory)
	m.compareModel(base)
	return m
}

// compare tells whether the machine is unlike each of the baseline's, which are alike.
func (m *MachineInfo) compare(cpus []float64, memory []int64) {
	if m.Window < leastWatched && m.Window > 0 {
		return
	}
	if len(cpus) >= leastUsual && slices.Min(cpus) == slices.Max(cpus) && m.CPUs > 0 {
		m.UsualCPUs = cpus[0]
		m.Other = math.Round(m.CPUs) != m.UsualCPUs && math.Abs(m.CPUs-m.UsualCPUs) > 0.25*m.UsualCPUs
	}
	if len(memory) >= leastUsual && m.Memory > 0 {
		low, high := float64(slices.Min(memory)), float64(slices.Max(memory))
		if high <= (1+timeline.SameMemory)*low {
			m.UsualMemory = memory[0]
			m.Other = m.Other || float64(m.Memory) < low/(1+timeline.SameMemory) || float64(m.Memory) > high*(1+timeline.SameMemory)
		}
	}
}

// compareModel tells whether its processors are unlike each of the baseline's, which are alike.
func (m *MachineInfo) compareModel(base []timeline.Build) {
	usual, builds := "", 0
	for i := range base {
		b := base[i].Machine
		if b == nil || b.Model == "" {
			continue
		}
		if builds++; usual == "" {
			usual = b.Model
		}
		if b.Model != usual {
			return
		}
	}
	if builds >= leastUsual && m.Model != "" {
		m.UsualModel = usual
		m.Other = m.Other || m.Model != usual
	}
}

// doubtOverloaded makes steps suspect that are slower by nothing but builds on an
// overloaded machine, or in which they waited for a processor: that may be the reason. A step
// that was measured itself and hardly waited, or did more, is slower by something else.
func (r *Result) doubtOverloaded(a *arranged) {
	m := r.Machine
	if m == nil && !measuresSteps(a.branch[len(a.branch)-1]) {
		return
	}
	isBusy := make([]bool, len(a.branch)) // the machine of each build was
	for i, b := range a.branch {
		info := m
		if i < len(a.branch)-1 {
			info = machineOf(b, a.base)
		}
		isBusy[i] = info != nil && info.Overloaded && info.UsualHigh != nil
	}
	for i := range a.series {
		s := &r.Steps[i]
		if s.Status != StatusSlower {
			continue
		}
		part, starves := starved(a.series[i].step, s.Was, s.Delta, a.base)
		busy := isBusy[len(isBusy)-1] && machineExplain(a.series[i].step, s)
		if !busy && !starves {
			continue
		}
		explained := 1 // builds of the branch, in a row, in which the machine is the reason
		for k := len(a.branch) - 2; k >= 0; k-- {
			if old := stepIn(a.branch[k], a.series[i].step, s.Was); !isBusy[k] {
				if old == nil {
					break
				}
				if _, is := starved(old, s.Was, timeline.Seconds(old.Duration)-s.Usual, a.base); !is {
					break
				}
			}
			explained++
		}
		if s.Evidence.Slow > explained {
			continue
		}
		s.Status = StatusSuspect
		condition := Condition{KindFedStep, part, starvedPart, false}
		if busy {
			condition = Condition{KindCalmMachine, *m.CPUWait, max(overloaded, *m.UsualHigh+beyondUsual), false}
		}
		s.Conditions = append(s.Conditions, condition)
	}
}

// measuresSteps tells whether it was measured of any step how long it waited.
func measuresSteps(b *timeline.Build) bool {
	return slices.ContainsFunc(b.Steps, func(s timeline.Step) bool { return s.Usage != nil && s.Usage.CPUWait != nil })
}

// machineExplain tells whether waiting for processors can explain that a step took so much
// longer.
func machineExplain(step *timeline.Step, r *StepResult) bool {
	u := step.Usage
	return u == nil || u.CPUWait == nil || float64(*u.CPUWait) >= machineExplains*float64(r.Delta)
}

// notes say what people should know of the machine before anything else.
func (m *MachineInfo) notes() (notes []Note) {
	if m != nil && m.Overloaded {
		notes = append(notes, Note{KindMachineOverloaded, m.overload()})
	}
	if m != nil && m.Other {
		notes = append(notes, Note{KindOtherMachine, m.otherMachine()})
	}
	return notes
}

// overload is the sentence on an overloaded machine.
func (m *MachineInfo) overload() string {
	usual := ""
	if m.UsualHigh != nil {
		usual = fmt.Sprintf(" (usually %s–%s)", percentNumber(*m.UsualLow), percentOf(*m.UsualHigh))
	}
	return fmt.Sprintf("the machine was overloaded: something waited for a processor %s of the time%s", percentOf(*m.CPUWait), usual)
}

// otherMachine is the sentence on another machine.
func (m *MachineInfo) otherMachine() string {
	return fmt.Sprintf("it ran on another machine, with %s; the baseline on %s", m.hardware(), m.usualHardware())
}

// hardware is the machine, with its processors where they are others than usual.
func (m *MachineInfo) hardware() string {
	return named(m.Model, m.Model != m.UsualModel && m.UsualModel != "", timeline.Hardware(m.CPUs, m.Memory))
}

// usualHardware is that of the baseline.
func (m *MachineInfo) usualHardware() string {
	return named(m.UsualModel, m.Model != m.UsualModel, timeline.Hardware(m.UsualCPUs, m.UsualMemory))
}

func named(model string, isTold bool, hardware string) string {
	switch {
	case !isTold || model == "":
		return hardware
	case hardware == "":
		return model
	}
	return model + ", " + hardware
}

func percentNumber(share float64) string { return fmt.Sprintf("%.0f", 100*share) }

func percentOf(share float64) string { return percentNumber(share) + " %" }
