package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/backtest"
	"github.com/buildregress/buildregress/detect/stepname"
	"github.com/buildregress/buildregress/detect/timeline"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func backtestFixtures() map[string]*backtest.Report {
	at := func(n int) time.Time { return epoch.AddDate(0, 0, n) }
	npm, lint := step("[build 3/5] RUN npm ci", 2, 61, 41), step("[lint 3/3] RUN npm run lint", 2, 70, 12)
	full := backtest.Result{
		Pipeline: "acme/shop Dockerfile", Builds: 900, First: at(0), Last: at(90), Judged: 880,
		Verdicts:       map[detect.Verdict]int{detect.Pass: 866, detect.Regressed: 3, detect.Unsure: 11, detect.Unjudged: 20},
		Reasons:        []backtest.ReasonCount{{Reason: detect.Note{Kind: detect.KindBuildFailed, Text: "the build failed"}, Builds: 12}, {Reason: detect.Note{Kind: detect.KindTooLittleHistory, Text: "too little history"}, Builds: 8}},
		RegressedShare: 3.0 / 880, UnsureShare: 11.0 / 880, Checks: 24310,
		Calls: backtest.Calls{Slower: 4, Suspect: 21, Faster: 14}, Rates: backtest.Rates{Slower: 4e3 / 24310, Suspect: 21e3 / 24310, Faster: 14e3 / 24310},
		Stopped: []backtest.StoppedBuild{
			{ID: "main-70", Origin: timeline.Origin{Revision: "77b0c2ab41d0e8857c1f0a9b2d3e4f5061728394", Branch: "main"}, Start: at(70), Verdict: detect.Regressed, Steps: []backtest.StoppedStep{
				{Key: lint.Key, Name: lint.Name, Status: detect.StatusSlower, Ratio: 70.0 / 12, Current: lint.Current, Usual: lint.Usual},
				{Key: npm.Key, Name: npm.Name, Status: detect.StatusSuspect, Ratio: 61.0 / 41, Current: npm.Current, Usual: npm.Usual},
			}},
			{ID: "qx3k8z", Origin: timeline.Origin{Revision: "3f9c2ab41d0e8857c1f0a9b2d3e4f50617283940", Branch: "upgrade-npm", PullRequest: "41"}, Start: at(80), Verdict: detect.Regressed, Steps: []backtest.StoppedStep{
				{Key: npm.Key, Name: npm.Name, Status: detect.StatusOverBudget, Current: npm.Current},
			}},
			{ID: "main-89", Start: at(89), Verdict: detect.Regressed, OverBudget: "the build took 1m21s and may take 1m15s", Steps: []backtest.StoppedStep{}},
		},
		Steps: []backtest.StepRecord{
			{Key: npm.Key, Name: npm.Name, Checks: 880, Calls: backtest.Calls{Slower: 1, Suspect: 8, Faster: 2}, Usual: npm.Usual, MinDetectable: 1.62, MinDetectable3: 1.24},
			{Key: lint.Key, Name: lint.Name, Checks: 878, Calls: backtest.Calls{Slower: 3}, Usual: lint.Usual, MinDetectable3: 3.4},
		},
		Injection: &backtest.Injection{Factor: 1.5, Possible: 5320, Cases: 1000, Seed: 1, Looks: []backtest.Look{
			{Builds: 1, Cases: 1000, Slower: 214, Suspect: 180, Regressed: 190, Found: 0.214},
			{Builds: 2, Cases: 990, Slower: 600, Suspect: 120, Regressed: 551, Found: 600.0 / 990},
			{Builds: 3, Cases: 980, Slower: 810, Suspect: 60, Regressed: 740, Found: 810.0 / 980},
		}},
	}
	quiet := backtest.Result{
		Pipeline: "acme/tools Dockerfile", Builds: 3, First: at(88), Last: at(90), Verdicts: map[detect.Verdict]int{detect.Unjudged: 3},
		Reasons: []backtest.ReasonCount{{Reason: detect.Note{Kind: detect.KindTooLittleHistory, Text: "too little history"}, Builds: 3}}, Injection: &backtest.Injection{Factor: 1.5},
	}
	many := full
	many.Stopped, many.Injection, many.Steps = nil, nil, nil
	for i := range 42 {
		many.Stopped = append(many.Stopped, backtest.StoppedBuild{ID: fmt.Sprintf("main-%d", i), Start: at(i), Verdict: detect.Unsure})
	}
	for i := range 60 {
		s := full.Steps[0]
		s.Key, s.Name, s.Usual, s.Calls = fmt.Sprint(s.Key, i), fmt.Sprintf("[build 3/5] RUN npm run job%02d", i), sec(float64(90-i)), backtest.Calls{}
		if i == 58 {
			s.Calls.Slower = 2
		}
		many.Steps = append(many.Steps, s)
	}
	of := func(results ...backtest.Result) *backtest.Report {
		return &backtest.Report{
			SchemaVersion: detect.SchemaVersion, FailOn: []string{"regressed"}, Thresholds: detect.DefaultThresholds, Results: results,
			Notes: []detect.Note{{Kind: detect.KindUnknownBranch, Text: "nothing says the branch of 3 builds: counted as builds of `main` (--branch says another)"}},
		}
	}
	return map[string]*backtest.Report{"backtest": of(full, quiet), "backtest-hostile": hostileBacktest(hostileName), "backtest-many": of(many)}
}

