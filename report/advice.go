package report

import (
	"fmt"
	"strings"

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
		x.Share, x.OnPath = finite(x.Share, 0), finite(x.OnPath, 0)
	}
	return all
}
