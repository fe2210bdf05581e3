package detect

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// The test of one step. Its history is brought to the level that it is on now; a
// predictive density of the next value is made of that; and the newest values of the
// branch are weighed by how much likelier they are if the step became slower by one
// factor. The same with negated logarithms is the test for a speed-up.

// A stepTest is the test of one trial, as far as it has come.
type stepTest struct {
	trial     *Trial
	t         Thresholds
	offset    time.Duration   // added before logarithms are taken
	clockStep float64         // step of the clock, relative to the usual time
	shift     shift           // newest change of level
	recent    int             // newest samples left out of the level, as they are judged
	level     []time.Duration // samples of the level that the step is on, ascending
	values    []float64       // logarithms that are compared with, ascending: more than the level's if it shifted
	center    float64         // of values
	raw       []observation   // as measured, oldest first
	cleared   []observation   // the same without the runner's factor
	usual     time.Duration   // of the level or one of its modes, 90 % of which lie between low and high
	low       time.Duration
	high      time.Duration
	slower    oneSided
	faster    oneSided
	q         float64
	seen      float64 // share of a slower mode that holds the newest value, 0 for none
	decision  Decision
}

// A oneSided is the result of the test in one direction.
type oneSided struct {
	run   int     // how many of them say it together
	value float64 // their evidence
	p     float64 // error of believing it
}

// leastOffset is shorter than what anything measures of a step.
const leastOffset = 100 * time.Microsecond

// newStepTest finds the level that a trial is judged against. sorted holds the
// newest samples of its history, as many as the window is wide, ascending.
func newStepTest(trial *Trial, sorted []time.Duration, t Thresholds) *stepTest {
	st := &stepTest{trial: trial, t: t, q: 1, level: sorted}
	// A hundredth of what is worth telling keeps the logarithm of times near zero
	// from growing without bound.
	st.offset = max(t.MinDelta.D()/100, trial.Resolution/2, leastOffset)
	st.clockStep = float64(trial.Resolution) / (float64(durationMiddle(sorted)) + float64(st.offset))
	history := trial.History[:min(len(trial.History), t.Window+trial.Recent)]
	all := sorted
	if len(history) > len(sorted) {
		all = slices.Sorted(slices.Values(history))
	}
	ranked := rankLogs(history, all, st.log)
	defer ranked.release()
	logs := st.findLevel(ranked)
	st.recent = st.underJudgement(logs)
	st.values = ranked.ascending
	if st.shift.since > 0 || st.recent > 0 {
		st.values = slices.Clone(logs[st.recent:])
		slices.Sort(st.values)
	}
	st.center = median(st.values)
	if st.shift.since > 0 || st.recent > 0 || len(history) > len(sorted) {
		if st.shift.since > 0 {
			history = history[:st.shift.since]
		}
		if len(history) > st.recent {
			history = history[st.recent:]
		}
		st.level = slices.Clone(history)
		slices.Sort(st.level)
	}
	st.usual, st.low, st.high = rangeOf(st.level)
	return st
}

// underJudgement returns how many of the newest logarithms are left out of the
// level, as they are judged by it: all recent ones where enough are left, else
// those that stand off from the rest.
func (st *stepTest) underJudgement(logs []float64) int {
	recent := min(st.trial.Recent, len(logs))
	if len(logs)-recent >= st.t.MinHistory {
		return recent
	}
	center, n := median(slices.Sorted(slices.Values(logs))), 0
	for n < recent && len(logs)-n > 3 && logs[n]-center >= math.Log1p(st.t.MinSlowdown)/2 {
		n++
	}
	return n
}

// findLevel brings a history to its newest level: the one that it came to, and within
// one that was accepted, what it came to since. What it returns may be r's.
func (st *stepTest) findLevel(r *ranked) []float64 {
	n, logs, found := min(st.trial.Accepted, len(r.newest)), r.newest, shift{}
	switch {
	case n == 0 || n == len(logs):
		found = findShift(r, st.t, usualContamination, st.clockStep)
	case n < st.t.MinHistory:
		found = shiftAt(r, n)
	default:
		st.shift = shiftAt(r, n)
		logs = logs[:n]
		accepted := r.first(n)
		defer accepted.release()
		found = findShift(accepted, st.t, usualContamination, st.clockStep)
	}
	if found.since > 0 {
		st.shift = found
		logs = found.relevel(logs)
	}
	return logs
}

