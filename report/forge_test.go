package report

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/buildregress/buildregress/detect"
)

func TestCheckNameIsStable(t *testing.T) {
	of := func(pipelines ...string) *detect.Report {
		r := &detect.Report{}
		for _, p := range pipelines {
			r.Results = append(r.Results, detect.Result{Build: detect.BuildInfo{Pipeline: p}})
		}
		return r
	}
	for want, r := range map[string]*detect.Report{
		"buildregress":                     of(),
		"buildregress (shop/app)":          of("shop/app web", "shop/app api"),
		"buildregress (shop/app Do # #[x)": of("shop/app Do\n##[x"),
	} {
		if got := checkName(r); got != want {
			t.Errorf("checkName = %q, want %q", got, want)
		}
	}
	if got := checkName(of(strings.Repeat("é", 300), strings.Repeat("é", 200)+"e")); len(got) > 120 {
		t.Errorf("name of %d bytes", len(got))
	}
}

func TestCommentIsMadeForWhatCostsEveryBuild(t *testing.T) {
	of := func(verdicts ...detect.Verdict) *detect.Report {
		r := &detect.Report{}
		for i, v := range verdicts {
			r.Results = append(r.Results, detect.Result{Verdict: v, Build: detect.BuildInfo{Pipeline: fmt.Sprint(i), Start: epoch.Add(time.Duration(i) * time.Hour)}})
		}
		sum := detect.NewReport(r.Results, nil, nil)
		return &sum
	}
	lost := func(lasting bool) *detect.Report {
		r := of(detect.Pass)
		r.Results[0].Cache.Losses = []detect.CacheLoss{{Lasting: lasting}}
		return r
	}
	for _, test := range []struct {
		name                       string
		report                     *detect.Report
		asked                      bool
		says, creates, hasResolved bool
	}{
		{name: "regressed", report: of(detect.Regressed), says: true, creates: true},
		{name: "one of three regressed", report: of(detect.Pass, detect.Regressed, detect.Unjudged), says: true, creates: true},
		{name: "a cache lost in every build", report: lost(true), says: true, creates: true},
		{name: "a cache lost once", report: lost(false), says: true, hasResolved: true},
		{name: "unsure", report: of(detect.Unsure), says: true},
		{name: "passed", report: of(detect.Pass, detect.Pass), says: true, hasResolved: true},
		{name: "passed, and asked for", report: of(detect.Pass), asked: true, says: true, creates: true},
		{name: "not judged", report: of(detect.Unjudged)},
		{name: "one of two not judged", report: of(detect.Pass, detect.Unjudged)},
		{name: "not judged, and asked for", report: of(detect.Unjudged), asked: true, says: true, creates: true},
		{name: "no build", report: of(), asked: true},
	} {
		c, ok := CommentOn(test.report, test.asked, 60_000)
		if ok != test.says || ok && (c.Create != test.creates || strings.HasPrefix(c.Body, "### Resolved") != test.hasResolved) {
			t.Errorf("%s: %v, made where there is none: %v\n%s", test.name, ok, c.Create, c.Body)
		}
		if ok && !c.Began.Equal(epoch.Add(time.Duration(len(test.report.Results)-1)*time.Hour)) {
			t.Errorf("%s: began %v", test.name, c.Began)
		}
	}
}

// A bake that is judged as one build has the comment of its targets: the next one may be
// judged by each of them.
func TestCommentOfABake(t *testing.T) {
	r := detect.Report{Verdict: detect.Regressed, Results: []detect.Result{{Verdict: detect.Regressed}}}
	r.Results[0].Build.Pipeline, r.Results[0].Build.Targets = "shop", []string{"shop api", "shop web"}
	if c, ok := CommentOn(&r, false, 60_000); !ok || !slices.Equal(c.Pipelines, r.Results[0].Build.Targets) {
		t.Errorf("%v, %q", ok, c.Pipelines)
	}
}
