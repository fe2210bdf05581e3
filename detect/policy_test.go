package detect

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/buildregress/buildregress/detect/timeline"
)

const (
	compile  = "[build 2/4] RUN make compile"
	makeTest = "[build 3/4] RUN make test"
)

func judged(t *testing.T, h *History, by float64, p Policy) Result {
	t.Helper()
	p.Thresholds = DefaultThresholds
	b := edit("pr", 100, slow(compile, by))
	return Judge(&b, h, p)
}

func TestRules(t *testing.T) {
	h := appHistory(20)
	tests := []struct {
		name    string
		rules   []Rule
		by      float64
		status  Status
		verdict Verdict
	}{
		{"none", nil, 4, StatusSlower, Regressed},
		{"of another step", []Rule{{Step: "*make test*", MinDelta: timeline.Seconds(seconds(600))}}, 4, StatusSlower, Regressed},
		{"a higher threshold", []Rule{{Step: "*make compile*", MinDelta: timeline.Seconds(seconds(600))}}, 4, StatusSame, Pass},
		{"relative", []Rule{{Step: "*make compile*", MinSlowdown: 5}}, 4, StatusSame, Pass},
		{"the later one counts", []Rule{{Step: "*make*", MinSlowdown: 5}, {Step: "*make compile*", MinSlowdown: 0.2}}, 4, StatusSlower, Regressed},
		{"ignored", []Rule{{Step: "*make compile*", Ignore: "depends on a mirror"}}, 4, StatusUnjudged, Pass},
		{"within the budget", []Rule{{Step: "*make compile*", Max: timeline.Seconds(seconds(120))}}, 1, StatusSame, Pass},
		{"over the budget, as ever", []Rule{{Step: "*make compile*", Max: timeline.Seconds(seconds(30))}}, 1, StatusOverBudget, Regressed},
		{"slower and over the budget", []Rule{{Step: "*make compile*", Max: timeline.Seconds(seconds(120))}}, 4, StatusOverBudget, Regressed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := judged(t, h, tt.by, Policy{Rules: tt.rules})
			s := stepOf(t, &r, compile)
			if s.Status != tt.status || r.Verdict != tt.verdict {
				t.Errorf("%v, build %v; want %v, %v", s.Status, r.Verdict, tt.status, tt.verdict)
			}
			if (s.Status == StatusUnjudged || s.Status == StatusOverBudget) && s.Reason == (Note{}) {
				t.Error("no reason is told")
			}
		})
	}

	t.Run("a budget needs no history", func(t *testing.T) {
		r := judged(t, appHistory(0), 1, Policy{Rules: []Rule{{Step: "*make compile*", Max: timeline.Seconds(seconds(30))}}})
		if r.Verdict != Regressed || r.Counts[StatusOverBudget] != 1 {
			t.Errorf("%v, %v", r.Verdict, r.Counts)
		}
	})
	t.Run("a budget of the whole build", func(t *testing.T) {
		r := judged(t, h, 1, Policy{Max: timeline.Seconds(seconds(60))})
		if r.Verdict != Regressed || r.OverBudget == "" || NewReport([]Result{r}, []string{"over-budget"}, nil).ExitCode != 1 {
			t.Errorf("%v, %q", r.Verdict, r.OverBudget)
		}
		if r := judged(t, h, 1, Policy{Max: timeline.Seconds(seconds(600))}); r.Verdict != Pass || r.OverBudget != "" {
			t.Errorf("within it: %v, %q", r.Verdict, r.OverBudget)
		}
	})
	t.Run("an entry that matches nothing is told", func(t *testing.T) {
		r := judged(t, h, 1, Policy{
			Rules:  []Rule{{Step: "*gone*", MinSlowdown: 1, From: "c.yaml:3"}},
			Accept: []Acceptance{{Step: "*gone*", Since: "abcdef0", From: "c.yaml:7"}, {Step: "*compile*", Since: "abcdef0", From: "c.yaml:9"}},
		})
		notes := fmt.Sprint(r.Notes)
		for _, want := range []string{"c.yaml:3: no step matches", "c.yaml:7: no step matches", "c.yaml:9: none of the builds compared is of revision `abcdef0`"} {
			if !strings.Contains(notes, want) {
				t.Errorf("notes lack %q:\n%s", want, notes)
			}
		}
	})
}

func TestAccept(t *testing.T) {
	// Main became slower with its build number 18, on purpose.
	h := mainHistory(20, func(n int, rng *rand.Rand) []stepSpec {
		if s := app(rng); n < 18 {
			return s
		} else {
			return slow(compile, 2)(s)
		}
	})
	accept := Policy{Accept: []Acceptance{{Step: "*make compile*", Since: "main0018", Why: "more is compiled"}}}
	tests := []struct {
		name   string
		by     float64
		policy Policy
		want   []Status
	}{
		{"the new level is usual", 2, accept, []Status{StatusSame}},
		{"five times that is not, but two builds prove nothing", 10, accept, []Status{StatusSuspect}},
		{"other steps are judged as ever", 1, accept, []Status{StatusSame, StatusFaster}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := judged(t, h, tt.by, tt.policy)
			s := stepOf(t, &r, compile)
			ok := false
			for _, w := range tt.want {
				ok = ok || s.Status == w
			}
			if !ok || len(s.Notes) == 0 || s.Notes[0] != (Note{KindAccepted, "accepted since main0018: more is compiled"}) || s.Cut != "main0018" {
				t.Errorf("%v, notes %q, cut %q; want one of %v", s.Status, s.Notes, s.Cut, tt.want)
			}
			if o := stepOf(t, &r, makeTest); o.Cut != "" {
				t.Errorf("%s is cut at %s", o.Name, o.Cut)
			}
		})
	}
	t.Run("on the branch that slowed it down", func(t *testing.T) {
		b := edit("pr", 100, slow(compile, 4))
		b.Revision = "abcdef0123456789"
		r := Judge(&b, appHistory(20), Policy{Thresholds: DefaultThresholds, Accept: []Acceptance{{Step: "*make compile*", Since: "abcdef01", Why: "more is compiled"}}})
		if s := stepOf(t, &r, compile); s.Status != StatusUnjudged || s.Reason != (Note{KindAccepted, "accepted since abcdef01: more is compiled"}) || r.Verdict != Pass {
			t.Errorf("%v, %q, build %v", s.Status, s.Reason, r.Verdict)
		}
	})
}
