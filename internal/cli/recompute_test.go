package cli

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/buildregress/buildregress/fetch/builds"
	"github.com/buildregress/buildregress/internal/cli/clitest"
	"github.com/buildregress/buildregress/report"
)

// Every number of a result follows from others in the same JSON document: somebody
// who has nothing else can follow how it came about.
func TestNumbersFollowFromTheJSON(t *testing.T) {
	s := newAlphaStore(t, "dockerbuild")
	for _, i := range []int{30, 33, 37, 42, 44, 46, 47, 49} {
		_, r := s.check(t, i, "never")
		t.Run(fmt.Sprintf("%03d", i), func(t *testing.T) { recompute(t, r) })
	}
	dir := t.TempDir()
	main := write(t, filepath.Join(dir, "main.jsonl"), clitest.History(60, 12))
	for name, change := range map[string]func(*timeline.Build, int){
		"as ever": func(*timeline.Build, int) {},
		"one step slower": func(b *timeline.Build, n int) {
			b.Steps[3].Duration *= 2
		},
		"a slow machine": func(b *timeline.Build, n int) {
			for i := range b.Steps {
				b.Steps[i].Duration = b.Steps[i].Duration * 3 / 2
			}
		},
		"modes": func(b *timeline.Build, n int) { b.Steps[4].Duration *= time.Duration(1 + 9*(n%2)) },
	} {
		for _, branch := range []string{"main", "feature"} {
			t.Run(name+" on "+branch, func(t *testing.T) {
				list := clitest.History(63, 12)[60:]
				for n := range list {
					list[n].Branch = branch
					change(&list[n], n)
				}
				file := write(t, filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+branch+".jsonl"), list)
				_, out := inProcess(t, "check", "--baseline", main, "--store", "sqlite:"+filepath.Join(t.TempDir(), "h.db"), "--base-branch", "main", "--fail-on", "unsure", "--format", "json", file)
				rep, err := report.ReadJSON(strings.NewReader(out))
				if err != nil {
					t.Fatal(err)
				}
				exit := 0
				for i := range rep.Results {
					recompute(t, &rep.Results[i])
					if v := rep.Results[i].Verdict; v == detect.Unsure || v == detect.Regressed {
						exit = 1
					}
				}
				if rep.ExitCode != exit || len(rep.Results) != 3 {
					t.Errorf("exit code %d of %d results, want %d", rep.ExitCode, len(rep.Results), exit)
				}
			})
		}
	}
}

func write(t *testing.T, path string, list []timeline.Build) string {
	t.Helper()
	f, err := os.Create(path)
	if err == nil {
		err = builds.Encode(f, list)
	}
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	return path
}

