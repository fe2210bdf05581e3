package report

import (
	"math"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
)

func TestDuration(t *testing.T) {
	for in, want := range map[time.Duration]string{
		0:                                "0 s",
		time.Microsecond:                 "<1 ms",
		850 * time.Millisecond:           "850 ms",
		999600 * time.Microsecond:        "1 s",
		1240 * time.Millisecond:          "1.24 s",
		9994 * time.Millisecond:          "9.99 s",
		9996 * time.Millisecond:          "10 s",
		61400 * time.Millisecond:         "61 s",
		119600 * time.Millisecond:        "2 m",
		192 * time.Second:                "3 m 12 s",
		3599700 * time.Millisecond:       "1 h",
		2*time.Hour + 5*time.Minute:      "2 h 5 m",
		-1500 * time.Millisecond:         "−1.5 s",
		time.Duration(math.MinInt64):     "−2562047 h 47 m",
		time.Duration(math.MaxInt64):     "2562047 h 47 m",
		59*time.Minute + 59*time.Second:  "59 m 59 s",
		119*time.Second + time.Second/10: "119 s",
	} {
		if got := timeline.Seconds(in).String(); got != want {
			t.Errorf("%v.String() = %q, want %q", in, got, want)
		}
	}
}

func TestBetween(t *testing.T) {
	for _, test := range []struct {
		low, high float64
		want      string
	}{
		{38, 45, "38–45 s"},
		{0.85, 1.24, "850 ms–1.24 s"},
		{38.1, 38.2, "38 s"},
		{125, 192, "2 m 5 s–3 m 12 s"},
		{0, 0.5, "0 s–500 ms"},
	} {
		if got := between(sec(test.low), sec(test.high)); got != test.want {
			t.Errorf("between(%v, %v) = %q, want %q", test.low, test.high, got, test.want)
		}
	}
}

func TestRatio(t *testing.T) {
	for in, want := range map[float64]string{1.63: "×1.6", 12.4: "×12", 0.624: "×0.62", 9.97: "×10", 0.996: "×1.0", 0: "", -1: "", math.Inf(1): ""} {
		if got := ratio(in); got != want {
			t.Errorf("ratio(%v) = %q, want %q", in, got, want)
		}
	}
	if got := ratio(math.NaN()); got != "" {
		t.Errorf("ratio(NaN) = %q", got)
	}
}

var (
	accountTotal = regexp.MustCompile(`^([+−][\d.]+) m?s = (.*)$`)
	accountTerm  = regexp.MustCompile(`(−?[\d.]+) m?s$`)
)

// TestAccountAddsUp adds the printed numbers as a reader would.
func TestAccountAddsUp(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	causes := []detect.Cause{detect.CauseStep, detect.CauseCacheLoss, detect.CauseRunner, detect.CauseOther, detect.CausePath, detect.CauseGap, detect.CauseQueue}
	parse := func(text string) float64 {
		n, err := strconv.ParseFloat(strings.NewReplacer("−", "-", "+", "").Replace(text), 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for range 5000 {
		scale := math.Pow(10, random.Float64()*5-2)
		w := detect.WallClock{Usual: sec(80)}
		for range random.IntN(9) {
			p := detect.WallClockPart{Cause: causes[random.IntN(len(causes))], Step: "step", Seconds: sec(random.NormFloat64() * scale)}
			w.Parts = append(w.Parts, p)
			w.Delta += p.Seconds
		}
		rest := sec(random.NormFloat64() * scale)
		w.Delta += rest
		w.Parts = append(w.Parts, detect.WallClockPart{Cause: detect.CauseRest, Seconds: rest})
		text := plain(account(&w, &names{}), 50)
		if text == "" {
			continue
		}
		m := accountTotal.FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("account is %q", text)
		}
		sum := 0.0
		for term := range strings.SplitSeq(m[2], " + ") {
			m := accountTerm.FindStringSubmatch(term)
			if m == nil {
				t.Fatalf("no number and unit in %q", term)
			}
			sum += parse(m[1])
		}
		if math.Abs(sum-parse(m[1])) > 1e-9 {
			t.Errorf("%q adds up to %v", text, sum)
		}
	}
}

// What of a difference was waiting is said in a sentence, where it is a part worth one.
func TestQueueIsTold(t *testing.T) {
	for _, test := range []struct {
		delta, queue float64
		want         string
	}{
		{28, 20, " Of these +28 s, 20 s in the queue."},
		{2.84, 2, " Of these +2.8 s, 2.0 s in the queue."},
		{28, 2, ""},
		{28, -20, ""},
		{-28, 20, ""},
		{5, 20, " The queue alone took 20 s more."},
	} {
		w := detect.WallClock{Usual: sec(80), Delta: sec(test.delta), Parts: []detect.WallClockPart{
			{Cause: detect.CauseQueue, Seconds: sec(test.queue)}, {Cause: detect.CauseRest, Seconds: sec(test.delta - test.queue)},
		}}
		if got := plain(queued(&w), 80); got != strings.TrimSpace(test.want) && got != test.want {
			t.Errorf("%v of %v: %q, want %q", test.queue, test.delta, got, test.want)
		}
	}
}

// Steps that there is no room for are told by name where they are most of the account.
func TestOtherStepsAreNamed(t *testing.T) {
	w := detect.WallClock{Usual: sec(80)}
	for _, step := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"} {
		w.Parts = append(w.Parts, detect.WallClockPart{Cause: detect.CauseStep, Step: step, Seconds: sec(5)})
		w.Delta += sec(5)
	}
	w.Parts[1].Cause, w.Parts[2].Cause, w.Parts[2].Step = detect.CausePath, detect.CauseGap, ""
	w.Parts[3].Cause, w.Parts[3].Seconds = detect.CausePath, sec(-5)
	w.Delta -= sec(10)
	const want = "+40 s = `a` 5 s + `b` on the critical path 5 s + after the last step 5 s + `d` off the critical path −5 s + others (`e`, `f`, `g`, `h` …) 30 s"
	if got := plain(account(&w, &names{}), 500); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
