package detect

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/level"
)

// roughTrials are steps whose histories are of all sorts: quiet, noisy, with modes, with
// single outliers, on a clock of whole seconds, after a change of level; some with siblings
// and with what is remembered of older values.
func roughTrials(rng *rand.Rand, n int) []Trial {
	trials := make([]Trial, n)
	for i := range trials {
		base, sd := math.Exp(1+4*rng.Float64()), 0.02+0.2*rng.Float64()
		draw := func() time.Duration {
			s := base * math.Exp(sd*rng.NormFloat64())
			switch rng.IntN(20) {
			case 0:
				s *= 3 + 5*rng.Float64()
			case 1, 2, 3:
				if i%3 == 0 {
					s = base * 6
				}
			}
			if i%4 == 1 {
				s = math.Round(s)
			}
			return seconds(s)
		}
		tr := &trials[i]
		for range 8 + rng.IntN(40) {
			tr.History = append(tr.History, draw())
		}
		if i%5 == 4 {
			for k := range len(tr.History) / 3 {
				tr.History[k] *= 2
			}
		}
		if i%4 == 1 {
			tr.Resolution = time.Second
		}
		tr.Kind = []string{"", "RUN test", "RUN make"}[rng.IntN(3)]
		if rng.IntN(2) == 0 {
			var older []time.Duration
			for range 60 + len(tr.History) {
				older = append(older, draw())
			}
			tr.Tail = level.TailOf(older, len(tr.History))
		}
		tr.New = []time.Duration{draw()}
	}
	return trials
}

func severity(s Status) int {
	return slices.Index([]Status{StatusFaster, StatusSame, StatusSuspect, StatusSlower}, s)
}

// A larger value is never judged milder, whatever the history: not in its status, and not
// in its error.
func TestLargerIsNeverMilder(t *testing.T) {
	rng := rand.New(rand.NewPCG(51, 52))
	for range 60 {
		trials := roughTrials(rng, 8)
		runner := RunnerReading{Ln: 0.2 * rng.NormFloat64(), SD: 0.1 * rng.Float64()}
		earlier := trials[0].New[:rng.IntN(2)]
		status, p := -1, 2.0
		usual := durationMedian(trials[0].History)
		for by := 1.0; by < 15; by *= 1.03 {
			now := time.Duration(float64(usual) * by)
			trials[0].New = append(slices.Clone(earlier), now)
			trials[0].Runners = slices.Repeat([]RunnerReading{runner}, len(trials[0].New))
			d := Decide(trials, DefaultThresholds)[0]
			if severity(d.Status) < status || d.P > p*(1+1e-9) {
				t.Fatalf("at ×%.3g of %v: %v (p %.3g), and before severity %d (p %.3g); history %v", by, usual, d.Status, d.P, status, p, trials[0].History)
			}
			status, p = severity(d.Status), d.P
		}
	}
}

// One more build that is as slow as those before it never weakens the case.
func TestOneMoreSlowBuildIsNeverMilder(t *testing.T) {
	rng := rand.New(rand.NewPCG(53, 54))
	for range 200 {
		trials := roughTrials(rng, 6)
		usual := durationMedian(trials[0].History)
		now := time.Duration(float64(usual) * (1.2 + 2*rng.Float64()))
		status, p := -1, 2.0
		for range MaxEvidence {
			trials[0].New = append(trials[0].New, now)
			if status < 0 {
				trials[0].New = trials[0].New[1:]
			}
			d := Decide(trials, DefaultThresholds)[0]
			if sorted := slices.Sorted(slices.Values(trials[0].History)); now <= sorted[len(sorted)*9/10] || d.Cut > 0 {
				break // usual, or the level is another one than what was sorted here
			}
			if severity(d.Status) < status || d.P > p*(1+1e-9) {
				t.Fatalf("%v for the %dth time, usually %v: %v (p %.3g), and before severity %d (p %.3g); history %v", now, len(trials[0].New), usual, d.Status, d.P, status, p, trials[0].History)
			}
			status, p = severity(d.Status), d.P
		}
	}
}

// What is said to be found is found, and all that is larger: the stated minimum is no
// island.
func TestStatedMinimumHoldsAbove(t *testing.T) {
	rng := rand.New(rand.NewPCG(55, 56))
	stated := 0
	for range 80 {
		trials := roughTrials(rng, 10)
		d := Decide(trials, DefaultThresholds)
		for i := range trials {
			ratio := d[i].MinDetectable
			if ratio == 0 || d[i].Cut > 0 && d[i].Cut < DefaultThresholds.MinHistory {
				continue
			}
			stated++
			low := quantile(logsOf(trials[i].History), 0.5)
			for _, by := range []float64{1.05, 1.5, 3, 10} {
				changed := slices.Clone(trials)
				changed[i].New = []time.Duration{time.Duration(math.Exp(low)*ratio*by) + time.Second}
				if got := Decide(changed, DefaultThresholds)[i]; got.Status != StatusSlower && d[i].Cut == 0 {
					t.Errorf("×%.3g is said to be found, and ×%.3g of the median is %v (p %.3g); history %v", ratio, ratio*by, got.Status, got.P, trials[i].History)
				}
			}
		}
	}
	if stated < 100 {
		t.Errorf("%d minima are stated: this shows little", stated)
	}
}

func logsOf(values []time.Duration) (logs []float64) {
	for _, v := range values {
		logs = append(logs, math.Log(float64(v)))
	}
	slices.Sort(logs)
	return logs
}