// recompute checks the numbers of a result that was read from JSON.
func recompute(t *testing.T, r *detect.Result) {
	t.Helper()
	wrong := func(what string, got, want any) {
		t.Helper()
		t.Errorf("%s: %v, and from the rest of the document %v", what, got, want)
	}
	counts := map[detect.Status]int{}
	cached, executed, judged := 0, 0, 0
	costs, all, parts := map[string]timeline.Seconds{}, map[string]timeline.Seconds{}, map[string]timeline.Seconds{}
	var family []*detect.StepResult
	for i := range r.Steps {
		s := &r.Steps[i]
		counts[s.Status]++
		if !strings.Contains(s.Key, "] load cache:") {
			switch {
			case s.State == timeline.Cached:
				cached++
			case s.State == timeline.Executed && s.Stage != timeline.StageWait:
				executed++
			}
		}
		switch s.Status {
		case detect.StatusSlower, detect.StatusSuspect, detect.StatusFaster, detect.StatusSame, detect.StatusOverBudget:
			judged++
		}
		if len(s.Modes) > 0 {
			family = append(family, s)
		}
		if s.N != len(s.History) {
			wrong(s.Key+": n", s.N, len(s.History))
		}
		if s.N > 0 && s.Usual > 0 && s.Status != detect.StatusUnjudged {
			if want := s.Current - s.Usual; s.Delta != want {
				wrong(s.Key+": delta", s.Delta, want)
			}
			if want := float64(s.Current) / float64(s.Usual); math.Abs(s.Ratio-want) > 1e-9*want {
				wrong(s.Key+": ratio", s.Ratio, want)
			}
		}
		if s.Evidence.Slow > s.Evidence.Builds {
			wrong(s.Key+": slow builds", s.Evidence.Slow, s.Evidence.Builds)
		}
		if len(s.Modes) > 0 && s.Cut == "" { // all of the history is the level, but what is under judgement
			var level []time.Duration
			for _, p := range slices.Concat(s.History, s.Basis.Older) {
				if !slices.Contains(s.Basis.Judged, p.ID) {
					level = append(level, p.Seconds.D())
				}
			}
			slices.Sort(level)
			usual, low, high := medianTime(level), level[len(level)/20], level[len(level)-1-len(level)/20]
			if s.Usual.D() != usual || s.Low.D() != low || s.High.D() != high {
				wrong(s.Key+": usual, low, high", []timeline.Seconds{s.Usual, s.Low, s.High}, []time.Duration{usual, low, high})
			}
			recomputeModes(t, s, level)
		}
		if r.RunnerFactor == nil && len(s.Modes) > 0 && s.Expected != s.Usual {
			wrong(s.Key+": expected", s.Expected, s.Usual)
		}
		all[s.Key] += s.WallClockSeconds
		if s.WallClockSeconds.D().Abs() >= r.Thresholds.MinDelta.D() {
			costs[s.Key] += s.WallClockSeconds
		}
		if s.Critical && s.Slack != 0 {
			wrong(s.Key+": slack on the critical path", s.Slack, 0)
		}
	}
	if fmt.Sprint(r.Counts) != fmt.Sprint(counts) {
		wrong("counts", r.Counts, counts)
	}
	if r.Cache.Cached != cached || r.Cache.Executed != executed {
		wrong("cached, executed", []int{r.Cache.Cached, r.Cache.Executed}, []int{cached, executed})
	}
	if r.Baseline.Builds != len(r.Baseline.IDs) {
		wrong("baseline", r.Baseline.Builds, len(r.Baseline.IDs))
	}
	recomputeQ(t, family)
	recomputeDecisions(t, r)
	recomputeRunner(t, r.RunnerFactor)
	recomputeLosses(t, r)
	recomputeSlack(t, r)
	var usual []time.Duration
	for _, d := range r.Baseline.Durations {
		if d > 0 {
			usual = append(usual, d.D())
		}
	}
	if slices.Sort(usual); len(r.WallClock.Parts) > 0 && r.WallClock.Usual.D() != medianTime(usual) {
		wrong("usual duration of the build", r.WallClock.Usual, medianTime(usual))
	}

	var sum timeline.Seconds
	usually := map[string]bool{}
	for _, p := range r.WallClock.Parts {
		sum += p.Seconds
		if p.Cause == detect.CauseStep {
			parts[p.Step] += p.Seconds
		}
		if p.Cause == detect.CauseCacheLoss {
			usually[p.Step] = true
		}
	}
	if sum != r.WallClock.Delta {
		wrong("delta of the wall clock", r.WallClock.Delta, sum)
	}
	if want := r.Build.Duration - r.WallClock.Usual; len(r.WallClock.Parts) > 0 && r.WallClock.Delta != want {
		wrong("delta of the wall clock", r.WallClock.Delta, want)
	}
	for _, s := range r.Steps {
		// Small costs are named where they would be the largest part together.
		named := parts[s.Key] != 0 && parts[s.Key] == all[s.Key]
		// What a step costs by having run at all is a part, and no cost of a slowdown.
		if ranRarely := parts[s.Key]-costs[s.Key] == s.Usual && s.Usual > 0; len(r.WallClock.Parts) > 0 && parts[s.Key] != costs[s.Key] && !named && !ranRarely && !usually[s.Key] {
			wrong(s.Key+": part of the wall clock", parts[s.Key], costs[s.Key])
		}
	}
	recomputeVerdict(t, r, counts, judged)
}

