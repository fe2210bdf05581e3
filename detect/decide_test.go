package detect

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect/timeline"
	"gonum.org/v1/gonum/stat/distuv"
)

// times repeats values: times(20, 7) are 20 of 7 s.
func times(n int, s float64) []time.Duration { return slices.Repeat([]time.Duration{seconds(s)}, n) }

// mixed spreads the values of b evenly among those of a.
func mixed(a, b []time.Duration) []time.Duration {
	m := slices.Clone(a)
	for i, v := range b {
		m = slices.Insert(m, (i+1)*len(m)/(len(b)+1), v)
	}
	return m
}

func TestKnownAnswers(t *testing.T) {
	modes := mixed(times(17, 7), times(3, 945))
	spike := mixed(times(19, 10), times(1, 30))
	rng := rand.New(rand.NewPCG(11, 12))
	quiet := make([]time.Duration, 20)
	for i := range quiet {
		quiet[i] = noisy(rng, seconds(40), .04)
	}
	tests := []struct {
		name    string
		history []time.Duration
		values  []time.Duration
		want    []Status
	}{
		{"a rare mode seen before", modes, times(1, 945), []Status{StatusSame}},
		{"the rare mode in five builds running", modes, times(5, 945), []Status{StatusSlower}},
		{"beyond the rare mode", modes, times(1, 2000), []Status{StatusSlower, StatusSuspect}},
		{"below a spike: one of twenty was slower still", spike, times(1, 15), []Status{StatusSame, StatusSuspect}},
		{"below a spike, three times", spike, times(3, 15), []Status{StatusSlower}},
		{"the spike again", spike, times(1, 30), []Status{StatusSame, StatusSuspect}},
		{"beyond the spike", spike, times(1, 90), []Status{StatusSlower, StatusSuspect}},
		{"constant, then ten times as slow", times(20, 7), times(1, 70), []Status{StatusSlower}},
		{"constant, then a millisecond", times(20, 7), times(1, 7.001), []Status{StatusSame}},
		{"zero, then a minute", times(20, 0), times(1, 60), []Status{StatusSlower}},
		{"twice as fast", quiet, times(3, 18), []Status{StatusFaster}},
		{"a quarter slower, once", quiet, times(1, 50), []Status{StatusSame, StatusSuspect}},
		{"a quarter slower, three times", quiet, times(3, 50), []Status{StatusSlower}},
		{"a real case: 88.5 s usually, then 391 s", mixed(times(50, 88.5), times(10, 94)), times(1, 390.9), []Status{StatusSlower}},
		{"too few", times(7, 7), times(1, 70), []Status{StatusUnjudged}},
		{"did not run", times(20, 7), nil, []Status{StatusUnjudged}},
		{"less than is worth telling", times(20, .1), times(3, .9), []Status{StatusSame}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := Decide([]Trial{{History: tt.history, New: tt.values}}, DefaultThresholds)[0]
			if !slices.Contains(tt.want, d.Status) {
				t.Errorf("%v (p %.5f, evidence %+v), want one of %v", d.Status, d.P, d.Evidence, tt.want)
			}
			if (d.Status == StatusUnjudged) != (d.Reason != Note{}) {
				t.Errorf("%v for the reason %q", d.Status, d.Reason)
			}
		})
	}
	d := Decide([]Trial{{History: modes, New: times(1, 945)}}, DefaultThresholds)[0]
	if len(d.Modes) != 2 || d.Modes[0].Seconds.D() != seconds(7) || d.Modes[1].Seconds.D() != seconds(945) || d.Modes[1].Share != 0.15 {
		t.Errorf("modes %+v, want 7 s and 945 s with a share of 0.15", d.Modes)
	}
	foreign := Decide([]Trial{{History: times(20, 7), New: times(1, 70), Foreign: true}}, DefaultThresholds)[0]
	if foreign.Status != StatusSuspect {
		t.Errorf("against other branches: %v, want suspect", foreign.Status)
	}
}