// weigh judges the new values; limit is the error at which one step of this build
// counts if no other does.
func (st *stepTest) weigh(contamination, limit float64) {
	model := newPredictive(st.values, contamination, st.clockStep)
	defer model.release()
	trial := st.trial
	n := min(len(trial.New), MaxEvidence)
	both := make([]observation, 2*n)
	st.raw, st.cleared = both[:n], both[n:]
	for k := range n {
		i := len(trial.New) - n + k
		st.raw[k].y = st.log(trial.New[i])
		runner := trial.runner(i) // zero if unknown
		st.cleared[k] = observation{y: st.raw[k].y - runner.Ln, sd: runner.SD}
	}
	st.selectMode(model.modes)
	st.seen = st.seenMode(model)
	st.slower = testOneSided(model, st.raw, st.cleared, st.t, trial.Recent > 0)
	st.faster = st.testFaster(contamination)
	d := &st.decision
	d.P, d.Usual, d.Low, d.High = st.slower.p, st.usual, st.low, st.high
	d.Expected = bounded(float64(st.usual) * math.Exp(trial.runner(len(trial.New)-1).Ln))
	d.Evidence = Evidence{Builds: st.slower.run, Slow: st.slowBuilds(), Value: st.slower.value}
	if d.Cut = st.shift.since; d.Cut > 0 {
		d.Before = st.duration(st.center - st.shift.by)
	}
	d.Reportable = st.reportable(st.slower, 1)
	for _, m := range model.modes {
		d.Modes = append(d.Modes, Mode{
			Seconds: Seconds(st.duration(median(m))),
			Share:   float64(len(m)) / float64(len(model.values)),
		})
	}
	d.MinDetectable, d.MinDetectable3 = st.minDetectable(model, 1, limit), st.minDetectable(model, 3, limit)
}

// selectMode narrows what is usual, of several modes, to the nearest one below the
// newest value, or to the lowest: "7 s, and once 945 s" has no range from 7 to 945. The
// mode that is the most common one may hold the value as well.
func (st *stepTest) selectMode(modes [][]float64) {
	if len(modes) < 2 {
		return
	}
	common := slices.MaxFunc(modes, func(x, y []float64) int { return cmp.Compare(len(x), len(y)) })
	mode, newest := modes[0], st.raw[len(st.raw)-1].y
	for _, m := range modes[1:] {
		if m[len(m)-1] < newest || m[0] <= newest && &m[0] == &common[0] {
			mode = m
		}
	}
	first, _ := slices.BinarySearchFunc(st.level, mode[0], func(d time.Duration, y float64) int { return cmp.Compare(st.log(d), y) })
	last := first
	for last < len(st.level) && st.log(st.level[last]) <= mode[len(mode)-1] {
		last++
	}
	if first < last { // else the mode is of what was before the level shifted
		st.usual, st.low, st.high = rangeOf(st.level[first:last])
	}
}

// runner is the factor of New[i], zero if it is not known.
func (t *Trial) runner(i int) RunnerReading {
	if len(t.Runners) != len(t.New) {
		return RunnerReading{}
	}
	return t.Runners[i]
}

// testFaster weighs the newest values for a speed-up: with all logarithms negated it
// is a slowdown, which decide holds to the limit of one step alone. One too small to be
// reported is not weighed.
func (st *stepTest) testFaster(contamination float64) oneSided {
	n := len(st.raw)
	worth := false
	for run := 1; run <= n && !worth; run++ {
		worth = st.reportable(oneSided{run: run}, -1)
	}
	if !worth || st.center-st.raw[n-1].y < math.Log1p(st.t.MinSlowdown)/2 {
		return oneSided{run: 1, p: 1}
	}
	negated := make([]float64, len(st.values))
	for i, y := range st.values {
		negated[len(negated)-1-i] = -y
	}
	negate := func(values []observation) []observation {
		out := slices.Clone(values)
		for i := range out {
			out[i].y = -out[i].y
		}
		return out
	}
	model := newPredictive(negated, contamination, st.clockStep)
	defer model.release()
	return testOneSided(model, negate(st.raw), negate(st.cleared), st.t, st.trial.Recent > 0)
}

