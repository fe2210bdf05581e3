package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/dockerfile"
	"github.com/buildregress/buildregress/detect/timeline"
)

func sec(s float64) timeline.Seconds { return timeline.Seconds(time.Duration(s * 1e9)) }

// A fixture is a report that every format renders.
type fixture struct {
	name   string
	report *detect.Report
}

// fixtures are made anew for each caller, as tests change them.
func fixtures() []fixture {
	return []fixture{
		{"regressed", reportOf(regressedResult())},
		{"suspect", reportOf(suspectResult())},
		{"steered", reportOf(steeredResult())},
		{"pass", reportOf(passResult())},
		{"faster", reportOf(fasterResult())},
		{"slow-runner", reportOf(slowRunnerResult())},
		{"no-history", reportOf(noHistoryResult())},
		{"failed", reportOf(failedResult())},
		{"failed-in-line", reportOf(failedInLineResult())},
		{"cache-loss", reportOf(cacheLossResult())},
		{"cold-cache", reportOf(coldCacheResult())},
		{"branch-evidence", reportOf(branchEvidenceResult())},
		{"bake", reportOf(passOf("shop/web"), regressedResult())},
		{"hostile", hostileReport(hostileName)},
		{"200-steps", reportOf(manySteps(200))},
		{"empty", reportOf()},
	}
}

func reportOf(results ...detect.Result) *detect.Report {
	r := &detect.Report{SchemaVersion: detect.SchemaVersion, FailOn: []string{"regressed"}, Results: results}
	for i := range results {
		r.Verdict = max(r.Verdict, results[i].Verdict)
		results[i].Counts = map[detect.Status]int{}
		for _, s := range results[i].Steps {
			results[i].Counts[s.Status]++
		}
	}
	if r.Verdict == detect.Regressed {
		r.ExitCode = 1
	}
	return r
}

// step is a step with a history of 20 builds of about usual seconds.
func step(name string, start, took, usual float64) detect.StepResult {
	n := dockerfile.ParseName(name)
	s := detect.StepResult{
		Key: dockerfile.Key(n.Platform, n.Stage, n.Text), Name: name, Stage: n.Stage, Platform: n.Platform,
		Status: detect.StatusSame, Start: sec(start), Current: sec(took), Usual: sec(usual), Low: sec(usual * 0.94),
		High: sec(usual * 1.11), Expected: sec(usual), Delta: sec(took - usual), Ratio: took / usual, P: 0.4, Q: 0.7,
		N: 20, Modes: []detect.Mode{{Seconds: sec(usual), Share: 1}}, MinDetectable: 1.62, MinDetectable3: 1.24,
	}
	for i := range 3 { // enough to see the form
		s.History = append(s.History, detect.Point{ID: fmt.Sprintf("main-%d", 20-i), Seconds: sec(usual + float64(i)/10)})
	}
	return s
}

func with(s detect.StepResult, change func(*detect.StepResult)) detect.StepResult {
	change(&s)
	return s
}

func critical(s *detect.StepResult) { s.Critical = true }
func cached(s *detect.StepResult) {
	*s = detect.StepResult{Key: s.Key, Name: s.Name, Stage: s.Stage, Status: detect.StatusCached, State: timeline.Cached, Start: s.Start, N: s.N, Usual: s.Usual, Low: s.Low, High: s.High}
}

