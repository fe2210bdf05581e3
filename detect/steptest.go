package detect

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/buildregress/buildregress/detect/level"
	"github.com/buildregress/buildregress/detect/timeline"
)

// The test of one step. Its history is brought to the level that it is on now; what that
// says of the next value is compared with the newest values of the branch, alone and
// together; and whether a change is believed and worth telling is asked as a list of
// conditions. A speed-up is tested in the same way, in the other direction.

// A stepTest is the test of one trial, as far as it has come.
type stepTest struct {
	trial     *Trial
	t         Thresholds
	offset    time.Duration   // added before logarithms are taken
	clockStep float64         // step of the clock, relative to the usual time
	shift     level.Shift     // newest change of level
	recent    int             // newest samples left out of the level, as they are judged
	level     []time.Duration // samples of the level that the step is on, ascending
	older     []time.Duration // those before its newest change, newest first
	values    []float64       // logarithms that are compared with, ascending: more than the level's if it shifted
	center    float64         // of values
	model     *predictive     // of values
	modes     [][]float64     // clusters of values, ascending; all of them if there is but one
	tail      level.Tail      // what is remembered of older values
	raw       []observation   // as measured, oldest first
	cleared   []observation   // the same without the runner's factor
	usual     time.Duration   // of the level or one of its modes, 90 % of which lie between low and high
	low       time.Duration
	high      time.Duration
	next      time.Duration // of the mode next below the newest value, however near
	slower    oneSided
	faster    oneSided
	q         float64
	seen      float64 // share of a slower mode that holds the newest value, 0 for none
	decision  Decision
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
	ranked := level.RankLogs(history, all, st.log)
	defer ranked.Release()
	logs := st.findLevel(ranked)
	st.recent = st.underJudgement(logs)
	st.values = ranked.Ascending
	if st.shift.Since > 0 || st.recent > 0 {
		st.values = slices.Clone(logs[st.recent:])
		slices.Sort(st.values)
	}
	st.center = level.Median(st.values)
	st.tail = trial.Tail
	st.shift.Remember(&st.tail, len(logs))
	if st.shift.Since > 0 || st.recent > 0 || len(history) > len(sorted) {
		if st.shift.Since > 0 {
			history, st.older = history[:st.shift.Since], history[st.shift.Since:]
		}
		if len(history) > st.recent {
			history = history[st.recent:]
		}
		st.level = slices.Clone(history)
		slices.Sort(st.level)
	}
	st.usual, st.low, st.high = rangeOf(st.level)
	st.next = st.usual
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
	center, n := level.Median(slices.Sorted(slices.Values(logs))), 0
	for n < recent && len(logs)-n > 3 && logs[n]-center >= math.Log1p(st.t.MinSlowdown)/2 {
		n++
	}
	return n
}

// findLevel brings a history to its newest level: the one that it came to, and within
// one that was accepted, what it came to since. What it returns may be r's.
func (st *stepTest) findLevel(r *level.Ranked) []float64 {
	n, logs, found := min(st.trial.Accepted, len(r.Newest)), r.Newest, level.Shift{}
	switch {
	case n == 0 || n == len(logs):
		found = level.FindShift(r, st.t.MinSlowdown)
	case n < st.t.MinHistory:
		found = level.ShiftAt(r, n)
	default:
		st.shift = level.ShiftAt(r, n)
		logs = logs[:n]
		accepted := r.First(n)
		defer accepted.Release()
		found = level.FindShift(accepted, st.t.MinSlowdown)
	}
	if found.Since > 0 {
		st.shift = found
		logs = found.Relevel(logs)
	}
	return logs
}

// weigh judges the new values; limit is the error at which one step of this build
// counts if no other does.
func (st *stepTest) weigh(limit float64) {
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
	st.selectMode()
	st.seen = st.seenMode()
	slower := newEvidence(st.model, st.raw, st.cleared, 1)
	st.slower = slower.strongest(trial.Recent > 0)
	st.faster = st.testFaster()
	d := &st.decision
	d.P, d.Usual, d.Low, d.High = st.slower.p, st.usual, st.low, st.high
	d.Expected = bounded(float64(st.usual) * math.Exp(trial.runner(len(trial.New)-1).Ln))
	builds := st.provenBuilds()
	d.Evidence = Evidence{Builds: builds, Slow: st.slowBuilds(builds), Value: -math.Log10(max(st.slower.p, leastP))}
	if d.Cut = st.shift.Since; d.Cut > 0 {
		d.Before = st.duration(st.center - st.shift.By)
	}
	d.Reportable = st.reportable(st.slower, 1)
	for _, m := range st.modes {
		d.Modes = append(d.Modes, Mode{
			Seconds: timeline.Seconds(st.duration(level.Median(m))),
			Share:   float64(len(m)) / float64(len(st.values)),
		})
	}
	d.MinDetectable, d.MinDetectable3 = st.minDetectable(1, limit), st.minDetectable(3, limit)
}

// leastP is the smallest error that is told apart from none.
const leastP = 1e-30

// selectMode narrows what is usual, of several modes, to the nearest one below the
// newest value that it is told apart from, or to the lowest: "7 s, and once 945 s" has no
// range from 7 to 945. The mode that is the most common one may hold the value as well.
func (st *stepTest) selectMode() {
	if len(st.modes) < 2 {
		return
	}
	newest := st.raw[len(st.raw)-1].y
	st.usual, st.low, st.high = st.rangeWithin(modeBelow(st.modes, newest-math.Log1p(st.t.MinSlowdown)))
	st.next, _, _ = st.rangeWithin(modeBelow(st.modes, newest))
}

