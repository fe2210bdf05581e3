package report

import (
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
)

// slowedResult has a slower step for each of the keys.
func slowedResult(keys ...string) *detect.Result {
	r := &detect.Result{Verdict: detect.Regressed, Counts: map[detect.Status]int{detect.StatusSlower: len(keys)}}
	for i, key := range keys {
		stage, _, _ := strings.Cut(strings.TrimPrefix(key, "["), "]")
		r.Steps = append(r.Steps, detect.StepResult{
			Key: key, Name: key, Stage: stage, Status: detect.StatusSlower, State: timeline.Executed, N: 20,
			Current: timeline.Seconds(time.Duration(20+i) * time.Second), Usual: timeline.Seconds(10 * time.Second), Delta: timeline.Seconds(time.Duration(10+i) * time.Second),
			Ratio: 2 + float64(i)/10, WallClockSeconds: timeline.Seconds(time.Second),
		})
	}
	return r
}

// Steps that do the same, or many of one stage, are one finding; others are told each.
func TestGroupsOfFindings(t *testing.T) {
	for _, tt := range []struct {
		keys []string
		want []string
	}{
		{[]string{"[a] RUN make", "[b] RUN make"}, []string{"`[a] RUN make` is slower", "`[b] RUN make` is slower"}},
		{[]string{"[a] RUN make", "[b] RUN make", "[c] RUN make", "[c] RUN lint"}, []string{"3 steps like `[a] RUN make` are slower, ×2.0 to ×2.2; together they cost the build 3 s", "`RUN lint` is slower"}},
		{[]string{"[a] RUN one", "[a] RUN two", "[a] RUN three"}, []string{"`RUN one` is", "`RUN two` is", "`RUN three` is"}},
		{[]string{"[a] RUN one", "[a] RUN two", "[a] RUN three", "[a] RUN four"}, []string{"4 steps of `a` are slower"}},
	} {
		r := slowedResult(tt.keys...)
		found, _, _ := findings(r, newNames(r))
		var text []string
		for _, l := range found {
			text = append(text, inline(l))
		}
		all := strings.Join(text, "\n")
		if len(found) != len(tt.want) {
			t.Errorf("%q: %d findings, want %d:\n%s", tt.keys, len(found), len(tt.want), all)
		}
		for _, want := range tt.want {
			if !strings.Contains(all, want) {
				t.Errorf("%q: no %q in\n%s", tt.keys, want, all)
			}
		}
	}
}

// A pass that holds a step of half as long again says that one build cannot tell; one
// that costs nothing is not worth that.
func TestPassIsNoCleanBill(t *testing.T) {
	for _, tt := range []struct {
		cost time.Duration
		want bool
	}{{10 * time.Second, true}, {time.Second, false}} {
		r := &detect.Result{Verdict: detect.Pass, Counts: map[detect.Status]int{}, Thresholds: detect.DefaultThresholds, WallClock: detect.WallClock{Usual: timeline.Seconds(5 * time.Minute)}}
		r.Steps = []detect.StepResult{{
			Key: "[a] RUN test", Name: "RUN test", Status: detect.StatusSame, State: timeline.Executed, N: 20, MinDetectable: 2.1,
			Current: timeline.Seconds(30 * time.Second), Usual: timeline.Seconds(20 * time.Second), Ratio: 1.5, WallClockSeconds: timeline.Seconds(tt.cost),
			Conditions: []detect.Condition{{Kind: detect.KindMinDelta, Value: 10, Limit: 1, Met: true}, {Kind: detect.KindMinSlowdown, Value: .5, Limit: .15, Met: true}, {Kind: detect.KindSuspectP, Value: .2, Limit: .004}},
		}}
		_, _, notices := findings(r, newNames(r))
		var text strings.Builder
		text.WriteString(inline(passedHeadline(r)))
		for _, l := range notices {
			text.WriteString("\n" + inline(l))
		}
		if got := strings.Contains(text.String(), "no step is proven slower") && strings.Contains(text.String(), "cannot tell that from chance; it could show ≥ ×2.1"); got != tt.want {
			t.Errorf("at a cost of %v:\n%s", tt.cost, text.String())
		}
	}
}

// What a machine did stands under the findings that it explains, or else by itself.
func TestMachineIsToldOnce(t *testing.T) {
	overloaded := detect.Explanation{Kind: detect.KindMachineOverloaded, Certainty: detect.Is, Text: "the machine was overloaded"}
	for _, keys := range [][]string{{"[a] RUN one"}, {"[a] RUN make", "[b] RUN make", "[c] RUN make"}} {
		for _, explained := range []bool{true, false} {
			r := slowedResult(keys...)
			r.Notes = []detect.Note{{Kind: detect.KindMachineOverloaded, Text: overloaded.Text}}
			for i := range r.Steps {
				if explained {
					r.Steps[i].Causes = []detect.Explanation{overloaded}
				}
			}
			v := viewOfResult(r)
			n := 0
			for _, l := range append(v.findings, v.notices...) {
				n += strings.Count(strings.ToLower(inline(l)), overloaded.Text)
			}
			if n != 1 {
				t.Errorf("%q, explained by it: %t: told %d times", keys, explained, n)
			}
		}
	}
}
