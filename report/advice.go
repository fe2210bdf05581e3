package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect/advice"
	"github.com/buildregress/buildregress/detect/timeline"
)

// Where it would pay to work, in words: what would have to be different, how much of each
// build that is at most, and how it was reckoned.

const adviceTitle = "Where it would pay"

// adviceLines tell of builds of a pipeline, or of one build by itself; name is what a step
// is called.
func adviceLines(all []advice.Advice, single bool, name func(key, name string) string) (lines []line) {
	for i := range all {
		x := &all[i]
		var names []line
		for k, key := range x.Steps {
			of := key
			if k < len(x.Names) {
				of = x.Names[k]
			}
			names = append(names, lineOf(code(name(key, of))))
		}
		if len(names) > 0 {
			lines = append(lines, adviceLine(x, names, single))
		}
	}
	return lines
}

func adviceLine(x *advice.Advice, names []line, single bool) line {
	replayed := "reckoned by replaying " + Count(x.Builds, "build")
	gain := "up to " + x.Saves.String() + " of each build (" + percent(x.Share) + ")"
	if single {
		replayed, gain = "reckoned by replaying this one build", "up to "+x.Saves.String()+" ("+percent(x.Share)+")"
	}
	if x.PerWeek > 0 {
		gain += ", " + x.PerWeek.String() + " a week"
	}
	switch {
	case x.Kind == advice.Together && len(names) > 1:
		most := timeline.Seconds(0)
		for _, alone := range x.Alone {
			most = max(most, alone)
		}
		return lineOf(listedLines(names), " run beside each other: "+gain+" if all of them took no time, and "+most.String()+" for one alone; "+replayed+" without them.")
	case x.Kind == advice.Misses:
		l := lineOf(names[0], fmt.Sprintf(" was not found in the cache in %d of %s", x.Ran, Count(x.Builds, "build")))
		if len(names) > 1 {
			l = lineOf(l, ", and ", listedLines(names[1:]), " ran for it")
		}
		l = lineOf(l, ": "+gain+", if it always were")
		if len(x.Reads) > 0 {
			l = lineOf(l, ". What invalidates it: ", listedCode(x.Reads))
		}
		return lineOf(l, "; reckoned by replaying those builds without, and no more than they differ: "+x.With.String()+" with a miss, "+x.Without.String()+" without.")
	case x.Kind == advice.Series && len(names) > 1:
		return lineOf(names[1], " waits for ", names[0], " and reads other files. If it needs nothing that this leaves behind, a stage for each saves "+gain+"; "+replayed+" so.")
	case x.Kind == advice.Images:
		l := lineOf(few(names, "other step"), ": "+gain+", if no image had to be asked for or fetched")
		if parts := imageParts(x); parts != "" {
			l = lineOf(l, " ("+parts+")")
		}
		return lineOf(l, "; a builder that keeps them, or a registry nearby, spares most of it; "+replayed+" without.")
	case x.Kind == advice.CacheExport:
		l := lineOf(names[0], ": "+gain+", if the cache were not written. It takes "+x.Took.String()+", and what was found in a cache had taken "+x.Hits.String()+" of each build at most")
		if x.Others > 0 {
			l = lineOf(l, ", that of "+Count(x.Others, "build")+" of other branches counted in")
		} else {
			l = lineOf(l, "; builds of other branches, which may read it, are not known here")
		}
		return lineOf(l, "; "+replayed+" without it, less what the hits had taken one after the other.")
	case x.Kind == advice.Processors:
		waited := x.Waited.String()
		if !single {
			waited += " of each build"
		}
		return lineOf(few(names, "other step"), " waited for a processor, "+waited+": "+gain+" with twice the "+Count(int(math.Round(x.CPUs)), "processor")+"; "+replayed+" with half of that wait.")
	case x.Kind == advice.Idle:
		return lineOf(names[0], " keeps one of "+Count(int(math.Round(x.CPUs)), "processor")+" busy, and the others idle: "+gain+", if its work can be split among them; "+replayed+" with it split evenly.")
	case x.Kind == advice.Indexes && len(names) > 1:
		return lineOf(few(names, "other step"), " fetch the index of ", code(x.Tool), " each for itself: "+gain+", if one did for all; "+replayed+", no fetch longer than the quickest of these steps.")
	case x.Kind == advice.Order:
		l := lineOf(names[0], " ran in "+strconv.Itoa(x.Ran)+" of "+Count(x.Builds, "build")+", in "+strconv.Itoa(x.Unneeded)+" of them though ")
		switch len(x.Needs) {
		case 0:
			l = lineOf(l, "it needs no file of the build context")
		case 1:
			l = lineOf(l, code(x.Needs[0]), " had not changed")
		default:
			l = lineOf(l, "none of ", anyOf(x.Needs), " had changed")
		}
		return lineOf(l, ": "+gain+", if what it needs were copied first, and the rest behind it; reckoned by replaying those builds without it, by what git says changed.")
	case x.Kind == advice.Layers && len(names) > 1:
		return lineOf(names[0], " writes the same "+byteCount(float64(x.Bytes))+" again in "+strconv.Itoa(x.Unneeded)+" of "+Count(x.Builds, "build")+", as what stands before it changed: "+gain+
			", if it stood before that, or were a ", code("COPY --link"), "; "+replayed+" without it, and ", listedLines(names[1:]), " shorter by its share of the bytes.")
	case x.Kind == advice.Mounts:
		return lineOf(names[0], " fetched "+Count(x.Packages, "module")+" again in "+strconv.Itoa(x.Ran)+" of "+Count(x.Builds, "build")+", though its cache mount keeps them: the builder does not. "+capitalize(gain)+", if it took no time; "+replayed+" without it.")
	}
	l := lineOf(names[0], ": "+gain+", if it took no time")
	if x.Bytes > 0 && x.Took > 0 {
		l = lineOf(l, fmt.Sprintf(" (it moves %s in %s, %s/s)", byteCount(float64(x.Bytes)), x.Took, byteCount(float64(x.Bytes)/x.Took.D().Seconds())))
	}
	if x.Kind == advice.Context {
		l = lineOf(l, "; what need not be sent is named in ", code(".dockerignore"))
	}
	return lineOf(l, "; "+replayed+" without it.")
}