func passOf(pipeline string) detect.Result {
	return detect.Result{
		Verdict: detect.Pass,
		Build: detect.BuildInfo{
			ID: "qx3k8z", Pipeline: pipeline, Origin: timeline.Origin{Repository: "acme/shop", Revision: "3f9c2ab41d0e8857c1f0a9b2d3e4f50617283940", Branch: "upgrade-npm", PullRequest: "41", URL: "https://ci.example/runs/7", Runner: "Linux/X64"},
			Start: time.Date(2026, 3, 4, 5, 6, 7, 89e6, time.UTC), Duration: sec(81.3),
		},
		Baseline:     detect.BaselineInfo{Source: "sqlite:.buildregress/history.db", Branch: "main", Builds: 20, IDs: []string{"main-20", "main-19"}},
		RunnerFactor: &detect.RunnerFactor{Value: 1.04, Low: 0.98, High: 1.11, UsualLow: 0.88, UsualHigh: 1.2, Steps: 5},
		WallClock: detect.WallClock{Usual: sec(80), Delta: sec(1.3), Parts: []detect.WallClockPart{
			{Cause: detect.CauseRunner, Seconds: sec(3.2)},
			{Cause: detect.CauseOther, Seconds: sec(-1.6)},
			{Cause: detect.CauseRest, Seconds: sec(-0.3)},
		}},
		Cache: detect.CacheInfo{Cached: 1, Executed: 6},
		Steps: []detect.StepResult{
			with(step("[internal] load build context", 0, 0.85, 0.8), critical),
			with(step("[base 1/2] FROM docker.io/library/node:24@sha256:"+strings.Repeat("a", 64), 0.8, 0, 1), cached),
			with(step("[build 2/5] COPY package.json package-lock.json ./", 0.9, 1.24, 1.1), critical),
			with(step("[build 3/5] RUN npm ci", 2.2, 42, 41), critical),
			with(step("[lint 3/3] RUN npm run lint", 2.2, 12.5, 12), func(s *detect.StepResult) { s.Slack = sec(50) }),
			with(step("[build 5/5] RUN npm run build", 44.3, 25, 25.2), critical),
			with(step("exporting to image", 69.4, 11.9, 12.1), critical),
			{Key: "[build] RUN npm audit", Name: "[build 4/5] RUN npm audit", Stage: "build", Status: detect.StatusGone, N: 20, Usual: sec(3), Low: sec(2.8), High: sec(3.5)},
		},
		Thresholds: detect.DefaultThresholds,
	}
}

func passResult() detect.Result { return passOf("acme/shop Dockerfile") }

func regressedResult() detect.Result {
	r := passResult()
	r.Verdict = detect.Regressed
	r.Build.Duration = sec(102.4)
	npm := &r.Steps[3]
	npm.Status, npm.Current, npm.Delta, npm.Ratio = detect.StatusSlower, sec(61), sec(20), 61.0/41
	npm.P, npm.Q, npm.WallClockSeconds = 0.0002, 0.003, sec(18.2)
	npm.Source = dockerfile.Position{File: "Dockerfile", Line: 14}
	npm.Evidence = detect.Evidence{Builds: 1, Slow: 1, Value: 3.1}
	for i := 5; i < 7; i++ {
		r.Steps[i].Start += sec(19)
	}
	r.WallClock = detect.WallClock{Usual: sec(80), Delta: sec(22.4), Parts: []detect.WallClockPart{
		{Cause: detect.CauseStep, Step: npm.Key, Seconds: sec(18.2)},
		{Cause: detect.CauseRunner, Seconds: sec(3.4)},
		{Cause: detect.CauseOther, Seconds: sec(0.5)},
		{Cause: detect.CauseRest, Seconds: sec(0.3)},
	}}
	r.Steps = append(r.Steps[:5:5], append([]detect.StepResult{
		with(step("[build 4/5] RUN ./warm-up", 63, 0.4, 0.4), func(s *detect.StepResult) {
			*s = detect.StepResult{Key: s.Key, Name: s.Name, Stage: s.Stage, Status: detect.StatusUnjudged, Reason: detect.Note{Kind: detect.KindTooLittleHistory, Text: "too few builds"}, Current: s.Current, Start: s.Start, N: 2, Usual: sec(0.4)}
		}),
		with(step("[build 5/6] RUN ./scan --all", 63, 6.3, 6), func(s *detect.StepResult) {
			*s = detect.StepResult{Key: s.Key, Name: s.Name, Stage: s.Stage, Status: detect.StatusNew, Current: s.Current, Start: s.Start, Slack: sec(20)}
		}),
	}, r.Steps[5:]...)...)
	return r
}

