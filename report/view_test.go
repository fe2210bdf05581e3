package report

import (
	"io"
	"strings"
	"testing"

	"github.com/buildregress/buildregress/detect"
	"github.com/buildregress/buildregress/detect/timeline"
)

func textOf(t *testing.T, r detect.Result) string {
	t.Helper()
	return render(t, func(w io.Writer) error { return Text(w, reportOf(r), TextOptions{Width: 400}) })
}

func TestDearestFindingFirst(t *testing.T) {
	r := cacheLossResult() // a loss that costs 50 s of wall clock, one of 12 s
	lint := &r.Steps[4]
	lint.Status, lint.WallClockSeconds = detect.StatusSlower, sec(20)
	r.Verdict = detect.Regressed
	text := textOf(t, r)
	dearest := strings.Index(text, "Cache lost at")
	middle := strings.Index(text, "`RUN npm run lint` is slower")
	cheapest := strings.Index(text, "Every build of this branch now pays 12 s")
	if dearest < 0 || middle < dearest || cheapest < middle {
		t.Errorf("findings at %d, %d, %d:\n%s", dearest, middle, cheapest, text)
	}
}

// Another image is told once.
func TestEditToldOnce(t *testing.T) {
	r := passOf("a")
	r.Steps = nil
	for _, stage := range []string{"", timeline.StagePull, timeline.StageUnpack, timeline.StageInternal} {
		r.Steps = append(r.Steps, detect.StepResult{
			Key: "[" + stage + "] FROM node", Name: "FROM node", Stage: stage, Status: detect.StatusSame,
			Notes: []detect.Note{{Kind: detect.KindEdited, Text: "edited; was `FROM alpine`"}},
		})
	}
	if text := textOf(t, r); strings.Count(text, "was edited") != 1 {
		t.Error(text)
	}
}

// Finding in the cache may take long as well, and is compared with how long it usually takes.
func TestSlowToLoad(t *testing.T) {
	r := regressedResult()
	r.Steps = []detect.StepResult{{
		Key: "load cache: RUN a", Name: "load cache: RUN a", Status: detect.StatusSlower, State: timeline.Cached,
		Current: sec(4), Usual: sec(1), Low: sec(1), High: sec(2), N: 20, Ratio: 4,
	}}
	if text := textOf(t, r); !strings.Contains(text, "4 s, usually 1–2 s (20 builds)") {
		t.Error(text)
	}
}

func TestWorstResultFirst(t *testing.T) {
	v := viewOf(reportOf(passOf("a"), regressedResult(), passOf("b"), suspectResult()))
	var got []detect.Verdict
	for _, r := range v.results {
		got = append(got, r.verdict)
	}
	for i := 1; i < len(got); i++ {
		if got[i] > got[i-1] {
			t.Errorf("order is %v", got)
		}
	}
	if v.results[2].pipeline != "a" || v.results[3].pipeline != "b" {
		t.Error("equal verdicts changed their order")
	}
}