// recomputeDecisions puts each step to the test again, by what its basis says.
func recomputeDecisions(t *testing.T, r *detect.Result) {
	t.Helper()
	near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(b)) }
	for at, d := range detect.Recompute(r) {
		s := &r.Steps[at]
		if last := s.Basis.Values[len(s.Basis.Values)-1]; last.Seconds != s.Current || last.ID != r.Build.ID {
			t.Errorf("%s: the last value judged is %+v", s.Key, last)
		}
		if !near(s.P, d.P) || !near(s.Q, d.Q) || s.Evidence.Builds != d.Evidence.Builds || s.Evidence.Slow != d.Evidence.Slow || !near(s.Evidence.Value, d.Evidence.Value) {
			t.Errorf("%s: p %g, q %g, evidence %+v, and from the rest of the document p %g, q %g, evidence %+v", s.Key, s.P, s.Q, s.Evidence, d.P, d.Q, d.Evidence)
		}
		if s.Usual.D() != d.Usual || s.Low.D() != d.Low || s.High.D() != d.High || s.Expected.D() != d.Expected || len(s.Modes) != len(d.Modes) {
			t.Errorf("%s: usually %v (%v to %v), expected %v, and from the rest of the document %v (%v to %v), %v", s.Key, s.Usual, s.Low, s.High, s.Expected, d.Usual, d.Low, d.High, d.Expected)
		}
		if !near(s.MinDetectable, d.MinDetectable) || !near(s.MinDetectable3, d.MinDetectable3) {
			t.Errorf("%s: could show ×%g, ×%g, and from the rest of the document ×%g, ×%g", s.Key, s.MinDetectable, s.MinDetectable3, d.MinDetectable, d.MinDetectable3)
		}
		if !slices.EqualFunc(s.Conditions, d.Conditions, func(x, y detect.Condition) bool {
			return x.Kind == y.Kind && x.Met == y.Met && near(x.Value, y.Value) && near(x.Limit, y.Limit)
		}) {
			t.Errorf("%s: conditions %+v, and from the rest of the document %+v", s.Key, s.Conditions, d.Conditions)
		}
		if s.Status != d.Status && s.Status != detect.StatusOverBudget && s.Status != detect.StatusCacheLost {
			t.Errorf("%s is %v, and from the rest of the document %v", s.Key, s.Status, d.Status)
		}
	}
}