// A build of main, of which a team has steered the judgement.
func steeredResult() detect.Result {
	r := passResult()
	r.Verdict = detect.Regressed
	r.Build.Branch, r.Build.PullRequest = "main", ""
	r.OverBudget = "the build took 1m21s and may take 1m15s"
	lint, build, export := &r.Steps[4], &r.Steps[5], &r.Steps[6]
	lint.Status, lint.Reason = detect.StatusUnjudged, detect.Note{Kind: detect.KindIgnored, Text: "ignored: waits for a service"}
	build.Status, build.Reason = detect.StatusOverBudget, detect.Note{Kind: detect.KindBudget, Text: "it may take 20s"}
	export.Cut, export.Notes = "77b0c2ab41d0e8857c1f0a9b2d3e4f5061728394", []detect.Note{{Kind: detect.KindLevelShift, Text: "level shifted since 77b0c2ab41: 8s → 12s"}}
	npm := &r.Steps[3]
	npm.Status, npm.Current, npm.Delta, npm.Ratio, npm.WallClockSeconds = detect.StatusSlower, sec(61), sec(20), 61.0/41, sec(18.2)
	npm.Evidence = detect.Evidence{Builds: 3, Slow: 3, Value: 5.2, Since: "3f9c2ab41d0e8857c1f0a9b2d3e4f50617283940"}
	r.Notes = []detect.Note{{Kind: detect.KindUnmatched, Text: ".buildregress.yaml:12: no step matches `*RUN yarn*`"}}
	return r
}

func suspectResult() detect.Result {
	r := regressedResult()
	r.Verdict = detect.Unsure
	s := &r.Steps[3]
	s.Status, s.P, s.Q = detect.StatusSuspect, 0.004, 0.09
	s.MinDetectable, s.MinDetectable3 = 2.05, 1.4
	s.Conditions = []detect.Condition{
		{Kind: detect.KindMinDelta, Value: 20, Limit: 1, Met: true},
		{Kind: detect.KindMinSlowdown, Value: 20.0 / 41, Limit: 0.15, Met: true},
		{Kind: detect.KindSuspectP, Value: 0.004, Limit: detect.SuspectP, Met: true},
		{Kind: detect.KindSlowerP, Value: 0.004, Limit: detect.SlowerP},
		{Kind: detect.KindFDR, Value: 0.09, Limit: 0.04},
		{Kind: detect.KindOwnHistory, Met: true},
		{Kind: detect.KindMatureLevel, Value: 20, Limit: 8, Met: true},
	}
	return r
}

func branchEvidenceResult() detect.Result {
	r := regressedResult()
	r.Steps[3].Evidence = detect.Evidence{Builds: 2, Slow: 2, Value: 4.2}
	r.Steps[3].Notes = []detect.Note{{Kind: detect.KindEdited, Text: "edited: was `RUN npm ci --no-audit`"}, {Text: "3 of 20 builds of main were as slow"}}
	lint := &r.Steps[4]
	lint.Status, lint.Current, lint.Ratio, lint.Delta = detect.StatusOverBudget, sec(70), 70.0/12, sec(58)
	lint.Reason = detect.Note{Kind: detect.KindBudget, Text: "its budget is 60 s"}
	r.Baseline.Filled = 3
	return r
}

func fasterResult() detect.Result {
	r := passResult()
	s := &r.Steps[3]
	s.Status, s.Current, s.Ratio, s.Delta, s.WallClockSeconds = detect.StatusFaster, sec(20), 20.0/41, sec(-21), sec(-21.2)
	r.Build.Duration = sec(59.1)
	r.WallClock = detect.WallClock{Usual: sec(80), Delta: sec(-20.9), Parts: []detect.WallClockPart{
		{Cause: detect.CauseStep, Step: s.Key, Seconds: sec(-21.2)}, {Cause: detect.CauseRest, Seconds: sec(0.3)},
	}}
	return r
}