// modeBelow is the nearest mode below y, or the most common one if y lies in it, or the
// lowest.
func modeBelow(modes [][]float64, y float64) []float64 {
	common := slices.MaxFunc(modes, func(x, y []float64) int { return cmp.Compare(len(x), len(y)) })
	mode := modes[0]
	for _, m := range modes[1:] {
		if m[len(m)-1] < y || m[0] <= y && &m[0] == &common[0] {
			mode = m
		}
	}
	return mode
}

// rangeWithin is the range of those samples of the level that are of a mode; that of all
// if the mode is of what was before the level shifted.
func (st *stepTest) rangeWithin(mode []float64) (usual, low, high time.Duration) {
	first, _ := slices.BinarySearchFunc(st.level, mode[0], func(d time.Duration, y float64) int { return cmp.Compare(st.log(d), y) })
	last := first
	for last < len(st.level) && st.log(st.level[last]) <= mode[len(mode)-1] {
		last++
	}
	if first == last {
		return rangeOf(st.level)
	}
	return rangeOf(st.level[first:last])
}

// runner is the factor of New[i], zero if it is not known.
func (t *Trial) runner(i int) RunnerReading {
	if len(t.Runners) != len(t.New) {
		return RunnerReading{}
	}
	return t.Runners[i]
}

// testFaster weighs the newest values for a speed-up, which decide holds to the limit of
// one step alone. One too small to be reported is not weighed.
func (st *stepTest) testFaster() oneSided {
	n := len(st.raw)
	worth := false
	for run := 1; run <= n && !worth; run++ {
		worth = st.reportable(oneSided{run: run}, -1)
	}
	if !worth || st.raw[n-1].y >= st.center {
		return oneSided{run: 1, p: 1}
	}
	faster := newEvidence(st.model, st.raw, st.cleared, -1)
	return faster.strongest(st.trial.Recent > 0)
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

// reference is the time that a change over so many builds is measured from: the middle of
// all that is usual; and of one build also the mode next to it, if that is farther.
func (st *stepTest) reference(run int, direction float64) time.Duration {
	middle := durationMiddle(st.level)
	switch {
	case run > 1:
		return middle
	case direction < 0:
		return min(st.usual, middle)
	}
	return max(st.next, middle)
}

// slowBuilds counts the values of the run that are slow enough to be reported.
func (st *stepTest) slowBuilds(builds int) (n int) {
	usual := st.reference(builds, 1)
	for _, v := range st.trial.New[len(st.trial.New)-builds:] {
		if v-usual >= st.t.MinDelta.D() && float64(v-usual) >= st.t.MinSlowdown*float64(usual) {
			n++
		}
	}
	return n
}

// provenBuilds is how many of the newest builds are the evidence that a step is slower. One may
// prove it alone; but those before it that were as slow are no less builds in which it was.
func (st *stepTest) provenBuilds() int {
	if st.slower.run > 1 {
		return st.slower.run
	}
	n := 0
	for _, v := range slices.Backward(st.trial.New[len(st.trial.New)-len(st.raw):]) {
		if v <= st.high || v-st.usual < st.t.MinDelta.D() || float64(v-st.usual) < st.t.MinSlowdown*float64(st.usual) {
			break
		}
		n++
	}
	return max(n, 1)
}

// fastBuilds counts the newest values in a row, each of which is a speed-up that is worth
// telling: it began with the first of them, however few of them prove it.
func (st *stepTest) fastBuilds() (n int) {
	usual := st.reference(st.faster.run, -1)
	for _, v := range slices.Backward(st.trial.New[len(st.trial.New)-len(st.raw):]) {
		if usual-v < st.t.MinDelta.D() || float64(usual-v) < st.t.MinSlowdown*float64(v) {
			break
		}
		n++
	}
	return n
}

// minDetectable returns the smallest factor on a step that k builds of a branch, 1 or 3,
// would show as slower with a probability of about 80 %, 0 if there is none up to
// maxDetectable; limit is the error at which a step of this build counts. All that is
// slower by more shows as well.
func (st *stepTest) minDetectable(k int, limit float64) float64 {
	// What is exceeded eight times of ten by a value, or by the mean of three.
	exceeded := 0.18
	if k == 3 {
		exceeded = 0.24
	}
	low := quantile(st.values, exceeded)
	usual := math.Exp(st.center)
	told := math.Log(usual + max(float64(st.t.MinDelta), st.t.MinSlowdown*usual))
	e := newEvidence(st.model, nil, nil, 1)
	needed := -math.Log10(limit)
	if k == 1 && len(st.raw) > 1 && st.trial.Recent == 0 {
		needed += chargeLate // as a later build of its branch
	}
	shows := func(y float64) bool {
		beyond := st.model.beyond(observation{y: y}, 1)
		for i := range k {
			e.ys[i], e.beyond[i] = y, beyond
		}
		// What the first of them would show goes on being said.
		return e.standsOff(0, 1) && e.power(0, 1) >= needed || k > 1 && e.standsOff(0, k) && e.power(0, k) >= needed
	}
	from, to := max(told, st.center), low+math.Log(maxDetectable)
	if from > to || !shows(to) {
		return 0
	}
	if !shows(from) {
		for to-from > 0.02 {
			if y := (from + to) / 2; shows(y) {
				to = y
			} else {
				from = y
			}
		}
		from = to
	}
	offset := float64(st.offset)
	return max((math.Exp(from)-offset)/math.Max(math.Exp(low)-offset, 1), 1+st.t.MinSlowdown)
}
