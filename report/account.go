package report

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
)

// The lines on the build as a whole. The account of the wall clock is a sum of whole units
// that can be added up by eye: what rounding leaves over is in its rest.

// facts are the lines on the build as a whole: wall clock, runner, cache.
func facts(r *detect.Result, n *names) []line {
	lines := []line{wallClock(r, n)}
	if r.Build.Outcome == timeline.OK && r.Verdict != detect.Unjudged {
		lines = append(lines, runner(r))
	}
	switch {
	case r.Cache.Untold && r.Build.Trace != "":
		lines = append(lines, lineOf("Cache: not told by this trace."))
	case r.Cache.Untold:
		lines = append(lines, lineOf("Cache: not told by where this build was read."))
	case r.Cache.Cached+r.Cache.Executed > 0:
		lines = append(lines, lineOf(fmt.Sprintf("Cache: %s cached, %d ran.", Count(r.Cache.Cached, "step"), r.Cache.Executed)))
	}
	return lines
}

// wallClock is "Wall clock: 142 s, usually 80 s: +62 s = cache loss 50 s + `X` 15 s
// + runner −5 s + unexplained 2 s."
func wallClock(r *detect.Result, n *names) line {
	l := lineOf("Wall clock: ", r.Build.Duration.String())
	if r.Build.Outcome != timeline.OK || r.WallClock.Usual <= 0 {
		return lineOf(l, ".")
	}
	l = lineOf(l, ", usually ", r.WallClock.Usual.String())
	if account := account(&r.WallClock, n); account != nil {
		l = lineOf(l, ": ", account)
	}
	return lineOf(l, ".", queued(&r.WallClock))
}

// queued is " Of these +28 s, 20 s in the queue.", where that is a part of a build's
// difference which is worth a sentence: no change of what was built made it.
func queued(w *detect.WallClock) line {
	const least = 10 // of the difference, one part in so many
	u := unitOf(w)
	at := slices.IndexFunc(w.Parts, func(p detect.WallClockPart) bool { return p.Cause == detect.CauseQueue })
	if at < 0 {
		return nil
	}
	switch waited := w.Parts[at].Seconds; {
	case w.Delta <= 0 || u.in(waited) <= 0 || waited < w.Delta/least:
		return nil
	case waited > w.Delta:
		return lineOf(" The queue alone took ", u.write(u.in(waited)), " ", u.name, " more.")
	default:
		return lineOf(" Of these +", u.write(u.in(w.Delta)), " ", u.name, ", ", u.write(u.in(waited)), " ", u.name, " in the queue.")
	}
}

// account is the sum of the parts, rounded to one unit so that it can be added
// up by eye: what rounding leaves over is in the rest. Nil if nothing is left to
// tell.
func account(w *detect.WallClock, n *names) line {
	unit := unitOf(w)
	left := unit.in(w.Delta)
	delta := left
	var terms []line
	var other, lost, largest time.Duration
	var folded []line
	cacheTerm := -1
	for _, p := range w.Parts {
		units := unit.in(p.Seconds)
		switch {
		case p.Cause == detect.CauseRest || units == 0:
			continue // what is left over at the end
		case p.Cause == detect.CauseCacheLoss:
			if lost += units; cacheTerm < 0 {
				cacheTerm = len(terms)
				terms = append(terms, nil)
			}
		case p.Cause == detect.CauseOther:
			other += units
		case len(terms) >= maxTerms:
			other += units
			folded = append(folded, causeOf(&p, n))
		default:
			largest = max(largest, units.Abs())
			terms = append(terms, lineOf(causeOf(&p, n), " ", unit.write(units), " ", unit.name))
		}
		left -= units
	}
	if cacheTerm >= 0 {
		largest = max(largest, lost.Abs())
		terms[cacheTerm] = lineOf("cache loss ", unit.write(lost), " ", unit.name)
	}
	if other != 0 {
		what := lineOf("other steps")
		if other.Abs() > largest && len(folded) > 0 { // then it is told which
			what = lineOf("others (", joined(folded[:min(len(folded), maxTerms)], ", "))
			if len(folded) > maxTerms {
				what = lineOf(what, " …")
			}
			what = lineOf(what, ")")
		}
		terms = append(terms, lineOf(what, " ", unit.write(other), " ", unit.name))
	}
	if left != 0 {
		terms = append(terms, lineOf("unexplained ", unit.write(left), " ", unit.name))
	}
	if len(terms) == 0 {
		return nil
	}
	total := unit.write(delta) + " " + unit.name
	if delta >= 0 {
		total = "+" + total
	}
	return lineOf(total, " = ", joined(terms, " + "))
}