// hostileBacktest has the same text wherever a build's author can put one.
func hostileBacktest(text string) *backtest.Report {
	hostile := backtest.Result{
		Pipeline: text, Builds: 41, First: epoch, Last: epoch, Judged: 41, Verdicts: map[detect.Verdict]int{detect.Pass: 41}, Checks: 41,
		Reasons: []backtest.ReasonCount{{Reason: detect.Note{Text: text}, Builds: 1}},
		Steps:   []backtest.StepRecord{{Key: "[-] " + text, Name: text, Checks: 41, Usual: sec(3)}},
	}
	for i := range 2 {
		hostile.Stopped = append(hostile.Stopped, backtest.StoppedBuild{
			ID: text, Origin: timeline.Origin{Branch: text, Revision: text, PullRequest: []string{"", text}[i%2]}, Start: epoch, Verdict: detect.Regressed,
			OverBudget: text, Steps: []backtest.StoppedStep{{Key: "k", Name: text, Status: detect.StatusSlower, Ratio: 2, Current: sec(2), Usual: sec(1)}},
		})
	}
	return &backtest.Report{SchemaVersion: detect.SchemaVersion, FailOn: []string{"regressed"}, Results: []backtest.Result{hostile}, Notes: []detect.Note{{Text: text}}}
}

var epoch = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func TestBacktestGolden(t *testing.T) {
	for name, b := range backtestFixtures() {
		t.Run(name, func(t *testing.T) {
			text := func(o TextOptions) string {
				return render(t, func(w io.Writer) error { return BacktestText(w, b, o) })
			}
			golden(t, "text/"+name+".txt", text(TextOptions{}))
			golden(t, "text/"+name+"-40.txt", text(TextOptions{Width: 40}))
			if got := stepname.Sequences.ReplaceAllString(text(TextOptions{Color: true}), ""); got != text(TextOptions{}) {
				t.Error("colours change the text")
			}
			document := render(t, func(w io.Writer) error { return BacktestJSON(w, b) })
			if name == "backtest" {
				golden(t, "json/"+name+".json", document)
			}
			var back backtest.Report
			if err := json.Unmarshal([]byte(document), &back); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(b, &back, cmpopts.EquateEmpty()); diff != "" && name != "backtest-hostile" {
				t.Errorf("read back (-want +got):\n%s", diff)
			}
			if strings.Contains(document, "null") && name == "backtest" { // the others have no injection
				t.Error("something is null")
			}
		})
	}
}
