package report

import (
	"io"
	"strings"
	"testing"

	"github.com/buildregress/buildregress/detect"
)

func explained(t *testing.T, r *detect.Report, glob string) string {
	t.Helper()
	return render(t, func(w io.Writer) error { return Explain(w, r, glob) })
}

// What an explanation says follows from the conditions that detect returned.
func TestExplainSaysTheConditions(t *testing.T) {
	type conditions = []detect.Condition
	is := func(kind detect.Kind, value, limit float64, met bool) detect.Condition {
		return detect.Condition{Kind: kind, Value: value, Limit: limit, Met: met}
	}
	size := func(delta, slowdown bool) conditions {
		return conditions{is(detect.KindMinDelta, 20, 1, delta), is(detect.KindMinSlowdown, 0.5, 0.15, slowdown)}
	}
	unlikely := is(detect.KindSuspectP, 0.1, detect.SuspectP, false)
	for _, test := range []struct {
		name       string
		status     detect.Status
		conditions conditions
		want       []string
	}{
		{
			"slower", detect.StatusSlower, size(true, true),
			[]string{"at least 1s and 15 % are asked for: it changed by more\n", ": slower\n"},
		},
		{
			"of several builds", detect.StatusSlower, append(conditions{is(detect.KindBuilds, 3, 0, true)}, size(true, true)...),
			[]string{"at least 1s and 15 % are asked for, of its newest 3 builds together: it changed by more\n"},
		},
		{
			"suspect", detect.StatusSuspect, append(size(true, true), is(detect.KindSlowerP, 0.004, detect.SlowerP, false), is(detect.KindMatureLevel, 5, 8, false)),
			[]string{"p is not low enough for slower; the level is too young to prove anything by: suspect\n"},
		},
		{
			"against other branches", detect.StatusSuspect, append(size(true, true), is(detect.KindFDR, 0.1, 0.04, false), is(detect.KindOwnHistory, 1, 0, false)),
			[]string{"q is not, with so many steps tested; builds of other branches fill the history up, and prove nothing: suspect\n"},
		},
		{"too little time", detect.StatusSame, append(size(false, true), unlikely), []string{"it changed by less time\n", "a value like this is no surprise: same\n"}},
		{"too little of it", detect.StatusSame, size(true, false), []string{"it changed by less of its time\n", "it would be a surprise, but the change is too small to be told: same\n"}},
		{"too little", detect.StatusSame, append(size(false, false), unlikely), []string{"it changed by less than either\n"}},
		{
			"a slow runner", detect.StatusSame, append(size(true, true), is(detect.KindMinDeltaCleared, 0.1, 1, false)),
			[]string{"it changed by more, but not without the runner's factor\n", "too small to be told without the runner's factor: same\n"},
		},
		{"a mode", detect.StatusSame, append(size(true, true), unlikely, is(detect.KindSeenMode, 0.17, 0, true)), []string{"17 % of the samples are like it: same\n"}},
		{"too short", detect.StatusSame, conditions{is(detect.KindLongEnough, 0.4, 1, false)}, []string{"it is too short for a change to be told, and was not tested: same\n"}},
		{"faster", detect.StatusFaster, append(size(true, true), is(detect.KindFasterP, 0.0001, 0.0015, true)), []string{": faster\n"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := reportOf(passResult())
			r.Results[0].Steps[3].Status, r.Results[0].Steps[3].Conditions = test.status, test.conditions
			text := explained(t, r, "RUN npm ci")
			for _, want := range test.want {
				if !strings.Contains(text, want) {
					t.Errorf("%q is not in\n%s", want, text)
				}
			}
		})
	}
}

func TestExplainWithoutConditions(t *testing.T) {
	text := explained(t, reportOf(noHistoryResult()), "*npm ci*")
	if !strings.Contains(text, "because        too little history: 3 of 8 builds of main\n") || strings.Contains(text, "  so ") || strings.Contains(text, "  floors ") {
		t.Errorf("explained as\n%s", text)
	}
}

// Texts of a build's author reach a terminal here too.
func TestExplainIsClean(t *testing.T) {
	text := explained(t, hostileReport(hostileName), "*")
	for _, bad := range []string{"\x1b", "\x07", "::error::", "##[", "\u202e"} {
		if strings.Contains(text, bad) {
			t.Errorf("%q is in\n%s", bad, text)
		}
	}
}