func slowRunnerResult() detect.Result {
	r := passResult()
	r.RunnerFactor = &detect.RunnerFactor{Value: 2.1, Low: 1.9, High: 2.3, UsualLow: 0.88, UsualHigh: 1.2, Steps: 14}
	r.Build.Duration = sec(196)
	r.WallClock = detect.WallClock{Usual: sec(80), Delta: sec(116), Parts: []detect.WallClockPart{
		{Cause: detect.CauseRunner, Seconds: sec(113.6)}, {Cause: detect.CauseRest, Seconds: sec(2.4)},
	}}
	return r
}

func noHistoryResult() detect.Result {
	r := passResult()
	r.Verdict, r.Reason = detect.Unjudged, detect.Note{Kind: detect.KindTooLittleHistory, Text: "too little history: 3 of 8 builds of main"}
	r.RunnerFactor = nil
	r.Baseline.Builds, r.Baseline.IDs = 3, []string{"main-3", "main-2", "main-1"}
	r.WallClock = detect.WallClock{}
	r.Steps = r.Steps[:7]
	for i := range r.Steps {
		s := &r.Steps[i]
		*s = detect.StepResult{Key: s.Key, Name: s.Name, Stage: s.Stage, State: s.State, Critical: s.Critical, Start: s.Start, Current: s.Current}
		s.Reason = r.Reason
	}
	return r
}

func failedResult() detect.Result {
	r := noHistoryResult()
	r.Build.Outcome = timeline.Failed
	r.Reason = detect.Note{Kind: detect.KindBuildFailed, Text: "the build failed"}
	r.Baseline = detect.BaselineInfo{Source: "sqlite:.buildregress/history.db"}
	r.Build.Error = `process "/bin/sh -c npm run build" did not complete successfully: exit code: 1`
	r.Build.FailedStep = "[build 5/5] RUN npm run build"
	r.Build.Log = []string{
		"> shop@1.0.0 build", "> vite build", "", "\x1b[31merror\x1b[0m src/main.ts(3,9): Cannot find name 'cart'.",
		"::error file=src/main.ts::forged", "##[group]forged ```", "npm error code 1",
	}
	for i := range r.Steps {
		r.Steps[i].Reason = r.Reason
	}
	r.Steps[5].State = timeline.StepFailed
	r.Steps[6].State, r.Steps[6].Current, r.Steps[6].Start = timeline.NeverStarted, 0, 0
	r.Build.Duration = sec(69.3)
	return r
}

func failedInLineResult() detect.Result {
	r := failedResult()
	r.Steps[5].Name = r.Build.FailedStep
	r.Steps[5].Source = dockerfile.Position{File: "Dockerfile", Line: 12}
	return r
}

func cacheLossResult() detect.Result {
	r := passResult()
	for _, i := range []int{2, 3, 4, 5, 6} {
		r.Steps[i].Status = detect.StatusCacheLost
	}
	r.Build.Duration = sec(142)
	r.Cache.Losses = []detect.CacheLoss{
		{Step: r.Steps[4].Key, Cost: sec(12.5), Cause: detect.Note{Kind: detect.KindChangedAbove, Text: "an input of the COPY before it changed"}, Expected: true, Share: 0.9},
		{Step: r.Steps[2].Key, Cost: sec(68.2), Dragged: []string{r.Steps[3].Key, r.Steps[5].Key}, Cause: detect.Note{Kind: detect.KindUnexplained, Text: "neither the instruction nor its input changed: the cache has lost it"}, Share: 0.95},
		{Step: r.Steps[6].Key, Cost: sec(11.9), Cause: detect.Note{Kind: detect.KindEdited, Text: "instruction edited"}, Expected: true, Lasting: true, Share: 0.85},
	}
	r.WallClock = detect.WallClock{Usual: sec(80), Delta: sec(62), Parts: []detect.WallClockPart{
		{Cause: detect.CauseCacheLoss, Step: r.Steps[2].Key, Seconds: sec(50.4)},
		{Cause: detect.CauseCacheLoss, Step: r.Steps[6].Key, Seconds: sec(11.9)},
		{Cause: detect.CauseStep, Step: r.Steps[3].Key, Seconds: sec(3.3)},
		{Cause: detect.CauseRunner, Seconds: sec(-5.4)},
		{Cause: detect.CauseRest, Seconds: sec(1.8)},
	}}
	return r
}