// recomputeRunner takes the weighted median of what the steps say, and shrinks it by
// how much machines usually differ.
func recomputeRunner(t *testing.T, f *detect.RunnerFactor) {
	t.Helper()
	if f == nil {
		return
	}
	sort := func(v []float64) []float64 { slices.Sort(v); return v }
	median := func(v []float64) float64 { return (v[(len(v)-1)/2] + v[len(v)/2]) / 2 }
	readings := slices.Clone(f.Readings)
	slices.SortStableFunc(readings, func(x, y detect.RunnerReading) int {
		if x.Ln < y.Ln {
			return -1
		}
		return 1
	})
	weight := func(r detect.RunnerReading) float64 { return 1 / (r.SD*r.SD + 0.05*0.05) }
	total, squares, largest, sum, center := 0.0, 0.0, 0.0, 0.0, 0.0
	for _, r := range readings {
		total, largest = total+weight(r), max(largest, weight(r))
	}
	// None weighs more than a third of all.
	most := largest
	if largest > total/3 {
		most = (total - largest) / 2
	}
	total = 0
	for _, r := range readings {
		w := min(weight(r), most)
		total, squares = total+w, squares+w*w
	}
	for i, r := range readings {
		if sum += min(weight(r), most); sum >= total/2-1e-12 {
			center = r.Ln
			if sum <= total/2+1e-12 && i+1 < len(readings) {
				center = (r.Ln + readings[i+1].Ln) / 2
			}
			break
		}
	}
	var off []float64
	for _, r := range readings {
		off = append(off, math.Abs(r.Ln-center))
	}
	sd := 1.25 * max(1.4826*median(sort(off))/math.Sqrt(total*total/squares), 1/math.Sqrt(total))
	// Machines differ by as much as the winsorised deviation of the baseline's says, less
	// what estimating them added.
	machines, tau := 0.1, 0.1
	if n := len(f.Baseline); n >= 3 {
		w := slices.Clone(f.Baseline)
		g := n / 10
		mean, squares := 0.0, 0.0
		for i := range w {
			w[i] = f.Baseline[min(max(i, g), n-1-g)]
			mean += w[i] / float64(n)
		}
		for _, x := range w {
			squares += (x - mean) * (x - mean)
		}
		machines = math.Sqrt(squares / float64(n-1))
		if g > 0 {
			machines *= 1.2
		}
		machines = max(machines, 0.03)
		tau = math.Sqrt(max(0.03*0.03, machines*machines-f.BaselineSD*f.BaselineSD))
	}
	tau = max(tau, math.Abs(center)-2*sd)
	value, standardError := center*tau*tau/(tau*tau+sd*sd), sd*tau/math.Hypot(sd, tau)
	usual, half := 0.0, max(1.96*machines, 0.05)
	if len(f.Baseline) > 0 {
		usual = median(f.Baseline)
	}
	for what, pair := range map[string][2]float64{
		"value": {f.Value, value}, "low": {f.Low, value - 1.96*standardError}, "high": {f.High, value + 1.96*standardError},
		"usual low": {f.UsualLow, usual - half}, "usual high": {f.UsualHigh, usual + half},
	} {
		if math.Abs(math.Log(pair[0])-pair[1]) > 1e-9 {
			t.Errorf("runner's %s: %g, and from its readings %g", what, pair[0], math.Exp(pair[1]))
		}
	}
	if f.Steps != len(readings) {
		t.Errorf("runner: %d steps and %d readings", f.Steps, len(readings))
	}
}

// recomputeLosses adds up what lost caches cost.
func recomputeLosses(t *testing.T, r *detect.Result) {
	t.Helper()
	took := map[string]timeline.Seconds{}
	for _, s := range r.Steps {
		if s.State == timeline.Executed {
			took[s.Key] += s.Current
		}
	}
	for _, l := range r.Cache.Losses {
		cost := took[l.Step]
		for _, key := range l.Dragged {
			cost += took[key]
		}
		if cached := l.Share * float64(l.Reached); l.Cost != cost || l.Reached == 0 || math.Abs(cached-math.Round(cached)) > 1e-9 {
			t.Errorf("loss at %s: cost %v, and its steps took %v; share %g of %d", l.Step, l.Cost, cost, l.Share, l.Reached)
		}
	}
}

// recomputeSlack follows the steps from the end of the build backwards. A cycle of
// waiting is impossible in what was recorded.
func recomputeSlack(t *testing.T, r *detect.Result) {
	t.Helper()
	waiting, linked := map[int][]int{}, false
	for i, s := range r.Steps {
		for _, on := range s.WaitsFor {
			waiting[on], linked = append(waiting[on], i), true
		}
	}
	end := func(s *detect.StepResult) timeline.Seconds { return s.Start + s.Current }
	var slack func(i int) timeline.Seconds
	slack = func(i int) timeline.Seconds {
		s := &r.Steps[i]
		free := max(0, r.Build.Duration-end(s))
		for _, c := range waiting[i] {
			free = min(free, max(0, r.Steps[c].Start-end(s))+slack(c))
		}
		return free
	}
	for i := range r.Steps {
		s := &r.Steps[i]
		if s.Critical || s.Status == detect.StatusGone || strings.Contains(s.Key, "] load cache:") {
			continue
		}
		want := timeline.Seconds(0)
		if linked {
			want = slack(i)
		}
		if s.Slack != want {
			t.Errorf("%s: slack %v, and from the rest of the document %v", s.Key, s.Slack, want)
		}
	}
}

