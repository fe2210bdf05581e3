package report

import (
	"cmp"
	"slices"
	"strings"

	"github.com/buildregress/buildregress/detect/describe"
	"github.com/buildregress/buildregress/detect/timeline"
)

// What a build was made of and by what, and what its steps used of the machine: as far as
// its source knows.

// madeTitle stands above them.
const madeTitle = "Made of"

// A used is what a step used of the machine.
type used struct {
	name   string // clean
	took   string
	worked string // time of processors
	waited string // what it waited for, and how long
	memory string
}

// usedBy are the steps of which it was measured what they used, the longest first.
func usedBy(d *describe.Description, n *names) (list []used) {
	const most, least = 8, 0.02 // of the build's duration
	order := byStart(d.Steps)
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(d.Steps[b].Duration, d.Steps[a].Duration) })
	for _, i := range order {
		s := &d.Steps[i]
		if float64(s.Duration) < least*float64(d.Build.Duration) || len(list) == most {
			break
		}
		if s.Usage == nil || s.Usage.CPU == nil && s.Usage.MemoryPeak == 0 {
			continue
		}
		u := used{name: Clean(n.ofName(s.Name)), took: s.Duration.String()}
		if s.Usage.CPU != nil {
			u.worked = s.Usage.CPU.String()
		}
		if s.Usage.MemoryPeak > 0 {
			u.memory = byteCount(float64(s.Usage.MemoryPeak))
		}
		u.waited = strings.Join(waitsOf(s), ", ")
		list = append(list, u)
	}
	return list
}

// waitsOf says what a step waited for, where that is a hundredth of its time or more.
func waitsOf(s *describe.Step) (waits []string) {
	for _, w := range []struct {
		took *timeline.Seconds
		what string
	}{
		{s.Usage.CPUWait, "processor"}, {s.Usage.Throttled, "quota"}, {s.Usage.IOWait, "disk"}, {s.Usage.MemoryWait, "memory"},
	} {
		if w.took != nil && *w.took > 0 && *w.took >= s.Duration/100 {
			waits = append(waits, w.what+" "+w.took.String())
		}
	}
	return waits
}

// madeOf says what a build was made of, and by what.
func madeOf(d *describe.Description) (lines []line) {
	say := func(what string, parts ...line) {
		if len(parts) > 0 {
			lines = append(lines, lineOf(what+": ", joined(parts, ", ")))
		}
	}
	if m := d.Machine; m != nil {
		say("Machine", machineParts(m)...)
	}
	f := d.Facts
	if f == nil {
		return lines
	}
	say("Built by", builderParts(f.Builder)...)
	say("Frontend", textParts(f.Frontend)...)
	say("Exporter", textParts(f.Exporter)...)
	var sources, args []line
	for _, a := range f.Sources {
		source := lineOf(code(Clean(a.Name)))
		if a.Digest != "" {
			source = lineOf(source, " "+Clean(a.Digest))
		}
		sources = append(sources, source)
	}
	say("Sources", sources...)
	for _, a := range f.Args {
		text := a.Name
		if a.Value != "" {
			text += "=" + a.Value
		}
		args = append(args, lineOf(code(Clean(text))))
	}
	say("Arguments", args...)
	say("Caches read", textParts(f.CacheIn...)...)
	say("Caches written", textParts(f.CacheOut...)...)
	for _, warning := range f.Warnings {
		say("The builder warns", lineOf(Clean(warning)))
	}
	return lines
}

func machineParts(m *timeline.Machine) (parts []line) {
	for _, text := range []string{timeline.Hardware(m.CPUs, m.Memory), m.Model} {
		if text != "" {
			parts = append(parts, lineOf(Clean(text)))
		}
	}
	const least = 0.005 // less is 0 %
	said := "something waited for "
	for _, w := range []struct {
		share *float64
		what  string
	}{{m.CPUWait, "a processor"}, {m.IOWait, "a disk"}, {m.MemoryWait, "memory"}} {
		if w.share != nil && *w.share >= least {
			parts = append(parts, lineOf(said+w.what+" "+percent(*w.share)+" of the time"))
			said = "for "
		}
	}
	return parts
}

func builderParts(b *timeline.Builder) (parts []line) {
	if b == nil {
		return nil
	}
	for _, p := range [][2]string{{"BuildKit ", b.BuildKit}, {"Buildx ", b.Buildx}, {"driver ", b.Driver}, {"node ", b.Node}, {"on ", b.Runner}} {
		if p[1] != "" {
			parts = append(parts, lineOf(p[0]+Clean(p[1])))
		}
	}
	return parts
}

func textParts(texts ...string) (parts []line) {
	for _, text := range texts {
		if text != "" {
			parts = append(parts, lineOf(code(Clean(text))))
		}
	}
	return parts
}