func TestHeadlines(t *testing.T) {
	for _, test := range []struct {
		name   string
		result detect.Result
		change func(*detect.Result)
		want   []string
	}{
		{"cancelled", noHistoryResult(), func(r *detect.Result) { r.Build.Outcome = timeline.Cancelled }, []string{"Not judged: the build was cancelled\n"}},
		{"failed without a step", failedResult(), func(r *detect.Result) { r.Build.FailedStep = "" }, []string{"Not judged: the build failed\n"}},
		{"another image", noHistoryResult(), func(r *detect.Result) {
			r.Baseline.Builds, r.Reason = 20, detect.Note{Kind: detect.KindOtherImage, Text: "looks like another image: give --pipeline."}
		}, []string{"Not judged: looks like another image: give --pipeline\n"}},
		{"unsure for the runner", slowRunnerResult(), func(r *detect.Result) {
			r.Verdict, r.Reason = detect.Unsure, detect.Note{Kind: detect.KindSlowRunnerAgain, Text: "3 builds of this branch ran on slow runners"}
		}, []string{"Unsure: 3 builds of this branch ran on slow runners\n"}},
		{
			"one more build", noHistoryResult(), func(r *detect.Result) { r.Baseline.Builds, r.Baseline.Branch = 7, "" },
			[]string{"History: 7 of 8 builds; judged from about 1 more build of the base branch."},
		},
		{"off the critical path", regressedResult(), func(r *detect.Result) {
			r.Steps[3].Critical, r.Steps[3].WallClockSeconds, r.Steps[3].Slack = false, 0, sec(7)
		}, []string{"Regressed: 1 step is slower\n", "costs the build nothing (7 s to spare)"}},
		{
			"suspect of several builds", suspectResult(), func(r *detect.Result) { r.Steps[3].Evidence = detect.Evidence{Builds: 3, Slow: 2} },
			[]string{"Seen in 2 of 3 builds of this branch.", "Next: re-run the job to confirm"},
		},
		{"suspect that does not matter", suspectResult(), func(r *detect.Result) { r.Verdict = detect.Pass }, []string{"Passed; 1 step to watch\n"}},
		{"slower at no cost", regressedResult(), func(r *detect.Result) { r.Verdict = detect.Pass }, []string{"Passed: 1 step is slower, at little cost to the build\n"}},
		{
			"another image and too few builds", noHistoryResult(), func(r *detect.Result) {
				r.Reason = detect.Note{Kind: detect.KindOtherImage, Text: "looks like another image"}
			},
			[]string{"Not judged: looks like another image\n", "History: 3 of 8 builds"},
		},
		{
			"only a budget", branchEvidenceResult(), func(r *detect.Result) { r.Steps[3].Status = detect.StatusSame },
			[]string{"Regressed: 1 step is over budget\n", "or raise its budget on purpose."},
		},
		{"unknown runner", passResult(), func(r *detect.Result) { r.RunnerFactor = nil }, []string{"Runner: too few steps to tell its speed."}},
		{"fast runner", passResult(), func(r *detect.Result) { r.RunnerFactor.Value = 0.5 }, []string{"Runner: steps took ×0.5 as long as usual"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.change(&test.result)
			text := textOf(t, test.result)
			for _, want := range test.want {
				if !strings.Contains(text, want) {
					t.Errorf("%q is not in\n%s", want, text)
				}
			}
		})
	}
}

// TestNames shows that steps are told apart as soon as they have to be.
func TestNames(t *testing.T) {
	n := newNames(&detect.Result{Steps: []detect.StepResult{
		{Name: "[linux/amd64 build 2/3] RUN make"},
		{Name: "[linux/arm64 build 2/3] RUN make"},
		{Name: "[build 3/3] RUN --mount=type=cache,target=/root make test", Key: "k"},
	}})
	for name, want := range map[string]string{
		"[linux/amd64 build 2/3] RUN make":                          "[linux/amd64 build 2/3] RUN make",
		"[build 3/3] RUN --mount=type=cache,target=/root make test": "RUN make test",
		"unknown": "unknown",
	} {
		if got := n.ofName(name); got != want {
			t.Errorf("ofName(%q) = %q, want %q", name, got, want)
		}
	}
	if got := n.ofKey("k"); got != "RUN make test" {
		t.Errorf("ofKey(k) = %q", got)
	}
}

// TestLinesFit shows that lines keep to the width, but for words that are longer.
func TestLinesFit(t *testing.T) {
	for _, f := range fixtures() {
		if f.name == "hostile" { // its log lines are as long as they are
			continue
		}
		for _, width := range []int{40, 80, 120} {
			text := render(t, func(w io.Writer) error { return Text(w, f.report, TextOptions{Width: width}) })
			for line := range strings.Lines(text) {
				if n := cells.StringWidth(strings.TrimSuffix(line, "\n")); n > width && strings.Contains(strings.TrimSpace(line), " ") && !strings.HasPrefix(line, "  | ") {
					t.Errorf("%s at %d: %d cells: %q", f.name, width, n, line)
				}
			}
		}
	}
}