// randomTrials are steps of all sorts, some of them slower.
func randomTrials(rng *rand.Rand, n int) []Trial {
	trials := make([]Trial, n)
	for i := range trials {
		base := seconds(math.Exp(6 * rng.Float64()))
		sd := 0.02 + 0.3*rng.Float64()
		tr := &trials[i]
		for range 8 + rng.IntN(40) {
			tr.History = append(tr.History, noisy(rng, base, sd))
		}
		for range 1 + rng.IntN(5) {
			tr.New = append(tr.New, noisy(rng, base*time.Duration(1+rng.IntN(3)), sd))
			tr.Runners = append(tr.Runners, RunnerReading{Ln: 0.1 * rng.NormFloat64(), SD: 0.05 * rng.Float64()})
		}
	}
	return trials
}

func statuses(trials []Trial, t Thresholds) []Status {
	var s []Status
	for _, d := range Decide(trials, t) {
		s = append(s, d.Status)
	}
	return s
}

func TestDecideHasNoUnit(t *testing.T) {
	trials := randomTrials(rand.New(rand.NewPCG(13, 14)), 60)
	th := DefaultThresholds
	want := statuses(trials, th)
	if !slices.Contains(want, StatusSlower) || !slices.Contains(want, StatusSame) {
		t.Fatalf("%v: nothing to compare", want)
	}
	for _, scale := range []time.Duration{7, 1000} {
		scaled := make([]Trial, len(trials))
		for i, tr := range trials {
			scaled[i] = Trial{Runners: tr.Runners, Resolution: tr.Resolution * scale}
			for _, v := range tr.History {
				scaled[i].History = append(scaled[i].History, v*scale)
			}
			for _, v := range tr.New {
				scaled[i].New = append(scaled[i].New, v*scale)
			}
		}
		st := th
		st.MinDelta *= timeline.Seconds(scale)
		if got := statuses(scaled, st); !slices.Equal(got, want) {
			t.Errorf("all times ×%d: %v, want %v", scale, got, want)
		}
	}
}

func TestDecideHasNoOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 16))
	trials := randomTrials(rng, 60)
	want := Decide(trials, DefaultThresholds)
	if again := Decide(trials, DefaultThresholds); !reflect.DeepEqual(again, want) {
		t.Error("the same trials, another decision")
	}
	order := rng.Perm(len(trials))
	shuffled := make([]Trial, len(trials))
	for i, at := range order {
		shuffled[i] = trials[at]
	}
	for i, d := range Decide(shuffled, DefaultThresholds) {
		if d.Status != want[order[i]].Status || math.Abs(d.Q-want[order[i]].Q) > 1e-12 {
			t.Errorf("trial %d: %v in one order, %v in another", order[i], want[order[i]].Status, d.Status)
		}
	}
}

// A noise makes an unchanged step's value number n.
type noise struct {
	name string
	draw func(rng *rand.Rand, n int) float64
}

var noises = []noise{
	{"normal 10 %", func(rng *rand.Rand, _ int) float64 { return max(0.01, 1+0.1*rng.NormFloat64()) }},
	{"log-normal 20 %", func(rng *rand.Rand, _ int) float64 { return math.Exp(0.2 * rng.NormFloat64()) }},
	{"heavy tails", func(rng *rand.Rand, _ int) float64 {
		return math.Exp(0.07 * distuv.StudentsT{Nu: 3, Sigma: 1, Src: rng}.Rand())
	}},
	{"three processors", func(rng *rand.Rand, _ int) float64 {
		return []float64{1, 1.13, 1.2}[rng.IntN(3)] * math.Exp(0.02*rng.NormFloat64())
	}},
	{"a cache inside, cold in one of three", func(rng *rand.Rand, _ int) float64 {
		if rng.IntN(3) == 0 {
			return 4 * math.Exp(0.1*rng.NormFloat64())
		}
		return math.Exp(0.1 * rng.NormFloat64())
	}},
	{"drifting by 0.5 % a build", func(rng *rand.Rand, n int) float64 {
		return math.Exp(0.005*float64(n) + 0.05*rng.NormFloat64())
	}},
}

