package buildkit

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
)

// What was measured of the machine and of each step while a build ran, as records sample it.

// A pressure is how long something waited, in microseconds since the machine or the step
// began.
type pressure struct {
	Some *struct {
		Total float64 `json:"total"`
	} `json:"some"`
}

type systemSample struct {
	Timestamp time.Time          `json:"timestamp"`
	CPU       map[string]float64 `json:"cpuStat"` // seconds, of all processors together
	Memory    *struct {
		Total     int64 `json:"total"` // kB
		Available int64 `json:"available"`
	} `json:"memoryStat"`
	CPUPressure    *pressure `json:"cpuPressure"`
	IOPressure     *pressure `json:"ioPressure"`
	MemoryPressure *pressure `json:"memoryPressure"`
}

// machineOf is what the samples of a machine say, nil if that is nothing. One sample says
// how much memory it has, two say what happened between them.
func machineOf(samples []json.RawMessage) *timeline.Machine {
	if len(samples) == 0 {
		return nil
	}
	var first, last systemSample
	if json.Unmarshal(samples[0], &first) != nil || json.Unmarshal(samples[len(samples)-1], &last) != nil {
		return nil
	}
	m := &timeline.Machine{}
	if last.Memory != nil {
		m.Memory, m.Available = last.Memory.Total<<10, last.Memory.Available<<10
	}
	window := last.Timestamp.Sub(first.Timestamp)
	if len(samples) > 1 && window > 0 && window < MaxDuration {
		m.Window = timeline.Seconds(window)
		total := 0.0
		for name, seconds := range last.CPU {
			if !strings.HasPrefix(name, "guest") { // counted in user already
				total += seconds - first.CPU[name]
			}
		}
		if total > 0 {
			m.CPUs = rounded(total / window.Seconds())
			m.Steal = share((last.CPU["steal"] - first.CPU["steal"]) / total)
		}
		m.CPUWait = waited(first.CPUPressure, last.CPUPressure, window)
		m.IOWait = waited(first.IOPressure, last.IOPressure, window)
		m.MemoryWait = waited(first.MemoryPressure, last.MemoryPressure, window)
	}
	if !m.Plausible() || *m == (timeline.Machine{}) {
		return nil
	}
	return m
}

func waited(first, last *pressure, window time.Duration) *float64 {
	if first == nil || last == nil || first.Some == nil || last.Some == nil {
		return nil
	}
	part := share((last.Some.Total - first.Some.Total) / 1e6 / window.Seconds())
	return &part
}

// share is a part of 1. What was read a moment later may be a little more than all.
func share(x float64) float64 { return rounded(min(max(x, 0), 1)) }

// rounded has three digits behind the point: no measurement has more.
func rounded(x float64) float64 { return float64(int64(x*1000+0.5)) / 1000 }

// usageOf is what a step used, nil where that was not measured.
func usageOf(op *Op) *timeline.Usage {
	if op.Usage == nil || len(op.Usage.Samples) == 0 {
		return nil
	}
	var last struct {
		CPU *struct {
			UsageNanos     *int64    `json:"usageNanos"`
			ThrottledNanos *int64    `json:"throttledNanos"`
			Pressure       *pressure `json:"pressure"`
		} `json:"cpuStat"`
		Memory *struct {
			Peak      int64     `json:"peak"`
			SwapBytes int64     `json:"swapBytes"`
			OOMKills  int64     `json:"oomKillEvents"`
			Pressure  *pressure `json:"pressure"`
		} `json:"memoryStat"`
		IO *struct {
			ReadBytes  int64     `json:"readBytes"`
			WriteBytes int64     `json:"writeBytes"`
			Pressure   *pressure `json:"pressure"`
		} `json:"ioStat"`
	}
	if json.Unmarshal(op.Usage.Samples[len(op.Usage.Samples)-1], &last) != nil {
		return nil
	}
	u := &timeline.Usage{}
	if c := last.CPU; c != nil {
		u.CPU, u.Throttled, u.CPUWait = nanos(c.UsageNanos), nanos(c.ThrottledNanos), c.Pressure.seconds()
		if u.Throttled != nil && *u.Throttled == 0 {
			u.Throttled = nil
		}
	}
	if m := last.Memory; m != nil {
		u.MemoryPeak, u.Swap, u.OOMKills, u.MemoryWait = m.Peak, m.SwapBytes, m.OOMKills, m.Pressure.seconds()
	}
	if io := last.IO; io != nil {
		u.Read, u.Written, u.IOWait = io.ReadBytes, io.WriteBytes, io.Pressure.seconds()
	}
	if !u.Plausible() || u.IsZero() {
		return nil
	}
	return u
}

func (p *pressure) seconds() *timeline.Seconds {
	if p == nil || p.Some == nil || p.Some.Total > 1e12 || p.Some.Total < 0 {
		return nil
	}
	s := timeline.Seconds((time.Duration(p.Some.Total) * time.Microsecond).Round(time.Millisecond))
	return &s
}

// nanos is a time to the millisecond.
func nanos(n *int64) *timeline.Seconds {
	if n == nil {
		return nil
	}
	s := timeline.Seconds(time.Duration(*n).Round(time.Millisecond))
	return &s
}
