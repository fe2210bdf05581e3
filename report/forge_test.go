package report

import (
	"strings"
	"testing"

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