// recomputeQ follows Benjamini and Hochberg (1995) over the steps that were tested.
func recomputeQ(t *testing.T, family []*detect.StepResult) {
	t.Helper()
	byP := slices.Clone(family)
	slices.SortStableFunc(byP, func(a, b *detect.StepResult) int {
		switch {
		case a.P < b.P:
			return -1
		case a.P > b.P:
			return 1
		}
		return 0
	})
	q := 1.0
	for i, b := range slices.Backward(byP) {
		q = min(q, b.P*float64(len(byP))/float64(i+1))
		if math.Abs(b.Q-q) > 1e-9 {
			t.Errorf("%s: q %g, and by the p of the steps that were tested %g", b.Key, b.Q, q)
		}
	}
}

// recomputeModes counts the values of a step's modes: each is some neighbouring ones,
// whose median it has.
func recomputeModes(t *testing.T, s *detect.StepResult, level []time.Duration) {
	t.Helper()
	from := 0
	for _, m := range s.Modes {
		n := int(math.Round(m.Share * float64(len(level))))
		found := false
		for at := from; at+n <= len(level) && !found; at++ {
			// Modes are of logarithms: medians of an even number lie a little lower.
			if d := medianTime(level[at : at+n]); math.Abs(float64(m.Seconds.D()-d)) <= 0.01*float64(d) {
				found, from = true, at+n
			}
		}
		if !found || n == 0 || math.Abs(m.Share*float64(len(level))-float64(n)) > 1e-6 {
			t.Errorf("%s: no %d of the %d values have a median of %v, as its modes say: %+v", s.Key, n, len(level), m.Seconds, s.Modes)
		}
	}
}

// recomputeVerdict follows what docs/judgement.md says of it.
func recomputeVerdict(t *testing.T, r *detect.Result, counts map[detect.Status]int, judged int) {
	t.Helper()
	cost, suspected := timeline.Seconds(0), timeline.Seconds(0)
	for _, s := range r.Steps {
		switch s.Status {
		case detect.StatusSlower:
			cost += max(0, s.WallClockSeconds)
		case detect.StatusSuspect:
			suspected += max(0, s.WallClockSeconds)
		}
		slowerByNumbers := s.Q <= r.Thresholds.FDR && s.P <= detect.SlowerP
		if s.Status == detect.StatusSlower && !slowerByNumbers || s.Status == detect.StatusSuspect && s.P > detect.SuspectP {
			t.Errorf("%s is %v with p %g, q %g", s.Key, s.Status, s.P, s.Q)
		}
		if s.Status == detect.StatusSlower && s.Evidence.Builds == 1 && (s.Delta < r.Thresholds.MinDelta || s.Ratio-1 < r.Thresholds.MinSlowdown) {
			t.Errorf("%s is slower by %v, ×%g", s.Key, s.Delta, s.Ratio)
		}
	}
	want := []detect.Verdict{detect.Pass}
	switch {
	case r.Build.Outcome != timeline.OK:
		want = []detect.Verdict{detect.Unjudged}
	case counts[detect.StatusOverBudget] > 0 || r.OverBudget != "",
		counts[detect.StatusSlower] > 0 && cost >= max(r.Thresholds.MinDelta, r.WallClock.Usual/100):
		want = []detect.Verdict{detect.Regressed}
	case counts[detect.StatusSuspect] > 0 && cost+suspected >= max(r.Thresholds.MinDelta, r.WallClock.Usual/100):
		want = []detect.Verdict{detect.Unsure}
	case judged == 0 && r.Cache.Executed > 0:
		want = []detect.Verdict{detect.Unjudged, detect.Unsure}
	case r.RunnerFactor.Unusual() && r.RunnerFactor.Value > 1: // told in the reason
		want = []detect.Verdict{detect.Pass, detect.Unsure}
	}
	if !slices.Contains(want, r.Verdict) || (r.Verdict == detect.Unsure || r.Verdict == detect.Unjudged) != (r.Reason != detect.Note{}) {
		t.Errorf("verdict %v (%q), and by its steps %v", r.Verdict, r.Reason, want)
	}
}

// medianTime of ascending times.
func medianTime(sorted []time.Duration) time.Duration {
	a, b := sorted[(len(sorted)-1)/2], sorted[len(sorted)/2]
	return a + (b-a)/2
}