// imageParts are how long the parts of fetching images take, those that take any time.
func imageParts(x *advice.Advice) string {
	var parts []string
	for _, part := range []struct {
		what string
		took timeline.Seconds
	}{{"asking", x.Resolve}, {"fetching", x.Fetch}, {"unpacking", x.Unpack}} {
		if part.took >= timeline.Seconds(time.Millisecond) {
			parts = append(parts, part.what+" "+part.took.String())
		}
	}
	if x.Bytes > 0 && x.Fetch > 0 {
		parts = append(parts, byteCount(float64(x.Bytes)))
	}
	return strings.Join(parts, ", ")
}

// few are the first of several names, and how many there are besides.
func few(names []line, what string) line {
	const most = 2
	if more := len(names) - most; more > 1 {
		names = append(slices.Clone(names[:most]), lineOf(Count(more, what)))
	}
	return listedLines(names)
}

// anyOf are the first of several files.
func anyOf(files []string) line {
	const most = 3
	var lines []line
	for _, file := range files[:min(len(files), most)] {
		lines = append(lines, lineOf(code(file)))
	}
	return listedLines(lines)
}

// listedLines are "a", "a and b", "a, b and c".
func listedLines(lines []line) line {
	n := len(lines)
	if n < 2 {
		return joined(lines, "")
	}
	return lineOf(joined(lines[:n-1], ", "), " and ", lines[n-1])
}

func listedCode(texts []string) line {
	const most = 3
	var lines []line
	for _, t := range texts {
		if len(lines) < most {
			if t = strings.TrimPrefix(t, "/"); t == "" {
				t = "."
			}
			lines = append(lines, lineOf(code(t)))
		}
	}
	if more := len(texts) - most; more > 0 {
		lines = append(lines, lineOf(Count(more, "other path")))
	}
	return listedLines(lines)
}

func encodableAdvice(all []advice.Advice) []advice.Advice {
	all = list(all)
	for i := range all {
		x := &all[i]
		x.Steps, x.Names = list(x.Steps), list(x.Names)
		x.Share, x.OnPath, x.CPUs = finite(x.Share, 0), finite(x.OnPath, 0), finite(x.CPUs, 0)
	}
	return all
}