// maxTerms is how many causes are named one by one.
const maxTerms = 4

func sign(d time.Duration) int {
	if d < 0 {
		return -1
	}
	return 1
}

func causeOf(p *detect.WallClockPart, n *names) line {
	switch {
	case p.Cause == detect.CauseStep:
		return lineOf(code(n.ofKey(p.Step)))
	case p.Cause == detect.CausePath && p.Seconds < 0:
		return lineOf(code(n.ofKey(p.Step)), " off the critical path")
	case p.Cause == detect.CausePath:
		return lineOf(code(n.ofKey(p.Step)), " on the critical path")
	case p.Cause == detect.CauseQueue:
		return lineOf("waiting for runners")
	case p.Cause == detect.CauseGap && p.Step == "":
		return lineOf("after the last step")
	case p.Cause == detect.CauseGap:
		return lineOf("between steps, before ", code(n.ofKey(p.Step)))
	}
	return prose(string(p.Cause))
}

// A unit is what an account counts in.
type unit struct {
	name     string
	size     time.Duration
	decimals int
}

// unitOf takes the coarsest unit in which the largest number still has two digits.
func unitOf(w *detect.WallClock) unit {
	largest := w.Delta.D().Abs()
	for _, p := range w.Parts {
		largest = max(largest, p.Seconds.D().Abs())
	}
	switch {
	case largest >= 10*time.Second:
		return unit{"s", time.Second, 0}
	case largest >= time.Second:
		return unit{"s", time.Second / 10, 1}
	}
	return unit{"ms", time.Millisecond, 0}
}

// in is how many of the unit a time is, rounded.
func (u unit) in(d timeline.Seconds) time.Duration {
	n := d.D() / u.size
	if over := d.D() % u.size; over.Abs()*2 >= u.size {
		n += time.Duration(sign(over))
	}
	return n
}

func (u unit) write(n time.Duration) string {
	text := strconv.FormatInt(int64(n.Abs()), 10)
	if u.decimals > 0 {
		text = fmt.Sprintf("%.1f", float64(n.Abs())/10)
	}
	if n < 0 {
		return minus + text
	}
	return text
}

// runner is the line that is always there, however usual the runner was: what its steps
// say of its speed, and, where one of the two is unusual and is told nowhere else, what was
// measured beside that.
func runner(r *detect.Result) line {
	l := runnerBySteps(r.RunnerFactor)
	m := r.Machine
	load := measuredLoad(m)
	if load == "" || m.Overloaded || *m.CPUWait <= *m.UsualHigh && !r.RunnerFactor.Unusual() {
		return l
	}
	return lineOf(l, " ", capitalized(load), ".")
}

// measuredLoad is how long something waited for a processor, "" where that or what is usual
// is not known.
func measuredLoad(m *detect.MachineInfo) string {
	if m == nil || m.CPUWait == nil || m.UsualHigh == nil {
		return ""
	}
	return fmt.Sprintf("something waited for a processor %.0f %% of the time, usually %.0f–%.0f %%", 100**m.CPUWait, 100**m.UsualLow, 100**m.UsualHigh)
}

func runnerBySteps(f *detect.RunnerFactor) line {
	if f == nil || number(f.Value) == "" {
		return lineOf("Runner: too few steps to tell its speed.")
	}
	l := lineOf("Runner: steps took ", runnerSpeed(f))
	if number(f.UsualLow) != "" && number(f.UsualHigh) != "" {
		l = lineOf(l, "; ×", factor(f.UsualLow), " to ×", factor(f.UsualHigh), " is normal")
	}
	return lineOf(l, " (from ", Count(f.Steps, "step"), ").")
}

// unusualRunner is the notice on a runner that explains much of what is seen.
func unusualRunner(f *detect.RunnerFactor) line {
	if !f.Unusual() || number(f.Value) == "" {
		return nil
	}
	return lineOf("On this runner steps took ", runnerSpeed(f), "; times were judged with that taken out.")
}

// runnerSpeed is "×2.1 as long as usual", or "as long as usual".
func runnerSpeed(f *detect.RunnerFactor) string {
	if x := factor(f.Value); x != "1" {
		return "×" + x + " as long as usual"
	}
	return "as long as usual"
}