func (st *stepTest) log(d time.Duration) float64 {
	return math.Log(float64(max(d, 0)) + float64(st.offset))
}

func (st *stepTest) duration(y float64) time.Duration {
	return max(0, bounded(math.Round(math.Exp(y)))-st.offset)
}

// bounded is a duration of so many nanoseconds, at most a hundred years.
func bounded(ns float64) time.Duration {
	const century = 100 * 365 * 24 * float64(time.Hour)
	return time.Duration(max(-century, min(ns, century)))
}

// testOneSided weighs the newest values, up to the last, for a slowdown. How many of
// them count is what makes their evidence strongest; but one below the center looks
// normal and ends them, so that a fix clears them, and if the last one does not stand
// off, it stands alone. What values say counts only as far as it holds both with and
// without the runner's factor.
//
// rolling tells that the values are no branch that began with the first of them,
// but the newest of a long one: then each build is a first look at itself.
func testOneSided(model *predictive, raw, cleared []observation, t Thresholds, rolling bool) (best oneSided) {
	n := len(raw)
	off := func(i int) float64 { return math.Min(raw[i].y, cleared[i].y) - model.center }
	for run := 1; run <= n && (run == 1 || off(n-run) > 0); run++ {
		l := oneSided{run: run}
		if l.value = model.evidence(raw[n-run:]); l.value > 0 && !slices.Equal(raw[n-run:], cleared[n-run:]) {
			l.value = math.Min(l.value, model.evidence(cleared[n-run:]))
		}
		l.p = errorOf(l.value, penalty(len(model.values), run < n && !(rolling && run == 1)))
		if run == 1 || l.p < best.p {
			best = l
		}
		if off(n-1) < math.Log1p(t.MinSlowdown)/2 {
			break
		}
	}
	return best
}

// reference is the time that a change is measured from: of what is usual and the middle
// of all modes, what is the farther in its direction.
func (st *stepTest) reference(direction float64) time.Duration {
	if direction < 0 {
		return min(st.usual, durationMiddle(st.level))
	}
	return max(st.usual, durationMiddle(st.level))
}

// slowBuilds counts the values of the run that are slow enough to be reported.
func (st *stepTest) slowBuilds() (n int) {
	usual := st.reference(1)
	for _, v := range st.trial.New[len(st.trial.New)-st.slower.run:] {
		if v-usual >= st.t.MinDelta.D() && float64(v-usual) >= st.t.MinSlowdown*float64(usual) {
			n++
		}
	}
	return n
}

// minDetectable returns the smallest factor on a step that k builds of a branch
// would show as slower with a probability of about 80 %, 0 if there is none up
// to maxDetectable; limit is the error at which a step of this build counts.
func (st *stepTest) minDetectable(model *predictive, k int, limit float64) float64 {
	density, odds := model.tables[0], math.Pow(10, evidenceFor(limit, penalty(len(model.values), false)))
	// Where the next value may lie, at five equal chances; the mean of k values is
	// nearer to the center by the root of k. A value that lands on an outlier seen
	// before shows nothing, so it is not enough to look at a low one. All five are
	// asked for, as real values scatter more than those of a short history.
	var from [5]float64
	for i, q := range []float64{-0.4, -0.2, 0, 0.2, 0.4} {
		from[i] = quantile(model.values, 0.5+q/math.Sqrt(float64(k)))
	}
	likely := func(by float64) bool {
		for _, y := range from {
			if density.odds(y+by, k) < odds {
				return false
			}
			if y+by > density.end() {
				return true // beyond all that was seen odds grow, as tailScale is below 1, and the others lie further out
			}
		}
		return true
	}
	// What is large enough to be reported, and what is likely to show.
	usual := math.Exp(model.center)
	least := math.Log(usual+max(float64(st.t.MinDelta), st.t.MinSlowdown*usual)) - from[0]
	low, high := math.Max(0, least), math.Log(maxDetectable)
	if low > high || !likely(high) {
		return 0
	}
	if likely(low) {
		return math.Exp(low)
	}
	for high-low > 0.02 {
		if mid := (low + high) / 2; likely(mid) {
			high = mid
		} else {
			low = mid
		}
	}
	return math.Exp(high)
}
