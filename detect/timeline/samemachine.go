package timeline

import (
	"fmt"
	"math"
	"time"
)

// Which machines are alike, as far as they were measured.

const (
	// MinWatched is how long a machine has to be watched for what was measured to say
	// anything of it.
	MinWatched = Seconds(time.Second / 2)
	// sameCPUs is by what part two counts of processors differ that were measured of one
	// machine, and sameMemory by what part two sizes of its memory do.
	sameCPUs   = 0.25
	SameMemory = 0.2
)

// tellsHardware tells whether it is known well enough how many processors there are: measured
// over a while, or known without.
func (m *Machine) tellsHardware() bool {
	return m != nil && m.CPUs > 0 && (m.Window == 0 || m.Window >= MinWatched)
}

// OtherMachine tells whether two builds are known to have run on machines unlike each other.
func OtherMachine(a, b *Machine) bool {
	if a == nil || b == nil {
		return false
	}
	if a.tellsHardware() && b.tellsHardware() && math.Round(a.CPUs) != math.Round(b.CPUs) && math.Abs(a.CPUs-b.CPUs) > sameCPUs*max(a.CPUs, b.CPUs) {
		return true
	}
	low, high := float64(min(a.Memory, b.Memory)), float64(max(a.Memory, b.Memory))
	return low > 0 && high > (1+SameMemory)*low
}

// Hardware is "2 CPUs and 8 GB", as far as it is known.
func Hardware(cpus float64, memory int64) string {
	cores, size := "", ""
	switch n := math.Round(cpus); {
	case n == 1:
		cores = "1 CPU"
	case n > 1:
		cores = fmt.Sprintf("%.0f CPUs", n)
	}
	if memory > 0 {
		size = fmt.Sprintf("%.3g GB", float64(memory)/1e9)
	}
	if cores != "" && size != "" {
		return cores + " and " + size
	}
	return cores + size
}