func coldCacheResult() detect.Result {
	r := cacheLossResult()
	r.Cache.Cold, r.Cache.Cached, r.Cache.Executed = true, 0, 7
	npm := r.Cache.Losses[0]
	npm.Expected, npm.Lasting, npm.Cause = true, false, detect.Note{Kind: detect.KindColdCache, Text: "nothing that is usually cached was found in the cache"}
	r.Cache.Losses = []detect.CacheLoss{npm}
	r.Notes = []detect.Note{{Kind: detect.KindUnknownBranch, Text: "the branch is not known: counted as `main`"}}
	return r
}

func manySteps(n int) detect.Result {
	r := regressedResult()
	r.Steps = nil
	for i := range n {
		name := fmt.Sprintf("[stage%d %d/%d] RUN --mount=type=cache,target=/root/.cache make -C packages/number-%03d all test install", i/10, i%10+1, 10, i)
		s := step(name, float64(i)/2, 1+float64(i%17), 1.05+float64(i%17))
		s.Critical = i%3 == 0
		if i%23 == 5 {
			s.Status, s.WallClockSeconds = detect.StatusSlower, sec(float64(i%7)+1)
			s.Current += s.Usual
			s.Ratio = float64(s.Current) / float64(s.Usual)
		}
		r.Steps = append(r.Steps, s)
	}
	r.WallClock.Parts[0].Step = r.Steps[5].Key
	return r
}

// hostileName tries to come alive in every way that we know of.
const hostileName = "[build 1/2] RUN `` ` ::error::x ##[error] ##vso[task.x] | a\\| @octocat #1 acme/shop#2 GH-3 " +
	"3f9c2ab41d0e8857c1f0a9b2d3e4f50617283940 :tada: https://evil.example www.evil.example a@evil.example " +
	"[x](https://evil.example) ![x](y) <img src=x> <!-- --> **b** ~~s~~ $x$ \x1b[2J\x07\r\n::set-output name=a::b\u202e\u200b\u0085 &lt;"

// hostileReport has the same text wherever a build's author can put one.
func hostileReport(text string) *detect.Report {
	r, note := branchEvidenceResult(), detect.Note{Kind: detect.Kind(text), Text: text}
	for _, i := range []int{2, 3} {
		s := &r.Steps[i]
		s.Name, s.Key, s.Reason, s.Notes = text, "[-] "+text, note, []detect.Note{note}
		s.Source = dockerfile.Position{File: text, Line: 3}
	}
	r.Steps[5].Reason = note
	b := &r.Build
	b.Pipeline, b.Branch, b.PullRequest, b.Revision, b.Runner, b.URL = text, text, text, text, text, text
	r.Baseline.Source, r.Baseline.Branch = text, text
	r.WallClock.Parts[0].Step = r.Steps[3].Key
	r.Cache.Losses = []detect.CacheLoss{{Step: r.Steps[3].Key, Cost: sec(3), Cause: note, Share: 0.9}}
	r.Notes = []detect.Note{note}

	failed := failedResult()
	failed.Build.Pipeline, failed.Build.Error, failed.Build.FailedStep = text, text, text
	failed.Build.Log = []string{text, "x", text}
	failed.Notes = []detect.Note{note}

	unjudged := noHistoryResult()
	unjudged.Baseline.Builds, unjudged.Reason, unjudged.Build.Pipeline = 20, note, text

	all := reportOf(r, failed, unjudged)
	all.Notes = []detect.Note{note}
	return all
}