// The false alarms of unchanged steps stay below the bounds, at any one look, for
// noises of all sorts; the bounds leave 3 standard errors for chance.
func TestFalseAlarms(t *testing.T) {
	const checks, history = 10_000, 20
	for _, noise := range noises {
		for _, steps := range []int{1, 30, 200} {
			rng := rand.New(rand.NewPCG(17, uint64(steps)))
			var slower, suspect, faster, all float64
			for range max(checks/steps, 8) {
				trials := make([]Trial, steps)
				for i := range trials {
					for n := range history {
						// Newest first, as histories are.
						trials[i].History = append(trials[i].History, time.Duration(60e9*noise.draw(rng, history-1-n)))
					}
					for n := range 1 + rng.IntN(MaxEvidence) {
						trials[i].New = append(trials[i].New, time.Duration(60e9*noise.draw(rng, history+n)))
					}
				}
				for _, s := range statuses(trials, DefaultThresholds) {
					all++
					switch s {
					case StatusSlower:
						slower++
					case StatusSuspect:
						suspect++
					case StatusFaster:
						faster++
					}
				}
			}
			bound := func(rate float64) float64 { return rate*all + 3*math.Sqrt(rate*all) + 1 }
			// A later build of a branch is watched for itself and as the end of a run.
			if slower > bound(SlowerP) || slower+suspect > bound(2*SuspectP) || faster > bound(SlowerP) {
				t.Errorf("%s, %d steps: of %.0f unchanged checks %.0f slower, %.0f suspect, %.0f faster", noise.name, steps, all, slower, suspect, faster)
			}
		}
	}
}

func TestPower(t *testing.T) {
	tests := []struct {
		factor float64
		builds int
		least  float64 // share found slower
		most   float64
	}{
		{1.2, 1, 0, 0.05},
		{2, 1, 0.8, 1},
		{3, 1, 0.95, 1},
		{1.25, 3, 0.7, 1},
		{1.2, 5, 0.6, 1},
	}
	rng := rand.New(rand.NewPCG(19, 20))
	for _, tt := range tests {
		found, all := 0.0, 200.0
		for range int(all) {
			trials := make([]Trial, 5)
			for i := range trials {
				for range 20 {
					trials[i].History = append(trials[i].History, noisy(rng, seconds(60), .07))
				}
				trials[i].New = []time.Duration{noisy(rng, seconds(60), .07)}
			}
			trials[0].New = nil
			for range tt.builds {
				trials[0].New = append(trials[0].New, noisy(rng, seconds(60*tt.factor), .07))
			}
			if Decide(trials, DefaultThresholds)[0].Status == StatusSlower {
				found++
			}
		}
		if share := found / all; share < tt.least || share > tt.most {
			t.Errorf("×%g in %d builds: found %.2f, want %.2f to %.2f", tt.factor, tt.builds, share, tt.least, tt.most)
		}
	}
}

// The stated minimum is what is found in about 80 of 100 cases.
func TestMinDetectableIsTrue(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	for _, k := range []int{1, 3} {
		found, all := 0.0, 0.0
		for range 300 {
			tr := Trial{New: times(1, 60)}
			for range 20 {
				tr.History = append(tr.History, noisy(rng, seconds(60), .08))
			}
			d := Decide([]Trial{tr}, DefaultThresholds)[0]
			ratio := d.MinDetectable
			if k == 3 {
				ratio = d.MinDetectable3
			}
			if ratio <= 1 {
				t.Fatalf("no minimum for a quiet step: %+v", d)
			}
			tr.New = nil
			for range k {
				tr.New = append(tr.New, noisy(rng, time.Duration(60e9*ratio), .08))
			}
			all++
			if Decide([]Trial{tr}, DefaultThresholds)[0].Status == StatusSlower {
				found++
			}
		}
		if share := found / all; share < 0.65 || share > 0.95 {
			t.Errorf("%d builds at the stated minimum: found %.2f, want about 0.8", k, share)
		}
	}
}

// A larger score never stands for a larger error.
func TestErrorLinesFall(t *testing.T) {
	for _, l := range []line{oneLine, runLine} {
		for v := -3.0; v < 12; v += 0.01 {
			a, b := errorOf(l.power(v)), errorOf(l.power(v+0.01))
			if b > a || a > 1 || a <= 0 {
				t.Fatalf("error at %g is %g, at %g it is %g", v, a, v+0.01, b)
			}
		}
	}
}
